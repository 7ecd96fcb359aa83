// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/cli-screen.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"

#define PAUSE_SECONDS 2
#define TEXT_MOST (8u * 1024 * 1024)

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	interrupted = number;
}

void screen_catch_signals(void)
{
	struct sigaction action = { .sa_handler = interrupt };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

int screen_interrupted(void)
{
	return interrupted;
}

bool screen_is_live(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
}

size_t screen_columns(void)
{
	const char *given = getenv("COLUMNS");
	struct winsize size;
	uint64_t number;

	if (given && !parse_u64(given, &number) && number > 0 && number < 10000)
		return (size_t)number;
	return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 80;
}

size_t screen_lines(void)
{
	struct winsize size;

	return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row ? size.ws_row : 24;
}

void screen_say(const char *sequence)
{
	fputs(sequence, stdout);
	fflush(stdout);
}

double screen_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void screen_pause(double until)
{
	double left = until - screen_clock();
	struct timespec pause = { (time_t)left, (long)((left - (double)(time_t)left) * 1e9) };

	if (left > 0 && !interrupted)
		nanosleep(&pause, NULL);
}

/* ------------------------------------------------------------------ a command again and again */

/* In a process of its own: what a command prints goes through its standard output, errors too. */
static int begin(const struct cli *cli, int (*run)(const struct cli *cli, int argc, char *argv[]), int argc, char *argv[], pid_t *ret_process)
{
	int ends[2], r;
	pid_t process;

	if (pipe(ends) < 0)
		return -errno;
	fflush(stdout);
	process = fork();
	r = process < 0 ? -errno : ends[0];
	if (!process) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		r = run(cli, argc, argv);
		fflush(stdout);
		_exit(r);
	}
	close(ends[1]);
	if (process < 0)
		close(ends[0]);
	*ret_process = process;
	return r;
}

/* What it said, and its exit status; -errno, -EINTR too. */
static int collect(int fd, pid_t process, struct buffer *text)
{
	char piece[16384];
	int status = 0, r = 0;
	ssize_t got;

	while (!r && (got = read(fd, piece, sizeof piece)) != 0) {
		if (got < 0)
			r = -errno;
		else if (text->size < TEXT_MOST)
			r = buffer_add(text, piece, (size_t)got);
	}
	close(fd);
	if (r < 0)
		kill(process, SIGTERM);
	while (waitpid(process, &status, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? r : WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

/* As many bytes of a line in UTF-8 as surely fit into `columns`: what takes three bytes and more may be two columns wide. */
static size_t fitting(const char *line, size_t size, size_t columns)
{
	size_t used = 0, i = 0;

	for (; i < size; i++) {
		unsigned char byte = (unsigned char)line[i];

		used += (byte & 0xc0) == 0x80 ? 0 : byte < 0xe0 ? 1 : 2;
		if (used > columns)
			break;
	}
	return i;
}

/* The whole picture in one write: a terminal never shows half of one. */
static void draw(const struct buffer *text)
{
	const char *at = (const char *)text->data, *end = at + text->size;
	size_t columns = screen_columns(), left = screen_lines() - 1;
	struct buffer picture = { 0 };
	int r = buffer_printf(&picture, TO_TOP);

	for (; !r && at < end && left; left--) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t size = (size_t)((stop ? stop : end) - at);

		r = buffer_printf(&picture, "%.*s" END_OF_LINE, (int)fitting(at, size, columns), at);
		at += size + 1;
	}
	if (!r && !buffer_printf(&picture, CLEAR_BELOW)) {
		fwrite(picture.data, 1, picture.size, stdout);
		fflush(stdout);
	}
	buffer_release(&picture);
}

static void show(const struct buffer *text, bool live, bool first)
{
	if (live) {
		draw(text);
		return;
	}
	if (!first)
		putchar('\n');
	fwrite(text->data, 1, text->size, stdout);
	fflush(stdout);
}

int cli_repeat(const struct cli *cli, int (*run)(const struct cli *cli, int argc, char *argv[]), int argc, char *argv[])
{
	bool live = screen_is_live() && !cli->json, first = true;
	struct buffer text = { 0 };
	int r = CLI_OK;

	screen_catch_signals();
	for (; !interrupted && !ferror(stdout); first = false) {
		double next = screen_clock() + PAUSE_SECONDS;
		pid_t process = 0;
		int fd = begin(cli, run, argc, argv, &process);

		text.size = 0;
		r = fd < 0 ? fd : collect(fd, process, &text);
		if (r < 0 || (first && r))
			break;
		if (live && first)
			screen_say(ENTER_SCREEN);
		/* A control unit that starts anew says so here, and comes back. */
		show(&text, live, first);
		screen_pause(next);
	}
	if (live && !first)
		screen_say(LEAVE_SCREEN);
	/* The last picture stays to be read, and why there was none. */
	if (live || (first && r))
		fwrite(text.data, 1, text.size, first ? stderr : stdout);
	buffer_release(&text);
	return first && r ? (r < 0 ? CLI_FAILED : r) : CLI_OK;
}
