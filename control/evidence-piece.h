/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A piece of the evidence that an agent sends: parser of "POST /v1/agents/{id}/evidence" of docs/protocol.md. Pure. What is in it is a
 * compromised server's word: bytes to keep, which nobody here reads. */
#ifndef CONTROL_EVIDENCE_PIECE_H
#define CONTROL_EVIDENCE_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "control/names.h"

#define EVIDENCE_PIECE_MOST (40u * 1024) /* as base64 in a body below NODE_BODY_MOST */

struct evidence_piece {
	uint64_t order;             /* that asked for it */
	uint64_t offset;            /* of the first byte */
	bool last;
	struct buffer data;         /* owned */
};

/* 0 (the caller releases); -EINVAL with a sentence; -ENOMEM. */
int evidence_piece_parse(const void *body, size_t size, struct evidence_piece *ret_piece, char ret_error[ERROR_TEXT]);
void evidence_piece_release(struct evidence_piece *piece);

#endif
