// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/node-api.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/log.h"
#include "control/node-request.h"
#include "control/route.h"

enum operation { BOOT, REPORT };

static const struct route routes[] = {
	{ "POST", "/v1/nodes/{}/boot", BOOT },
	{ "POST", "/v1/nodes/{}/report", REPORT },
};

static int find(const struct http_call *call, char ret_id[ROUTE_ARGUMENT_MOST + 1])
{
	return route_find(routes, sizeof routes / sizeof routes[0], call->method, call->path, ret_id);
}

static bool knows_token(const struct control *control, const char *authorization)
{
	static const char scheme[] = "Bearer ";

	if (!authorization || strncmp(authorization, scheme, sizeof scheme - 1))
		return false;
	authorization += sizeof scheme - 1;
	return strlen(authorization) == JOIN_TOKEN_SIZE &&
	       bytes_equal_ct(authorization, control->join_token, JOIN_TOKEN_SIZE);
}

void node_api_admit(void *context, const struct http_call *call, struct http_answer *answer)
{
	char id[ROUTE_ARGUMENT_MOST + 1];
	int operation;

	if (!knows_token(context, call->authorization)) {
		log_warning("%s was refused: it showed %s", call->peer,
			    call->authorization ? "a wrong join token" : "no join token");
		http_answer_error(answer, 401, "the join token is missing or wrong; the boot medium needs the control unit's join-token");
		return;
	}
	operation = find(call, id);
	if (operation == -EOPNOTSUPP)
		http_answer_error(answer, 405, "this address takes POST");
	else if (operation < 0)
		http_answer_error(answer, 404, "no such address");
	else if (!node_id_valid(id))
		http_answer_error(answer, 400, "a node's id is its DMI UUID in lower case");
}

static void refuse(struct http_answer *answer, const struct http_call *call, const char *id, int error, const char *why)
{
	if (error == -EINVAL) {
		log_warning("node %s at %s: %s", id, call->peer, why);
		http_answer_error(answer, 400, why);
		return;
	}
	http_answer_error(answer, 500, "the control unit failed; its log says more");
}

static void boot(struct control *control, const char *id, const struct http_call *call, struct http_answer *answer)
{
	struct boot_request request;
	const char *refusal;
	char why[ERROR_TEXT] = "";
	int64_t now;
	int r = boot_request_parse(call->body, call->body_size, id, &request, why);

	if (r < 0) {
		refuse(answer, call, id, r, why);
		return;
	}
	now = control_enter(control, false);
	refusal = catalogue_error(control->catalogue);
	if (refusal)
		snprintf(why, sizeof why, "the control unit refuses its repository: %.350s", refusal);
	r = fleet_boot(control->fleet, catalogue_images(control->catalogue), refusal ? why : NULL, id, &request, call->peer, now,
		       &answer->json);
	control_leave(control);
	boot_request_release(&request);
	if (r < 0)
		refuse(answer, call, id, log_error(r, "boot request of node %s", id), "");
	else
		answer->status = 200;
}

static void report(struct control *control, const char *id, const struct http_call *call, struct http_answer *answer)
{
	struct boot_report parsed;
	char why[ERROR_TEXT] = "";
	int64_t now;
	int r = boot_report_parse(call->body, call->body_size, &parsed, why);

	if (r < 0) {
		refuse(answer, call, id, r, why);
		return;
	}
	now = control_enter(control, false);
	r = fleet_report(control->fleet, id, &parsed, now);
	control_leave(control);
	if (r == -ENOENT) {
		log_warning("node %s at %s reports before it ever asked to boot%s%s", id, call->peer,
			    parsed.error[0] ? ": " : "", parsed.error);
		http_answer_error(answer, 404, "this node never asked to boot");
	} else if (r < 0) {
		refuse(answer, call, id, log_error(r, "report of node %s", id), "");
	} else {
		answer->status = 204;
	}
	boot_report_release(&parsed);
}

void node_api_answer(void *context, const struct http_call *call, struct http_answer *answer)
{
	char id[ROUTE_ARGUMENT_MOST + 1];

	switch (find(call, id)) {
	case BOOT:
		boot(context, id, call, answer);
		break;
	case REPORT:
		report(context, id, call, answer);
		break;
	default:
		http_answer_error(answer, 404, "no such address");
	}
}
