/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups: the servers that do the same work for the same customer, and the service that they offer behind the balancer. Pure.
 *
 *   account × OS × application ── group ──┬─ nodes (each belongs to one group, or is a spare, or neither)
 *                                         └─ service: a backend of its own in HAProxy, named as the group
 */
#ifndef CONTROL_GROUPS_H
#define CONTROL_GROUPS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/attest-policy.h"
#include "control/model.h"
#include "control/policy.h"

#define GROUPS_MOST 1000u
#define ACCOUNT_MOST 63u
#define MINIMUM_MOST 10000u
#define SERVICE_HOSTS_MOST 16u
#define SERVICE_PATH_MOST 120u
#define SERVICE_HEADER_MOST 120u
#define GROUP_USERS_JSON_MOST (128u * 1024)

enum service_mode { SERVICE_HTTP, SERVICE_TCP };

/* What clients find at the balancer. Texts are borrowed from the group's definition. */
struct service {
	bool offered;               /* else all else is 0 */
	uint16_t port;              /* where clients connect to HAProxy */
	uint16_t server_port;       /* where the application listens; as `port` unless said otherwise */
	enum service_mode mode;
	const char *check;          /* path that must answer with 2xx or 3xx; NULL: accepting a connection is enough */
	const json_t *hosts;        /* list of host names that clients ask for, "*.example.org" too; NULL: any */
	const char *path;           /* that clients' paths begin with; NULL: any */
	const char *header, *value; /* of a request header; NULL: any */
	bool shared;                /* any of its servers can go on with the session of another one */
};

struct group {
	char name[GROUP_NAME_MOST + 1];
	char account[ACCOUNT_MOST + 1];          /* "" for none */
	char os[IMAGE_SPEC_MOST + 1];
	char app[IMAGE_SPEC_MOST + 1];           /* "" for none */
	unsigned minimum;                        /* servers that should serve at any time */
	struct policy policy;                    /* owned */
	struct service service;
	enum attest_policy attestation;          /* of its servers' TPMs */
	bool denied;                             /* new users get 503 */
	bool home_encrypted;                     /* its servers' H: lies on their disks as a ciphertext */
	bool slots_encrypted;                    /* and their C: and D: */
	struct group_peers {                     /* in memory only: control/peers.h */
		int64_t at;                      /* when they were counted, by its clock; 0: never */
		unsigned ready;
		bool returning, unsettled, has_spare;
	} peers;
	unsigned serving_least;                  /* that a campaign leaves serving; 0 without one; in memory only: control/campaigns.h */
	json_t *definition;                      /* as the operator wrote it; owned */
};

struct group_list {
	struct group *items;                     /* ordered by name; owned */
	size_t count;
};

/* A name of a group: one label as host names are, but not "repave", which HAProxy's configuration has for itself. */
bool group_name_valid(const char *name);

/* Reads {"account", "os", "app", "minimum", "users", "policy": as control/policy.h, "h_encryption" and "encryption": on or off,
 * "attestation": required, preferred or off, "service": {"port", "server_port", "mode", "check", "hosts", "path", "header", "sessions"}}; unknown members are
 * refused. 0 (the caller releases); -EINVAL with a sentence; -ENOMEM. */
int group_parse(const char *name, const json_t *definition, struct group *ret_group, char ret_error[ERROR_TEXT]);
void group_release(struct group *group);
void group_list_release(struct group_list *list);

/* Reads an object of names and definitions. The same errors, and -EINVAL when two services can't be told apart. */
int group_list_parse(const json_t *object, struct group_list *ret_list, char ret_error[ERROR_TEXT]);
/* The object again; a new reference. NULL when out of memory. */
json_t *group_list_format(const struct group_list *list);
/* Borrowed; NULL without such a group. */
struct group *group_list_find(const struct group_list *list, const char *name);

/* The name of the OS that clients may ask for with X-Repave-OS: without the version. */
void group_os_name(const struct group *group, char ret_name[IMAGE_NAME_MOST + 1]);
/* Whether these targets of a boot are the group's OS and application, in any version: what a server runs may be an older one. */
bool group_runs(const struct group *group, const char *os_target, const char *app_target);

/* What is changed in an assignment by putting a node into the group; a new reference. NULL when out of memory. */
json_t *group_assignment(const struct group *group);
/* Who may log in to a node of the group (NULL: none) with users of its own: these, and those of the group with neither their names nor their
 * numbers; USERS_MOST at most. A new reference, NULL when out of memory. */
json_t *group_users(const struct group *group, const json_t *own);

#endif
