/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the application how it is, as its app.json says (common/probe.h), in a process of its own without rights: an application that
 * drips its answer holds nobody up. */
#ifndef AGENT_PROBER_H
#define AGENT_PROBER_H

#include <stdint.h>
#include <sys/types.h>

#include "agent/places.h"
#include "agent/report.h"

struct prober {
	pid_t process; /* 0: none */
	int output;
	int64_t started; /* milliseconds of the steady clock; 0: never */
};

/* Starts a question, unless one is under way or the last one is less than `interval` seconds ago; takes the result of one that ended. */
void prober_run(struct prober *prober, const struct places *places, unsigned interval, struct health *health);

#endif
