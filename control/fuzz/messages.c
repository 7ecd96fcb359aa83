// SPDX-License-Identifier: GPL-2.0-or-later
/* A fleet file's notify and its templates, with values that an attacker wrote: whatever is taken goes on a command line, into a header and into JSON. */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/message-text.h"

#define FOLDER "/etc/repave/notify"
#define ID "0123456789abcdef0123456789abcdef"
#define EVIL "x\"}\r\nBcc: v@example.org\r\n\r\n{{reason}} \x1b[2J =?utf-8?q?=0A?= \xc3\xa4"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *path)
{
	if (path && (strncmp(path, FOLDER "/", sizeof FOLDER) || strchr(path + sizeof FOLDER, '/') || path[sizeof FOLDER] == '.' || strpbrk(path, " \n")))
		abort();
}

/* The lines before the first empty one: only ours. */
static void check_header(const char *mail)
{
	static const char *const known[] = { "From:", "To:", "Subject:", "Date:", "Message-ID:", "Auto-Submitted:", "MIME-Version:", "Content-Type:",
					     "Content-Transfer-Encoding:", " " };

	while (*mail != '\n') {
		size_t length = strcspn(mail, "\n"), i = 0;

		while (i < sizeof known / sizeof known[0] && strncmp(mail, known[i], strlen(known[i])))
			i++;
		if (i == sizeof known / sizeof known[0] || memchr(mail, '\r', length) || mail[length] != '\n' || length > 998)
			abort();
		mail += length + 1;
	}
}

static void check_target(const struct message_target *target, const json_t *facts)
{
	struct buffer body = { 0 }, mail = { 0 };
	char why[160], where[ERROR_TEXT];
	json_t *again;

	check_path(target->command);
	check_path(target->sendmail);
	check_path(target->secret_file);
	check_path(target->url_file);
	check_path(target->ca_file);
	for (size_t i = 0; i < json_array_size(target->mail); i++)
		if (strpbrk(json_string_value(json_array_get(target->mail, i)), " \r\n,<>") || json_string_value(json_array_get(target->mail, i))[0] == '-')
			abort();
	if (target->url && strpbrk(target->url, "\r\n?"))
		abort();
	message_target_describe(target, where);
	if (!message_body(target, ID, facts, &body)) {
		again = json_parse(body.data, body.size, why);
		if (!again || !json_get_string(again, "text") || strpbrk(json_get_string(again, "subject"), "\r\n"))
			abort();
		json_decref(again);
	}
	if (target->way == MESSAGE_MAIL && !message_mail(target, ID, facts, &mail))
		check_header((char *)mail.data);
	buffer_release(&body);
	buffer_release(&mail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct message_facts evil = { .time = 1, .action = "add", .verdict = EVIL, .origin = EVIL, .rule = EVIL, .node = EVIL, .name = EVIL, .group = EVIL,
					    .account = EVIL, .reason = EVIL };
	struct message_settings settings;
	char why[160], error[ERROR_TEXT] = "";
	json_t *list = json_parse(data, size, why), *facts = message_facts_format(&evil);

	if (list && facts && !message_settings_parse(list, FOLDER, &settings, error)) {
		for (size_t i = 0; i < settings.count; i++) {
			message_wanted(&settings.items[i], &evil);
			check_target(&settings.items[i], facts);
		}
		message_settings_release(&settings);
	}
	json_decref(list);
	json_decref(facts);
	return 0;
}
