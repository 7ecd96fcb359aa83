/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Prometheus reads at /metrics, in its text format 0.0.4. docs/metrics.md describes every metric.
 *
 * A piece of the control unit adds its own by one function in the table of metrics.c. */
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

#include <stdint.h>

#include "common/bytes.h"
#include "control/control.h"

/* A text under way; the first error stays. */
struct metrics {
	struct buffer text;
	const char *family; /* whose samples come next; static */
	int error;
};

/* Begins a family: its samples follow. `type` is "gauge", "counter" or "histogram". */
void metrics_family(struct metrics *metrics, const char *name, const char *type, const char *help);
/* A sample. `label` may be NULL; `value_of_label` may be any text. */
void metrics_sample(struct metrics *metrics, const char *label, const char *value_of_label, double value);
void metrics_histogram(struct metrics *metrics, const char *label, const char *value_of_label, const struct meter_histogram *histogram,
		       const double bounds[METER_BUCKETS]);

/* Everything, as a malloc'd text; NULL without memory. Within control_enter. */
char *metrics_format(struct control *control, int64_t now);

/* For a listener of its own (`--metrics`): answers GET /metrics and nothing else. The context is the struct control. */
void metrics_answer(void *control, const struct http_call *call, struct http_answer *answer);

#endif
