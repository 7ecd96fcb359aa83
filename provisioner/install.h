/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Make this slot equal to this tree": idempotent, so it installs, updates, resumes and repairs.
 *
 * Order: the tree (checked to the signed root hash) | every data block the slot has, checked | copies out of the
 * other slot | frames from the network. A block is written only after its digest equals its leaf in the checked tree.
 * The tree is written before the data: what the slot holds is checked anew at each boot, and so a cut
 * costs only the blocks in flight. */
#ifndef PROVISIONER_INSTALL_H
#define PROVISIONER_INSTALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/http.h"
#include "provisioner/sentence.h"
#include "signing/verified.h"

struct slot {
	int fd;            /* of the partition; owned by the caller */
	uint64_t size;     /* bytes */
	const char *name;  /* "C0" */
};

/* Where the wire file comes from; untrusted. */
struct wire_source {
	/* Passes bytes [offset, offset + size) of the wire file to `sink` in order. 0; -ENOENT when there is no such
	 * file; otherwise -errno, after which it may be asked again. */
	int (*read)(void *context, uint64_t offset, uint64_t size, http_sink sink, void *sink_context);
	/* Cause of the last error in a sentence. */
	const char *(*error)(void *context);
	/* Waits before try number `next_try` (2, 3, …); may be NULL. */
	void (*pause)(void *context, unsigned next_try);
	void *context;
};

enum install_phase { INSTALL_TREE, INSTALL_CHECK, INSTALL_COPY, INSTALL_FETCH, INSTALL_SYNC };

/* Called often; `done` and `total` in bytes of that phase. */
struct install_progress {
	void (*show)(void *context, enum install_phase phase, uint64_t done, uint64_t total);
	void *context;
};

/* Counts are of data blocks and tree blocks (the superblock is made here, from signed values). */
struct install_result {
	uint64_t blocks;
	uint64_t kept;
	uint64_t copied;
	uint64_t fetched;
	uint64_t wire_bytes;
};

/* Which of the two `slots` to make equal to the image: the one that already holds its tree, else the one
 * that isn't `good` (-1: neither is known to be good). Returns 0 or 1. */
unsigned install_choose(const struct verified_image *image, const struct slot *slots, int good);

/* `donor` (may be NULL) is only read. 0; -EFBIG: the image doesn't fit; -EBADMSG: the server's bytes aren't what was signed, and
 * they were refused; -ENOENT, -EIO, -ENOMEM or an error of the network. `ret_error` says it in a sentence. */
int install_image(const struct verified_image *image, const struct slot *target, const struct slot *donor,
		  const struct wire_source *source, const struct install_progress *progress,
		  struct install_result *ret_result, char ret_error[SENTENCE]);

#endif
