// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-identity.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/operator-answer.h"
#include "control/registry.h"
#include "control/secret.h"

#define USES_MOST 1000000u
#define LOG_MOST 1000u        /* entries of one answer */
#define LOG_DEFAULT 50u

/* ------------------------------------------------------------------ lists */

void operator_list(struct control *control, enum store_list which, const char *key, struct http_answer *answer)
{
	json_t *list = NULL;
	int r = store_list(control->store, which, NULL, &list);

	if (r < 0)
		answer_failure(answer, r, "");
	else
		answer_json(answer, json_pack("{so}", key, list));
}

/* A number among the arguments; absent: as it was. 0 or -EINVAL. */
static int take_number(const struct http_call *call, const char *name, uint64_t most, uint64_t *value)
{
	const char *text = http_argument(call, name);

	return text && (parse_u64(text, value) < 0 || *value > most) ? -EINVAL : 0;
}

void operator_list_log(struct control *control, enum store_list which, const char *key, const struct http_call *call,
		       struct http_answer *answer)
{
	const char *node = http_argument(call, "node"), *severity = http_argument(call, "severity");
	struct store_filter filter = { .node = "", .least = SEVERITY_INFO };
	uint64_t after = 0, most = LOG_DEFAULT;
	const struct node *found;
	char why[ERROR_TEXT] = "";
	json_t *list = NULL;
	int r = 0;

	if (take_number(call, "after", INT64_MAX, &after) < 0 || take_number(call, "most", LOG_MOST, &most) < 0)
		r = refused(why, "after and most must be numbers, most at most %u", LOG_MOST);
	if (!r && severity && severity_parse(severity, &filter.least) < 0)
		r = refused(why, "severity must be info, notice, warning or alarm");
	if (!r && node) {
		/* Of machines that aren't nodes yet there are events too. */
		if (node_id_valid(node))
			filter.node = node;
		else if (!(r = fleet_find(control->fleet, node, &found, why)))
			filter.node = found->id;
	}
	filter.after = http_argument(call, "after") ? (int64_t)after : -1;
	filter.most = (unsigned)most;
	if (!r)
		r = store_list(control->store, which, &filter, &list);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{so}", key, list));
}

/* ------------------------------------------------------------------ tokens */

/* A note: "" when absent. 0 or -EINVAL. */
static int take_note(const json_t *body, char ret_note[NOTE_MOST + 1], char ret_error[ERROR_TEXT])
{
	const json_t *value = json_object_get(body, "note");
	const char *note = value ? json_string_value(value) : "";

	if (!note || strlen(note) > NOTE_MOST || !text_printable(note, strlen(note)))
		return refused(ret_error, "a note is a line of at most %u bytes", NOTE_MOST);
	strcpy(ret_note, note);
	return 0;
}

static int parse_token(const json_t *body, int64_t now, struct token *ret_token, char ret_error[ERROR_TEXT])
{
	const json_t *expires = json_object_get(body, "expires");
	struct token *token = ret_token;
	int64_t life = 0;
	int r;

	*token = (struct token){ .created = now };
	if (!json_is_object(body))
		return refused(ret_error, "a token is described by an object");
	r = json_get_u64(body, "uses", &token->uses);
	if (r == -EINVAL || (!r && (token->uses < 1 || token->uses > USES_MOST)))
		return refused(ret_error, "\"uses\" must be a number from 1 to %u", USES_MOST);
	if (expires && !json_is_string(expires))
		return refused(ret_error, "\"expires\" must be a length of time, such as 1h");
	r = expires ? duration_parse(json_string_value(expires), &life, ret_error) : 0;
	if (r < 0)
		return r;
	token->expires = life ? now + life : 0;
	return take_note(body, token->note, ret_error);
}

void operator_make_token(struct control *control, const json_t *body, int64_t now, struct http_answer *answer)
{
	char secret[TOKEN_SIZE + 1] = "", why[ERROR_TEXT] = "";
	struct token token;
	int r = parse_token(body, now, &token, why);

	if (!r)
		r = secret_make(secret);
	if (!r)
		r = secret_make_id(token.id);
	if (!r)
		r = digest_text(secret, TOKEN_SIZE, token.hash);
	if (!r)
		r = store_add_token(control->store, &token);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss ss sI sI ss}", "id", token.id, "token", secret, "expires", (json_int_t)token.expires,
					      "uses", (json_int_t)token.uses, "note", token.note));
	explicit_bzero(secret, sizeof secret);
}

void operator_revoke_token(struct control *control, const char *id, int64_t now, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	int r = store_revoke_token(control->store, id, now);

	if (r == -ENOENT)
		snprintf(why, sizeof why, "no join token \"%.16s\"; `repave token list` shows them", id);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "id", id));
}

/* ------------------------------------------------------------------ operators */

static int parse_operator(const json_t *body, int64_t now, struct operator_record *ret_record, char ret_error[ERROR_TEXT])
{
	const char *name = json_get_string(body, "name"), *role = json_get_string(body, "role");

	*ret_record = (struct operator_record){ .created = now };
	if (!name || !text_of(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_", OPERATOR_NAME_MOST))
		return refused(ret_error, "an operator's name is 1 to %u lower-case letters, digits, dots, hyphens and underscores",
			       OPERATOR_NAME_MOST);
	if (!role || role_parse(role, &ret_record->role) < 0)
		return refused(ret_error, "a role is viewer, operator, admin or auditor");
	strcpy(ret_record->name, name);
	return 0;
}

void operator_add(struct control *control, const json_t *body, int64_t now, struct http_answer *answer)
{
	char secret[TOKEN_SIZE + 1] = "", why[ERROR_TEXT] = "";
	struct operator_record record;
	int r = parse_operator(body, now, &record, why);

	if (!r)
		r = secret_make(secret);
	if (!r)
		r = digest_text(secret, TOKEN_SIZE, record.hash);
	if (!r)
		r = store_add_operator(control->store, &record);
	if (r == -EEXIST)
		snprintf(why, sizeof why, "there is an operator %s already; `repave operator remove %s` first", record.name, record.name);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss ss ss}", "name", record.name, "role", role_name(record.role), "token", secret));
	explicit_bzero(secret, sizeof secret);
}

void operator_remove(struct control *control, const char *name, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	int r = store_remove_operator(control->store, name);

	if (r == -ENOENT)
		snprintf(why, sizeof why, "no operator \"%.32s\"; `repave operator list` shows them", name);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "name", name));
}

/* ------------------------------------------------------------------ machines */

void operator_judge(struct control *control, const char *node, const json_t *body, bool approve, int64_t now, struct http_answer *answer)
{
	const json_t *key = json_object_get(body, "key");
	char id[NODE_ID_SIZE + 1], why[ERROR_TEXT] = "";
	int r = 0;

	if (key && (!json_is_string(key) || !text_of(json_string_value(key), "0123456789abcdef", DIGEST_TEXT)))
		r = refused(why, "\"key\" must be the first digits of the key in `repave node list --pending`, or all of them");
	if (!r)
		r = registry_judge(control, node, key ? json_string_value(key) : NULL, approve, now, id, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "id", id));
}

void operator_remove_node(struct control *control, const char *node, int64_t now, struct http_answer *answer)
{
	char id[NODE_ID_SIZE + 1], why[ERROR_TEXT] = "";
	int r = registry_remove(control, node, now, id, why);

	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "id", id));
}

/* {"kind", "value", "allowed", "note"}; value in the writing that machines are compared in. */
static int parse_allowed(const json_t *body, const char **ret_kind, char ret_value[DMI_TEXT_MOST + 1], char ret_note[NOTE_MOST + 1],
			 char ret_error[ERROR_TEXT])
{
	const char *kind = json_get_string(body, "kind"), *value = json_get_string(body, "value");
	size_t size = value ? strlen(value) : 0;

	if (!kind || (strcmp(kind, "uuid") && strcmp(kind, "serial") && strcmp(kind, "mac")) ||
	    !json_is_boolean(json_object_get(body, "allowed")))
		return refused(ret_error, "an entry of the allow list has a kind (uuid, serial or mac), a value, and allowed (true or false)");
	if (size == 0 || size > DMI_TEXT_MOST || !text_printable(value, size))
		return refused(ret_error, "the value of an entry is a line of at most %u bytes", DMI_TEXT_MOST);
	for (size_t i = 0; i <= size; i++)
		ret_value[i] = strcmp(kind, "serial") ? (char)tolower((unsigned char)value[i]) : value[i];
	if (!strcmp(kind, "uuid") && !node_id_valid(ret_value))
		return refused(ret_error, "a uuid has the form 5e70a7e0-0000-4000-8000-000000000001");
	if (!strcmp(kind, "mac") && (size != 17 || !text_of(ret_value, "0123456789abcdef:", 17)))
		return refused(ret_error, "a mac has the form 52:54:00:12:34:56");
	*ret_kind = kind;
	return take_note(body, ret_note, ret_error);
}

void operator_allow(struct control *control, const json_t *body, int64_t now, struct http_answer *answer)
{
	char value[DMI_TEXT_MOST + 1], note[NOTE_MOST + 1], why[ERROR_TEXT] = "";
	bool allow = json_is_true(json_object_get(body, "allowed"));
	const char *kind = NULL;
	int r = parse_allowed(body, &kind, value, note, why);

	if (!r)
		r = allow ? store_put_allowed(control->store, kind, value, note, now) :
			    store_remove_allowed(control->store, kind, value);
	if (r == -ENOENT)
		snprintf(why, sizeof why, "no %s \"%.80s\" on the allow list; `repave node allow` shows it", kind, value);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss ss sb}", "kind", kind, "value", value, "allowed", (int)allow));
}

void operator_set(struct control *control, const json_t *body, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	int r = registry_change_settings(control, body, why);

	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, registry_describe_settings(control));
}
