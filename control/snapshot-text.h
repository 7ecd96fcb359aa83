/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A snapshot of the fleet with what was decided of it, as JSON: so that a decision can be looked at, and made again, later and elsewhere.
 * Pure.
 *
 *   {"format": 1, "now": …, "nodes": […], "groups": […], "rules": […], "cooling": […], "decisions": […]}
 *
 * A member that is absent is 0, "" or false, and of a measured value: unknown. */
#ifndef CONTROL_SNAPSHOT_TEXT_H
#define CONTROL_SNAPSHOT_TEXT_H

#include <jansson.h>

#include "control/decide.h"

#define SNAPSHOT_NODES_MOST 200000u
#define SNAPSHOT_TEXT_MOST 255u

/* A snapshot that borrows nothing. */
struct fleet_snapshot {
	struct snapshot seen;         /* of what is below */
	struct seen_node *nodes;
	struct seen_group *groups;    /* without calendars */
	struct cooling *cooling;
	struct rule_list rules;
	json_t *rules_given;          /* NULL: the shipped matrix */
	char *texts;
	size_t texts_used, texts_room;
};

/* Makes room for so many, and texts of so many bytes. 0 (the caller releases, also when it fails) or -ENOMEM. */
int fleet_snapshot_init(struct fleet_snapshot *snapshot, size_t nodes, size_t groups, size_t cooling, size_t texts);
void fleet_snapshot_release(struct fleet_snapshot *snapshot);
/* Keeps a copy of `text`, for which there must be room. */
const char *fleet_snapshot_keep(struct fleet_snapshot *snapshot, const char *text);

/* A new reference; NULL when out of memory. */
json_t *snapshot_format(const struct fleet_snapshot *snapshot);
/* The inverse, of what may come from anywhere. 0 (the caller releases); -EINVAL with a sentence; -ENOMEM. */
int snapshot_parse(const json_t *object, struct fleet_snapshot *ret_snapshot, char ret_error[ERROR_TEXT]);

/* What was decided: a list of {"verdict", "action", "urgency", "rule", "node", "group", "spare", "from",
 * "denial", "reason"}, with ids of nodes.
 * A new reference; NULL when out of memory. The same snapshot gives an equal list. */
json_t *decisions_format(const struct snapshot *snapshot, const struct decisions *decisions);
/* The name of a node, else its id; "" for DECIDE_NOBODY. Borrowed. */
const char *snapshot_node_name(const struct snapshot *snapshot, size_t node);

#endif
