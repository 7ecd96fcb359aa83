/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a node's systems were started, which of these starts arrived, and what to choose next. Pure. */
#ifndef CONTROL_STARTS_H
#define CONTROL_STARTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/names.h"

/* So many starts by kexec in a row that didn't arrive, and the firmware is asked instead. */
#define KEXEC_LOST_MOST 2u

enum start_way { START_KEXEC, START_RESET };
#define START_WAYS 2u

enum start_policy { START_POLICY_AUTO, START_POLICY_KEXEC, START_POLICY_RESET };

/* What a node says of its last start: whether the started kernel got as far as its first program. */
struct last_start {
	bool known;               /* else the rest is empty */
	char nonce[NONCE_SIZE + 1]; /* of the boot that ended in it: each counts once, however often it is told */
	enum start_way way;
	bool arrived;
};

struct starts {
	char counted[NONCE_SIZE + 1]; /* the start that was counted last; "" for none */
	struct start_count {
		uint64_t arrived, lost;
		uint64_t lost_in_row;  /* since one arrived */
	} ways[START_WAYS];
};

/* Counts a start. False when it was counted before, or nothing is known. */
bool starts_count(struct starts *starts, const struct last_start *last);
/* How the next system is to start. `uefi`: the node's firmware could do it. */
enum start_way starts_choose(const struct starts *starts, enum start_policy policy, bool uefi);

/* "kexec", "reset". */
const char *start_way_name(enum start_way way);
/* 0 or -EINVAL. */
int start_way_parse(const char *text, enum start_way *ret_way);
/* "auto", "kexec", "reset". */
const char *start_policy_name(enum start_policy policy);
int start_policy_parse(const char *text, enum start_policy *ret_policy);

/* For the store and for people. A new reference, NULL when out of memory. */
json_t *starts_format(const struct starts *starts);
/* The inverse; an empty object is a node of which nothing is known. 0 or -EINVAL. */
int starts_parse(const json_t *object, struct starts *ret_starts);

#endif
