/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *program;

void log_program(const char *name)
{
	program = name;
}

/* One write for one line, so that lines of several threads and processes don't mix. */
__attribute__((format(printf, 3, 0)))
static void log_line(const char *level, int error, const char *format, va_list arguments)
{
	char line[1024];
	size_t used = (size_t)snprintf(line, sizeof(line), "%s: %s", program ? program : program_invocation_short_name,
				       level);
	const size_t most = sizeof(line) - 2;

	if (used < most) {
		int n = vsnprintf(line + used, most - used, format, arguments);

		used += n > 0 ? (size_t)n : 0;
	}
	if (error < 0 && used < most)
		used += (size_t)snprintf(line + used, most - used, ": %s", strerror(-error));
	if (used > most)
		used = most;
	/* Text from outside may stand in the line: no control characters on an operator's terminal. */
	for (size_t i = 0; i < used; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = ' ';
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		return;
}

void log_info(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line("", 0, format, arguments);
	va_end(arguments);
}

void log_warning(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line("warning: ", 0, format, arguments);
	va_end(arguments);
}

int log_error(int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line("error: ", error, format, arguments);
	va_end(arguments);
	return error;
}
