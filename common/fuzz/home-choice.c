/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/home-choice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted goes into a mount's options and into paths. */
static void must_be_plain(const char *text)
{
	size_t size = strlen(text);

	if (text[strcspn(text, " ,\t\n\r\\\"'")] != '\0' || strstr(text, "/../") != NULL ||
	    (size >= 3 && strcmp(text + size - 3, "/..") == 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct home_choice choice;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (home_choice_parse(text, &choice) == 0) {
		must_be_plain(choice.server);
		must_be_plain(choice.path);
		if ((choice.kind == HOME_NFS) != (choice.server[0] != '\0' && choice.path[0] == '/'))
			abort();
	}
	if (home_path_ok(text))
		must_be_plain(text);
	free(text);
	return 0;
}
