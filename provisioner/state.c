/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
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

int state_record_format(uint64_t sequence, const json_t *content, struct buffer *ret_record)
{
	uint8_t header[STATE_HEADER] = MAGIC;
	char *text = json_format(content);
	size_t length;
	int r;

	if (text == NULL)
		return -ENOMEM;
	length = strlen(text);
	r = length > STATE_PAYLOAD_MOST ? -EFBIG : 0;
	put_le64(header + AT_SEQUENCE, sequence);
	put_le32(header + AT_LENGTH, (uint32_t)length);
	sha256_once(text, length, header + AT_SHA256);
	if (r == 0)
		r = buffer_add(ret_record, header, sizeof(header));
	if (r == 0)
		r = buffer_add(ret_record, text, length);
	free(text);
	return r;
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
	free(record);
	return r;
}

int state_load(struct state *state, int fd, uint64_t size)
{
	uint64_t half = size / 2 / 4096 * 4096;
	bool known = state->sequence != 0;
	int copy;

	if (half < 4096)
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

	if (r == 0 && ret_record->size > state->half)
		r = -EFBIG;
	if (r < 0)
		buffer_release(ret_record);
	return r;
}

static json_t *without_targets(const json_t *content)
{
	/* jansson's copies take a non-const value and don't change it. */
	json_t *less = json_copy((json_t *)(uintptr_t)content), *tuf = json_copy(json_object_get(less, "tuf"));

	json_object_del(tuf, "targets");
	if (json_object_set_new(less, "tuf", tuf) == 0)
		return less;
	json_decref(less);
	return NULL;
}

/* The snapshot metadata holds the version of the targets metadata, so without the latter a roll-back is still seen. */
static int format_what_fits(const struct state *state, struct buffer *ret_record)
{
	int r = format_in_half(state, state->content, ret_record);
	json_t *less;

	if (r != -EFBIG)
		return r;
	less = without_targets(state->content);
	if (less != NULL)
		r = format_in_half(state, less, ret_record);
	json_decref(less);
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
	buffer_release(&record);
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
static int tuf_load(void *context, const char *role, size_t most, struct buffer *ret_data)
{
	const struct state *state = context;
	const json_t *text = json_object_get(json_get_object(state->content, "tuf"), role);

	if (!json_is_string(text))
		return -ENOENT;
	if (json_string_length(text) > most)
		return -EFBIG;
	return buffer_add(ret_data, json_string_value(text), json_string_length(text));
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

struct tuf_store state_tuf_store(struct state *state)
{
	return (struct tuf_store){ .load = tuf_load, .store = tuf_store_role, .remove = tuf_remove, .context = state };
}
