/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ways to run SHA-256's compression function (FIPS 180-4, 6.2.2) on this CPU; for sha256.c, verity.c, their tests and the benchmark.
 *
 *   name      stream                    many messages at once
 *   sha-ni    SHA extensions            two interleaved: one alone leaves the unit waiting for itself
 *   avx2      as scalar                 eight, one per 32-bit lane
 *   lanes     as scalar                 four, one per 32-bit lane; any CPU with 128-bit vectors
 *   scalar    any C                     one after the other; faster than vectors that are emulated, as in a TCG guest */
#ifndef SIGNING_SHA256_ENGINE_H
#define SIGNING_SHA256_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BLOCK 64u
#define SHA256_LANES_MOST 8u

struct sha256_engine {
	const char *name;
	bool (*usable)(void);
	/* Takes `blocks` blocks of 64 bytes into one state (H0…H7). */
	void (*compress)(uint32_t state[8], const uint8_t *data, size_t blocks);
	/* The same for `lanes` independent messages of the same length at once. */
	void (*compress_lanes)(uint32_t states[][8], const uint8_t *const *data, size_t blocks);
	unsigned lanes;
};

/* The fastest that this CPU can run; the first call may take some milliseconds. */
const struct sha256_engine *sha256_engine(void);
/* Entry `index` of all of them, best first, usable or not; NULL after the last. */
const struct sha256_engine *sha256_engine_at(unsigned index);
/* For tests and measurements: from now on the engine is this one; NULL: the fastest again. No other thread may be hashing. */
void sha256_engine_force(const struct sha256_engine *engine);

/* sha256-x86.c; on other processors usable() is false. */
bool sha256_ni_usable(void);
void sha256_ni_compress(uint32_t state[8], const uint8_t *data, size_t blocks);
void sha256_ni_compress_two(uint32_t states[][8], const uint8_t *const *data, size_t blocks);

/* sha256-lanes.c */
bool sha256_avx2_usable(void);
void sha256_avx2_compress_eight(uint32_t states[][8], const uint8_t *const *data, size_t blocks);
void sha256_compress(uint32_t state[8], const uint8_t *data, size_t blocks);
void sha256_compress_four(uint32_t states[][8], const uint8_t *const *data, size_t blocks);

/* FIPS 180-4, 4.2.2 */
extern const uint32_t sha256_constants[64];

#endif
