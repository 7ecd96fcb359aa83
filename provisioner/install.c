/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/install.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/seekable.h"
#include "provisioner/donor.h"
#include "provisioner/frame.h"
#include "provisioner/plan.h"
#include "signing/verity.h"

#define BLOCK ((size_t)VERITY_BLOCK)
#define CHUNK_BLOCKS 256u       /* read and write 1 MiB at a time */
#define RUN_MOST (4u << 20)     /* wire bytes per request */
#define BAD_TRIES 3u            /* for bytes that aren't what was signed */
#define NETWORK_TRIES 8u        /* in a row without any progress */

struct installer {
	const struct image_description *want;
	const char *path; /* of the target, for messages */
	const struct slot *target;
	const struct slot *donor;
	const struct wire_source *source;
	const struct install_progress *progress;
	struct install_result *result;
	char *error;
	struct verity_layout layout;
	uint8_t *tree;   /* after load_tree: checked to the root hash */
	uint8_t *chunk;  /* CHUNK_BLOCKS blocks, for whoever needs it just now */
	struct plan plan;
	struct seek_table table;
	bool have_table;
	struct frame_decoder *decoder;
	uint8_t *wire;   /* the compressed frame that is arriving */
	uint8_t *frame;  /* and what it decompresses to */
	uint64_t wire_done, wire_total;
};

static void show(const struct installer *in, enum install_phase phase, uint64_t done, uint64_t total)
{
	if (in->progress != NULL)
		in->progress->show(in->progress->context, phase, done, total);
}

static bool block_matches(const struct installer *in, uint64_t block, const uint8_t *data)
{
	uint8_t digest[VERITY_DIGEST];

	verity_digest(in->want->salt, in->want->salt_size, data, digest);
	return memcmp(digest, verity_tree_leaf(&in->layout, in->tree, block), VERITY_DIGEST) == 0;
}

static int slot_write(struct installer *in, const uint8_t *data, size_t size, uint64_t offset)
{
	int r = write_full_at(in->target->fd, data, size, offset);

	if (r < 0)
		return sentence(in->error, r, "slot %s can't be written at byte %" PRIu64 ": %s", in->target->name,
				offset, strerror(-r));
	return 0;
}

/* Writes those of `count` blocks that are still wanted and match their leaves, as few writes as possible, and marks them
 * as kept. `counter` is increased by their number. */
static int write_matching(struct installer *in, uint32_t first, uint32_t count, const uint8_t *data, uint64_t *counter)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t good = 0;
		int r;

		while (i + good < count && in->plan.source[first + i + good] == PLAN_FETCH &&
		       block_matches(in, first + i + good, data + (i + good) * BLOCK))
			good++;
		if (good == 0)
			continue;
		r = slot_write(in, data + i * BLOCK, good * BLOCK, (uint64_t)(first + i) * BLOCK);
		if (r < 0)
			return r;
		for (uint32_t k = 0; k < good; k++)
			in->plan.source[first + i + k] = PLAN_KEEP;
		*counter += good;
		i += good; /* and over the one that ended the run */
	}
	return 0;
}

/* ------------------------------------------------------------------ one range of the wire file */
/* Asks until the network gives it, or has failed NETWORK_TRIES times. Between tries the sink starts anew by `rewind`. */
struct request {
	uint64_t offset;
	uint64_t size;
	http_sink sink;
	void *sink_context;
	void (*rewind)(void *sink_context);
};

static int network_error(struct installer *in, int r)
{
	return sentence(in->error, r, "%s can't be fetched: %s", in->path, in->source->error(in->source->context));
}

static int request(struct installer *in, const struct request *ask)
{
	int r = 0;

	for (unsigned try = 1; try <= NETWORK_TRIES; try++) {
		if (try > 1 && in->source->pause != NULL)
			in->source->pause(in->source->context, try);
		ask->rewind(ask->sink_context);
		r = in->source->read(in->source->context, ask->offset, ask->size, ask->sink, ask->sink_context);
		if (r == 0 || r == -ENOENT)
			break;
	}
	return r < 0 ? network_error(in, r) : 0;
}

struct gather {
	struct installer *in;
	uint8_t *data;
	uint64_t size;
	uint64_t have;
};

static int gather_sink(void *context, const uint8_t *data, size_t size)
{
	struct gather *gather = context;

	if (size > gather->size - gather->have)
		return -EBADMSG;
	memcpy(gather->data + gather->have, data, size);
	gather->have += size;
	gather->in->result->wire_bytes += size;
	return 0;
}

static void gather_rewind(void *context)
{
	((struct gather *)context)->have = 0;
}

/* Fetches [offset, offset + size) into `ret_data`. */
static int fetch_whole(struct installer *in, uint64_t offset, uint64_t size, uint8_t *ret_data)
{
	struct gather gather = { .in = in, .data = ret_data, .size = size };
	struct request ask = { offset, size, gather_sink, &gather, gather_rewind };
	int r = request(in, &ask);

	if (r == 0 && gather.have != size)
		return sentence(in->error, -EBADMSG, "%s: the server sent %" PRIu64 " bytes of %" PRIu64, in->path,
				gather.have, size);
	return r;
}

/* ------------------------------------------------------------------ seek table */
static int table_check(const struct installer *in)
{
	uint64_t most = frame_wire_most(in->want->frame_size);

	for (uint32_t i = 0; i < in->table.frames; i++)
		if (in->table.starts[i + 1] - in->table.starts[i] > most)
			return -EINVAL;
	return 0;
}

/* The seek table is a hint of the server: numbers that don't fit what was signed are refused here, and wrong ones
 * lead to frames that don't match. */
static int load_table(struct installer *in)
{
	const struct image_description *want = in->want;
	size_t size = seekable_table_size(want->frames);
	uint8_t *data;
	int r = -EINVAL;

	if (in->have_table)
		return 0;
	if (size > want->wire_size)
		return sentence(in->error, -EBADMSG, "%s is shorter than its own seek table; refused", in->path);
	data = malloc(size);
	if (data == NULL)
		return sentence(in->error, -ENOMEM, "out of memory for the seek table of %s", in->path);
	for (unsigned try = 0; try < BAD_TRIES && r == -EINVAL; try++) {
		r = fetch_whole(in, want->wire_size - size, size, data);
		if (r < 0)
			goto out;
		r = seek_table_parse(data, size, want->wire_size, want->frames, want->frame_size, want->image_size,
				     &in->table);
		if (r == 0 && (r = table_check(in)) < 0)
			seek_table_release(&in->table);
	}
	if (r == -EINVAL)
		r = sentence(in->error, -EBADMSG, "%s: its seek table isn't the one that was signed for; refused", in->path);
	in->have_table = r == 0;
out:
	free(data);
	return r;
}

static uint32_t blocks_per_frame(const struct installer *in)
{
	return in->want->frame_size / VERITY_BLOCK;
}

static size_t frame_length(const struct installer *in, uint32_t frame)
{
	uint64_t start = (uint64_t)frame * in->want->frame_size;
	uint64_t left = in->want->image_size - start;

	return left < in->want->frame_size ? (size_t)left : in->want->frame_size;
}

/* ------------------------------------------------------------------ frames, as they arrive */
struct arrival {
	struct installer *in;
	struct plan_run run;
	uint32_t frame; /* the one that is arriving */
	size_t have;    /* wire bytes of it */
	int (*accept)(struct installer *in, uint32_t frame, const uint8_t *data, size_t size);
};

static int arrival_complete(struct arrival *arrival)
{
	struct installer *in = arrival->in;
	size_t length = frame_length(in, arrival->frame);
	int r = frame_decode(in->decoder, in->wire, arrival->have, in->frame, length);

	/* A frame that isn't sound is as good as one that didn't come: its blocks stay to be fetched. */
	if (r == 0)
		r = arrival->accept(in, arrival->frame, in->frame, length);
	else
		r = 0;
	arrival->frame++;
	arrival->have = 0;
	return r;
}

static int arrival_sink(void *context, const uint8_t *data, size_t size)
{
	struct arrival *arrival = context;
	struct installer *in = arrival->in;

	in->result->wire_bytes += size;
	while (size > 0) {
		uint64_t want;
		size_t take;
		int r;

		if (arrival->frame >= arrival->run.first + arrival->run.count)
			return -EBADMSG;
		want = in->table.starts[arrival->frame + 1] - in->table.starts[arrival->frame] - arrival->have;
		take = size < want ? size : (size_t)want;
		memcpy(in->wire + arrival->have, data, take);
		arrival->have += take;
		data += take;
		size -= take;
		if (take == want && (r = arrival_complete(arrival)) < 0)
			return r;
	}
	return 0;
}

/* ------------------------------------------------------------------ the tree */
static int tree_check(const struct installer *in, const uint8_t *tree)
{
	return verity_tree_check(&in->layout, in->want->salt, in->want->salt_size, in->want->root_hash, tree);
}

static int slot_tree(const struct image_description *want, const struct verity_layout *layout, const struct slot *slot,
		     uint8_t *tree)
{
	if (slot->size < want->image_size ||
	    read_full_at(slot->fd, tree, layout->tree_blocks * BLOCK, layout->tree_start * BLOCK) < 0)
		return -EIO;
	return verity_tree_check(layout, want->salt, want->salt_size, want->root_hash, tree);
}

static int accept_tree(struct installer *in, uint32_t frame, const uint8_t *data, size_t size)
{
	uint64_t start = (uint64_t)frame * in->want->frame_size, tree = in->layout.tree_start * BLOCK;
	size_t skip = start < tree ? (size_t)(tree - start) : 0;

	if (skip < size)
		memcpy(in->tree + (start + skip - tree), data + skip, size - skip);
	show(in, INSTALL_TREE, start + size - tree, in->layout.tree_blocks * BLOCK);
	return 0;
}

static void arrival_rewind(void *context)
{
	struct arrival *arrival = context;

	arrival->frame = arrival->run.first;
	arrival->have = 0;
}

/* The tree is the tail of the image. Nothing of it counts before all of it agrees with the root hash. */
static int fetch_tree(struct installer *in)
{
	uint32_t first = (uint32_t)(in->layout.tree_start / blocks_per_frame(in));
	struct arrival arrival = { .in = in, .accept = accept_tree };
	struct request ask = { .sink = arrival_sink, .sink_context = &arrival, .rewind = arrival_rewind };
	int r = load_table(in);

	if (r < 0)
		return r;
	arrival.run = (struct plan_run){ .first = first, .count = in->table.frames - first };
	ask.offset = in->table.starts[first];
	ask.size = in->table.starts[in->table.frames] - ask.offset;
	for (unsigned try = 0; try < BAD_TRIES; try++) {
		memset(in->tree, 0, in->layout.tree_blocks * BLOCK);
		r = request(in, &ask);
		if (r < 0)
			return r;
		if (tree_check(in, in->tree) == 0)
			return 0;
	}
	return sentence(in->error, -EBADMSG, "%s: the hash tree from the server doesn't lead to the signed root hash (%u tries); "
			"refused, nothing was written", in->path, BAD_TRIES);
}

/* The superblock isn't covered by the root hash, so the one that is written is made here from signed values. */
static int write_superblock(struct installer *in)
{
	uint8_t have[VERITY_BLOCK], block[VERITY_BLOCK] = { 0 };
	uint64_t offset = in->want->data_blocks * BLOCK;

	verity_superblock_format(in->want->data_blocks, in->want->uuid, in->want->salt, in->want->salt_size, block);
	if (read_full_at(in->target->fd, have, BLOCK, offset) == 0 && memcmp(have, block, BLOCK) == 0)
		return 0;
	return slot_write(in, block, BLOCK, offset);
}

static int load_tree(struct installer *in)
{
	int r;

	show(in, INSTALL_TREE, 0, in->layout.tree_blocks * BLOCK);
	if (slot_tree(in->want, &in->layout, in->target, in->tree) == 0) {
		in->result->kept += in->layout.tree_blocks;
		return write_superblock(in);
	}
	if (in->donor != NULL && slot_tree(in->want, &in->layout, in->donor, in->tree) == 0) {
		in->result->copied += in->layout.tree_blocks;
	} else {
		r = fetch_tree(in);
		if (r < 0)
			return r;
		in->result->fetched += in->layout.tree_blocks;
	}
	r = slot_write(in, in->tree, in->layout.tree_blocks * BLOCK, in->layout.tree_start * BLOCK);
	return r < 0 ? r : write_superblock(in);
}

/* ------------------------------------------------------------------ what the slots hold */
/* musl's memcmp goes byte by byte, and most of a new disk passes here. `block` is aligned: it lies in `chunk`. */
static bool is_zero(const uint8_t *block)
{
	const uint64_t *words = (const void *)block;
	uint64_t any = 0;

	for (size_t i = 0; i < BLOCK / sizeof(*words) && any == 0; i += 8)
		any = words[i] | words[i + 1] | words[i + 2] | words[i + 3] | words[i + 4] | words[i + 5] | words[i + 6] |
		      words[i + 7];
	return any == 0;
}

static int check_target(struct installer *in)
{
	static const uint8_t zeros[VERITY_BLOCK];
	uint8_t zero_digest[VERITY_DIGEST];
	uint64_t blocks = in->layout.data_blocks;

	verity_digest(in->want->salt, in->want->salt_size, zeros, zero_digest);
	for (uint64_t first = 0; first < blocks; first += CHUNK_BLOCKS) {
		uint64_t count = blocks - first < CHUNK_BLOCKS ? blocks - first : CHUNK_BLOCKS;

		/* What can't be read is fetched; whether it can be written shows then. */
		if (read_full_at(in->target->fd, in->chunk, count * BLOCK, first * BLOCK) < 0)
			continue;
		for (uint64_t i = 0; i < count; i++) {
			const uint8_t *leaf = verity_tree_leaf(&in->layout, in->tree, first + i);
			const uint8_t *data = in->chunk + i * BLOCK;
			/* A new disk is all zero: that is seen many times faster than hashed. */
			bool same = is_zero(data) ? memcmp(leaf, zero_digest, VERITY_DIGEST) == 0
						  : block_matches(in, first + i, data);
			if (same)
				in->plan.source[first + i] = PLAN_KEEP;
		}
		show(in, INSTALL_CHECK, (first + count) * BLOCK, blocks * BLOCK);
	}
	in->result->kept += plan_count(&in->plan, PLAN_KEEP);
	return 0;
}

/* Blocks that lie in a row in the donor and in the target, starting at `first`. */
static uint32_t copy_run(const struct plan *plan, uint32_t first)
{
	uint32_t count = 1;

	while (count < CHUNK_BLOCKS && first + count < plan->blocks && plan->source[first + count] < PLAN_FETCH &&
	       plan->source[first + count] == plan->source[first] + count)
		count++;
	return count;
}

static int copy_blocks(struct installer *in, uint32_t first, uint32_t count)
{
	uint64_t from = (uint64_t)in->plan.source[first] * BLOCK;

	for (uint32_t i = 0; i < count; i++)
		in->plan.source[first + i] = PLAN_FETCH;
	/* The donor's own leaves are only its word: what doesn't match, or can't be read, is fetched. */
	if (read_full_at(in->donor->fd, in->chunk, count * BLOCK, from) < 0)
		return 0;
	return write_matching(in, first, count, in->chunk, &in->result->copied);
}

static int copy_from_donor(struct installer *in)
{
	struct donor_leaves leaves;
	uint32_t total, done = 0;
	int r;

	if (in->donor == NULL || plan_count(&in->plan, PLAN_FETCH) == 0)
		return 0;
	if (donor_leaves_load(in->donor->fd, in->donor->size, in->want->salt, in->want->salt_size, &leaves) < 0)
		return 0; /* nothing usable there: everything is fetched */
	r = plan_copies(&in->plan, verity_tree_leaf(&in->layout, in->tree, 0), leaves.digests, leaves.count);
	donor_leaves_release(&leaves);
	if (r < 0)
		return sentence(in->error, r, "out of memory for the plan of %s", in->path);

	total = in->plan.blocks - plan_count(&in->plan, PLAN_KEEP) - plan_count(&in->plan, PLAN_FETCH);
	for (uint32_t i = 0; i < in->plan.blocks;) {
		uint32_t count = 1;

		if (in->plan.source[i] < PLAN_FETCH) {
			count = copy_run(&in->plan, i);
			r = copy_blocks(in, i, count);
			if (r < 0)
				return r;
			done += count;
			show(in, INSTALL_COPY, done * (uint64_t)BLOCK, total * (uint64_t)BLOCK);
		}
		i += count;
	}
	return 0;
}

/* ------------------------------------------------------------------ data from the network */
static int accept_data(struct installer *in, uint32_t frame, const uint8_t *data, size_t size)
{
	uint64_t first = (uint64_t)frame * blocks_per_frame(in), count = size / BLOCK;
	int r;

	if (count > in->plan.blocks - first)
		count = in->plan.blocks - first;
	r = write_matching(in, (uint32_t)first, (uint32_t)count, data, &in->result->fetched);
	in->wire_done += in->table.starts[frame + 1] - in->table.starts[frame];
	show(in, INSTALL_FETCH, in->wire_done < in->wire_total ? in->wire_done : in->wire_total, in->wire_total);
	return r;
}

/* Asks once for every frame that is still needed. -EAGAIN-like outcomes show in what is left in the plan. */
static int fetch_round(struct installer *in)
{
	struct arrival arrival = { .in = in, .accept = accept_data };
	uint32_t from = 0;

	while (plan_next_run(&in->plan, &in->table, blocks_per_frame(in), from, RUN_MOST, &arrival.run)) {
		int r;

		arrival_rewind(&arrival);
		r = in->source->read(in->source->context, arrival.run.offset, arrival.run.size, arrival_sink, &arrival);
		if (r < 0)
			return r;
		from = arrival.run.first + arrival.run.count;
	}
	return 0;
}

static int refused(struct installer *in)
{
	uint32_t block = 0;

	while (in->plan.source[block] != PLAN_FETCH)
		block++;
	return sentence(in->error, -EBADMSG,
			"%s: block %" PRIu32 " (frame %" PRIu32 ") from the server isn't what was signed (%u tries); refused, "
			"it was neither written nor booted: check the repository's copy",
			in->path, block, block / blocks_per_frame(in), BAD_TRIES);
}

static int fetch_data(struct installer *in)
{
	unsigned bad = 0, network = 0;
	uint32_t left = plan_count(&in->plan, PLAN_FETCH);
	int r;

	if (left == 0)
		return 0;
	r = load_table(in);
	if (r < 0)
		return r;
	in->wire_total = plan_wire_bytes(&in->plan, &in->table, blocks_per_frame(in));
	show(in, INSTALL_FETCH, 0, in->wire_total);
	while (left > 0) {
		uint32_t before = left;

		in->error[0] = '\0';
		r = fetch_round(in);
		if (in->error[0] != '\0')
			return r; /* the slot failed, not the network */
		left = plan_count(&in->plan, PLAN_FETCH);
		if (r == 0 && left > 0 && ++bad >= BAD_TRIES)
			return refused(in);
		if (r == 0)
			continue;
		network = left < before ? 1 : network + 1;
		if (r == -ENOENT || network >= NETWORK_TRIES)
			return network_error(in, r);
		if (in->source->pause != NULL)
			in->source->pause(in->source->context, network + 1);
	}
	return 0;
}

/* ------------------------------------------------------------------ the story */
static int installer_init(struct installer *in)
{
	const struct image_description *want = in->want;
	char need[16], have[16];
	int r;

	if (want->image_size > in->target->size)
		return sentence(in->error, -EFBIG,
				"%s needs %s but slot %s has %s: assign a smaller image, or build with larger slots "
				"(make menuconfig) and repave assign --wipe",
				in->path, format_size(want->image_size, need), in->target->name,
				format_size(in->target->size, have));
	if (verity_layout_init(&in->layout, want->data_blocks) < 0 ||
	    in->layout.image_blocks * BLOCK != want->image_size || want->frame_size % VERITY_BLOCK != 0 ||
	    want->frame_size == 0)
		return sentence(in->error, -EINVAL, "%s: sizes in its description don't agree", in->path);
	in->tree = malloc(in->layout.tree_blocks * BLOCK);
	in->chunk = malloc(CHUNK_BLOCKS * BLOCK);
	in->wire = malloc(frame_wire_most(want->frame_size));
	in->frame = malloc(want->frame_size);
	in->decoder = frame_decoder_new();
	r = plan_init(&in->plan, want->data_blocks);
	if (in->tree == NULL || in->chunk == NULL || in->wire == NULL || in->frame == NULL || in->decoder == NULL || r < 0)
		return sentence(in->error, -ENOMEM, "out of memory to install %s", in->path);
	in->result->blocks = want->data_blocks + in->layout.tree_blocks;
	return 0;
}

static void installer_release(struct installer *in)
{
	if (in->have_table)
		seek_table_release(&in->table);
	plan_release(&in->plan);
	frame_decoder_free(in->decoder);
	free(in->frame);
	free(in->wire);
	free(in->chunk);
	free(in->tree);
}

int install_image(const struct verified_image *image, const struct slot *target, const struct slot *donor,
		  const struct wire_source *source, const struct install_progress *progress,
		  struct install_result *ret_result, char ret_error[SENTENCE])
{
	struct installer in = { .want = verified_image_description(image), .path = verified_image_path(image),
				.target = target, .donor = donor, .source = source, .progress = progress,
				.result = ret_result, .error = ret_error };
	int r;

	*ret_result = (struct install_result){ 0 };
	r = installer_init(&in);
	if (r == 0)
		r = load_tree(&in);
	if (r == 0)
		r = check_target(&in);
	if (r == 0)
		r = copy_from_donor(&in);
	if (r == 0)
		r = fetch_data(&in);
	if (r == 0) {
		show(&in, INSTALL_SYNC, 0, 0);
		if (fdatasync(target->fd) < 0)
			r = sentence(ret_error, -errno, "slot %s can't be synced: %s", target->name, strerror(errno));
	}
	installer_release(&in);
	return r;
}

unsigned install_choose(const struct verified_image *image, const struct slot *slots, int good)
{
	const struct image_description *want = verified_image_description(image);
	struct verity_layout layout;
	uint8_t *tree = NULL;
	unsigned choice = good == 0 ? 1 : 0;

	if (verity_layout_init(&layout, want->data_blocks) < 0)
		return choice;
	tree = malloc(layout.tree_blocks * BLOCK);
	/* Both may hold it after a cut: the good one is the complete one. */
	for (unsigned i = 0; i < 2 && tree != NULL; i++) {
		unsigned slot = good == 1 ? 1 - i : i;

		if (slot_tree(want, &layout, &slots[slot], tree) == 0) {
			choice = slot;
			break;
		}
	}
	free(tree);
	return choice;
}
