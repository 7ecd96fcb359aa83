/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a program that takes a message on its standard input: no shell, an environment of its own, bounded in time, and in a process group that is
 * killed with it. */
#ifndef CONTROL_MESSAGE_PROGRAM_H
#define CONTROL_MESSAGE_PROGRAM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/bytes.h"

#define MESSAGE_SAID_MOST 160u

struct message_program {
	const char *const *words;      /* an absolute path and arguments, NULL at the end */
	const struct buffer *input;
	unsigned seconds;              /* then it is killed */
	const atomic_bool *ending;     /* then too */
	int status;                    /* exit status, or the signal */
	bool is_signal;
	char said[MESSAGE_SAID_MOST + 1];               /* the beginning of its outputs, printable */
};

/* 0 when it ended by itself; -ETIMEDOUT, -ECANCELED, or why it couldn't be run. */
int message_program_run(struct message_program *program);

#endif
