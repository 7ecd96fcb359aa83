/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a node's agent said since the control unit runs, in memory only: a status each few seconds isn't worth a write. There are thousands
 * of these: keep them small. */
#ifndef CONTROL_LIVE_H
#define CONTROL_LIVE_H

#include <jansson.h>

#include "control/agent-status.h"

struct held;

struct live {
	uint64_t sequence;          /* of the last status */
	int64_t heard;              /* seconds since 1970 */
	int64_t heard_ms;           /* by CLOCK_MONOTONIC */
	int64_t heard_round_ms;     /* by the monitor's clock (control/monitor.h) */
	unsigned interval;          /* seconds, as the agent was last told */
	unsigned in_row;            /* statuses since it became suspect or failed */
	unsigned unhealthy_in_row;
	struct figures figures;
	char *measures;             /* owned; JSON text: as objects they would take ten times the room */
	char via[MONITOR_NAME_MOST + 1]; /* the monitor that its last status came by; "": none */
	int64_t told_ms;            /* when it was last told of its monitor, by the monitor's clock; 0: never */
	struct held *held;          /* the status that isn't answered yet, or NULL; borrowed */
};

void live_free(struct live *live);

#endif
