/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines: one line per event on stderr, "<program>: <text>". Secrets never go here. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

/* The name that starts each line; the default is the program's own. With a trailing tag of the file
 * descriptor kept internal, there is nothing to release. */
void log_program(const char *name);

void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Logs and returns `error` (0 or -errno) unchanged, so that a caller can write
 * `return log_error(r, "can't open %s", path);`. The text of -errno is appended when error < 0. */
int log_error(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
