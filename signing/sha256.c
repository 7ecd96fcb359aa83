/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/sha256.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "signing/sha256-engine.h"

/* ------------------------------------------------------------------ engines */
static bool always(void)
{
	return true;
}

enum { SHA_NI, AVX2, LANES, SCALAR };

static const struct sha256_engine engines[] = {
	[SHA_NI] = { "sha-ni", sha256_ni_usable, sha256_ni_compress, sha256_ni_compress_two, 2 },
	[AVX2] = { "avx2", sha256_avx2_usable, sha256_compress, sha256_avx2_compress_eight, 8 },
	[LANES] = { "lanes", always, sha256_compress, sha256_compress_four, 4 },
	[SCALAR] = { "scalar", always, sha256_compress, NULL, 1 },
};

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* Nanoseconds that four blocks of 4 KiB take: the best of four looks, for the first is slower anywhere. */
static int64_t time_of_four(const struct sha256_engine *engine)
{
	static const uint8_t data[4096];
	static const uint8_t *const messages[] = { data, data, data, data };
	uint32_t states[4][8] = { 0 };
	int64_t best = INT64_MAX;

	for (unsigned look = 0; look < 4; look++) {
		int64_t begin = now(), took;

		if (engine->lanes == 4)
			engine->compress_lanes(states, messages, sizeof(data) / SHA256_BLOCK);
		else
			for (unsigned i = 0; i < 4; i++)
				engine->compress(states[i], data, sizeof(data) / SHA256_BLOCK);
		took = now() - begin;
		best = took < best ? took : best;
	}
	return best;
}

/* By what the CPU says, and where that leaves only vectors, by a look of a millisecond: emulated ones are slower than none. */
static const struct sha256_engine *choose(void)
{
	const struct sha256_engine *engine = engines;

	while (!engine->usable())
		engine++;
	if (engine == &engines[LANES] && time_of_four(&engines[SCALAR]) < time_of_four(engine))
		engine = &engines[SCALAR];
	return engine;
}

static _Atomic(const struct sha256_engine *) chosen;

const struct sha256_engine *sha256_engine(void)
{
	const struct sha256_engine *engine = atomic_load_explicit(&chosen, memory_order_relaxed);

	if (engine != NULL)
		return engine;
	engine = choose();
	/* Two threads that get here at once may find different ones, and either is right. */
	atomic_store_explicit(&chosen, engine, memory_order_relaxed);
	return engine;
}

const struct sha256_engine *sha256_engine_at(unsigned index)
{
	return index < sizeof(engines) / sizeof(engines[0]) ? &engines[index] : NULL;
}

void sha256_engine_force(const struct sha256_engine *engine)
{
	atomic_store_explicit(&chosen, engine, memory_order_relaxed);
}

/* ------------------------------------------------------------------ a stream */
void sha256_init(struct sha256 *sha)
{
	static const uint32_t first[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 }; /* FIPS 180-4, 5.3.3 */

	*sha = (struct sha256){ 0 };
	memcpy(sha->state, first, sizeof(first));
}

void sha256_update(struct sha256 *sha, const void *data, size_t size)
{
	const uint8_t *bytes = data;
	size_t have = sha->size % SHA256_BLOCK, blocks;

	if (size == 0)
		return;
	sha->size += size;
	if (have > 0) {
		size_t take = size < SHA256_BLOCK - have ? size : SHA256_BLOCK - have;

		memcpy(sha->tail + have, bytes, take);
		bytes += take;
		size -= take;
		if (have + take < SHA256_BLOCK)
			return;
		sha256_engine()->compress(sha->state, sha->tail, 1);
	}
	blocks = size / SHA256_BLOCK;
	if (blocks > 0)
		sha256_engine()->compress(sha->state, bytes, blocks);
	memcpy(sha->tail, bytes + blocks * SHA256_BLOCK, size % SHA256_BLOCK);
}

static void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* The end of a message of `size` bytes whose last size % 64 are in `blocks`: 0x80, zeros, the length in bits (FIPS 180-4, 5.1.1). Returns
 * whether that is one block or two. */
static size_t pad(uint8_t blocks[2 * SHA256_BLOCK], uint64_t size)
{
	size_t have = size % SHA256_BLOCK, count = have < SHA256_BLOCK - 8 ? 1 : 2;

	blocks[have] = 0x80;
	memset(blocks + have + 1, 0, count * SHA256_BLOCK - have - 1);
	put_be32(blocks + count * SHA256_BLOCK - 8, (uint32_t)(size >> 29));
	put_be32(blocks + count * SHA256_BLOCK - 4, (uint32_t)(size << 3));
	return count;
}

static void put_digest(const uint32_t state[8], uint8_t ret_digest[SHA256_SIZE])
{
	for (unsigned i = 0; i < 8; i++)
		put_be32(ret_digest + 4 * i, state[i]);
}

void sha256_final(struct sha256 *sha, uint8_t ret_digest[SHA256_SIZE])
{
	uint8_t end[2 * SHA256_BLOCK];
	size_t blocks;

	memcpy(end, sha->tail, SHA256_BLOCK);
	blocks = pad(end, sha->size);
	sha256_engine()->compress(sha->state, end, blocks);
	put_digest(sha->state, ret_digest);
}

void sha256_once(const void *data, size_t size, uint8_t ret_digest[SHA256_SIZE])
{
	struct sha256 sha;

	sha256_init(&sha);
	sha256_update(&sha, data, size);
	sha256_final(&sha, ret_digest);
}

/* ------------------------------------------------------------------ many messages */
/* One message per lane, all of `size` bytes after the prefix:
 *   prefix's tail + first bytes | whole blocks, read where they lie | last bytes + padding */
static void lanes_digest(const struct sha256_engine *engine, const struct sha256 *prefix, const uint8_t *data, size_t size,
			 uint8_t *ret_digests)
{
	uint32_t states[SHA256_LANES_MOST][8];
	uint8_t ends[SHA256_LANES_MOST][2 * SHA256_BLOCK];
	const uint8_t *in_ends[SHA256_LANES_MOST], *in_data[SHA256_LANES_MOST];
	size_t have = prefix->size % SHA256_BLOCK, head = have > 0 ? SHA256_BLOCK - have : 0;
	size_t blocks = (size - head) / SHA256_BLOCK, rest = (size - head) % SHA256_BLOCK, end_blocks = 0;

	for (unsigned i = 0; i < engine->lanes; i++) {
		memcpy(states[i], prefix->state, sizeof(states[i]));
		memcpy(ends[i], prefix->tail, have);
		memcpy(ends[i] + have, data + i * size, head);
		in_ends[i] = ends[i];
		in_data[i] = data + i * size + head;
	}
	if (head > 0)
		engine->compress_lanes(states, in_ends, 1);
	engine->compress_lanes(states, in_data, blocks);
	for (unsigned i = 0; i < engine->lanes; i++) {
		memcpy(ends[i], in_data[i] + blocks * SHA256_BLOCK, rest);
		end_blocks = pad(ends[i], prefix->size + size);
	}
	engine->compress_lanes(states, in_ends, end_blocks);
	for (unsigned i = 0; i < engine->lanes; i++)
		put_digest(states[i], ret_digests + i * SHA256_SIZE);
}

void sha256_many(const struct sha256 *prefix, const uint8_t *data, size_t size, size_t count, uint8_t *ret_digests)
{
	const struct sha256_engine *engine = sha256_engine();

	while (engine->lanes > 1 && count >= engine->lanes && size >= SHA256_BLOCK) {
		lanes_digest(engine, prefix, data, size, ret_digests);
		data += engine->lanes * size;
		ret_digests += engine->lanes * SHA256_SIZE;
		count -= engine->lanes;
	}
	for (; count > 0; count--) {
		struct sha256 sha = *prefix;

		sha256_update(&sha, data, size);
		sha256_final(&sha, ret_digests);
		data += size;
		ret_digests += SHA256_SIZE;
	}
}
