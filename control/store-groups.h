/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of the store about groups: control/store.h says what holds for all of it. */
#ifndef CONTROL_STORE_GROUPS_H
#define CONTROL_STORE_GROUPS_H

#include "control/groups.h"
#include "control/store.h"

/* Adds or replaces. 0 or -EIO. */
int store_put_group(struct store *store, const struct group *group);
/* 0, also when there is none; -EIO. */
int store_remove_group(struct store *store, const char *name);
/* The node's group, spare, service_address, weight and balancer_want; the node itself must be stored. 0 or -EIO. */
int store_put_member(struct store *store, const struct node *node);

/* An object of names and definitions, and a list of the names of those that are denied; new references. 0 or -errno. */
int store_load_groups(struct store *store, json_t **ret_groups, json_t **ret_denied);
/* Fills in what store_put_member stored, in the nodes that `find` gives. 0 or -EIO. */
int store_each_member(struct store *store, struct node *(*find)(void *context, const char *id), void *context);

#endif
