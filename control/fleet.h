/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fleet: nodes, assignments and boots, in memory and in the store. A call that changes something has stored it
 * durably when it returns 0, and has changed nothing when it fails. Not for several threads at once. */
#ifndef CONTROL_FLEET_H
#define CONTROL_FLEET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/groups.h"
#include "control/model.h"
#include "control/resolve.h"
#include "control/store.h"

#define BOOTS_KEPT 50u
#define WAIT_SECONDS 10u

struct fleet;

/* Loads the fleet from `store`, which must outlive it. 0 or -errno. */
int fleet_load(struct store *store, struct fleet **ret_fleet);
void fleet_free(struct fleet *fleet);

/* Nodes in the order of their ids; borrowed, valid until the next change. */
size_t fleet_count(const struct fleet *fleet);
const struct node *fleet_node(const struct fleet *fleet, size_t index);
/* Finds a node by id, host name, or at least 4 leading characters of the id.
 * 0; -ENOENT; -ENOTUNIQ when several fit. A sentence in `ret_error` with each. */
int fleet_find(const struct fleet *fleet, const char *text, const struct node **ret_node, char ret_error[ERROR_TEXT]);

/* For control/registry.c, which gives nodes their identities, and stores what it changes. By the whole id; NULL without such a node. */
struct node *fleet_get(struct fleet *fleet, const char *id);
/* By its place in the order of ids, below fleet_count. */
struct node *fleet_at(struct fleet *fleet, size_t index);
/* A node that isn't stored yet. 0 or -ENOMEM. */
int fleet_add(struct fleet *fleet, const char *id, int64_t now, struct node **ret_node);
/* Undoes that, or forgets a node that the store has forgotten. */
void fleet_forget(struct fleet *fleet, const char *id);

/* A node asks what to boot: stores its inventory, and answers as docs/protocol.md says: with a wait when
 * `refusal` (a sentence, or NULL) says why nobody may boot now. `now` in seconds since 1970. 0 with a new reference in `ret_answer`; -ENOENT when there is no such node; -errno. */
int fleet_boot(struct fleet *fleet, const struct image_list *images, const char *refusal, const char *id,
	       const struct boot_request *request, const char *address, int64_t now, json_t **ret_answer);
/* A node reports on a boot. What only says how far a stage is stays in memory: many nodes say so every few seconds. 0; -ENOENT when there is no such node; -errno. */
int fleet_report(struct fleet *fleet, const char *id, const struct boot_report *report, int64_t now);

/* Groups, ordered by name. Borrowed, valid until the next change. */
const struct group_list *fleet_groups(const struct fleet *fleet);
/* The group of a node; NULL without. */
const struct group *group_of(const struct fleet *fleet, const struct node *node);
/* Whether new users of the group's service get 503. 0; -ENOENT without such a group, with a sentence; -EIO. */
int fleet_deny(struct fleet *fleet, const char *group, bool denied, char ret_error[ERROR_TEXT]);
/* Stores a node's balancer_want. 0 or -EIO. */
int fleet_want(struct fleet *fleet, struct node *node, enum balancer_want want);

/* A node that is to change, with others at once: what is stored, and adopted after that, of `to`. */
struct fleet_draft {
	struct node *node;            /* borrowed; as it is */
	struct node to;               /* its copy, which owns its assignment and nothing else */
	bool assigns, joins;          /* its assignment changes; what store_put_member stores does */
};

/* Begins one; 0 or -ENOMEM. fleet_draft_release is for those that weren't adopted. */
int fleet_draft_init(struct node *node, struct fleet_draft *ret_draft);
void fleet_draft_release(struct fleet_draft *draft);
/* Changes its assignment, unless it says the same already. 0 or the errors of fleet_assign, but for host names. */
int fleet_draft_assign(struct fleet_draft *draft, const struct image_list *images, const json_t *change, char ret_error[ERROR_TEXT]);
/* Whether host names would be unique. 0; -EEXIST with a sentence; -ENOMEM. */
int fleet_drafts_check(const struct fleet *fleet, const struct fleet_draft *drafts, size_t count, char ret_error[ERROR_TEXT]);
/* Gives numbers and stores, within the caller's transaction. 0 or -errno: then the caller rolls back. */
int fleet_drafts_store(struct fleet *fleet, struct fleet_draft *drafts, size_t count);
/* Makes it so in memory, after the commit; `groups` (or NULL for as they are) is taken over. */
void fleet_drafts_adopt(struct fleet *fleet, struct fleet_draft *drafts, size_t count, struct group_list *groups);

/* Changes a node's assignment (see assignment_change) after checking it against the images and the other nodes' host
 * names. 0 or -errno with a sentence; see resolve_images and assignment_change; -EEXIST for a host name in use. */
int fleet_assign(struct fleet *fleet, const struct image_list *images, const char *node, const json_t *change,
		 const struct node **ret_node, char ret_error[ERROR_TEXT]);
/* What nodes without an assignment get when they next ask; JSON null for nothing. A host name in it goes to the first of
 * them. The same errors. */
int fleet_set_default(struct fleet *fleet, const struct image_list *images, const json_t *change,
		      char ret_error[ERROR_TEXT]);
/* NULL when there is none. Borrowed. */
const struct assignment *fleet_default(const struct fleet *fleet);

/* The newest boots of a node as a JSON list, newest first; a new reference. 0 or -errno. */
int fleet_boots(struct fleet *fleet, const struct node *node, json_t **ret_boots);

/* Seconds until the phase in `progress` is done at its rate; -1 when that can't be said. Pure. */
int64_t progress_seconds_left(const struct boot_progress *progress);

/* "waiting", "booting", "booted", "failed". */
const char *node_state(const struct node *node);

#endif
