/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/backoff.h"

#include <stdint.h>
#include <sys/random.h>

unsigned backoff_seconds(unsigned try)
{
	unsigned most = try > 6 ? BACKOFF_MOST : 1u << (try > 0 ? try - 1 : 0);
	uint16_t random = 0;

	if (most > BACKOFF_MOST)
		most = BACKOFF_MOST;
	/* Without randomness all wait the same: no reason to fail. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		random = 0;
	most -= most / 2 * random / UINT16_MAX;
	return most > 0 ? most : 1;
}
