/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "common/file.h"
#include "provisioner/donor.h"
#include "provisioner/install-private.h"

#define UNREADABLE_MOST 65u /* a dying disk takes half a minute for each */

/* ------------------------------------------------------------------ digests */
/* A digest in the tree levels above the leaves: of block `index` of `level`. */
static const uint8_t *digest_above(const struct installer *in, int level, uint64_t index)
{
	if (level == (int)in->layout.levels - 1)
		return in->want->root_hash;
	return in->upper + (in->layout.level_start[level + 1] - in->layout.tree_start) * BLOCK + index * VERITY_DIGEST;
}

/* The leaves lie in the slot only, so they are checked again on each use: up to 1 digest for 128 blocks. */
static const uint8_t *read_leaves(struct installer *in, struct worker *worker, uint32_t entry, uint32_t count)
{
	uint64_t first = entry / VERITY_FANOUT, last = (entry + count - 1) / VERITY_FANOUT;
	size_t n = (size_t)(last - first + 1);
	uint8_t digests[(CHUNK_BLOCKS / VERITY_FANOUT + 1) * VERITY_DIGEST];
	int r = read_full_at(in->target->fd, worker->leaves, n * BLOCK, (in->layout.level_start[0] + first) * BLOCK);

	if (r == 0) {
		verity_digests(&in->hasher, worker->leaves, n, digests);
		if (memcmp(digests, digest_above(in, 0, first), n * VERITY_DIGEST) != 0)
			r = -EIO;
	}
	if (r == 0)
		return worker->leaves + entry % VERITY_FANOUT * VERITY_DIGEST;
	fail_install(in, r, "slot %s doesn't give back what was written to it at byte %" PRIu64 ": replace the disk",
		     in->target->name, (uint64_t)(in->layout.level_start[0] + first) * BLOCK);
	return NULL;
}

const uint8_t *wanted_digests(struct installer *in, struct worker *worker, uint32_t entry, uint32_t count)
{
	return in->level == LEVEL_DATA ? read_leaves(in, worker, entry, count) : digest_above(in, in->level, entry);
}

/* ------------------------------------------------------------------ writing */
static bool still_wanted(const struct installer *in, uint32_t entry, bool copies)
{
	uint32_t what = plan_get(&in->plan, entry);

	return what == PLAN_FETCH || (copies && what < PLAN_FETCH);
}

static bool write_blocks(struct installer *in, uint32_t entry, uint32_t count, const uint8_t *data)
{
	uint64_t offset = (uint64_t)(in->plan.first + entry) * BLOCK;
	int r = write_full_at(in->target->fd, data, count * BLOCK, offset);

	if (r < 0) {
		fail_install(in, r, "slot %s can't be written at byte %" PRIu64 ": %s", in->target->name, offset, strerror(-r));
		return false;
	}
	/* The disk begins now and not when all has come; that it ended well is for fdatasync to say. */
	sync_file_range(in->target->fd, (off_t)offset, (off_t)(count * BLOCK), SYNC_FILE_RANGE_WRITE);
	if (in->level > 0)
		memcpy(in->upper + offset - in->layout.tree_start * BLOCK, data, count * BLOCK);
	for (uint32_t i = 0; i < count; i++)
		plan_set(&in->plan, entry + i, PLAN_KEEP);
	return true;
}

uint32_t write_matching(struct installer *in, struct worker *worker, uint32_t entry, uint32_t count, const uint8_t *data,
			bool copies)
{
	const uint8_t *wanted = NULL;
	uint32_t written = 0;

	for (uint32_t i = 0; i < count;) {
		uint32_t end = i, good;

		while (end < count && still_wanted(in, entry + end, copies))
			end++;
		if (end > i && wanted == NULL && (wanted = wanted_digests(in, worker, entry, count)) == NULL)
			return 0;
		if (end > i)
			verity_digests(&in->hasher, data + i * BLOCK, end - i, worker->digests + i * VERITY_DIGEST);
		for (; i < end; i += good + 1) {
			good = 0;
			while (i + good < end && memcmp(worker->digests + (i + good) * VERITY_DIGEST,
							wanted + (i + good) * VERITY_DIGEST, VERITY_DIGEST) == 0)
				good++;
			if (good > 0 && !write_blocks(in, entry + i, good, data + i * BLOCK))
				return 0;
			written += good;
		}
		i = end + 1;
	}
	return written;
}

/* ------------------------------------------------------------------ what the target has */
/* musl's memcmp goes byte by byte, and most of a new disk passes here. `block` is aligned: it begins a worker's block. */
static bool is_zero(const uint8_t *block)
{
	const uint64_t *words = (const void *)block;
	uint64_t any = 0;

	for (size_t i = 0; i < BLOCK / sizeof(*words) && any == 0; i += 8)
		any = words[i] | words[i + 1] | words[i + 2] | words[i + 3] | words[i + 4] | words[i + 5] | words[i + 6] |
		      words[i + 7];
	return any == 0;
}

/* Marks those of `count` blocks in worker->data that match. A new disk is all zero: that is seen many times faster than hashed. */
static uint32_t check_chunk(struct installer *in, struct worker *worker, uint32_t entry, uint32_t count, const uint8_t zero[32])
{
	const uint8_t *wanted = wanted_digests(in, worker, entry, count);
	uint32_t kept = 0;

	for (uint32_t i = 0; wanted != NULL && i < count;) {
		uint32_t end = i;

		while (end < count && !is_zero(worker->data + end * BLOCK))
			end++;
		verity_digests(&in->hasher, worker->data + i * BLOCK, end - i, worker->digests + i * VERITY_DIGEST);
		if (end < count)
			memcpy(worker->digests + end * VERITY_DIGEST, zero, VERITY_DIGEST);
		for (; i < count && i <= end; i++) {
			if (memcmp(worker->digests + i * VERITY_DIGEST, wanted + i * VERITY_DIGEST, VERITY_DIGEST) != 0)
				continue;
			plan_set(&in->plan, entry + i, PLAN_KEEP);
			kept++;
		}
	}
	if (kept > 0 && in->level > 0)
		for (uint32_t i = 0; i < count; i++)
			if (plan_get(&in->plan, entry + i) == PLAN_KEEP)
				memcpy(in->upper + (in->plan.first + entry + i - in->layout.tree_start) * BLOCK,
				       worker->data + i * BLOCK, BLOCK);
	return kept;
}

/* One bad sector doesn't spoil its neighbours. */
static uint32_t check_singly(struct installer *in, struct worker *worker, uint32_t entry, uint32_t count, const uint8_t zero[32])
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (read_full_at(in->target->fd, worker->data, BLOCK, (uint64_t)(in->plan.first + entry + i) * BLOCK) == 0)
			kept += check_chunk(in, worker, entry + i, 1, zero);
		else if (__atomic_add_fetch(&in->unreadable, 1, __ATOMIC_RELAXED) == UNREADABLE_MOST)
			fail_install(in, -EIO, "slot %s has more than %u blocks that can't be read: replace the disk", in->target->name,
				     UNREADABLE_MOST - 1);
		if (failed(in) < 0)
			break;
	}
	return kept;
}

/* Each thread takes the next chunk, so that the disk is read from front to back. */
static void check_job(void *context, unsigned number)
{
	static const uint8_t zeros[VERITY_BLOCK];
	struct installer *in = context;
	struct worker *worker = &in->workers[number];
	uint8_t zero[VERITY_DIGEST];

	verity_digests(&in->hasher, zeros, 1, zero);
	for (;;) {
		uint32_t entry, count, kept = 0;

		pthread_mutex_lock(&in->lock);
		entry = (uint32_t)in->checked_from;
		count = in->plan.blocks - entry < CHUNK_BLOCKS ? in->plan.blocks - entry : CHUNK_BLOCKS;
		in->checked_from += count;
		pthread_mutex_unlock(&in->lock);
		if (count == 0 || failed(in) < 0)
			return;
		/* What can't be read is fetched; whether it can be written shows then. */
		if (read_full_at(in->target->fd, worker->data, count * BLOCK, (uint64_t)(in->plan.first + entry) * BLOCK) == 0)
			kept = check_chunk(in, worker, entry, count, zero);
		else
			kept = check_singly(in, worker, entry, count, zero);
		pthread_mutex_lock(&in->lock);
		in->result->kept += kept;
		pthread_mutex_unlock(&in->lock);
		show_more(in, in->level == LEVEL_DATA ? INSTALL_CHECK : INSTALL_TREE, count * BLOCK);
	}
}

/* An installation begins with the tree, and a finished one begins as a squashfs: a slot with neither needn't be read, which takes
 * long on a large new disk. */
static bool never_written(const struct installer *in)
{
	uint8_t first[VERITY_BLOCK];
	uint64_t data_blocks;

	return in->result->kept == 0 && in->patch.early == 0 && read_full_at(in->target->fd, first, BLOCK, 0) == 0 &&
	       donor_data_blocks(first, in->target->size, &data_blocks) < 0;
}

void check_target(struct installer *in)
{
	if (in->level == LEVEL_DATA && never_written(in)) {
		show_more(in, INSTALL_CHECK, in->layout.data_blocks * BLOCK);
		return;
	}
	in->checked_from = 0;
	posix_fadvise(in->target->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	for (unsigned i = 0; i < pool_threads(in->pool); i++)
		pool_add(in->pool, check_job, in);
	pool_drain(in->pool);
}

/* ------------------------------------------------------------------ what the donor has */
/* One bad sector costs what its block is about, and not its neighbours. */
static void add_digests(const struct donor *donor, int level, uint64_t at, uint32_t count, uint8_t *room, struct plan_index *index)
{
	uint32_t block = (uint32_t)(donor_level_first(donor, level) + at);

	if (donor_digests(donor, level, at, count, room) == 0) {
		plan_index_add(index, room, count, block);
		return;
	}
	for (uint32_t i = 0, n; i < count; i += n) {
		n = count - i < VERITY_FANOUT ? count - i : VERITY_FANOUT;
		if (donor_digests(donor, level, at + i, n, room) == 0)
			plan_index_add(index, room, n, block + i);
	}
}

int find_copies(struct installer *in)
{
	struct worker *worker = &in->workers[0]; /* the pool rests */
	struct donor donor;
	struct plan_index index;
	int r;

	/* Nothing usable there: everything is fetched. */
	if (in->donor == NULL ||
	    donor_open(&donor, in->donor->fd, in->donor->size, in->want->salt, in->want->salt_size) < 0)
		return 0;
	if (in->level + 1 >= (int)donor.layout.levels) {
		/* The digest of its top lies nowhere: it may be ours, when the other slot has the same image. */
		if (in->level + 1 == (int)donor.layout.levels && in->plan.blocks == 1 && plan_get(&in->plan, 0) == PLAN_FETCH)
			plan_set(&in->plan, 0, (uint32_t)donor_level_first(&donor, in->level));
		return 0;
	}
	r = plan_index_init(&index, donor_level_blocks(&donor, in->level));
	if (r < 0)
		return r;
	for (uint64_t at = 0; at < index.room; at += CHUNK_BLOCKS * (uint64_t)VERITY_FANOUT) {
		uint64_t left = index.room - at;
		uint32_t count = left < CHUNK_BLOCKS * VERITY_FANOUT ? (uint32_t)left : CHUNK_BLOCKS * VERITY_FANOUT;

		add_digests(&donor, in->level, at, count, worker->data, &index);
	}
	plan_index_sort(&index);
	for (uint32_t entry = 0; entry < in->plan.blocks && r == 0; entry += CHUNK_BLOCKS) {
		uint32_t left = in->plan.blocks - entry, count = left < CHUNK_BLOCKS ? left : CHUNK_BLOCKS;
		const uint8_t *wanted = wanted_digests(in, worker, entry, count);

		if (wanted == NULL)
			r = failed(in);
		else
			plan_copies(&in->plan, entry, count, wanted, &index);
	}
	plan_index_release(&index);
	return r;
}

static uint32_t copy_singly(struct installer *in, struct worker *worker, const struct plan_copy *copy)
{
	uint32_t written = 0;

	for (uint32_t i = 0; i < copy->count; i++)
		if (read_full_at(in->donor->fd, worker->data, BLOCK, (uint64_t)(copy->from + i) * BLOCK) == 0)
			written += write_matching(in, worker, copy->entry + i, 1, worker->data, true);
	return written;
}

void copy_job(void *context, unsigned number)
{
	struct installer *in = context;
	struct worker *worker = &in->workers[number];
	struct plan_copy copy = { 0 };

	while (failed(in) == 0 && plan_next_copy(&in->plan, copy.entry + copy.count, CHUNK_BLOCKS, &copy)) {
		uint32_t written = 0;

		/* The donor's own digests are only its word: what doesn't match, or can't be read, is fetched. */
		if (read_full_at(in->donor->fd, worker->data, copy.count * BLOCK, (uint64_t)copy.from * BLOCK) == 0)
			written = write_matching(in, worker, copy.entry, copy.count, worker->data, true);
		else
			written = copy_singly(in, worker, &copy);
		pthread_mutex_lock(&in->lock);
		in->result->copied += written;
		pthread_mutex_unlock(&in->lock);
		show_more(in, INSTALL_COPY, copy.count * BLOCK);
	}
}
