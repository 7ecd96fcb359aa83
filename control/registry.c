// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/registry.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "common/log.h"
#include "control/foreign.h"
#include "control/relays.h"
#include "control/secret.h"

#define ENROL_SETTING "enrol"
#define BOOT_MEDIA_TOKEN "join-token" /* what stands for the id of the token that boot media carry */
#define DAY 86400

/* ------------------------------------------------------------------ settings */

/* 0 or -EINVAL with a sentence. */
static int parse_settings(const json_t *from, struct settings *settings, char ret_error[ERROR_TEXT])
{
	const json_t *policy = json_object_get(from, "enrol"), *images = json_object_get(from, "images");
	uint64_t seconds = 0;
	int r = json_get_u64(from, "clone_seconds", &seconds);

	if (!json_is_object(from))
		return refused(ret_error, "the settings must be an object");
	if (policy && (!json_is_string(policy) || enrol_policy_parse(json_string_value(policy), &settings->enrol) < 0))
		return refused(ret_error, "\"enrol\" must be token or approve");
	if (r == -EINVAL || (!r && (seconds < 1 || seconds > CLONE_SECONDS_MOST)))
		return refused(ret_error, "\"clone_seconds\" must be a number from 1 to %d", CLONE_SECONDS_MOST);
	if (!r)
		settings->clone_seconds = (int64_t)seconds;
	r = json_get_u64(from, "interval", &seconds);
	if (r == -EINVAL || (!r && (seconds < 1 || seconds > INTERVAL_MOST)))
		return refused(ret_error, "\"interval\" must be a number from 1 to %d", INTERVAL_MOST);
	if (!r)
		settings->interval = (int64_t)seconds;
	if (!images)
		return 0;
	if (!json_is_string(images) || (strcmp(json_string_value(images), "stage1") && strcmp(json_string_value(images), "any")))
		return refused(ret_error, "\"images\" must be stage1 or any");
	settings->images = strcmp(json_string_value(images), "any") ? GATE_STAGE1 : GATE_ANY;
	return 0;
}

static json_t *format_settings(const struct settings *settings)
{
	return json_pack("{ss sI sI ss}", "enrol", enrol_policy_name(settings->enrol), "clone_seconds", (json_int_t)settings->clone_seconds,
			 "interval", (json_int_t)settings->interval, "images", settings->images == GATE_ANY ? "any" : "stage1");
}

int registry_load_settings(struct control *control)
{
	char why[ERROR_TEXT];
	json_t *stored = NULL;
	int r = store_get_setting(control->store, ENROL_SETTING, &stored);

	control->settings = (struct settings){ .enrol = ENROL_BY_TOKEN, .clone_seconds = CLONE_SECONDS, .interval = INTERVAL_SECONDS };
	if (!r && stored && parse_settings(stored, &control->settings, why) < 0)
		r = log_error(-EIO, "the settings in the database are damaged: %s", why);
	json_decref(stored);
	return r;
}

json_t *registry_describe_settings(const struct control *control)
{
	return format_settings(&control->settings);
}

int registry_check_settings(const struct control *control, const json_t *change, struct settings *ret_settings, char ret_error[ERROR_TEXT])
{
	*ret_settings = control->settings;
	return parse_settings(change, ret_settings, ret_error);
}

int registry_store_settings(struct control *control, const struct settings *settings)
{
	json_t *stored = format_settings(settings);
	int r = stored ? store_put_setting(control->store, ENROL_SETTING, stored) : -ENOMEM;

	json_decref(stored);
	return r;
}

int registry_change_settings(struct control *control, const json_t *change, char ret_error[ERROR_TEXT])
{
	struct settings changed;
	int r = registry_check_settings(control, change, &changed, ret_error);

	if (!r)
		r = registry_store_settings(control, &changed);
	if (!r)
		control->settings = changed;
	return r;
}

/* ------------------------------------------------------------------ looking */

static struct machine machine_of(const json_t *inventory)
{
	const char *serial = json_get_string(inventory, "serial");

	return (struct machine){ .serial = serial ? serial : "", .macs = json_get_array(inventory, "macs") };
}

static int is_allowed(struct store *store, const char *id, const struct machine *machine)
{
	int r = store_is_allowed(store, "uuid", id);
	const json_t *mac;
	size_t i;

	if (!r && machine->serial[0])
		r = store_is_allowed(store, "serial", machine->serial);
	json_array_foreach(json_iterable(machine->macs), i, mac) {
		char lower[64];
		size_t at = 0;

		for (const char *from = json_string_value(mac); *from && at < sizeof lower - 1; from++)
			lower[at++] = (char)tolower((unsigned char)*from);
		lower[at] = 0;
		if (!r)
			r = store_is_allowed(store, "mac", lower);
	}
	return r;
}

static bool is_boot_media_token(const struct control *control, const char *token)
{
	return strlen(token) == JOIN_TOKEN_SIZE && bytes_equal_ct(token, control->join_token, JOIN_TOKEN_SIZE);
}

/* 0, -ENOENT or -EIO. */
static int find_token(struct control *control, const char *text, struct token *ret_token)
{
	char hash[DIGEST_TEXT + 1];

	if (strlen(text) != TOKEN_SIZE)
		return -ENOENT;
	if (digest_text(text, TOKEN_SIZE, hash) < 0)
		return -EIO;
	return store_find_token(control->store, hash, ret_token);
}

int registry_knows_token(struct control *control, const char *token)
{
	struct token found;
	int r;

	if (is_boot_media_token(control, token))
		return 1;
	r = find_token(control, token, &found);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* ------------------------------------------------------------------ enrolment */

/* One question under way. */
struct asking {
	struct control *control;
	const char *id, *address;
	const struct enrol_request *request;
	const struct public_key *key;
	int64_t now;
	struct node *node;             /* NULL for a stranger */
	struct enrolment waiting;      /* valid when is_waiting */
	bool is_waiting;
	char token[TOKEN_ID_SIZE + 4]; /* id of the token it showed, if that counts */
	char token_trouble[ERROR_TEXT];/* why it doesn't count */
	struct enrol_question question;
	struct enrol_decision decision;
};

/* What the token is worth. 0 or -EIO. */
static int look_at_token(struct asking *a, const char *text)
{
	const struct identity *known = a->node ? &a->node->identity : NULL;
	struct token token;
	char way[WAY_MOST + 1];
	int r;

	if (is_boot_media_token(a->control, text)) {
		strcpy(a->token, BOOT_MEDIA_TOKEN);
		a->question.entry = ENTRY_TOKEN;
		return 0;
	}
	r = find_token(a->control, text, &token);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	snprintf(way, sizeof way, "token %s", token.id);
	if (token_usable(&token, a->now, a->token_trouble)) {
		strcpy(a->token, token.id);
		a->question.entry = ENTRY_TOKEN;
	} else if (known && !strcmp(known->key, a->key->hash) && !strcmp(known->way, way) && !token.revoked) {
		a->question.entry = ENTRY_OWN_TOKEN;
	}
	return 0;
}

/* Gathers what the decision needs. 0 or -errno; the caller releases a->waiting. */
static int look(struct asking *a, const char *token, const struct http_peer *who)
{
	struct control *control = a->control;
	struct enrol_question *q = &a->question;
	int r;

	a->node = fleet_get(control->fleet, a->id);
	*q = (struct enrol_question){ .known = a->node ? &a->node->identity : NULL, .key = a->key->hash,
				      .machine = machine_of(a->request->inventory), .policy = control->settings.enrol,
				      .clone_seconds = control->settings.clone_seconds, .now = a->now,
				      .last_heard = control->started };
	r = store_get_enrolment(control->store, a->id, &a->waiting);
	if (r < 0 && r != -ENOENT)
		return r;
	a->is_waiting = r == 0;
	q->waiting = a->is_waiting ? &a->waiting : NULL;
	if (a->node && a->node->last_seen > q->last_heard)
		q->last_heard = a->node->last_seen;
	if (a->node && a->node->identity.issued > q->last_heard)
		q->last_heard = a->node->identity.issued;
	r = is_allowed(control->store, a->id, &q->machine);
	if (r < 0)
		return r;
	q->allowed = r == 1;
	if (a->node && !who->refused && !strcmp(who->unit, client_kind_name(CLIENT_NODE)) && !strcmp(who->name, a->id) &&
	    !strcmp(who->key, a->node->identity.key))
		q->entry = ENTRY_CERTIFICATE;
	else if (token)
		return look_at_token(a, token);
	return 0;
}

/* Whether what is stored of the machine that waits isn't true any more. */
static bool waits_anew(const struct asking *a)
{
	const struct enrolment *w = &a->waiting;
	const struct machine *machine = &a->question.machine;

	return !a->is_waiting || strcmp(w->key, a->key->hash) || strcmp(w->serial, machine->serial) ||
	       !json_equal(w->macs, machine->macs) || w->alarm != a->decision.alarm;
}

/* Stores that it waits, and tells why. -ENOSPC when too many do. */
static int put_waiting(struct control *control, const char *id, const char *key, const struct machine *machine, const char *address,
		       const struct enrol_decision *decision, int64_t since, int64_t now)
{
	struct enrolment e = { .macs = json_iterable(machine->macs), .since = since, .alarm = decision->alarm };
	uint64_t count = 0;
	int r = store_count_enrolments(control->store, &count);

	if (r < 0)
		return r;
	if (count >= WAITING_MOST)
		return -ENOSPC;
	strcpy(e.id, id);
	strcpy(e.key, key);
	snprintf(e.serial, sizeof e.serial, "%s", machine->serial);
	strcpy(e.reason, decision->reason);
	snprintf(e.address, sizeof e.address, "%s", address);
	r = store_begin(control->store);
	if (r < 0)
		return r;
	r = store_put_enrolment(control->store, &e);
	if (!r)
		r = control_event(control, now, id, decision->alarm ? SEVERITY_ALARM : SEVERITY_NOTICE,
				  decision->alarm ? "clone" : "waits", json_pack("{ss ss}", "address", address, "key", key), "%s",
				  decision->reason);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

static int wait(struct asking *a, struct http_answer *answer)
{
	bool same_key = a->is_waiting && !strcmp(a->waiting.key, a->key->hash);
	int r = waits_anew(a) ? put_waiting(a->control, a->id, a->key->hash, &a->question.machine, a->address, &a->decision,
					    same_key ? a->waiting.since : a->now, a->now) : 0;

	if (r == -ENOSPC) {
		http_answer_error(answer, 403, "too many servers wait for approval; `repave node list --pending` shows them");
		return 0;
	}
	if (r < 0)
		return r;
	answer->json = json_pack("{si si ss}", "format", 1, "wait_seconds", (int)WAIT_SECONDS, "reason", a->decision.reason);
	answer->status = 202;
	return 0;
}

/* The identity that the decision makes. Its `macs` is a new reference. */
static struct identity identity_made(const struct asking *a)
{
	const struct enrol_decision *d = &a->decision;
	const struct identity *was = &a->node->identity;
	struct identity is = *was;
	bool approved = d->way && !strcmp(d->way, "approval");
	bool bind = d->verdict == ENROL_ACCEPT || approved || (d->verdict == ENROL_REPLACE && a->question.entry != ENTRY_CERTIFICATE);

	if (d->verdict == ENROL_REPEAT && a->is_waiting && a->waiting.approved)
		bind = true;
	is.issued = a->now;
	strcpy(is.key, a->key->hash);
	if (d->verdict != ENROL_REPEAT) {
		is.agent_key[0] = is.agent_nonce[0] = 0;
		if (d->way)
			snprintf(is.way, sizeof is.way, "%s", d->way);
		else if (d->uses_token)
			snprintf(is.way, sizeof is.way, "token %s", a->token);
	}
	if (bind)
		snprintf(is.serial, sizeof is.serial, "%s", a->question.machine.serial);
	is.macs = json_incref(bind ? json_iterable(a->question.machine.macs) : was->macs);
	return is;
}

static int tell_enrolled(struct asking *a, const char *way)
{
	const char *kind = a->decision.verdict == ENROL_ACCEPT ? "enrolled" : "identity-replaced";
	json_t *data;

	if (a->decision.verdict == ENROL_REPEAT || a->question.entry == ENTRY_CERTIFICATE) {
		log_info("node %s at %s: its certificate was renewed", a->id, a->address);
		return 0;
	}
	data = json_pack("{ss ss ss}", "address", a->address, "key", a->key->hash, "way", way);
	return a->decision.verdict == ENROL_ACCEPT ?
		       control_event(a->control, a->now, a->id, SEVERITY_NOTICE, kind, data, "enrolled from %s (%s)", a->address, way) :
		       control_event(a->control, a->now, a->id, SEVERITY_WARNING, kind, data,
				     "identity replaced: the machine at %s has a new key (%s); its former one counts no more", a->address, way);
}

/* Everything that the acceptance changes, in one transaction. */
static int store_accepted(struct asking *a, const struct node *changed)
{
	struct store *store = a->control->store;
	int r = store_begin(store);

	if (r < 0)
		return r;
	r = store_put_node(store, changed);
	if (!r && a->decision.uses_token && strcmp(a->token, BOOT_MEDIA_TOKEN))
		r = store_use_token(store, a->token);
	if (!r && a->is_waiting)
		r = store_remove_enrolment(store, a->id);
	if (!r)
		r = tell_enrolled(a, changed->identity.way);
	if (!r)
		return store_commit(store);
	store_rollback(store);
	return r;
}

static int accept(struct asking *a, struct http_answer *answer)
{
	struct buffer certificate = { 0 };
	bool is_new = !a->node;
	struct node changed;
	int r;

	/* Whoever has a token without a limit must not fill the memory with it. */
	if (is_new && fleet_count(a->control->fleet) >= NODES_MOST) {
		http_answer_error(answer, 403, "this control unit has as many nodes as it takes; `repave node remove` forgets one");
		return 0;
	}
	r = is_new ? fleet_add(a->control->fleet, a->id, a->now, &a->node) : 0;

	if (r < 0)
		return r;
	changed = *a->node;
	changed.identity = identity_made(a);
	r = pki_issue(a->control->signer, a->key, a->id, CLIENT_NODE, a->now - DAY, NODE_CERTIFICATE_DAYS + 1, &certificate);
	if (!r)
		r = store_accepted(a, &changed);
	if (r < 0) {
		json_decref(changed.identity.macs);
		if (is_new)
			fleet_forget(a->control->fleet, a->id);
	} else {
		json_decref(a->node->identity.macs);
		a->node->identity = changed.identity;
		a->node->alarm[0] = 0;
		answer->json = json_pack("{si ss}", "format", 1, "certificate", (const char *)certificate.data);
		answer->status = 200;
	}
	buffer_release(&certificate);
	return r;
}

static void fail(struct http_answer *answer, int error, const char *id)
{
	log_error(error, "enrolment of %s", id);
	http_answer_error(answer, 500, "the control unit failed; its log says more");
}

void registry_enrol(struct control *control, const char *id, const struct enrol_request *request, const struct public_key *key,
		    const char *token, const struct http_call *call, int64_t now, struct http_answer *answer)
{
	struct asking a = { .control = control, .id = id, .address = call->peer, .request = request, .key = key, .now = now };
	int r = look(&a, token, call->who);

	if (!r)
		enrol_decide(&a.question, &a.decision);
	if (!r && a.decision.verdict == ENROL_REFUSE) {
		const char *why = a.token_trouble[0] ? a.token_trouble : a.decision.reason;

		control_log_refused(control, "node %s at %s may not enrol: %s", id, call->peer, why);
		http_answer_error(answer, 403, why);
	} else if (!r) {
		r = a.decision.verdict == ENROL_WAIT ? wait(&a, answer) : accept(&a, answer);
	}
	if (a.is_waiting)
		enrolment_release(&a.waiting);
	if (r < 0)
		fail(answer, r, id);
}

/* ------------------------------------------------------------------ the agent */

void registry_agent(struct control *control, const char *id, enum client_kind asks, const struct enrol_request *request,
		    const struct public_key *key, int64_t now, struct http_answer *answer)
{
	struct node *node = fleet_get(control->fleet, id);
	struct buffer certificate = { 0 };
	struct node changed;
	int r;

	if (asks == CLIENT_NODE && (node->waiting || !node->booted_once || strcmp(node->boot.nonce, request->nonce))) {
		http_answer_error(answer, 409, "the nonce isn't that of this node's last boot with an assignment");
		return;
	}
	/* Its own may be renewed and not exchanged: after a lost answer it would have none. */
	if (asks == CLIENT_AGENT && strcmp(node->identity.agent_key, key->hash)) {
		http_answer_error(answer, 403, "an agent renews the certificate of the key that it has");
		return;
	}
	changed = *node;
	strcpy(changed.identity.agent_key, key->hash);
	if (asks == CLIENT_NODE)
		strcpy(changed.identity.agent_nonce, request->nonce);
	r = pki_issue(control->signer, key, id, CLIENT_AGENT, now - DAY, AGENT_CERTIFICATE_DAYS + 1, &certificate);
	if (!r && asks == CLIENT_NODE)
		r = store_put_node(control->store, &changed);
	if (r < 0) {
		fail(answer, r, id);
	} else {
		node->identity = changed.identity;
		answer->json = json_pack("{si ss}", "format", 1, "certificate", (const char *)certificate.data);
		answer->status = 200;
	}
	buffer_release(&certificate);
}

/* ------------------------------------------------------------------ those who speak */

bool registry_admits(struct control *control, const char *id, enum client_kind kind, const struct http_call *call,
		     struct http_answer *answer)
{
	const struct http_peer *who = call->who;
	const struct node *node;
	struct node *asker;
	const char *why = NULL;

	if (who->by)
		why = relays_refuse(control, who->by, id);
	if (why) {
		http_answer_error(answer, who->by->refused ? 401 : 403, why);
	} else if (who->refused) {
		http_answer_error(answer, 401, who->refused);
	} else if (strcmp(who->unit, client_kind_name(kind))) {
		http_answer_error(answer, 403, kind == CLIENT_NODE ? "this address is for stage 1, with the certificate of a node" :
								     "this address is for the agent, with its own certificate");
	} else if (strcmp(who->name, id)) {
		http_answer_error(answer, 403, "the certificate is another node's");
	} else {
		node = fleet_get(control->fleet, id);
		if (node && !strcmp(who->key, kind == CLIENT_NODE ? node->identity.key : node->identity.agent_key))
			return true;
		http_answer_error(answer, 403, kind == CLIENT_NODE ? "the certificate was replaced by a newer one; enrol again" :
								     "the credential is of an earlier boot; the next one has a new one");
	}
	/* Whoever holds a server's credential asks for another one's assignment, keys or orders. */
	if (!who->refused && !why && strcmp(who->name, id) && (asker = fleet_get(control->fleet, who->name)))
		foreign_note(control, asker, time(NULL), "from %s it asked at %s, which is node %s's alone, with the certificate of its %s; refused",
			     call->peer, call->path, id, who->unit);
	control_log_refused(control, "%s was refused at %s%s%s%s%s: %s", call->peer, call->path, who->name[0] ? ", it is " : "", who->name,
			    who->by ? ", by way of monitor " : "", who->by ? who->by->name : "",
			    json_get_string(answer->json, "error"));
	return false;
}

/* An operator accepted just this machine: the node is bound to it now. 1; 0 when none did; -EIO. */
static int rebind(struct control *control, struct node *node, const struct machine *machine)
{
	struct enrolment waiting;
	struct identity approved = { 0 };
	char differs[ERROR_TEXT];
	struct node changed = *node;
	int r = store_get_enrolment(control->store, node->id, &waiting);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	approved.macs = waiting.macs;
	strcpy(approved.serial, waiting.serial);
	if (!waiting.approved || strcmp(waiting.key, node->identity.key) || !machine_fits(&approved, machine, differs)) {
		enrolment_release(&waiting);
		return 0;
	}
	strcpy(changed.identity.serial, waiting.serial);
	changed.identity.macs = waiting.macs;
	r = store_begin(control->store);
	if (!r)
		r = store_put_node(control->store, &changed);
	if (!r)
		r = store_remove_enrolment(control->store, node->id);
	if (r < 0) {
		store_rollback(control->store);
	} else {
		r = store_commit(control->store);
	}
	if (r < 0) {
		enrolment_release(&waiting);
		return r;
	}
	json_decref(node->identity.macs);
	node->identity = changed.identity;
	node->alarm[0] = 0;
	return 1;
}

bool registry_fits(struct control *control, const char *id, const json_t *inventory, const struct http_call *call, int64_t now,
		   struct http_answer *answer)
{
	struct node *node = fleet_get(control->fleet, id);
	struct machine machine = machine_of(inventory);
	struct enrol_decision decision = { .alarm = true };
	char differs[ERROR_TEXT];
	int r;

	if (machine_fits(&node->identity, &machine, differs))
		return true;
	r = rebind(control, node, &machine);
	if (r == 1)
		return true;
	snprintf(decision.reason, sizeof decision.reason,
		 "clone or replaced board: with this node's certificate, %.220s; `repave node approve` accepts it", differs);
	/* Told once; it will ask again and again. */
	if (!r && strcmp(node->alarm, decision.reason)) {
		r = put_waiting(control, id, node->identity.key, &machine, call->peer, &decision, now, now);
		if (!r)
			strcpy(node->alarm, decision.reason);
	}
	if (r < 0 && r != -ENOSPC)
		fail(answer, r, id);
	else
		http_answer_error(answer, 403, decision.reason);
	return false;
}

/* ------------------------------------------------------------------ approval */

/* The id that `text` means: of a machine that waits, by 4 or more leading digits, or of a node by its name. */
static int find_waiting(struct control *control, const char *text, char ret_id[NODE_ID_SIZE + 1], char ret_error[ERROR_TEXT])
{
	const struct node *node;
	json_t *list = NULL, *item;
	char why[ERROR_TEXT];
	unsigned found = 0;
	size_t i;
	int r = store_list(control->store, STORE_ENROLMENTS, NULL, &list);

	if (r < 0)
		return r;
	if (!fleet_find(control->fleet, text, &node, why))
		text = node->id;
	json_array_foreach(list, i, item) {
		const char *id = json_get_string(item, "id");

		if (strlen(text) >= 4 && !strncmp(id, text, strlen(text)) && ++found)
			snprintf(ret_id, NODE_ID_SIZE + 1, "%s", id);
	}
	json_decref(list);
	if (found == 1)
		return 0;
	snprintf(ret_error, ERROR_TEXT, found ? "several servers that wait begin with \"%.36s\"; give more of the id" :
						"no server \"%.36s\" waits for approval; `repave node list --pending` shows those that do", text);
	return found ? -ENOTUNIQ : -ENOENT;
}

static int store_judgement(struct control *control, struct enrolment *e, bool approve, int64_t now)
{
	struct store *store = control->store;
	int r = store_begin(store);

	if (r < 0)
		return r;
	e->approved = true;
	r = approve ? store_put_enrolment(store, e) : store_remove_enrolment(store, e->id);
	if (!r)
		r = control_event(control, now, e->id, SEVERITY_NOTICE, approve ? "approved" : "rejected", json_pack("{ss}", "key", e->key),
				  approve ? "approved; it may enrol with the key that it showed" : "rejected; it waits no more");
	if (!r)
		return store_commit(store);
	store_rollback(store);
	return r;
}

int registry_judge(struct control *control, const char *text, const char *key, bool approve, int64_t now, char ret_id[NODE_ID_SIZE + 1],
		   char ret_error[ERROR_TEXT])
{
	struct enrolment e;
	struct node *node;
	int r = find_waiting(control, text, ret_id, ret_error);

	if (!r)
		r = store_get_enrolment(control->store, ret_id, &e);
	if (r < 0)
		return r;
	if (key && strncmp(key, e.key, strlen(key))) {
		snprintf(ret_error, ERROR_TEXT, "another machine waits as %s now, with the key %.16s; look at it with `repave node list --pending`",
			 ret_id, e.key);
		r = -EEXIST;
	} else {
		r = store_judgement(control, &e, approve, now);
	}
	node = fleet_get(control->fleet, ret_id);
	/* Rejected, it may be told again. */
	if (!r && node)
		node->alarm[0] = 0;
	enrolment_release(&e);
	return r;
}

int registry_remove(struct control *control, const char *text, int64_t now, char ret_id[NODE_ID_SIZE + 1], char ret_error[ERROR_TEXT])
{
	struct store *store = control->store;
	const struct node *node;
	int r = fleet_find(control->fleet, text, &node, ret_error);

	if (!r)
		r = store_begin(store);
	if (r < 0)
		return r;
	strcpy(ret_id, node->id);
	r = store_remove_node(store, node->id);
	if (!r)
		r = store_remove_enrolment(store, node->id);
	if (!r)
		r = control_event(control, now, node->id, SEVERITY_WARNING, "removed", json_pack("{ss}", "key", node->identity.key),
				  "removed; its certificate counts no more");
	if (r < 0) {
		store_rollback(store);
		return r;
	}
	r = store_commit(store);
	if (!r)
		fleet_forget(control->fleet, ret_id);
	return r;
}
