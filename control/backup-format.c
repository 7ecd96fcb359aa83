// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/backup-format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

static const char *const plain_names[] = { "ca.pem", "ca.key", "server.pem", "server.key", "join-token", "secret.key", "root.json",
					   BACKUP_DATABASE };
/* Without these nothing of a fleet is left. */
static const char *const needed_names[] = { "ca.pem", "ca.key", "server.pem", "server.key", "join-token", BACKUP_DATABASE };
#define COUNT(names) (sizeof(names) / sizeof((names)[0]))

/* Offsets in a header, and lengths. */
enum { MODE_AT = 100, UID_AT = 108, GID_AT = 116, SIZE_AT = 124, TIME_AT = 136, SUM_AT = 148, TYPE_AT = 156, MAGIC_AT = 257,
       PREFIX_AT = 345 };

bool backup_name_ok(const char *name)
{
	const char *at;

	for (size_t i = 0; i < COUNT(plain_names); i++)
		if (!strcmp(name, plain_names[i]))
			return true;
	if (strncmp(name, "tuf/", 4) || name[4] == '.' || !name[4] || strlen(name) > BACKUP_NAME_MOST)
		return false;
	for (at = name + 4; *at; at++)
		if (*at <= ' ' || *at >= 0x7f || *at == '/')
			return false;
	return true;
}

void backup_manifest_release(struct backup_manifest *manifest)
{
	free(manifest->files);
	*manifest = (struct backup_manifest){ 0 };
}

int backup_manifest_format(const struct backup_manifest *manifest, struct buffer *ret_text)
{
	json_t *files = json_array(), *all;
	char digest[65], *text;
	int r;

	for (size_t i = 0; i < manifest->count; i++) {
		hex_format(manifest->files[i].sha256, 32, digest);
		json_array_append_new(files, json_pack("{ss sI ss}", "name", manifest->files[i].name, "size",
						       (json_int_t)manifest->files[i].size, "sha256", digest));
	}
	all = json_pack("{si sI so}", "format", 1, "made", (json_int_t)manifest->made, "files", files);
	text = all ? json_dumps(all, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
	r = text ? buffer_printf(ret_text, "%s\n", text) : -ENOMEM;
	free(text);
	json_decref(all);
	return r;
}

static int parse_file(const json_t *entry, struct backup_file *ret_file)
{
	const char *name = json_get_string(entry, "name");

	if (!name || !backup_name_ok(name) || json_get_u64(entry, "size", &ret_file->size) < 0 || ret_file->size > BACKUP_SIZE_MOST ||
	    json_get_hex(entry, "sha256", ret_file->sha256, 32) < 0)
		return -EINVAL;
	strcpy(ret_file->name, name);
	return 0;
}

static bool has_file(const struct backup_manifest *manifest, const char *name)
{
	for (size_t i = 0; i < manifest->count; i++)
		if (!strcmp(manifest->files[i].name, name))
			return true;
	return false;
}

static int parse_files(const json_t *list, struct backup_manifest *manifest, char ret_error[ERROR_TEXT])
{
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		struct backup_file file;

		if (parse_file(entry, &file) < 0 || has_file(manifest, file.name))
			return refused(ret_error, "its manifest is damaged at file %zu", i + 1);
		manifest->files[manifest->count++] = file;
	}
	for (i = 0; i < COUNT(needed_names); i++)
		if (!has_file(manifest, needed_names[i]))
			return refused(ret_error, "there is no %s in it", needed_names[i]);
	return 0;
}

int backup_manifest_parse(const void *text, size_t size, struct backup_manifest *ret_manifest, char ret_error[ERROR_TEXT])
{
	struct backup_manifest manifest = { 0 };
	char why[160];
	json_t *all = json_parse(text, size, why);
	const json_t *list = json_get_array(all, "files");
	uint64_t format = 0, made = 0;
	int r = 0;

	if (!all || json_get_u64(all, "format", &format) < 0)
		r = refused(ret_error, "its manifest can't be read");
	else if (format != 1)
		r = refused(ret_error, "a newer version of repave made it (format %llu); use that one", (unsigned long long)format);
	else if (!list || json_get_u64(all, "made", &made) < 0 || json_array_size(list) > BACKUP_FILES_MOST)
		r = refused(ret_error, "its manifest is damaged");
	manifest.made = (int64_t)made;
	if (!r) {
		manifest.files = calloc(json_array_size(list) + 1, sizeof *manifest.files);
		r = manifest.files ? parse_files(list, &manifest, ret_error) : -ENOMEM;
	}
	json_decref(all);
	if (r < 0)
		backup_manifest_release(&manifest);
	else
		*ret_manifest = manifest;
	return r;
}

/* ------------------------------------------------------------------ headers */

/* With the field of the sum itself as blanks. */
static unsigned sum_of(const uint8_t header[BACKUP_BLOCK])
{
	unsigned sum = 0;

	for (size_t i = 0; i < BACKUP_BLOCK; i++)
		sum += i >= SUM_AT && i < TYPE_AT ? ' ' : header[i];
	return sum;
}

static void put_octal(uint8_t *field, size_t digits, uint64_t value)
{
	while (digits--) {
		field[digits] = (uint8_t)('0' + (value & 7));
		value >>= 3;
	}
}

/* Digits, ended by NUL or a blank. */
static int get_octal(const uint8_t *field, size_t digits, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (size_t i = 0; i < digits; i++) {
		if (field[i] < '0' || field[i] > '7')
			return -EINVAL;
		value = value << 3 | (uint64_t)(field[i] - '0');
	}
	*ret_value = value;
	return field[digits] == 0 || field[digits] == ' ' ? 0 : -EINVAL;
}

void backup_header_format(const char *name, uint64_t size, int64_t time, uint8_t ret_header[BACKUP_BLOCK])
{
	memset(ret_header, 0, BACKUP_BLOCK);
	memcpy(ret_header, name, strnlen(name, BACKUP_NAME_MOST));
	put_octal(ret_header + MODE_AT, 7, 0600);
	put_octal(ret_header + UID_AT, 7, 0);
	put_octal(ret_header + GID_AT, 7, 0);
	put_octal(ret_header + SIZE_AT, 11, size);
	put_octal(ret_header + TIME_AT, 11, (uint64_t)time);
	ret_header[TYPE_AT] = '0';
	memcpy(ret_header + MAGIC_AT, "ustar\00000", 8);
	put_octal(ret_header + SUM_AT, 6, sum_of(ret_header));
	ret_header[SUM_AT + 7] = ' ';
}

int backup_header_parse(const uint8_t header[BACKUP_BLOCK], char ret_name[BACKUP_NAME_MOST + 1], uint64_t *ret_size)
{
	uint64_t sum;

	if (get_octal(header + SUM_AT, 6, &sum) < 0 || sum != sum_of(header) || memcmp(header + MAGIC_AT, "ustar\00000", 8) ||
	    header[TYPE_AT] != '0' || header[PREFIX_AT] || header[BACKUP_NAME_MOST] || !header[0])
		return -EINVAL;
	memcpy(ret_name, header, BACKUP_NAME_MOST + 1);
	return get_octal(header + SIZE_AT, 11, ret_size);
}
