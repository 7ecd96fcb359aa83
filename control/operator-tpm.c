// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-tpm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "control/attestation.h"
#include "control/operator-answer.h"
#include "control/tpm-trust.h"

#define NOTE_LONGEST 80u
#define SIGNATURE_MOST 1024u

/* ------------------------------------------------------------------ what there is */

/* Entries with their names, without what only machines want. */
static json_t *describe(const struct control *control, const char *kind, const char *key)
{
	json_t *list = json_array(), *value, *entry;
	const char *name;

	json_object_foreach(tpm_trust_of(control, kind), name, value) {
		entry = json_copy(value);
		json_object_del(entry, "document");
		json_object_del(entry, "certificate");
		json_object_set_new(entry, key, json_string(name));
		json_array_append_new(list, entry);
	}
	return list;
}

void operator_list_trust(struct control *control, struct http_answer *answer)
{
	answer_json(answer, json_pack("{so so so so so}", "authorities", describe(control, "ca", "sha256"), "revocations", describe(control, "crl", "issuer"),
				      "tpms", describe(control, "tpm", "ek"), "expected", describe(control, "expected", "id"), "withdrawn",
				      describe(control, "withdrawn", "id")));
}

/* ------------------------------------------------------------------ authorities */

struct bundle {
	struct control *control;
	int64_t now;
	json_t *added;
	char *why;
};

static int add_authority(void *context, const uint8_t *der, size_t size, const char *subject, const uint8_t digest[TPM_DIGEST])
{
	struct bundle *bundle = context;
	struct buffer text = { 0 };
	char name[2 * TPM_DIGEST + 1];
	json_t *value = NULL;
	int r = base64_format(der, size, &text);

	hex_format(digest, TPM_DIGEST, name);
	if (!r) {
		value = json_pack("{ss ss sI}", "subject", subject, "certificate", (const char *)text.data, "added", (json_int_t)bundle->now);
		r = value ? tpm_trust_put(bundle->control, "ca", name, value, bundle->why) : -ENOMEM;
	}
	if (!r)
		json_array_append_new(bundle->added, json_pack("{ss ss}", "sha256", name, "subject", subject));
	json_decref(value);
	buffer_release(&text);
	return r;
}

void operator_add_authorities(struct control *control, const json_t *body, int64_t now, struct http_answer *answer)
{
	const char *pem = json_get_string(body, "pem");
	char why[ERROR_TEXT] = "";
	struct bundle bundle = { control, now, json_array(), why };
	int r = pem ? ca_bundle_each(pem, add_authority, &bundle, why) : refused(why, "\"pem\" must be the authorities' certificates");

	if (r < 0) {
		json_decref(bundle.added);
		answer_failure(answer, r, why);
		return;
	}
	answer_json(answer, json_pack("{so}", "authorities", bundle.added));
}

/* ------------------------------------------------------------------ what authorities revoked */

static int put_revocations(struct control *control, const struct ek_revocations *list, int64_t now, char why[ERROR_TEXT])
{
	const json_t *before = json_object_get(tpm_trust_of(control, "crl"), list->id);
	struct buffer text = { 0 };
	json_t *value;
	int r;

	if (before && json_integer_value(json_object_get(before, "from")) > list->from) {
		snprintf(why, ERROR_TEXT, "there is a newer list of that authority already; `repave tpm list` shows it");
		return -EEXIST;
	}
	r = base64_format(list->der.data, list->der.size, &text);
	if (r < 0)
		return r;
	value = json_pack("{ss ss sI sI sI sI}", "subject", list->issuer, "certificate", (const char *)text.data, "from", (json_int_t)list->from, "until",
			  (json_int_t)list->until, "revoked", (json_int_t)list->count, "added", (json_int_t)now);
	r = value ? tpm_trust_put(control, "crl", list->id, value, why) : -ENOMEM;
	json_decref(value);
	buffer_release(&text);
	return r;
}

/* The list as it is in a file, in base64. */
void operator_add_revocations(struct control *control, const json_t *body, int64_t now, struct http_answer *answer)
{
	const char *text = json_get_string(body, "crl");
	char why[ERROR_TEXT] = "";
	struct buffer data = { 0 };
	struct ek_revocations list = { 0 };
	int r = text && base64_parse(text, &data) == 0 ? 0 : refused(why, "\"crl\" must be a list of revoked certificates in base64");

	if (!r)
		r = ek_revocations_parse(&data, &control->trust->authorities, &list, why);
	if (!r)
		r = put_revocations(control, &list, now, why);
	if (r < 0)
		answer_failure(answer, r == -EKEYREJECTED ? -EINVAL : r, why);
	else
		answer_json(answer, json_pack("{ss ss sI sI sI}", "issuer", list.id, "subject", list.issuer, "from", (json_int_t)list.from, "until",
					      (json_int_t)list.until, "revoked", (json_int_t)list.count));
	buffer_release(&list.der);
	buffer_release(&data);
}

/* ------------------------------------------------------------------ TPMs */

static int allow_by_key(struct control *control, const char *ek, const char *of, const char *note, int64_t now, char why[ERROR_TEXT])
{
	const struct node *node = NULL;
	json_t *value;
	int r = 0;

	if (strlen(ek) != DIGEST_TEXT || strspn(ek, "0123456789abcdef") != DIGEST_TEXT)
		return refused(why, "a TPM is known by the SHA-256 of its endorsement key's public part: 64 lower-case hexadecimal digits");
	if (of)
		r = fleet_find(control->fleet, of, &node, why);
	if (r < 0)
		return r;
	value = json_pack("{ss ss sI}", "node", node ? node->id : "", "note", note, "added", (json_int_t)now);
	r = value ? tpm_trust_put(control, "tpm", ek, value, why) : -ENOMEM;
	json_decref(value);
	return r;
}

/* {"node"}: the TPM that it showed last; or {"ek"}, of any node, or of that one. */
void operator_allow_tpm(struct control *control, const json_t *body, int64_t now, struct http_answer *answer)
{
	const char *node = json_get_string(body, "node"), *ek = json_get_string(body, "ek"), *note = json_get_string(body, "note");
	char why[ERROR_TEXT] = "", allowed[DIGEST_TEXT + 1] = "";
	const struct node *found;
	int r = 0;

	if (!node && !ek)
		r = refused(why, "name a node, or the SHA-256 of an endorsement key");
	else if (note && (strlen(note) > NOTE_LONGEST || !text_printable(note, strlen(note))))
		r = refused(why, "a note has at most %u letters", NOTE_LONGEST);
	else if (ek)
		r = allow_by_key(control, ek, node, note ? note : "", now, why);
	else
		r = fleet_find(control->fleet, node, &found, why);
	if (!r && !ek)
		r = attestation_allow(control, fleet_get(control->fleet, found->id), note ? note : "", now, allowed, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "ek", ek ? ek : allowed));
}

void operator_accept_firmware(struct control *control, const char *text, int64_t now, struct http_answer *answer)
{
	const struct node *node;
	char why[ERROR_TEXT] = "";
	int r = fleet_find(control->fleet, text, &node, why);

	if (!r)
		r = attestation_accept(control, fleet_get(control->fleet, node->id), now, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "id", node->id));
}

/* ------------------------------------------------------------------ what boot images measure */

static json_t *describe_set(const struct expected_set *set, const char *document, const struct buffer *der, int64_t now)
{
	struct buffer text = { 0 };
	char hash[2 * TPM_DIGEST + 1];
	json_t *images = json_array(), *value = NULL;

	for (size_t i = 0; i < set->images; i++) {
		hex_format(set->image[i], TPM_DIGEST, hash);
		json_array_append_new(images, json_string(hash));
	}
	hex_format(set->parts, TPM_DIGEST, hash);
	if (!base64_format(der->data, der->size, &text))
		value = json_pack("{ss ss ss so ss sb sI}", "document", document, "name", set->name, "version", set->version, "pcr4", images, "pcr11", hash,
				  "rescue_shell", (int)set->rescue_shell, "added", (json_int_t)now);
	if (value)
		json_object_set_new(value, "certificate", json_string((const char *)text.data));
	buffer_release(&text);
	return value;
}

/* The document as text, its signature in base64, the db certificate in PEM. */
void operator_add_expected(struct control *control, const json_t *body, int64_t now, struct http_answer *answer)
{
	const char *document = json_get_string(body, "document"), *signature = json_get_string(body, "signature");
	const char *certificate = json_get_string(body, "certificate");
	struct buffer bytes = { 0 }, der = { 0 };
	struct expected_set set = { 0 };
	char why[ERROR_TEXT] = "";
	json_t *value = NULL;
	int r = 0;

	if (!document || !signature || !certificate || strlen(document) != json_string_length(json_object_get(body, "document")))
		r = refused(why, "\"document\", \"signature\" and \"certificate\" are needed");
	else if (strlen(signature) > 2 * SIGNATURE_MOST || base64_parse(signature, &bytes) < 0 || bytes.size > SIGNATURE_MOST)
		r = refused(why, "the signature isn't one in base64");
	if (!r)
		r = tpm_expected_verify(certificate, document, strlen(document), bytes.data, bytes.size, &der, why);
	if (!r)
		r = expected_set_parse(document, strlen(document), &set, why);
	if (!r) {
		value = describe_set(&set, document, &der, now);
		r = value ? tpm_trust_put(control, "expected", set.id, value, why) : -ENOMEM;
	}
	if (r < 0)
		answer_failure(answer, r == -EKEYREJECTED ? -EINVAL : r, why);
	else
		answer_json(answer, json_pack("{ss ss ss}", "id", set.id, "name", set.name, "version", set.version));
	json_decref(value);
	expected_set_release(&set);
	buffer_release(&der);
	buffer_release(&bytes);
}

void operator_remove_trust(struct control *control, const char *kind, const char *name, struct http_answer *answer)
{
	char whole[DIGEST_TEXT + 1], why[ERROR_TEXT] = "";
	int r = tpm_trust_remove(control, kind, name, whole, why);

	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "removed", whole));
}
