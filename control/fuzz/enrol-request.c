// SPDX-License-Identifier: GPL-2.0-or-later
/* What strangers send to enrol: the body as JSON, and the same bytes as the DER of a certificate request. A key that comes out is of one
 * size and kind. */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "control/csr.h"
#include "control/node-request.h"

#define ID "5e70a7e0-0000-4000-8000-000000000001"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_csr(const char *pem)
{
	struct public_key key;
	char error[ERROR_TEXT] = "";
	int r = csr_parse(pem, &key, error);

	if (r ? !error[0] : strlen(key.hash) != DIGEST_TEXT || key.der[0] != 0x30)
		abort();
}

static void check_der(const uint8_t *data, size_t size)
{
	struct buffer pem = { 0 };

	if (!buffer_printf(&pem, "-----BEGIN CERTIFICATE REQUEST-----\n") && !base64_format(data, size, &pem) &&
	    !buffer_printf(&pem, "\n-----END CERTIFICATE REQUEST-----\n"))
		check_csr((const char *)pem.data);
	buffer_release(&pem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct enrol_request request;
	char error[ERROR_TEXT];

	if (size > NODE_BODY_MOST)
		return 0;
	if (!enrol_request_parse(data, size, ID, &request, error)) {
		if (!json_is_array(json_object_get(request.inventory, "macs")))
			abort();
		check_csr(json_string_value(request.csr));
		enrol_request_release(&request);
	}
	if (!agent_request_parse(data, size, true, &request, error)) {
		if (!nonce_valid(request.nonce))
			abort();
		enrol_request_release(&request);
	}
	check_der(data, size);
	return 0;
}
