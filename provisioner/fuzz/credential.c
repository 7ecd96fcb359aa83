/* SPDX-License-Identifier: GPL-2.0-or-later */
/* STATE's member "identity", which root of the OS may have written, and with it the certificate of a control unit's answer. */
#include <string.h>

#include "common/json.h"
#include "provisioner/credential.h"

#define NODE "5e70a7e0-0000-4000-8000-000000000001"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct credential credential, again;
	char error[CREDENTIAL_ERROR], more[160];
	json_t *json = json_parse(data, size, more), *member;

	if (json == NULL)
		return 0;
	if (credential_parse(json, NODE, &credential, error) == 0) {
		credential_step(&credential, 1800000000);
		member = credential_format(&credential, NODE);
		/* What is kept must be found again. */
		if (credential_parse(member, NODE, &again, error) < 0 || memcmp(&credential, &again, sizeof(again)) != 0)
			__builtin_trap();
		json_decref(member);
	}
	json_decref(json);
	return 0;
}
