/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Make this slot equal to this tree": idempotent, so it installs, updates, resumes and repairs.
 *
 * Level by level, from the top of the tree down and the data last, and in each: what the slot has, checked | copies out of the
 * other slot | frames from the network. A block is written only after its digest equals the one in the level above, and
 * that one is checked up to the signed root hash. So only subtrees that differ are asked for; what the slot holds is its own
 * journal, and a cut costs only the blocks in flight.
 *
 * Memory doesn't grow with the image but for 4 bytes per block, 8 per block of the other slot while copies are looked for, and the seek
 * table: the leaves are read back from the slot, and checked, wherever they are needed. */
#ifndef PROVISIONER_INSTALL_H
#define PROVISIONER_INSTALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/http-mirrors.h"
#include "provisioner/sentence.h"
#include "signing/verified.h"

struct slot {
	int fd;            /* of the partition; owned by the caller */
	uint64_t size;     /* bytes */
	const char *name;  /* "C0" */
};

/* Where the wire file comes from; untrusted. */
struct wire_source {
	/* Fetches what `ranges` asks for, at most HTTP_RANGES_MOST at once. 0 when all came; -ENOENT when no server has such a file;
	 * otherwise the last -errno, after which it may be run again. */
	int (*run)(void *context, const struct http_ranges *ranges);
	/* From now on `run` is about the patch that leads from the image with this root hash to the one that is wanted; NULL: about the
	 * wire file again. `size` of the patch: 0 when it isn't known yet. May be NULL: there are no patches. 0 or -errno. */
	int (*patch)(void *context, const uint8_t *old_root, uint64_t size);
	/* This server sent bytes that aren't what was signed; others are to be preferred. May be NULL. */
	void (*blame)(void *context, unsigned server);
	/* Only this server is to be asked, or with -1 all again. May be NULL, when there is only one. */
	void (*only)(void *context, int server);
	/* Cause of the last error in a sentence. */
	const char *(*error)(void *context);
	/* Waits before try number `next_try` (2, 3, …); may be NULL. */
	void (*pause)(void *context, unsigned next_try);
	void *context;
	unsigned servers; /* how many there are; 0 counts as 1 */
};

enum install_phase { INSTALL_TREE, INSTALL_CHECK, INSTALL_COPY, INSTALL_FETCH, INSTALL_SYNC };

/* Called often, by any thread but never by two at once; `done` and `total` in bytes of that phase. */
struct install_progress {
	void (*show)(void *context, enum install_phase phase, uint64_t done, uint64_t total);
	void *context;
};

/* Counts are of data blocks and tree blocks (the superblock is made here, from signed values). */
#define INSTALL_RANGES_MOST 32u

struct block_range {
	uint32_t first, last; /* blocks of the image, the tree included */
};

struct install_result {
	uint64_t blocks;
	uint64_t kept;
	uint64_t copied;
	uint64_t fetched;
	uint64_t wire_bytes;
	uint64_t patch_bytes; /* of these, how many were of a patch */
	uint64_t repaired; /* of a slot that was complete: blocks that had changed and were made good */
	struct block_range changed[INSTALL_RANGES_MOST]; /* which ones; the first that were found, where they are more */
	unsigned changed_count;
	bool slot_failed;  /* it was the target slot that ended it: it can't be written, or doesn't give back what was */
};

/* What is known of the target slot, and what is to be done about it. */
struct install_options {
	bool complete;    /* the image was installed here before, to its end */
	bool lazy;        /* then the data aren't read: dm-verity checks them when they are used */
	unsigned threads; /* 0: one per CPU */
};

/* "512-527, 600" and, with more than fit, " and more". Returns `text`. */
#define CHANGED_TEXT 128u
const char *install_changed_format(const struct install_result *result, char text[CHANGED_TEXT]);

/* Which of the two `slots` to make equal to the image: the one that already holds its tree, or was `recorded` as complete with it (-1:
 * neither), else the one that isn't `good` (-1: neither is known to be good). Returns 0 or 1. */
unsigned install_choose(const struct verified_image *image, const struct slot *slots, int good, int recorded);

/* `donor` (may be NULL) is only read. 0; -EFBIG: the image doesn't fit; -EBADMSG: the server's bytes aren't what was signed, and
 * they were refused; -ENOENT, -EIO, -ENOMEM or an error of the network. `ret_error` says it in a sentence. */
int install_image(const struct verified_image *image, const struct slot *target, const struct slot *donor,
		  const struct install_options *options, const struct wire_source *source,
		  const struct install_progress *progress, struct install_result *ret_result, char ret_error[SENTENCE]);

#endif
