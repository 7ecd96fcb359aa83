/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the network to the slot: ranges of the wire file come in on this thread and are gathered in batches of whole frames; the pool
 * decodes, checks and writes them. When all batches are full this thread waits, and so does the network: memory stays bounded. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "provisioner/install-private.h"
#include "provisioner/sentence.h"

#define RUN_MOST (2u << 20)     /* wire bytes per request */
#define BATCHES (2 * HTTP_RANGES_MOST)
#define BAD_TRIES 3u     /* for each server that is asked alone and sends bytes that aren't what was signed */
#define NETWORK_TRIES 8u /* in a row without any progress */

/* Frames [frame, frame + count) of the wire file, as far as they came. */
struct batch {
	struct batch *next;
	struct installer *in;
	uint32_t frame;
	uint32_t count;
	size_t want, have; /* bytes */
	uint32_t servers;  /* a bit for each that sent some of it */
	bool bad;          /* something in it wasn't what was signed */
	uint8_t *wire;
};

/* ------------------------------------------------------------------ batches */
static uint32_t batch_frames(const struct installer *in)
{
	return CHUNK_BLOCKS / blocks_per_frame(in);
}

int batches_init(struct installer *in)
{
	size_t room = batch_frames(in) * frame_wire_most(in->want->frame_size);

	in->edge = malloc(in->want->frame_size);
	in->edge_frame = UINT32_MAX;
	for (unsigned i = 0; i < BATCHES; i++) {
		struct batch *batch = calloc(1, sizeof(*batch));

		if (batch == NULL)
			return -ENOMEM;
		batch->in = in;
		batch->wire = malloc(room);
		batch->next = in->batches;
		in->batches = batch;
		if (batch->wire == NULL)
			return -ENOMEM;
	}
	return in->edge != NULL ? 0 : -ENOMEM;
}

void batches_release(struct installer *in)
{
	while (in->batches != NULL) {
		struct batch *batch = in->batches;

		in->batches = batch->next;
		free(batch->wire);
		free(batch);
	}
	free(in->edge);
}

static struct batch *batch_take(struct installer *in)
{
	struct batch *batch;

	pthread_mutex_lock(&in->lock);
	/* Ranges in flight hold fewer than half of them: the others are in the pool, and come back. */
	while (in->batches == NULL)
		pthread_cond_wait(&in->batch_free, &in->lock);
	batch = in->batches;
	in->batches = batch->next;
	pthread_mutex_unlock(&in->lock);
	return batch;
}

static void batch_give_back(struct batch *batch)
{
	struct installer *in = batch->in;

	pthread_mutex_lock(&in->lock);
	in->bad = in->bad || batch->bad;
	/* Of two servers that sent a part each, nobody knows which one it was. */
	if (batch->bad && (batch->servers & (batch->servers - 1)) == 0)
		in->bad_servers |= batch->servers;
	batch->next = in->batches;
	in->batches = batch;
	pthread_cond_signal(&in->batch_free);
	pthread_mutex_unlock(&in->lock);
}

/* ------------------------------------------------------------------ frames to blocks; in the pool */
static size_t frame_length(const struct installer *in, uint32_t frame)
{
	uint64_t left = in->want->image_size - (uint64_t)frame * in->want->frame_size;

	return left < in->want->frame_size ? (size_t)left : in->want->frame_size;
}

/* `count` blocks of the image from `block` on: what of them belongs to the current level and is still to be fetched is
 * checked and written. Returns whether nothing of that is left. */
static bool accept_blocks(struct installer *in, struct worker *worker, uint64_t block, uint64_t count, const uint8_t *data)
{
	uint64_t end = block + count, level_end = (uint64_t)in->plan.first + in->plan.blocks;
	uint32_t entry, written;

	if (end > level_end)
		end = level_end;
	if (block < in->plan.first) {
		data += (in->plan.first - block) * BLOCK;
		block = in->plan.first;
	}
	if (block >= end)
		return true;
	entry = (uint32_t)(block - in->plan.first);
	written = write_matching(in, worker, entry, (uint32_t)(end - block), data, false);
	pthread_mutex_lock(&in->lock);
	in->result->fetched += written;
	in->good_blocks += written;
	pthread_mutex_unlock(&in->lock);
	for (uint32_t i = 0; i < end - block; i++)
		if (plan_get(&in->plan, entry + i) == PLAN_FETCH)
			return false;
	return true;
}

/* A frame may hold the end of this level and the beginning of the next: that one needn't be asked for again. */
static void keep_edge(struct installer *in, uint32_t frame, const uint8_t *data, size_t length)
{
	uint64_t end = (uint64_t)in->plan.first + in->plan.blocks;
	uint64_t first = (uint64_t)frame * blocks_per_frame(in);

	if (in->level == LEVEL_DATA || first >= end || first + length / BLOCK <= end)
		return;
	pthread_mutex_lock(&in->lock);
	memcpy(in->edge, data, length);
	in->edge_frame = frame;
	pthread_mutex_unlock(&in->lock);
}

static void batch_job(void *item, unsigned number)
{
	struct batch *batch = item;
	struct installer *in = batch->in;
	struct worker *worker = &in->workers[number];
	const uint64_t *starts = in->table.starts + batch->frame;
	uint32_t run = 0; /* frames before i, decoded and not yet written */
	size_t run_length = 0;

	for (uint32_t i = 0; i <= batch->count; i++) {
		bool came = i < batch->count && starts[i + 1] - starts[0] <= batch->have, sound = false;
		size_t length = came ? frame_length(in, batch->frame + i) : 0;

		if (came)
			sound = frame_decode(worker->decoder, batch->wire + (starts[i] - starts[0]), starts[i + 1] - starts[i],
					     worker->data + run_length, length) == 0;
		if (sound) {
			keep_edge(in, batch->frame + i, worker->data + run_length, length);
			run++;
			run_length += length;
			continue;
		}
		if (run > 0 && !accept_blocks(in, worker, (uint64_t)(batch->frame + i - run) * blocks_per_frame(in),
					      run_length / BLOCK, worker->data))
			batch->bad = true;
		/* A frame that isn't sound is as good as one that didn't come: its blocks stay to be fetched. */
		batch->bad = batch->bad || came;
		run = 0;
		run_length = 0;
		if (i < batch->count && !came)
			break;
	}
	show_more(in, INSTALL_FETCH, batch->have);
	batch_give_back(batch);
}

/* ------------------------------------------------------------------ ranges to batches; on this thread */
struct round {
	struct installer *in;
	struct plan_frames frames;
	uint32_t next_frame;
	int r;
};

struct arrival {
	struct plan_run run;
	uint32_t frame; /* the first that isn't in a batch yet */
	struct batch *batch;
};

static bool next_range(void *context, struct http_range *ret_range)
{
	struct round *round = context;
	struct arrival *arrival;
	struct plan_run run;

	if (!plan_next_run(&round->frames, round->next_frame, RUN_MOST, &run))
		return false;
	arrival = calloc(1, sizeof(*arrival));
	if (arrival == NULL) {
		round->r = -ENOMEM;
		return false;
	}
	arrival->run = run;
	arrival->frame = run.first;
	round->next_frame = run.first + run.count;
	*ret_range = (struct http_range){ .offset = run.offset, .size = run.size, .cookie = arrival };
	return true;
}

static void batch_begin(struct installer *in, struct arrival *arrival)
{
	struct batch *batch = batch_take(in);
	uint32_t left = arrival->run.first + arrival->run.count - arrival->frame;

	batch->frame = arrival->frame;
	batch->count = left < batch_frames(in) ? left : batch_frames(in);
	batch->want = (size_t)(in->table.starts[batch->frame + batch->count] - in->table.starts[batch->frame]);
	batch->have = 0;
	batch->servers = 0;
	batch->bad = false;
	arrival->frame += batch->count;
	arrival->batch = batch;
}

static int range_data(void *context, void *cookie, unsigned server, const uint8_t *data, size_t size)
{
	struct round *round = context;
	struct installer *in = round->in;
	struct arrival *arrival = cookie;

	pthread_mutex_lock(&in->lock);
	in->result->wire_bytes += size;
	pthread_mutex_unlock(&in->lock);
	while (size > 0) {
		struct batch *batch;
		size_t take;

		if (arrival->batch == NULL) {
			if (arrival->frame >= arrival->run.first + arrival->run.count)
				return -EBADMSG;
			batch_begin(in, arrival);
		}
		batch = arrival->batch;
		take = size < batch->want - batch->have ? size : batch->want - batch->have;
		memcpy(batch->wire + batch->have, data, take);
		batch->have += take;
		batch->servers |= 1u << server;
		data += take;
		size -= take;
		if (batch->have == batch->want) {
			arrival->batch = NULL;
			pool_add(in->pool, batch_job, batch);
		}
	}
	return failed(in);
}

/* What came before the end is used, whole or not. */
static void range_end(void *context, void *cookie, int result)
{
	struct round *round = context;
	struct arrival *arrival = cookie;

	(void)result;
	if (arrival->batch != NULL)
		pool_add(round->in->pool, batch_job, arrival->batch);
	free(arrival);
}

/* ------------------------------------------------------------------ the seek table */
struct gather {
	struct installer *in;
	struct http_range range;
	bool asked;
	uint8_t *data;
	uint64_t have;
};

static bool gather_next(void *context, struct http_range *ret_range)
{
	struct gather *gather = context;

	if (gather->asked)
		return false;
	gather->asked = true;
	*ret_range = gather->range;
	return true;
}

static int gather_data(void *context, void *cookie, unsigned server, const uint8_t *data, size_t size)
{
	struct gather *gather = context;

	(void)cookie, (void)server;
	if (size > gather->range.size - gather->have)
		return -EBADMSG;
	memcpy(gather->data + gather->have, data, size);
	gather->have += size;
	gather->in->result->wire_bytes += size;
	return 0;
}

static void gather_end(void *context, void *cookie, int result)
{
	(void)context, (void)cookie, (void)result;
}

static int network_error(struct installer *in, int r)
{
	return sentence(in->error, r, "%s can't be fetched: %s", in->path, in->source->error(in->source->context));
}

static void pause_before(struct installer *in, unsigned next_try)
{
	if (in->source->pause != NULL)
		in->source->pause(in->source->context, next_try);
}

static void blame(struct installer *in, unsigned server)
{
	if (in->source->blame != NULL)
		in->source->blame(in->source->context, server);
}

static void ask_only(struct installer *in, int server)
{
	if (in->source->only != NULL)
		in->source->only(in->source->context, server);
}

/* The seek table is a hint of the server: numbers that don't fit what was signed are refused here, and wrong ones
 * lead to frames that don't match. */
static int table_parse(struct installer *in, const uint8_t *data, size_t size)
{
	const struct image_description *want = in->want;
	uint64_t most = frame_wire_most(want->frame_size);
	int r = seek_table_parse(data, size, want->wire_size, want->frames, want->frame_size, want->image_size, &in->table);

	for (uint32_t i = 0; r == 0 && i < in->table.frames; i++) {
		if (in->table.starts[i + 1] - in->table.starts[i] > most) {
			seek_table_release(&in->table);
			r = -EINVAL;
		}
	}
	return r;
}

/* -EBADMSG with `bad` when what came is no table of this file. */
static int load_table(struct installer *in)
{
	size_t size = seekable_table_size(in->want->frames);
	struct gather gather = { .in = in, .range = { in->want->wire_size - size, size, NULL } };
	const struct http_ranges work = { gather_next, gather_data, gather_end, &gather };
	int r;

	if (in->have_table)
		return 0;
	gather.data = calloc(1, size);
	if (gather.data == NULL)
		return -ENOMEM;
	r = in->source->run(in->source->context, &work);
	if (r == 0)
		r = table_parse(in, gather.data, size);
	sha256_once(gather.data, size, in->table_digest);
	in->have_table = r == 0;
	in->bad = r == -EINVAL;
	free(gather.data);
	return r == -EINVAL ? -EBADMSG : r;
}

static void drop_table(struct installer *in)
{
	if (in->have_table)
		seek_table_release(&in->table);
	in->have_table = false;
}

/* ------------------------------------------------------------------ rounds */
/* Asks once for every frame that is still needed. What came of it shows in what is left in the plan. */
static int fetch_frames(struct installer *in)
{
	struct round round = { .in = in };
	const struct http_ranges work = { next_range, range_data, range_end, &round };
	int r = plan_frames_init(&round.frames, &in->plan, &in->table, blocks_per_frame(in));

	if (r < 0)
		return r;
	if (in->level == LEVEL_DATA)
		show(in, INSTALL_FETCH, 0, plan_frames_bytes(&round.frames));
	r = in->source->run(in->source->context, &work);
	pool_drain(in->pool);
	plan_frames_release(&round.frames);
	return r < 0 ? r : round.r;
}

/* A false table makes sound frames look wrong, and the other way round, so several servers can't be told apart. After the first
 * wrong bytes of a level, table and frames come from one server at a time. Who fails alone is blamed; and when one does well
 * with the same table, those are whose frames weren't right. */
struct rounds {
	bool alone;
	unsigned server;                   /* … who is asked then */
	unsigned asked[HTTP_MIRRORS_MOST]; /* alone, so many times … */
	unsigned bad[HTTP_MIRRORS_MOST];   /* … of them with wrong bytes */
	unsigned network;                  /* errors in a row, without any progress */
	/* Of the round with all of them: who sent frames that didn't match, and by which table. */
	uint32_t suspects;
	uint8_t table_digest[SHA256_SIZE];
};

static unsigned servers(const struct installer *in)
{
	return in->source->servers > 1 ? in->source->servers : 1;
}

/* The one that was asked least; of several the last, which is the control unit's own. False: all were, often enough. */
static bool choose_alone(const struct installer *in, struct rounds *rounds)
{
	bool any = false;

	for (unsigned i = 0; i < servers(in); i++) {
		if (rounds->bad[i] >= BAD_TRIES || (any && rounds->asked[i] > rounds->asked[rounds->server]))
			continue;
		any = true;
		rounds->server = i;
	}
	rounds->alone = true;
	return any;
}

static int refused(struct installer *in)
{
	uint32_t entry = 0, block;

	if (!in->have_table)
		return sentence(in->error, -EBADMSG, "%s: its seek table isn't what was signed (%u tries with each server); "
				"refused: check the repository's copy", in->path, BAD_TRIES);
	if (in->level != LEVEL_DATA)
		return sentence(in->error, -EBADMSG, "%s: the hash tree from the server doesn't lead to the signed root hash (%u "
				"tries with each server); refused, nothing of it was written: check the repository's copy", in->path,
				BAD_TRIES);
	while (plan_get(&in->plan, entry) != PLAN_FETCH)
		entry++;
	block = in->plan.first + entry;
	return sentence(in->error, -EBADMSG,
			"%s: block %" PRIu32 " (frame %" PRIu32 ") from the server isn't what was signed (%u tries with each server); "
			"refused, it was neither written nor booted: check the repository's copy",
			in->path, block, block / blocks_per_frame(in), BAD_TRIES);
}

static int fetch_round(struct installer *in, struct rounds *rounds)
{
	int r;

	in->good_blocks = 0;
	in->bad = false;
	in->bad_servers = 0;
	ask_only(in, rounds->alone ? (int)rounds->server : -1);
	if (rounds->alone)
		rounds->asked[rounds->server]++;
	r = load_table(in);
	return r == 0 ? fetch_frames(in) : r;
}

/* Waits, unless there is one who wasn't asked yet. */
static int after_network_error(struct installer *in, struct rounds *rounds, int result)
{
	if (rounds->alone && rounds->asked[rounds->server] == 0)
		return 0;
	if (++rounds->network >= NETWORK_TRIES)
		return network_error(in, result);
	pause_before(in, rounds->network + 1);
	return 0;
}

static void blame_suspects(struct installer *in, const struct rounds *rounds)
{
	for (unsigned i = 0; rounds->alone && i < servers(in); i++)
		if ((rounds->suspects >> i & 1) != 0 && memcmp(rounds->table_digest, in->table_digest, SHA256_SIZE) == 0)
			blame(in, i);
}

static void blame_or_suspect(struct installer *in, struct rounds *rounds)
{
	if (rounds->alone) {
		blame(in, rounds->server);
		rounds->bad[rounds->server]++;
		return;
	}
	rounds->suspects = in->bad_servers;
	memcpy(rounds->table_digest, in->table_digest, SHA256_SIZE);
}

/* After a round: 0 to go on with the next, or the error that ends the installation. */
static int judge_round(struct installer *in, struct rounds *rounds, int result)
{
	unsigned last = rounds->server;
	int r;

	if (result == -ENOMEM)
		return sentence(in->error, result, "out of memory to fetch %s", in->path);
	if (result == 0 && !in->bad) {
		blame_suspects(in, rounds);
		return 0;
	}
	if (result == -ENOENT && (!rounds->alone || servers(in) == 1))
		return network_error(in, result);
	if (in->good_blocks > 0)
		rounds->network = 0;
	if (in->bad)
		blame_or_suspect(in, rounds);
	else if (result == -ENOENT)
		rounds->bad[last] = BAD_TRIES;
	if ((rounds->alone || in->bad) && !choose_alone(in, rounds))
		return refused(in);
	r = in->bad ? 0 : after_network_error(in, rounds, result);
	if (in->bad || rounds->server != last)
		drop_table(in);
	return r;
}

static int fetch_rounds(struct installer *in)
{
	struct rounds rounds = { .alone = servers(in) == 1 };
	int r = 0;

	if (seekable_table_size(in->want->frames) > in->want->wire_size)
		return sentence(in->error, -EBADMSG, "%s is shorter than its own seek table; refused", in->path);
	while (r == 0 && plan_count(&in->plan, PLAN_FETCH) > 0) {
		r = judge_round(in, &rounds, fetch_round(in, &rounds));
		if (r == 0)
			r = failed(in);
	}
	ask_only(in, -1);
	return r;
}

static void offer_edge(struct installer *in)
{
	if (in->edge_frame != UINT32_MAX)
		accept_blocks(in, &in->workers[0], (uint64_t)in->edge_frame * blocks_per_frame(in),
			      frame_length(in, in->edge_frame) / BLOCK, in->edge);
}

static int fetch_rest(struct installer *in)
{
	patch_level(in);
	return failed(in) == 0 ? fetch_rounds(in) : failed(in);
}

int fetch_level(struct installer *in)
{
	uint32_t copies;
	int r;

	offer_edge(in);
	r = find_copies(in);
	if (r == -ENOMEM)
		return sentence(in->error, r, "out of memory for the plan of %s", in->path);
	copies = plan_count_copies(&in->plan);
	if (copies > 0) {
		if (in->level == LEVEL_DATA && plan_count(&in->plan, PLAN_FETCH) == 0)
			show(in, INSTALL_COPY, 0, copies * (uint64_t)BLOCK);
		pool_add(in->pool, copy_job, in);
	}
	r = fetch_rest(in);
	pool_drain(in->pool);
	plan_give_up_copies(&in->plan);
	return r < 0 ? r : fetch_rest(in);
}
