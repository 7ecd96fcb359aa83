/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The STATE partition: two halves, each one record (drawn in docs/protocol.md). What it says is never trusted: TUF metadata
 * is checked again by signing/, and slots are checked against signed root hashes. It saves work, no more.
 *
 *   magic "REPAVEST" | sequence le64 | length le32 | 0 le32 | SHA-256 of the payload | payload (JSON) */
#ifndef PROVISIONER_STATE_H
#define PROVISIONER_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "signing/client.h"

#define STATE_HEADER 56u
#define STATE_PAYLOAD_MOST ((8u << 20) - STATE_HEADER) /* a record has half of 16 MiB, less the mark (mark.h) */

/* Roles of trusted metadata that are kept: the four top-level ones and some of accounts. */
#define STATE_ROLES_MOST 20u
/* Bytes of all links to the newest root together. They double at most when JSON stands in JSON: with root, timestamp and
 * snapshot at their bounds they always fit. */
#define STATE_ROOTS_MOST (1u << 20)

/* Pure. Parses one record. 0; -ENOENT when there is none (no magic); -EBADMSG when it is torn or not sound; -ENOMEM.
 * `ret_content` is a new reference. */
int state_record_parse(const uint8_t *data, size_t size, uint64_t *ret_sequence, json_t **ret_content);
/* Pure. Appends the record of `content`. 0; -EFBIG when it is too long, or there isn't memory for it; or -ENOMEM. */
int state_record_format(uint64_t sequence, const json_t *content, struct buffer *ret_record);

struct state {
	json_t *content;
	uint64_t sequence;
	int fd; /* -1: in RAM only */
	uint64_t half; /* bytes of one half */
	unsigned next; /* which half is written next */
	int error; /* of the last store of TUF metadata that failed, or 0 */
};

/* Empty, in RAM. 0 or -ENOMEM. The caller calls state_release. */
int state_init(struct state *ret_state);
void state_release(struct state *state);

/* Reads the valid record with the higher sequence number from the partition behind `fd` (`size` bytes), and keeps a
 * duplicate of `fd` for later stores. A partition with no valid record leaves the content as it is. 0 or -errno. */
int state_load(struct state *state, int fd, uint64_t size);
/* Writes the content to the older half and syncs it. In RAM: nothing to do. Where the record would be too
 * long, the metadata of delegated roles is left out, and then that of the targets role: they only save a download. The links
 * to the newest root are never left out: without them a revoked key counts again. 0 or -errno. */
int state_store(struct state *state);

/* Leaves of the content what is this server's own: identity, time, and the metadata that keeps time from being turned back. Not stored yet. */
void state_forget_account(struct state *state);
/* Writes the content, and zeros wherever else older records may lie in the partition; one sound record is there at any moment. In RAM: nothing to
 * do. 0 or -errno. */
int state_scrub(struct state *state);

/* Root hash recorded for a slot ("C0"), 64 digits, or NULL. */
const char *state_slot(const struct state *state, const char *slot);
/* Records (or, with NULL, forgets) what a slot holds. Not stored yet. */
int state_set_slot(struct state *state, const char *slot, const char *root_hash, const char *target);
/* The slot that the next install spares, for "c" or "d": the one that was healthy last, before that the one that was complete
 * last. 0, 1, or -1. */
int state_good(const struct state *state, const char *group);
int state_set_good(struct state *state, const char *group, const char *slot);

/* The place for trusted TUF metadata: delegated roles included, and the links to the newest root, of which the first
 * STATE_ROOTS_MOST bytes are kept. Valid as long as `state`. What can't be written stays in RAM, with `error` set: a bad
 * sector in STATE keeps no server from booting, and whoever can make one could as well empty STATE. */
struct tuf_store state_tuf_store(struct state *state);

#endif
