/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First line: a path. The rest: a pattern. Where the C library's fnmatch means the same (ASCII, no sets), it is the judge. */
#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "signing/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_simple(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80 || *text == '[')
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *pattern;
	bool matches;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	pattern = strchr(text, '\n');
	if (pattern && size <= TUF_PATTERN_MOST) {
		*pattern++ = '\0';
		matches = tuf_path_matches(text, pattern);
		if (is_simple(text) && is_simple(pattern) && size < 64 &&
		    matches != (fnmatch(pattern, text, FNM_PATHNAME | FNM_NOESCAPE) == 0))
			abort();
		/* What has no wildcard matches itself and nothing else. */
		if (!strpbrk(pattern, "*?[") && matches != (strcmp(text, pattern) == 0))
			abort();
	}
	free(text);
	return 0;
}
