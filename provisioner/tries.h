/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What STATE remembers of starts: what runs, how often the assigned system was tried without becoming healthy, and which
 * pair of slots was healthy last. Pure; docs/protocol.md draws the members. Like all of STATE it is no evidence: whatever it
 * names is looked up in signed metadata before it boots. */
#ifndef PROVISIONER_TRIES_H
#define PROVISIONER_TRIES_H

#include <stdbool.h>
#include <stdint.h>

#include "provisioner/assignment.h"
#include "provisioner/cmdline.h"
#include "provisioner/state.h"

/* An OS and its application, in the slots where they lie. Empty `root` in `d`: no application. */
struct system_pair {
	struct system_part {
		char slot[3];            /* "C0" */
		char root[65];           /* verity root hash */
		char target[TARGET_MOST + 1]; /* target path */
	} c, d;
};

/* Same images, in whatever slots. */
bool pair_equal(const struct system_pair *a, const struct system_pair *b);

/* How often this assignment's pair was started since it was last healthy, by STATE alone. */
unsigned tries_count(const struct state *state, uint64_t assignment, const struct system_pair *pair);
/* The same as far as it is to be believed: the control unit has seen `seen` starts of the assignment, and root of the running OS
 * can plant others in STATE to keep an update from booting. */
unsigned tries_believed(const struct state *state, uint64_t assignment, const struct system_pair *pair, uint64_t seen);
/* Notes that `pair` starts now: one more try when it is what was assigned, none for a last good one. Not stored yet.
 * 0 or -ENOMEM. */
int tries_begin(struct state *state, uint64_t assignment, const struct system_pair *pair, bool assigned);
/* The running system (its root hashes, `d_root` "" without an application) is healthy: it becomes the last good pair, and its
 * tries are forgotten. Not stored yet. 0; -ESTALE when STATE knows of another start; -ENOMEM. */
int tries_healthy(struct state *state, const char *c_root, const char *d_root);
/* The pair that was healthy last. False when there is none. */
bool tries_last_good(const struct state *state, struct system_pair *ret_pair);

/* Notes the start that comes next, so that stage 1 can look for its mark (mark.h) afterwards; with `marked` false the image's stage
 * 2 leaves none, and nothing will be known of this start. Not stored yet. 0 or -ENOMEM. */
int tries_note_start(struct state *state, const char *nonce, enum start_way way, bool marked);
/* The start that was noted last. False when there is none. */
bool tries_last_start(const struct state *state, char ret_nonce[33], enum start_way *ret_way);

/* Installs of an assignment that failed one after the other, in this run of stage 1. All 0 at first. */
struct failures {
	uint64_t assignment;
	unsigned count;
};

/* One more failed. Whether there were `most` of them by now. */
bool failures_add(struct failures *failures, uint64_t assignment, unsigned most);

/* An OS that stops in good order says so; a start forgets it, and so does an OS that runs on. After a panic, a power cut or a hang it is false: what lies in
 * the slots is then to be read in full, whatever the policy. Not stored yet. 0 or -ENOMEM. */
int tries_set_clean(struct state *state);
/* Whether it was clean: only then it needs to be stored. */
bool tries_set_unclean(struct state *state);
bool tries_was_clean(const struct state *state);

#endif
