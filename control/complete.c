// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/complete.h"

#include <ctype.h>
#include <string.h>

#define COMMON "  --state DIR\n  --server URL\n  --token-file FILE\n  --ca FILE\n  --json\n  --help\n"

struct finder {
	const char *begun;      /* the word to complete */
	void (*offer)(void *context, const char *text, size_t size);
	void *context;
};

static void offer(const struct finder *f, const char *text, size_t size)
{
	size_t begun = strlen(f->begun);

	if (begun <= size && !strncmp(text, f->begun, begun))
		f->offer(f->context, text, size);
}

static bool same(const char *text, size_t size, const char *word)
{
	return strlen(word) == size && !strncmp(text, word, size);
}

/* The option at or behind `*at`, and its value's name up to the first space ("" without). NULL at the end. */
static const char *next_option(const char **at, size_t *ret_size, const char **ret_value, size_t *ret_value_size)
{
	const char *option = *at ? strstr(*at, "--") : NULL;

	/* Within a word it is none: "a--b", or a longer line. */
	while (option && (!islower((unsigned char)option[2]) || (option != *at && (isalnum((unsigned char)option[-1]) || option[-1] == '-'))))
		option = strstr(option + 2, "--");
	if (!option)
		return NULL;
	*ret_size = 2 + strspn(option + 2, "abcdefghijklmnopqrstuvwxyz-");
	*ret_value = option + *ret_size;
	*at = *ret_value;
	*ret_value_size = 0;
	if (**ret_value == ' ' && ret_value[0][1] != ' ' && ret_value[0][1] != '-') {
		++*ret_value;
		*ret_value_size = strcspn(*ret_value, " ]\n");
	}
	return option;
}

/* Options of one text; only those that begin a line, unless `anywhere`. */
static void offer_options(const struct finder *f, const char *text, bool anywhere)
{
	const char *at = text, *value, *option;
	size_t size, value_size;

	while ((option = next_option(&at, &size, &value, &value_size)))
		if (anywhere || (option >= text + 2 && !strncmp(option - 2, "  ", 2) && (option == text + 2 || option[-3] == '\n')))
			offer(f, option, size);
}

/* The name of the option's value: "" when it has none, NULL when there is no such option. */
static const char *value_of(const char *text, const char *word, size_t *ret_size)
{
	const char *at = text, *value, *option, *found = NULL;
	size_t size, value_size;

	*ret_size = 0;
	while ((option = next_option(&at, &size, &value, &value_size)))
		if (same(option, size, word) && (!found || value_size)) {
			found = value;
			*ret_size = value_size;
		}
	return found;
}

/* "kexec|reset", or "STATE[,STATE]...": what a value's or an argument's name says of it. */
static enum complete_ask offer_value(const struct finder *f, const char *option, const char *name, size_t size)
{
	size_t part;

	if (!strcmp(option, "--os") || !strcmp(option, "--app"))
		return option[2] == 'o' ? ASK_OS : ASK_APP;
	if (size >= 4 && !strncmp(name, "NODE", 4))
		return ASK_NODES;
	if (memchr(name, '|', size) && islower((unsigned char)name[0]))
		for (; size; name += part + (part < size), size -= part + (part < size)) {
			part = (size_t)strcspn(name, "|") < size ? strcspn(name, "|") : size;
			offer(f, name, part);
		}
	else if (size >= 3 && (!strncmp(name, "FILE", 4) || !strncmp(name, "DIR", 3)))
		return ASK_FILES;
	return ASK_NOTHING;
}

/* The command that the words name, and how many of them that took. */
static const struct command_text *find(const struct command_text *commands, size_t count, const char *const words[], size_t words_count,
				       size_t *ret_used)
{
	for (size_t i = 0; i < count; i++) {
		size_t first = strcspn(commands[i].words, " ");
		const char *second = commands[i].words[first] ? commands[i].words + first + 1 : NULL;

		if (!words_count || !same(commands[i].words, first, words[0]) || (second && (words_count < 2 || strcmp(words[1], second))))
			continue;
		*ret_used = second ? 2 : 1;
		return &commands[i];
	}
	return NULL;
}

/* First words, each once; or the second ones of `noun`. */
static void offer_commands(const struct finder *f, const struct command_text *commands, size_t count, const char *noun)
{
	for (size_t i = 0; i < count; i++) {
		size_t first = strcspn(commands[i].words, " ");
		bool again = false;

		for (size_t j = 0; j < i; j++)
			again = again || (strcspn(commands[j].words, " ") == first && !strncmp(commands[j].words, commands[i].words, first));
		if (noun && commands[i].words[first] && same(commands[i].words, first, noun))
			offer(f, commands[i].words + first + 1, strlen(commands[i].words + first + 1));
		else if (!noun && !again)
			offer(f, commands[i].words, first);
	}
}

/* Copies of the words that aren't options or their values, up to two: noun and verb. */
static size_t bare_words(const char *const words[], size_t count, const char *help, const char *ret_words[2])
{
	size_t found = 0, size;

	for (size_t i = 0; i < count && found < 2; i++) {
		if (words[i][0] != '-')
			ret_words[found++] = words[i];
		else if (value_of(help, words[i], &size) && size)
			i++;
	}
	return found;
}

enum complete_ask complete(const struct command_text *commands, size_t count, const char *const words[], size_t words_count,
			   void (*give)(void *context, const char *text, size_t size), void *context)
{
	struct finder f = { words_count ? words[words_count - 1] : "", give, context };
	size_t before = words_count ? words_count - 1 : 0, used = 0, size = 0;
	const char *bare[2], *previous = before ? words[before - 1] : "", *name;
	size_t bare_count = bare_words(words, before, COMMON, bare);
	const struct command_text *command = find(commands, count, bare, bare_count, &used);

	name = value_of(COMMON, previous, &size);
	if ((!name || !size) && command)
		name = value_of(command->help, previous, &size);
	if ((!name || !size) && command)
		name = value_of(command->arguments, previous, &size);
	if (name && size)
		return offer_value(&f, previous, name, size);
	if (f.begun[0] == '-') {
		offer_options(&f, COMMON, false);
		if (command)
			offer_options(&f, command->help, false);
		return ASK_NOTHING;
	}
	if (!command) {
		offer_commands(&f, commands, count, bare_count ? bare[0] : NULL);
		return ASK_NOTHING;
	}
	name = command->arguments[0] == '[' ? command->arguments + 1 : command->arguments;
	return offer_value(&f, "", name, strcspn(name, " ]"));
}
