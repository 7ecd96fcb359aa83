// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/messages.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"

#define DEFAULT_TIMEOUT 10u
#define DEFAULT_RETRY 5u
#define DEFAULT_GIVE_UP 86400u
#define DEFAULT_PER_MINUTE 30u
#define GIVE_UP_MOST (30u * 86400)
#define URL_MOST 1000u
#define KIND_PREFIX "event:"
#define LONGEST_WAIT 3600u /* seconds, without the quarter */

/* ------------------------------------------------------------------ words of "on" */

/* What is done to servers and users, by rules or people. */
static const char *const actions[] = { "add", "remove", "move", "reimage", "reboot", "release", "cut", "quarantine", "maintenance", "clear", "replace",
				       "retry", "allocate", "os", "deny", "admit", "warn" };
static const char *const origins[] = { "rule", "plan", "operator", "user" };
static const char *const others[] = { "decision", "denied", "later", "advised", "failed", "info", "notice", "warning", "alarm" };

static bool is_one_of(const char *word, const char *const list[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(word, list[i]))
			return true;
	return false;
}

#define IS_ONE_OF(word, list) is_one_of(word, list, sizeof(list) / sizeof((list)[0]))

static bool word_valid(const char *word)
{
	const char *kind = word + sizeof KIND_PREFIX - 1;

	if (!strncmp(word, KIND_PREFIX, sizeof KIND_PREFIX - 1))
		return text_of(kind, "abcdefghijklmnopqrstuvwxyz0123456789-", 40);
	return IS_ONE_OF(word, actions) || IS_ONE_OF(word, origins) || IS_ONE_OF(word, others);
}

/* "operator NAME" by "operator". */
static bool origin_is(const char *origin, const char *word)
{
	size_t size = strlen(word);

	return origin && !strncmp(origin, word, size) && (!origin[size] || origin[size] == ' ');
}

static bool names_decision(const char *word, const struct message_facts *facts)
{
	const char *verdict = facts->verdict && facts->verdict[0] ? facts->verdict : "do";
	bool is_done = !strcmp(verdict, "do") || !strcmp(verdict, "hurry");

	if (!is_done)
		return !strcmp(word, verdict) || (!strcmp(word, "decision") && strcmp(verdict, "later"));
	return !strcmp(word, "decision") || !strcmp(word, facts->action) || (IS_ONE_OF(word, origins) && origin_is(facts->origin, word));
}

static bool names_event(const char *word, const struct message_facts *facts)
{
	enum severity least;

	if (!strncmp(word, KIND_PREFIX, sizeof KIND_PREFIX - 1))
		return facts->kind && !strcmp(word + sizeof KIND_PREFIX - 1, facts->kind);
	return !severity_parse(word, &least) && facts->severity >= least;
}

bool message_wanted(const struct message_target *target, const struct message_facts *facts)
{
	bool is_decision = facts->action && facts->action[0];
	const json_t *word;
	size_t i;

	if (target->account && (!facts->account || strcmp(target->account, facts->account)))
		return false;
	json_array_foreach(json_iterable(target->on), i, word) {
		const char *text = json_string_value(word);

		if (is_decision ? names_decision(text, facts) : names_event(text, facts))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ templates */

static const char *const placeholders[] = { "id", "class", "time", "action", "verdict", "origin", "rule", "kind", "severity", "node", "name", "group",
					    "account", "reason", "decision", "count", "alarms" };

/* Finds the next placeholder; its name in `ret_name`, "" for none of ours. NULL when there is no more. */
static const char *next_placeholder(const char *text, char ret_name[24], const char **ret_end)
{
	const char *begin = strstr(text, "{{"), *end = begin ? strstr(begin, "}}") : NULL;
	size_t size;

	if (!begin)
		return NULL;
	*ret_end = end ? end + 2 : NULL;
	size = end ? (size_t)(end - begin) - 2 : 0;
	ret_name[0] = 0;
	if (size && size < 24) {
		memcpy(ret_name, begin + 2, size);
		ret_name[size] = 0;
	}
	if (!IS_ONE_OF(ret_name, placeholders))
		ret_name[0] = 0;
	return begin;
}

/* Of a text of several lines: a line feed may stand in it, nothing else that a terminal obeys. */
static bool is_fit(const char *text, bool one_line)
{
	for (; *text; text++)
		if (!text_printable(text, 1) && (one_line || *text != '\n'))
			return false;
	return true;
}

int message_template_check(const char *template, size_t most, bool one_line, char ret_error[ERROR_TEXT])
{
	unsigned count = 0;
	char name[24];
	const char *end;

	if (!template[0] || strlen(template) > most || !is_fit(template, one_line))
		return refused(ret_error, "it must have 1 to %zu bytes, and %s", most, one_line ? "no line feed" : "no control characters but line feeds");
	while ((template = next_placeholder(template, name, &end))) {
		if (!end)
			return refused(ret_error, "\"{{\" without \"}}\"");
		if (!name[0])
			return refused(ret_error, "there is no placeholder %.*s; there are {{time}}, {{class}}, {{action}}, {{verdict}}, {{origin}}, {{rule}},"
				       " {{kind}}, {{severity}}, {{node}}, {{name}}, {{group}}, {{account}}, {{reason}}, {{decision}}, {{count}}, {{alarms}} and {{id}}",
				       end - template > 40 ? 0 : (int)(end - template), template);
		if (++count > MESSAGE_PLACEHOLDERS_MOST)
			return refused(ret_error, "it has more than %u placeholders", MESSAGE_PLACEHOLDERS_MOST);
		template = end;
	}
	return 0;
}

/* One line: whoever wrote a value must not write the line after it too. */
static int add_value(const json_t *value, bool is_time, struct buffer *text)
{
	char line[ERROR_TEXT];
	time_t seconds = (time_t)json_integer_value(value);
	struct tm when;

	if (json_is_string(value)) {
		text_copy_printable(json_string_value(value), sizeof line - 1, line);
		return buffer_printf(text, "%s", line);
	}
	if (!json_is_integer(value))
		return 0;
	if (!is_time || !gmtime_r(&seconds, &when))
		return buffer_printf(text, "%lld", (long long)json_integer_value(value));
	strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%SZ", &when);
	return buffer_printf(text, "%s", line);
}

int message_expand(const char *template, const json_t *facts, struct buffer *text)
{
	const char *at, *end;
	char name[24];
	int r = 0;

	while (!r && (at = next_placeholder(template, name, &end)) && end) {
		r = buffer_add(text, template, (size_t)(at - template));
		if (!r)
			r = add_value(json_object_get(facts, name), !strcmp(name, "time"), text);
		template = end;
	}
	return r ? r : buffer_add(text, template, strlen(template));
}

/* ------------------------------------------------------------------ settings */

struct parsing {
	const char *folder;
	struct message_target *target;
	char *error;
};

static const char *const ways[] = { [MESSAGE_WEBHOOK] = "webhook", [MESSAGE_MAIL] = "mail", [MESSAGE_COMMAND] = "command" };

const char *message_way_name(enum message_way way)
{
	return ways[way];
}

bool message_target_name_valid(const char *name)
{
	return text_of(name, "abcdefghijklmnopqrstuvwxyz0123456789-", MESSAGE_TARGET_NAME_MOST) && name[0] != '-';
}

static const char *who(const struct parsing *p)
{
	return p->target->name ? p->target->name : "?";
}

/* A text or NULL; of another type: an error. */
static int take_text(const struct parsing *p, const json_t *entry, const char *key, const char **ret_text)
{
	const json_t *value = json_object_get(entry, key);

	*ret_text = json_string_value(value);
	return value && !*ret_text ? refused(p->error, "notify: %s: %s must be a text", who(p), key) : 0;
}

/* Who may apply a fleet file may not thereby run or read what he likes on the control unit: files of one folder of the machine's administrator. */
static int take_path(const struct parsing *p, const json_t *entry, const char *key, const char **ret_path)
{
	size_t size = p->folder ? strlen(p->folder) : 0;
	int r = take_text(p, entry, key, ret_path);
	const char *path = *ret_path, *name;

	if (r < 0 || !path)
		return r;
	if (!p->folder)
		return path[0] == '/' ? 0 : refused(p->error, "notify: %s: %s must be an absolute path", who(p), key);
	name = path + size + 1;
	if (strlen(path) > MESSAGE_PATH_MOST || strncmp(path, p->folder, size) || path[size] != '/' || !config_file_name_valid(name))
		return refused(p->error, "notify: %s: %s must be a file in %s, as %s/NAME; put it there (repaved --notify names another folder)", who(p), key,
			       p->folder, p->folder);
	return 0;
}

static int take_number(const struct parsing *p, const json_t *entry, const char *key, unsigned most, unsigned usual, unsigned *ret_number)
{
	uint64_t value = usual;
	int r = json_get_u64(entry, key, &value);

	if (r == -EINVAL || value < 1 || value > most)
		return refused(p->error, "notify: %s: %s must be a number from 1 to %u", who(p), key, most);
	*ret_number = (unsigned)value;
	return 0;
}

/* Seconds, or "10m". */
static int take_time(const struct parsing *p, const json_t *entry, const char *key, unsigned most, unsigned usual, unsigned *ret_seconds)
{
	const char *text = json_get_string(entry, key);
	char why[ERROR_TEXT];
	int64_t seconds;

	if (!text)
		return take_number(p, entry, key, most, usual, ret_seconds);
	if (duration_parse(text, &seconds, why) < 0 || seconds < 1 || seconds > most)
		return refused(p->error, "notify: %s: %s must be a time from 1s to %us, as 10s or 5m", who(p), key, most);
	*ret_seconds = (unsigned)seconds;
	return 0;
}

static bool is_loopback(const char *host)
{
	return !strcmp(host, "127.0.0.1") || !strcmp(host, "[::1]") || !strcmp(host, "localhost");
}

/* Without what would be a secret: the fleet file is shown to who may see. */
static bool url_valid(const char *text)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *host = NULL, *user = NULL, *query = NULL, *fragment = NULL;
	bool ok = url && strlen(text) <= URL_MOST && text_printable(text, strlen(text)) && !curl_url_set(url, CURLUPART_URL, text, 0) &&
		  !curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) && !curl_url_get(url, CURLUPART_HOST, &host, 0) &&
		  (!strcmp(scheme, "https") || (!strcmp(scheme, "http") && is_loopback(host))) && curl_url_get(url, CURLUPART_USER, &user, 0) &&
		  curl_url_get(url, CURLUPART_QUERY, &query, 0) && curl_url_get(url, CURLUPART_FRAGMENT, &fragment, 0);

	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_free(query);
	curl_free(fragment);
	curl_url_cleanup(url);
	return ok;
}

static int take_webhook(const struct parsing *p, const json_t *entry)
{
	struct message_target *t = p->target;
	int r = take_text(p, entry, "webhook", &t->url);

	if (!r)
		r = take_path(p, entry, "webhook_file", &t->url_file);
	if (!r)
		r = take_path(p, entry, "secret_file", &t->secret_file);
	if (!r)
		r = take_path(p, entry, "ca_file", &t->ca_file);
	if (!r && t->url && !url_valid(t->url))
		r = refused(p->error, "notify: %s: webhook must be an https URL (http on this machine only) without user and query; one that holds a secret goes"
			    " into a file, which webhook_file names", t->name);
	return r;
}

/* What goes on sendmail's command line and into a header. */
static bool address_valid(const char *text)
{
	const char *at = text ? strchr(text, '@') : NULL;

	return at && at != text && at[1] && text[0] != '-' && !strchr(at + 1, '@') &&
	       text_of(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+/=?^_`{|}~-@", MESSAGE_ADDRESS_MOST);
}

static int take_mail(const struct parsing *p, const json_t *entry)
{
	struct message_target *t = p->target;
	const json_t *address;
	size_t i;
	int r = take_text(p, entry, "from", &t->from);

	if (!r)
		r = take_path(p, entry, "sendmail", &t->sendmail);
	if (r < 0)
		return r;
	t->mail = json_object_get(entry, "mail");
	if (!json_is_array(t->mail) || json_array_size(t->mail) < 1 || json_array_size(t->mail) > MESSAGE_ADDRESSES_MOST)
		return refused(p->error, "notify: %s: mail must be a list of 1 to %u addresses", t->name, MESSAGE_ADDRESSES_MOST);
	json_array_foreach(json_iterable(t->mail), i, address)
		if (!address_valid(json_string_value(address)))
			return refused(p->error, "notify: %s: entry %zu of mail is no address, as ops@example.org", t->name, i + 1);
	if (!address_valid(t->from))
		return refused(p->error, "notify: %s: from must be the sender's address, as repave@example.org", t->name);
	return 0;
}

static const char *const common_members[] = { "name", "on", "account", "subject", "text", "timeout", "retry", "give_up", "per_minute" };
static const char *const webhook_members[] = { "webhook", "webhook_file", "secret_file", "ca_file" };
static const char *const mail_members[] = { "mail", "from", "sendmail" };
static const char *const command_members[] = { "command" };

static bool is_member(enum message_way way, const char *key)
{
	if (IS_ONE_OF(key, common_members))
		return true;
	return way == MESSAGE_WEBHOOK ? IS_ONE_OF(key, webhook_members) : way == MESSAGE_MAIL ? IS_ONE_OF(key, mail_members) : IS_ONE_OF(key, command_members);
}

static int take_way(const struct parsing *p, const json_t *entry)
{
	bool has[] = { json_object_get(entry, "webhook") || json_object_get(entry, "webhook_file"), json_object_get(entry, "mail") != NULL,
		       json_object_get(entry, "command") != NULL };
	const char *key;
	json_t *value;

	if (has[0] + has[1] + has[2] != 1 || (json_object_get(entry, "webhook") && json_object_get(entry, "webhook_file")))
		return refused(p->error, "notify: %s: give one of webhook, webhook_file, mail and command", who(p));
	p->target->way = has[0] ? MESSAGE_WEBHOOK : has[1] ? MESSAGE_MAIL : MESSAGE_COMMAND;
	json_object_foreach(json_iterable(entry), key, value)
		if (!is_member(p->target->way, key))
			return refused(p->error, "notify: %s: there is no member \"%.40s\" by %s", who(p), text_printable(key, strlen(key)) ? key : "?",
				       message_way_name(p->target->way));
	switch (p->target->way) {
	case MESSAGE_WEBHOOK: return take_webhook(p, entry);
	case MESSAGE_MAIL: return take_mail(p, entry);
	case MESSAGE_COMMAND: return take_path(p, entry, "command", &p->target->command);
	}
	return -EINVAL;
}

static int take_words(const struct parsing *p, const json_t *entry)
{
	const json_t *word;
	size_t i;

	p->target->on = json_object_get(entry, "on");
	if (!json_is_array(p->target->on) || json_array_size(p->target->on) < 1 || json_array_size(p->target->on) > MESSAGE_WORDS_MOST)
		return refused(p->error, "notify: %s: on must be a list of what to tell, as [decision, alarm]", p->target->name);
	json_array_foreach(json_iterable(p->target->on), i, word) {
		const char *text = json_string_value(word);

		if (!text || !word_valid(text))
			return refused(p->error, "notify: %s: entry %zu of on is none; there are decision and the names of actions (add, remove, move, reimage, cut, quarantine,"
				       " replace, retry …), denied, later, advised, failed, rule, plan, operator, user, the severities info to alarm, and event:KIND", p->target->name,
				       i + 1);
	}
	return 0;
}

static int take_template(const struct parsing *p, const json_t *entry, const char *key, size_t most, bool one_line, const char **ret_text)
{
	char why[ERROR_TEXT];
	int r = take_text(p, entry, key, ret_text);

	if (!r && *ret_text && message_template_check(*ret_text, most, one_line, why) < 0)
		r = refused(p->error, "notify: %s: %s: %.320s", who(p), key, why);
	return r;
}

static int take_target(const struct parsing *p, const json_t *entry, size_t at)
{
	struct message_target *t = p->target;
	const char *name = json_get_string(entry, "name");
	int r;

	if (!name || !message_target_name_valid(name))
		return refused(p->error, "entry %zu of notify: name must be 1 to %u lower-case letters, digits and inner hyphens", at, MESSAGE_TARGET_NAME_MOST);
	t->name = name;
	r = take_way(p, entry);
	if (!r)
		r = take_words(p, entry);
	if (!r)
		r = take_text(p, entry, "account", &t->account);
	if (!r)
		r = take_template(p, entry, "subject", MESSAGE_SUBJECT_MOST, true, &t->subject);
	if (!r)
		r = take_template(p, entry, "text", MESSAGE_TEMPLATE_MOST, false, &t->text);
	if (!r)
		r = take_time(p, entry, "timeout", 300, DEFAULT_TIMEOUT, &t->timeout);
	if (!r)
		r = take_time(p, entry, "retry", LONGEST_WAIT, DEFAULT_RETRY, &t->retry);
	if (!r)
		r = take_time(p, entry, "give_up", GIVE_UP_MOST, DEFAULT_GIVE_UP, &t->give_up);
	return r ? r : take_number(p, entry, "per_minute", 1000, DEFAULT_PER_MINUTE, &t->per_minute);
}

int message_settings_parse(const json_t *list, const char *folder, struct message_settings *ret_settings, char ret_error[ERROR_TEXT])
{
	struct message_settings settings = { .count = 0 };
	size_t count = json_array_size(list);
	int r = 0;

	if (!json_is_array(list) || count > MESSAGE_TARGETS_MOST)
		return refused(ret_error, "notify must be a list of at most %u targets", MESSAGE_TARGETS_MOST);
	settings.list = json_deep_copy(list);
	settings.items = calloc(count + 1, sizeof *settings.items);
	if (!settings.list || !settings.items)
		r = -ENOMEM;
	for (size_t i = 0; !r && i < count; i++) {
		struct parsing p = { folder, &settings.items[i], ret_error };

		r = take_target(&p, json_array_get(settings.list, i), i + 1);
		if (!r && message_settings_find(&settings, settings.items[i].name))
			r = refused(ret_error, "notify: there are two with the name %s", settings.items[i].name);
		settings.count += r == 0;
	}
	if (r < 0)
		message_settings_release(&settings);
	else
		*ret_settings = settings;
	return r;
}

void message_settings_release(struct message_settings *settings)
{
	free(settings->items);
	json_decref(settings->list);
	*settings = (struct message_settings){ 0 };
}

const struct message_target *message_settings_find(const struct message_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->count; i++)
		if (!strcmp(settings->items[i].name, name))
			return &settings->items[i];
	return NULL;
}

int message_target_copy(const struct message_target *target, const char *folder, const struct message_settings *settings,
			struct message_settings *ret_copy)
{
	char why[ERROR_TEXT];
	json_t *list = json_pack("[O]", json_array_get(settings->list, (size_t)(target - settings->items)));
	int r = list ? message_settings_parse(list, folder, ret_copy, why) : -ENOMEM;

	json_decref(list);
	return r;
}

void message_target_describe(const struct message_target *target, char ret_text[ERROR_TEXT])
{
	size_t at = 0, i;
	const json_t *address;

	ret_text[0] = 0;
	switch (target->way) {
	case MESSAGE_WEBHOOK: snprintf(ret_text, ERROR_TEXT, "%.380s", target->url ? target->url : target->url_file); break;
	case MESSAGE_COMMAND: snprintf(ret_text, ERROR_TEXT, "%s", target->command); break;
	case MESSAGE_MAIL:
		json_array_foreach(json_iterable(target->mail), i, address) {
			if (at < ERROR_TEXT - 1)
				at += (size_t)snprintf(ret_text + at, ERROR_TEXT - at, "%s%s", i ? ", " : "", json_string_value(address));
		}
		break;
	}
}

unsigned message_backoff(unsigned retry, unsigned tries, uint32_t random)
{
	unsigned doublings = tries ? tries - 1 : 0;
	uint64_t wait = (uint64_t)retry << (doublings < 13 ? doublings : 13);

	if (wait > LONGEST_WAIT)
		wait = LONGEST_WAIT;
	/* Three quarters to five quarters, a second at least. */
	wait = wait * (768 + random % 513) / 1024;
	return wait ? (unsigned)wait : 1;
}
