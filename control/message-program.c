// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/message-program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "control/names.h"

#define SLICE_MS 50 /* between two looks whether it has to end */
#define WORDS_MOST 40u

static int64_t steady_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A file of memory: a pipe could be smaller than the message. */
static int input_file(const struct buffer *input)
{
	int fd = memfd_create("message", MFD_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = write_full_at(fd, input->data, input->size, 0);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* setpriv lets it end with the control unit's thread: nobody would see to it. */
static int spawn(const char *const words[], int in, int out, pid_t *ret_pid)
{
	static char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL };
	const char *all[WORDS_MOST + 5] = { "setpriv", "--pdeathsig", "KILL", "--" };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, every;
	int r;

	for (size_t i = 0; i < WORDS_MOST && words[i]; i++)
		all[4 + i] = words[i];
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, out, 2);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	posix_spawn_file_actions_addchdir_np(&actions, "/");
	sigemptyset(&none);
	sigfillset(&every);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &every);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	r = -posix_spawnp(ret_pid, all[0], &actions, &attributes, (char *const *)(uintptr_t)all, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* Keeps the beginning of what it says, and reads on, so that it doesn't wait. Whether the output goes on. */
static bool take(int fd, char *said, size_t room, size_t *size)
{
	char chunk[1024];
	ssize_t got = read(fd, chunk, sizeof chunk);
	size_t kept = got > 0 && *size < room ? (size_t)got : 0;

	if (kept > room - *size)
		kept = room - *size;
	memcpy(said + *size, chunk, kept);
	*size += kept;
	return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

/* Whether it ended; it stays a zombie, whose number nobody else gets. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0 || info.si_pid == pid;
}

/* Reads until it ended. 0, -ETIMEDOUT or -ECANCELED. */
static int attend(const struct message_program *program, pid_t pid, int out, char said[MESSAGE_SAID_MOST + 1])
{
	int64_t until = steady_ms() + (int64_t)program->seconds * 1000;
	bool goes_on = true;
	size_t size = 0;

	while (!has_ended(pid)) {
		struct pollfd fd = { .fd = goes_on ? out : -1, .events = POLLIN };

		if (atomic_load(program->ending))
			return -ECANCELED;
		if (steady_ms() > until)
			return -ETIMEDOUT;
		if (poll(&fd, 1, SLICE_MS) > 0 && fd.revents)
			goes_on = take(out, said, MESSAGE_SAID_MOST, &size);
	}
	while (goes_on && size < MESSAGE_SAID_MOST && poll(&(struct pollfd){ .fd = out, .events = POLLIN }, 1, 0) > 0)
		goes_on = take(out, said, MESSAGE_SAID_MOST, &size);
	return 0;
}

/* What it left behind in its group goes with it. */
static void reap(struct message_program *program, pid_t pid)
{
	int status = 0;

	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	program->is_signal = WIFSIGNALED(status);
	program->status = program->is_signal ? WTERMSIG(status) : WEXITSTATUS(status);
}

int message_program_run(struct message_program *program)
{
	char said[MESSAGE_SAID_MOST + 1] = "";
	int in = input_file(program->input), out[2], r;
	pid_t pid;

	if (in < 0)
		return in;
	if (pipe2(out, O_CLOEXEC) < 0) {
		r = -errno;
		close(in);
		return r;
	}
	r = spawn(program->words, in, out[1], &pid);
	close(in);
	close(out[1]);
	if (!r) {
		r = attend(program, pid, out[0], said);
		reap(program, pid);
		text_copy_printable(said, MESSAGE_SAID_MOST, program->said);
	}
	close(out[0]);
	return r;
}
