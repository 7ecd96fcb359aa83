/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/install.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "provisioner/install-private.h"

#define FRAME_SIZE_MOST (64u << 10)

/* ------------------------------------------------------------------ for the other parts */
static void show_locked(struct installer *in)
{
	if (in->progress != NULL)
		in->progress->show(in->progress->context, in->phase, in->done < in->total ? in->done : in->total, in->total);
}

void show(struct installer *in, enum install_phase phase, uint64_t done, uint64_t total)
{
	pthread_mutex_lock(&in->lock);
	in->phase = phase;
	in->done = done;
	in->total = total;
	show_locked(in);
	pthread_mutex_unlock(&in->lock);
}

/* Of two things that go on at once, one is shown. */
void show_more(struct installer *in, enum install_phase phase, uint64_t more)
{
	pthread_mutex_lock(&in->lock);
	if (phase == in->phase) {
		in->done += more;
		show_locked(in);
	}
	pthread_mutex_unlock(&in->lock);
}

void fail_install(struct installer *in, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	pthread_mutex_lock(&in->lock);
	if (in->failed == 0) {
		in->failed = error;
		vsnprintf(in->failure, sizeof(in->failure), format, arguments);
	}
	pthread_mutex_unlock(&in->lock);
	va_end(arguments);
}

int failed(struct installer *in)
{
	int r;

	pthread_mutex_lock(&in->lock);
	r = in->failed;
	pthread_mutex_unlock(&in->lock);
	return r;
}

/* ------------------------------------------------------------------ levels */
static uint64_t level_first(const struct installer *in, int level)
{
	return level == LEVEL_DATA ? 0 : in->layout.level_start[level];
}

static uint64_t level_count(const struct installer *in, int level)
{
	return level == LEVEL_DATA ? in->layout.data_blocks : in->layout.level_blocks[level];
}

/* What a patch brought with its leaves was found in the slot just now, and yet it was fetched. */
static void count_early(struct installer *in)
{
	uint64_t early = in->patch.early < in->result->kept ? in->patch.early : in->result->kept;

	in->result->kept -= early;
	in->result->fetched += early;
}

/* Of a slot that was complete: somebody or something changed these. */
static void note_changed(struct installer *in)
{
	struct install_result *result = in->result;

	for (uint32_t entry = 0; entry < in->plan.blocks; entry++) {
		struct block_range *last = &result->changed[result->changed_count - (result->changed_count > 0 ? 1 : 0)];
		uint32_t block = in->plan.first + entry;

		if (plan_get(&in->plan, entry) == PLAN_KEEP)
			continue;
		if (result->changed_count > 0 && last->last + 1 == block)
			last->last = block;
		else if (result->changed_count < INSTALL_RANGES_MOST)
			result->changed[result->changed_count++] = (struct block_range){ block, block };
		else
			return;
	}
}

static int make_level(struct installer *in, int level)
{
	int r = plan_init(&in->plan, level_first(in, level), level_count(in, level));

	if (r < 0)
		return sentence(in->error, r, "out of memory for the plan of %s", in->path);
	in->level = level;
	check_target(in);
	if (level == LEVEL_DATA)
		count_early(in);
	if (in->options->complete)
		note_changed(in);
	r = failed(in);
	if (r == 0 && plan_count(&in->plan, PLAN_FETCH) > 0)
		r = fetch_level(in);
	if (failed(in) < 0) {
		in->result->slot_failed = true;
		r = sentence(in->error, failed(in), "%s", in->failure);
	}
	plan_release(&in->plan);
	return r;
}

/* The superblock isn't covered by the root hash, so the one that is written is made here from signed values. */
static int write_superblock(struct installer *in)
{
	uint8_t have[VERITY_BLOCK], block[VERITY_BLOCK] = { 0 };
	uint64_t offset = in->want->data_blocks * BLOCK;
	int r;

	verity_superblock_format(in->want->data_blocks, in->want->uuid, in->want->salt, in->want->salt_size, block);
	if (read_full_at(in->target->fd, have, BLOCK, offset) == 0 && memcmp(have, block, BLOCK) == 0)
		return 0;
	r = write_full_at(in->target->fd, block, BLOCK, offset);
	if (r == 0)
		return 0;
	in->result->slot_failed = true;
	return sentence(in->error, r, "slot %s can't be written at byte %" PRIu64 ": %s", in->target->name, offset, strerror(-r));
}

static int sync_target(struct installer *in)
{
	show(in, INSTALL_SYNC, 0, 0);
	if (fdatasync(in->target->fd) == 0)
		return 0;
	in->result->slot_failed = true;
	return sentence(in->error, -errno, "slot %s can't be written: %s", in->target->name, strerror(errno));
}

static int make_levels(struct installer *in)
{
	int r = 0;

	show(in, INSTALL_TREE, 0, in->layout.tree_blocks * BLOCK);
	for (int level = (int)in->layout.levels - 1; r == 0 && level >= 0; level--)
		r = make_level(in, level);
	if (r == 0)
		r = write_superblock(in);
	/* The tree is on the disk before any data: by it a later boot knows what a power cut left of them, and that there is something
	 * (never_written). */
	if (r == 0 && in->result->kept < in->layout.tree_blocks)
		r = sync_target(in);
	if (r < 0)
		return r;
	if (in->options->complete && in->options->lazy) {
		in->result->kept += in->layout.data_blocks;
		return 0;
	}
	show(in, INSTALL_CHECK, 0, in->layout.data_blocks * BLOCK);
	return make_level(in, LEVEL_DATA);
}

/* A sector that couldn't be read has been written, and most disks then put another one in its place. Those that don't would
 * fail under the running system. Reads the slot again, from the disk and not from memory. */
static int read_again(struct installer *in)
{
	struct install_result counted = *in->result;
	int r = 0;

	posix_fadvise(in->target->fd, 0, (off_t)in->want->image_size, POSIX_FADV_DONTNEED);
	for (int level = (int)in->layout.levels - 1; r == 0 && level >= LEVEL_DATA; level--) {
		r = plan_init(&in->plan, level_first(in, level), level_count(in, level));
		if (r < 0)
			return sentence(in->error, r, "out of memory for the plan of %s", in->path);
		in->level = level;
		check_target(in);
		r = failed(in);
		if (r == 0 && plan_count(&in->plan, PLAN_FETCH) > 0)
			r = -EIO;
		plan_release(&in->plan);
	}
	*in->result = counted;
	in->result->slot_failed = r < 0;
	return r < 0 ? sentence(in->error, r, "slot %s has sectors that can't be read, even after they were written: replace the disk",
				in->target->name) : 0;
}

/* ------------------------------------------------------------------ the story */
static int check_sizes(struct installer *in)
{
	const struct image_description *want = in->want;
	char need[16], have[16];

	if (want->image_size > in->target->size)
		return sentence(in->error, -EFBIG,
				"%s needs %s but slot %s has %s: assign a smaller image, or build with larger slots "
				"(make menuconfig) and repave assign --wipe",
				in->path, format_size(want->image_size, need), in->target->name,
				format_size(in->target->size, have));
	if (verity_layout_init(&in->layout, want->data_blocks) < 0 ||
	    in->layout.image_blocks * BLOCK != want->image_size || want->frame_size % VERITY_BLOCK != 0 ||
	    want->frame_size == 0 || want->frame_size > FRAME_SIZE_MOST)
		return sentence(in->error, -EINVAL, "%s: sizes in its description don't agree", in->path);
	if (in->layout.image_blocks > PLAN_BLOCKS_MOST)
		return sentence(in->error, -EFBIG, "%s needs %s, and no image may have more than 16 TiB: make a smaller one", in->path,
				format_size(want->image_size, need));
	return 0;
}

static int workers_init(struct installer *in)
{
	in->pool = pool_new(in->options->threads);
	if (in->pool == NULL)
		return -ENOMEM;
	in->workers = calloc(pool_threads(in->pool) + 1, sizeof(*in->workers));
	if (in->workers == NULL)
		return -ENOMEM;
	in->patch_worker = &in->workers[pool_threads(in->pool)];
	for (unsigned i = 0; i <= pool_threads(in->pool); i++) {
		struct worker *worker = &in->workers[i];

		worker->data = malloc(CHUNK_BLOCKS * BLOCK);
		worker->leaves = malloc((CHUNK_BLOCKS / VERITY_FANOUT + 1) * BLOCK);
		worker->decoder = frame_decoder_new();
		if (worker->data == NULL || worker->leaves == NULL || worker->decoder == NULL)
			return -ENOMEM;
	}
	return 0;
}

static void workers_release(struct installer *in)
{
	for (unsigned i = 0; in->workers != NULL && i <= pool_threads(in->pool); i++) {
		frame_decoder_free(in->workers[i].decoder);
		free(in->workers[i].leaves);
		free(in->workers[i].data);
	}
	free(in->workers);
	pool_free(in->pool);
}

static int installer_init(struct installer *in)
{
	int r = check_sizes(in);

	if (r < 0)
		return r;
	verity_hasher_init(&in->hasher, in->want->salt, in->want->salt_size);
	in->upper = malloc((in->layout.tree_blocks - in->layout.level_blocks[0] + 1) * BLOCK);
	in->result->blocks = in->want->data_blocks + in->layout.tree_blocks;
	if (in->upper == NULL || workers_init(in) < 0 || batches_init(in) < 0)
		return sentence(in->error, -ENOMEM, "out of memory to install %s", in->path);
	return 0;
}

static void installer_release(struct installer *in)
{
	workers_release(in);
	batches_release(in);
	patch_release(&in->patch);
	if (in->have_table)
		seek_table_release(&in->table);
	free(in->upper);
	pthread_cond_destroy(&in->batch_free);
	pthread_mutex_destroy(&in->lock);
}

int install_image(const struct verified_image *image, const struct slot *target, const struct slot *donor,
		  const struct install_options *options, const struct wire_source *source,
		  const struct install_progress *progress, struct install_result *ret_result, char ret_error[SENTENCE])
{
	struct installer in = { .want = verified_image_description(image), .path = verified_image_path(image),
				.target = target, .donor = donor, .options = options, .source = source, .progress = progress,
				.result = ret_result, .error = ret_error };
	int r;

	*ret_result = (struct install_result){ 0 };
	pthread_mutex_init(&in.lock, NULL);
	pthread_cond_init(&in.batch_free, NULL);
	r = installer_init(&in);
	if (r == 0)
		r = make_levels(&in);
	if (r == 0)
		r = sync_target(&in);
	if (r == 0 && in.unreadable > 0)
		r = read_again(&in);
	if (options->complete)
		ret_result->repaired = ret_result->copied + ret_result->fetched;
	installer_release(&in);
	return r;
}

const char *install_changed_format(const struct install_result *result, char text[CHANGED_TEXT])
{
	size_t used = 0;
	unsigned i;

	text[0] = '\0';
	for (i = 0; i < result->changed_count && used + 48 < CHANGED_TEXT; i++) {
		const struct block_range *range = &result->changed[i];

		used += (size_t)snprintf(text + used, CHANGED_TEXT - used, "%s%" PRIu32, i > 0 ? ", " : "", range->first);
		if (range->last > range->first)
			used += (size_t)snprintf(text + used, CHANGED_TEXT - used, "-%" PRIu32, range->last);
	}
	if (i < result->changed_count || i == INSTALL_RANGES_MOST)
		snprintf(text + used, CHANGED_TEXT - used, " and more");
	return text;
}

/* The block at the top of the tree says which image a slot has, or is becoming. */
static bool has_top(const struct image_description *want, const struct verity_layout *layout, const struct slot *slot)
{
	uint8_t top[VERITY_BLOCK], digest[VERITY_DIGEST];

	if (slot->size < want->image_size || read_full_at(slot->fd, top, BLOCK, layout->tree_start * BLOCK) < 0)
		return false;
	verity_digest(want->salt, want->salt_size, top, digest);
	return memcmp(digest, want->root_hash, VERITY_DIGEST) == 0;
}

unsigned install_choose(const struct verified_image *image, const struct slot *slots, int good, int recorded)
{
	const struct image_description *want = verified_image_description(image);
	struct verity_layout layout;
	unsigned other = good == 0 ? 1 : 0;

	if (verity_layout_init(&layout, want->data_blocks) < 0)
		return other;
	/* Both may hold it after a cut: the good one is the complete one. */
	if (good >= 0 && has_top(want, &layout, &slots[good]))
		return (unsigned)good;
	/* A slot whose top is damaged is still the one to repair. */
	if (recorded >= 0 && !has_top(want, &layout, &slots[1 - recorded]))
		return (unsigned)recorded;
	if (!has_top(want, &layout, &slots[other]) && good < 0 && has_top(want, &layout, &slots[1]))
		return 1;
	return other;
}
