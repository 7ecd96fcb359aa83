/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose data servers hold, the keys of their disks, and how they were cleared, in the store. What a node held outlives its removal: the machine may
 * come back. Errors as those of control/store.h. */
#ifndef CONTROL_STORE_TENANCY_H
#define CONTROL_STORE_TENANCY_H

#include "control/sanitizing.h"
#include "control/store.h"

#define SANITIZINGS_KEPT 10000u

/* "" for nobody. */
int store_get_tenant(struct store *store, const char *node, char ret_account[ACCOUNT_MOST + 1]);
int store_put_tenant(struct store *store, const char *node, const char *account, int64_t now);

/* Of H:; and of C: and D:. */
enum store_key { STORE_KEY_HOME, STORE_KEY_DISK };

/* Sealed (control/sealed.h). Getting: -ENOENT where there is none. Forgetting: all of the node, of both kinds, and how many those were. */
int store_get_key(struct store *store, enum store_key kind, const char *node, const char *account, struct buffer *ret_sealed);
int store_put_key(struct store *store, enum store_key kind, const char *node, const char *account, const char *sealed, int64_t now);
int store_forget_keys(struct store *store, const char *node, uint64_t *ret_count);

/* Gives a new one its id, within a transaction, and forgets all but the newest SANITIZINGS_KEPT that ended. `text` and `signature`
 * (hexadecimal) are the record's, "" before it has ended. */
int store_put_sanitizing(struct store *store, struct sanitizing *sanitizing, const char *text, const char *signature);
/* The node's that hasn't ended. 0, -ENOENT or -EIO. */
int store_open_sanitizing(struct store *store, const char *node, struct sanitizing *ret_sanitizing);
/* Calls `each` for the newest `most` of a node ("": all), newest first. Stops when it returns non-zero, and returns that. */
int store_each_sanitizing(struct store *store, const char *node, unsigned most,
			  int (*each)(void *context, const struct sanitizing *sanitizing, const char *text, const char *signature), void *context);

#endif
