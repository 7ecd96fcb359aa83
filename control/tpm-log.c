// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/tpm-log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "signing/sha256.h"

#define HASHES_MOST 8u
#define HASH_BYTES_MOST 64u
#define OLD_DIGEST 20u
#define SPEC_ID "Spec ID Event03"
#define LOCALITY "StartupLocality"

/* The log's hashes, and where it is read. */
struct reader {
	const uint8_t *at;
	size_t left;
	size_t hashes;
	struct {
		uint16_t id, size;
	} hash[HASHES_MOST];
};

static const uint8_t *take(struct reader *reader, size_t size)
{
	const uint8_t *part = reader->at;

	if (size > reader->left)
		return NULL;
	reader->at += size;
	reader->left -= size;
	return part;
}

static bool take_32(struct reader *reader, uint32_t *ret_value)
{
	const uint8_t *part = take(reader, 4);

	*ret_value = part ? get_le32(part) : 0;
	return part != NULL;
}

/* The first event says which digests the others carry. */
static int take_header(struct reader *reader, char error[ERROR_TEXT])
{
	struct reader inner = { 0 };
	uint32_t pcr, type, size, count;
	const uint8_t *part;
	bool has_sha256 = false;

	if (!take_32(reader, &pcr) || !take_32(reader, &type) || !take(reader, OLD_DIGEST) || !take_32(reader, &size))
		return refused(error, "the firmware's log is cut off in its first event");
	inner.left = size;
	inner.at = take(reader, size);
	if (!inner.at)
		return refused(error, "the firmware's log is cut off in its first event");
	part = take(&inner, sizeof SPEC_ID);
	if (type != EVENT_NO_ACTION || !part || memcmp(part, SPEC_ID, sizeof SPEC_ID) || !take(&inner, 8) || !take_32(&inner, &count))
		return refused(error, "the firmware's log doesn't begin with \"" SPEC_ID "\": it is of another format");
	if (!count || count > HASHES_MOST)
		return refused(error, "the firmware's log names %u hashes", (unsigned)count);
	for (; reader->hashes < count; reader->hashes++) {
		part = take(&inner, 4);
		if (!part || !get_le16(part + 2) || get_le16(part + 2) > HASH_BYTES_MOST)
			return refused(error, "the firmware's log describes its hashes wrongly");
		reader->hash[reader->hashes].id = get_le16(part);
		reader->hash[reader->hashes].size = get_le16(part + 2);
		has_sha256 |= get_le16(part) == TPM_HASH_SHA256 && get_le16(part + 2) == TPM_DIGEST;
	}
	return has_sha256 ? 0 : refused(error, "the firmware's log has no SHA-256 digests; switch that PCR bank on in the firmware");
}

static bool take_digests(struct reader *reader, uint8_t ret_digest[TPM_DIGEST], bool *ret_found)
{
	uint32_t count;

	*ret_found = false;
	if (!take_32(reader, &count) || count > HASHES_MOST)
		return false;
	while (count--) {
		const uint8_t *id = take(reader, 2), *digest;
		size_t h = 0;

		while (id && h < reader->hashes && reader->hash[h].id != get_le16(id))
			h++;
		if (!id || h == reader->hashes)
			return false;
		digest = take(reader, reader->hash[h].size);
		if (!digest)
			return false;
		if (get_le16(id) == TPM_HASH_SHA256 && reader->hash[h].size == TPM_DIGEST) {
			memcpy(ret_digest, digest, TPM_DIGEST);
			*ret_found = true;
		}
	}
	return true;
}

/* Some firmware leaves room after its last event. */
static bool is_padding(const struct reader *reader)
{
	for (size_t i = 0; i < reader->left; i++)
		if (reader->at[i])
			return false;
	return true;
}

static int take_event(struct reader *reader, struct firmware_log *log, char error[ERROR_TEXT])
{
	struct firmware_event event, *grown;
	bool has_digest;
	uint32_t size;

	if (!take_32(reader, &event.pcr) || !take_32(reader, &event.type) || !take_digests(reader, event.digest, &has_digest) ||
	    !take_32(reader, &size) || size > reader->left)
		return refused(error, "the firmware's log is cut off or damaged after %zu events", log->count);
	event.size = size;
	event.data = take(reader, size);
	if (event.type == EVENT_NO_ACTION) {
		if (size == sizeof LOCALITY + 1 && !memcmp(event.data, LOCALITY, sizeof LOCALITY))
			log->locality = event.data[size - 1];
		return 0;
	}
	if (event.pcr >= PCRS || !has_digest)
		return refused(error, "event %zu of the firmware's log has no SHA-256 digest, or no PCR that there is", log->count + 1);
	if (!(log->count & (log->count - 1))) {
		grown = realloc(log->events, (log->count ? 2 * log->count : 1) * sizeof *grown);
		if (!grown)
			return -ENOMEM;
		log->events = grown;
	}
	log->events[log->count++] = event;
	return 0;
}

int firmware_log_parse(const uint8_t *data, size_t size, struct firmware_log *ret_log, char ret_error[ERROR_TEXT])
{
	struct reader reader = { .at = data, .left = size };
	struct firmware_log log = { 0 };
	int r;

	if (size > FIRMWARE_LOG_MOST)
		return refused(ret_error, "the firmware's log is longer than %u KiB", FIRMWARE_LOG_MOST >> 10);
	r = take_header(&reader, ret_error);
	while (!r && reader.left && !is_padding(&reader))
		r = take_event(&reader, &log, ret_error);
	if (r < 0)
		firmware_log_release(&log);
	else
		*ret_log = log;
	return r;
}

void firmware_log_release(struct firmware_log *log)
{
	free(log->events);
	*log = (struct firmware_log){ 0 };
}

static void extend(uint8_t value[TPM_DIGEST], const uint8_t digest[TPM_DIGEST])
{
	uint8_t both[2 * TPM_DIGEST];

	memcpy(both, value, TPM_DIGEST);
	memcpy(both + TPM_DIGEST, digest, TPM_DIGEST);
	sha256_once(both, sizeof both, value);
}

void firmware_log_replay(const struct firmware_log *log, uint32_t pcr, uint8_t ret_value[TPM_DIGEST])
{
	/* Those of the dynamic launch begin with ones. */
	memset(ret_value, pcr >= 17 && pcr <= 22 ? 0xff : 0, TPM_DIGEST);
	if (pcr == 0)
		ret_value[TPM_DIGEST - 1] = log->locality;
	for (size_t i = 0; i < log->count; i++)
		if (log->events[i].pcr == pcr)
			extend(ret_value, log->events[i].digest);
}

const char *firmware_event_name(uint32_t type)
{
	static const struct {
		uint32_t type;
		const char *name;
	} names[] = {
		{ 0x1, "EV_POST_CODE" }, { EVENT_SEPARATOR, "EV_SEPARATOR" }, { 0x5, "EV_ACTION" }, { 0x6, "EV_EVENT_TAG" },
		{ 0x7, "EV_S_CRTM_CONTENTS" }, { 0x8, "EV_S_CRTM_VERSION" }, { 0x9, "EV_CPU_MICROCODE" }, { 0xa, "EV_PLATFORM_CONFIG_FLAGS" },
		{ 0xb, "EV_TABLE_OF_DEVICES" }, { 0xc, "EV_COMPACT_HASH" }, { 0xd, "EV_IPL" }, { 0xf, "EV_NONHOST_CODE" },
		{ 0x10, "EV_NONHOST_CONFIG" }, { 0x12, "EV_OMIT_BOOT_DEVICE_EVENTS" }, { EVENT_VARIABLE, "EV_EFI_VARIABLE_DRIVER_CONFIG" },
		{ EVENT_BOOT_VARIABLE, "EV_EFI_VARIABLE_BOOT" }, { EVENT_APPLICATION, "EV_EFI_BOOT_SERVICES_APPLICATION" },
		{ 0x80000004, "EV_EFI_BOOT_SERVICES_DRIVER" }, { 0x80000005, "EV_EFI_RUNTIME_SERVICES_DRIVER" },
		{ 0x80000006, "EV_EFI_GPT_EVENT" }, { EVENT_ACTION, "EV_EFI_ACTION" }, { 0x80000008, "EV_EFI_PLATFORM_FIRMWARE_BLOB" },
		{ 0x80000009, "EV_EFI_HANDOFF_TABLES" }, { 0x8000000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2" },
		{ 0x8000000b, "EV_EFI_HANDOFF_TABLES2" }, { EVENT_BOOT_VARIABLE_2, "EV_EFI_VARIABLE_BOOT2" },
		{ 0x80000010, "EV_EFI_HCRTM_EVENT" }, { EVENT_AUTHORITY, "EV_EFI_VARIABLE_AUTHORITY" },
		{ 0x800000e1, "EV_EFI_SPDM_FIRMWARE_BLOB" }, { 0x800000e2, "EV_EFI_SPDM_FIRMWARE_CONFIG" },
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].type == type)
			return names[i].name;
	return "an event";
}

bool firmware_event_is(const struct firmware_event *event, const uint8_t *data, size_t size)
{
	uint8_t digest[TPM_DIGEST];

	sha256_once(data, size, digest);
	return !memcmp(digest, event->digest, sizeof digest);
}

/* UEFI_VARIABLE_DATA: GUID, length of the name in characters(64), length of the value(64), name in UTF-16, value. */
bool firmware_variable_parse(const struct firmware_event *event, struct firmware_variable *ret_variable)
{
	const uint8_t *data = event->data;
	uint64_t name, value;

	if (event->size < 32)
		return false;
	name = get_le64(data + 16);
	value = get_le64(data + 24);
	if (name > VARIABLE_NAME_MOST || 2 * name > event->size - 32 || value != event->size - 32 - 2 * name)
		return false;
	*ret_variable = (struct firmware_variable){ .value = data + 32 + 2 * name, .size = (size_t)value };
	memcpy(ret_variable->owner, data, sizeof ret_variable->owner);
	for (uint64_t i = 0; i < name; i++) {
		uint16_t letter = get_le16(data + 32 + 2 * i);

		ret_variable->name[i] = letter > 0x20 && letter < 0x7f ? (char)letter : '?';
	}
	return true;
}

/* ------------------------------------------------------------------ Repave's own */

static const char *whole_text(const json_t *object, const char *key, size_t most)
{
	const char *text = json_get_string(object, key);

	return text && strlen(text) == json_string_length(json_object_get(object, key)) && strlen(text) <= most ? text : NULL;
}

/* `number` is the one that it must have. */
static int parse_event(const json_t *record, uint64_t number, uint8_t value[TPM_DIGEST], struct repave_event *ret_event, char error[ERROR_TEXT])
{
	const json_t *content = json_get_object(record, "content"), *digests = json_get_array(record, "digests"), *digest;
	uint8_t said[TPM_DIGEST], is[TPM_DIGEST];
	uint64_t recnum = 0, pcr = 0;
	const char *hash;
	bool found = false;
	size_t i;

	ret_event->type = whole_text(content, "type", 64);
	ret_event->data = whole_text(content, "data", REPAVE_DATA_MOST);
	if (json_get_u64(record, "recnum", &recnum) < 0 || recnum != number || json_get_u64(record, "pcr", &pcr) < 0 || !ret_event->type ||
	    !ret_event->data || strspn(ret_event->type, "abcdefghijklmnopqrstuvwxyz.-") != strlen(ret_event->type))
		return refused(error, "record %llu of the system's log makes no sense", (unsigned long long)number);
	if (pcr != PCR_REPAVE)
		return refused(error, "record %llu of the system's log is about PCR %llu; Repave measures into PCR %u", (unsigned long long)number,
			       (unsigned long long)pcr, PCR_REPAVE);
	json_array_foreach(json_iterable(digests), i, digest) {
		hash = json_get_string(digest, "hashAlg");
		if (hash && !strcmp(hash, "sha256"))
			found = json_get_hex(digest, "digest", said, sizeof said) == 0;
	}
	sha256_once(ret_event->data, strlen(ret_event->data), is);
	if (!found || memcmp(said, is, sizeof is))
		return refused(error, "record %llu of the system's log (%s): its digest isn't that of its content", (unsigned long long)number,
			       ret_event->type);
	extend(value, is);
	return 0;
}

int repave_events_parse(const json_t *list, struct repave_events *ret_events, char ret_error[ERROR_TEXT])
{
	struct repave_events events = { 0 };
	const json_t *record;
	uint64_t first = 0;
	size_t i;

	if (list && (!json_is_array(list) || json_array_size(list) > REPAVE_EVENTS_MOST))
		return refused(ret_error, "\"events\" must be a list of at most %u records", REPAVE_EVENTS_MOST);
	/* Numbered from 0 or 1. */
	if (json_integer_value(json_object_get(json_array_get(list, 0), "recnum")) == 1)
		first = 1;
	json_array_foreach(json_iterable(list), i, record) {
		if (parse_event(record, first + i, events.value, &events.items[i], ret_error) < 0)
			return -EINVAL;
		events.count++;
	}
	*ret_events = events;
	return 0;
}

const char *repave_event_find(const struct repave_events *events, const char *type)
{
	const char *found = NULL;

	for (size_t i = 0; i < events->count; i++) {
		if (strcmp(events->items[i].type, type))
			continue;
		if (found)
			return NULL;
		found = events->items[i].data;
	}
	return found;
}
