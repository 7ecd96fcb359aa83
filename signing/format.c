/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/format.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium/crypto_hash_sha512.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "signing/format-private.h"
#include "signing/sha256.h"

static const char *const type_names[] = { "root", "timestamp", "snapshot", "targets" };

int tuf_bad(char *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, TUF_ERROR_SIZE, format, arguments);
	va_end(arguments);
	return -EBADMSG;
}

const char *tuf_type_name(enum tuf_type type)
{
	return type_names[type];
}

bool tuf_is_top_level(const char *role)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(*type_names); i++)
		if (strcmp(role, type_names[i]) == 0)
			return true;
	return false;
}

/* ------------------------------------------------------------------ time */

int tuf_time_parse(const char *text, int64_t *ret_time)
{
	static const char pattern[] = "dddd-dd-ddTdd:dd:ddZ";
	struct tm tm = { 0 }, again;
	time_t time;

	if (strlen(text) != strlen(pattern))
		return -EINVAL;
	for (size_t i = 0; pattern[i]; i++)
		if (pattern[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != pattern[i])
			return -EINVAL;
	tm.tm_year = atoi(text) - 1900;
	tm.tm_mon = atoi(text + 5) - 1;
	tm.tm_mday = atoi(text + 8);
	tm.tm_hour = atoi(text + 11);
	tm.tm_min = atoi(text + 14);
	tm.tm_sec = atoi(text + 17);
	again = tm;
	time = timegm(&again);
	/* timegm makes 2 March of 30 February; such a date is no date. */
	if (again.tm_year != tm.tm_year || again.tm_mon != tm.tm_mon || again.tm_mday != tm.tm_mday ||
	    again.tm_hour != tm.tm_hour || again.tm_min != tm.tm_min || again.tm_sec != tm.tm_sec)
		return -EINVAL;
	*ret_time = time;
	return 0;
}

int tuf_time_format(int64_t time, char ret_text[24])
{
	time_t seconds = time;
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || tm.tm_year < 0 || tm.tm_year > 9999 - 1900)
		return -EINVAL;
	strftime(ret_text, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return 0;
}

/* ------------------------------------------------------------------ names of files */

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_.-~", c));
}

void tuf_role_file_name(const char *role, uint64_t version, char ret_name[TUF_FILE_NAME_SIZE])
{
	static const char digits[] = "0123456789ABCDEF";
	char *p = ret_name, *most = ret_name + TUF_FILE_NAME_SIZE - sizeof("%00.json");

	if (version > 0)
		p += snprintf(p, 22, "%" PRIu64 ".", version);
	for (; *role && p <= most; role++) {
		unsigned char c = (unsigned char)*role;

		if (is_unreserved(*role)) {
			*p++ = *role;
		} else {
			*p++ = '%';
			*p++ = digits[c >> 4];
			*p++ = digits[c & 15];
		}
	}
	memcpy(p, ".json", sizeof(".json"));
}

/* ------------------------------------------------------------------ documents */

/* The entries of targets, snapshot and timestamp are looked up by name, by the thousand. */
static struct tree entries_of(enum tuf_type type, struct tree body)
{
	return type == TUF_ROOT ? (struct tree){ 0 } : tree_get(body, type == TUF_TARGETS ? "targets" : "meta");
}

static struct tree entry_key(const struct tuf_document *document, size_t n)
{
	const char *text = (const char *)document->data.data;

	return (struct tree){ text + document->index[n], text + document->data.size };
}

static int compare_places(const void *a, const void *b, void *context)
{
	const struct buffer *data = context;
	const char *text = (const char *)data->data, *end = text + data->size;
	const uint32_t *left = a, *right = b;

	return tree_compare((struct tree){ text + *left, end }, (struct tree){ text + *right, end });
}

static int make_index(struct tuf_document *document)
{
	struct tree entries = entries_of(document->type, document->body);
	struct tree_steps steps = tree_begin(entries);
	const char *text = (const char *)document->data.data;
	size_t count = tree_count(entries);

	document->index = calloc(count + 1, sizeof(*document->index));
	if (!document->index)
		return -ENOMEM;
	while (document->count < count && tree_next(&steps))
		document->index[document->count++] = (uint32_t)(steps.key.text - text);
	if (count > 1)
		qsort_r(document->index, count, sizeof(*document->index), compare_places, &document->data);
	return 0;
}

int tuf_document_take(enum tuf_type type, struct buffer *data, struct tuf_document *ret_document, char *ret_error)
{
	struct tuf_document document = { .type = type };
	char error[TREE_ERROR_SIZE] = "";
	struct tree whole = { 0 };
	int r = tree_parse(data->data, data->size, &whole, error);

	if (r < 0) {
		tuf_bad(ret_error, "%s", error);
		return r;
	}
	r = tuf_check_form(whole, &document, ret_error);
	if (r < 0)
		return r;
	document.data = *data;
	r = make_index(&document);
	if (r < 0) {
		tuf_bad(ret_error, "out of memory");
		return r;
	}
	*data = (struct buffer){ 0 };
	*ret_document = document;
	return 0;
}

int tuf_document_parse(enum tuf_type type, const void *data, size_t size, struct tuf_document *ret_document,
		       char *ret_error)
{
	struct buffer copy = { 0 };
	int r = buffer_add(&copy, data, size);

	if (r < 0)
		tuf_bad(ret_error, "out of memory");
	else
		r = tuf_document_take(type, &copy, ret_document, ret_error);
	buffer_release(&copy);
	return r;
}

void tuf_document_release(struct tuf_document *document)
{
	buffer_release(&document->data);
	free(document->index);
	memset(document, 0, sizeof(*document));
}

/* ------------------------------------------------------------------ entries */

/* The entry of that name, or TREE_NONE. */
static struct tree find_entry(const struct tuf_document *document, const char *name)
{
	size_t low = 0, high = document->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct tree key = entry_key(document, middle);
		int order = tree_compare_text(key, name);

		if (order == 0)
			return tree_value_of(key);
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return (struct tree){ 0 };
}

static struct tuf_file read_entry(struct tree entry)
{
	struct tuf_file file = { .hashes = tree_get(entry, "hashes"), .custom = tree_get(entry, "custom") };

	tree_u64(tree_get(entry, "version"), &file.version);
	file.has_length = tree_u64(tree_get(entry, "length"), &file.length) == 0;
	return file;
}

static int find_file(const struct tuf_document *document, const char *name, struct tuf_file *ret_file)
{
	struct tree entry = find_entry(document, name);

	if (tree_is_none(entry))
		return -ENOENT;
	*ret_file = read_entry(entry);
	return 0;
}

int tuf_file_of(const struct tuf_document *document, const char *name, struct tuf_file *ret_file)
{
	return document->type == TUF_TARGETS ? -ENOENT : find_file(document, name, ret_file);
}

int tuf_target_of(const struct tuf_document *targets, const char *path, struct tuf_file *ret_file)
{
	return targets->type == TUF_TARGETS ? find_file(targets, path, ret_file) : -ENOENT;
}

void tuf_target_at(const struct tuf_document *targets, size_t n, struct tree *ret_path, struct tuf_file *ret_file)
{
	*ret_path = entry_key(targets, n);
	*ret_file = read_entry(tree_value_of(*ret_path));
}

int tuf_check_snapshot_rollback(const struct tuf_document *old, const struct tuf_document *new, char *ret_error)
{
	char label[100];
	size_t at = 0;

	/* Both are in the same order, so one walk over each is enough. */
	for (size_t i = 0; i < old->count; i++) {
		struct tree name = entry_key(old, i);
		struct tuf_file before = read_entry(tree_value_of(name)), after;

		while (at < new->count && tree_compare(entry_key(new, at), name) < 0)
			at++;
		tree_label(name, label, sizeof(label));
		if (at == new->count || tree_compare(entry_key(new, at), name) != 0)
			return tuf_bad(ret_error, "no longer names %s, which was seen before", label);
		after = read_entry(tree_value_of(entry_key(new, at)));
		if (after.version < before.version)
			return tuf_bad(ret_error, "names version %" PRIu64 " of %s, older than version %" PRIu64
				       ", which was seen before: this repository was rolled back", after.version, label,
				       before.version);
	}
	return 0;
}

/* ------------------------------------------------------------------ files named by metadata */

static int hash_sha256(const void *data, size_t size, uint8_t *ret_digest)
{
	sha256_once(data, size, ret_digest);
	return SHA256_SIZE;
}

static int hash_sha512(const void *data, size_t size, uint8_t *ret_digest)
{
	crypto_hash_sha512(ret_digest, data, size);
	return crypto_hash_sha512_BYTES;
}

int tuf_check_file(const struct tuf_file *file, const void *data, size_t size, char *ret_error)
{
	static const struct {
		const char *name;
		int (*hash)(const void *data, size_t size, uint8_t *ret_digest);
	} kinds[] = { { "sha256", hash_sha256 }, { "sha512", hash_sha512 } };
	uint8_t wanted[crypto_hash_sha512_BYTES], digest[crypto_hash_sha512_BYTES];
	unsigned known = 0;

	if (file->has_length && size != file->length)
		return tuf_bad(ret_error, "has %zu bytes, but %" PRIu64 " are signed", size, file->length);
	if (tree_is_none(file->hashes))
		return 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct tree hash = tree_get(file->hashes, kinds[i].name);
		size_t length;

		if (tree_is_none(hash))
			continue;
		known++;
		length = (size_t)kinds[i].hash(data, size, digest);
		if (tree_hex(hash, wanted, length) < 0 || memcmp(wanted, digest, length) != 0)
			return tuf_bad(ret_error, "isn't the file that was signed: its %s differs", kinds[i].name);
	}
	return known > 0 ? 0 : tuf_bad(ret_error, "is signed with hashes of unknown kinds only");
}

bool tuf_root_consistent(const struct tuf_document *root)
{
	return tree_kind(tree_get(root->body, "consistent_snapshot")) == TREE_TRUE;
}
