/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 by the SHA extensions of x86. What the instructions do is Intel's description of SHA256RNDS2, SHA256MSG1 and SHA256MSG2
 * in the Software Developer's Manual; the function is FIPS 180-4, 6.2.2. */
#include "signing/sha256-engine.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define TARGET __attribute__((target("sha,sse4.1")))
#define INLINE static inline __attribute__((always_inline)) TARGET

bool sha256_ni_usable(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_SSSE3) == 0 || (c & bit_SSE4_1) == 0)
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0;
}

/* The instructions want the working variables as A B E F and C D G H, first letter in the highest word. */
struct lane {
	__m128i abef, cdgh;
	__m128i words[4]; /* the last 16 words of the message schedule, four by four; group g is at g % 4 */
};

INLINE __m128i load_words(const uint8_t *data)
{
	const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);

	return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)data), swap);
}

/* W[t] = s1(W[t-2]) + W[t-7] + s0(W[t-15]) + W[t-16], for four t at once. */
INLINE __m128i next_words(const struct lane *lane, unsigned group)
{
	const __m128i first = lane->words[group % 4], second = lane->words[(group + 1) % 4];
	const __m128i third = lane->words[(group + 2) % 4], last = lane->words[(group + 3) % 4];
	const __m128i sevens = _mm_alignr_epi8(last, third, 4);

	return _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(first, second), sevens), last);
}

INLINE void four_rounds(struct lane *lane, const uint8_t *data, unsigned group)
{
	const __m128i *constants = (const __m128i *)(const void *)(sha256_constants + 4 * (size_t)group);
	__m128i words = group < 4 ? load_words(data + 16 * (size_t)group) : next_words(lane, group), sums;

	lane->words[group % 4] = words;
	sums = _mm_add_epi32(words, _mm_loadu_si128(constants));
	/* Two rounds turn A B E F into C D G H and give the new A B E F; so the names change places. */
	lane->cdgh = _mm_sha256rnds2_epu32(lane->cdgh, lane->abef, sums);
	lane->abef = _mm_sha256rnds2_epu32(lane->abef, lane->cdgh, _mm_shuffle_epi32(sums, 0x0e));
}

INLINE void lane_load(struct lane *lane, const uint32_t s[8])
{
	lane->abef = _mm_set_epi32((int)s[0], (int)s[1], (int)s[4], (int)s[5]);
	lane->cdgh = _mm_set_epi32((int)s[2], (int)s[3], (int)s[6], (int)s[7]);
}

INLINE void lane_store(const struct lane *lane, uint32_t s[8])
{
	s[0] = (uint32_t)_mm_extract_epi32(lane->abef, 3);
	s[1] = (uint32_t)_mm_extract_epi32(lane->abef, 2);
	s[2] = (uint32_t)_mm_extract_epi32(lane->cdgh, 3);
	s[3] = (uint32_t)_mm_extract_epi32(lane->cdgh, 2);
	s[4] = (uint32_t)_mm_extract_epi32(lane->abef, 1);
	s[5] = (uint32_t)_mm_extract_epi32(lane->abef, 0);
	s[6] = (uint32_t)_mm_extract_epi32(lane->cdgh, 1);
	s[7] = (uint32_t)_mm_extract_epi32(lane->cdgh, 0);
}

TARGET void sha256_ni_compress(uint32_t state[8], const uint8_t *data, size_t blocks)
{
	struct lane lane;

	lane_load(&lane, state);
	for (; blocks > 0; blocks--, data += SHA256_BLOCK) {
		const __m128i abef = lane.abef, cdgh = lane.cdgh;

#pragma GCC unroll 16
		for (unsigned group = 0; group < 16; group++)
			four_rounds(&lane, data, group);
		lane.abef = _mm_add_epi32(lane.abef, abef);
		lane.cdgh = _mm_add_epi32(lane.cdgh, cdgh);
	}
	lane_store(&lane, state);
}

TARGET void sha256_ni_compress_two(uint32_t states[][8], const uint8_t *const *data, size_t blocks)
{
	const uint8_t *left = data[0], *right = data[1];
	struct lane a, b;

	lane_load(&a, states[0]);
	lane_load(&b, states[1]);
	for (; blocks > 0; blocks--, left += SHA256_BLOCK, right += SHA256_BLOCK) {
		const __m128i a_abef = a.abef, a_cdgh = a.cdgh, b_abef = b.abef, b_cdgh = b.cdgh;

#pragma GCC unroll 16
		for (unsigned group = 0; group < 16; group++) {
			four_rounds(&a, left, group);
			four_rounds(&b, right, group);
		}
		a.abef = _mm_add_epi32(a.abef, a_abef);
		a.cdgh = _mm_add_epi32(a.cdgh, a_cdgh);
		b.abef = _mm_add_epi32(b.abef, b_abef);
		b.cdgh = _mm_add_epi32(b.cdgh, b_cdgh);
	}
	lane_store(&a, states[0]);
	lane_store(&b, states[1]);
}

#else /* never called: not usable */
bool sha256_ni_usable(void)
{
	return false;
}

void sha256_ni_compress(uint32_t state[8], const uint8_t *data, size_t blocks)
{
	(void)state, (void)data, (void)blocks;
}

void sha256_ni_compress_two(uint32_t states[][8], const uint8_t *const *data, size_t blocks)
{
	(void)states, (void)data, (void)blocks;
}
#endif
