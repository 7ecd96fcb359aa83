/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/login.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Behind "PROGRAM: " or "PROGRAM[123]: ", when it is the ssh server; else NULL. Only the line's first tag counts: what comes after it is
 * the sender's text. */
static const char *message_of(const char *line)
{
	static const char *const programs[] = { "sshd", "sshd-session", "ssh", "dropbear" };
	const char *end = strstr(line, ": "), *start;
	size_t size;

	if (end == NULL)
		return NULL;
	for (start = end; start > line && start[-1] != ' ' && start[-1] != '>'; start--)
		;
	size = strcspn(start, "[:");
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		if (strlen(programs[i]) == size && strncmp(start, programs[i], size) == 0)
			return end + 2;
	return NULL;
}

/* "1.2.3.4:55200" of dropbear, "[::1]:55200" or "::1:55200" too: the port goes. */
static void cut_port(char *from)
{
	char *colon = strrchr(from, ':');

	if (colon != NULL)
		*colon = '\0';
	if (from[0] == '[')
		memmove(from, from + 1, strcspn(from + 1, "]") + 1), from[strcspn(from, "]")] = '\0';
}

static bool dropbear_parse(const char *text, struct login_event *event)
{
	char from[64];

	event->by_key = strncmp(text, "Pubkey auth succeeded", 21) == 0;
	if (sscanf(text, "Child connection from %63s", from) == 1)
		event->kind = LOGIN_CONNECTED;
	else if (sscanf(text, "Pubkey auth succeeded for '%32[^']' with %*s key %*s from %63s", event->user, from) == 2 ||
		 sscanf(text, "Password auth succeeded for '%32[^']' from %63s", event->user, from) == 2 ||
		 sscanf(text, "PAM password auth succeeded for '%32[^']' from %63s", event->user, from) == 2)
		event->kind = LOGIN_ACCEPTED;
	else if (sscanf(text, "Bad password attempt for '%32[^']' from %63s", event->user, from) == 2 ||
		 sscanf(text, "Exit before auth from <%63[^>]>: (user '%32[^']'", from, event->user) == 2)
		event->kind = LOGIN_FAILED;
	else if (strncmp(text, "Login attempt for nonexistent user", 34) == 0)
		event->kind = LOGIN_STRANGER, from[0] = '\0';
	else
		return false;
	cut_port(from);
	snprintf(event->from, sizeof(event->from), "%.45s", from);
	return true;
}

/* The end of a connection counts as the failure: with keys only, the default log level has no line for each of them. */
static bool openssh_parse(const char *text, struct login_event *event)
{
	static const char *const ends[] = {
		"Connection closed by authenticating user %32s %45s", "Connection closed by invalid user %32s %45s",
		"Connection reset by authenticating user %32s %45s", "Connection reset by invalid user %32s %45s",
		"Disconnected from authenticating user %32s %45s", "Disconnected from invalid user %32s %45s",
		"Disconnecting authenticating user %32s %45s", "Disconnecting invalid user %32s %45s",
		"Failed password for invalid user %32s from %45s", "Failed password for %32s from %45s",
	};
	char method[24];

	if (sscanf(text, "Accepted %23s for %32s from %45s", method, event->user, event->from) == 3) {
		event->kind = LOGIN_ACCEPTED;
		event->by_key = strcmp(method, "publickey") == 0;
		return true;
	}
	event->kind = LOGIN_FAILED;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		/* The formats are those of the table. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		if (sscanf(text, ends[i], event->user, event->from) == 2)
			return true;
#pragma GCC diagnostic pop
	}
	return false;
}

void login_parse(const char *line, struct login_event *ret_event)
{
	const char *text = message_of(line);
	uint32_t process = 0;

	*ret_event = (struct login_event){ 0 };
	if (text == NULL)
		return;
	/* dropbear -E: "[123] Nov 21 17:34:31 text" */
	if (sscanf(text, "[%9" SCNu32 "]", &process) == 1) {
		for (int words = 0; words < 4 && text != NULL; words++) {
			text = strchr(text, ' ');
			text = text != NULL ? text + strspn(text, " ") : NULL;
		}
	}
	if (text == NULL)
		return;
	ret_event->process = process;
	if (!dropbear_parse(text, ret_event) && !openssh_parse(text, ret_event))
		*ret_event = (struct login_event){ 0 };
	/* What a stranger calls himself shows on an operator's screen. */
	for (char *c = ret_event->user; *c != '\0'; c++)
		if (*c < 0x20 || *c >= 0x7f)
			*c = '?';
	for (char *c = ret_event->from; *c != '\0'; c++)
		if (strchr("0123456789abcdefABCDEF.:", *c) == NULL)
			*c = '?';
}

/* The entry of an address; else a free one, one long quiet, or the one that was quiet longest. */
static struct login_source *source_of(struct login_watch *watch, const char *from, int64_t now)
{
	struct login_source *oldest = &watch->sources[0];

	for (size_t i = 0; i < LOGIN_ADDRESSES; i++) {
		struct login_source *source = &watch->sources[i];

		if (source->failures > 0 && strcmp(source->from, from) == 0) {
			/* Slow guessing counts too, as long as it goes on. */
			if (now - source->last > LOGIN_SECONDS)
				*source = (struct login_source){ .first = now };
			snprintf(source->from, sizeof(source->from), "%s", from);
			return source;
		}
		if (source->last < oldest->last || source->failures == 0)
			oldest = source;
	}
	*oldest = (struct login_source){ .first = now };
	snprintf(oldest->from, sizeof(oldest->from), "%s", from);
	return oldest;
}

static bool note_failure(struct login_watch *watch, const char *from, const char *user, int64_t now, char *ret_text)
{
	struct login_source *source = source_of(watch, from, now);
	uint32_t next = source->told > 0 ? source->told * 10 : LOGIN_FAILURES;

	source->failures++;
	source->last = now;
	if (source->failures < next)
		return false;
	source->told = source->failures;
	snprintf(ret_text, LOGIN_TEXT, "%" PRIu32 " failed log-ins from %s, the last as %s", source->failures,
		 from[0] != '\0' ? from : "an unknown address", user[0] != '\0' ? user : "a user that doesn't exist");
	return true;
}

static bool note_success(struct login_watch *watch, const struct login_event *event, int64_t now, char *ret_text)
{
	for (size_t i = 0; i < LOGIN_ADDRESSES; i++) {
		struct login_source *source = &watch->sources[i];
		uint32_t failures = source->failures;

		if (failures == 0 || strcmp(source->from, event->from) != 0 || now - source->last > LOGIN_SECONDS)
			continue;
		*source = (struct login_source){ 0 };
		if (failures < LOGIN_BEFORE)
			break;
		snprintf(ret_text, LOGIN_TEXT, "%s logged in from %s after %" PRIu32 " failures from there", event->user, event->from, failures);
		return true;
	}
	if (event->by_key)
		return false;
	snprintf(ret_text, LOGIN_TEXT, "%s logged in from %s without a key", event->user, event->from);
	return true;
}

bool login_note(struct login_watch *watch, const struct login_event *event, int64_t now, char ret_text[LOGIN_TEXT])
{
	const char *from = event->from;

	switch (event->kind) {
	case LOGIN_CONNECTED:
		watch->connections[watch->next].process = event->process;
		memcpy(watch->connections[watch->next].from, event->from, sizeof(event->from));
		watch->next = (watch->next + 1) % (sizeof(watch->connections) / sizeof(*watch->connections));
		return false;
	case LOGIN_STRANGER:
		for (size_t i = 0; i < sizeof(watch->connections) / sizeof(*watch->connections); i++)
			if (event->process != 0 && watch->connections[i].process == event->process)
				from = watch->connections[i].from;
		return note_failure(watch, from, event->user, now, ret_text);
	case LOGIN_FAILED:
		return note_failure(watch, from, event->user, now, ret_text);
	case LOGIN_ACCEPTED:
		return note_success(watch, event, now, ret_text);
	case LOGIN_NONE:
		break;
	}
	return false;
}
