// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/attestation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "control/attest-state.h"
#include "control/store-attest.h"
#include "control/tpm-trust.h"

/* ------------------------------------------------------------------ a session begins */

static struct attest_record *need_record(struct node *node)
{
	if (!node->attestation)
		node->attestation = attest_record_new(NULL);
	return node->attestation;
}

static int begin_session(struct attest_session *session, int64_t now)
{
	uint8_t id[ATTEST_SESSION / 2];

	*session = (struct attest_session){ .started = now };
	if (tpm_random_system(NULL, id, sizeof id) || tpm_random_system(NULL, session->nonce, sizeof session->nonce) ||
	    tpm_random_system(NULL, session->credential, sizeof session->credential))
		return -EIO;
	hex_format(id, sizeof id, session->id);
	return 0;
}

/* {"0": true, …} as a list of numbers. */
static json_t *pcr_list(void)
{
	json_t *list = json_array();

	for (unsigned pcr = 0; pcr < PCRS; pcr++)
		if (PCRS_QUOTED & 1u << pcr)
			json_array_append_new(list, json_integer((json_int_t)pcr));
	return list;
}

static json_t *in_base64(const void *data, size_t size)
{
	struct buffer text = { 0 };
	json_t *value = base64_format(data, size, &text) < 0 ? NULL : json_string((const char *)text.data);

	buffer_release(&text);
	return value;
}

static void answer_json_or_fail(struct http_answer *answer, json_t *json)
{
	answer->json = json;
	if (json)
		answer->status = 200;
	else
		http_answer_error(answer, 500, "out of memory");
}

/* Nothing more of this session. */
static void refuse(struct control *control, struct node *node, enum attest_side side, enum attest_level level, const char *why, int64_t now,
		   struct http_answer *answer)
{
	struct judgement judgement = { .level = level, .pcr = -1 };

	snprintf(judgement.text, sizeof judgement.text, "%s", why);
	if (attest_state_take(control, node, side, &judgement, NULL, NULL, now) < 0)
		http_answer_error(answer, 500, "the control unit failed; its log says more");
	else
		http_answer_error(answer, 403, why);
}

const struct node *attestation_holder(const struct control *control, const struct node *node, const char *ek)
{
	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *other = fleet_node(control->fleet, i);
		const char *its = other->attestation && other != node ? json_get_string(other->attestation->state, "ek") : NULL;

		if (its && !strcmp(its, ek))
			return other;
	}
	return NULL;
}

/* Whether the TPM may be this node's, and how that is known. LEVEL_ATTESTED, or another with a sentence. */
static enum attest_level know_tpm(const struct control *control, const struct node *node, const struct attest_request *request, const char *ek,
				  char ret_known_by[200], char ret_why[ERROR_TEXT])
{
	const json_t *allowed = json_object_get(tpm_trust_of(control, "tpm"), ek);
	const char *bound = json_get_string(node->attestation->state, "ek"), *of = json_get_string(allowed, "node");
	const struct node *holder = attestation_holder(control, node, ek);
	char why[ERROR_TEXT] = "it has no endorsement certificate";
	int r = -EKEYREJECTED;

	if (holder) {
		snprintf(ret_why, ERROR_TEXT, "its TPM (EK %.16s…) is that of node %s: one TPM can't be two servers'", ek, holder->id);
		return LEVEL_FAILED;
	}
	if (bound && strcmp(bound, ek)) {
		snprintf(ret_why, ERROR_TEXT, "it shows another TPM (EK %.16s…) than before (EK %.16s…); if the board was replaced: `repave tpm allow %s`", ek,
			 bound, node->id);
		return LEVEL_FAILED;
	}
	if (of && of[0] && strcmp(of, node->id)) {
		snprintf(ret_why, ERROR_TEXT, "its TPM (EK %.16s…) was allowed for node %s", ek, of);
		return LEVEL_FAILED;
	}
	if (allowed) {
		strcpy(ret_known_by, "allow list");
		return LEVEL_ATTESTED;
	}
	if (request->certificate.size)
		r = ek_certificate_check(request->certificate.data, request->certificate.size, &request->ek, &control->trust->authorities,
					 &control->trust->revocations, why);
	if (!r) {
		strcpy(ret_known_by, "certificate");
		return LEVEL_ATTESTED;
	}
	/* Its maker says that it may be anybody's by now. */
	if (r == -EKEYREVOKED) {
		snprintf(ret_why, ERROR_TEXT, "its TPM (EK %.16s…) isn't to be trusted: %.200s", ek, why);
		return LEVEL_FAILED;
	}
	snprintf(ret_why, ERROR_TEXT, "its TPM (EK %.16s…) isn't known: %.200s; `repave tpm allow %s` if it is the server's", ek, why, node->id);
	return LEVEL_NONE;
}

/* The challenge: only the TPM that has both keys can answer it. */
static json_t *challenge(struct attest_session *session, const struct attest_request *request, char why[ERROR_TEXT])
{
	struct buffer object = { 0 }, secret = { 0 };
	json_t *json = NULL;

	if (!tpm_credential_make(&request->ek, request->ak.name, session->credential, tpm_random_system, &object, &secret, why))
		json = json_pack("{si ss so so so so}", "format", 1, "session", session->id, "nonce", in_base64(session->nonce, sizeof session->nonce),
				 "credential", in_base64(object.data, object.size), "secret", in_base64(secret.data, secret.size), "pcrs", pcr_list());
	buffer_release(&secret);
	buffer_release(&object);
	return json;
}

void attestation_begin(struct control *control, struct node *node, const struct attest_request *request, int64_t now, struct http_answer *answer)
{
	struct attest_record *record = need_record(node);
	struct attest_session session;
	char ek[DIGEST_TEXT + 1], why[ERROR_TEXT] = "", known_by[200] = "";
	enum attest_level level;

	hex_format(request->ek.name + 2, TPM_DIGEST, ek);
	if (!record || begin_session(&session, now) < 0 || attest_state_offered(record, ek, now) < 0) {
		http_answer_error(answer, 500, "the control unit can't make random numbers, or has no memory");
		return;
	}
	record->session[ATTEST_BOOT] = (struct attest_session){ 0 };
	if (tpm_endorsement_check(&request->ek, why) < 0 || tpm_attestation_check(&request->ak, why) < 0) {
		refuse(control, node, ATTEST_BOOT, LEVEL_FAILED, why, now, answer);
		return;
	}
	level = know_tpm(control, node, request, ek, known_by, why);
	if (level != LEVEL_ATTESTED) {
		refuse(control, node, ATTEST_BOOT, level, why, now, answer);
		return;
	}
	session.ek = request->ek;
	session.ak = request->ak;
	strcpy(session.known_by, known_by);
	answer_json_or_fail(answer, challenge(&session, request, why));
	if (answer->status == 200)
		record->session[ATTEST_BOOT] = session;
	else if (why[0])
		refuse(control, node, ATTEST_BOOT, LEVEL_FAILED, why, now, answer);
	explicit_bzero(&session, sizeof session);
}

void attestation_begin_system(struct node *node, int64_t now, struct http_answer *answer)
{
	struct attest_record *record = need_record(node);
	struct attest_session session;

	if (!record || begin_session(&session, now) < 0) {
		http_answer_error(answer, 500, "the control unit can't make random numbers, or has no memory");
		return;
	}
	if (attest_state_boot_key(record, node->identity.agent_nonce, &session.ak) < 0) {
		record->session[ATTEST_SYSTEM] = (struct attest_session){ 0 };
		http_answer_error(answer, 403, "stage 1 proved nothing in this boot, so there is nothing to go on from");
		return;
	}
	record->session[ATTEST_SYSTEM] = session;
	/* Stage 1 is over: what it proved gets nothing more for whoever overheard its session in the running system. */
	record->session[ATTEST_BOOT] = (struct attest_session){ 0 };
	answer_json_or_fail(answer, json_pack("{si ss so so}", "format", 1, "session", session.id, "nonce",
					      in_base64(session.nonce, sizeof session.nonce), "pcrs", pcr_list()));
}

/* ------------------------------------------------------------------ its quote */

/* All that doesn't depend on what was measured: whose quote it is, and that it was made now. Empty `ret_why` when it is good. */
static void check_quote(const struct attest_session *session, enum attest_side side, const struct quote_request *request, char ret_why[ERROR_TEXT])
{
	const struct tpm_quote *quote = &request->parsed;

	ret_why[0] = 0;
	if (side == ATTEST_BOOT && (request->activated.size != sizeof session->credential ||
				    !bytes_equal_ct(request->activated.data, session->credential, sizeof session->credential)))
		snprintf(ret_why, ERROR_TEXT, "it can't open what was encrypted for its TPM: endorsement and attestation key aren't of one TPM");
	else if (quote->extra_size != sizeof session->nonce || memcmp(quote->extra, session->nonce, sizeof session->nonce))
		snprintf(ret_why, ERROR_TEXT, "the quote isn't about this session's nonce: it is an old one, or another node's");
	else if (tpm_quote_verify(&session->ak, request->quote.data, request->quote.size, &request->signature, ret_why) < 0)
		return;
	else if (!judge_values(quote, request->values))
		snprintf(ret_why, ERROR_TEXT, "the PCR values aren't those that the TPM signed");
}

static int judge_stage1(const struct control *control, const struct node *node, const struct quote_request *request,
			const struct repave_events *events, struct judgement *judgement)
{
	struct firmware_log log;
	struct judge_input input = { .pcrs = request->parsed.pcrs, .log = &log, .events = events, .sets = control->trust->sets,
				     .set_count = control->trust->set_count, .withdrawn = control->trust->withdrawn,
				     .withdrawn_count = control->trust->withdrawn_count, .firmware = json_get_object(node->attestation->state, "firmware") };
	int r = firmware_log_parse(request->log.data, request->log.size, &log, judgement->text);

	if (r == -EINVAL)
		judgement->level = LEVEL_FAILED;
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	memcpy(input.values, request->values, sizeof input.values);
	r = judge_boot(&input, judgement);
	firmware_log_release(&log);
	return r;
}

static void judge_agent(const struct node *node, const struct quote_request *request, const struct repave_events *events,
			struct judgement *judgement)
{
	struct judge_input input = { .pcrs = request->parsed.pcrs, .events = events };
	uint8_t then[PCRS][TPM_DIGEST];
	struct judge_assigned assigned;
	uint64_t resets, restarts;

	*judgement = (struct judgement){ .pcr = -1 };
	memcpy(input.values, request->values, sizeof input.values);
	if (attest_state_boot(node->attestation, then, &assigned, &resets, &restarts) < 0) {
		snprintf(judgement->text, sizeof judgement->text, "stage 1 proved nothing in this boot");
	} else if (resets != request->parsed.resets || restarts != request->parsed.restarts) {
		/* A system that firmware started anew isn't what stage 1 measured. */
		judgement->level = events->count ? LEVEL_FAILED : LEVEL_NONE;
		snprintf(judgement->text, sizeof judgement->text, "the server was reset since stage 1 proved itself%s",
			 events->count ? "" : ": a system that is started so isn't measured");
	} else {
		judge_system(&input, then, &assigned, judgement);
	}
}

static int judge(struct control *control, struct node *node, enum attest_side side, const struct quote_request *request,
		 struct judgement *judgement)
{
	struct attest_session *session = &node->attestation->session[side];
	struct repave_events events;

	*judgement = (struct judgement){ .level = LEVEL_FAILED, .pcr = -1 };
	check_quote(session, side, request, judgement->text);
	if (judgement->text[0] || repave_events_parse(request->events, &events, judgement->text) < 0)
		return 0;
	if (side == ATTEST_BOOT)
		return judge_stage1(control, node, request, &events, judgement);
	judge_agent(node, request, &events, judgement);
	return 0;
}

/* Meanwhile another node may have proved that it has this TPM. */
static void check_holder(const struct control *control, const struct node *node, const struct attest_session *session, struct judgement *judgement)
{
	const struct node *holder;
	char ek[DIGEST_TEXT + 1];

	hex_format(session->ek.name + 2, TPM_DIGEST, ek);
	holder = judgement->level == LEVEL_ATTESTED ? attestation_holder(control, node, ek) : NULL;
	if (!holder)
		return;
	judgement->level = LEVEL_FAILED;
	snprintf(judgement->text, sizeof judgement->text, "its TPM (EK %.16s…) is that of node %s: one TPM can't be two servers'", ek, holder->id);
}

void attestation_quote(struct control *control, struct node *node, enum attest_side side, const struct quote_request *request, int64_t now,
		       struct http_answer *answer)
{
	struct attest_session *session = node->attestation ? &node->attestation->session[side] : NULL;
	struct judgement judgement;
	int r;

	if (!session || !session->id[0] || strcmp(session->id, request->session) || session->answered || now - session->started > ATTEST_SECONDS ||
	    now < session->started) {
		http_answer_error(answer, 409, "there is no such session, or it has had its quote; begin a new one");
		return;
	}
	session->answered = true;
	r = judge(control, node, side, request, &judgement);
	if (!r && side == ATTEST_BOOT)
		check_holder(control, node, session, &judgement);
	if (!r)
		r = attest_state_take(control, node, side, &judgement, session, request, now);
	if (!r && judgement.level == LEVEL_ATTESTED)
		session->proved = now;
	explicit_bzero(session->credential, sizeof session->credential);
	json_decref(judgement.firmware);
	if (r < 0)
		http_answer_error(answer, 500, "the control unit failed; its log says more");
	else
		answer_json_or_fail(answer, json_pack("{si sb ss}", "format", 1, "attested", judgement.level == LEVEL_ATTESTED, "text", judgement.text));
}
