/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who takes new users: the other servers of a group, and the spares that could join them. What the HAProxies say counts; while not all
 * of them answer, and of groups without a service, what the agents say. All within control_enter. */
#ifndef CONTROL_PEERS_H
#define CONTROL_PEERS_H

#include "control/control.h"

/* Its agent was heard within two intervals. */
bool peers_heard(const struct control *control, const struct node *node);
/* The control unit has just started, and its agent has still time to come back. */
bool peers_returning(const struct control *control, const struct node *node);
/* Its users come through the HAProxies. */
bool peers_balanced(const struct control *control, const struct node *node);
/* A member of a group that takes new users, and is to go on with it. */
bool peers_ready(struct control *control, const struct node *node);
/* New users may come to it, whether that is wanted or not. */
bool peers_takes_users(struct control *control, const struct node *node);
/* The spare to take for the group: one that runs what is needed before one that must be restarted first,
 * then the least used. Borrowed; NULL without. */
const struct node *peers_choose_spare(const struct control *control, const struct group *group);
/* Whether a node runs what the group's users want, and its agent is heard. */
bool peers_fits(const struct control *control, const struct node *node, const struct group *group);

/* Counts a group. That takes a look at each node of the fleet, so what was counted within the last second is enough unless `fresh`.
 * `now` is dispatch_clock(). Borrowed. */
const struct group_peers *peers_count(struct control *control, struct group *group, bool fresh, int64_t now);

#endif
