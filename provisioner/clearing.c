/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/clearing.h"

#include <errno.h>

int clearing_init(const struct gpt *gpt, const struct gpt_entry *state, struct clearing *ret_clearing)
{
	uint64_t begin = gpt_primary_size(gpt), end = gpt_backup_offset(gpt);
	uint64_t first = state->first * gpt->sector_size, after = (state->last + 1) * gpt->sector_size;

	*ret_clearing = (struct clearing){ 0 };
	if (state->last < state->first || state->last >= gpt->sectors || first < begin || after > end)
		return -EINVAL;
	ret_clearing->ranges[0] = (struct clearing_range){ begin, first - begin };
	ret_clearing->ranges[1] = (struct clearing_range){ after, end - after };
	ret_clearing->total = first - begin + (end - after);
	return 0;
}

bool clearing_next(const struct clearing *clearing, uint64_t done, uint64_t *ret_from, uint64_t *ret_size)
{
	for (unsigned i = 0; i < CLEARING_RANGES; i++) {
		const struct clearing_range *range = &clearing->ranges[i];

		if (done >= range->size) {
			done -= range->size;
			continue;
		}
		*ret_from = range->from + done;
		*ret_size = range->size - done < CLEARING_PIECE ? range->size - done : CLEARING_PIECE;
		return true;
	}
	return false;
}
