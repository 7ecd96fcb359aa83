/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What somebody should do something about, for `repave status`: each is a sentence with the next step in it.
 *
 * A piece of the control unit adds its own by one function in the table of health.c. */
#ifndef CONTROL_HEALTH_H
#define CONTROL_HEALTH_H

#include <jansson.h>
#include <stdint.h>

#include "control/control.h"

struct health {
	json_t *alarms, *warnings; /* lists of sentences */
};

/* Adds a sentence; `severity` SEVERITY_ALARM, or SEVERITY_WARNING for what may wait until tomorrow. */
void health_add(struct health *health, enum severity severity, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* [{"severity": "alarm" or "warning", "text"}], alarms first; a new reference, NULL without memory. Within control_enter. */
json_t *health_describe(struct control *control, int64_t now);

#endif
