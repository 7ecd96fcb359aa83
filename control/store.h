/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the fleet survives the daemon. Every call that changes something returns only when the change would survive a
 * power cut. Not for several threads at once. */
#ifndef CONTROL_STORE_H
#define CONTROL_STORE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "control/model.h"

struct store;

/* Opens the store at `path`; `create` makes it when it is absent. 0, -ENOENT, -EPROTO (made by another
 * version of repaved, or not a store), or -errno; logs the cause. */
int store_open(const char *path, bool create, struct store **ret_store);
void store_close(struct store *store);

/* Changes between begin and commit become durable together, or not at all. 0 or -EIO; logs the cause. */
int store_begin(struct store *store);
int store_commit(struct store *store);
void store_rollback(struct store *store);

/* Adds the node or replaces what is stored of it (`last_seen`, `waiting` and `boot` aren't). 0 or -EIO. */
int store_put_node(struct store *store, const struct node *node);
/* Adds or replaces a boot (by node and nonce) and forgets all but the newest `keep` of that node. 0 or -EIO. */
int store_put_boot(struct store *store, const char *node_id, const struct boot *boot, unsigned keep);
/* How many of the node's boots that are kept had their system started for this assignment. 0 or -EIO. */
int store_count_starts(struct store *store, const char *node_id, uint64_t assignment, uint64_t *ret_count);
/* A named JSON object; NULL removes it. 0 or -EIO. */
int store_put_setting(struct store *store, const char *name, const json_t *value);
/* A new reference; `*ret_value` NULL when there is none. 0 or -EIO. */
int store_get_setting(struct store *store, const char *name, json_t **ret_value);

/* Calls `each` for every node, ordered by id; it takes the node over. Stops when it returns non-zero, and returns that. */
int store_each_node(struct store *store, int (*each)(void *context, struct node *node), void *context);
/* Calls `each` for the newest `most` boots of a node, newest first; the boot is the callee's to release. */
int store_each_boot(struct store *store, const char *node_id, unsigned most,
		    int (*each)(void *context, struct boot *boot), void *context);

#endif
