/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/attest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

/* ------------------------------------------------------------------ the log */
int attest_add_event(json_t *events, const uint8_t digest[TPM_DIGEST], const char *type, const char *data)
{
	char hex[2 * TPM_DIGEST + 1];
	json_t *event;

	hex_format(digest, TPM_DIGEST, hex);
	event = json_pack("{s:I,s:i,s:[{s:s,s:s}],s:s,s:{s:s,s:s}}", "recnum", (json_int_t)json_array_size(events), "pcr", (int)ATTEST_PCR,
			  "digests", "hashAlg", "sha256", "digest", hex, "content_type", "repave", "content", "type", type, "data", data);
	return event != NULL && json_array_append_new(events, event) == 0 ? 0 : -ENOMEM;
}

json_t *attest_parse_events(const void *text, size_t size)
{
	char error[160];
	json_t *events = json_parse(text, size, error), *event;
	size_t i;
	bool sound = json_is_array(events);

	json_array_foreach(events, i, event)
		sound = sound && json_is_object(event);
	if (!sound) {
		json_decref(events);
		return NULL;
	}
	return events;
}

/* ------------------------------------------------------------------ what the control unit wants */
static int get_base64(const json_t *json, const char *key, struct tpm_bytes *ret_bytes)
{
	const char *text = json_get_string(json, key);
	struct buffer data = { 0 };
	int r = text != NULL && strlen(text) <= 2 * TPM_BLOB_MOST ? base64_parse(text, &data) : -EINVAL;

	ret_bytes->size = 0;
	if (r == 0 && data.size > sizeof(ret_bytes->data))
		r = -EINVAL;
	if (r == 0 && data.size > 0) {
		memcpy(ret_bytes->data, data.data, data.size);
		ret_bytes->size = data.size;
	}
	buffer_release(&data);
	return r;
}

/* A TPM2B goes to the TPM as it is, so its size must be its own. */
static int get_sized(const json_t *json, const char *key, struct tpm_bytes *ret_bytes)
{
	int r = get_base64(json, key, ret_bytes);

	if (r < 0 || ret_bytes->size < 3)
		return -EINVAL;
	return ((size_t)ret_bytes->data[0] << 8 | ret_bytes->data[1]) == ret_bytes->size - 2 ? 0 : -EINVAL;
}

static int get_mask(const json_t *json, uint32_t *ret_mask)
{
	const json_t *list = json_get_array(json, "pcrs"), *item;
	size_t i;

	*ret_mask = 0;
	json_array_foreach(json_iterable(list), i, item) {
		json_int_t pcr = json_is_integer(item) ? json_integer_value(item) : -1;

		if (pcr < 0 || pcr >= (json_int_t)TPM_PCRS || (*ret_mask >> pcr & 1) != 0)
			return -EINVAL;
		*ret_mask |= 1u << pcr;
	}
	return *ret_mask != 0 ? 0 : -EINVAL;
}

static int get_session(const json_t *json, char ret_session[33])
{
	const char *text = json_get_string(json, "session");
	uint8_t bytes[16];

	if (text == NULL || hex_parse(text, bytes, sizeof(bytes)) < 0)
		return -EINVAL;
	memcpy(ret_session, text, 33);
	return 0;
}

int attest_task_parse(const void *text, size_t size, bool with_credential, struct attest_task *ret_task, char ret_error[ATTEST_TEXT])
{
	char detail[160];
	json_t *json = json_parse(text, size, detail);
	const char *bad = NULL;
	uint64_t format;

	*ret_task = (struct attest_task){ 0 };
	if (json == NULL)
		bad = detail;
	else if (json_get_u64(json, "format", &format) < 0 || format != 1)
		bad = "it isn't of format 1";
	else if (get_session(json, ret_task->session) < 0)
		bad = "session isn't 32 hexadecimal digits";
	else if (get_base64(json, "nonce", &ret_task->nonce) < 0 || ret_task->nonce.size < 16 || ret_task->nonce.size > 64)
		bad = "nonce isn't the base64 of 16 to 64 bytes";
	else if (get_mask(json, &ret_task->mask) < 0)
		bad = "pcrs isn't a list of numbers of 0 to 23, each once";
	else if (with_credential && (get_sized(json, "credential", &ret_task->credential) < 0 || get_sized(json, "secret", &ret_task->secret) < 0))
		bad = "credential and secret aren't the base64 of a TPM2B";
	if (bad != NULL)
		snprintf(ret_error, ATTEST_TEXT, "the control unit's question about the TPM isn't sound: %s", bad);
	json_decref(json);
	return bad != NULL ? -EINVAL : 0;
}

int attest_verdict_parse(const void *text, size_t size, struct attest_verdict *ret_verdict)
{
	char detail[160];
	json_t *json = json_parse(text, size, detail);
	const json_t *attested = json_object_get(json, "attested");
	const char *sentence = json_get_string(json, "text");
	int r = json_is_boolean(attested) ? 0 : -EINVAL;

	*ret_verdict = (struct attest_verdict){ .attested = json_is_true(attested) };
	snprintf(ret_verdict->text, sizeof(ret_verdict->text), "%s", sentence != NULL ? sentence : "no reason given");
	for (char *c = ret_verdict->text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	json_decref(json);
	return r;
}

/* ------------------------------------------------------------------ what the node says */
static json_t *base64(const void *data, size_t size)
{
	struct buffer text = { 0 };
	json_t *json = base64_format(data, size, &text) == 0 ? json_string(text.data != NULL ? (const char *)text.data : "") : NULL;

	buffer_release(&text);
	return json;
}

static char *finish(json_t *json)
{
	char *text = json != NULL ? json_format(json) : NULL;

	json_decref(json);
	return text;
}

char *attest_question(const struct buffer *ek_certificate, const struct tpm_bytes *ek_public, const struct tpm_bytes *ak_public)
{
	json_t *certificate = ek_certificate->size > 0 ? base64(ek_certificate->data, ek_certificate->size) : json_null();

	return finish(json_pack("{s:i,s:o,s:o,s:o}", "format", 1, "ek_certificate", certificate, "ek_public",
				base64(ek_public->data, ek_public->size), "ak_public", base64(ak_public->data, ak_public->size)));
}

char *attest_answer(const struct attest_quote *quote)
{
	json_t *values = json_object(), *json;
	int r = values != NULL ? 0 : -ENOMEM;

	for (unsigned pcr = 0; r == 0 && pcr < TPM_PCRS; pcr++) {
		char name[4], hex[2 * TPM_DIGEST + 1];

		if ((quote->task->mask >> pcr & 1) == 0)
			continue;
		snprintf(name, sizeof(name), "%u", pcr);
		hex_format(quote->values[pcr], TPM_DIGEST, hex);
		r = json_object_set_new(values, name, json_string(hex));
	}
	json = json_pack("{s:i,s:s,s:o,s:o,s:o,s:o,s:O}", "format", 1, "session", quote->task->session, "quote",
			 base64(quote->attest.data, quote->attest.size), "signature", base64(quote->signature.data, quote->signature.size),
			 "pcr_values", values, "firmware_log", base64(quote->firmware_log->data, quote->firmware_log->size), "events",
			 quote->events);
	if (json != NULL && quote->activated != NULL)
		r |= json_object_set_new(json, "activated", base64(quote->activated->data, quote->activated->size));
	if (r != 0) {
		json_decref(json);
		json = NULL;
	}
	return finish(json);
}
