/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/operator-answer.h"

#include <errno.h>

#include "control/control.h"

void answer_json(struct http_answer *answer, json_t *json)
{
	if (json) {
		answer->json = json;
		answer->status = 200;
	} else {
		http_answer_error(answer, 500, "out of memory");
	}
}

void answer_failure(struct http_answer *answer, int error, const char *why)
{
	http_answer_error(answer, control_status(error), why[0] ? why : "the control unit failed; its log says more");
}
