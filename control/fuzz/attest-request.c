// SPDX-License-Identifier: GPL-2.0-or-later
/* Bodies of "attest" and "quote", with the TPM's structures in them: all parsers on the same bytes, and what is computed with keys that anybody may
 * choose. */
#include <stdlib.h>
#include <string.h>

#include "control/attest-request.h"
#include "control/tpm-judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parsers of structures, which bodies carry in base64. */
static void structures(const uint8_t *data, size_t size)
{
	struct tpm_signature signature;
	struct tpm_public public;
	struct tpm_quote quote;
	char error[ERROR_TEXT];

	if (!tpm_public_parse(data, size, &public, error)) {
		tpm_endorsement_check(&public, error);
		tpm_attestation_check(&public, error);
	}
	if (!tpm_quote_parse(data, size, &quote, error) && (quote.extra_size > sizeof quote.extra || quote.pcrs >> PCRS))
		abort();
	tpm_signature_parse(data, size, &signature, error);
}

/* Bytes that are always the same. */
static int no_random(void *context, unsigned char *bytes, size_t size)
{
	(void)context;
	memset(bytes, 0x5a, size);
	return 0;
}

static void keys(const struct attest_request *request)
{
	uint8_t credential[TPM_CREDENTIAL] = { 0 };
	struct buffer object = { 0 }, secret = { 0 }, none = { 0 };
	char error[ERROR_TEXT] = "";

	tpm_credential_make(&request->ek, request->ak.name, credential, no_random, &object, &secret, error);
	if (request->certificate.size && !ek_certificate_check(request->certificate.data, request->certificate.size, &request->ek, &none, &none, error))
		abort(); /* nobody vouches for it */
	buffer_release(&object);
	buffer_release(&secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attest_request attest;
	struct quote_request quote;
	char error[ERROR_TEXT];

	if (size > QUOTE_BODY_MOST)
		return 0;
	structures(data, size);
	if (!attest_request_parse(data, size, &attest, error)) {
		keys(&attest);
		attest_request_release(&attest);
	}
	for (int by_agent = 0; by_agent < 2; by_agent++) {
		if (quote_request_parse(data, size, by_agent, &quote, error) < 0)
			continue;
		if (strlen(quote.session) != SESSION_SIZE || (!by_agent && !quote.activated.size))
			abort();
		judge_values(&quote.parsed, quote.values);
		quote_request_release(&quote);
	}
	return 0;
}
