/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "provisioner/assignment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assignment assignment;
	char error[160];
	const char *name;
	json_t *text;

	if (assignment_parse(data, size, "00112233445566778899aabbccddeeff", &assignment, error) < 0)
		return 0;
	if (!assignment.wait && assignment.os_target == NULL)
		abort();
	if ((assignment.h_key != NULL && !assignment.h_encryption) || (assignment.disk_key != NULL && !assignment.encryption) || (assignment.sanitize[0] != '\0' && !assignment.wait))
		abort();
	json_object_foreach(assignment.files, name, text)
		if (!config_file_name_ok(name) || !json_is_string(text))
			abort();
	assignment_release(&assignment);
	return 0;
}
