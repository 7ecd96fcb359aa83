/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer in two pieces, cut where its first byte says, must give what it gives in one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/http-answer.h"

#define MOST 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_answer whole = { 0 }, pieces = { 0 };
	size_t cut;
	int r, s;

	if (size < 1)
		return 0;
	cut = data[0] % size;
	data++;
	size--;
	r = http_answer_feed(&whole, data, size, MOST);
	if (r == 1 && (whole.status < 200 || whole.status > 599 || whole.body.size != whole.length || whole.length > MOST))
		abort();
	s = http_answer_feed(&pieces, data, cut, MOST);
	/* Whole before the end: what comes behind it in one piece is an error. */
	if (s == 0)
		s = http_answer_feed(&pieces, data + cut, size - cut, MOST);
	else if (s == 1 && cut < size)
		s = -1, r = r < 0 ? -1 : r;
	if ((r < 0) != (s < 0) || (r >= 0 && r != s))
		abort();
	if (r == 1 && (whole.body.size != pieces.body.size || memcmp(whole.body.data, pieces.body.data, whole.body.size) != 0))
		abort();
	http_answer_release(&whole);
	http_answer_release(&pieces);
	return 0;
}
