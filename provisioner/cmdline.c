/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/cmdline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SPACE " \t\r\n"
/* 2^40 blocks: the bound of the verity layout. */
#define DATA_BLOCKS_MOST (UINT64_C(1) << 40)
#define START_TEXT_MOST (5 + 1 + 32 + 1 + 36 + 1 + 36 + 1)
#define SLOT_TEXT_MOST (36 + 1 + 20 + 1 + 64 + 1 + 2 * BOOT_SALT_MOST + 1)

/* The next word at or after *position; its length goes to `ret_length`. NULL at the end. */
static const char *next_word(const char **position, size_t *ret_length)
{
	const char *word = *position + strspn(*position, SPACE);

	*ret_length = strcspn(word, SPACE);
	*position = word + *ret_length;
	return *ret_length > 0 ? word : NULL;
}

static bool has_key(const char *cmdline, const char *key)
{
	size_t key_length = strlen(key), length;
	const char *word;

	while ((word = next_word(&cmdline, &length)) != NULL)
		if (length > key_length && word[key_length] == '=' && strncmp(word, key, key_length) == 0)
			return true;
	return false;
}

int cmdline_value(const char *cmdline, const char *key, char *ret_value, size_t room)
{
	size_t key_length = strlen(key), length;
	const char *word;
	int r = -ENOENT;

	while ((word = next_word(&cmdline, &length)) != NULL) {
		if (length <= key_length || word[key_length] != '=' || strncmp(word, key, key_length) != 0)
			continue;
		if (r == 0)
			return -EINVAL;
		length -= key_length + 1;
		if (length >= room)
			return -ENOSPC;
		memcpy(ret_value, word + key_length + 1, length);
		ret_value[length] = '\0';
		r = 0;
	}
	return r;
}

static bool partuuid_ok(const char *text)
{
	for (unsigned i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : text[i] == '\0' || strchr("0123456789abcdef", text[i]) == NULL)
			return false;
	}
	return text[36] == '\0';
}

static int salt_parse(const char *text, struct boot_slot *slot)
{
	size_t digits = strlen(text);

	slot->salt_size = 0;
	if (strcmp(text, "-") == 0)
		return 0;
	if (digits == 0 || digits % 2 != 0 || digits / 2 > BOOT_SALT_MOST)
		return -EINVAL;
	slot->salt_size = (uint32_t)(digits / 2);
	return hex_parse(text, slot->salt, slot->salt_size);
}

int cmdline_boot_slot(const char *cmdline, const char *key, struct boot_slot *ret_slot)
{
	char text[SLOT_TEXT_MOST], *field[4], *rest = text;
	int r = cmdline_value(cmdline, key, text, sizeof(text));

	if (r < 0)
		return r == -ENOENT ? r : -EINVAL;
	for (unsigned i = 0; i < 4; i++)
		field[i] = strsep(&rest, ":");
	if (field[3] == NULL || rest != NULL)
		return -EINVAL;
	memset(ret_slot, 0, sizeof(*ret_slot));
	if ((strcmp(field[0], "ram") != 0 && !partuuid_ok(field[0])) || parse_u64(field[1], &ret_slot->data_blocks) < 0 || ret_slot->data_blocks == 0 ||
	    ret_slot->data_blocks > DATA_BLOCKS_MOST ||
	    hex_parse(field[2], ret_slot->root_hash, sizeof(ret_slot->root_hash)) < 0)
		return -EINVAL;
	snprintf(ret_slot->partuuid, sizeof(ret_slot->partuuid), "%s", field[0]);
	return salt_parse(field[3], ret_slot);
}

int cmdline_add_boot_slot(struct buffer *cmdline, const char *key, const struct boot_slot *slot)
{
	char root[65], salt[2 * BOOT_SALT_MOST + 1] = "-";

	hex_format(slot->root_hash, sizeof(slot->root_hash), root);
	if (slot->salt_size > 0)
		hex_format(slot->salt, slot->salt_size, salt);
	return buffer_printf(cmdline, " %s=%s:%" PRIu64 ":%s:%s", key, slot->partuuid, slot->data_blocks, root, salt);
}

const char *start_way_name(enum start_way way)
{
	return way == START_RESET ? "reset" : "kexec";
}

int start_way_parse(const char *text, enum start_way *ret_way)
{
	if (strcmp(text, "kexec") == 0)
		*ret_way = START_KEXEC;
	else if (strcmp(text, "reset") == 0)
		*ret_way = START_RESET;
	else
		return -EINVAL;
	return 0;
}

int cmdline_boot_start(const char *cmdline, struct boot_start *ret_start)
{
	char text[START_TEXT_MOST], *field[4], *rest = text;
	int r = cmdline_value(cmdline, "repave.start", text, sizeof(text));

	if (r < 0)
		return r == -ENOENT ? r : -EINVAL;
	for (unsigned i = 0; i < 4; i++)
		field[i] = strsep(&rest, ":");
	if (field[3] == NULL || rest != NULL || start_way_parse(field[0], &ret_start->way) < 0 || strlen(field[1]) != 32 ||
	    field[1][strspn(field[1], "0123456789abcdef")] != '\0' || !partuuid_ok(field[2]) ||
	    (ret_start->way == START_RESET ? !partuuid_ok(field[3]) : strcmp(field[3], "-") != 0))
		return -EINVAL;
	strcpy(ret_start->nonce, field[1]);
	strcpy(ret_start->state, field[2]);
	strcpy(ret_start->esp, field[3]);
	return 0;
}

int cmdline_add_boot_start(struct buffer *cmdline, const struct boot_start *start)
{
	return buffer_printf(cmdline, " repave.start=%s:%s:%s:%s", start_way_name(start->way), start->nonce, start->state,
			     start->esp);
}

int cmdline_add_consoles(struct buffer *cmdline, const char *from)
{
	const char *word;
	size_t length;

	while ((word = next_word(&from, &length)) != NULL) {
		int r = 0;

		if (length > 8 && strncmp(word, "console=", 8) == 0)
			r = buffer_printf(cmdline, "%s%.*s", cmdline->size > 0 ? " " : "", (int)length, word);
		if (r < 0)
			return r;
	}
	return 0;
}

int cmdline_merge(struct buffer *cmdline, const char *more)
{
	const char *word;
	size_t length;
	int r = 0;

	while (r == 0 && (word = next_word(&more, &length)) != NULL) {
		const char *equals = memchr(word, '=', length);
		char key[64];
		bool known = equals == NULL || (size_t)(equals - word) >= sizeof(key);

		if (!known) {
			snprintf(key, sizeof(key), "%.*s", (int)(equals - word), word);
			known = cmdline->size > 0 && has_key((const char *)cmdline->data, key);
		}
		if (!known)
			r = buffer_printf(cmdline, " %.*s", (int)length, word);
	}
	return r;
}
