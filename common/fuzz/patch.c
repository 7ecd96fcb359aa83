/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/patch.h"

#define OLD_SIZE 8192u
#define NEW_SIZE (UINT64_C(4096) << 12)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reading outside the old image is the reader's to refuse: it must be asked for no more than fits the window. */
static int read_old(void *context, uint8_t *ret_data, size_t size, uint64_t offset)
{
	const size_t *want = context;

	if (size > *want)
		abort();
	if (offset > OLD_SIZE || size > OLD_SIZE - offset)
		return -EBADMSG;
	memset(ret_data, (int)offset, size);
	return 0;
}

static void try_index(const uint8_t *data, size_t size)
{
	struct patch_header header;
	struct patch_index index;
	uint64_t end = 0;

	if (size < PATCH_HEADER || patch_header_parse(data, NEW_SIZE, &header) < 0 ||
	    size - PATCH_HEADER < (uint64_t)header.windows * PATCH_INDEX_ENTRY ||
	    patch_index_parse(data + PATCH_HEADER, &header, NEW_SIZE, &index) < 0)
		return;
	for (uint32_t i = 0; i < index.count; i++) {
		if (index.windows[i].first < end || index.windows[i].offset + index.windows[i].frame > index.size)
			abort();
		end = (uint64_t)index.windows[i].first + index.windows[i].blocks;
	}
	if (end > NEW_SIZE / PATCH_BLOCK || index.size > NEW_SIZE)
		abort();
	patch_index_release(&index);
}

/* The first byte says what follows: a header and its index, or a payload for so many blocks. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t want;
	uint8_t *window;

	if (size < 1)
		return 0;
	want = (size_t)data[0] * PATCH_BLOCK;
	if (want == 0) {
		try_index(data + 1, size - 1);
		return 0;
	}
	window = malloc(want);
	if (window != NULL)
		patch_window_apply(data + 1, size - 1, read_old, &want, window, want);
	free(window);
	return 0;
}
