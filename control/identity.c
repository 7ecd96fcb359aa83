// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/identity.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"

const char *enrol_policy_name(enum enrol_policy policy)
{
	return policy == ENROL_BY_TOKEN ? "token" : "approve";
}

int enrol_policy_parse(const char *text, enum enrol_policy *ret_policy)
{
	if (strcmp(text, "token") && strcmp(text, "approve"))
		return -EINVAL;
	*ret_policy = strcmp(text, "token") ? ENROL_BY_APPROVAL : ENROL_BY_TOKEN;
	return 0;
}

bool token_usable(const struct token *token, int64_t now, char ret_why[ERROR_TEXT])
{
	const char *why = token->revoked ? "was revoked" :
			  token->expires && now >= token->expires ? "has expired" :
			  token->uses && token->used >= token->uses ? "is used up" : NULL;

	if (why)
		snprintf(ret_why, ERROR_TEXT, "the join token %s %s; `repave token create` makes another", token->id, why);
	return !why;
}

/* ------------------------------------------------------------------ the machine */

static bool has_mac(const json_t *list, const char *mac)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_iterable(list), i, item)
		if (!strcasecmp(json_string_value(item), mac))
			return true;
	return false;
}

static bool share_mac(const json_t *a, const json_t *b)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_iterable(a), i, item)
		if (has_mac(b, json_string_value(item)))
			return true;
	return json_array_size(a) == 0 && json_array_size(b) == 0;
}

/* The first few, for a sentence. */
static const char *show_macs(const json_t *macs, char ret_text[128])
{
	size_t used = 0, i;
	const json_t *item;

	strcpy(ret_text, "none");
	json_array_foreach(json_iterable(macs), i, item)
		if (i < 3)
			used += (size_t)snprintf(ret_text + used, 128 - used, "%s%.38s", i ? ", " : "", json_string_value(item));
	return ret_text;
}

/* What firmware says of itself may be anything: for a sentence, its first bytes, and of these ASCII. */
static const char *show_serial(const char *serial, char ret_text[81])
{
	size_t i;

	for (i = 0; serial[i] && i < 80; i++)
		ret_text[i] = serial[i] >= 0x20 && serial[i] < 0x7f ? serial[i] : '?';
	ret_text[i] = 0;
	return ret_text;
}

bool machine_fits(const struct identity *known, const struct machine *machine, char ret_differs[ERROR_TEXT])
{
	char was[128], is[128];

	if (strcmp(known->serial, machine->serial)) {
		snprintf(ret_differs, ERROR_TEXT, "its serial number was \"%s\" and is \"%s\"", show_serial(known->serial, was),
			 show_serial(machine->serial, is));
		return false;
	}
	if (!share_mac(known->macs, machine->macs)) {
		snprintf(ret_differs, ERROR_TEXT, "its network addresses were %s and are %s", show_macs(known->macs, was),
			 show_macs(machine->macs, is));
		return false;
	}
	return true;
}

/* ------------------------------------------------------------------ deciding */

static void decide(struct enrol_decision *d, enum enrol_verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void decide(struct enrol_decision *d, enum enrol_verdict verdict, const char *format, ...)
{
	va_list args;

	d->verdict = verdict;
	va_start(args, format);
	vsnprintf(d->reason, sizeof d->reason, format, args);
	va_end(args);
}

/* An operator said yes to just this key on just this machine. */
static bool approved(const struct enrol_question *q)
{
	const struct enrolment *w = q->waiting;
	struct identity bound;
	char differs[ERROR_TEXT];

	if (!w || !w->approved || strcmp(w->key, q->key))
		return false;
	bound = (struct identity){ .macs = w->macs };
	strcpy(bound.serial, w->serial);
	return machine_fits(&bound, &q->machine, differs);
}

/* Whether what it showed lets a machine in that nothing speaks against; else the answer is made. */
static bool enters(const struct enrol_question *q, struct enrol_decision *d)
{
	if (approved(q)) {
		d->way = "approval";
		return true;
	}
	if (q->entry == ENTRY_CERTIFICATE)
		return true;
	if (q->allowed) {
		d->way = "allow list";
		return true;
	}
	if (q->policy == ENROL_BY_APPROVAL) {
		decide(d, ENROL_WAIT, "this server waits for `repave node approve`");
		return false;
	}
	if (q->entry == ENTRY_TOKEN) {
		d->uses_token = true;
		return true;
	}
	decide(d, ENROL_REFUSE, "this server has no join token and isn't on the allow list (`repave node allow`)");
	return false;
}

/* The key that the node has already: the answer was lost, or its certificate is to be renewed. */
static void decide_same_key(const struct enrol_question *q, struct enrol_decision *d)
{
	char differs[ERROR_TEXT];
	bool proven = q->entry != ENTRY_NONE || q->allowed || !strcmp(q->known->way, "approval");

	if (!proven)
		decide(d, ENROL_REFUSE, "this server has no join token; a certificate that ended is renewed with one");
	else if (!approved(q) && !machine_fits(q->known, &q->machine, differs)) {
		d->alarm = true;
		decide(d, ENROL_WAIT, "clone or replaced board: %.250s; `repave node approve` accepts it", differs);
	} else {
		d->verdict = ENROL_REPEAT;
	}
}

/* Somebody asks under the name of a known node with another key than it has. */
static void decide_other_key(const struct enrol_question *q, struct enrol_decision *d)
{
	int64_t silent = q->now - q->last_heard;
	bool may = enters(q, d), uses_token = d->uses_token;
	char differs[ERROR_TEXT];

	if (!may && d->verdict == ENROL_REFUSE)
		return;
	d->uses_token = false;
	if (approved(q)) {
		d->verdict = ENROL_REPLACE;
	} else if (!machine_fits(q->known, &q->machine, differs)) {
		d->alarm = true;
		decide(d, ENROL_WAIT, "clone or replaced board: %.250s; `repave node approve` accepts it", differs);
	} else if (q->entry != ENTRY_CERTIFICATE && q->waiting && q->last_heard > q->waiting->since) {
		/* It has spoken while this one waited: there are two of them. */
		d->alarm = true;
		decide(d, ENROL_WAIT, "clone: the server that has this identity spoke %lld s ago and goes on; `repave node approve` replaces it",
		       (long long)silent);
	} else if (may && q->entry != ENTRY_CERTIFICATE && silent <= q->clone_seconds) {
		decide(d, ENROL_WAIT, "this server's former identity spoke %lld s ago; it is replaced once it has been silent for %lld s",
		       (long long)silent, (long long)q->clone_seconds);
	} else if (may) {
		d->uses_token = uses_token;
		d->verdict = ENROL_REPLACE;
	}
}

void enrol_decide(const struct enrol_question *q, struct enrol_decision *d)
{
	*d = (struct enrol_decision){ .verdict = ENROL_REFUSE };
	if (!q->known || !q->known->key[0]) {
		if (enters(q, d))
			d->verdict = ENROL_ACCEPT;
	} else if (!strcmp(q->known->key, q->key)) {
		decide_same_key(q, d);
	} else {
		decide_other_key(q, d);
	}
}
