// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/sanitizing.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"

bool boot_id_valid(const char *text)
{
	return strlen(text) == BOOT_ID_SIZE && text_of(text, "0123456789abcdef-", BOOT_ID_SIZE);
}

static bool order_valid(const char *text)
{
	return strlen(text) == SANITIZE_ORDER_SIZE && text_of(text, "0123456789abcdef", SANITIZE_ORDER_SIZE);
}

/* ------------------------------------------------------------------ what stage 1 says */

static int take_disk(const json_t *from, struct cleared_disk *disk)
{
	static const char *const keys[] = { "size", "cleared", "discarded", "erased" };
	uint64_t *const numbers[] = { &disk->size, &disk->cleared, &disk->discarded, &disk->erased };
	const char *name = json_get_string(from, "name");
	const json_t *offloaded = json_object_get(from, "offloaded");

	/* A server without a disk has nothing but memory. */
	if (!from || json_is_null(from))
		return 0;
	if (!name || !*name || strlen(name) >= sizeof disk->name || !text_of(name, "abcdefghijklmnopqrstuvwxyz0123456789", sizeof disk->name - 1) ||
	    !json_is_boolean(offloaded))
		return -EINVAL;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (json_get_u64(from, keys[i], numbers[i]) < 0 || *numbers[i] > INT64_MAX)
			return -EINVAL;
	strcpy(disk->name, name);
	disk->offloaded = json_is_true(offloaded);
	return disk->cleared <= disk->size && disk->discarded <= disk->cleared && disk->erased <= disk->discarded ? 0 : -EINVAL;
}

int cleared_parse(const void *body, size_t size, struct cleared *ret_cleared, char ret_error[ERROR_TEXT])
{
	char why[160];
	json_t *root = json_parse(body, size, why);
	const char *order = json_get_string(root, "order"), *boot_id = json_get_string(root, "boot_id"), *memory = json_get_string(root, "memory");
	const json_t *renewed = json_object_get(root, "key_renewed");
	const char *session = json_get_string(root, "attestation");
	uint64_t format = 0;
	int r = 0;

	*ret_cleared = (struct cleared){ 0 };
	if (!root)
		return refused(ret_error, "the body is %s", why);
	if (json_get_u64(root, "format", &format) < 0 || format != 1 || !order || !order_valid(order) || !boot_id || !boot_id_valid(boot_id))
		r = refused(ret_error, "the body must be an object with \"format\": 1, the order and the boot id");
	else if (!memory || (strcmp(memory, "requested") && strcmp(memory, "no firmware")))
		r = refused(ret_error, "\"memory\" must be \"requested\" or \"no firmware\"");
	else if (!json_is_boolean(renewed))
		r = refused(ret_error, "\"key_renewed\" must be true or false");
	else if (json_object_get(root, "attestation") && (!session || !nonce_valid(session)))
		r = refused(ret_error, "\"attestation\" must be a session of %u hexadecimal digits", NONCE_SIZE);
	else if (take_disk(json_object_get(root, "disk"), &ret_cleared->disk) < 0)
		r = refused(ret_error, "\"disk\" must be null, or have a name, offloaded, and numbers size >= cleared >= discarded >= erased");
	if (!r) {
		strcpy(ret_cleared->order, order);
		strcpy(ret_cleared->boot_id, boot_id);
		strcpy(ret_cleared->memory, memory);
		strcpy(ret_cleared->attestation, session ? session : "");
		ret_cleared->key_renewed = json_is_true(renewed);
	}
	json_decref(root);
	return r;
}

/* ------------------------------------------------------------------ in the store */

json_t *sanitizing_format(const struct sanitizing *s)
{
	const struct cleared_disk *d = &s->done.disk;

	return json_pack("{ss ss ss ss sI sI sI sI sI ss ss ss sb sb sb s{ss sI sI sI sI sb}}", "order", s->order, "from", s->from, "to", s->to, "reason",
			 s->reason, "ordered", (json_int_t)s->ordered, "began", (json_int_t)s->began, "cleared", (json_int_t)s->cleared, "ended",
			 (json_int_t)s->ended, "keys", (json_int_t)s->keys, "boot_id", s->done.boot_id, "memory", s->done.memory, "memory_after",
			 s->memory_after, "memory_zeroed", (int)s->memory_zeroed, "proved", (int)s->proved, "key_renewed", (int)s->done.key_renewed,
			 "disk", "name", d->name, "size", (json_int_t)d->size, "cleared", (json_int_t)d->cleared, "discarded", (json_int_t)d->discarded, "erased",
			 (json_int_t)d->erased, "offloaded", (int)d->offloaded);
}

static int read_text(const json_t *object, const char *key, char *ret_text, size_t room)
{
	const char *text = json_get_string(object, key);

	if (!text || strlen(text) >= room)
		return -EINVAL;
	strcpy(ret_text, text);
	return 0;
}

static int read_number(const json_t *object, const char *key, uint64_t *ret_value)
{
	return json_get_u64(object, key, ret_value) < 0 || *ret_value > INT64_MAX ? -EINVAL : 0;
}

static int read_time(const json_t *object, const char *key, int64_t *ret_value)
{
	uint64_t value = 0;
	int r = read_number(object, key, &value);

	*ret_value = (int64_t)value;
	return r;
}

static int read_disk(const json_t *from, struct cleared_disk *disk)
{
	if (read_text(from, "name", disk->name, sizeof disk->name) < 0 || read_number(from, "size", &disk->size) < 0 ||
	    read_number(from, "cleared", &disk->cleared) < 0 || read_number(from, "discarded", &disk->discarded) < 0 ||
	    read_number(from, "erased", &disk->erased) < 0)
		return -EINVAL;
	disk->offloaded = json_is_true(json_object_get(from, "offloaded"));
	return 0;
}

int sanitizing_read(const json_t *state, struct sanitizing *s)
{
	*s = (struct sanitizing){ 0 };
	if (read_text(state, "order", s->order, sizeof s->order) < 0 || read_text(state, "from", s->from, sizeof s->from) < 0 ||
	    read_text(state, "to", s->to, sizeof s->to) < 0 || read_text(state, "reason", s->reason, sizeof s->reason) < 0 ||
	    read_time(state, "ordered", &s->ordered) < 0 || read_time(state, "began", &s->began) < 0 ||
	    read_time(state, "cleared", &s->cleared) < 0 || read_time(state, "ended", &s->ended) < 0 || read_number(state, "keys", &s->keys) < 0 ||
	    read_text(state, "boot_id", s->done.boot_id, sizeof s->done.boot_id) < 0 ||
	    read_text(state, "memory", s->done.memory, sizeof s->done.memory) < 0 ||
	    read_text(state, "memory_after", s->memory_after, sizeof s->memory_after) < 0)
		return -EINVAL;
	/* Absent from what was stored before there was this. */
	s->memory_zeroed = json_is_true(json_object_get(state, "memory_zeroed"));
	s->proved = json_is_true(json_object_get(state, "proved"));
	s->done.key_renewed = json_is_true(json_object_get(state, "key_renewed"));
	return read_disk(json_get_object(state, "disk"), &s->done.disk);
}
