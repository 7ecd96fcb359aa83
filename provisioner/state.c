/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "provisioner/mark.h"
#include "signing/sha256.h"

#define MAGIC "REPAVEST"
enum { AT_SEQUENCE = 8, AT_LENGTH = 16, AT_RESERVED = 20, AT_SHA256 = 24 };

/* ------------------------------------------------------------------ one record */
int state_record_parse(const uint8_t *data, size_t size, uint64_t *ret_sequence, json_t **ret_content)
{
	uint8_t digest[SHA256_SIZE];
	char error[160];
	uint64_t format;
	json_t *content;
	uint32_t length;

	if (size < STATE_HEADER || memcmp(data, MAGIC, 8) != 0)
		return -ENOENT;
	length = get_le32(data + AT_LENGTH);
	if (length > STATE_PAYLOAD_MOST || length > size - STATE_HEADER || get_le32(data + AT_RESERVED) != 0)
		return -EBADMSG;
	sha256_once(data + STATE_HEADER, length, digest);
	if (memcmp(digest, data + AT_SHA256, SHA256_SIZE) != 0)
		return -EBADMSG;
	content = json_parse(data + STATE_HEADER, length, error);
	if (!json_is_object(content) || json_get_u64(content, "format", &format) < 0 || format != 1) {
		json_decref(content);
		return -EBADMSG;
	}
	*ret_sequence = get_le64(data + AT_SEQUENCE);
	*ret_content = content;
	return 0;
}

struct growing {
	struct buffer *record;
	size_t most;
};

static int add_text(const char *text, size_t size, void *context)
{
	struct growing *growing = context;

	return size > growing->most - growing->record->size || buffer_add(growing->record, text, size) < 0 ? -1 : 0;
}

/* Straight into the record: another copy of a long list of images would be too much for a small server. */
int state_record_format(uint64_t sequence, const json_t *content, struct buffer *ret_record)
{
	struct growing growing = { ret_record, ret_record->size + STATE_HEADER + STATE_PAYLOAD_MOST };
	uint8_t header[STATE_HEADER] = MAGIC;
	size_t start = ret_record->size, length;
	uint8_t *record;
	int r = buffer_add(ret_record, header, sizeof(header));

	if (r < 0)
		return r;
	if (json_dump_callback(content, add_text, &growing, JSON_COMPACT | JSON_SORT_KEYS) < 0) {
		ret_record->size = start;
		return -EFBIG;
	}
	record = ret_record->data + start;
	length = ret_record->size - start - STATE_HEADER;
	put_le64(record + AT_SEQUENCE, sequence);
	put_le32(record + AT_LENGTH, (uint32_t)length);
	sha256_once(record + STATE_HEADER, length, record + AT_SHA256);
	return 0;
}

/* ------------------------------------------------------------------ the partition */
int state_init(struct state *ret_state)
{
	*ret_state = (struct state){ .fd = -1 };
	ret_state->content = json_pack("{s:i}", "format", 1);
	return ret_state->content != NULL ? 0 : -ENOMEM;
}

void state_release(struct state *state)
{
	json_decref(state->content);
	if (state->fd >= 0)
		close(state->fd);
	*state = (struct state){ .fd = -1 };
}

static int half_load(int fd, uint64_t offset, uint64_t half, uint64_t *ret_sequence, json_t **ret_content)
{
	uint8_t header[STATE_HEADER];
	uint8_t *record;
	uint32_t length;
	int r = read_full_at(fd, header, sizeof(header), offset);

	if (r < 0)
		return r;
	length = get_le32(header + AT_LENGTH);
	if (memcmp(header, MAGIC, 8) != 0 || length > STATE_PAYLOAD_MOST || length > half - STATE_HEADER)
		return -ENOENT;
	record = malloc(STATE_HEADER + (size_t)length);
	if (record == NULL)
		return -ENOMEM;
	r = read_full_at(fd, record, STATE_HEADER + (size_t)length, offset);
	if (r == 0)
		r = state_record_parse(record, STATE_HEADER + (size_t)length, ret_sequence, ret_content);
	explicit_bzero(record, STATE_HEADER + (size_t)length); /* this server's key is in it */
	free(record);
	return r;
}

int state_load(struct state *state, int fd, uint64_t size)
{
	uint64_t half = size / 2 / 4096 * 4096;
	bool known = state->sequence != 0;
	int copy;

	if (half < 2 * MARK_SIZE)
		return -EINVAL;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return -errno;
	if (state->fd >= 0)
		close(state->fd);
	state->fd = copy;
	state->half = half;
	state->next = 0;
	for (unsigned i = 0; i < 2; i++) {
		json_t *content;
		uint64_t sequence;

		/* A torn or foreign half is simply not there. */
		if (half_load(fd, i * half, half, &sequence, &content) < 0)
			continue;
		/* The numbers go round: a record with the highest of all, whoever wrote it, doesn't stay the newest for ever. */
		if (known && (int64_t)(sequence - state->sequence) < 0) {
			json_decref(content);
			continue;
		}
		json_decref(state->content);
		state->content = content;
		state->sequence = sequence;
		state->next = 1 - i;
		known = true;
	}
	return 0;
}

static int format_in_half(const struct state *state, const json_t *content, struct buffer *ret_record)
{
	int r = state_record_format(state->sequence + 1, content, ret_record);

	/* The last 4 KiB of the partition are the mark of arrival (mark.h). */
	if (r == 0 && ret_record->size > state->half - MARK_SIZE)
		r = -EFBIG;
	if (r < 0)
		buffer_release(ret_record);
	return r;
}

static bool is_top_level(const char *role)
{
	return strcmp(role, "root") == 0 || strcmp(role, "timestamp") == 0 || strcmp(role, "snapshot") == 0 ||
	       strcmp(role, "targets") == 0;
}

/* Removes the roles that accounts sign. Where an application comes from one of them, it is fetched again. */
static void forget_delegated(json_t *tuf)
{
	const char *role;
	json_t *text;
	void *next;

	json_object_foreach_safe(tuf, next, role, text)
		if (!is_top_level(role))
			json_object_del(tuf, role);
}

/* The content with less trusted metadata. NULL when out of memory. */
static json_t *without(const json_t *content, bool targets)
{
	/* jansson's copies take a non-const value and don't change it. */
	json_t *less = json_copy((json_t *)(uintptr_t)content), *tuf = json_copy(json_object_get(less, "tuf"));

	forget_delegated(tuf);
	if (targets)
		json_object_del(tuf, "targets");
	if (json_object_set_new(less, "tuf", tuf) == 0)
		return less;
	json_decref(less);
	return NULL;
}

/* The snapshot metadata holds the versions of all targets metadata, so without the latter a roll-back is still seen. */
static int format_what_fits(const struct state *state, struct buffer *ret_record)
{
	int r = format_in_half(state, state->content, ret_record);

	for (unsigned targets = 0; r == -EFBIG && targets < 2; targets++) {
		json_t *less = without(state->content, targets);

		if (less == NULL)
			return -ENOMEM;
		r = format_in_half(state, less, ret_record);
		json_decref(less);
	}
	return r;
}

int state_store(struct state *state)
{
	struct buffer record = { 0 };
	int r;

	if (state->fd < 0)
		return 0;
	r = format_what_fits(state, &record);
	if (r == 0)
		r = write_full_at(state->fd, record.data, record.size, state->next * state->half);
	if (r == 0 && fdatasync(state->fd) < 0)
		r = -errno;
	if (r == 0) {
		state->sequence++;
		state->next = 1 - state->next;
	}
	if (record.data != NULL)
		explicit_bzero(record.data, record.size);
	buffer_release(&record);
	return r;
}

void state_forget_account(struct state *state)
{
	static const char *const kept[] = { "format", "identity", "tuf", "roots", "time", "sanitize" };
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(state->content, next, name, value) {
		size_t i = 0;

		while (i < sizeof(kept) / sizeof(kept[0]) && strcmp(name, kept[i]) != 0)
			i++;
		if (i == sizeof(kept) / sizeof(kept[0]))
			json_object_del(state->content, name);
	}
	forget_delegated(json_object_get(state->content, "tuf"));
}

static int zero_half(const struct state *state, unsigned half)
{
	static const uint8_t zeros[65536];
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < state->half; at += sizeof(zeros)) {
		size_t size = state->half - at < sizeof(zeros) ? (size_t)(state->half - at) : sizeof(zeros);

		r = write_full_at(state->fd, zeros, size, half * state->half + at);
	}
	return r == 0 && fdatasync(state->fd) < 0 ? -errno : r;
}

int state_scrub(struct state *state)
{
	int r = 0;

	/* Twice: the half that holds the newest record then was zeros before it was written. */
	for (unsigned i = 0; r == 0 && state->fd >= 0 && i < 2; i++) {
		r = state_store(state);
		if (r == 0)
			r = zero_half(state, state->next);
	}
	return r;
}

/* ------------------------------------------------------------------ content */
static json_t *section(struct state *state, const char *name)
{
	json_t *object = json_get_object(state->content, name);

	if (object == NULL && json_object_set_new(state->content, name, json_object()) == 0)
		object = json_get_object(state->content, name);
	return object;
}

const char *state_slot(const struct state *state, const char *slot)
{
	const json_t *entry = json_get_object(json_get_object(state->content, "slots"), slot);
	const char *hash = json_get_string(entry, "root_hash");
	uint8_t digest[SHA256_SIZE];

	return hash != NULL && hex_parse(hash, digest, sizeof(digest)) == 0 ? hash : NULL;
}

int state_set_slot(struct state *state, const char *slot, const char *root_hash, const char *target)
{
	json_t *slots = section(state, "slots");

	if (slots == NULL)
		return -ENOMEM;
	if (root_hash == NULL) {
		json_object_del(slots, slot);
		return 0;
	}
	return json_object_set_new(slots, slot, json_pack("{s:s,s:s}", "root_hash", root_hash, "target", target)) < 0
		       ? -ENOMEM : 0;
}

int state_good(const struct state *state, const char *group)
{
	/* What was healthy last must survive an install (tries.h); before anything was, what was complete last. */
	const json_t *healthy = json_get_object(json_get_object(state->content, "healthy"), group);
	const char *slot = healthy != NULL ? json_get_string(healthy, "slot")
					   : json_get_string(json_get_object(state->content, "good"), group);

	if (slot == NULL || strlen(slot) != 2 || (slot[0] | 0x20) != group[0])
		return -1;
	return slot[1] == '0' ? 0 : slot[1] == '1' ? 1 : -1;
}

int state_set_good(struct state *state, const char *group, const char *slot)
{
	json_t *good = section(state, "good");

	return good == NULL || json_object_set_new(good, group, json_string(slot)) < 0 ? -ENOMEM : 0;
}

/* ------------------------------------------------------------------ TUF metadata in it */
static int load_text(const json_t *object, const char *key, size_t most, struct buffer *ret_data)
{
	const json_t *text = json_object_get(object, key);

	if (!json_is_string(text))
		return -ENOENT;
	if (json_string_length(text) > most)
		return -EFBIG;
	return buffer_add(ret_data, json_string_value(text), json_string_length(text));
}

static int tuf_load(void *context, const char *role, size_t most, struct buffer *ret_data)
{
	const struct state *state = context;

	return load_text(json_get_object(state->content, "tuf"), role, most, ret_data);
}

static int store_or_note(struct state *state)
{
	int r = state_store(state);

	if (r < 0)
		state->error = r;
	return 0;
}

static int tuf_store_role(void *context, const char *role, const void *data, size_t size)
{
	struct state *state = context;
	json_t *tuf = section(state, "tuf");
	const json_t *old = json_object_get(tuf, role);
	json_t *text;

	/* The same again needs no write: flash wears. */
	if (json_is_string(old) && json_string_length(old) == size && memcmp(json_string_value(old), data, size) == 0)
		return 0;
	/* Roles of applications that this server no longer has would gather. */
	if (old == NULL && !is_top_level(role) && json_object_size(tuf) >= STATE_ROLES_MOST)
		forget_delegated(tuf);
	text = json_stringn(data, size);
	if (text == NULL || json_object_set_new(tuf, role, text) < 0)
		return -EINVAL;
	return store_or_note(state);
}

static int tuf_remove(void *context, const char *role)
{
	struct state *state = context;
	json_t *tuf = json_get_object(state->content, "tuf");

	return json_object_del(tuf, role) == 0 ? store_or_note(state) : 0;
}

/* ------------------------------------------------------------------ the links to the newest root */
#define VERSION_SIZE 24

static const char *version_text(uint64_t version, char ret_text[VERSION_SIZE])
{
	snprintf(ret_text, VERSION_SIZE, "%" PRIu64, version);
	return ret_text;
}

static int tuf_load_root(void *context, uint64_t version, size_t most, struct buffer *ret_data)
{
	const struct state *state = context;
	char key[VERSION_SIZE];

	return load_text(json_get_object(state->content, "roots"), version_text(version, key), most, ret_data);
}

static size_t roots_size(json_t *roots)
{
	const char *key;
	const json_t *text;
	size_t size = 0;

	json_object_foreach(roots, key, text)
		size += json_string_length(text);
	return size;
}

/* A chain is of use from its begin on, so what has no room is its end. */
static int tuf_store_root(void *context, uint64_t version, const void *data, size_t size)
{
	struct state *state = context;
	json_t *roots = section(state, "roots"), *text;
	char key[VERSION_SIZE];

	json_object_del(roots, version_text(version, key));
	if (roots_size(roots) + size > STATE_ROOTS_MOST) {
		state->error = -EFBIG;
		return 0;
	}
	text = json_stringn(data, size);
	if (text == NULL || json_object_set_new(roots, key, text) < 0)
		return -EINVAL;
	return store_or_note(state);
}

/* Written with the next change: old links do no harm. */
static int tuf_keep_roots(void *context, uint64_t first, uint64_t last)
{
	const struct state *state = context;
	json_t *roots = json_get_object(state->content, "roots"), *text;
	const char *key;
	void *next;

	json_object_foreach_safe(roots, next, key, text) {
		uint64_t version = strtoull(key, NULL, 10);
		char again[VERSION_SIZE];

		if (version < first || version > last || strcmp(version_text(version, again), key) != 0 || !json_is_string(text))
			json_object_del(roots, key);
	}
	return 0;
}

struct tuf_store state_tuf_store(struct state *state)
{
	return (struct tuf_store){ .load = tuf_load, .store = tuf_store_role, .remove = tuf_remove,
				   .load_root = tuf_load_root, .store_root = tuf_store_root, .keep_roots = tuf_keep_roots,
				   .context = state };
}
