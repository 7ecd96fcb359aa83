// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-api.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "common/log.h"
#include "control/route.h"

enum operation { LIST_NODES, SHOW_NODE, SHOW_STATE, ASSIGN, LIST_IMAGES, SHOW_STATUS, SHOW_DEFAULT, SET_DEFAULT };

static const struct route routes[] = {
	{ "GET", "/v1/nodes", LIST_NODES },
	{ "GET", "/v1/nodes/{}", SHOW_NODE },
	{ "GET", "/v1/nodes/{}/state", SHOW_STATE },
	{ "PUT", "/v1/nodes/{}/assignment", ASSIGN },
	{ "GET", "/v1/images", LIST_IMAGES },
	{ "GET", "/v1/status", SHOW_STATUS },
	{ "GET", "/v1/default-assignment", SHOW_DEFAULT },
	{ "PUT", "/v1/default-assignment", SET_DEFAULT },
};

static void answer_json(struct http_answer *answer, json_t *json)
{
	if (json) {
		answer->json = json;
		answer->status = 200;
	} else {
		http_answer_error(answer, 500, "out of memory");
	}
}

static void answer_failure(struct http_answer *answer, int error, const char *why)
{
	http_answer_error(answer, control_status(error), why[0] ? why : "the control unit failed; its log says more");
}

static json_t *text_or_null(const char *text)
{
	return text && text[0] ? json_string(text) : json_null();
}

static json_t *time_or_null(int64_t seconds)
{
	return seconds ? json_integer((json_int_t)seconds) : json_null();
}

/* null unless the node says how far its stage is. */
static json_t *describe_progress(const struct node *node)
{
	const struct boot_progress *p = &node->progress;
	int64_t left = progress_seconds_left(p);

	if (!p->phase[0] || strcmp(node_state(node), "booting"))
		return json_null();
	return json_pack("{ss ss ss sI sI sI so}", "slot", p->slot, "target", p->target, "phase", p->phase, "done",
			 (json_int_t)p->done, "total", (json_int_t)p->total, "rate", (json_int_t)p->rate, "seconds_left",
			 left < 0 ? json_null() : json_integer((json_int_t)left));
}

/* What a list shows of a node. */
static json_t *summarize(const struct node *node)
{
	const struct assignment *a = &node->assignment;

	return json_pack("{ss so so so sI ss so so so so so so sI so}", "id", node->id, "name", text_or_null(assignment_host_name(a)),
			 "os", text_or_null(a->os), "app", text_or_null(a->app), "assignment", (json_int_t)a->number, "state",
			 node_state(node), "stage", text_or_null(node->booted_once ? node->boot.stage : ""), "error",
			 text_or_null(node->waiting ? node->waiting_for : node->boot.error), "booted_at",
			 time_or_null(node->booted_once ? node->boot.started : 0), "last_seen", time_or_null(node->last_seen),
			 "address", text_or_null(node->address), "since", time_or_null(node->since), "boot_assignment",
			 (json_int_t)(node->booted_once ? node->boot.assignment : 0), "progress", describe_progress(node));
}

static json_t *list_nodes(const struct control *control)
{
	json_t *nodes = json_array();

	for (size_t i = 0; i < fleet_count(control->fleet); i++)
		json_array_append_new(nodes, summarize(fleet_node(control->fleet, i)));
	return json_pack("{so}", "nodes", nodes);
}

static json_t *list_images(const struct control *control)
{
	const struct image_list *images = catalogue_images(control->catalogue);
	json_t *list = json_array();
	char hash[65];

	for (size_t i = 0; i < images->count; i++) {
		const struct image *image = &images->items[i];

		hex_format(image->root_hash, sizeof image->root_hash, hash);
		json_array_append_new(list, json_pack("{ss ss so ss ss ss sI sI ss}", "kind", image->kind == IMAGE_OS ? "os" : "app",
						      "name", image->name, "requires_os", text_or_null(image->os), "version",
						      image->version, "target", image->target, "signed_by",
						      image->signed_by, "size",
						      (json_int_t)image->image_size, "wire_size",
						      (json_int_t)image->wire_size, "root_hash", hash));
	}
	return json_pack("{so}", "images", list);
}

static json_t *describe_default(const struct control *control)
{
	const struct assignment *initial = fleet_default(control->fleet);

	return initial ? assignment_describe(initial) : json_null();
}

/* The keeper's account of the roles, with what the catalogue says of the whole. */
static json_t *describe_repository(const struct control *control, int64_t now)
{
	const char *error = catalogue_error(control->catalogue);
	json_t *repository = keeper_describe(control->keeper, now), *roles;

	roles = json_incref(json_object_get(repository, "roles"));
	json_object_del(repository, "roles");
	return json_pack("{sI sb so so so so}", "timestamp_version", (json_int_t)catalogue_version(control->catalogue), "served",
			 error == NULL, "error", text_or_null(error), "left_out",
			 text_or_null(catalogue_left_out(control->catalogue)), "renewal", repository, "roles", roles);
}

static json_t *show_status(const struct control *control, int64_t now)
{
	json_t *states = json_pack("{si si si si}", "waiting", 0, "booting", 0, "booted", 0, "failed", 0);

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		json_t *count = json_object_get(states, node_state(fleet_node(control->fleet, i)));

		json_integer_set(count, json_integer_value(count) + 1);
	}
	return json_pack("{sI sI so sI so so}", "started", (json_int_t)control->started, "nodes",
			 (json_int_t)fleet_count(control->fleet), "states", states, "images",
			 (json_int_t)catalogue_images(control->catalogue)->count, "repository",
			 describe_repository(control, now), "default_assignment", describe_default(control));
}

/* Cheap: watchers ask each second. */
static void show_state(const struct control *control, const char *text, struct http_answer *answer)
{
	const struct node *node;
	char why[ERROR_TEXT] = "";
	int r = fleet_find(control->fleet, text, &node, why);

	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, summarize(node));
}

/* Without the nonce, which is between the node and the control unit. */
static json_t *describe_starts(const struct node *node)
{
	json_t *starts = starts_format(&node->starts);

	json_object_del(starts, "counted");
	return starts;
}

static void show_node(struct control *control, const char *text, struct http_answer *answer)
{
	const struct node *node;
	char why[ERROR_TEXT] = "";
	json_t *boots = NULL, *all;
	int r = fleet_find(control->fleet, text, &node, why);

	if (!r)
		r = fleet_boots(control->fleet, node, &boots);
	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	all = summarize(node);
	json_object_set_new(all, "enrolled", time_or_null(node->enrolled));
	json_object_set_new(all, "stage1_version", text_or_null(node->stage1_version));
	json_object_set(all, "inventory", node->inventory);
	json_object_set(all, "slots", node->slots);
	json_object_set_new(all, "starts", describe_starts(node));
	json_object_set_new(all, "assignment", node->assignment.os[0] ? assignment_describe(&node->assignment) : json_null());
	json_object_set(all, "last_boot", json_array_size(boots) ? json_array_get(boots, 0) : json_null());
	json_object_set_new(all, "boots", boots);
	answer_json(answer, all);
}

/* The body of a PUT. NULL when it isn't JSON, with the answer made. */
static json_t *parse_body(const struct http_call *call, struct http_answer *answer)
{
	char why[160];
	json_t *body = json_parse(call->body, call->body_size, why);

	/* "null" is a body of one word, which the parser of the library takes only on request. */
	if (!body && call->body_size == 4 && !memcmp(call->body, "null", 4))
		body = json_null();
	if (!body)
		http_answer_error(answer, 400, why);
	return body;
}

static void assign(struct control *control, const char *text, const json_t *body, struct http_answer *answer)
{
	const struct node *node;
	char why[ERROR_TEXT] = "";
	int r = fleet_assign(control->fleet, catalogue_images(control->catalogue), text, body, &node, why);

	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	log_info("operator: node %s gets assignment %llu: %s%s%s%s", node->id, (unsigned long long)node->assignment.number,
		 node->assignment.os, node->assignment.app[0] ? " and " : "", node->assignment.app,
		 node->assignment.wipe ? ", may wipe its disk" : "");
	answer_json(answer, json_pack("{ss so}", "id", node->id, "assignment", assignment_describe(&node->assignment)));
}

static void set_default(struct control *control, const json_t *body, struct http_answer *answer)
{
	const struct assignment *initial;
	char why[ERROR_TEXT] = "";
	int r = fleet_set_default(control->fleet, catalogue_images(control->catalogue), body, why);

	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	initial = fleet_default(control->fleet);
	log_info("operator: new nodes get %s%s%s", initial ? initial->os : "nothing", initial && initial->app[0] ? " and " : "",
		 initial ? initial->app : "");
	answer_json(answer, json_pack("{so}", "assignment", describe_default(control)));
}

/* Without any image, "no such image" would hide the cause. True when the answer was made. */
static bool refuse_without_images(const struct control *control, struct http_answer *answer)
{
	const char *error = catalogue_error(control->catalogue);
	char why[ERROR_TEXT + 160];

	if (catalogue_images(control->catalogue)->count || !error)
		return false;
	snprintf(why, sizeof why,
		 "no image can be assigned: the repository's metadata is refused (%s); start repaved with --root when its keys are new", error);
	http_answer_error(answer, 409, why);
	return true;
}

static void put(struct control *control, int operation, const char *argument, const struct http_call *call,
		struct http_answer *answer)
{
	json_t *body = parse_body(call, answer);

	if (!body)
		return;
	if (!json_is_null(body) && refuse_without_images(control, answer)) {
		json_decref(body);
		return;
	}
	if (operation == ASSIGN)
		assign(control, argument, body, answer);
	else
		set_default(control, body, answer);
	json_decref(body);
}

void operator_api_answer(void *context, const struct http_call *call, struct http_answer *answer)
{
	char argument[ROUTE_ARGUMENT_MOST + 1];
	struct control *control = context;
	int64_t now;
	int operation = route_find(routes, sizeof routes / sizeof routes[0], call->method, call->path, argument);

	now = control_enter(control, true);
	switch (operation) {
	case LIST_NODES:
		answer_json(answer, list_nodes(control));
		break;
	case SHOW_NODE:
		show_node(control, argument, answer);
		break;
	case SHOW_STATE:
		show_state(control, argument, answer);
		break;
	case LIST_IMAGES:
		answer_json(answer, list_images(control));
		break;
	case SHOW_STATUS:
		answer_json(answer, show_status(control, now));
		break;
	case SHOW_DEFAULT:
		answer_json(answer, json_pack("{so}", "assignment", describe_default(control)));
		break;
	case ASSIGN:
	case SET_DEFAULT:
		put(control, operation, argument, call, answer);
		break;
	case -EOPNOTSUPP:
		http_answer_error(answer, 405, "this address doesn't take that method");
		break;
	default:
		http_answer_error(answer, 404, "no such address");
	}
	control_leave(control);
}
