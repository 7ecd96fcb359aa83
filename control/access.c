// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/access.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/secret.h"

/* What anybody may send, as the audit log may hold it. */
static void show(const char *text, size_t room, char *ret_text)
{
	size_t i;

	for (i = 0; text[i] && i < room - 1; i++)
		ret_text[i] = text[i] > 0x20 && text[i] < 0x7f ? text[i] : '?';
	ret_text[i] = 0;
}

int access_identify(struct control *control, const struct http_call *call, struct caller *ret_caller)
{
	const char *token = control_bearer(call->authorization);
	struct caller *caller = ret_caller;
	struct operator_record record;
	char hash[DIGEST_TEXT + 1];
	int r;

	*caller = (struct caller){ .who = "?", .role = "none" };
	show(call->path, sizeof caller->path, caller->path);
	show(call->method, sizeof caller->method, caller->method);
	if (call->who->local) {
		/* Its mode lets only those in who run the control unit. */
		snprintf(caller->who, sizeof caller->who, "uid %u", call->who->uid);
		caller->role = role_name(ROLE_ADMIN);
		caller->roles = MAY(ROLE_ADMIN);
		return 0;
	}
	if (!token || strlen(token) != TOKEN_SIZE)
		return -ENOENT;
	r = digest_text(token, TOKEN_SIZE, hash);
	if (!r)
		r = store_find_operator(control->store, hash, &record);
	if (r < 0)
		return r;
	strcpy(caller->who, record.name);
	caller->role = role_name(record.role);
	caller->roles = MAY(record.role);
	return 0;
}

struct audit_entry access_entry(const struct caller *caller, const struct http_call *call, const char *what, unsigned status,
				int64_t now)
{
	return (struct audit_entry){ .time = now, .who = caller->who, .role = caller->role, .from = call->peer,
				     .method = caller->method, .path = caller->path, .what = what, .status = status };
}

void access_admit(void *context, const struct http_call *call, struct http_answer *answer)
{
	struct control *control = context;
	struct audit_entry entry;
	struct caller caller;
	int64_t now;
	int r;

	if (control_throttled(control, call, answer))
		return;
	now = control_lock(control);
	r = access_identify(control, call, &caller);
	if (r == -ENOENT) {
		entry = access_entry(&caller, call, call->authorization ? "refused: wrong token" : "refused: no token", 401, now);
		r = store_add_audit(control->store, &entry);
		control_leave(control);
		control_log_refused(control, "operator's port: %s was refused: %s token", call->peer, call->authorization ? "wrong" : "no");
		http_answer_error(answer, 401, "the operator's token is missing or wrong; `repave operator add` makes one");
		control_note_wrong(control, call);
		return;
	}
	control_leave(control);
	if (r < 0)
		http_answer_error(answer, 500, "the control unit failed; its log says more");
}
