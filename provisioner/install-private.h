/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of an installation share: install.c (the story), slot-data.c (what slots hold), arrival.c (what the network brings). */
#ifndef PROVISIONER_INSTALL_PRIVATE_H
#define PROVISIONER_INSTALL_PRIVATE_H

#include <pthread.h>

#include "common/seekable.h"
#include "provisioner/frame.h"
#include "provisioner/install.h"
#include "provisioner/patch.h"
#include "provisioner/plan.h"
#include "provisioner/pool.h"
#include "signing/verity.h"

#define BLOCK ((size_t)VERITY_BLOCK)
#define CHUNK_BLOCKS 128u /* read, hash and write half a MiB at a time */
#define LEVEL_DATA (-1)   /* the level below the leaves */

/* Each thread has its own. */
struct worker {
	uint8_t *data;   /* CHUNK_BLOCKS blocks */
	uint8_t *leaves; /* tree blocks with the digests of CHUNK_BLOCKS blocks */
	uint8_t digests[CHUNK_BLOCKS * VERITY_DIGEST];
	struct frame_decoder *decoder;
};

struct installer {
	const struct image_description *want;
	const char *path; /* of the target, for messages */
	const struct slot *target;
	const struct slot *donor;
	const struct install_options *options;
	const struct wire_source *source;
	const struct install_progress *progress;
	struct verity_layout layout;
	struct verity_hasher hasher;
	uint8_t *upper;  /* all tree levels but the leaves, as they lie in the image; valid down to the current level */
	struct pool *pool;
	struct worker *workers;
	struct worker *patch_worker; /* of the thread that talks to the network */
	struct patch patch;
	char *error;     /* the caller's sentence; this thread's only */
	struct seek_table table;
	bool have_table;
	unsigned table_server; /* who sent it */
	uint8_t table_digest[SHA256_SIZE];
	bool doubt;      /* nothing matched: is it the table, or the frames? */
	uint8_t doubted_digest[SHA256_SIZE];
	unsigned doubted_server; /* who sent that table … */
	uint32_t suspects;       /* … and who the frames */
	struct batch *batches; /* those that are free */
	uint8_t *edge;   /* a frame that held more than its level, decoded */
	uint32_t edge_frame;

	/* The level that is being made. */
	int level;
	struct plan plan;

	/* Several threads: by `lock`. */
	pthread_mutex_t lock;
	pthread_cond_t batch_free;
	struct install_result *result;
	int failed;       /* an error that no server can mend, or 0 */
	char failure[SENTENCE];
	enum install_phase phase;
	uint64_t done, total; /* of what is shown */
	uint64_t good_blocks; /* accepted from the network in this round */
	bool bad;             /* of it something wasn't what was signed … */
	uint32_t bad_servers; /* … and a bit for each server that sent it */
	uint64_t checked_from; /* next block for check_target's threads */
	uint64_t unreadable;   /* blocks of the target that the disk didn't give */
};

static inline uint32_t blocks_per_frame(const struct installer *in)
{
	return in->want->frame_size / VERITY_BLOCK;
}

/* install.c */
void show(struct installer *in, enum install_phase phase, uint64_t done, uint64_t total);
void show_more(struct installer *in, enum install_phase phase, uint64_t more);
/* Notes the first error of the target slot, with its sentence: it ends the installation. */
void fail_install(struct installer *in, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
int failed(struct installer *in);

/* slot-data.c: the digests that entries [entry, entry + count) of the current level must have: count <= CHUNK_BLOCKS. NULL when the slot
 * no longer gives the leaves that were written to it; the installation failed then. */
const uint8_t *wanted_digests(struct installer *in, struct worker *worker, uint32_t entry, uint32_t count);
/* slot-data.c: writes those of `count` (<= CHUNK_BLOCKS) blocks that are still to be had (PLAN_FETCH, or with `copies` also to copy)
 * and match, as few writes as possible, and marks them PLAN_KEEP. Returns their number; 0 too when the installation failed. */
uint32_t write_matching(struct installer *in, struct worker *worker, uint32_t entry, uint32_t count, const uint8_t *data,
			bool copies);
/* slot-data.c: marks what the target has; with all threads. */
void check_target(struct installer *in);
/* slot-data.c: finds what the donor has. 0 or -ENOMEM. */
int find_copies(struct installer *in);
/* slot-data.c: a job for the pool: does all copies of the plan. */
void copy_job(void *installer, unsigned worker);

/* arrival.c: everything the plan still has to fetch, while the pool may be copying. 0 or -errno with a sentence. */
int fetch_level(struct installer *in);
/* arrival.c: the buffers for what arrives. 0 or -ENOMEM. */
int batches_init(struct installer *in);
void batches_release(struct installer *in);

#endif
