/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at the machine for what shouldn't be there, by the rules of sensors.c and login.c. */
#ifndef AGENT_LOOK_H
#define AGENT_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/channel.h"
#include "agent/login.h"
#include "agent/logs.h"
#include "agent/places.h"
#include "agent/report.h"
#include "agent/sensors.h"

#define LOOK_SECONDS 10          /* between two looks at sockets and modules */
#define WALK_SECONDS 30          /* between two walks over files */
#define MODULES_GRACE_SECONDS 60 /* of the agent's life, in which drivers are still found */

struct look {
	const struct places *places;
	uint16_t own_port;       /* where metrics are asked for, which is as it should be; 0: nowhere */
	struct channel *channel; /* gets the alarms */
	struct findings findings;
	struct login_watch logins;
	struct logs logs;
	bool again;              /* an earlier life of the agent in this boot has looked already */
	struct buffer modules;   /* names, one a line; empty: the grace isn't over */
	int64_t started, looked, walked; /* milliseconds of the steady clock; 0: never */
	unsigned entries;        /* of the walk under way */
};

void look_open(struct look *look, const struct places *places, struct channel *channel, bool again);
void look_close(struct look *look);
/* Log lines that came: to be called when the socket of `logs` is readable, too. */
void look_logs(struct look *look);
/* Everything that is due. `measures` for the state of the slots. */
void look_now(struct look *look, const struct measures *measures);

#endif
