/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "provisioner/state.h"
#include "signing/sha256.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const uint8_t *data, size_t size)
{
	struct state state = { .fd = -1 };

	if (state_record_parse(data, size, &state.sequence, &state.content) < 0)
		return;
	struct tuf_store store = state_tuf_store(&state);
	struct buffer text = { 0 };

	state_slot(&state, "C0");
	state_good(&state, "c");
	store.load(store.context, "root", 1 << 20, &text);
	store.load_root(store.context, 2, 1 << 20, &text);
	store.store_root(store.context, 3, "{}", 2);
	store.keep_roots(store.context, 2, 3);
	store.store(store.context, "timestamp", "{}", 2);
	store.remove(store.context, "root");
	state_set_slot(&state, "C1", "00", "x");
	buffer_release(&text);
	state_release(&state);
}

/* The payload's digest can't be guessed by mutation, so each input is also tried with it put right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	use(data, size);
	if (size < STATE_HEADER)
		return 0;
	copy = malloc(size);
	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	memcpy(copy, "REPAVEST", 8);
	put_le32(copy + 16, (uint32_t)(size - STATE_HEADER));
	put_le32(copy + 20, 0);
	sha256_once(copy + STATE_HEADER, size - STATE_HEADER, copy + 24);
	use(copy, size);
	free(copy);
	return 0;
}
