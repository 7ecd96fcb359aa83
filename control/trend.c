// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/trend.h"

#include <math.h>

static size_t newest(const struct trend *trend)
{
	return (trend->next + TREND_SAMPLES - 1) % TREND_SAMPLES;
}

void trend_add(struct trend *trend, double seconds, double value)
{
	if (isnan(value) || (trend->count && seconds <= trend->times[newest(trend)]))
		return;
	trend->times[trend->next] = seconds;
	trend->values[trend->next] = value;
	trend->next = (trend->next + 1) % TREND_SAMPLES;
	if (trend->count < TREND_SAMPLES)
		trend->count++;
}

double trend_slope(const struct trend *trend, double window)
{
	double time = 0, value = 0, above = 0, below = 0, last, first;
	size_t used = 0, at;

	if (!trend->count)
		return NAN;
	first = last = trend->times[newest(trend)];
	for (at = newest(trend); used < trend->count && last - trend->times[at] <= window; at = (at + TREND_SAMPLES - 1) % TREND_SAMPLES) {
		time += trend->times[at];
		value += trend->values[at];
		first = trend->times[at];
		used++;
	}
	if (used < TREND_SAMPLES_LEAST || last - first < window / 2)
		return NAN;
	time /= (double)used;
	value /= (double)used;
	/* Around the means: sums of squares of times since the boot would lose digits. */
	for (size_t i = 0; i < used; i++) {
		at = (newest(trend) + TREND_SAMPLES - i) % TREND_SAMPLES;
		above += (trend->times[at] - time) * (trend->values[at] - value);
		below += (trend->times[at] - time) * (trend->times[at] - time);
	}
	return above / below;
}

double trend_most(const struct trend *trend, double window)
{
	double most = NAN;

	for (size_t i = 0; i < trend->count; i++)
		if (trend->times[newest(trend)] - trend->times[i] <= window)
			most = fmax(most, trend->values[i]);
	return most;
}
