// SPDX-License-Identifier: GPL-2.0-or-later
/* Completion: what a table of commands offers for words that were typed so far, however odd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/complete.h"

static const struct command_text commands[] = {
	{ "node show", "NODE [--json]", "Shows a--b, and --this isn't an option of a line.\n" },
	{ "node watch", "[NODE]... [option]...", "  --until STATE[,STATE]...  end then\n  --verify full|lazy  how\n" },
	{ "assign", "NODE [option]...", "  --os NAME[@VERSION]     OS\n  --app NAME  application\n  --file NAME=PATH  a file\n  --wipe                  the next\n" },
	{ "add", "NAME --role viewer|admin", "Adds." },
	{ "init", "", "" },
};

static void collect(void *context, const char *text, size_t size)
{
	char *all = context;

	assert_true(size > 0 && strlen(all) + size + 2 < 512);
	snprintf(all + strlen(all), 512 - strlen(all), "%s%.*s", all[0] ? " " : "", (int)size, text);
}

/* The words of `line`, split at single spaces: its end is the word to complete. */
static enum complete_ask ask(const char *line, char ret_offered[512])
{
	const char *words[16];
	char copy[128];
	size_t count = 0;

	strcpy(copy, line);
	for (char *at = copy;;) {
		words[count++] = at;
		at = strchr(at, ' ');
		if (!at)
			break;
		*at++ = 0;
	}
	ret_offered[0] = 0;
	return complete(commands, sizeof commands / sizeof commands[0], words, count, collect, ret_offered);
}

static void test_offers(void **state)
{
	static const struct {
		const char *line, *offered;
		enum complete_ask ask;
	} cases[] = {
		{ "", "node assign add init", ASK_NOTHING },
		{ "no", "node", ASK_NOTHING },
		{ "node ", "show watch", ASK_NOTHING },
		{ "node w", "watch", ASK_NOTHING },
		{ "nothing ", "", ASK_NOTHING },
		{ "--state /x node s", "show", ASK_NOTHING },
		{ "--state ", "", ASK_FILES },
		{ "node show ", "", ASK_NODES },
		{ "node watch a ", "", ASK_NODES },
		{ "node show --", "--state --server --token-file --ca --json --help", ASK_NOTHING },
		{ "assign x --w", "--wipe", ASK_NOTHING },
		{ "assign x --wipe ", "", ASK_NODES },
		{ "assign x --os ", "", ASK_OS },
		{ "assign --app ", "", ASK_APP },
		{ "node watch --verify ", "full lazy", ASK_NOTHING },
		{ "node watch --verify l", "lazy", ASK_NOTHING },
		{ "node watch --until ", "", ASK_NOTHING },
		{ "add bob --role a", "admin", ASK_NOTHING },
		{ "add ", "", ASK_NOTHING },
		{ "init ", "", ASK_NOTHING },
		{ "init --x ", "", ASK_NOTHING },
		{ "- -- --- ", "node assign add init", ASK_NOTHING },
	};
	char offered[512];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum complete_ask got = ask(cases[i].line, offered);

		if (strcmp(offered, cases[i].offered) || got != cases[i].ask)
			fail_msg("\"%s\" offers \"%s\" and asks for %d", cases[i].line, offered, (int)got);
	}
}

static void test_no_words_at_all(void **state)
{
	char offered[512] = "";

	(void)state;
	assert_int_equal(complete(commands, sizeof commands / sizeof commands[0], NULL, 0, collect, offered), ASK_NOTHING);
	assert_string_equal(offered, "node assign add init");
	offered[0] = 0;
	assert_int_equal(complete(NULL, 0, NULL, 0, collect, offered), ASK_NOTHING);
	assert_string_equal(offered, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_offers), cmocka_unit_test(test_no_words_at_all) };

	return cmocka_run_group_tests_name("complete", tests, NULL, NULL);
}
