/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Planned events: a server is set aside for maintenance or a backup from a time on, and its work goes elsewhere beforehand. Pure: what is seen in,
 * what is to be done out. Times in seconds since 1970.
 *
 *   waiting ──> replacing ──> aside ──> returning ──> over      (of a weekly one: waiting again)
 *      └────────────┴──> missed
 *
 * replacing  from the lead time on: a spare joins the group first, and serves; without one there must be enough others
 * aside      in the state MAINTENANCE before the window begins; who is still there then is thrown out for maintenance, and left for a backup
 * returning  after the end: until it serves again the spare stays
 */
#ifndef CONTROL_PLANNED_H
#define CONTROL_PLANNED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/model.h"
#include "control/restart-record.h"

#define PLANNED_MOST 500u
#define PLANNED_LEAD_DEFAULT 600
#define PLANNED_LEAD_MOST 86400
#define PLANNED_RETURN_MOST 1800  /* a server that isn't back then is others' concern */

enum planned_kind { PLANNED_MAINTENANCE, PLANNED_BACKUP };
enum planned_step { PLANNED_WAITING, PLANNED_REPLACING, PLANNED_ASIDE, PLANNED_RETURNING, PLANNED_OVER, PLANNED_MISSED };

struct planned {
	uint64_t id;
	char node[NODE_ID_SIZE + 1];
	enum planned_kind kind;
	int64_t from, to;                   /* of the present or next window */
	json_t *when;                       /* owned; the windows of each week, as control/calendar.h; NULL: once */
	int64_t lead;                       /* at least so long before its work is taken elsewhere */
	bool forced;                        /* below the group's minimum, too */
	char reason[REASON_MOST + 1], by[RESTART_BY_MOST + 1];
	enum planned_step step;
	int64_t since;                      /* of the step */
	char spare[NODE_ID_SIZE + 1];       /* that came for it; "" for none */
	char group[GROUP_NAME_MOST + 1];    /* that it came to */
	bool told, thrown, cancelled;       /* that it can't begin; who was left; by a person */
	uint64_t request;                   /* in the journal, while it is set aside; 0 */
};

struct planned_view {
	int64_t now;
	int64_t start_s;         /* how long a server takes from the decision until it serves */
	bool exists;             /* the node does */
	bool in_group;
	bool busy;               /* a restart of it is under way, or a person set it aside */
	bool aside;              /* it is in the state MAINTENANCE */
	bool serving;            /* it takes users, or nobody waits for that: it is of no group */
	unsigned others;         /* of its group that take users */
	unsigned minimum;
	bool spare_free, spare_serves;
};

enum planned_deed {
	PLANNED_TAKE_SPARE = 1, PLANNED_SET_ASIDE = 2, PLANNED_THROW_OUT = 4, PLANNED_CLEAR = 8, PLANNED_RELEASE_SPARE = 16, PLANNED_TELL_SHORT = 32,
	PLANNED_TELL_MISSED = 64, PLANNED_NEXT = 128 /* planned_next is to be called */
};

/* One look: one step at most. */
unsigned planned_look(struct planned *event, const struct planned_view *view);
/* The next window of a weekly one from `now` on, or PLANNED_OVER. 0 or -ENOMEM. */
int planned_next(struct planned *event, int64_t now);
/* Before or within its window: nothing more is begun, and what was is undone. */
void planned_cancel(struct planned *event, int64_t now);
/* When its work is taken elsewhere. */
int64_t planned_begins(const struct planned *event, int64_t start_s);

/* Reads {"kind", "from", "to" or "when", "lead", "force", "reason"}: an API's or a fleet file's, whose "node" is the caller's. Times are numbers or
 * texts as "2026-12-01T02:00Z" or with ":30" and "+01:00". 0 (the caller releases); -EINVAL with a sentence; -ENOMEM. */
int planned_parse(const json_t *object, int64_t now, struct planned *ret_event, char ret_error[ERROR_TEXT]);
/* Those members again: parsing them makes the same. A new reference; NULL when out of memory. */
json_t *planned_definition(const struct planned *event);
/* A list of those, with "node", of the events that aren't over and weren't cancelled. A new reference; NULL when out of memory. */
json_t *planned_definitions(const struct planned *events, size_t count);
void planned_release(struct planned *event);

/* For the store: all of it. A new reference; NULL when out of memory. */
json_t *planned_format(const struct planned *event);
/* 0 (the caller releases), -EINVAL or -ENOMEM. */
int planned_restore(const json_t *object, struct planned *ret_event);

const char *planned_step_name(enum planned_step step);
const char *planned_kind_name(enum planned_kind kind);

/* A number of seconds, or a text as above. 0 or -EINVAL. */
int time_value(const json_t *value, int64_t *ret_time);

#endif
