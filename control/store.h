/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the fleet survives the daemon. Every call that changes something returns only when the change would survive a
 * power cut. Not for several threads at once. */
#ifndef CONTROL_STORE_H
#define CONTROL_STORE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "control/model.h"
#include "control/node-log.h"
#include "control/records.h"
#include "control/restart-record.h"

struct store;

/* Opens the store at `path`; `create` makes it when it is absent. One that an older version made is backed up and brought up to
 * date, wholly or not at all. 0; -ENOENT; -EPROTO (made by a newer version of repaved); -EBADMSG (damaged, or not a store); or
 * -errno; logs the cause, and for a damaged one the backup to put in its place. */
int store_open(const char *path, bool create, struct store **ret_store);
void store_close(struct store *store);

/* What keeps the store from taking changes, as its last call met it. All but damage end with the first change that it takes again. */
enum store_trouble { STORE_SOUND, STORE_FULL, STORE_READ_ONLY, STORE_FAILING, STORE_DAMAGED };
/* From any thread. */
enum store_trouble store_trouble(const struct store *store);
/* "full", "read-only" … for metrics; STORE_SOUND has none: "". */
const char *store_trouble_name(enum store_trouble trouble);
/* A sentence for people, with the next step. From any thread. */
void store_trouble_sentence(const struct store *store, char ret_sentence[ERROR_TEXT]);
/* Notes and logs that what was read from it makes no sense: -EIO. */
int store_damaged(struct store *store, const char *what);
/* Reads all of it: a database may be sound, and what it says may not be. 0 or -EIO; logs the cause. */
int store_check(struct store *store);
/* Tries a change that changes nothing where there is trouble, so that its end is noticed though nobody changes anything. */
void store_try(struct store *store);

/* Copies the store at `path` as it is now to the folder "backup" beside it, and forgets all but the newest backups there. From any
 * thread, with or without the store open. `label` is part of the file's name. 0 or -errno; logs the cause. */
#define BACKUPS_KEPT 7u
int store_backup(const char *path, const char *label, int64_t now);
/* Copies the store at `path` as it is now to the file `to`, which must not exist. 0, -EIO with the cause logged, or -EBADMSG (damaged), which the caller tells. */
int store_copy(const char *path, const char *to);
/* Logs that the store is damaged, `why`, and which backup to put in its place. */
void store_tell_damage(const char *path, const char *why);
/* The paths of its backups, newest first, each malloc'd and the list too. 0 or -ENOMEM. */
int store_backups(const char *path, char ***ret_paths, size_t *ret_count);
/* When the newest backup was made, in seconds since 1970; 0 without one. */
int64_t store_backup_time(const char *path);

/* Moves what the write-ahead log of the store at `path` has gathered into the store, when that is much. From another thread than the store's, so
 * that nobody waits for it: it takes the disk a tenth of a second. 0 or -EIO; logs the cause. */
int store_checkpoint(const char *path);

/* Changes between begin and commit become durable together, or not at all. Within another one, with that one: then 0 isn't durable yet. 0 or -EIO; logs the cause. */
int store_begin(struct store *store);
int store_commit(struct store *store);
void store_rollback(struct store *store);

/* The next change that becomes durable has this entry in its transaction; borrowed until then. NULL: no longer. */
void store_attach_audit(struct store *store, const struct audit_entry *entry);
/* Whether an entry still waits for a change. */
bool store_audit_attached(const struct store *store);

/* Adds the node or replaces what is stored of it (`last_seen`, `waiting` and `boot` aren't). 0 or -EIO. */
int store_put_node(struct store *store, const struct node *node);
/* Forgets the node and its boots; within a transaction. 0 or -EIO. */
int store_remove_node(struct store *store, const char *node_id);
/* Adds or replaces a boot (by node and nonce) and forgets all but the newest `keep` of that node. 0 or -EIO. */
int store_put_boot(struct store *store, const char *node_id, const struct boot *boot, unsigned keep);
/* How many of the node's boots that are kept had their system started for this assignment. 0 or -EIO. */
int store_count_starts(struct store *store, const char *node_id, uint64_t assignment, uint64_t *ret_count);
/* Of a node that is stored: its life. 0 or -EIO. */
int store_put_life(struct store *store, const struct node *node);
/* What its agent was acknowledged; all 0 when nothing was. 0 or -EIO. */
int store_put_channel(struct store *store, const char *node_id, const struct channel *channel);
int store_get_channel(struct store *store, const char *node_id, struct channel *ret_channel);

/* Adds an order, and forgets all but the newest `keep` of that node which ended. 0 or -EIO. */
int store_add_order(struct store *store, const char *node_id, const struct order *order, unsigned keep);
/* 0; -ENOENT: no such order, or it was answered before; -EIO. */
int store_end_order(struct store *store, const char *node_id, uint64_t number, enum order_state state, const char *text, int64_t now);
/* Calls `each`, which takes the order over, for every one that didn't end, ordered by node and number. */
int store_each_order(struct store *store, int (*each)(void *context, const char *node_id, struct order *order), void *context);
/* 0 for a node without any. 0 or -EIO. */
int store_last_order(struct store *store, const char *node_id, uint64_t *ret_number);
/* The newest `most` of a node, or only `number` unless that is 0: JSON objects as in docs/openapi.yaml; a new reference. 0 or -EIO. */
int store_list_orders(struct store *store, const char *node_id, uint64_t number, unsigned most, json_t **ret_list);

/* A named JSON object; NULL removes it. 0 or -EIO. */
int store_put_setting(struct store *store, const char *name, const json_t *value);
/* A new reference; `*ret_value` NULL when there is none. 0 or -EIO. */
int store_get_setting(struct store *store, const char *name, json_t **ret_value);

/* Calls `each` for every node, ordered by id; it takes the node over. Stops when it returns non-zero, and returns that. */
int store_each_node(struct store *store, int (*each)(void *context, struct node *node), void *context);
/* Calls `each` for the newest `most` boots of a node, newest first; the boot is the callee's to release. */
int store_each_boot(struct store *store, const char *node_id, unsigned most,
		    int (*each)(void *context, struct boot *boot), void *context);

/* Join tokens. Adding: 0 or -EIO. Using counts one use. Revoking and finding: 0, -ENOENT or -EIO. */
int store_add_token(struct store *store, const struct token *token);
int store_use_token(struct store *store, const char *id);
int store_revoke_token(struct store *store, const char *id, int64_t now);
int store_find_token(struct store *store, const char *hash, struct token *ret_token);

/* Machines that wait, by node id. Putting adds or replaces. Getting: 0 (the caller releases), -ENOENT or -EIO. */
int store_put_enrolment(struct store *store, const struct enrolment *enrolment);
int store_get_enrolment(struct store *store, const char *id, struct enrolment *ret_enrolment);
int store_remove_enrolment(struct store *store, const char *id);
int store_count_enrolments(struct store *store, uint64_t *ret_count);

/* The allow list: `kind` is "uuid", "serial" or "mac". 0 or -EIO; removing what isn't there -ENOENT; asking 1 when it is there. */
int store_put_allowed(struct store *store, const char *kind, const char *value, const char *note, int64_t now);
int store_remove_allowed(struct store *store, const char *kind, const char *value);
int store_is_allowed(struct store *store, const char *kind, const char *value);

/* Operators. Adding: 0, -EEXIST or -EIO. Removing and finding: 0, -ENOENT or -EIO. */
int store_add_operator(struct store *store, const struct operator_record *record);
int store_remove_operator(struct store *store, const char *name);
int store_find_operator(struct store *store, const char *hash, struct operator_record *ret_record);

/* Restarts. Putting gives a new one its id, within a transaction. 0, -ENOMEM or -EIO. Pruning forgets what ended long ago. */
#define RESTARTS_KEPT 10000u
int store_put_restart(struct store *store, struct restart_record *record);
int store_prune_restarts(struct store *store);
struct restart_filter {
	const char *node;    /* "": all */
	uint64_t id;         /* 0: all */
	bool active;         /* only those that go on */
	unsigned most;
};
/* Calls `each` for those that fit, newest first; it takes the record over. Stops when it returns non-zero, and returns that. */
int store_each_restart(struct store *store, const struct restart_filter *filter,
		       int (*each)(void *context, struct restart_record *record), void *context);
/* What a node said. Adding replaces what the same boot said of that kind, and forgets what is beyond LOGS_…; 0 or -EIO. Listing: all of the node, oldest first, as
 * {"sequence", "time", "kind", "nonce", "text"}; a new reference. */
int store_add_log(struct store *store, const char *node_id, const struct node_log *log, int64_t now);
int store_list_logs(struct store *store, const char *node_id, json_t **ret_list);

/* Appends. The audit log can't be changed afterwards; of the events the newest EVENTS_KEPT stay. 0 or -EIO. */
int store_add_audit(struct store *store, const struct audit_entry *entry);
int store_add_event(struct store *store, const struct event *event);

enum store_list { STORE_TOKENS, STORE_ENROLMENTS, STORE_ALLOWED, STORE_OPERATORS, STORE_AUDIT, STORE_EVENTS };

/* Of audit log and events: the first `most` with a sequence above `after`, or with a negative one the last; events of that node
 * ("": all) and that severity at least. */
struct store_filter {
	int64_t after;
	unsigned most;
	const char *node;
	enum severity least;
};

/* The rows as JSON objects whose members are those of docs/openapi.yaml, without hashes, oldest first; a new reference. `filter` may be
 * NULL for the other lists. 0 or -EIO. */
int store_list(struct store *store, enum store_list which, const struct store_filter *filter, json_t **ret_list);

#endif
