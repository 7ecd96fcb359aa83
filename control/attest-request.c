// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/attest-request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"

#define FORMAT 1

static int parse_head(const void *body, size_t size, json_t **ret_root, char error[ERROR_TEXT])
{
	uint64_t format = 0;
	char why[160];
	json_t *root = json_parse(body, size, why);

	if (!root)
		return refused(error, "%s", why);
	if (json_get_u64(root, "format", &format) < 0 || format != FORMAT) {
		json_decref(root);
		return refused(error, "\"format\" must be %d", FORMAT);
	}
	*ret_root = root;
	return 0;
}

/* A member in base64, of 1 to `most` bytes. 0, -ENOENT (absent, null or empty), -EINVAL with a sentence, or -ENOMEM. */
static int take_bytes(const json_t *root, const char *key, size_t most, struct buffer *ret_bytes, char error[ERROR_TEXT])
{
	const json_t *value = json_object_get(root, key);
	const char *text = json_string_value(value);
	int r;

	if (!value || json_is_null(value) || (text && !json_string_length(value)))
		return -ENOENT;
	if (!text || strlen(text) != json_string_length(value) || strlen(text) > (most + 2) / 3 * 4)
		return refused(error, "\"%s\" must be at most %zu bytes in base64", key, most);
	r = base64_parse(text, ret_bytes);
	if (r == -EINVAL || (!r && (!ret_bytes->size || ret_bytes->size > most)))
		return refused(error, "\"%s\" must be 1 to %zu bytes in base64", key, most);
	return r;
}

static int need_bytes(const json_t *root, const char *key, size_t most, struct buffer *ret_bytes, char error[ERROR_TEXT])
{
	int r = take_bytes(root, key, most, ret_bytes, error);

	return r == -ENOENT ? refused(error, "\"%s\" is missing", key) : r;
}

static int take_public(const json_t *root, const char *key, struct tpm_public *ret_public, char error[ERROR_TEXT])
{
	struct buffer bytes = { 0 };
	char why[ERROR_TEXT];
	int r = need_bytes(root, key, TPM_PUBLIC_MOST, &bytes, error);

	if (!r && tpm_public_parse(bytes.data, bytes.size, ret_public, why) < 0)
		r = refused(error, "\"%s\": %.300s", key, why);
	buffer_release(&bytes);
	return r;
}

int attest_request_parse(const void *body, size_t size, struct attest_request *ret_request, char ret_error[ERROR_TEXT])
{
	struct attest_request request = { 0 };
	json_t *root;
	int r = parse_head(body, size, &root, ret_error);

	if (r < 0)
		return r;
	r = take_bytes(root, "ek_certificate", EK_CERTIFICATE_MOST, &request.certificate, ret_error);
	if (!r || r == -ENOENT)
		r = take_public(root, "ek_public", &request.ek, ret_error);
	if (!r)
		r = take_public(root, "ak_public", &request.ak, ret_error);
	json_decref(root);
	if (r < 0)
		attest_request_release(&request);
	else
		*ret_request = request;
	return r;
}

void attest_request_release(struct attest_request *request)
{
	buffer_release(&request->certificate);
}

static int take_quote(const json_t *root, struct quote_request *request, char error[ERROR_TEXT])
{
	struct buffer signature = { 0 };
	int r = need_bytes(root, "quote", TPM_ATTEST_MOST, &request->quote, error);

	if (!r)
		r = tpm_quote_parse(request->quote.data, request->quote.size, &request->parsed, error);
	if (!r)
		r = need_bytes(root, "signature", TPM_SIGNATURE_MOST, &signature, error);
	if (!r)
		r = tpm_signature_parse(signature.data, signature.size, &request->signature, error);
	buffer_release(&signature);
	return r;
}

/* One for each PCR of the quote, and for no other. */
static int take_values(const json_t *values, struct quote_request *request, char error[ERROR_TEXT])
{
	size_t wanted = 0;
	char key[12];

	for (unsigned pcr = 0; pcr < PCRS; pcr++) {
		if (!(request->parsed.pcrs & 1u << pcr))
			continue;
		wanted++;
		snprintf(key, sizeof key, "%u", pcr);
		if (json_get_hex(values, key, request->values[pcr], TPM_DIGEST) < 0)
			return refused(error, "\"pcr_values\" has no SHA-256 value of PCR %u, which the quote is about", pcr);
	}
	return json_object_size(values) == wanted ? 0 : refused(error, "\"pcr_values\" has PCRs that the quote isn't about");
}

static int parse_quote(const json_t *root, bool by_agent, struct quote_request *request, char error[ERROR_TEXT])
{
	const char *session = json_get_string(root, "session");
	const json_t *events = json_object_get(root, "events");
	int r;

	if (!session || !nonce_valid(session) || strlen(session) != SESSION_SIZE)
		return refused(error, "\"session\" must be %u lower-case hexadecimal digits", SESSION_SIZE);
	strcpy(request->session, session);
	r = by_agent ? 0 : need_bytes(root, "activated", TPM_NONCE_MOST, &request->activated, error);
	if (!r)
		r = take_quote(root, request, error);
	if (!r)
		r = take_values(json_get_object(root, "pcr_values"), request, error);
	if (!r)
		r = take_bytes(root, "firmware_log", FIRMWARE_LOG_MOST, &request->log, error);
	if (r < 0 && r != -ENOENT)
		return r;
	if (events && !json_is_null(events) && !json_is_array(events))
		return refused(error, "\"events\" must be a list");
	request->events = json_is_array(events) ? json_incref(json_iterable(events)) : NULL;
	return 0;
}

int quote_request_parse(const void *body, size_t size, bool by_agent, struct quote_request *ret_request, char ret_error[ERROR_TEXT])
{
	struct quote_request request = { 0 };
	json_t *root;
	int r = parse_head(body, size, &root, ret_error);

	if (r < 0)
		return r;
	r = parse_quote(root, by_agent, &request, ret_error);
	json_decref(root);
	if (r < 0)
		quote_request_release(&request);
	else
		*ret_request = request;
	return r;
}

void quote_request_release(struct quote_request *request)
{
	if (request->activated.data)
		explicit_bzero(request->activated.data, request->activated.size);
	buffer_release(&request->activated);
	buffer_release(&request->quote);
	buffer_release(&request->log);
	json_decref(request->events);
	request->events = NULL;
}

int attest_begin_parse(const void *body, size_t size, char ret_error[ERROR_TEXT])
{
	json_t *root;
	int r = parse_head(body, size, &root, ret_error);

	if (!r)
		json_decref(root);
	return r;
}
