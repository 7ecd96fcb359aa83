// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-api.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/json.h"
#include "common/log.h"
#include "control/access.h"
#include "control/attestation.h"
#include "control/monitor.h"
#include "control/operator-answer.h"
#include "control/operator-balancer.h"
#include "control/operator-decisions.h"
#include "control/health.h"
#include "control/metrics.h"
#include "control/operator-campaigns.h"
#include "control/operator-identity.h"
#include "control/alarm.h"
#include "control/evidence.h"
#include "control/operator-alarms.h"
#include "control/operator-life.h"
#include "control/operator-restarts.h"
#include "control/operator-orders.h"
#include "control/operator-people.h"
#include "control/operator-power.h"
#include "control/operator-requests.h"
#include "control/operator-tenancy.h"
#include "control/operator-tpm.h"
#include "control/operator-logs.h"
#include "control/operator-messages.h"
#include "control/operator-monitors.h"
#include "control/prober.h"
#include "control/registry.h"
#include "control/route.h"
#include "control/user-request.h"

enum operation {
	LIST_NODES, SHOW_NODE, REMOVE_NODE, SHOW_STATE, ASSIGN, LIST_IMAGES, SHOW_STATUS, SHOW_DEFAULT, SET_DEFAULT,
	LIST_RESTARTS, SHOW_RESTART, RESTART, HURRY, CANCEL,
	LIST_TOKENS, MAKE_TOKEN, REVOKE_TOKEN, LIST_OPERATORS, ADD_OPERATOR, REMOVE_OPERATOR,
	LIST_ENROLMENTS, APPROVE, REJECT, LIST_ALLOWED, ALLOW, SHOW_SETTINGS, SET_SETTINGS, LIST_AUDIT, LIST_EVENTS,
	LIST_ORDERS, GIVE_ORDER,
	SHOW_POWER, SET_POWER, REMOVE_POWER, START_POWER, SHOW_POWER_JOB,
	EXPORT_FLEET, PLAN_FLEET, APPLY_FLEET, LIST_GROUPS, DENY_GROUP, SHOW_BALANCER, PRINT_BALANCER, BALANCE_NODE,
	SHOW_METRICS,
	LIST_LOGS, MOVE_LIFE,
	LIST_CAMPAIGNS, SHOW_CAMPAIGN, PLAN_REIMAGES, START_CAMPAIGN, CHANGE_CAMPAIGN, LIST_EXEMPTIONS, EXEMPT, END_EXEMPTION,
	REPORT_REIMAGES, REPORT_SANITIZINGS, SANITIZE, SHOW_REPORT_KEY,
	LIST_DECISIONS, LIST_ROUNDS, SHOW_ROUND, SHOW_SNAPSHOT, CLEAR_GROUP,
	LIST_MONITORS, MAKE_MONITOR, REVOKE_MONITOR, GIVE_TO_MONITOR,
	ALLOC, RELEASE, MOVE,
	REFUSE_REQUEST, LIST_PLANNED, PLAN_EVENT, CANCEL_PLANNED, LIST_HINTS, HINT, END_HINT,
	LIST_TARGETS, LIST_MESSAGES, TEST_TARGET, RETRY_MESSAGES, DROP_MESSAGES,
	RAISE_ALARM, CUT, LIST_EVIDENCE, FETCH_EVIDENCE,
	LIST_TRUST, ADD_AUTHORITIES, REMOVE_AUTHORITY, ADD_REVOCATIONS, REMOVE_REVOCATIONS, ALLOW_TPM, REMOVE_TPM, ADD_EXPECTED, REMOVE_EXPECTED,
	ACCEPT_FIRMWARE,
};

static const struct route routes[] = {
	{ "GET", "/v1/nodes", LIST_NODES },
	{ "GET", "/v1/nodes/{}", SHOW_NODE },
	{ "DELETE", "/v1/nodes/{}", REMOVE_NODE },
	{ "GET", "/v1/nodes/{}/state", SHOW_STATE },
	{ "PUT", "/v1/nodes/{}/assignment", ASSIGN },
	{ "GET", "/v1/nodes/{}/orders", LIST_ORDERS },
	{ "POST", "/v1/nodes/{}/orders", GIVE_ORDER },
	{ "GET", "/v1/images", LIST_IMAGES },
	{ "GET", "/v1/status", SHOW_STATUS },
	{ "GET", "/v1/default-assignment", SHOW_DEFAULT },
	{ "PUT", "/v1/default-assignment", SET_DEFAULT },
	{ "GET", "/v1/tokens", LIST_TOKENS },
	{ "POST", "/v1/tokens", MAKE_TOKEN },
	{ "DELETE", "/v1/tokens/{}", REVOKE_TOKEN },
	{ "GET", "/v1/operators", LIST_OPERATORS },
	{ "POST", "/v1/operators", ADD_OPERATOR },
	{ "DELETE", "/v1/operators/{}", REMOVE_OPERATOR },
	{ "GET", "/v1/enrolments", LIST_ENROLMENTS },
	{ "POST", "/v1/enrolments/{}/approve", APPROVE },
	{ "DELETE", "/v1/enrolments/{}", REJECT },
	{ "GET", "/v1/allowed", LIST_ALLOWED },
	{ "PUT", "/v1/allowed", ALLOW },
	{ "GET", "/v1/settings", SHOW_SETTINGS },
	{ "PUT", "/v1/settings", SET_SETTINGS },
	{ "GET", "/v1/audit", LIST_AUDIT },
	{ "GET", "/v1/events", LIST_EVENTS },
	{ "GET", "/v1/restarts", LIST_RESTARTS },
	{ "GET", "/v1/restarts/{}", SHOW_RESTART },
	{ "POST", "/v1/nodes/{}/restart", RESTART },
	{ "PUT", "/v1/nodes/{}/restart", HURRY },
	{ "DELETE", "/v1/nodes/{}/restart", CANCEL },
	{ "GET", "/v1/nodes/{}/power", SHOW_POWER },
	{ "PUT", "/v1/nodes/{}/power", SET_POWER },
	{ "DELETE", "/v1/nodes/{}/power", REMOVE_POWER },
	{ "POST", "/v1/nodes/{}/power-jobs", START_POWER },
	{ "GET", "/v1/power-jobs/{}", SHOW_POWER_JOB },
	{ "GET", "/v1/fleet", EXPORT_FLEET },
	{ "POST", "/v1/fleet/plan", PLAN_FLEET },
	{ "PUT", "/v1/fleet", APPLY_FLEET },
	{ "GET", "/v1/groups", LIST_GROUPS },
	{ "PUT", "/v1/groups/{}/denied", DENY_GROUP },
	{ "GET", "/v1/balancer", SHOW_BALANCER },
	{ "GET", "/v1/balancer/config", PRINT_BALANCER },
	{ "PUT", "/v1/nodes/{}/balancer", BALANCE_NODE },
	{ "GET", "/metrics", SHOW_METRICS },
	{ "GET", "/v1/nodes/{}/logs", LIST_LOGS },
	{ "PUT", "/v1/nodes/{}/life", MOVE_LIFE },
	{ "GET", "/v1/campaigns", LIST_CAMPAIGNS },
	{ "POST", "/v1/campaigns", START_CAMPAIGN },
	{ "GET", "/v1/campaigns/{}", SHOW_CAMPAIGN },
	{ "PUT", "/v1/campaigns/{}", CHANGE_CAMPAIGN },
	{ "POST", "/v1/reimage-plan", PLAN_REIMAGES },
	{ "GET", "/v1/exemptions", LIST_EXEMPTIONS },
	{ "PUT", "/v1/nodes/{}/exemption", EXEMPT },
	{ "DELETE", "/v1/nodes/{}/exemption", END_EXEMPTION },
	{ "GET", "/v1/reports/reimage", REPORT_REIMAGES },
	{ "GET", "/v1/reports/sanitize", REPORT_SANITIZINGS },
	{ "POST", "/v1/nodes/{}/sanitize", SANITIZE },
	{ "GET", "/v1/report-key", SHOW_REPORT_KEY },
	{ "GET", "/v1/decisions", LIST_DECISIONS },
	{ "GET", "/v1/rounds", LIST_ROUNDS },
	{ "GET", "/v1/rounds/{}", SHOW_ROUND },
	{ "GET", "/v1/snapshot", SHOW_SNAPSHOT },
	{ "PUT", "/v1/groups/{}/failures", CLEAR_GROUP },
	{ "GET", "/v1/monitors", LIST_MONITORS },
	{ "POST", "/v1/monitors", MAKE_MONITOR },
	{ "DELETE", "/v1/monitors/{}", REVOKE_MONITOR },
	{ "PUT", "/v1/nodes/{}/monitor", GIVE_TO_MONITOR },
	{ "POST", "/v1/groups/{}/alloc", ALLOC },
	{ "POST", "/v1/nodes/{}/release", RELEASE },
	{ "POST", "/v1/nodes/{}/move", MOVE },
	{ "DELETE", "/v1/nodes/{}/request", REFUSE_REQUEST },
	{ "GET", "/v1/planned", LIST_PLANNED },
	{ "POST", "/v1/planned", PLAN_EVENT },
	{ "DELETE", "/v1/planned/{}", CANCEL_PLANNED },
	{ "GET", "/v1/hints", LIST_HINTS },
	{ "POST", "/v1/hints", HINT },
	{ "DELETE", "/v1/hints/{}", END_HINT },
	{ "GET", "/v1/notify", LIST_TARGETS },
	{ "POST", "/v1/notify/{}/test", TEST_TARGET },
	{ "POST", "/v1/notify/{}/retry", RETRY_MESSAGES },
	{ "POST", "/v1/notify/{}/drop", DROP_MESSAGES },
	{ "GET", "/v1/messages", LIST_MESSAGES },
	{ "POST", "/v1/nodes/{}/alarm", RAISE_ALARM },
	{ "POST", "/v1/nodes/{}/cut", CUT },
	{ "GET", "/v1/nodes/{}/evidence", LIST_EVIDENCE },
	{ "GET", "/v1/evidence/{}", FETCH_EVIDENCE },
	{ "GET", "/v1/tpm", LIST_TRUST },
	{ "POST", "/v1/tpm/authorities", ADD_AUTHORITIES },
	{ "DELETE", "/v1/tpm/authorities/{}", REMOVE_AUTHORITY },
	{ "POST", "/v1/tpm/revocations", ADD_REVOCATIONS },
	{ "DELETE", "/v1/tpm/revocations/{}", REMOVE_REVOCATIONS },
	{ "POST", "/v1/tpm/allowed", ALLOW_TPM },
	{ "DELETE", "/v1/tpm/allowed/{}", REMOVE_TPM },
	{ "POST", "/v1/tpm/expected", ADD_EXPECTED },
	{ "DELETE", "/v1/tpm/expected/{}", REMOVE_EXPECTED },
	{ "POST", "/v1/nodes/{}/firmware", ACCEPT_FIRMWARE },
};

/* Who may; and in words what a change is, for the audit log. Without words it changes nothing. */
static const struct right {
	unsigned roles;
	const char *words;
} rights[] = {
	[LIST_NODES] = { MAY_SEE, NULL },
	[SHOW_NODE] = { MAY_SEE, NULL },
	[REMOVE_NODE] = { MAY_ADMINISTER, "remove node" },
	[SHOW_STATE] = { MAY_SEE, NULL },
	[ASSIGN] = { MAY_OPERATE, "assign node" },
	[LIST_IMAGES] = { MAY_SEE, NULL },
	[SHOW_STATUS] = { MAY_SEE, NULL },
	[SHOW_DEFAULT] = { MAY_SEE, NULL },
	[SET_DEFAULT] = { MAY_OPERATE, "set the default assignment" },
	[LIST_TOKENS] = { MAY_ADMINISTER, NULL },
	[MAKE_TOKEN] = { MAY_ADMINISTER, "make a join token" },
	[REVOKE_TOKEN] = { MAY_ADMINISTER, "revoke join token" },
	[LIST_OPERATORS] = { MAY_ADMINISTER, NULL },
	[ADD_OPERATOR] = { MAY_ADMINISTER, "add an operator" },
	[REMOVE_OPERATOR] = { MAY_ADMINISTER, "remove operator" },
	[LIST_ENROLMENTS] = { MAY_SEE, NULL },
	[APPROVE] = { MAY_OPERATE, "approve the enrolment of" },
	[REJECT] = { MAY_OPERATE, "reject the enrolment of" },
	[LIST_ALLOWED] = { MAY_SEE, NULL },
	[ALLOW] = { MAY_ADMINISTER, "change the allow list" },
	[SHOW_SETTINGS] = { MAY_SEE, NULL },
	[SET_SETTINGS] = { MAY_ADMINISTER, "change settings" },
	[LIST_AUDIT] = { MAY_AUDIT, NULL },
	[LIST_EVENTS] = { MAY_SEE, NULL },
	[LIST_RESTARTS] = { MAY_SEE, NULL },
	[SHOW_RESTART] = { MAY_SEE, NULL },
	[RESTART] = { MAY_OPERATE, "restart node" },
	[HURRY] = { MAY_OPERATE, "hurry the restart of" },
	[CANCEL] = { MAY_OPERATE, "cancel the restart of" },
	[RAISE_ALARM] = { MAY_OPERATE, "raise an alarm of node" },
	[LIST_EVIDENCE] = { MAY_OPERATE, NULL },
	[FETCH_EVIDENCE] = { MAY_OPERATE, NULL },
	[CUT] = { MAY_OPERATE, "cut off node" },
	[LIST_ORDERS] = { MAY_SEE, NULL },
	[GIVE_ORDER] = { MAY_OPERATE, "give an order to node" },
	[SHOW_POWER] = { MAY_SEE, NULL },
	[SET_POWER] = { MAY_ADMINISTER, "set the power control of node" },
	[REMOVE_POWER] = { MAY_ADMINISTER, "remove the power control of node" },
	[START_POWER] = { MAY_OPERATE, "power of node" },
	[SHOW_POWER_JOB] = { MAY_SEE, NULL },
	[EXPORT_FLEET] = { MAY_SEE, NULL },
	[PLAN_FLEET] = { MAY_SEE, NULL },
	[APPLY_FLEET] = { MAY_ADMINISTER, "apply a fleet file" },
	[LIST_GROUPS] = { MAY_SEE, NULL },
	[DENY_GROUP] = { MAY_OPERATE, "deny or admit new users of group" },
	[SHOW_BALANCER] = { MAY_SEE, NULL },
	[PRINT_BALANCER] = { MAY_OPERATE, NULL },
	[BALANCE_NODE] = { MAY_OPERATE, "set the balancer for node" },
	[SHOW_METRICS] = { MAY_SEE, NULL },
	/* An application may say there what isn't for everybody. */
	[LIST_LOGS] = { MAY_OPERATE | MAY_AUDIT, NULL },
	[MOVE_LIFE] = { MAY_OPERATE, "set aside or clear node" },
	[LIST_CAMPAIGNS] = { MAY_SEE, NULL },
	[SHOW_CAMPAIGN] = { MAY_SEE, NULL },
	[PLAN_REIMAGES] = { MAY_SEE, NULL },
	[START_CAMPAIGN] = { MAY_OPERATE, "start a campaign" },
	[CHANGE_CAMPAIGN] = { MAY_OPERATE, "stop or resume campaign" },
	[LIST_EXEMPTIONS] = { MAY_SEE, NULL },
	[EXEMPT] = { MAY_OPERATE, "exempt from reimages node" },
	[END_EXEMPTION] = { MAY_OPERATE, "end the exemption of node" },
	[REPORT_REIMAGES] = { MAY_SEE, NULL },
	[REPORT_SANITIZINGS] = { MAY_SEE, NULL },
	[SANITIZE] = { MAY_OPERATE, "clear of all data node" },
	[SHOW_REPORT_KEY] = { MAY_SEE, NULL },
	[LIST_DECISIONS] = { MAY_SEE, NULL },
	[LIST_ROUNDS] = { MAY_SEE, NULL },
	[SHOW_ROUND] = { MAY_SEE, NULL },
	[SHOW_SNAPSHOT] = { MAY_SEE, NULL },
	[CLEAR_GROUP] = { MAY_OPERATE, "let plans go on for group" },
	[LIST_MONITORS] = { MAY_SEE, NULL },
	/* A monitor speaks for the nodes that are given to it. */
	[MAKE_MONITOR] = { MAY_ADMINISTER, "make a monitor" },
	[REVOKE_MONITOR] = { MAY_ADMINISTER, "revoke monitor" },
	[GIVE_TO_MONITOR] = { MAY_ADMINISTER, "set the monitor of node" },
	[ALLOC] = { MAY_OPERATE, "allocate to group" },
	[RELEASE] = { MAY_OPERATE, "release node" },
	[MOVE] = { MAY_OPERATE, "move node" },
	[REFUSE_REQUEST] = { MAY_OPERATE, "refuse the user's request at node" },
	[LIST_PLANNED] = { MAY_SEE, NULL },
	[PLAN_EVENT] = { MAY_OPERATE, "plan an event" },
	[CANCEL_PLANNED] = { MAY_OPERATE, "cancel planned event" },
	[LIST_HINTS] = { MAY_SEE, NULL },
	[HINT] = { MAY_OPERATE, "give a hint" },
	[END_HINT] = { MAY_OPERATE, "end hint" },
	[LIST_TARGETS] = { MAY_SEE, NULL },
	[LIST_MESSAGES] = { MAY_SEE, NULL },
	[TEST_TARGET] = { MAY_OPERATE, "send a test message to" },
	[RETRY_MESSAGES] = { MAY_OPERATE, "try again the messages to" },
	[DROP_MESSAGES] = { MAY_OPERATE, "drop messages to" },
	[LIST_TRUST] = { MAY_SEE, NULL },
	/* Who says what is genuine says who gets secrets. */
	[ADD_AUTHORITIES] = { MAY_ADMINISTER, "trust authorities of TPMs" },
	[REMOVE_AUTHORITY] = { MAY_ADMINISTER, "no longer trust TPMs' authority" },
	[ADD_REVOCATIONS] = { MAY_ADMINISTER, "take what TPMs' authority revoked" },
	[REMOVE_REVOCATIONS] = { MAY_ADMINISTER, "forget what TPMs' authority revoked" },
	[ALLOW_TPM] = { MAY_ADMINISTER, "allow a TPM" },
	[REMOVE_TPM] = { MAY_ADMINISTER, "no longer allow TPM" },
	[ADD_EXPECTED] = { MAY_ADMINISTER, "expect a boot image" },
	[REMOVE_EXPECTED] = { MAY_ADMINISTER, "no longer expect boot image" },
	[ACCEPT_FIRMWARE] = { MAY_ADMINISTER, "accept the firmware of node" },
};

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

static int64_t steady_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What a list shows of a node. */
static json_t *summarize(const struct control *control, const struct node *node)
{
	const struct assignment *a = &node->assignment;

	json_t *all = json_pack("{ss so so so sI ss so so so so so so sI so}", "id", node->id, "name", text_or_null(assignment_host_name(a)),
				"os", text_or_null(a->os), "app", text_or_null(a->app), "assignment", (json_int_t)a->number, "state",
				node_state(node), "stage", text_or_null(node->booted_once ? node->boot.stage : ""), "error",
				text_or_null(node->waiting ? node->waiting_for : node->boot.error), "booted_at",
				time_or_null(node->booted_once ? node->boot.started : 0), "last_seen", time_or_null(node->last_seen),
				"address", text_or_null(node->address), "since", time_or_null(node->since), "boot_assignment",
				(json_int_t)(node->booted_once ? node->boot.assignment : 0), "progress", describe_progress(node));
	json_t *now = json_pack("{ss sI ss so so sb so so so so so so}", "life", life_name(node->life.state), "life_since",
				(json_int_t)node->life_since, "life_reason", node->life_reason, "agent",
				operator_describe_agent(node, steady_ms()), "group", text_or_null(node->group), "spare", (int)node->spare,
				"service_address", text_or_null(node->service_address), "balancer",
				operator_describe_balancing(control, node), "probe", prober_describe(node, steady_ms()),
				"monitor", text_or_null(node->monitor), "alarms", alarm_describe(node, time(NULL)),
				"attestation", attestation_describe(control, node));

	json_object_update(all, now);
	json_decref(now);
	return all;
}

static json_t *list_nodes(const struct control *control)
{
	json_t *nodes = json_array();

	for (size_t i = 0; i < fleet_count(control->fleet); i++)
		json_array_append_new(nodes, summarize(control, fleet_node(control->fleet, i)));
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

static void count_life(json_t *lives, const struct node *node)
{
	const char *name = life_name(node->life.state);
	json_t *count = json_object_get(lives, name);

	json_object_set_new(lives, name, json_integer(json_integer_value(count) + 1));
}

static json_t *show_status(struct control *control, int64_t now)
{
	json_t *states = json_pack("{si si si si}", "waiting", 0, "booting", 0, "booted", 0, "failed", 0);
	json_t *lives = json_object();
	uint64_t waiting = 0;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		json_t *count = json_object_get(states, node_state(fleet_node(control->fleet, i)));

		json_integer_set(count, json_integer_value(count) + 1);
		count_life(lives, fleet_node(control->fleet, i));
	}
	store_count_enrolments(control->store, &waiting);
	return json_pack("{sI sI so so so sI so so sI so}", "started", (json_int_t)control->started, "nodes",
			 (json_int_t)fleet_count(control->fleet), "states", states, "lives", lives, "monitor", monitor_describe(control->monitor),
			 "images",
			 (json_int_t)catalogue_images(control->catalogue)->count, "repository",
			 describe_repository(control, now), "default_assignment", describe_default(control), "enrolments",
			 (json_int_t)waiting, "problems", health_describe(control, now));
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
		answer_json(answer, summarize(control, node));
}

/* Without the nonce, which is between the node and the control unit. */
static json_t *describe_starts(const struct node *node)
{
	json_t *starts = starts_format(&node->starts);

	json_object_del(starts, "counted");
	return starts;
}

/* What it is known by. Keys are public. */
static json_t *describe_identity(const struct identity *identity)
{
	if (!identity->key[0])
		return json_null();
	return json_pack("{ss sI ss ss sO sb}", "key", identity->key, "issued", (json_int_t)identity->issued, "way", identity->way,
			 "serial", identity->serial, "macs", identity->macs, "agent", identity->agent_key[0] != 0);
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
	all = summarize(control, node);
	json_object_set_new(all, "enrolled", time_or_null(node->enrolled));
	json_object_set_new(all, "stage1_version", text_or_null(node->stage1_version));
	json_object_set(all, "inventory", node->inventory);
	json_object_set(all, "slots", node->slots);
	json_object_set_new(all, "measures", operator_describe_measures(node));
	json_object_set_new(all, "starts", describe_starts(node));
	json_object_set_new(all, "identity", describe_identity(&node->identity));
	json_object_set_new(all, "request", user_request_describe(control, node));
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

static void put(struct control *control, int operation, const char *argument, const json_t *body, struct http_answer *answer)
{
	if (!json_is_null(body) && refuse_without_images(control, answer))
		return;
	if (operation == ASSIGN)
		assign(control, argument, body, answer);
	else
		set_default(control, body, answer);
}

static void plan_fleet(struct control *control, const struct http_call *call, struct http_answer *answer)
{
	json_t *body = parse_body(call, answer);

	if (body)
		operator_plan_fleet(control, body, answer);
	json_decref(body);
}

/* Without a body: of what runs, or of age alone. */
static void plan_reimages(struct control *control, const struct http_call *call, int64_t now, struct http_answer *answer)
{
	json_t *body = call->body_size ? parse_body(call, answer) : json_null();

	if (body)
		operator_plan_reimages(control, body, now, answer);
	json_decref(body);
}

static void look(struct control *control, int operation, const char *argument, const struct http_call *call, int64_t now,
		 struct http_answer *answer)
{
	switch (operation) {
	case LIST_NODES: answer_json(answer, list_nodes(control)); break;
	case SHOW_NODE: show_node(control, argument, answer); break;
	case SHOW_STATE: show_state(control, argument, answer); break;
	case LIST_IMAGES: answer_json(answer, list_images(control)); break;
	case SHOW_STATUS: answer_json(answer, show_status(control, now)); break;
	case SHOW_DEFAULT: answer_json(answer, json_pack("{so}", "assignment", describe_default(control))); break;
	case LIST_TOKENS: operator_list(control, STORE_TOKENS, "tokens", answer); break;
	case LIST_OPERATORS: operator_list(control, STORE_OPERATORS, "operators", answer); break;
	case LIST_ENROLMENTS: operator_list(control, STORE_ENROLMENTS, "enrolments", answer); break;
	case LIST_ALLOWED: operator_list(control, STORE_ALLOWED, "allowed", answer); break;
	case SHOW_SETTINGS: answer_json(answer, registry_describe_settings(control)); break;
	case LIST_AUDIT: operator_list_log(control, STORE_AUDIT, "audit", call, answer); break;
	case LIST_EVIDENCE: evidence_list(control, argument, answer); break;
	case FETCH_EVIDENCE: evidence_fetch(control, argument, call, answer); break;
	case SHOW_METRICS: http_answer_text(answer, metrics_format(control, now)); break;
	case LIST_LOGS: operator_list_logs(control, argument, call, answer); break;
	case LIST_TARGETS: operator_list_targets(control, answer); break;
	case LIST_MESSAGES: operator_list_messages(control, call, answer); break;
	case LIST_MONITORS: operator_list_monitors(control, answer); break;
	case LIST_CAMPAIGNS: operator_list_campaigns(control, answer); break;
	case SHOW_CAMPAIGN: operator_show_campaign(control, argument, now, answer); break;
	case PLAN_REIMAGES: plan_reimages(control, call, now, answer); break;
	case LIST_EXEMPTIONS: operator_list_exemptions(control, call, answer); break;
	case REPORT_REIMAGES: operator_report_reimages(control, call, now, answer); break;
	case REPORT_SANITIZINGS: operator_report_sanitizings(control, call, answer); break;
	case SHOW_REPORT_KEY: operator_show_report_key(control, answer); break;
	case LIST_EVENTS: operator_list_log(control, STORE_EVENTS, "events", call, answer); break;
	case LIST_RESTARTS: operator_list_restarts(control, call, answer); break;
	case SHOW_RESTART: operator_show_restart(control, argument, answer); break;
	case LIST_ORDERS: operator_list_orders(control, argument, call, answer); break;
	case SHOW_POWER: operator_show_power(control, argument, answer); break;
	case SHOW_POWER_JOB: operator_show_power_job(control, argument, answer); break;
	case EXPORT_FLEET: operator_export_fleet(control, answer); break;
	case PLAN_FLEET: plan_fleet(control, call, answer); break;
	case LIST_DECISIONS: operator_list_decisions(control, call, answer); break;
	case LIST_ROUNDS: operator_list_rounds(control, call, answer); break;
	case SHOW_ROUND: operator_show_round(control, argument, answer); break;
	case SHOW_SNAPSHOT: operator_show_snapshot(control, now, answer); break;
	case LIST_GROUPS: operator_list_groups(control, answer); break;
	case SHOW_BALANCER: operator_show_balancer(control, answer); break;
	case LIST_PLANNED: operator_list_planned(control, answer); break;
	case LIST_HINTS: operator_list_hints(control, answer); break;
	case LIST_TRUST: operator_list_trust(control, answer); break;
	case PRINT_BALANCER: operator_print_balancer(control, call, answer); break;
	}
}

static void change(struct control *control, const struct caller *caller, int operation, const char *argument, const json_t *body,
		   int64_t now, struct http_answer *answer)
{
	switch (operation) {
	case ASSIGN:
	case SET_DEFAULT: put(control, operation, argument, body, answer); break;
	case MAKE_TOKEN: operator_make_token(control, body, now, answer); break;
	case REVOKE_TOKEN: operator_revoke_token(control, argument, now, answer); break;
	case ADD_OPERATOR: operator_add(control, body, now, answer); break;
	case REMOVE_OPERATOR: operator_remove(control, argument, answer); break;
	case APPROVE:
	case REJECT: operator_judge(control, argument, body, operation == APPROVE, now, answer); break;
	case REMOVE_NODE: operator_remove_node(control, argument, now, answer); break;
	case ALLOW: operator_allow(control, body, now, answer); break;
	case SET_SETTINGS: operator_set(control, body, answer); break;
	case SANITIZE: operator_sanitize(control, argument, caller->who, now, answer); break;
	case RESTART: operator_restart(control, argument, body, caller->who, answer); break;
	case HURRY: operator_hurry(control, argument, body, answer); break;
	case CANCEL: operator_cancel(control, argument, caller->who, answer); break;
	case GIVE_ORDER: operator_order(control, argument, body, now, answer); break;
	case SET_POWER: operator_set_power(control, argument, body, now, answer); break;
	case REMOVE_POWER: operator_remove_power(control, argument, answer); break;
	case START_POWER: operator_start_power(control, argument, body, answer); break;
	case APPLY_FLEET: operator_apply_fleet(control, body, now, answer); break;
	case DENY_GROUP: operator_deny_group(control, argument, body, now, answer); break;
	case CLEAR_GROUP: operator_clear_group(control, argument, answer); break;
	case BALANCE_NODE: operator_balance_node(control, argument, body, now, answer); break;
	case MOVE_LIFE: operator_move_life(control, argument, body, caller->who, now, answer); break;
	case RAISE_ALARM: operator_raise_alarm(control, argument, body, caller->who, now, answer); break;
	case CUT: operator_cut(control, argument, body, caller->who, answer); break;
	case START_CAMPAIGN: operator_start_campaign(control, body, caller->who, now, answer); break;
	case CHANGE_CAMPAIGN: operator_change_campaign(control, argument, body, caller->who, now, answer); break;
	case EXEMPT: operator_exempt(control, argument, body, caller->who, now, answer); break;
	case END_EXEMPTION: operator_end_exemption(control, argument, caller->who, now, answer); break;
	case MAKE_MONITOR: operator_make_monitor(control, body, now, answer); break;
	case REVOKE_MONITOR: operator_revoke_monitor(control, argument, now, answer); break;
	case TEST_TARGET: operator_test_target(control, argument, now, answer); break;
	case RETRY_MESSAGES: operator_retry_messages(control, argument, now, answer); break;
	case DROP_MESSAGES: operator_drop_messages(control, argument, body, answer); break;
	case GIVE_TO_MONITOR: operator_give_to_monitor(control, argument, body, answer); break;
	case ALLOC: operator_alloc(control, argument, body, caller->who, answer); break;
	case RELEASE: operator_release(control, argument, body, caller->who, answer); break;
	case MOVE: operator_move(control, argument, body, caller->who, answer); break;
	case REFUSE_REQUEST: operator_refuse_request(control, argument, answer); break;
	case PLAN_EVENT: operator_plan_event(control, body, caller->who, now, answer); break;
	case CANCEL_PLANNED: operator_cancel_planned(control, argument, now, answer); break;
	case HINT: operator_hint(control, body, caller->who, now, answer); break;
	case END_HINT: operator_end_hint(control, argument, answer); break;
	case ADD_AUTHORITIES: operator_add_authorities(control, body, now, answer); break;
	case REMOVE_AUTHORITY: operator_remove_trust(control, "ca", argument, answer); break;
	case ADD_REVOCATIONS: operator_add_revocations(control, body, now, answer); break;
	case REMOVE_REVOCATIONS: operator_remove_trust(control, "crl", argument, answer); break;
	case ALLOW_TPM: operator_allow_tpm(control, body, now, answer); break;
	case REMOVE_TPM: operator_remove_trust(control, "tpm", argument, answer); break;
	case ADD_EXPECTED: operator_add_expected(control, body, now, answer); break;
	case REMOVE_EXPECTED: operator_remove_trust(control, "expected", argument, answer); break;
	case ACCEPT_FIRMWARE: operator_accept_firmware(control, argument, now, answer); break;
	}
}

/* "assign node web1: {…}": of a configuration only the members' names, which hold no secrets; of a BMC no password, and no certificate,
 * which is long. Cut to `ret_what`. */
static void describe_change(const char *words, const char *argument, const json_t *body, char ret_what[ERROR_TEXT])
{
	json_t *shown = json_is_object(body) ? json_copy(json_iterable(body)) : NULL, *config = json_object_get(shown, "config");
	const char *name;
	json_t *value, *names = json_array();
	char *text;

	if (json_is_object(config)) {
		json_object_foreach(config, name, value)
			json_array_append_new(names, json_string(name));
		json_object_set(shown, "config", names);
	}
	json_object_del(shown, "password");
	json_object_del(shown, "ca");
	json_object_del(shown, "csr");
	json_object_del(shown, "pem");
	json_object_del(shown, "certificate");
	json_object_del(shown, "signature");
	text = shown ? json_dumps(shown, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII) : NULL;
	snprintf(ret_what, ERROR_TEXT, "%s%s%.64s%s%.250s", words, argument[0] ? " " : "", argument, text ? ": " : "", text ? text : "");
	free(text);
	json_decref(names);
	json_decref(shown);
	for (char *at = ret_what; *at; at++)
		if (*at < 0x20 || *at == 0x7f) /* also what isn't ASCII */
			*at = '?';
}

/* Changes something; the entry of the audit log is in the same transaction, and where there was none, in one of its own. */
static void change_audited(struct control *control, const struct caller *caller, int operation, const char *argument,
			   const struct http_call *call, int64_t now, struct http_answer *answer)
{
	/* An empty PUT is a mistake; the others may come without a body. */
	json_t *body = call->body_size || !strcmp(call->method, "PUT") ? parse_body(call, answer) : json_null();
	struct audit_entry entry;
	char what[ERROR_TEXT];

	describe_change(rights[operation].words, argument, body, what);
	entry = access_entry(caller, call, what, 200, now);
	store_attach_audit(control->store, &entry);
	if (body)
		change(control, caller, operation, argument, body, now, answer);
	json_decref(body);
	if (!store_audit_attached(control->store))
		return;
	store_attach_audit(control->store, NULL);
	entry.status = answer->status;
	if (store_add_audit(control->store, &entry) < 0)
		http_answer_error(answer, 500, "the audit log can't be written; the control unit's log says more");
}

static void refuse_role(struct control *control, const struct caller *caller, const struct http_call *call, int64_t now,
			struct http_answer *answer)
{
	struct audit_entry entry = access_entry(caller, call, "refused: the role doesn't allow it", 403, now);
	char why[120];

	snprintf(why, sizeof why, "%s has the role %s, which may not do that", caller->who, caller->role);
	http_answer_error(answer, 403, why);
	store_add_audit(control->store, &entry);
}

void operator_api_answer(void *context, const struct http_call *call, struct http_answer *answer)
{
	char argument[ROUTE_ARGUMENT_MOST + 1];
	struct control *control = context;
	struct caller caller;
	int64_t now;
	int operation = route_find(routes, sizeof routes / sizeof routes[0], call->method, call->path, argument);

	now = control_enter(control, true);
	/* Again after access_admit: meanwhile the operator may have been removed. */
	if (access_identify(control, call, &caller) < 0)
		http_answer_error(answer, 401, "the operator's token is missing or wrong; `repave operator add` makes one");
	else if (operation == -EOPNOTSUPP)
		http_answer_error(answer, 405, "this address doesn't take that method");
	else if (operation < 0)
		http_answer_error(answer, 404, "no such address");
	else if (!(rights[operation].roles & caller.roles))
		refuse_role(control, &caller, call, now, answer);
	else if (rights[operation].words)
		change_audited(control, &caller, operation, argument, call, now, answer);
	else
		look(control, operation, argument, call, now, answer);
	control_leave(control);
	control_explain(control, answer);
}
