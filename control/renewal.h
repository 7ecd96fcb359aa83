/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the online roles are signed anew, and when an operator is warned that a role expires. Pure: no clock, no I/O.
 * Times are seconds since 1970. */
#ifndef CONTROL_RENEWAL_H
#define CONTROL_RENEWAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/names.h"
#include "signing/format.h"

#define RENEWAL_WARNINGS_MOST 4u
#define RENEWAL_NEVER INT64_MAX

/* A role of the repository as its metadata in force says. */
struct role_state {
	char name[ROLE_NAME_SHOWN + 1]; /* printable, cut: for people only */
	enum tuf_type type;             /* TUF_TARGETS for delegated roles too */
	bool delegated;
	uint64_t version;
	int64_t expires;                /* expired from this second on */
};

struct role_list {
	struct role_state *items;
	size_t count;
};

struct renewal_policy {
	bool online;                            /* the control unit has keys for snapshot and timestamp */
	int64_t life[2];                        /* seconds that a new snapshot [0] and timestamp [1] are good for */
	int64_t warnings[RENEWAL_WARNINGS_MOST];/* seconds before the expiry of any other role, falling */
	size_t warning_count;
};

/* Snapshot 14 days, timestamp 7 days; warnings 30 and 7 days before; not online. */
extern const struct renewal_policy renewal_policy_default;

/* "30d,7d": 1 to RENEWAL_WARNINGS_MOST durations, each shorter than the one before. 0 or -EINVAL with a sentence. */
int renewal_warnings_parse(const char *text, struct renewal_policy *policy, char ret_error[ERROR_TEXT]);

/* Whether the role is one that the control unit's own keys sign. */
bool renewal_is_online(const struct role_state *role);

/* The moment from which the role is to be signed anew by the online keys: half of a life before its expiry.
 * RENEWAL_NEVER for a role, or with a policy, without online keys. */
int64_t renewal_due(const struct renewal_policy *policy, const struct role_state *role);
/* The earliest of them. RENEWAL_NEVER for an empty list. */
int64_t renewal_due_first(const struct renewal_policy *policy, const struct role_list *roles);

/* When to try again after `failures` (1 or more) attempts in a row that failed, the last one at `now`: later and later, at most
 * an hour, and always well before `expires` (a moment, or RENEWAL_NEVER). */
int64_t renewal_retry(unsigned failures, int64_t now, int64_t expires);

#define RENEWAL_EXPIRED (RENEWAL_WARNINGS_MOST + 1)
/* How urgent the role is: 0 fine, 1 … number of warnings passed, RENEWAL_EXPIRED. An online role is fine as long as its renewal
 * is on time: it has steps of its own, at half and at a quarter of its life (with online keys at a quarter only). */
unsigned renewal_step(const struct renewal_policy *policy, const struct role_state *role, int64_t now);

/* What the operator is told at a step other than 0: role, time left, and what to do. */
void renewal_sentence(const struct renewal_policy *policy, const struct role_state *role, int64_t now,
		      char ret_sentence[ERROR_TEXT]);

/* The first expiry after `now`, or RENEWAL_NEVER: what verifies now must be looked at again then. */
int64_t renewal_first_expiry(const struct role_list *roles, int64_t now);

#endif
