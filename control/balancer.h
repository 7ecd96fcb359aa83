/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps every HAProxy as it should be: a thread of its own that looks each second, says what must be said, and brings back what the
 * HAProxies see of the nodes. What is wanted follows from groups, boots and orders, so a restarted HAProxy gets all of it again. */
#ifndef CONTROL_BALANCER_H
#define CONTROL_BALANCER_H

#include "control/control.h"
#include "control/haproxy-config.h"

struct balancer;

/* Reads settings and the cookies' key from the store, which makes the key when there is none. 0 or -errno; logs the cause. */
int balancer_new(struct control *control, struct balancer **ret_balancer);
/* Starts the thread. 0 or -errno. */
int balancer_start(struct balancer *balancer);
/* NULL is nothing. Ends the thread; what it says to an HAProxy is said to its end. */
void balancer_free(struct balancer *balancer);

/* All of these within control_enter or control_lock. */

/* What is wanted of a node from now on. Durable when it returns 0; HAProxy obeys within a second. -ENOENT or -EIO. */
int balancer_want(struct control *control, const char *node, enum balancer_want want);
/* Its users are thrown out within a second, whatever any HAProxy does meanwhile: of a node that is being cut off, in whose place nobody is
 * wanted until its restart is ready. 0 or -ENOMEM: then it takes until the balancer's next round. */
int balancer_cut(struct control *control, const struct node *node);
/* What the HAProxies said of a node; `known` is false while none was asked since the start, and `complete` while not all were. 0 or -ENOENT without such a node. */
int balancer_look(struct control *control, const char *node, struct balancer_view *ret_view);
/* New users of a group get 503 with Retry-After; those who have a session stay. 0; -ENOENT with a sentence; -EIO. */
int balancer_deny(struct control *control, const char *group, bool denied, char ret_error[ERROR_TEXT]);

/* Whether users may be on a node: its system is up, is the one that its group's users want, and its agent said that it is healthy.
 * A suspect one is judged by HAProxy's own check. What was set aside stays a server there, so that its state ends who is on it. */
bool balancer_may_use(const struct node *node, const struct group *group);

/* What its life leaves of what was ordered: one in quarantine has nobody, one in maintenance nobody new. */
enum balancer_want balancer_wanted(const struct node *node);

/* "ready", "drain", "maint". */
const char *balancer_state_name(enum balancer_want state);

/* Borrowed. */
const struct balancer_settings *balancer_settings(const struct balancer *balancer);
/* Takes them over, once they are stored; the thread uses them from its next round on. */
void balancer_adopt_settings(struct balancer *balancer, struct balancer_settings *settings);
/* Stores settings, within or without a transaction. 0, -ENOMEM or -EIO. */
int balancer_store_settings(struct control *control, const struct balancer_settings *settings);

/* For people: { "haproxies": [ { "socket", "reachable", "error", "since" } ], "servers": [ … ] }. A new reference. */
json_t *balancer_describe(const struct control *control);
/* The configuration for the HAProxy with that socket (NULL: the first). 0 (the caller frees); -ENOENT with a sentence; -ENOMEM. */
int balancer_config(const struct control *control, const char *socket, bool privileged, char **ret_text, char ret_error[ERROR_TEXT]);

#endif
