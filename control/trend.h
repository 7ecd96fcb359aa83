/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast a figure grows or shrinks: the least-squares line through its last samples. Pure. */
#ifndef CONTROL_TREND_H
#define CONTROL_TREND_H

#include <stddef.h>

#define TREND_SAMPLES 64u
#define TREND_SAMPLES_LEAST 4u

/* {0} is an empty one. */
struct trend {
	double times[TREND_SAMPLES], values[TREND_SAMPLES];
	size_t count, next;
};

/* `seconds` by a clock that never jumps; one that isn't later than the one before is left out. */
void trend_add(struct trend *trend, double seconds, double value);
/* Per second, over the samples of the last `window` seconds; NAN with fewer than TREND_SAMPLES_LEAST, or over less than half of it. */
double trend_slope(const struct trend *trend, double window);
/* The most of them; NAN with none. */
double trend_most(const struct trend *trend, double window);

#endif
