/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may come next on repave's command line, read from the table of its commands: their words, what their arguments are
 * called, and the options that their help explains, one a line: "  --name VALUE  text". Pure. */
#ifndef CONTROL_COMPLETE_H
#define CONTROL_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>

struct command_text {
	const char *words;     /* "node show" */
	const char *arguments; /* "NODE [--json]" */
	const char *help;
};

/* What completes the word besides the offers. */
enum complete_ask { ASK_NOTHING, ASK_NODES, ASK_OS, ASK_APP, ASK_FILES };

/* Calls `offer` for each text (of `size` bytes) that may stand in place of the last of `words`, which may be "", and begins like it.
 * Returns what else may. */
enum complete_ask complete(const struct command_text *commands, size_t count, const char *const words[], size_t words_count,
			   void (*offer)(void *context, const char *text, size_t size), void *context);

#endif
