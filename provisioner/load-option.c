/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/load-option.h"

#include <string.h>

#define ACTIVE 1u
#define MEDIA_PATH 4u
#define HARD_DRIVE 1u
#define FILE_PATH 4u
#define END_PATH 0x7fu
#define END_ENTIRE 0xffu
#define NODE_HEAD 4u
#define HARD_DRIVE_SIZE 42u
#define FORMAT_GPT 2u
#define SIGNATURE_GUID 2u
#define HEAD_SIZE 6u

static size_t ucs2_size(const char *text)
{
	return 2 * (strlen(text) + 1);
}

static int add_ucs2(struct buffer *data, const char *text)
{
	int r = 0;

	do {
		uint8_t unit[2] = { (uint8_t)*text, 0 };

		r = buffer_add(data, unit, sizeof(unit));
	} while (r == 0 && *text++ != '\0');
	return r;
}

static int add_node_head(struct buffer *data, uint8_t type, uint8_t subtype, size_t length)
{
	uint8_t head[NODE_HEAD] = { type, subtype };

	put_le16(head + 2, (uint16_t)length);
	return buffer_add(data, head, sizeof(head));
}

static int add_hard_drive(const struct load_option *option, struct buffer *data)
{
	uint8_t node[HARD_DRIVE_SIZE - NODE_HEAD] = { 0 };
	int r = add_node_head(data, MEDIA_PATH, HARD_DRIVE, HARD_DRIVE_SIZE);

	put_le32(node, option->partition);
	put_le64(node + 4, option->first);
	put_le64(node + 12, option->sectors);
	memcpy(node + 20, option->guid, 16);
	node[36] = FORMAT_GPT;
	node[37] = SIGNATURE_GUID;
	return r == 0 ? buffer_add(data, node, sizeof(node)) : r;
}

int load_option_format(const struct load_option *option, struct buffer *ret_data)
{
	size_t file = NODE_HEAD + ucs2_size(option->file);
	uint8_t head[HEAD_SIZE];
	int r;

	put_le32(head, ACTIVE);
	put_le16(head + 4, (uint16_t)(HARD_DRIVE_SIZE + file + NODE_HEAD));
	r = buffer_add(ret_data, head, sizeof(head));
	if (r == 0)
		r = add_ucs2(ret_data, option->description);
	if (r == 0)
		r = add_hard_drive(option, ret_data);
	if (r == 0)
		r = add_node_head(ret_data, MEDIA_PATH, FILE_PATH, file);
	if (r == 0)
		r = add_ucs2(ret_data, option->file);
	if (r == 0)
		r = add_node_head(ret_data, END_PATH, END_ENTIRE, NODE_HEAD);
	return r == 0 ? add_ucs2(ret_data, option->cmdline) : r;
}

bool load_option_is(const void *data, size_t size, const char *description)
{
	const uint8_t *at = data;
	size_t length = strlen(description) + 1;

	if (size < HEAD_SIZE || size - HEAD_SIZE < 2 * length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (get_le16(at + HEAD_SIZE + 2 * i) != (uint8_t)description[i])
			return false;
	return true;
}
