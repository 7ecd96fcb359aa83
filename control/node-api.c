// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/node-api.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "control/agent-api.h"
#include "control/attestation-gate.h"
#include "control/attestation.h"
#include "control/csr.h"
#include "control/dispatch.h"
#include "control/evidence.h"
#include "control/lifecycle.h"
#include "control/node-request.h"
#include "control/registry.h"
#include "control/relay-api.h"
#include "control/route.h"
#include "control/tenancy.h"

enum operation { BOOT, REPORT, ENROL, AGENT, RENEW_AGENT, STATUS, LOG, AGENT_LOG, EVIDENCE, HELLO, SANITIZED, ATTEST, QUOTE, ATTEST_AGENT, QUOTE_AGENT, RELAYED_RENEWAL, RELAYED_STATUS, RELAYED_LOG,
		 RELAYED_EVIDENCE, RELAYED_ATTEST, RELAYED_QUOTE };

static const struct route routes[] = {
	{ "POST", "/v1/nodes/{}/boot", BOOT },
	{ "POST", "/v1/nodes/{}/report", REPORT },
	{ "POST", "/v1/nodes/{}/log", LOG },
	{ "POST", "/v1/nodes/{}/sanitized", SANITIZED },
	{ "POST", "/v1/nodes/{}/enrol", ENROL },
	{ "POST", "/v1/nodes/{}/agent", AGENT },
	{ "POST", "/v1/nodes/{}/attest", ATTEST },
	{ "POST", "/v1/nodes/{}/quote", QUOTE },
	{ "POST", "/v1/agents/{}/attest", ATTEST_AGENT },
	{ "POST", "/v1/agents/{}/quote", QUOTE_AGENT },
	{ "POST", "/v1/agents/{}/certificate", RENEW_AGENT },
	{ "POST", "/v1/agents/{}/status", STATUS },
	{ "POST", "/v1/agents/{}/log", AGENT_LOG },
	{ "POST", "/v1/agents/{}/evidence", EVIDENCE },
	{ "POST", "/v1/monitors/{}/hello", HELLO },
	{ "POST", "/v1/relayed/{}/certificate", RELAYED_RENEWAL },
	{ "POST", "/v1/relayed/{}/status", RELAYED_STATUS },
	{ "POST", "/v1/relayed/{}/log", RELAYED_LOG },
	{ "POST", "/v1/relayed/{}/evidence", RELAYED_EVIDENCE },
	{ "POST", "/v1/relayed/{}/attest", RELAYED_ATTEST },
	{ "POST", "/v1/relayed/{}/quote", RELAYED_QUOTE },
};

static int find(const struct http_call *call, char ret_id[ROUTE_ARGUMENT_MOST + 1])
{
	return route_find(routes, sizeof routes / sizeof routes[0], call->method, call->path, ret_id);
}

static bool is_of_agent(int operation)
{
	return operation == RENEW_AGENT || operation == STATUS || operation == AGENT_LOG || operation == EVIDENCE || operation == ATTEST_AGENT ||
	       operation == QUOTE_AGENT;
}

/* A wrong token is refused before anything of the body is looked at. No token is no fault: the allow list may know the machine. */
static void admit_token(struct control *control, const struct http_call *call, struct http_answer *answer)
{
	const char *token = control_bearer(call->authorization);
	int r = 0;

	if (!call->authorization || control_throttled(control, call, answer))
		return;
	if (token) {
		control_lock(control);
		r = registry_knows_token(control, token);
		control_leave(control);
	}
	if (r < 0) {
		http_answer_error(answer, 500, "the control unit failed; its log says more");
	} else if (r == 0) {
		control_log_refused(control, "%s was refused: it showed a wrong join token", call->peer);
		control_note_wrong(control, call);
		http_answer_error(answer, 401, "the join token is wrong; `repave token create` makes one, boot media carry the control unit's join-token");
	}
}

static void admit_certificate(struct control *control, const char *id, enum client_kind kind, const struct http_call *call,
			      struct http_answer *answer)
{
	control_lock(control);
	registry_admits(control, id, kind, call, answer);
	control_leave(control);
}

/* What a monitor brings: whether it may is looked at like the agent's own certificate. */
static void admit_relayed(struct control *control, const char *id, const struct http_call *call, struct http_answer *answer)
{
	struct relayed relayed;

	if (relay_open(call, id, &relayed, answer))
		admit_certificate(control, id, CLIENT_AGENT, &relayed.call, answer);
}

size_t node_api_body_most(const struct http_call *call)
{
	char id[ROUTE_ARGUMENT_MOST + 1];
	int operation = find(call, id);

	return operation == QUOTE || operation == QUOTE_AGENT ? QUOTE_BODY_MOST : NODE_BODY_MOST;
}

void node_api_admit(void *context, const struct http_call *call, struct http_answer *answer)
{
	char id[ROUTE_ARGUMENT_MOST + 1];
	int operation = find(call, id);

	if (operation == -EOPNOTSUPP)
		http_answer_error(answer, 405, "this address takes POST");
	else if (operation < 0)
		http_answer_error(answer, 404, "no such address");
	else if (operation == HELLO) /* which has next to no body */
		return;
	else if (!node_id_valid(id))
		http_answer_error(answer, 400, "a node's id is its DMI UUID in lower case");
	else if (operation == ENROL)
		admit_token(context, call, answer);
	else if (operation >= RELAYED_RENEWAL)
		admit_relayed(context, id, call, answer);
	else
		admit_certificate(context, id, is_of_agent(operation) ? CLIENT_AGENT : CLIENT_NODE, call, answer);
}

static void refuse(struct control *control, struct http_answer *answer, const struct http_call *call, const char *id, int error, const char *why)
{
	if (error == -EINVAL) {
		control_log_refused(control, "node %s at %s: %s", id, call->peer, why);
		http_answer_error(answer, 400, why);
		return;
	}
	http_answer_error(answer, 500, "the control unit failed; its log says more");
}

/* Files of the application may be secrets: whoever proved nothing, where its group asks for a proof, does without. */
static void withhold_secrets(const struct control *control, const struct node *node, const struct boot_request *request, json_t *answer)
{
	json_t *config = json_object_get(answer, "config");

	if (json_object_size(json_object_get(config, "files")) && !attestation_allows_secrets(control, node, request)) {
		json_object_del(config, "files");
		log_warning("node %s gets no files of its application: it proved nothing, and its group's attestation is \"preferred\"", node->id);
	}
}

/* What an admitted node boots; the answer in `ret_answer`. 0; -EACCES with a sentence; or -errno. */
static int choose_boot(struct control *control, const char *id, const struct boot_request *request, const char *refusal, const char *address,
		       int64_t now, json_t **ret_answer, char ret_why[ERROR_TEXT])
{
	struct node *node;
	char why[ERROR_TEXT];
	json_t *order = NULL;
	int r;

	/* A restart that is under way selects first. */
	dispatch_asked(control, id, request->nonce);
	node = fleet_get(control->fleet, id);
	if (node && !attestation_admits(control, node, request->attestation, now, ret_why))
		return -EACCES;
	/* Nothing of a new account goes to a server that still holds the former one's data. */
	r = node ? tenancy_asked(control, node, request, now, &order, why) : 0;
	if (!r && node && !order && !refusal && !tenancy_admits(control, node, request, why))
		refusal = why;
	if (!r)
		r = fleet_boot(control->fleet, catalogue_images(control->catalogue), order ? why : refusal, id, request, address, now, ret_answer);
	if (r < 0) {
		json_decref(order);
		return r;
	}
	node = fleet_get(control->fleet, id);
	if (order && json_object_set_new(*ret_answer, "sanitize", order) < 0)
		r = -ENOMEM;
	else if (!json_object_get(*ret_answer, "wait_seconds"))
		r = tenancy_add_home(control, node, request, now, *ret_answer);
	if (!r && !json_object_get(*ret_answer, "wait_seconds"))
		r = tenancy_add_disk(control, node, request, now, *ret_answer);
	if (!r && json_object_get(*ret_answer, "config")) {
		withhold_secrets(control, node, request, *ret_answer);
		r = attestation_boots(control, node, request->attestation, request->nonce, now);
	}
	if (!r && dispatch_checks_all(control, id) && json_object_get(*ret_answer, "verify"))
		json_object_set_new(*ret_answer, "verify", json_string("full"));
	return r ? r : lifecycle_asked(control, fleet_get(control->fleet, id), now);
}

static void boot(struct control *control, const char *id, const struct http_call *call, struct http_answer *answer)
{
	struct boot_request request;
	const char *refusal;
	char why[ERROR_TEXT] = "", unproved[ERROR_TEXT] = "";
	int64_t now;
	int r = boot_request_parse(call->body, call->body_size, id, &request, why);

	if (r < 0) {
		refuse(control, answer, call, id, r, why);
		return;
	}
	now = control_enter(control, false);
	refusal = catalogue_error(control->catalogue);
	if (refusal)
		snprintf(why, sizeof why, "the control unit refuses its repository: %.350s", refusal);
	if (registry_admits(control, id, CLIENT_NODE, call, answer) &&
	    registry_fits(control, id, request.inventory, call, now, answer))
		r = choose_boot(control, id, &request, refusal ? why : NULL, call->peer, now, &answer->json, unproved);
	control_leave(control);
	boot_request_release(&request);
	if (answer->status)
		return;
	if (r == -EACCES) {
		control_log_refused(control, "node %s at %s gets no assignment: %s", id, call->peer, unproved);
		http_answer_error(answer, 403, unproved);
		/* So that the node doesn't take its certificate for refused. */
		if (answer->json)
			json_object_set_new(answer->json, "attestation", json_string("required"));
	} else if (r < 0)
		refuse(control, answer, call, id, log_error(r, "boot request of node %s", id), "");
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
		refuse(control, answer, call, id, r, why);
		return;
	}
	now = control_lock(control);
	/* Again: meanwhile another key may have become the node's. */
	if (registry_admits(control, id, CLIENT_NODE, call, answer))
		r = fleet_report(control->fleet, id, &parsed, now);
	if (!answer->status && !r && parsed.event == BOOT_FAILED)
		r = lifecycle_move(control, fleet_get(control->fleet, id), LIFE_BOOT_FAILED, now, "its boot failed in stage %s: %s",
				   parsed.stage, parsed.error);
	if (!answer->status && !r && parsed.event != BOOT_PROGRESS)
		meter_boot(&control->meters, parsed.event == BOOT_FAILED ? METER_FAILED : parsed.event == BOOT_RESET ? METER_RESET : METER_KEXEC,
			   parsed.stages);
	control_leave(control);
	if (!answer->status && r < 0)
		refuse(control, answer, call, id, log_error(r, "report of node %s", id), "");
	else if (!answer->status)
		answer->status = 204;
	boot_report_release(&parsed);
}

static void sanitized(struct control *control, const char *id, const struct http_call *call, struct http_answer *answer)
{
	struct cleared cleared;
	char why[ERROR_TEXT] = "";
	int64_t now;
	int r = cleared_parse(call->body, call->body_size, &cleared, why);

	if (r < 0) {
		refuse(control, answer, call, id, r, why);
		return;
	}
	now = control_lock(control);
	if (registry_admits(control, id, CLIENT_NODE, call, answer))
		r = tenancy_cleared(control, fleet_get(control->fleet, id), &cleared, now, why);
	control_leave(control);
	if (!answer->status && r == -ESTALE)
		http_answer_error(answer, 409, "nothing of the kind is ordered of this node");
	else if (!answer->status && r == -EACCES)
		http_answer_error(answer, 403, why);
	else if (!answer->status && r < 0)
		refuse(control, answer, call, id, log_error(r, "clearing of node %s", id), "");
	else if (!answer->status)
		answer->status = 204;
}

/* The boot that it is about must be the node's last: what is older was said then. An agent's is the one that its key was for. */
static int keep_log(struct control *control, const char *id, enum client_kind from, struct node_log *log, int64_t now)
{
	const struct node *node = fleet_get(control->fleet, id);

	if (!node)
		return -ENOENT;
	if (from == CLIENT_AGENT)
		strcpy(log->nonce, node->identity.agent_nonce);
	else if (!node->booted_once || strcmp(log->nonce, node->boot.nonce))
		return -ESTALE;
	return store_add_log(control->store, id, log, now);
}

static void node_log(struct control *control, const char *id, enum client_kind from, const struct http_call *call,
		     struct http_answer *answer)
{
	struct node_log log;
	char why[ERROR_TEXT] = "";
	int64_t now;
	int r = node_log_parse(call->body, call->body_size, from == CLIENT_AGENT, &log, why);

	if (r < 0) {
		refuse(control, answer, call, id, r, why);
		return;
	}
	now = control_lock(control);
	if (registry_admits(control, id, from, call, answer))
		r = keep_log(control, id, from, &log, now);
	control_leave(control);
	if (!answer->status && r == -ESTALE)
		http_answer_error(answer, 409, "that isn't the nonce of the node's last boot");
	else if (!answer->status && r < 0)
		refuse(control, answer, call, id, log_error(r, "log of node %s", id), "");
	else if (!answer->status && from == CLIENT_AGENT) /* which takes no answer without a length */
		answer->status = (answer->json = json_pack("{si}", "format", 1)) ? 200 : 500;
	else if (!answer->status)
		answer->status = 204;
	node_log_release(&log);
}

/* The key of a request whose body was parsed. False with the answer made. */
static bool take_key(struct control *control, const struct enrol_request *request, const struct http_call *call, const char *id,
		     struct public_key *ret_key, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	int r = csr_parse(json_string_value(request->csr), ret_key, why);

	if (r < 0)
		refuse(control, answer, call, id, r, why);
	return r == 0;
}

static void enrol(struct control *control, const char *id, const struct http_call *call, struct http_answer *answer)
{
	struct enrol_request request;
	struct public_key key;
	char why[ERROR_TEXT] = "";
	int64_t now;
	int r = enrol_request_parse(call->body, call->body_size, id, &request, why);

	if (r < 0) {
		refuse(control, answer, call, id, r, why);
		return;
	}
	if (take_key(control, &request, call, id, &key, answer)) {
		now = control_lock(control);
		registry_enrol(control, id, &request, &key, control_bearer(call->authorization), call, now, answer);
		control_leave(control);
	}
	enrol_request_release(&request);
}

static void agent(struct control *control, const char *id, enum client_kind asks, const struct http_call *call,
		  struct http_answer *answer)
{
	struct enrol_request request;
	struct public_key key;
	char why[ERROR_TEXT] = "";
	int64_t now;
	int r = agent_request_parse(call->body, call->body_size, asks == CLIENT_NODE, &request, why);

	if (r < 0) {
		refuse(control, answer, call, id, r, why);
		return;
	}
	if (take_key(control, &request, call, id, &key, answer)) {
		now = control_lock(control);
		if (registry_admits(control, id, asks, call, answer))
			registry_agent(control, id, asks, &request, &key, now, answer);
		control_leave(control);
	}
	enrol_request_release(&request);
}

/* A node's TPM and its keys are looked at. */
static void attest(struct control *control, const char *id, enum client_kind from, const struct http_call *call, struct http_answer *answer)
{
	struct attest_request request = { 0 };
	char why[ERROR_TEXT] = "";
	int64_t now;
	int r = from == CLIENT_AGENT ? attest_begin_parse(call->body, call->body_size, why) :
				       attest_request_parse(call->body, call->body_size, &request, why);

	if (r < 0) {
		refuse(control, answer, call, id, r, why);
		return;
	}
	now = control_lock(control);
	if (registry_admits(control, id, from, call, answer)) {
		if (from == CLIENT_AGENT)
			attestation_begin_system(fleet_get(control->fleet, id), now, answer);
		else
			attestation_begin(control, fleet_get(control->fleet, id), &request, now, answer);
	}
	control_leave(control);
	attest_request_release(&request);
}

static void quote(struct control *control, const char *id, enum client_kind from, const struct http_call *call, struct http_answer *answer)
{
	struct quote_request request;
	char why[ERROR_TEXT] = "";
	int64_t now;
	int r = quote_request_parse(call->body, call->body_size, from == CLIENT_AGENT, &request, why);

	if (r < 0) {
		refuse(control, answer, call, id, r, why);
		return;
	}
	now = control_lock(control);
	if (registry_admits(control, id, from, call, answer))
		attestation_quote(control, fleet_get(control->fleet, id), from == CLIENT_AGENT ? ATTEST_SYSTEM : ATTEST_BOOT, &request, now, answer);
	control_leave(control);
	quote_request_release(&request);
}

/* As if the agent had said it here. */
static void relayed(struct control *control, const char *id, int operation, const struct http_call *call, struct http_answer *answer)
{
	struct relayed relayed;

	if (!relay_open(call, id, &relayed, answer))
		return;
	if (operation == RELAYED_STATUS)
		agent_api_status(control, id, &relayed.call, answer);
	else if (operation == RELAYED_EVIDENCE)
		evidence_take(control, id, &relayed.call, answer);
	else if (operation == RELAYED_LOG)
		node_log(control, id, CLIENT_AGENT, &relayed.call, answer);
	else if (operation == RELAYED_ATTEST)
		attest(control, id, CLIENT_AGENT, &relayed.call, answer);
	else if (operation == RELAYED_QUOTE)
		quote(control, id, CLIENT_AGENT, &relayed.call, answer);
	else
		agent(control, id, CLIENT_AGENT, &relayed.call, answer);
}

void node_api_answer(void *context, const struct http_call *call, struct http_answer *answer)
{
	char id[ROUTE_ARGUMENT_MOST + 1];
	int operation = find(call, id);

	switch (operation) {
	case BOOT:
		boot(context, id, call, answer);
		break;
	case REPORT:
		report(context, id, call, answer);
		break;
	case LOG:
		node_log(context, id, CLIENT_NODE, call, answer);
		break;
	case SANITIZED:
		sanitized(context, id, call, answer);
		break;
	case EVIDENCE:
		evidence_take(context, id, call, answer);
		break;
	case AGENT_LOG:
		node_log(context, id, CLIENT_AGENT, call, answer);
		break;
	case ENROL:
		enrol(context, id, call, answer);
		break;
	case AGENT:
		agent(context, id, CLIENT_NODE, call, answer);
		break;
	case RENEW_AGENT:
		agent(context, id, CLIENT_AGENT, call, answer);
		break;
	case STATUS:
		agent_api_status(context, id, call, answer);
		/* It may be held. */
		return;
	case ATTEST:
	case ATTEST_AGENT:
		attest(context, id, operation == ATTEST_AGENT ? CLIENT_AGENT : CLIENT_NODE, call, answer);
		break;
	case QUOTE:
	case QUOTE_AGENT:
		quote(context, id, operation == QUOTE_AGENT ? CLIENT_AGENT : CLIENT_NODE, call, answer);
		break;
	case HELLO:
		relay_hello(context, id, call, answer);
		break;
	case RELAYED_RENEWAL:
	case RELAYED_STATUS:
	case RELAYED_LOG:
	case RELAYED_EVIDENCE:
	case RELAYED_ATTEST:
	case RELAYED_QUOTE:
		relayed(context, id, operation, call, answer);
		if (operation == RELAYED_STATUS)
			return;
		break;
	default:
		http_answer_error(answer, 404, "no such address");
	}
	control_explain(context, answer);
}
