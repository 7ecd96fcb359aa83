/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An assignment: which OS and application a node runs, and with which configuration. Pure. */
#ifndef CONTROL_ASSIGNMENT_H
#define CONTROL_ASSIGNMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/home-choice.h"
#include "control/names.h"
#include "control/resolve.h"
#include "control/starts.h"

#define CONFIG_FILES_MOST 64u
#define CONFIG_BYTES_MOST (256u * 1024)
#define SSH_KEYS_MOST 64u
#define SSH_KEY_SIZE_MOST 8192u
#define MIRRORS_MOST 15u
/* Of the configuration as JSON, where escapes may take six bytes for one: with its group's users and the rest of an answer it must stay
 * below the 1 MiB that stage 1 reads. */
#define CONFIG_JSON_MOST (850u * 1024)

struct assignment {
	uint64_t number;                         /* 0 in the default assignment: a node's gets its own */
	char os[IMAGE_SPEC_MOST + 1];            /* as the operator wrote it; "" when nothing is assigned */
	char app[IMAGE_SPEC_MOST + 1];           /* "" for none */
	enum start_policy start;                 /* by kexec, by a reset, or by what the node survived */
	bool wipe;                               /* until the node has got past its disk once */
	bool lazy;                               /* leave the data of a complete slot to dm-verity */
	char h[HOME_CHOICE_MOST + 1];            /* where H: comes from, as home-choice.h; "" for auto */
	json_t *mirrors;                         /* list of addresses that http_mirror_ok accepts, in the operator's order; owned */
	json_t *config;                          /* "config" of docs/protocol.md, checked; owned; may hold secrets */
	char os_target[TARGET_PATH_MOST + 1];    /* what the names stood for when the number was given; "" not yet */
	char app_target[TARGET_PATH_MOST + 1];
};

/* An empty assignment. The caller releases it. 0 or -ENOMEM. */
int assignment_init(struct assignment *ret_assignment);
void assignment_release(struct assignment *assignment);
/* Deep copy. 0 or -ENOMEM. */
int assignment_copy(const struct assignment *from, struct assignment *ret_assignment);

/* Applies an operator's body {"os", "app", "wipe", "verify", "start", "h", "mirrors", "config": {"hostname", "ssh_authorized_keys", "users", "files"}}: a member that is
 * absent keeps its value, null clears it, anything else replaces it. Unknown members are refused.
 * 0; -EINVAL with a sentence, and the assignment is unchanged; -ENOMEM. */
int assignment_change(struct assignment *assignment, const json_t *change, char ret_error[ERROR_TEXT]);

/* As home-choice.h. */
const char *assignment_h(const struct assignment *assignment);
/* "full" or "lazy". */
const char *assignment_verify(const struct assignment *assignment);
/* The host name of its configuration, or NULL. Borrowed. */
const char *assignment_host_name(const struct assignment *assignment);

/* For the store: everything. A new reference, NULL when out of memory. */
json_t *assignment_format(const struct assignment *assignment);
/* The inverse. 0, -EINVAL or -ENOMEM. The caller releases. */
int assignment_parse(const json_t *object, struct assignment *ret_assignment);
/* For people: names and sizes of the configuration's files, never what is in them. A new reference. */
json_t *assignment_describe(const struct assignment *assignment);

#endif
