// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/tenancy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/json.h"
#include "common/log.h"
#include "control/attestation-gate.h"
#include "control/attestation.h"
#include "control/power.h"
#include "control/report-key.h"
#include "control/sealed.h"
#include "control/store-tenancy.h"

#define DISK_KEY_SIZE 64u /* two AES-256 keys of XTS */
#define CANT_OPEN "the control unit can't open its key: see its events"

static const char *account_of(const struct control *control, const struct node *node)
{
	const struct group *group = group_of(control->fleet, node);

	return group ? group->account : "";
}

/* ------------------------------------------------------------------ keys */

/* What is encrypted by which key; `seal` binds a sealed one to its use. */
static const struct key_use {
	enum store_key kind;
	const char *seal, *what, *member, *closed, *event;
} key_uses[] = {
	{ STORE_KEY_HOME, "home-key", "H:", "h_key", "H: stays closed", "home" },
	{ STORE_KEY_DISK, "disk-key", "C: and D:", "disk_key", "it doesn't start", "encryption" },
};

static int seal_purpose(const struct key_use *use, const struct node *node, const char *account, char ret_purpose[160])
{
	int n = snprintf(ret_purpose, 160, "%s %s %s", use->seal, node->id, account);

	return n > 0 && n < 160 ? 0 : -EINVAL;
}

static int make_key(struct control *control, const struct key_use *use, const struct node *node, const char *account, const char *purpose, int64_t now,
		    struct buffer *ret_key)
{
	uint8_t key[DISK_KEY_SIZE];
	struct buffer sealed = { 0 };
	int r = getrandom(key, sizeof key, 0) == (ssize_t)sizeof key ? base64_format(key, sizeof key, ret_key) : -EIO;

	if (!r)
		r = sealed_close(power_sealing_key(control->power), purpose, (const char *)ret_key->data, &sealed);
	if (!r)
		r = store_put_key(control->store, use->kind, node->id, account, (const char *)sealed.data, now);
	explicit_bzero(key, sizeof key);
	buffer_release(&sealed);
	return r;
}

/* In base64. -ENOKEY and -EBADMSG: it is there and can't be opened; another one would make what it encrypts unreadable for ever. */
static int find_key(struct control *control, const struct key_use *use, const struct node *node, const char *account, int64_t now,
		    struct buffer *ret_key)
{
	struct buffer sealed = { 0 };
	char purpose[160];
	int r = seal_purpose(use, node, account, purpose);

	if (!r)
		r = store_get_key(control->store, use->kind, node->id, account, &sealed);
	if (r == -ENOENT)
		r = make_key(control, use, node, account, purpose, now, ret_key);
	else if (!r)
		r = sealed_open(power_sealing_key(control->power), purpose, (const char *)sealed.data, ret_key);
	buffer_release(&sealed);
	return r;
}

/* -ENOKEY when there is one that can't be opened; the operator hears of it. */
static int add_key(struct control *control, const struct key_use *use, const struct node *node, const char *account, int64_t now, json_t *answer)
{
	struct buffer key = { 0 };
	int r = find_key(control, use, node, account, now, &key);

	if (!r && json_object_set_new(answer, use->member, json_string((const char *)key.data)) < 0)
		r = -ENOMEM;
	if (key.data)
		explicit_bzero(key.data, key.size);
	buffer_release(&key);
	if (r != -ENOKEY && r != -EBADMSG)
		return r;
	control_event(control, now, node->id, SEVERITY_ALARM, use->event, NULL, "the key of %s can't be opened (it was sealed with another "
		      SEALING_KEY_FILE ", or is damaged): %s; put back that file, or `repave sanitize` the server", use->what, use->closed);
	return -ENOKEY;
}

/* ------------------------------------------------------------------ H: */

/* A stage 1 from before there was this would open it all the same, or make a file system in the clear: what it knows is that there is none. */
static int set_closed(json_t *answer, const struct boot_request *request, const char *why)
{
	const char *h = json_get_string(answer, "h");

	if (!request->boot_id[0] && h && strncmp(h, "nfs:", 4) && json_object_set_new(answer, "h", json_string("none")) < 0)
		return -ENOMEM;
	return json_object_set_new(answer, "h_closed", json_string(why)) < 0 ? -ENOMEM : 0;
}

int tenancy_add_home(struct control *control, const struct node *node, const struct boot_request *request, int64_t now, json_t *answer)
{
	const struct group *group = group_of(control->fleet, node);
	const char *account = account_of(control, node);
	char tenant[ACCOUNT_MOST + 1];
	int r = store_get_tenant(control->store, node->id, tenant);

	if (r < 0)
		return r;
	if (tenant[0] && !account[0])
		return set_closed(answer, request, "it holds the data of an account that this server doesn't work for at present");
	if (!group || !group->home_encrypted)
		return 0;
	if (json_object_set_new(answer, "h_encryption", json_true()) < 0)
		return -ENOMEM;
	if (!attestation_allows_secrets(control, node, request))
		return set_closed(answer, request, "its key is only for a server that has proved what it runs");
	if (!request->boot_id[0])
		return set_closed(answer, request, "it is to be encrypted, and this stage 1 is too old for that");
	r = add_key(control, &key_uses[STORE_KEY_HOME], node, account, now, answer);
	return r == -ENOKEY ? set_closed(answer, request, CANT_OPEN) : r;
}

/* ------------------------------------------------------------------ C: and D: */

bool tenancy_admits(const struct control *control, const struct node *node, const struct boot_request *request, char ret_why[ERROR_TEXT])
{
	const struct group *group = group_of(control->fleet, node);

	if (!group || !group->slots_encrypted || request->encrypts)
		return true;
	snprintf(ret_why, ERROR_TEXT, "group %s wants C: and D: encrypted, and this server's stage 1 is too old for that: boot a newer one", group->name);
	return false;
}

int tenancy_add_disk(struct control *control, const struct node *node, const struct boot_request *request, int64_t now, json_t *answer)
{
	const struct group *group = group_of(control->fleet, node);
	const char *closed = "its key is only for a server that has proved what it runs: see `repave node show`";
	int r;

	if (!group || !group->slots_encrypted)
		return 0;
	if (json_object_set_new(answer, "encryption", json_true()) < 0)
		return -ENOMEM;
	if (attestation_allows_secrets(control, node, request)) {
		r = add_key(control, &key_uses[STORE_KEY_DISK], node, group->account, now, answer);
		if (r != -ENOKEY)
			return r;
		closed = CANT_OPEN;
	}
	return json_object_set_new(answer, "disk_closed", json_string(closed)) < 0 ? -ENOMEM : 0;
}

/* ------------------------------------------------------------------ clearing */

static int make_order(char ret_order[SANITIZE_ORDER_SIZE + 1])
{
	uint8_t random[SANITIZE_ORDER_SIZE / 2];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EIO;
	hex_format(random, sizeof random, ret_order);
	return 0;
}

static int put(struct control *control, struct sanitizing *s)
{
	return store_put_sanitizing(control->store, s, "", "");
}

/* The keys go before stage 1 hears of it: what it doesn't get to isn't readable any more. One transaction. */
static int begin(struct control *control, struct sanitizing *s, const char *to, int64_t now)
{
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	s->began = now;
	strcpy(s->to, to);
	r = store_forget_keys(control->store, s->node, &s->keys);
	if (!r)
		r = put(control, s);
	if (r < 0) {
		store_rollback(control->store);
		return r;
	}
	r = store_commit(control->store);
	if (r < 0)
		return r;
	return control_event(control, now, s->node, SEVERITY_NOTICE, "sanitize", NULL,
			     "it is cleared of what account %s left (%s): %llu key%s of its disk destroyed; order %.8s", s->from[0] ? s->from : "(none)",
			     s->reason, (unsigned long long)s->keys, s->keys == 1 ? "" : "s", s->order);
}

static json_int_t newest_audit(struct control *control)
{
	struct store_filter filter = { .after = -1, .most = 1, .node = "" };
	json_t *list = NULL;
	json_int_t sequence = 0;

	if (!store_list(control->store, STORE_AUDIT, &filter, &list))
		sequence = json_integer_value(json_object_get(json_array_get(list, json_array_size(list) - 1), "sequence"));
	json_decref(list);
	return sequence;
}

static int sign_record(struct control *control, const struct sanitizing *s, const char *name, int64_t now, struct buffer *ret_text,
		       char ret_signature[2 * REPORT_SIGNATURE_SIZE + 1])
{
	uint8_t signature[REPORT_SIGNATURE_SIZE];
	char why[ERROR_TEXT] = "";
	int r = sanitizing_record(s, name, now, newest_audit(control), ret_text);

	if (!r)
		r = report_key_sign(control, ret_text->data, ret_text->size, signature, why);
	if (r < 0)
		return log_error(r, "the record of how node %s was cleared can't be signed%s%s", s->node, why[0] ? ": " : "", why);
	hex_format(signature, sizeof signature, ret_signature);
	return 0;
}

/* After the reset. What can't be signed isn't over: the node asks again. */
static int end(struct control *control, const struct node *node, struct sanitizing *s, const struct boot_request *request, int64_t now)
{
	char signature[2 * REPORT_SIGNATURE_SIZE + 1];
	struct buffer text = { 0 };
	int r;

	s->ended = now;
	/* Who wasn't asked to clear it didn't. */
	if (!strcmp(s->done.memory, "requested"))
		snprintf(s->memory_after, sizeof s->memory_after, "%s", request->memory);
	s->memory_zeroed = request->memory_zeroed;
	s->proved = s->proved && attestation_proved(node, request->attestation, now);
	r = sign_record(control, s, assignment_host_name(&node->assignment), now, &text, signature);
	if (!r)
		r = store_begin(control->store);
	if (!r) {
		r = store_put_sanitizing(control->store, s, (const char *)text.data, signature);
		if (!r)
			r = store_put_tenant(control->store, s->node, "", now);
		if (r < 0)
			store_rollback(control->store);
		else
			r = store_commit(control->store);
	}
	buffer_release(&text);
	if (r < 0)
		return r;
	return control_event(control, now, s->node, SEVERITY_NOTICE, "sanitize", NULL,
			     "it is cleared of what account %s left, and was reset: record %llu (`repave report sanitize`)",
			     s->from[0] ? s->from : "(none)", (unsigned long long)s->id);
}

static int new_order(struct control *control, const struct node *node, const char *from, const char *reason, int64_t now,
		     struct sanitizing *ret_sanitizing)
{
	struct sanitizing *s = ret_sanitizing;
	int r;

	*s = (struct sanitizing){ .ordered = now };
	strcpy(s->node, node->id);
	snprintf(s->from, sizeof s->from, "%s", from);
	snprintf(s->reason, sizeof s->reason, "%s", reason);
	r = make_order(s->order);
	if (!r)
		r = store_begin(control->store);
	if (r < 0)
		return r;
	r = put(control, s);
	if (r < 0) {
		store_rollback(control->store);
		return r;
	}
	return store_commit(control->store);
}

/* Another account's data are there: 0 with an order in `s`, which isn't stored before it begins; -ENOENT when nothing is to be done. */
static int look_at_tenant(struct control *control, const struct node *node, const char *account, int64_t now, struct sanitizing *s)
{
	char tenant[ACCOUNT_MOST + 1], reason[SANITIZE_REASON_MOST + 1];
	int r = store_get_tenant(control->store, node->id, tenant);

	if (r < 0 || !account[0] || !strcmp(tenant, account))
		return r < 0 ? r : -ENOENT;
	if (!tenant[0]) {
		r = store_put_tenant(control->store, node->id, account, now);
		return r < 0 ? r : -ENOENT;
	}
	snprintf(reason, sizeof reason, "passes from account %s to %s", tenant, account);
	return new_order(control, node, tenant, reason, now, s);
}

/* What a stage 1 that knows nothing of this understands is that it has to wait. */
static int format_order(const struct sanitizing *s, bool known, json_t **ret_order, char ret_why[ERROR_TEXT])
{
	if (!known)
		snprintf(ret_why, ERROR_TEXT, "this server must be cleared of what account %s left, and its stage 1 is too old for that: boot a newer one",
			 s->from[0] ? s->from : "(none)");
	else
		snprintf(ret_why, ERROR_TEXT, "it is cleared of what account %s left%s", s->from[0] ? s->from : "(none)",
			 s->cleared ? ", and waits for a reset" : "");
	*ret_order = json_pack("{ss sb}", "order", s->order, "cleared", (int)(s->cleared != 0));
	return *ret_order ? 0 : -ENOMEM;
}

int tenancy_asked(struct control *control, const struct node *node, const struct boot_request *request, int64_t now, json_t **ret_order,
		  char ret_why[ERROR_TEXT])
{
	const char *account = account_of(control, node);
	struct sanitizing s;
	int r = store_open_sanitizing(control->store, node->id, &s);

	*ret_order = NULL;
	if (r == -ENOENT)
		r = look_at_tenant(control, node, account, now, &s);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* Another kernel than the one that cleared it: it was reset, or lost its power. */
	if (s.cleared && request->boot_id[0] && strcmp(request->boot_id, s.done.boot_id)) {
		r = end(control, node, &s, request, now);
		if (!r && account[0])
			r = store_put_tenant(control->store, node->id, account, now);
		return r;
	}
	if (!s.began && request->boot_id[0])
		r = begin(control, &s, account, now);
	return r < 0 ? r : format_order(&s, request->boot_id[0] != 0, ret_order, ret_why);
}

int tenancy_cleared(struct control *control, const struct node *node, const struct cleared *cleared, int64_t now, char ret_error[ERROR_TEXT])
{
	struct sanitizing s;
	int r = store_open_sanitizing(control->store, node->id, &s);

	if (r == -ENOENT || (!r && (!s.began || strcmp(s.order, cleared->order))))
		return -ESTALE;
	if (r < 0)
		return r;
	/* Who copied the node's key can say that, too. */
	if (!attestation_believes(control, node, cleared->attestation, now, ret_error)) {
		r = control_event(control, now, node->id, SEVERITY_ALARM, "sanitize", NULL, "it says that it is cleared, and that doesn't count: %.300s",
				  ret_error);
		return r < 0 ? r : -EACCES;
	}
	s.cleared = now;
	s.done = *cleared;
	s.proved = attestation_proved(node, cleared->attestation, now);
	return put(control, &s);
}

int tenancy_order(struct control *control, const struct node *node, const char *by, int64_t now, struct sanitizing *ret_sanitizing,
		  char ret_error[ERROR_TEXT])
{
	char tenant[ACCOUNT_MOST + 1], reason[SANITIZE_REASON_MOST + 1];
	int r = store_open_sanitizing(control->store, node->id, ret_sanitizing);

	if (!r) {
		snprintf(ret_error, ERROR_TEXT, "node %s is to be cleared already, at its next start", node->id);
		return -EEXIST;
	}
	if (r == -ENOENT)
		r = store_get_tenant(control->store, node->id, tenant);
	if (r < 0)
		return r;
	snprintf(reason, sizeof reason, "ordered by %.100s", by);
	return new_order(control, node, tenant, reason, now, ret_sanitizing);
}
