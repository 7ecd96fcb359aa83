/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How this machine gets its certificates: its own by token, once, and fresh ones by it; the agent's for each boot. What is decided
 * about them is in credential.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/json.h"
#include "provisioner/provision.h"

#define REFUSED_SECONDS 60u
#define ANSWER_MOST 65536u
#define AGENT_TRIES 3u

/* ------------------------------------------------------------------ in STATE */
void keep_identity(struct provision *p)
{
	json_t *member = credential_format(&p->node, p->identity.uuid);

	if (member == NULL || json_object_set_new(p->state.content, "identity", member) < 0)
		console_line(&p->stages, "out of memory for this server's identity in STATE");
}

void load_identity(struct provision *p)
{
	char error[CREDENTIAL_ERROR];

	/* What this run of stage 1 made or was given is newer than what a disk holds. */
	if (p->node.key[0] != '\0')
		return;
	credential_parse(json_get_object(p->state.content, "identity"), p->identity.uuid, &p->node, error);
	if (error[0] != '\0')
		console_line(&p->stages, "the identity in STATE isn't used: %s", error);
}

void forget_keys(struct provision *p)
{
	http_set_client(p->control, NULL, NULL);
	credential_wipe(&p->node);
	credential_wipe(&p->agent);
	json_object_del(p->state.content, "identity");
	json_object_del(p->assignment.json, "h_key");
	p->assignment.h_key = NULL;
	json_object_del(p->assignment.json, "disk_key");
	p->assignment.disk_key = NULL;
}

/* ------------------------------------------------------------------ one question */
struct reply {
	unsigned status;
	unsigned wait_seconds;
	char text[160]; /* the certificate's fault, or the control unit's reason */
	char certificate[CREDENTIAL_CERTIFICATE_MOST];
};

static char *question(const struct provision *p, const struct credential *credential, bool of_agent)
{
	char request[CREDENTIAL_REQUEST_MOST];
	json_t *json;
	char *text;

	if (credential_request(credential, p->identity.uuid, request) < 0)
		return NULL;
	json = of_agent ? json_pack("{s:i,s:s,s:s}", "format", 1, "csr", request, "nonce", p->nonce)
			: json_pack("{s:i,s:s,s:o}", "format", 1, "csr", request, "inventory", identity_json(&p->identity));
	text = json != NULL ? json_format(json) : NULL;
	json_decref(json);
	return text;
}

static void read_reply(const struct buffer *body, struct reply *reply)
{
	char detail[160];
	json_t *json = json_parse(body->data, body->size, detail);
	const char *certificate = json_get_string(json, "certificate");
	const char *why = json_get_string(json, reply->status == 202 ? "reason" : "error");
	uint64_t seconds = 0;

	snprintf(reply->text, sizeof(reply->text), "%s", why != NULL ? why : "no reason given");
	if (certificate != NULL && strlen(certificate) < sizeof(reply->certificate))
		strcpy(reply->certificate, certificate);
	if (json_get_u64(json, "wait_seconds", &seconds) < 0 || seconds < 1 || seconds > WAIT_MOST)
		seconds = 10;
	reply->wait_seconds = (unsigned)seconds;
	json_decref(json);
}

/* 0 when any answer came; else -errno with a sentence in p->error. */
static int ask(struct provision *p, struct http *http, const char *call, const struct credential *credential, struct reply *reply)
{
	struct buffer body = { 0 };
	char url[512], *text = question(p, credential, strcmp(call, "agent") == 0);
	int r;

	*reply = (struct reply){ 0 };
	if (text == NULL)
		return sentence(p->error, -EIO, "a request for a certificate can't be made");
	node_url(p, call, url);
	r = http_request(http, "POST", url, text, ANSWER_MOST, &reply->status, &body);
	free(text);
	p->tls_refused = r == -EACCES;
	if (r < 0)
		sentence(p->error, r, "the control unit can't be asked: %s", http_error(http));
	else
		read_reply(&body, reply);
	buffer_release(&body);
	return r;
}

/* Takes the certificate of an answer. 0 or -EINVAL with a sentence in p->error. */
static int take(struct provision *p, const struct reply *reply, struct credential *credential, const char *unit)
{
	char why[CREDENTIAL_ERROR];

	if (credential_take(credential, reply->certificate, p->identity.uuid, unit, why) == 0)
		return 0;
	return sentence(p->error, -EINVAL, "control unit %s:%u answers with a certificate that can't be used: %s", p->config.host,
			p->config.port, why);
}

/* ------------------------------------------------------------------ the node's own */
static int take_identity(struct provision *p, const struct reply *reply)
{
	char until[32];
	struct tm utc;
	time_t end;
	int r = take(p, reply, &p->node, "node");

	if (r == 0)
		r = http_set_client(p->control, p->node.certificate, p->node.key);
	if (r < 0)
		return r == -ENOMEM ? sentence(p->error, r, "out of memory") : r;
	keep_identity(p);
	save_state(p);
	end = (time_t)p->node.until;
	gmtime_r(&end, &utc);
	strftime(until, sizeof(until), "%Y-%m-%d", &utc);
	console_line(&p->stages, "the control unit knows this server by its own key; certificate until %s", until);
	return 0;
}

/* Before it is shown to anybody: after a power cut the same question is asked again, which costs no second use of a token. */
static int make_key(struct provision *p)
{
	if (p->node.key[0] != '\0' && credential_sound(&p->node))
		return 0;
	http_set_client(p->control, NULL, NULL); /* it borrows what is overwritten now */
	if (credential_make(&p->node) < 0)
		return sentence(p->error, -EIO, "no key can be made for this server: the kernel gives no random numbers");
	keep_identity(p);
	save_state(p);
	return 0;
}

/* What follows from an answer. 1 when the certificate is here; 0 after a pause; or as pause_unreachable. `said` is what the console
 * said last: waiting may take days. */
static int heed_reply(struct provision *p, const struct reply *reply, char said[160], unsigned *rounds)
{
	enum credential_next next = credential_next(CREDENTIAL_ENROL, reply->status);
	unsigned seconds = REFUSED_SECONDS;

	if (next == CREDENTIAL_LATER) {
		sentence(p->error, -EIO, "control unit %s:%u can't let this server in now (%u): %s", p->config.host, p->config.port,
			 reply->status, reply->text);
		return pause_unreachable(p, rounds);
	}
	p->heard = uptime();
	*rounds = 0;
	if (next == CREDENTIAL_HAVE && take_identity(p, reply) == 0)
		return 1;
	if (next == CREDENTIAL_WAIT) {
		seconds = reply->wait_seconds;
		if (strcmp(said, reply->text) != 0)
			console_line(&p->stages, "not let in yet: %s (asking every %u s)", reply->text, seconds);
		memcpy(said, reply->text, sizeof(reply->text));
	} else {
		if (next == CREDENTIAL_REFUSED)
			sentence(p->error, -EACCES, "control unit %s:%u doesn't let this server in (%u): %s", p->config.host,
				 p->config.port, reply->status, reply->text);
		console_line(&p->stages, "%s; next try in %u s", p->error, seconds);
	}
	sleep(seconds);
	return 0;
}

static int ask_until_let_in(struct provision *p, struct http *http)
{
	char said[160] = "";
	unsigned rounds = 0;
	struct reply reply;
	int r, doubt;

	for (;;) {
		r = ask(p, http, "enrol", &p->node, &reply);
		if (r == 0)
			r = heed_reply(p, &reply, said, &rounds);
		else if (r == -ENOMEM)
			return r;
		else if (p->tls_refused && (doubt = doubt_clock(p)) != 0)
			r = doubt < 0 ? doubt : 0;
		else
			r = pause_unreachable(p, &rounds);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

int enrol(struct provision *p)
{
	struct http *http;
	int r = make_key(p);

	if (r < 0)
		return r;
	http = open_control(p, p->config.token);
	if (http == NULL)
		return sentence(p->error, -ENOMEM, "out of memory for an HTTP client");
	r = ask_until_let_in(p, http);
	http_free(http);
	return r;
}

bool enrol_at_once(struct provision *p)
{
	struct http *http = NULL;
	struct reply reply;
	char before[SENTENCE];
	bool done;

	memcpy(before, p->error, sizeof(before));
	done = make_key(p) == 0 && (http = open_control(p, p->config.token)) != NULL &&
	       ask(p, http, "enrol", &p->node, &reply) == 0 &&
	       credential_next(CREDENTIAL_ENROL, reply.status) == CREDENTIAL_HAVE && take_identity(p, &reply) == 0;
	http_free(http);
	memcpy(p->error, before, sizeof(before));
	p->tls_refused = true;
	return done;
}

int ensure_identity(struct provision *p)
{
	load_identity(p);
	if (credential_step(&p->node, (int64_t)time(NULL)) != CREDENTIAL_ENROL)
		return http_set_client(p->control, p->node.certificate, p->node.key) == 0 ? 0 : sentence(p->error, -ENOMEM, "out of memory");
	stages_begin(&p->stages, "enrol");
	return enrol(p);
}

void renew_identity(struct provision *p)
{
	struct reply reply;
	int r;

	if (credential_step(&p->node, (int64_t)time(NULL)) != CREDENTIAL_RENEW)
		return;
	r = ask(p, p->control, "enrol", &p->node, &reply);
	if (r == 0 && credential_next(CREDENTIAL_RENEW, reply.status) == CREDENTIAL_HAVE)
		r = take_identity(p, &reply);
	else if (r == 0)
		r = sentence(p->error, -EACCES, "%s", reply.text);
	/* It lasts for as long again. */
	if (r < 0)
		console_line(&p->stages, "this server's certificate isn't renewed yet: %s", p->error);
}

int change_key(struct provision *p)
{
	struct credential fresh = { 0 };
	struct reply reply;
	int r = credential_make(&fresh);

	if (r < 0)
		return sentence(p->error, r, "no key can be made");
	r = ask(p, p->control, "enrol", &fresh, &reply);
	if (r == 0 && reply.status != 200)
		r = sentence(p->error, -EACCES, "%s", reply.text);
	if (r == 0)
		r = take(p, &reply, &fresh, "node");
	if (r == 0) {
		http_set_client(p->control, NULL, NULL); /* it borrows what is overwritten now */
		p->node = fresh;
		r = http_set_client(p->control, p->node.certificate, p->node.key);
		keep_identity(p);
	}
	explicit_bzero(&fresh, sizeof(fresh));
	return r;
}

/* ------------------------------------------------------------------ the agent's */
static int ask_for_agent(struct provision *p)
{
	struct reply reply;
	int r = credential_make(&p->agent);

	if (r < 0)
		return sentence(p->error, r, "no key can be made");
	for (unsigned try = 1;; try++) {
		r = ask(p, p->control, "agent", &p->agent, &reply);
		if (r == 0 && reply.status == 200)
			return take(p, &reply, &p->agent, "agent");
		if (r == 0)
			sentence(p->error, -EACCES, "control unit %s:%u (%u): %s", p->config.host, p->config.port, reply.status,
				 reply.text);
		/* The answer may have been lost: the same key again. */
		if (try == AGENT_TRIES || (r == 0 && reply.status < 500))
			return r < 0 ? r : -EACCES;
		sleep(1);
	}
}

void get_agent_credential(struct provision *p)
{
	char text[SENTENCE];

	if (ask_for_agent(p) == 0)
		return;
	credential_wipe(&p->agent);
	sentence(text, 0, "this system's agent has no credential and can't report: %.280s", p->error);
	console_line(&p->stages, "%s", text);
	add_notice(p, text);
}
