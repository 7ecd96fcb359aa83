// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/evidence-piece.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"

static int take(const json_t *root, struct evidence_piece *piece, char ret_error[ERROR_TEXT])
{
	const json_t *last = json_object_get(root, "last"), *data = json_object_get(root, "data");
	uint64_t format = 0;
	int r;

	if (json_get_u64(root, "format", &format) < 0 || format != 1)
		return refused(ret_error, "the body must be an object with \"format\": 1");
	if (json_get_u64(root, "order", &piece->order) < 0 || !piece->order || json_get_u64(root, "offset", &piece->offset) < 0 || !json_is_boolean(last))
		return refused(ret_error, "\"order\" and \"offset\" must be numbers, and \"last\" true or false");
	piece->last = json_is_true(last);
	if (!json_is_string(data) || strlen(json_string_value(data)) != json_string_length(data))
		return refused(ret_error, "\"data\" must be base64");
	r = base64_parse(json_string_value(data), &piece->data);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || piece->data.size > EVIDENCE_PIECE_MOST || (!piece->data.size && !piece->last))
		return refused(ret_error, "\"data\" must be base64 of 1 to %u bytes", EVIDENCE_PIECE_MOST);
	return 0;
}

int evidence_piece_parse(const void *body, size_t size, struct evidence_piece *ret_piece, char ret_error[ERROR_TEXT])
{
	char why[160];
	json_t *root = json_parse(body, size, why);
	int r;

	*ret_piece = (struct evidence_piece){ 0 };
	if (!root)
		return refused(ret_error, "the body is %s", why);
	r = take(root, ret_piece, ret_error);
	json_decref(root);
	if (r < 0)
		evidence_piece_release(ret_piece);
	return r;
}

void evidence_piece_release(struct evidence_piece *piece)
{
	buffer_release(&piece->data);
	*piece = (struct evidence_piece){ 0 };
}
