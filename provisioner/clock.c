/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/clock.h"

#define DAY 86400 /* what clocks lose, and what local time in an RTC may be off */

bool clock_authentic_possible(const struct clock_bounds *bounds, int64_t now)
{
	return now >= bounds->build && now < bounds->ceiling;
}

int64_t clock_floor(const struct clock_bounds *bounds)
{
	return clock_authentic_possible(bounds, bounds->known) ? bounds->known : bounds->build;
}

bool clock_possible(const struct clock_bounds *bounds, int64_t now)
{
	return now >= clock_floor(bounds) && now < bounds->ceiling;
}

struct clock_bounds clock_forward(const struct clock_bounds *bounds, int64_t own)
{
	struct clock_bounds forward = *bounds;

	if (clock_possible(bounds, own))
		forward.known = own;
	return forward;
}

bool clock_ca_ended(const struct clock_bounds *bounds, int64_t own, int64_t told, bool authentic)
{
	int64_t apart = own > told ? own - told : told - own;

	return told >= bounds->ceiling && (authentic || (own >= bounds->ceiling && apart <= DAY));
}
