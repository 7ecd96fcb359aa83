// SPDX-License-Identifier: GPL-2.0-or-later
/* Pieces of evidence, from servers that are somebody else's: whatever is accepted is bounded and goes on. */
#include <stdlib.h>

#include "control/evidence-piece.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[ERROR_TEXT] = "";
	struct evidence_piece piece;

	if (evidence_piece_parse(data, size, &piece, error) < 0) {
		if (!error[0] || piece.data.data)
			abort();
		return 0;
	}
	if (!piece.order || piece.data.size > EVIDENCE_PIECE_MOST || (!piece.data.size && !piece.last))
		abort();
	evidence_piece_release(&piece);
	return 0;
}
