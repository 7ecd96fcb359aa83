/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/tries.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"

/* ------------------------------------------------------------------ pairs */
bool pair_equal(const struct system_pair *a, const struct system_pair *b)
{
	return strcmp(a->c.root, b->c.root) == 0 && strcmp(a->d.root, b->d.root) == 0;
}

static json_t *part_json(const struct system_part *part)
{
	return json_pack("{s:s,s:s,s:s}", "slot", part->slot, "root_hash", part->root, "target", part->target);
}

static bool part_parse(const json_t *json, char letter, struct system_part *ret_part)
{
	const char *slot = json_get_string(json, "slot"), *root = json_get_string(json, "root_hash");
	const char *target = json_get_string(json, "target");
	uint8_t digest[32];

	if (slot == NULL || root == NULL || target == NULL || strlen(target) >= sizeof(ret_part->target) || strlen(slot) != 2 ||
	    slot[0] != letter || (slot[1] != '0' && slot[1] != '1') || hex_parse(root, digest, sizeof(digest)) < 0)
		return false;
	snprintf(ret_part->slot, sizeof(ret_part->slot), "%s", slot);
	snprintf(ret_part->root, sizeof(ret_part->root), "%s", root);
	snprintf(ret_part->target, sizeof(ret_part->target), "%s", target);
	return true;
}

static json_t *pair_json(const struct system_pair *pair)
{
	json_t *json = json_pack("{s:o}", "c", part_json(&pair->c));

	if (json != NULL && pair->d.root[0] != '\0' && json_object_set_new(json, "d", part_json(&pair->d)) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static bool pair_parse(const json_t *json, struct system_pair *ret_pair)
{
	const json_t *d = json_object_get(json, "d");

	memset(ret_pair, 0, sizeof(*ret_pair));
	return part_parse(json_object_get(json, "c"), 'C', &ret_pair->c) && (d == NULL || part_parse(d, 'D', &ret_pair->d));
}

static int set_new(struct state *state, const char *key, json_t *value)
{
	return value == NULL || json_object_set_new(state->content, key, value) < 0 ? -ENOMEM : 0;
}

/* ------------------------------------------------------------------ starts */
unsigned tries_count(const struct state *state, uint64_t assignment, const struct system_pair *pair)
{
	const json_t *tries = json_object_get(state->content, "tries");
	struct system_pair tried;
	uint64_t number, count;

	if (json_get_u64(tries, "assignment", &number) < 0 || number != assignment || json_get_u64(tries, "count", &count) < 0 ||
	    !pair_parse(tries, &tried) || !pair_equal(&tried, pair))
		return 0;
	return count < UINT32_MAX ? (unsigned)count : UINT32_MAX;
}

unsigned tries_believed(const struct state *state, uint64_t assignment, const struct system_pair *pair, uint64_t seen)
{
	unsigned count = tries_count(state, assignment, pair);

	return count < seen ? count : (unsigned)seen;
}

int tries_begin(struct state *state, uint64_t assignment, const struct system_pair *pair, bool assigned)
{
	unsigned count = tries_count(state, assignment, pair);
	json_t *tries = pair_json(pair);
	int r = set_new(state, "running", pair_json(pair));

	tries_set_unclean(state);
	if (r == 0 && assigned && tries != NULL &&
	    json_object_set_new(tries, "assignment", json_integer((json_int_t)assignment)) == 0 &&
	    json_object_set_new(tries, "count", json_integer(count < UINT32_MAX ? (json_int_t)count + 1 : (json_int_t)count)) == 0)
		return set_new(state, "tries", tries);
	json_decref(tries);
	return r == 0 && assigned ? -ENOMEM : r;
}

int tries_healthy(struct state *state, const char *c_root, const char *d_root)
{
	struct system_pair running, tried;

	if (!pair_parse(json_object_get(state->content, "running"), &running) || strcmp(running.c.root, c_root) != 0 ||
	    strcmp(running.d.root, d_root) != 0)
		return -ESTALE;
	if (pair_parse(json_object_get(state->content, "tries"), &tried) && pair_equal(&tried, &running))
		json_object_del(state->content, "tries");
	return set_new(state, "healthy", pair_json(&running));
}

bool tries_last_good(const struct state *state, struct system_pair *ret_pair)
{
	return pair_parse(json_object_get(state->content, "healthy"), ret_pair);
}

int tries_note_start(struct state *state, const char *nonce, enum start_way way, bool marked)
{
	json_object_del(state->content, "start");
	return marked ? set_new(state, "start", json_pack("{s:s,s:s}", "nonce", nonce, "by", start_way_name(way))) : 0;
}

bool tries_last_start(const struct state *state, char ret_nonce[33], enum start_way *ret_way)
{
	const json_t *start = json_object_get(state->content, "start");
	const char *nonce = json_get_string(start, "nonce"), *by = json_get_string(start, "by");

	if (nonce == NULL || by == NULL || strlen(nonce) != 32 || nonce[strspn(nonce, "0123456789abcdef")] != '\0' ||
	    start_way_parse(by, ret_way) < 0)
		return false;
	strcpy(ret_nonce, nonce);
	return true;
}

bool failures_add(struct failures *failures, uint64_t assignment, unsigned most)
{
	if (failures->assignment != assignment)
		*failures = (struct failures){ .assignment = assignment };
	if (failures->count < UINT32_MAX)
		failures->count++;
	return failures->count >= most;
}

int tries_set_clean(struct state *state)
{
	return set_new(state, "clean", json_true());
}

bool tries_set_unclean(struct state *state)
{
	return json_object_del(state->content, "clean") == 0;
}

bool tries_was_clean(const struct state *state)
{
	return json_is_true(json_object_get(state->content, "clean"));
}
