// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/message-text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"

#define SUBJECT_MOST 400u
#define ENCODED_BYTES 45u  /* of an encoded-word: 60 characters in base64, 75 with its frame are allowed (RFC 2047, 2) */
#define LINE_BYTES 57u     /* of a line in base64: 76 characters (RFC 2045, 6.8) */
#define PLAIN_LINE_MOST 900u

/* ------------------------------------------------------------------ facts */

static int add_text(json_t *facts, const char *key, const char *text)
{
	char line[ERROR_TEXT];
	json_t *value;

	if (!text || !text[0])
		return 0;
	text_copy_printable(text, sizeof line - 1, line);
	value = json_string(line);
	/* What was cut within a letter is no UTF-8. */
	return json_object_set_new(facts, key, value ? value : json_string("?")) < 0 ? -ENOMEM : 0;
}

json_t *message_facts_format(const struct message_facts *f)
{
	bool is_decision = f->action && f->action[0];
	const struct {
		const char *key, *text;
	} texts[] = { { "action", f->action }, { "verdict", is_decision ? f->verdict : NULL }, { "origin", f->origin }, { "rule", f->rule },
		      { "kind", is_decision ? NULL : f->kind }, { "severity", is_decision ? NULL : severity_name(f->severity) }, { "node", f->node },
		      { "name", f->name }, { "group", f->group }, { "account", f->account }, { "reason", f->reason } };
	json_t *facts = json_pack("{ss sI}", "class", is_decision ? "decision" : "event", "time", (json_int_t)f->time);
	int r = facts ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < sizeof texts / sizeof texts[0]; i++)
		r = add_text(facts, texts[i].key, texts[i].text);
	if (!r && f->decision && json_object_set_new(facts, "decision", json_integer((json_int_t)f->decision)) < 0)
		r = -ENOMEM;
	if (r < 0) {
		json_decref(facts);
		return NULL;
	}
	return facts;
}

json_t *message_facts_summary(int64_t time)
{
	return json_pack("{ss sI ss}", "class", "summary", "time", (json_int_t)time, "reason",
			 "more happened than there may be messages; `repave event list` and `repave decisions` have it all");
}

json_t *message_facts_test(int64_t time)
{
	return json_pack("{ss sI ss}", "class", "test", "time", (json_int_t)time, "reason", "somebody tries whether messages arrive");
}

/* ------------------------------------------------------------------ words */

static const char *usual_subject(const json_t *facts)
{
	const char *class = json_get_string(facts, "class"), *verdict = json_get_string(facts, "verdict");

	if (class && !strcmp(class, "summary"))
		return "Repave: {{count}} more, {{alarms}} of them alarms";
	if (class && !strcmp(class, "test"))
		return "Repave: a test";
	if (class && !strcmp(class, "event"))
		return "Repave: {{severity}}: {{kind}} {{group}} {{name}}";
	if (verdict && strcmp(verdict, "do") && strcmp(verdict, "hurry"))
		return "Repave: {{verdict}}: {{action}} {{group}} {{name}}";
	return "Repave: {{action}} {{group}} {{name}}";
}

static const char *usual_text(const json_t *facts)
{
	const char *class = json_get_string(facts, "class"), *verdict = json_get_string(facts, "verdict");

	if (class && !strcmp(class, "summary"))
		return "{{time}} {{count}} more decisions and events, {{alarms}} of them alarms: {{reason}}";
	if (class && !strcmp(class, "test"))
		return "{{time}} test: {{reason}}";
	if (class && !strcmp(class, "event"))
		return "{{time}} {{severity}} {{group}} {{name}}: {{reason}}";
	if (verdict && strcmp(verdict, "do") && strcmp(verdict, "hurry"))
		return "{{time}} {{verdict}}: {{action}} {{group}} {{name}}: {{reason}} ({{origin}} {{rule}})";
	return "{{time}} {{action}} {{group}} {{name}}: {{reason}} ({{origin}} {{rule}})";
}

/* What an absent fact leaves: double blanks, and blanks before a mark. */
static void close_gaps(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from == ' ' && (from[1] == ' ' || from[1] == ':' || from[1] == ')' || from[1] == '\n' || !from[1]))
			continue;
		*to++ = *from;
	}
	*to = 0;
}

static int expand(const char *template, const char *usual, const json_t *facts, struct buffer *ret_text)
{
	int r = message_expand(template ? template : usual, facts, ret_text);

	if (!r && !template) {
		close_gaps((char *)ret_text->data);
		ret_text->size = strlen((char *)ret_text->data);
	}
	return r;
}

/* The facts with the message's id; a new reference. */
static json_t *complete_facts(const char *id, const json_t *facts)
{
	json_t *all = json_copy(json_iterable(facts));

	if (all && (json_object_set_new(all, "id", json_string(id)) < 0 || json_object_set_new(all, "format", json_integer(1)) < 0)) {
		json_decref(all);
		return NULL;
	}
	return all;
}

static int make_words(const struct message_target *target, const json_t *facts, struct buffer *ret_subject, struct buffer *ret_text)
{
	char *cut = NULL;
	int r = expand(target->subject, usual_subject(facts), facts, ret_subject);

	if (!r)
		r = expand(target->text, usual_text(facts), facts, ret_text);
	if (!r && ret_subject->size > SUBJECT_MOST) {
		cut = malloc(SUBJECT_MOST + 1);
		r = cut ? 0 : -ENOMEM;
	}
	if (cut) {
		text_copy_printable((char *)ret_subject->data, SUBJECT_MOST, cut);
		strcpy((char *)ret_subject->data, cut);
		ret_subject->size = strlen(cut);
		free(cut);
	}
	return r;
}

int message_body(const struct message_target *target, const char *id, const json_t *facts, struct buffer *body)
{
	struct buffer subject = { 0 }, text = { 0 };
	json_t *all = complete_facts(id, facts);
	char *line = NULL;
	int r = all ? make_words(target, all, &subject, &text) : -ENOMEM;

	if (!r && (json_object_set_new(all, "subject", json_string((char *)subject.data)) < 0 ||
		   json_object_set_new(all, "text", json_string((char *)text.data)) < 0 || !(line = json_format(all))))
		r = -ENOMEM;
	if (!r)
		r = buffer_printf(body, "%s\n", line);
	free(line);
	json_decref(all);
	buffer_release(&subject);
	buffer_release(&text);
	return r;
}

/* ------------------------------------------------------------------ mail */

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* As encoded-words where it isn't plain, or looks like one: a value must not decide what a mail program shows. */
static int add_subject(const char *subject, struct buffer *mail)
{
	size_t size = strlen(subject), n;
	int r = buffer_printf(mail, "Subject:");

	if (!r && is_ascii(subject) && !strstr(subject, "=?"))
		return buffer_printf(mail, " %s\n", subject);
	for (; !r && size; subject += n, size -= n) {
		n = size < ENCODED_BYTES ? size : ENCODED_BYTES;
		while (n < size && n > 1 && ((unsigned char)subject[n] & 0xc0) == 0x80)
			n--;
		r = buffer_printf(mail, " =?UTF-8?B?");
		if (!r)
			r = base64_format(subject, n, mail);
		if (!r)
			r = buffer_printf(mail, "?=\n");
	}
	return r;
}

static bool is_plain(const char *text)
{
	size_t length = 0;

	for (const char *c = text; *c; c++) {
		length = *c == '\n' ? 0 : length + 1;
		if (length > PLAIN_LINE_MOST)
			return false;
	}
	return is_ascii(text);
}

static int add_content(const char *text, struct buffer *mail)
{
	size_t size = strlen(text), n;
	int r;

	if (is_plain(text))
		return buffer_printf(mail, "Content-Transfer-Encoding: 7bit\n\n%s\n", text);
	r = buffer_printf(mail, "Content-Transfer-Encoding: base64\n\n");
	for (; !r && size; text += n, size -= n) {
		n = size < LINE_BYTES ? size : LINE_BYTES;
		r = base64_format(text, n, mail);
		if (!r)
			r = buffer_printf(mail, "\n");
	}
	return r;
}

/* RFC 5322, 3.3, in English whatever the locale is. */
static void format_date(int64_t seconds, char ret_text[48])
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t time = (time_t)seconds;
	struct tm t = { 0 };

	gmtime_r(&time, &t);
	snprintf(ret_text, 48, "%s, %d %s %d %02d:%02d:%02d +0000", days[t.tm_wday], t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min,
		 t.tm_sec);
}

static int add_addresses(const struct message_target *target, struct buffer *mail)
{
	const json_t *address;
	size_t i;
	int r = buffer_printf(mail, "From: %s\n", target->from);

	json_array_foreach(json_iterable(target->mail), i, address)
		if (!r)
			r = buffer_printf(mail, "%s%s", i ? ",\n " : "To: ", json_string_value(address));
	return r ? r : buffer_printf(mail, "\n");
}

int message_mail(const struct message_target *target, const char *id, const json_t *facts, struct buffer *mail)
{
	struct buffer subject = { 0 }, text = { 0 };
	json_t *all = complete_facts(id, facts);
	char date[48];
	int r = all ? make_words(target, all, &subject, &text) : -ENOMEM;

	format_date((int64_t)json_integer_value(json_object_get(facts, "time")), date);
	if (!r)
		r = add_addresses(target, mail);
	if (!r)
		r = add_subject((char *)subject.data, mail);
	if (!r)
		r = buffer_printf(mail, "Date: %s\nMessage-ID: <%s%s>\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n"
				  "Content-Type: text/plain; charset=utf-8\n", date, id, strchr(target->from, '@'));
	if (!r)
		r = add_content((char *)text.data, mail);
	json_decref(all);
	buffer_release(&subject);
	buffer_release(&text);
	return r;
}
