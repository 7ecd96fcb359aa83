/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "images/patch-make.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/log.h"
#include "common/patch.h"
#include "images/difference.h"
#include "images/frames.h"
#include "images/layout.h"
#include "images/output.h"

#define BLOCK LAYOUT_BLOCK
#define NOWHERE UINT32_MAX
#define THREADS_MOST 64u

struct window {
	struct patch_window place;
	uint8_t *frame;
};

struct maker {
	struct layout old;
	struct layout fresh;
	uint32_t *source;           /* per data block of `fresh`: a block of `old` with the same content, or NOWHERE */
	const struct layout_file **pairs; /* per file of `fresh`: the file of `old` it is compared with, or NULL */
	struct pieces *pieces;      /* per file of `fresh`; empty without a pair */
	struct window *windows;
	size_t window_count;
	int level;
	atomic_size_t next;
	bool progress;
	uint64_t work;         /* blocks to compare and to pack … */
	atomic_uint_fast64_t done; /* … and how many of them were */
	atomic_uint shown;     /* percent */
	atomic_int error;
};

/* ------------------------------------------------------------------ blocks that the old image has */
static int by_leaf(const void *a, const void *b, void *context)
{
	const struct layout *layout = context;
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	int order = memcmp(layout_leaf(layout, left), layout_leaf(layout, right), LAYOUT_DIGEST);

	return order != 0 ? order : left < right ? -1 : left > right;
}

static uint32_t find_leaf(const struct layout *old, const uint32_t *order, const uint8_t *leaf)
{
	size_t low = 0, high = old->data_blocks;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(layout_leaf(old, order[middle]), leaf, LAYOUT_DIGEST) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < old->data_blocks && !memcmp(layout_leaf(old, order[low]), leaf, LAYOUT_DIGEST) ? order[low] : NOWHERE;
}

static int find_sources(struct maker *m)
{
	uint32_t *order = calloc(m->old.data_blocks, sizeof(*order));

	m->source = calloc(m->fresh.data_blocks, sizeof(*m->source));
	if (order == NULL || m->source == NULL) {
		free(order);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < m->old.data_blocks; i++)
		order[i] = i;
	qsort_r(order, m->old.data_blocks, sizeof(*order), by_leaf, &m->old);
	for (uint64_t i = 0; i < m->fresh.data_blocks; i++) {
		const uint8_t *leaf = layout_leaf(&m->fresh, i);
		uint64_t after = i > 0 && m->source[i - 1] != NOWHERE ? m->source[i - 1] + UINT64_C(1) : m->old.data_blocks;

		/* Rows that lie in a row make short steps. */
		if (after < m->old.data_blocks && !memcmp(layout_leaf(&m->old, after), leaf, LAYOUT_DIGEST))
			m->source[i] = (uint32_t)after;
		else
			m->source[i] = find_leaf(&m->old, order, leaf);
	}
	free(order);
	return 0;
}

/* ------------------------------------------------------------------ files and their predecessors */
static int by_shape(const void *a, const void *b)
{
	const struct layout_file *left = *(const struct layout_file *const *)a;
	const struct layout_file *right = *(const struct layout_file *const *)b;
	int order = strcmp(left->shape, right->shape);

	return order != 0 ? order : strcmp(left->path, right->path);
}

/* The file of the same path, else one whose path differs in numbers only. */
static const struct layout_file *find_pair(const struct layout_file **sorted, size_t count,
					   const struct layout_file *wanted)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_shape(&sorted[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < count && !strcmp(sorted[low]->shape, wanted->shape))
		return sorted[low];
	return low > 0 && !strcmp(sorted[low - 1]->shape, wanted->shape) ? sorted[low - 1] : NULL;
}

static bool has_news(const struct maker *m, const struct layout_file *file)
{
	for (uint64_t i = 0; i < file->blocks; i++)
		if (m->source[file->first + i] == NOWHERE)
			return true;
	return false;
}

static int find_pairs(struct maker *m)
{
	const struct layout_file **sorted = calloc(m->old.file_count + 1, sizeof(struct layout_file *));

	m->pairs = calloc(m->fresh.file_count + 1, sizeof(struct layout_file *));
	m->pieces = calloc(m->fresh.file_count + 1, sizeof(*m->pieces));
	if (sorted == NULL || m->pairs == NULL || m->pieces == NULL) {
		free(sorted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < m->old.file_count; i++)
		sorted[i] = &m->old.files[i];
	qsort(sorted, m->old.file_count, sizeof(struct layout_file *), by_shape);
	for (size_t i = 0; i < m->fresh.file_count; i++)
		if (has_news(m, &m->fresh.files[i]))
			m->pairs[i] = find_pair(sorted, m->old.file_count, &m->fresh.files[i]);
	free(sorted);
	return 0;
}

/* Comparing a block takes about twice as long as packing one, whatever the machine. */
#define COMPARING 2u

static void show_progress(struct maker *m, uint64_t blocks)
{
	uint64_t done = atomic_fetch_add(&m->done, blocks) + blocks;
	unsigned percent = m->work > 0 ? (unsigned)(done * 100 / m->work) : 0, before = atomic_load(&m->shown);

	if (m->progress && percent > before && percent <= 100 && atomic_compare_exchange_strong(&m->shown, &before, percent))
		fprintf(stderr, "progress %u\n", percent);
}

/* Compares one file with its predecessor, in offsets of the images. */
static int compare_file(struct maker *m, size_t i)
{
	const struct layout_file *fresh = &m->fresh.files[i], *old = m->pairs[i];
	struct pieces *pieces = &m->pieces[i];
	int r;

	if (old == NULL)
		return 0;
	r = difference_find(m->old.data + old->first * BLOCK, old->blocks * BLOCK, m->fresh.data + fresh->first * BLOCK,
			    fresh->blocks * BLOCK, pieces);
	for (size_t k = 0; r == 0 && k < pieces->count; k++) {
		pieces->list[k].at += fresh->first * BLOCK;
		if (pieces->list[k].old != PIECE_LITERAL)
			pieces->list[k].old += old->first * BLOCK;
	}
	show_progress(m, COMPARING * fresh->blocks);
	return r == -EFBIG ? 0 : r;
}

/* ------------------------------------------------------------------ windows */
static int add_window(struct maker *m, uint64_t first, uint64_t blocks)
{
	struct window *windows = reallocarray(m->windows, m->window_count + 1, sizeof(*windows));

	if (windows == NULL)
		return -ENOMEM;
	m->windows = windows;
	if (m->window_count == PATCH_WINDOWS_MOST)
		return -EFBIG;
	windows[m->window_count++] =
		(struct window){ .place = { .first = (uint32_t)first, .blocks = (uint32_t)blocks } };
	return 0;
}

static bool group_has_news(const struct maker *m, uint64_t group)
{
	for (uint64_t i = group * PATCH_GROUP; i < (group + 1) * PATCH_GROUP && i < m->fresh.data_blocks; i++)
		if (m->source[i] == NOWHERE)
			return true;
	return false;
}

/* Groups of data with something new in them, as many in a row as fit a window. */
static int lay_data_windows(struct maker *m)
{
	uint64_t groups = m->fresh.level_blocks[0];
	int r = 0;

	for (uint64_t group = 0, end; r == 0 && group < groups; group = end) {
		uint64_t first = group * PATCH_GROUP, blocks;

		for (end = group; end < groups && end - group < PATCH_WINDOW_BLOCKS_MOST / PATCH_GROUP && group_has_news(m, end);)
			end++;
		if (end == group) {
			end++;
			continue;
		}
		blocks = (end - group) * PATCH_GROUP;
		r = add_window(m, first, first + blocks < m->fresh.data_blocks ? blocks : m->fresh.data_blocks - first);
	}
	return r;
}

/* A level of the tree, but for the leaves that come with a window of data. */
static int lay_tree_windows(struct maker *m, unsigned level)
{
	uint64_t blocks = m->fresh.level_blocks[level];
	int r = 0;

	for (uint64_t i = 0, end; r == 0 && i < blocks; i = end) {
		for (end = i; end < blocks && end - i < PATCH_WINDOW_BLOCKS_MOST && (level > 0 || !group_has_news(m, end));)
			end++;
		if (end == i)
			end++;
		else
			r = add_window(m, m->fresh.level_first[level] + i, end - i);
	}
	return r;
}

static int lay_windows(struct maker *m)
{
	int r = lay_data_windows(m);

	for (unsigned level = m->fresh.levels; r == 0 && level-- > 0;)
		r = lay_tree_windows(m, level);
	return r;
}

/* A digest of a block that the old image has is in its tree; the others are as good as random. */
static int tree_pieces(const struct maker *m, uint64_t block, struct pieces *pieces)
{
	uint64_t leaf = (block - m->fresh.level_first[0]) * PATCH_GROUP, at = block * BLOCK, end = at + BLOCK;
	int r = 0;

	if (block < m->fresh.level_first[0])
		return pieces_add(pieces, at, PIECE_LITERAL, BLOCK);
	for (; r == 0 && at < end && leaf < m->fresh.data_blocks; at += LAYOUT_DIGEST, leaf++) {
		uint32_t source = m->source[leaf];
		uint64_t old = m->old.level_first[0] * BLOCK + (uint64_t)source * LAYOUT_DIGEST;

		r = pieces_add(pieces, at, source != NOWHERE ? old : PIECE_LITERAL, LAYOUT_DIGEST);
	}
	return r < 0 ? r : pieces_add(pieces, at, PIECE_LITERAL, end - at);
}

/* The file that holds a block, or NULL: tables of the squashfs. */
static const struct layout_file *file_at(const struct layout *layout, uint64_t block)
{
	size_t low = 0, high = layout->file_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (layout->files[middle].first <= block)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && block - layout->files[low - 1].first < layout->files[low - 1].blocks ? &layout->files[low - 1]
											       : NULL;
}

/* The parts of `from` that lie in one block. */
static int clip_pieces(const struct pieces *from, uint64_t block, struct pieces *pieces)
{
	uint64_t start = block * BLOCK, end = start + BLOCK;
	size_t low = 0, high = from->count;
	int r = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (from->list[middle].at + from->list[middle].size <= start)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; r == 0 && i < from->count && from->list[i].at < end; i++) {
		const struct piece *piece = &from->list[i];
		uint64_t at = piece->at < start ? start : piece->at;
		uint64_t stop = piece->at + piece->size < end ? piece->at + piece->size : end;
		uint64_t old = piece->old == PIECE_LITERAL ? PIECE_LITERAL : piece->old + (at - piece->at);

		r = pieces_add(pieces, at, old, stop - at);
	}
	return r;
}

static int block_pieces(const struct maker *m, uint64_t block, struct pieces *pieces)
{
	const struct layout_file *file;

	if (block >= m->fresh.data_blocks)
		return tree_pieces(m, block, pieces);
	if (m->source[block] != NOWHERE)
		return pieces_add(pieces, block * BLOCK, (uint64_t)m->source[block] * BLOCK, BLOCK);
	file = file_at(&m->fresh, block);
	if (file != NULL && m->pieces[file - m->fresh.files].count > 0)
		return clip_pieces(&m->pieces[file - m->fresh.files], block, pieces);
	return pieces_add(pieces, block * BLOCK, PIECE_LITERAL, BLOCK);
}

/* ------------------------------------------------------------------ payloads */
struct payload {
	struct buffer steps;
	struct buffer differences;
	struct buffer literals;
	struct patch_step step; /* that isn't written yet */
	uint64_t count;
	uint64_t position;
};

static int end_step(struct payload *payload)
{
	int r = 0;

	if (payload->step.add > 0 || payload->step.copy > 0) {
		r = patch_step_format(&payload->step, &payload->steps);
		payload->count++;
	}
	payload->step = (struct patch_step){ 0 };
	return r;
}

static int add_differences(const struct maker *m, struct payload *payload, const struct piece *piece)
{
	uint8_t bytes[BLOCK];
	int r = 0;

	if (piece->old != payload->position || payload->step.copy > 0) {
		r = end_step(payload);
		payload->step.jump = (int64_t)(piece->old - payload->position);
	}
	payload->step.add += piece->size;
	payload->position = piece->old + piece->size;
	for (uint64_t done = 0; r == 0 && done < piece->size;) {
		size_t count = piece->size - done < BLOCK ? (size_t)(piece->size - done) : BLOCK;

		for (size_t i = 0; i < count; i++)
			bytes[i] = (uint8_t)(m->fresh.data[piece->at + done + i] - m->old.data[piece->old + done + i]);
		r = buffer_add(&payload->differences, bytes, count);
		done += count;
	}
	return r;
}

static int add_piece(const struct maker *m, struct payload *payload, const struct piece *piece)
{
	if (piece->old != PIECE_LITERAL)
		return add_differences(m, payload, piece);
	payload->step.copy += piece->size;
	return buffer_add(&payload->literals, m->fresh.data + piece->at, piece->size);
}

static int join_payload(struct payload *payload, struct buffer *ret_bytes)
{
	int r = end_step(payload);

	if (r == 0)
		r = patch_count_format(payload->count, ret_bytes);
	if (r == 0)
		r = buffer_add(ret_bytes, payload->steps.data, payload->steps.size);
	if (r == 0)
		r = buffer_add(ret_bytes, payload->differences.data, payload->differences.size);
	if (r == 0)
		r = buffer_add(ret_bytes, payload->literals.data, payload->literals.size);
	return r;
}

static int make_payload(const struct maker *m, const struct patch_window *place, struct buffer *ret_bytes)
{
	struct payload payload = { 0 };
	struct pieces pieces = { 0 };
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < place->blocks; i++)
		r = block_pieces(m, place->first + i, &pieces);
	for (size_t i = 0; r == 0 && i < pieces.count; i++)
		r = add_piece(m, &payload, &pieces.list[i]);
	if (r == 0)
		r = join_payload(&payload, ret_bytes);
	pieces_release(&pieces);
	buffer_release(&payload.steps);
	buffer_release(&payload.differences);
	buffer_release(&payload.literals);
	return r;
}

/* ------------------------------------------------------------------ each window, packed and proved */
static int read_old(void *context, uint8_t *ret_data, size_t size, uint64_t offset)
{
	const struct layout *old = context;

	if (offset > old->size || size > old->size - offset)
		return -EBADMSG;
	memcpy(ret_data, old->data + offset, size);
	return 0;
}

/* What a node will do with the window must give the new image. */
static int prove(struct maker *m, const struct patch_window *place, const struct buffer *payload)
{
	size_t size = (size_t)place->blocks * BLOCK;
	uint8_t *data = malloc(size);
	int r = data != NULL ? patch_window_apply(payload->data, payload->size, read_old, &m->old, data, size) : -ENOMEM;

	if (r == 0 && memcmp(data, m->fresh.data + (uint64_t)place->first * BLOCK, size) != 0)
		r = -EBADMSG;
	free(data);
	return r;
}

static int pack_window(struct maker *m, size_t i)
{
	struct window *window = &m->windows[i];
	struct buffer payload = { 0 };
	ZSTD_CCtx *context = ZSTD_createCCtx();
	size_t room = 0, size = 0;
	int r = context != NULL ? frame_context_init(context, m->level) : -ENOMEM;

	if (r == 0)
		r = make_payload(m, &window->place, &payload);
	if (r == 0)
		r = payload.size <= PATCH_PAYLOAD_MOST ? prove(m, &window->place, &payload) : -EFBIG;
	if (r == 0) {
		room = ZSTD_compressBound(payload.size);
		window->frame = malloc(room);
		r = window->frame != NULL ? frame_compress(context, payload.data, payload.size, window->frame, room, &size)
					  : -ENOMEM;
	}
	show_progress(m, window->place.blocks);
	window->place.payload = (uint32_t)payload.size;
	window->place.frame = (uint32_t)size;
	buffer_release(&payload);
	ZSTD_freeCCtx(context);
	return r;
}

/* ------------------------------------------------------------------ threads */
struct work {
	struct maker *maker;
	int (*one)(struct maker *maker, size_t i);
	size_t count;
};

static void *work_on(void *argument)
{
	struct work *work = argument;
	size_t i;

	while (!atomic_load(&work->maker->error) && (i = atomic_fetch_add(&work->maker->next, 1)) < work->count) {
		int r = work->one(work->maker, i);

		if (r < 0)
			atomic_store(&work->maker->error, r);
	}
	return NULL;
}

/* Each i has results of its own, so their order doesn't matter. */
static int for_each(struct maker *m, size_t count, int (*one)(struct maker *maker, size_t i), unsigned threads)
{
	struct work work = { m, one, count };
	pthread_t others[THREADS_MOST];
	unsigned started = 0;

	atomic_store(&m->next, 0);
	while (started + 1 < threads && !pthread_create(&others[started], NULL, work_on, &work))
		started++;
	work_on(&work);
	while (started)
		pthread_join(others[--started], NULL);
	return atomic_load(&m->error);
}

/* ------------------------------------------------------------------ the file */
static int write_patch(struct maker *m, int fd, struct patch_summary *summary)
{
	struct patch_header header = { m->old.size, m->fresh.size, (uint32_t)m->window_count };
	uint64_t offset = PATCH_HEADER + m->window_count * PATCH_INDEX_ENTRY;
	uint8_t bytes[PATCH_HEADER];
	int r;

	patch_header_format(&header, bytes);
	r = write_full_at(fd, bytes, PATCH_HEADER, 0);
	for (size_t i = 0; r == 0 && i < m->window_count; i++) {
		const struct window *window = &m->windows[i];

		patch_window_format(&window->place, bytes);
		r = write_full_at(fd, bytes, PATCH_INDEX_ENTRY, PATCH_HEADER + i * PATCH_INDEX_ENTRY);
		if (r == 0)
			r = write_full_at(fd, window->frame, window->place.frame, offset);
		offset += window->place.frame;
		summary->covered += window->place.blocks;
	}
	summary->size = offset;
	summary->windows = header.windows;
	for (uint64_t i = 0; i < m->fresh.data_blocks; i++)
		summary->blocks += m->source[i] == NOWHERE;
	return r;
}

static void count_work(struct maker *m)
{
	for (size_t i = 0; i < m->fresh.file_count; i++)
		m->work += m->pairs[i] != NULL ? COMPARING * m->fresh.files[i].blocks : 0;
	for (size_t i = 0; i < m->window_count; i++)
		m->work += m->windows[i].place.blocks;
}

static int make(struct maker *m, const char *out, unsigned threads, struct patch_summary *summary)
{
	struct output output;
	int r = find_sources(m);

	if (r == 0)
		r = find_pairs(m);
	if (r == 0)
		r = lay_windows(m);
	if (r == 0)
		count_work(m);
	if (r == 0)
		r = for_each(m, m->fresh.file_count, compare_file, threads);
	if (r == 0)
		r = for_each(m, m->window_count, pack_window, threads);
	if (r == 0)
		r = output_init(&output, out);
	if (r == 0)
		r = output_finish(&output, write_patch(m, output.fd, summary));
	return r < 0 ? log_error(r, "can't make the patch %s", out) : 0;
}

static void release(struct maker *m)
{
	for (size_t i = 0; m->pieces != NULL && i < m->fresh.file_count; i++)
		pieces_release(&m->pieces[i]);
	for (size_t i = 0; i < m->window_count; i++)
		free(m->windows[i].frame);
	free(m->windows);
	free(m->pieces);
	free(m->pairs);
	free(m->source);
	layout_close(&m->fresh);
	layout_close(&m->old);
}

int patch_make(const char *old, const char *fresh, const char *out, const struct patch_options *options,
	       struct patch_summary *ret_summary)
{
	struct maker m = { .old.fd = -1, .fresh.fd = -1, .level = options->level, .progress = options->progress };
	struct patch_summary summary = { 0 };
	int r;

	if (!options->threads || options->threads > THREADS_MOST)
		return -EINVAL;
	r = layout_open(old, &m.old);
	if (r == 0)
		r = layout_open(fresh, &m.fresh);
	if (r == 0 && !layout_same_salt(&m.old, &m.fresh)) {
		r = -EINVAL;
		log_error(0, "%s and %s have different salts: images of one repository have the same", old, fresh);
	}
	if (r == 0)
		r = make(&m, out, options->threads, &summary);
	release(&m);
	if (r == 0)
		*ret_summary = summary;
	return r;
}
