/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps the repository good: signs snapshot and timestamp anew in time, looks whether what lies there still verifies, and warns of
 * what expires. In a thread of its own: nobody waits for it. */
#ifndef CONTROL_KEEPER_H
#define CONTROL_KEEPER_H

#include <jansson.h>

#include "control/catalogue.h"
#include "control/renewal.h"

struct keeper;

struct keeper_options {
	const char *repository;         /* folder */
	const char *keys;               /* folder with snapshot-N.key and timestamp-N.key; NULL: no renewal */
	struct renewal_policy policy;   /* `online` is set by keys */
	struct catalogue *catalogue;
	pthread_mutex_t *lock;          /* of the catalogue */
};

/* Checks the folder of keys: closed to others, with keys for both roles. The options' texts must outlive the keeper. 0; -EINVAL,
 * -EACCES, -ENOKEY or -errno with the cause logged. */
int keeper_new(const struct keeper_options *options, struct keeper **ret_keeper);
/* NULL is nothing. Stops the thread; a publication under way is finished first. */
void keeper_free(struct keeper *keeper);

/* One round: renew what is due, check, warn. Before keeper_start only. */
void keeper_round(struct keeper *keeper);
/* A round each second from now on. 0 or -errno. */
int keeper_start(struct keeper *keeper);

/* For the status: { "online": true, "due": time or null, "error": sentence or null, "roles": [ { "name", "delegated", "version",
 * "expires", "warning": sentence or null } ] }. The caller holds the catalogue's lock. A new reference. */
json_t *keeper_describe(struct keeper *keeper, int64_t now);

#endif
