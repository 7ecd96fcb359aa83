/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "images/difference.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <divsufsort.h>

#define BETTER_BY 8u /* bytes: a new place in the old file must match so many more, as it costs a step */
#define SURE 64u     /* bytes in a row that match where we are: no need to look for a better place */

struct search {
	const uint8_t *old;
	size_t old_size;
	const uint8_t *fresh;
	size_t fresh_size;
	saidx_t *order; /* of the old file's suffixes */
	/* The place we are at: fresh[i] is compared with old[i + shift], from `start` on. */
	bool placed;
	int64_t shift;
	size_t start;
};

int pieces_add(struct pieces *pieces, uint64_t at, uint64_t old, uint64_t size)
{
	struct piece *last = pieces->count > 0 ? &pieces->list[pieces->count - 1] : NULL;

	if (size == 0)
		return 0;
	if (last != NULL && last->at + last->size == at &&
	    (old == PIECE_LITERAL ? last->old == PIECE_LITERAL : last->old != PIECE_LITERAL && last->old + last->size == old)) {
		last->size += size;
		return 0;
	}
	if (pieces->count == pieces->room) {
		size_t room = pieces->room > 0 ? 2 * pieces->room : 64;
		struct piece *list = reallocarray(pieces->list, room, sizeof(*list));

		if (list == NULL)
			return -ENOMEM;
		pieces->list = list;
		pieces->room = room;
	}
	pieces->list[pieces->count++] = (struct piece){ at, old, size };
	return 0;
}

void pieces_release(struct pieces *pieces)
{
	free(pieces->list);
	*pieces = (struct pieces){ 0 };
}

static size_t common_prefix(const uint8_t *a, const uint8_t *b, size_t most)
{
	size_t n = 0;

	while (n < most && a[n] == b[n])
		n++;
	return n;
}

/* The longest row of old bytes that equals what begins at `at`. */
static size_t longest_match(const struct search *s, size_t at, size_t *ret_old)
{
	size_t low = 0, high = s->old_size, best = 0, left = s->fresh_size - at;

	while (low < high) {
		size_t middle = low + (high - low) / 2, suffix = (size_t)s->order[middle];
		size_t most = s->old_size - suffix < left ? s->old_size - suffix : left;
		size_t n = common_prefix(s->old + suffix, s->fresh + at, most);

		if (n > best) {
			best = n;
			*ret_old = suffix;
		}
		if (n == left)
			break;
		if (n == s->old_size - suffix || s->old[suffix + n] < s->fresh[at + n])
			low = middle + 1;
		else
			high = middle;
	}
	return best;
}

static bool equal_here(const struct search *s, size_t i)
{
	int64_t old = (int64_t)i + s->shift;

	return s->placed && old >= 0 && (uint64_t)old < s->old_size && s->old[old] == s->fresh[i];
}

/* How many bytes from `at` match in a row where we are. */
static size_t run_here(const struct search *s, size_t at, size_t most)
{
	size_t n = 0;

	while (n < most && at + n < s->fresh_size && equal_here(s, at + n))
		n++;
	return n;
}

/* Whether staying where we are loses at most BETTER_BY of the next `size` bytes. */
static bool good_enough(const struct search *s, size_t at, size_t size)
{
	size_t lost = 0;

	for (size_t i = 0; i < size && lost <= BETTER_BY; i++)
		lost += !equal_here(s, at + i);
	return lost <= BETTER_BY;
}

/* How far from s->start up to `end` the place we are at is worth keeping: more than half of the bytes equal. */
static size_t reach_forward(const struct search *s, size_t end)
{
	int64_t score = 0, best = 0;
	size_t reach = 0;

	for (size_t i = s->start; s->placed && i < end && i + (uint64_t)s->shift < s->old_size; i++) {
		score += equal_here(s, i) ? 1 : -1;
		if (score > best) {
			best = score;
			reach = i + 1 - s->start;
		}
	}
	return reach;
}

/* The same from `at` back to s->start, for the match that was found at `old`. */
static size_t reach_backward(const struct search *s, size_t at, size_t old)
{
	int64_t score = 0, best = 0;
	size_t reach = 0;

	for (size_t i = 1; i <= at - s->start && i <= old; i++) {
		score += s->fresh[at - i] == s->old[old - i] ? 1 : -1;
		if (score > best) {
			best = score;
			reach = i;
		}
	}
	return reach;
}

/* Both claim `overlap` bytes from `from` on: how many of them are better left to the place we are at. */
static size_t best_split(const struct search *s, size_t from, size_t overlap, int64_t next_shift)
{
	int64_t score = 0, best = 0;
	size_t split = 0;

	for (size_t i = 0; i < overlap; i++) {
		score += equal_here(s, from + i);
		score -= s->fresh[from + i] == s->old[(int64_t)(from + i) + next_shift];
		if (score > best) {
			best = score;
			split = i + 1;
		}
	}
	return split;
}

/* Ends the piece we are at and moves to the match at (`at`, `old`). */
static int change_place(struct search *s, size_t at, size_t old, struct pieces *pieces)
{
	size_t forward = reach_forward(s, at), backward = reach_backward(s, at, old);
	int64_t next_shift = (int64_t)old - (int64_t)at;
	int r;

	if (s->start + forward > at - backward) {
		size_t overlap = s->start + forward - (at - backward);
		size_t split = best_split(s, at - backward, overlap, next_shift);

		forward -= overlap - split;
		backward -= split;
	}
	r = pieces_add(pieces, s->start, (uint64_t)((int64_t)s->start + s->shift), forward);
	if (r == 0)
		r = pieces_add(pieces, s->start + forward, PIECE_LITERAL, at - backward - s->start - forward);
	s->start = at - backward;
	s->shift = next_shift;
	s->placed = true;
	return r;
}

static int search_all(struct search *s, struct pieces *pieces)
{
	size_t at = 0, forward;
	int r = 0;

	while (r == 0 && at < s->fresh_size) {
		size_t old = 0, match = run_here(s, at, SURE);

		if (match == SURE) {
			at += match + run_here(s, at + match, SIZE_MAX);
			continue;
		}
		match = longest_match(s, at, &old);
		if (match <= BETTER_BY) {
			at++;
		} else if (good_enough(s, at, match)) {
			at += match;
		} else {
			r = change_place(s, at, old, pieces);
			at += match;
		}
	}
	if (r < 0)
		return r;
	forward = reach_forward(s, s->fresh_size);
	r = pieces_add(pieces, s->start, (uint64_t)((int64_t)s->start + s->shift), forward);
	return r < 0 ? r : pieces_add(pieces, s->start + forward, PIECE_LITERAL, s->fresh_size - s->start - forward);
}

int difference_find(const uint8_t *old, size_t old_size, const uint8_t *fresh, size_t fresh_size,
		    struct pieces *ret_pieces)
{
	struct search s = { .old = old, .old_size = old_size, .fresh = fresh, .fresh_size = fresh_size };
	int r;

	if (old_size > DIFFERENCE_MOST || fresh_size > DIFFERENCE_MOST)
		return -EFBIG;
	s.order = malloc((old_size + 1) * sizeof(*s.order));
	if (s.order == NULL)
		return -ENOMEM;
	r = old_size == 0 || divsufsort(old, s.order, (saidx_t)old_size) == 0 ? search_all(&s, ret_pieces) : -ENOMEM;
	free(s.order);
	return r;
}
