/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of the store about monitors: control/store.h says what holds for all of it. */
#ifndef CONTROL_STORE_RELAYS_H
#define CONTROL_STORE_RELAYS_H

#include "control/store.h"

#define MONITOR_HOST_MOST 255u
#define MONITOR_LINE_MOST (MONITOR_HOST_MOST + 1 + 5 + 1 + 127)

struct monitor_record {
	char name[MONITOR_NAME_MOST + 1];
	char host[MONITOR_HOST_MOST + 1]; /* where agents find it */
	unsigned port;
	char key[DIGEST_TEXT + 1];        /* SHA-256 of the SubjectPublicKeyInfo: the only one that counts */
	int64_t issued, expires;          /* its certificate; seconds since 1970 */
};

/* Adds or replaces. 0 or -EIO. */
int store_put_monitor(struct store *store, const struct monitor_record *record);
/* With what was given to it. 0 or -EIO. */
int store_remove_monitor(struct store *store, const char *name);
/* Calls `each` for every one, ordered by name. Stops when it returns non-zero, and returns that. */
int store_each_monitor(struct store *store, int (*each)(void *context, const struct monitor_record *record), void *context);

/* Which monitor a node goes by; "" for none. 0 or -EIO. */
int store_put_monitored(struct store *store, const char *node_id, const char *monitor);
int store_each_monitored(struct store *store, int (*each)(void *context, const char *node_id, const char *monitor), void *context);

#endif
