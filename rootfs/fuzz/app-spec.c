/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/app-spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct app_spec spec;
	char error[160];
	char *text;

	if (app_spec_parse(data, size, &spec, error) == 0 &&
	    (spec.arguments[0][0] != '/' || !spec.name || !spec.version || !spec.requires_os))
		abort();
	app_spec_release(&spec);

	text = strndup((const char *)data, size);
	if (text)
		free(os_release_value(text, "IMAGE_ID"));
	free(text);
	return 0;
}
