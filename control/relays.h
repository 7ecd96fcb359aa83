/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Monitors: each a repave-monitor, on this or another machine, that stands between agents and this control unit. Which there are, which
 * node goes by which, and which may speak now. In the code they are relays, for control/monitor.h is what watches. All within
 * control_enter.
 *
 * A monitor is believed what it says of who an agent is, and only of nodes that were given to it: what it may do for those is in
 * docs/threat-model.md. The agent is told of its monitor with an answer to a status, and keeps the control unit's addresses for when
 * the monitor doesn't answer. */
#ifndef CONTROL_RELAYS_H
#define CONTROL_RELAYS_H

#include "control/control.h"
#include "control/csr.h"
#include "control/health.h"
#include "control/store-relays.h"

#define MONITOR_CERTIFICATE_DAYS 365u
#define RELAY_HELLO_SECONDS 5       /* a monitor says so often that it is there */
#define RELAY_SILENT_SECONDS 15
#define RELAY_EXCUSE_SECONDS 60     /* so long after it fell silent the nodes that went by it don't count as failed */
#define RELAY_TELL_SECONDS 20       /* a node that keeps coming directly is told of its monitor no more often */
#define RELAYS_MOST 100u

struct relay {
	struct monitor_record record;
	bool heard, silent;             /* since the control unit runs; silent was told */
	int64_t heard_ms;               /* by the monitor's clock (control/monitor.h) */
	char from[ADDRESS_MOST + 1];    /* where it speaks from; "" before */
	struct relay *next;
};

/* Reads them, and which nodes go by them. 0, -ENOMEM or -EIO. */
int relays_load(struct control *control);
void relays_free(struct relay *relays);

/* NULL without such a one. */
struct relay *relays_find(const struct control *control, const char *name);

/* Makes a monitor, or gives one another address and another key, which then is the only one. 0 with its certificate (PEM, added); -EINVAL
 * with a sentence; -ENOMEM, -EIO. */
int relays_make(struct control *control, const char *name, const char *address, const struct public_key *key, int64_t now,
		struct buffer *ret_certificate, char ret_error[ERROR_TEXT]);
/* Its certificate counts no more, and no node is given to it. 0; -ENOENT with a sentence; -EIO. */
int relays_revoke(struct control *control, const char *name, int64_t now, char ret_error[ERROR_TEXT]);
/* Which one the node is to go by; "" for none. 0; -ENOENT with a sentence; -EIO. */
int relays_give(struct control *control, struct node *node, const char *name, char ret_error[ERROR_TEXT]);

/* Whether this peer is a monitor that counts; with a node, one that may speak for it. NULL, or why not. */
const char *relays_refuse(const struct control *control, const struct http_peer *peer, const char *node);
/* It spoke; `from` NULL: nobody looked where. */
void relays_heard(struct control *control, const struct http_peer *peer, const char *from, int64_t now);
/* What a node's agent that came by way of the monitor `via` ("": directly) is told: the line of its file `addresses` that is to be its
 * first. False: it is on the way that it should be on, that way isn't there now, or it was told just now. */
bool relays_tell(struct control *control, struct node *node, const char *via, char ret_line[MONITOR_LINE_MOST + 1]);
/* Whether a node that is silent went by a monitor that fell silent just now: its agent needs time to find the other way. */
bool relays_excuse(const struct control *control, const struct node *node);

/* Tells of those that fell silent. */
void relays_watch(struct control *control, int64_t now);
/* For `repave status`: those that are silent, and certificates that end soon. */
void relays_health(struct control *control, struct health *health, int64_t now);
/* A list for operators; a new reference. */
json_t *relays_describe(const struct control *control);

#endif
