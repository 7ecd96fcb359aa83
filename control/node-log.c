// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/node-log.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"

static const char *const kind_names[] = { [LOG_BOOT] = "boot", [LOG_CRASH] = "crash", [LOG_APP] = "app", [LOG_SYSTEM] = "system" };

const char *log_kind_name(enum log_kind kind)
{
	return kind_names[kind];
}

int log_kind_parse(const char *text, enum log_kind *ret_kind)
{
	for (size_t i = 0; i < sizeof kind_names / sizeof kind_names[0]; i++) {
		if (!strcmp(text, kind_names[i])) {
			*ret_kind = (enum log_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* A terminal obeys what isn't. */
static bool is_plain(const json_t *text)
{
	const char *at = json_string_value(text);
	size_t size = json_string_length(text);

	for (size_t i = 0; i < size; i++)
		if ((at[i] < 0x20 || at[i] > 0x7e) && at[i] != '\n' && at[i] != '\t')
			return false;
	return true;
}

static int take(const json_t *root, bool from_agent, struct node_log *log, char ret_error[ERROR_TEXT])
{
	const char *kind = json_get_string(root, "kind"), *nonce = json_get_string(root, "nonce");
	json_t *text = json_object_get(root, "text");
	uint64_t format = 0;

	if (json_get_u64(root, "format", &format) < 0 || format != 1)
		return refused(ret_error, "the body must be an object with \"format\": 1");
	if (!kind || log_kind_parse(kind, &log->kind) < 0 || from_agent != (log->kind == LOG_APP || log->kind == LOG_SYSTEM))
		return refused(ret_error, "\"kind\" must be %s", from_agent ? "app or system" : "boot or crash");
	if (!from_agent && (!nonce || !nonce_valid(nonce)))
		return refused(ret_error, "\"nonce\" must be that of the boot");
	if (!json_is_string(text) || json_string_length(text) < 1 || json_string_length(text) > LOG_TEXT_MOST || !is_plain(text))
		return refused(ret_error, "\"text\" must be 1 to %u bytes of printable ASCII, tabs and newlines", LOG_TEXT_MOST);
	if (!from_agent)
		strcpy(log->nonce, nonce);
	log->text = json_incref(text);
	return 0;
}

int node_log_parse(const void *body, size_t size, bool from_agent, struct node_log *ret_log, char ret_error[ERROR_TEXT])
{
	char why[160];
	json_t *root = json_parse(body, size, why);
	int r;

	*ret_log = (struct node_log){ 0 };
	if (!root)
		return refused(ret_error, "the body is %s", why);
	r = take(root, from_agent, ret_log, ret_error);
	json_decref(root);
	return r;
}

void node_log_release(struct node_log *log)
{
	json_decref(log->text);
	*log = (struct node_log){ 0 };
}
