/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium/utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "common/log.h"

/* One line of at most PASSPHRASE_MOST bytes, without its end. `waiting` is the signal mask while it waits (NULL: as it is). 0, -EINVAL (too long, or a NUL in it), -ECANCELED or -errno. */
static int read_line(int fd, const sigset_t *waiting, char ret_line[PASSPHRASE_MOST + 1])
{
	struct pollfd poll = { .fd = fd, .events = POLLIN };
	size_t size = 0;
	char c;

	for (;;) {
		ssize_t n = ppoll(&poll, 1, NULL, waiting);

		if (n >= 0)
			n = read(fd, &c, 1);
		if (n < 0)
			return errno == EINTR ? -ECANCELED : -errno;
		if (n == 0 || c == '\n')
			break;
		if (c == '\0' || size == PASSPHRASE_MOST)
			return -EINVAL;
		ret_line[size++] = c;
	}
	if (size > 0 && ret_line[size - 1] == '\r')
		size--;
	ret_line[size] = '\0';
	return 0;
}

/* ------------------------------------------------------------------ terminal */

static void interrupted(int number)
{
	(void)number;
}

struct interrupts {
	struct sigaction actions[2];
	sigset_t mask;
};

/* An interrupt ends the waiting, and nothing but the waiting, so that none is missed and the echo always comes back. */
static void catch_interrupts(struct interrupts *old)
{
	struct sigaction action = { .sa_handler = interrupted };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &old->mask);
	sigaction(SIGINT, &action, &old->actions[0]);
	sigaction(SIGTERM, &action, &old->actions[1]);
}

static void release_interrupts(const struct interrupts *old)
{
	sigprocmask(SIG_SETMASK, &old->mask, NULL); /* what came too late goes to our handler */
	sigaction(SIGINT, &old->actions[0], NULL);
	sigaction(SIGTERM, &old->actions[1], NULL);
}

static int ask(const char *prompt, char ret_line[PASSPHRASE_MOST + 1])
{
	struct interrupts old;
	struct termios shown, hidden;
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC), r;

	if (fd < 0 || tcgetattr(fd, &shown) < 0) {
		if (fd >= 0)
			close(fd);
		log_error(0, "there is no terminal to ask for the passphrase at: give --passphrase-file FILE");
		return -ENXIO;
	}
	catch_interrupts(&old);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	r = tcsetattr(fd, TCSAFLUSH, &hidden) < 0 ? -errno : 0;
	if (r == 0) {
		dprintf(fd, "%s: ", prompt);
		r = read_line(fd, &old.mask, ret_line);
		tcsetattr(fd, TCSAFLUSH, &shown);
		dprintf(fd, "\n");
	}
	release_interrupts(&old);
	close(fd);
	if (r == -ECANCELED)
		log_error(0, "cancelled: nothing was changed");
	else if (r < 0)
		log_error(r, "can't read the passphrase");
	return r;
}

/* ------------------------------------------------------------------ file */

static int read_file(const char *path, char ret_line[PASSPHRASE_MOST + 1])
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), r;

	if (fd < 0)
		return log_error(-errno, "can't read the passphrase file %s", path);
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077)) {
		log_error(0, "the passphrase file %s can be read by others: chmod 600 it", path);
		r = -EACCES;
	} else {
		r = read_line(fd, NULL, ret_line);
		if (r < 0)
			log_error(0, "the first line of %s is no passphrase of 1 to %d bytes", path, PASSPHRASE_MOST);
	}
	close(fd);
	if (r == 0 && !ret_line[0]) {
		log_error(0, "the first line of %s is empty, and must be the passphrase", path);
		r = -EINVAL;
	}
	return r;
}

/* ------------------------------------------------------------------ both */

static void forget(struct passphrases *passphrases)
{
	if (passphrases->last)
		sodium_memzero(passphrases->last, PASSPHRASE_MOST + 1);
	free(passphrases->last);
	passphrases->last = NULL;
}

static int get(struct passphrases *passphrases, const char *prompt)
{
	forget(passphrases);
	passphrases->last = calloc(1, PASSPHRASE_MOST + 1);
	if (!passphrases->last)
		return -ENOMEM;
	return passphrases->file ? read_file(passphrases->file, passphrases->last) : ask(prompt, passphrases->last);
}

int passphrase_get(struct passphrases *passphrases, const char *what, const char **ret_passphrase)
{
	char prompt[200];
	int r;

	if (passphrases->never) {
		log_error(0, "%s is encrypted, and a program without a terminal needs one that isn't", what);
		return -EACCES;
	}
	snprintf(prompt, sizeof(prompt), "Passphrase of %.150s", what);
	r = get(passphrases, prompt);
	if (r < 0)
		forget(passphrases);
	else
		*ret_passphrase = passphrases->last;
	return r;
}

int passphrase_get_new(struct passphrases *passphrases, const char *what, const char **ret_passphrase)
{
	char prompt[200], again[PASSPHRASE_MOST + 1] = "";
	int r;

	snprintf(prompt, sizeof(prompt), "New passphrase of %.150s", what);
	r = get(passphrases, prompt);
	if (r == 0 && strlen(passphrases->last) < PASSPHRASE_LEAST) {
		log_error(0, "a passphrase has %d characters at least", PASSPHRASE_LEAST);
		r = -EINVAL;
	}
	if (r == 0 && !passphrases->file) {
		r = ask("The same again", again);
		if (r == 0 && strcmp(again, passphrases->last) != 0) {
			log_error(0, "the two passphrases differ: nothing was changed");
			r = -EINVAL;
		}
		sodium_memzero(again, sizeof(again));
	}
	if (r < 0)
		forget(passphrases);
	else
		*ret_passphrase = passphrases->last;
	return r;
}

const char *passphrase_last(const struct passphrases *passphrases)
{
	return passphrases->last;
}

void passphrases_release(struct passphrases *passphrases)
{
	forget(passphrases);
}
