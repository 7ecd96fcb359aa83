/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A restart with all that must survive the control unit's own: for which node, ordered by whom, how far it is, how long each step took. */
#ifndef CONTROL_RESTART_RECORD_H
#define CONTROL_RESTART_RECORD_H

#include <jansson.h>

#include "control/agent-status.h"
#include "control/model.h"
#include "control/records.h"
#include "control/restart.h"

#define REASON_MOST 120u
#define RESTART_BY_MOST 63u            /* an operator, or "rule NAME" */
#define RESTART_WAITS_MOST 199u

struct restart_record {
	uint64_t id;                         /* ascending; 0 before it is stored */
	char node[NODE_ID_SIZE + 1];
	struct restart restart;
	json_t *change;                      /* owned; to the assignment, for assignment_change; NULL for none */
	char to[GROUP_NAME_MOST + 1];        /* the group that it joins then; "" to stay where it is */
	char by[RESTART_BY_MOST + 1];        /* who ordered it */
	char reason[REASON_MOST + 1];        /* "" without */
	int64_t started, ended;              /* milliseconds since 1970; `ended` 0 while it goes on */
	int64_t clock;                       /* dispatch_clock() when it was last stored, which the times in `restart` are by */
	char nonce[NONCE_SIZE + 1];          /* of the node's last boot when it began; "" for none */
	char boot_id[BOOT_ID_SIZE + 1];      /* of the system that is to end; "" when no agent reported */
	uint64_t order;                      /* of the agent, that was given last; 0 for none */
	char denied[GROUP_NAME_MOST + 1];    /* the group whose new users it denied; "" for none */
	char spare[NODE_ID_SIZE + 1];        /* that was taken; "" for none */
	uint64_t spare_restart;              /* which prepares it; 0: it needed none */
	/* In memory only. */
	bool asked;                          /* stage 1 asks right now, in another boot */
	char asks[NONCE_SIZE + 1];           /* the first boot since it ended, or the last that started its system; "" before */
	bool no_spare;                       /* one couldn't be taken */
	uint64_t ended_order;                /* of which the next two are known; 0 for none */
	bool refused, expired;
	char waits[RESTART_WAITS_MOST + 1];  /* what it waits for; "" for nothing */
	int64_t told_waits;                  /* when that was told last; 0: never */
	int64_t power_known;                 /* when `has_power` was asked; 0: not yet */
	bool has_power;
	uint64_t job;                        /* of the power control, under way; 0 for none */
	enum power_seen power;               /* what the last one found; POWER_SEEN_ABSENT: nothing yet */
	int64_t power_asked;
	json_t *steps;                       /* owned; [{"step", "at", "seconds"}] of those that are over */
};

/* `record` is empty afterwards. */
void restart_record_release(struct restart_record *record);
/* Notes that the step before is over; call it before `restart.step` or `.since` is changed. Times as for restart_record_describe. 0 or -ENOMEM. */
int restart_record_note(struct restart_record *record, int64_t clock, int64_t now);

/* For the store: everything but id, node, started and ended. A new reference; NULL when out of memory. */
json_t *restart_record_format(const struct restart_record *record);
/* The inverse, into a zeroed record. 0, -EINVAL or -ENOMEM; to be released in any case. */
int restart_record_parse(const json_t *object, struct restart_record *record);
/* Moves the times of a record that another run of the control unit stored to this one's clock: what was left of each limit then is left
 * now. */
void restart_record_resume(struct restart_record *record, int64_t clock);
/* For people and programs, as docs/openapi.yaml says; `clock` is dispatch_clock(), `now` in milliseconds since 1970. A new reference;
 * NULL when out of memory. */
json_t *restart_record_describe(const struct restart_record *record, int64_t clock, int64_t now);

#endif
