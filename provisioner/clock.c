/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/clock.h"

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
