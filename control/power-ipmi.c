// SPDX-License-Identifier: GPL-2.0-or-later
/* IPMI 2.0 over LAN by Debian's ipmitool, one process for each question.
 *
 * The password goes through a pipe that the child reads as its file of passwords: what was read is in nobody's /proc any more. The environment
 * (IPMI_PASSWORD) would stay readable there as long as the child lives, a memfd likewise, and the command line for everybody. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "control/power-driver.h"
#include "control/power-text.h"

#define OUTPUT_MOST 16384u
#define PASSWORD_FD 3
#define POLL_MS 100
#define CALL_MS 20000 /* of one ipmitool: four tries of each message, a second apart */

struct call {
	pid_t pid;
	int out, err;  /* reading ends; -1 when over */
	char text[2][OUTPUT_MOST];
	size_t size[2];
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* A pipe with the password in it, which is far below what a pipe holds: its reading end. */
static int password_pipe(const char *password)
{
	int ends[2];
	size_t size = strlen(password);

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	if (write(ends[1], password, size) != (ssize_t)size) {
		close(ends[0]);
		close(ends[1]);
		return -EIO;
	}
	close(ends[1]);
	return ends[0];
}

static int spawn(const char *const words[], int password, int out, int err, pid_t *ret_pid)
{
	/* A program that dies with the control unit's thread: nobody would see to it. */
	static char *const environment[] = { "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, err, 2);
	posix_spawn_file_actions_adddup2(&actions, password, PASSWORD_FD);
	posix_spawn_file_actions_addclosefrom_np(&actions, PASSWORD_FD + 1);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = -posix_spawnp(ret_pid, words[0], &actions, &attributes, (char *const *)(uintptr_t)words, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* Descriptors above those that the child gets, so that none is overwritten before it is copied. */
static int lift(int fd)
{
	int lifted = fcntl(fd, F_DUPFD_CLOEXEC, 16);

	close(fd);
	return lifted < 0 ? -errno : lifted;
}

static int start(const struct power_work *work, const char *const words[], struct call *call)
{
	int out[2], err[2], password = password_pipe(work->password), r;

	call->out = call->err = -1;
	if (password < 0)
		return password;
	if (pipe2(out, O_CLOEXEC) < 0) {
		r = -errno;
		close(password);
		return r;
	}
	if (pipe2(err, O_CLOEXEC) < 0) {
		r = -errno;
		close(password);
		close(out[0]);
		close(out[1]);
		return r;
	}
	password = lift(password);
	out[1] = lift(out[1]);
	err[1] = lift(err[1]);
	r = password < 0 || out[1] < 0 || err[1] < 0 ? -EMFILE : spawn(words, password, out[1], err[1], &call->pid);
	close_fd(&password);
	close_fd(&out[1]);
	close_fd(&err[1]);
	call->out = out[0];
	call->err = err[0];
	if (r < 0) {
		close_fd(&call->out);
		close_fd(&call->err);
	}
	return r;
}

/* What is beyond the room is read and dropped. */
static void take(struct call *call, unsigned which, int *fd)
{
	char dropped[1024];
	size_t room = OUTPUT_MOST - call->size[which];
	ssize_t got = room ? read(*fd, call->text[which] + call->size[which], room) : read(*fd, dropped, sizeof dropped);

	if (got > 0)
		call->size[which] += room ? (size_t)got : 0;
	else if (got == 0 || errno != EINTR)
		close_fd(fd);
}

/* Reads until both outputs end. 0 or -ETIMEDOUT. */
static int read_all(const struct power_work *work, struct call *call)
{
	int64_t until = power_clock() + CALL_MS;

	while (call->out >= 0 || call->err >= 0) {
		struct pollfd fds[] = { { .fd = call->out, .events = POLLIN }, { .fd = call->err, .events = POLLIN } };

		if (power_left(work) == 0 || power_clock() > until)
			return -ETIMEDOUT;
		if (poll(fds, 2, POLL_MS) <= 0)
			continue;
		if (fds[0].revents)
			take(call, 0, &call->out);
		if (fds[1].revents)
			take(call, 1, &call->err);
	}
	return 0;
}

/* The exit status of a program that closed its outputs or has to go; -1 after a signal. */
static int reap(struct call *call, bool kill_it)
{
	int status = 0;

	if (kill_it)
		kill(call->pid, SIGKILL);
	while (waitpid(call->pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int judge(struct power_work *work, const struct call *call, int over, int status)
{
	if (over < 0 && atomic_load(work->ending))
		return -ECANCELED;
	if (over < 0) {
		refused(work->error, "the BMC takes too long to answer");
		return -ETIMEDOUT;
	}
	if (status == 127) {
		refused(work->error, "%s or setpriv can't be run; install Debian's packages ipmitool and util-linux", work->ipmitool);
		return -ENOENT;
	}
	return status == 0 ? 0 : ipmi_failure_parse(call->text[1], call->size[1], work->error);
}

/* `call` is filled whatever came of it. */
static int chassis_power(struct power_work *work, const char *what, struct call *call)
{
	const struct power_config *config = work->config;
	char port[8], cipher[4], password[24];
	/* -v: says why. -N 1 -R 4: a message is sent four times, a second apart. */
	const char *const words[] = { "setpriv", "--pdeathsig", "KILL", "--", work->ipmitool, "-v", "-I", "lanplus", "-C", cipher, "-H",
				      config->host, "-p", port, "-U", config->user, "-f", password, "-N", "1", "-R", "4", "chassis",
				      "power", what, NULL };
	int r, over, status;

	snprintf(port, sizeof port, "%u", config->port);
	snprintf(cipher, sizeof cipher, "%u", config->cipher);
	snprintf(password, sizeof password, "/dev/fd/%d", PASSWORD_FD);
	call->size[0] = call->size[1] = 0;
	r = start(work, words, call);
	if (r < 0) {
		refused(work->error, "can't run ipmitool: %s", strerror(-r));
		return r;
	}
	over = read_all(work, call);
	close_fd(&call->out);
	close_fd(&call->err);
	status = reap(call, over < 0);
	return judge(work, call, over, status);
}

/* A line is no more than the work and room for what is said. */
struct line {
	struct power_work *work;
	struct call call;
};

static int open_line(struct power_work *work, void **ret_line)
{
	struct line *line = calloc(1, sizeof *line);

	if (!line)
		return -ENOMEM;
	line->work = work;
	*ret_line = line;
	return 0;
}

static int look(void *context, enum power_state *ret_state)
{
	struct line *line = context;
	int r = chassis_power(line->work, "status", &line->call);

	if (!r && ipmi_state_parse(line->call.text[0], line->call.size[0], ret_state) < 0) {
		refused(line->work->error, "ipmitool's answer can't be read");
		r = -EIO;
	}
	return r;
}

static int command(void *context, enum power_command command)
{
	static const char *const words[] = { [COMMAND_ON] = "on", [COMMAND_OFF] = "off", [COMMAND_RESET] = "reset",
					     [COMMAND_SHUTDOWN] = "soft" };
	struct line *line = context;

	return chassis_power(line->work, words[command], &line->call);
}

const struct power_driver power_driver_ipmi = { open_line, look, command, free };
