/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server passes from one account to another: what is ordered, what stage 1 says that it did, and the record of it. Pure.
 *
 *   ordered ── the node asks what to boot ──> began ── "sanitized" ──> cleared ── it asks after a reset ──> ended, with the record
 *
 * The keys of its H: are destroyed when it begins. Until it has ended the node gets no assignment. */
#ifndef CONTROL_SANITIZING_H
#define CONTROL_SANITIZING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "control/agent-status.h"
#include "control/groups.h"
#include "control/names.h"

#define SANITIZE_ORDER_SIZE 32u /* lower-case hexadecimal digits of 16 random bytes */
#define SANITIZE_REASON_MOST 200u

/* What stage 1 says of a disk. */
struct cleared_disk {
	char name[33];                  /* "" where it has none */
	uint64_t size;                  /* bytes of the disk */
	uint64_t cleared;               /* bytes that read as zero now */
	uint64_t discarded;             /* bytes of them that the disk was told to forget first, … */
	uint64_t erased;                /* … and to erase from its cells (BLKSECDISCARD) */
	bool offloaded;                 /* the disk makes zeros itself; else they were written */
};

struct cleared {
	char order[SANITIZE_ORDER_SIZE + 1];
	char boot_id[BOOT_ID_SIZE + 1];
	char memory[33];                /* "requested": the firmware was asked to clear it; "no firmware": it can't be */
	bool key_renewed;               /* the node's own key */
	char attestation[NONCE_SIZE + 1]; /* the session by which its TPM proved who says so; "" without; isn't stored */
	struct cleared_disk disk;
};

struct sanitizing {
	uint64_t id;                    /* 0: not stored yet */
	char node[NODE_ID_SIZE + 1];
	char order[SANITIZE_ORDER_SIZE + 1];
	char from[ACCOUNT_MOST + 1];    /* whose data it holds; "" for nobody's */
	char to[ACCOUNT_MOST + 1];      /* whose it will be; "" as long as that isn't known */
	char reason[SANITIZE_REASON_MOST + 1];
	int64_t ordered, began, cleared, ended; /* seconds since 1970; 0: not yet */
	uint64_t keys;                  /* that were destroyed */
	struct cleared done;            /* from `cleared` on */
	char memory_after[33];          /* by the firmware, after the reset: "cleared", "not cleared", "" when it doesn't say */
	bool memory_zeroed;             /* by stage 1's kernel when it started after the reset */
	bool proved;                    /* by its TPM: a stage 1 that is expected said that it cleared, and one asked after the reset */
};

/* Parses the body of "POST /v1/nodes/{id}/sanitized". 0; -EINVAL with a sentence; -ENOMEM. */
int cleared_parse(const void *body, size_t size, struct cleared *ret_cleared, char ret_error[ERROR_TEXT]);

/* A boot id of Linux: 36 hexadecimal digits and hyphens. */
bool boot_id_valid(const char *text);

/* As it is stored, `id` and `node` apart. A new reference, NULL when out of memory; 0 or -EINVAL. */
json_t *sanitizing_format(const struct sanitizing *sanitizing);
int sanitizing_read(const json_t *state, struct sanitizing *ret_sanitizing);

/* Adds the record of one that has ended, as it is signed; `made` is when, `name` the node's host name or NULL, `audit` the newest entry of the
 * audit log. 0 or -ENOMEM. */
int sanitizing_record(const struct sanitizing *sanitizing, const char *name, int64_t made, int64_t audit, struct buffer *ret_text);
/* As docs/openapi.yaml's Sanitizing. A new reference, NULL when out of memory. */
json_t *sanitizing_describe(const struct sanitizing *sanitizing);

#endif
