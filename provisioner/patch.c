/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/patch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/file.h"
#include "provisioner/install-private.h"

#define BAD_MOST 3u      /* windows: then the patch isn't worth asking for */
#define NETWORK_TRIES 4u /* in a row without any window */
#define HEAD_TRIES 2u

/* Who drips a patch is no better than one without it. So long it may take before it brings anything: a stall isn't seen sooner. … */
#define SECONDS_SPARE 15.0
#define LEAST_RATE (256.0 * 1024) /* … and further on so many bytes of the image for each second */

/* Bytes of the patch that are gathered whole. */
struct part {
	struct http_range range;
	const struct patch_window *window; /* NULL: header or index */
	size_t have;
	uint8_t *bytes;
};

struct parts {
	struct installer *in;
	struct part *one;  /* header or index: a single part; else NULL */
	uint32_t next;     /* window */
	uint32_t accepted;
	double since;
	int r;
};

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool too_long(const struct patch *patch, double more)
{
	return patch->seconds + more > SECONDS_SPARE + (double)(patch->brought * BLOCK) / LEAST_RATE;
}

/* ------------------------------------------------------------------ what a window brings */
static int read_old(void *context, uint8_t *ret_data, size_t size, uint64_t offset)
{
	const struct installer *in = context;

	if (offset > in->donor->size || size > in->donor->size - offset)
		return -EBADMSG;
	return read_full_at(in->donor->fd, ret_data, size, offset);
}

/* Blocks of the current level. */
static uint32_t accept_row(struct installer *in, const struct patch_window *window)
{
	uint32_t entry = window->first - in->plan.first, written = 0;

	for (uint32_t done = 0, count; done < window->blocks; done += count) {
		count = window->blocks - done < CHUNK_BLOCKS ? window->blocks - done : CHUNK_BLOCKS;
		written += write_matching(in, in->patch_worker, entry + done, count, in->patch.data + done * BLOCK, false);
	}
	return written;
}

/* A group of data blocks is right when the block of leaves that they make is the one that the level above tells. */
static uint32_t accept_group(struct installer *in, uint32_t group, uint32_t count, const uint8_t *data)
{
	struct patch *patch = &in->patch;
	uint64_t offset = (uint64_t)group * VERITY_FANOUT * BLOCK;
	int r;

	if (plan_get(&in->plan, group) != PLAN_FETCH)
		return 0;
	memset(patch->leaves, 0, sizeof(patch->leaves));
	verity_digests(&in->hasher, data, count, patch->leaves);
	if (write_matching(in, in->patch_worker, group, 1, patch->leaves, false) == 0)
		return 0;
	r = write_full_at(in->target->fd, data, count * BLOCK, offset);
	if (r < 0) {
		fail_install(in, r, "slot %s can't be written at byte %llu: %s", in->target->name, (unsigned long long)offset,
			     strerror(-r));
		return 0;
	}
	sync_file_range(in->target->fd, (off_t)offset, (off_t)(count * BLOCK), SYNC_FILE_RANGE_WRITE);
	patch->early += count;
	patch->brought += count;
	return 1;
}

static uint32_t accept_groups(struct installer *in, const struct patch_window *window)
{
	uint32_t written = 0;

	for (uint32_t done = 0, count; done < window->blocks; done += count) {
		count = window->blocks - done < VERITY_FANOUT ? window->blocks - done : VERITY_FANOUT;
		written += accept_group(in, (window->first + done) / VERITY_FANOUT, count, in->patch.data + done * BLOCK);
	}
	return written;
}

static bool is_data(const struct installer *in, const struct patch_window *window)
{
	return window->first < in->layout.data_blocks;
}

static void accept_window(struct parts *parts, const struct part *part)
{
	struct installer *in = parts->in;
	const struct patch_window *window = part->window;
	uint32_t written = 0;
	int r = frame_decode(in->patch_worker->decoder, part->bytes, part->have, in->patch.payload, window->payload);

	if (r == 0)
		r = patch_window_apply(in->patch.payload, window->payload, read_old, in, in->patch.data, window->blocks * BLOCK);
	if (r == 0 && in->level == 0 && is_data(in, window))
		written = accept_groups(in, window);
	else if (r == 0)
		written = accept_row(in, window);
	if (written == 0)
		in->patch.bad++;
	parts->accepted += written;
	in->patch.brought += written;
	pthread_mutex_lock(&in->lock);
	in->result->fetched += written;
	pthread_mutex_unlock(&in->lock);
	show_more(in, INSTALL_FETCH, part->have);
}

/* ------------------------------------------------------------------ which windows */
/* Entries of the current level that the window would fill. */
static uint32_t missing_in(const struct installer *in, const struct patch_window *window)
{
	uint32_t first = window->first, blocks = window->blocks, missing = 0;

	if (in->level == 0 && is_data(in, window)) {
		first = in->plan.first + first / VERITY_FANOUT;
		blocks = (blocks - 1) / VERITY_FANOUT + 1;
	}
	if (first < in->plan.first || (uint64_t)first + blocks > (uint64_t)in->plan.first + in->plan.blocks)
		return 0;
	for (uint32_t i = 0; i < blocks; i++)
		missing += plan_get(&in->plan, first - in->plan.first + i) == PLAN_FETCH;
	return missing;
}

/* Frames cost no more than the blocks themselves: for the few that a bad disk lost, a large window isn't worth it. */
static bool is_wanted(const struct installer *in, const struct patch_window *window)
{
	uint64_t missing = missing_in(in, window);

	return missing > 0 && (in->level == 0 || window->frame <= missing * BLOCK);
}

static bool next_part(void *context, struct http_range *ret_range)
{
	struct parts *parts = context;
	struct installer *in = parts->in;
	const struct patch_window *window;
	struct part *part = parts->one;

	if (part == NULL) {
		while (parts->next < in->patch.index.count && !is_wanted(in, &in->patch.index.windows[parts->next]))
			parts->next++;
		if (parts->next == in->patch.index.count || in->patch.bad >= BAD_MOST)
			return false;
		window = &in->patch.index.windows[parts->next++];
		part = calloc(1, sizeof(*part));
		if (part != NULL)
			*part = (struct part){ { window->offset, window->frame, part }, window, 0, malloc(window->frame) };
		if (part == NULL || part->bytes == NULL) {
			free(part);
			parts->r = -ENOMEM;
			return false;
		}
	} else if (parts->next++ > 0) {
		return false;
	}
	*ret_range = part->range;
	return true;
}

static int part_data(void *context, void *cookie, unsigned server, const uint8_t *data, size_t size)
{
	struct parts *parts = context;
	struct part *part = cookie;

	(void)server;
	pthread_mutex_lock(&parts->in->lock);
	parts->in->result->wire_bytes += size;
	parts->in->result->patch_bytes += size;
	pthread_mutex_unlock(&parts->in->lock);
	memcpy(part->bytes + part->have, data, size);
	part->have += size;
	return too_long(&parts->in->patch, seconds() - parts->since) ? -ETIMEDOUT : failed(parts->in);
}

static void part_end(void *context, void *cookie, int result)
{
	struct parts *parts = context;
	struct part *part = cookie;

	if (part->window == NULL)
		return;
	if (result == 0 && part->have == part->range.size)
		accept_window(parts, part);
	free(part->bytes);
	free(part);
}

static int run(struct parts *parts)
{
	const struct http_ranges work = { next_part, part_data, part_end, parts };
	struct installer *in = parts->in;
	int r;

	/* Another mirror's patch may be another one: then its size gives it away before its bytes are taken for these. */
	r = in->source->patch(in->source->context, in->patch.old_root, in->patch.index.size);
	parts->since = seconds();
	if (r == 0)
		r = in->source->run(in->source->context, &work);
	in->patch.seconds += seconds() - parts->since;
	in->source->patch(in->source->context, NULL, 0);
	return r < 0 ? r : parts->r;
}

/* ------------------------------------------------------------------ is there a patch? */
static int fetch_part(struct installer *in, uint64_t offset, size_t size, uint8_t *ret_bytes)
{
	struct part part = { .bytes = ret_bytes, .range = { offset, size, &part } };
	int r = -EIO;

	for (unsigned try = 1; try <= HEAD_TRIES; try++) {
		struct parts parts = { .in = in, .one = &part };

		if (try > 1 && in->source->pause != NULL)
			in->source->pause(in->source->context, try);
		part.have = 0;
		r = run(&parts);
		/* Once more for the network's sake, and not for a server that has no patch, or nonsense. */
		if ((r != -EIO && r != -ETIMEDOUT && r != -ECONNREFUSED) || too_long(&in->patch, 0))
			break;
	}
	return r < 0 ? r : part.have == size ? 0 : -EIO;
}

static int fetch_index(struct installer *in)
{
	uint8_t bytes[PATCH_HEADER], *index;
	struct patch_header header;
	int r = fetch_part(in, 0, PATCH_HEADER, bytes);

	if (r == 0)
		r = patch_header_parse(bytes, in->want->image_size, &header);
	if (r < 0 || header.windows == 0)
		return r;
	index = malloc((size_t)header.windows * PATCH_INDEX_ENTRY);
	if (index == NULL)
		return -ENOMEM;
	r = fetch_part(in, PATCH_HEADER, (size_t)header.windows * PATCH_INDEX_ENTRY, index);
	if (r == 0)
		r = patch_index_parse(index, &header, in->want->wire_size, &in->patch.index);
	free(index);
	return r;
}

static int find_old_root(struct installer *in)
{
	struct patch *patch = &in->patch;
	uint8_t top[VERITY_BLOCK];
	int r = donor_open(&patch->donor, in->donor->fd, in->donor->size, in->want->salt, in->want->salt_size);

	if (r == 0)
		r = read_full_at(in->donor->fd, top, BLOCK, patch->donor.layout.tree_start * BLOCK);
	if (r == 0)
		verity_digests(&in->hasher, top, 1, patch->old_root);
	return r == 0 && memcmp(patch->old_root, in->want->root_hash, VERITY_DIGEST) == 0 ? -ENOENT : r;
}

static void look_for(struct installer *in)
{
	struct patch *patch = &in->patch;

	patch->looked_for = true;
	if (in->source->patch == NULL || in->donor == NULL || find_old_root(in) < 0 || fetch_index(in) < 0)
		return;
	patch->payload = malloc(PATCH_PAYLOAD_MOST);
	patch->data = malloc(PATCH_WINDOW_BLOCKS_MOST * BLOCK);
	patch->usable = patch->payload != NULL && patch->data != NULL;
}

void patch_level(struct installer *in)
{
	unsigned tries = 0;

	if (plan_count(&in->plan, PLAN_FETCH) == 0)
		return;
	if (!in->patch.looked_for)
		look_for(in);
	while (in->patch.usable && tries < NETWORK_TRIES && failed(in) == 0) {
		struct parts parts = { .in = in };
		int r = run(&parts);

		/* The index is that of a patch which is no longer there. */
		if (r == -ESTALE || too_long(&in->patch, 0))
			in->patch.usable = false;
		if (!in->patch.usable || r == 0 || r == -ENOENT || r == -ENOMEM || in->patch.bad >= BAD_MOST)
			break;
		tries = parts.accepted > 0 ? 1 : tries + 1;
		if (in->source->pause != NULL)
			in->source->pause(in->source->context, tries + 1);
	}
	if (in->patch.bad >= BAD_MOST || tries >= NETWORK_TRIES)
		in->patch.usable = false;
}

void patch_release(struct patch *patch)
{
	patch_index_release(&patch->index);
	free(patch->payload);
	free(patch->data);
}
