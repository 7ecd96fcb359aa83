// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/attest-state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "control/agent-api.h"
#include "control/alarm.h"
#include "control/store-attest.h"

static json_t *hex_text(const uint8_t *data, size_t size)
{
	char text[2 * 64 + 1];

	hex_format(data, size, text);
	return json_string(text);
}

json_t *attest_state_edit(const struct node *node)
{
	return node->attestation ? json_copy(node->attestation->state) : json_object();
}

int attest_state_keep(struct control *control, struct node *node, json_t *state, bool store)
{
	int r = state ? 0 : -ENOMEM;

	if (!r && !node->attestation) {
		node->attestation = attest_record_new(NULL);
		r = node->attestation ? 0 : -ENOMEM;
	}
	if (!r && store)
		r = store_put_attestation(control->store, node->id, state);
	if (r < 0) {
		json_decref(state);
		return r;
	}
	json_decref(node->attestation->state);
	node->attestation->state = state;
	return 0;
}

int attest_state_offered(struct attest_record *record, const char *ek, int64_t now)
{
	return json_object_set_new(record->state, "offered", json_pack("{ss sI}", "ek", ek, "at", (json_int_t)now)) < 0 ? -ENOMEM : 0;
}

/* ------------------------------------------------------------------ what came of a proof */

static json_t *values_of(const struct quote_request *request)
{
	json_t *values = json_object();
	char key[12];

	for (unsigned pcr = 0; pcr < PCRS; pcr++) {
		snprintf(key, sizeof key, "%u", pcr);
		if (request->parsed.pcrs & 1u << pcr)
			json_object_set_new(values, key, hex_text(request->values[pcr], TPM_DIGEST));
	}
	return values;
}

/* Stage 1 proved what it is: the TPM is the node's from now on. */
static void note_proof(json_t *state, const struct judgement *judgement, const struct attest_session *session,
		       const struct quote_request *request, int64_t now)
{
	const struct expected_set *set = judgement->set;

	json_object_set_new(state, "ek", hex_text(session->ek.name + 2, TPM_DIGEST));
	json_object_set_new(state, "ek_by", json_string(session->known_by));
	if (!json_object_get(state, "firmware")) {
		json_object_set(state, "firmware", judgement->firmware);
		json_object_set_new(state, "firmware_at", json_integer((json_int_t)now));
	}
	json_object_del(state, "firmware_offered");
	json_object_set_new(state, "boot", json_pack("{ss sI sI so so so}", "nonce", "", "resets", (json_int_t)request->parsed.resets, "restarts",
						     (json_int_t)request->parsed.restarts, "ak",
						     json_pack("{so so so}", "name", hex_text(session->ak.name + 2, TPM_DIGEST), "x",
							       hex_text(session->ak.x, TPM_POINT), "y", hex_text(session->ak.y, TPM_POINT)),
						     "values", values_of(request), "set",
						     json_pack("{ss ss ss}", "id", set->id, "name", set->name, "version", set->version)));
}

/* News is told of, by a node's agent only so often within a minute. */
static int tell(struct control *control, struct node *node, enum attest_side side, const struct judgement *judgement, int64_t now)
{
	enum severity severity = judgement->level == LEVEL_FAILED ? SEVERITY_ALARM : judgement->level == LEVEL_ATTESTED ? SEVERITY_INFO : SEVERITY_WARNING;
	int r = agent_api_minute(control, node, now);

	if (!r && judgement->level == LEVEL_FAILED && side == ATTEST_SYSTEM)
		r = alarm_raise(control, node, node->channel.boot_id, "attestation", judgement->text, now);
	if (r < 0)
		return r;
	if (node->allowed.events++ >= AGENT_ALARMS_MOST) {
		node->allowed.left_out++;
		return 0;
	}
	return control_event(control, now, node->id, severity, "attestation",
			     json_pack("{ss si sI}", "level", attest_level_name(judgement->level), "pcr", judgement->pcr, "event",
				       (json_int_t)judgement->event),
			     "%s: %s", attest_level_name(judgement->level), judgement->text);
}

int attest_state_take(struct control *control, struct node *node, enum attest_side side, const struct judgement *judgement,
		      const struct attest_session *session, const struct quote_request *request, int64_t now)
{
	const char *level = attest_level_name(judgement->level);
	json_t *state = attest_state_edit(node);
	const char *was = json_get_string(state, "level"), *said = json_get_string(state, "text");
	bool is_news, is_stored;
	int r;

	if (!state)
		return -ENOMEM;
	/* A proof that lasts is none: what fails says so until another word, and is written once. */
	is_news = !was || strcmp(was, level) || (judgement->level != LEVEL_ATTESTED && strcmp(said, judgement->text));
	is_stored = is_news || judgement->level == LEVEL_ATTESTED || (judgement->firmware && !json_object_get(state, "firmware_offered"));
	json_object_set_new(state, "level", json_string(level));
	json_object_set_new(state, "text", json_string(judgement->text));
	json_object_set_new(state, "at", json_integer((json_int_t)now));
	json_object_set_new(state, "stage", json_string(side == ATTEST_BOOT ? "boot" : "system"));
	json_object_set_new(state, "pcr", json_integer(judgement->pcr));
	json_object_set_new(state, "event", json_integer((json_int_t)judgement->event));
	if (side == ATTEST_BOOT && judgement->level == LEVEL_ATTESTED)
		note_proof(state, judgement, session, request, now);
	else if (side == ATTEST_BOOT)
		json_object_del(state, "boot");
	if (judgement->firmware && judgement->level != LEVEL_ATTESTED)
		json_object_set(state, "firmware_offered", judgement->firmware);
	r = store_begin(control->store);
	if (r < 0) {
		json_decref(state);
		return r;
	}
	r = attest_state_keep(control, node, state, is_stored);
	if (!r && is_news)
		r = tell(control, node, side, judgement, now);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

/* ------------------------------------------------------------------ what a boot proved */

static const json_t *boot_of(const struct attest_record *record)
{
	return json_get_object(record->state, "boot");
}

int attest_state_boot_key(const struct attest_record *record, const char *nonce, struct tpm_public *ret_ak)
{
	const json_t *boot = boot_of(record), *ak = json_get_object(boot, "ak");
	const char *its = json_get_string(boot, "nonce");

	*ret_ak = (struct tpm_public){ .key = TPM_ECC_P256 };
	if (!its || !nonce[0] || strcmp(its, nonce) || json_get_hex(ak, "x", ret_ak->x, TPM_POINT) < 0 ||
	    json_get_hex(ak, "y", ret_ak->y, TPM_POINT) < 0)
		return -ENOENT;
	return 0;
}

int attest_state_boot(const struct attest_record *record, uint8_t ret_values[PCRS][TPM_DIGEST], struct judge_assigned *ret_assigned,
		      uint64_t *ret_resets, uint64_t *ret_restarts)
{
	const json_t *boot = boot_of(record), *values = json_get_object(boot, "values");
	const char *os = json_get_string(boot, "os"), *app = json_get_string(boot, "app");
	char key[12];

	*ret_assigned = (struct judge_assigned){ 0 };
	if (!os || !app || strlen(os) >= sizeof ret_assigned->os || strlen(app) >= sizeof ret_assigned->app ||
	    json_get_u64(boot, "assignment", &ret_assigned->number) < 0 || json_get_u64(boot, "resets", ret_resets) < 0 ||
	    json_get_u64(boot, "restarts", ret_restarts) < 0)
		return -ENOENT;
	strcpy(ret_assigned->os, os);
	strcpy(ret_assigned->app, app);
	memset(ret_values, 0, PCRS * TPM_DIGEST);
	for (unsigned pcr = 0; pcr < PCRS; pcr++) {
		snprintf(key, sizeof key, "%u", pcr);
		if (PCRS_QUOTED & 1u << pcr && json_get_hex(values, key, ret_values[pcr], TPM_DIGEST) < 0)
			return -ENOENT;
	}
	return 0;
}
