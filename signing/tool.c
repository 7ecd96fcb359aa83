/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/log.h"

#define WORDS_MOST 32
#define SAID_MOST 4096

extern char **environ;

/* The last line of what a program said. */
static const char *last_line(char *said)
{
	char *line;
	size_t size = strlen(said);

	while (size > 0 && (said[size - 1] == '\n' || said[size - 1] == ' '))
		said[--size] = '\0';
	line = strrchr(said, '\n');
	return line ? line + 1 : said;
}

/* "2024-01-01 00:00:00" of SOURCE_DATE_EPOCH. Whether it is there and sane. */
static int time_of_build(char ret_text[32])
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	uint64_t seconds;
	struct tm tm;
	time_t when;

	if (!text)
		return 0;
	if (parse_u64(text, &seconds) < 0 || seconds > INT32_MAX)
		return log_error(-EINVAL, "SOURCE_DATE_EPOCH is \"%s\", which is no time", text);
	when = (time_t)seconds;
	if (!gmtime_r(&when, &tm) || strftime(ret_text, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		return -EINVAL;
	return 1;
}

static int start(const char *const words[], int said, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r;

	r = -posix_spawn_file_actions_init(&actions);
	if (r < 0)
		return r;
	r = -posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = -posix_spawn_file_actions_adddup2(&actions, said, 1);
	if (r == 0)
		r = -posix_spawn_file_actions_adddup2(&actions, said, 2);
	if (r == 0)
		r = -posix_spawnp(ret_pid, words[0], &actions, NULL, (char *const *)(uintptr_t)words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

int tool_run(const char *const words[])
{
	const char *all[WORDS_MOST + 4] = { "faketime", "-f" };
	char when[32], text[SAID_MOST + 1] = "";
	int status = 0, said, r = time_of_build(when);
	size_t count = 0;
	pid_t pid;

	if (r < 0)
		return r;
	if (r > 0) {
		all[2] = when;
		count = 3;
		setenv("TZ", "UTC", 1);
	}
	for (size_t i = 0; i < WORDS_MOST && words[i]; i++)
		all[count++] = words[i];
	all[count] = NULL;
	said = memfd_create("said", MFD_CLOEXEC);
	if (said < 0)
		return log_error(-errno, "can't run %s", words[0]);
	r = start(all, said, &pid);
	while (r == 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			r = -errno;
	if (r == 0 && pread(said, text, SAID_MOST, 0) < 0)
		text[0] = '\0';
	close(said);
	if (r == -ENOENT || (r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 127))
		return log_error(-ENOENT, "%s can't be started: install the Debian packages sbsigntool, efitools%s", words[0],
				 count > 0 && all[0] != words[0] ? " and faketime" : "");
	if (r < 0)
		return log_error(r, "can't run %s", words[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return log_error(-EIO, "%s: %s", words[0], last_line(text));
	return 0;
}
