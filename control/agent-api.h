/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "POST /v1/agents/{id}/status": what an agent says is taken, durably where it must last, and its answer held until there is an order, or
 * for the interval (docs/protocol.md, "Agent channel"). */
#ifndef CONTROL_AGENT_API_H
#define CONTROL_AGENT_API_H

#include "control/control.h"

/* One call, the first time or again after it was held. Not within control_enter. */
void agent_api_status(struct control *control, const char *id, const struct http_call *call, struct http_answer *answer);
/* For struct http_service. */
void agent_api_dropped(void *context, void *held);

#define AGENT_ALARMS_MOST 60u   /* of one node in a minute; more are counted: one server must not fill the journal */
#define AGENT_MOVES_MOST 12u    /* of its life, by its agent's word, in a minute */
#define AGENT_STATUSES_MOST 10u /* in a second */

/* Tells of alarms that were left out once their minute is over. Within control_enter. 0 or -EIO. */
int agent_api_minute(struct control *control, struct node *node, int64_t now);

#endif
