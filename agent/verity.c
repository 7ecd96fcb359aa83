/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/verity.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/measure.h"
#include "agent/sandbox.h"
#include "common/log.h"

#define QUESTION 2u
#define ANSWER 3u
#define WAIT_MS 2000 /* an ioctl that reads the kernel's memory takes no time */
#define SOCKET 3     /* in that process */
#define MAPPER 4

/* linux/dm-ioctl.h: the head, then a target with its status as text. */
struct request {
	struct dm_ioctl head;
	struct dm_target_spec target;
	char status[256];
};

/* ------------------------------------------------------------------ the process with the right */
static char look(int mapper, char slot)
{
	struct request request = { .head = { .version = { 4 }, .data_size = sizeof(request),
					     .data_start = offsetof(struct request, target) } };

	if (slot != 'c' && slot != 'd')
		return 0;
	snprintf(request.head.name, sizeof(request.head.name), "repave-%c", slot);
	/* The kernel has put head and data where they were asked for. */
	if (ioctl(mapper, DM_TABLE_STATUS, &request) < 0 || request.head.target_count != 1 || (request.head.flags & DM_BUFFER_FULL_FLAG) ||
	    strncmp(request.target.target_type, "verity", sizeof(request.target.target_type)) != 0)
		return 0;
	request.status[sizeof(request.status) - 1] = '\0';
	return verity_state(request.status);
}

static void __attribute__((noreturn)) serve(uid_t user)
{
	uint8_t message[ANSWER + 1];
	int r;

	/* What looks for agents by name finds the one that obeys. */
	prctl(PR_SET_NAME, "agent-verity");
	r = rights_give_up(user, SANDBOX_VERITY);
	if (r < 0) {
		log_error(r, "the process that asks dm-verity can't give up its other rights");
		_exit(1);
	}
	/* That it is there. */
	if (send(SOCKET, "", 1, MSG_NOSIGNAL) != 1)
		_exit(1);
	for (;;) {
		ssize_t size = recv(SOCKET, message, sizeof(message), 0);

		if (size < 0 && errno == EINTR)
			continue;
		if (size != QUESTION)
			_exit(size != 0);
		message[2] = (uint8_t)look(MAPPER, (char)message[1]);
		if (send(SOCKET, message, ANSWER, MSG_NOSIGNAL) != ANSWER)
			_exit(1);
	}
}

static void __attribute__((noreturn)) become_server(int socket, int mapper, uid_t user)
{
	/* Neither of the two may lie where the other one goes. */
	int high = fcntl(mapper, F_DUPFD, MAPPER + 1);

	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	if (high < 0 || dup2(socket, SOCKET) < 0 || dup2(high, MAPPER) < 0)
		_exit(1);
	syscall(SYS_close_range, MAPPER + 1u, ~0u, 0u);
	serve(user);
}

/* ------------------------------------------------------------------ those who ask */
int verity_start(struct verity *verity, const char *mapper, uid_t user)
{
	int pair[2], r = 0, fd = open(mapper, O_RDWR | O_CLOEXEC);
	uint8_t ready;

	*verity = (struct verity){ .socket = -1 };
	if (fd < 0)
		return errno == ENOENT || errno == ENODEV || errno == EACCES ? 0 : -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	verity->process = fork();
	if (verity->process == 0)
		become_server(pair[1], fd, user);
	if (verity->process < 0) {
		r = -errno;
		verity->process = 0;
		close(pair[0]);
	} else {
		verity->socket = pair[0];
	}
	close(pair[1]);
	close(fd);
	/* One that may not have the right ends at once, and would at each start. */
	if (r == 0 && recv(verity->socket, &ready, 1, 0) != 1) {
		verity_stop(verity);
		r = -EPERM;
	}
	return r;
}

static bool readable(int fd, int wait)
{
	struct pollfd file = { .fd = fd, .events = POLLIN };
	int n;

	while ((n = poll(&file, 1, wait)) < 0 && errno == EINTR)
		;
	return n > 0;
}

char verity_ask(struct verity *verity, char slot)
{
	uint8_t message[ANSWER + 1] = { ++verity->sequence, (uint8_t)slot };

	if (verity->process == 0 || send(verity->socket, message, QUESTION, MSG_NOSIGNAL | MSG_DONTWAIT) != QUESTION)
		return 0;
	/* An answer that came too late for its question is nobody's. */
	while (readable(verity->socket, WAIT_MS) && recv(verity->socket, message, sizeof(message), MSG_DONTWAIT) == ANSWER)
		if (message[0] == verity->sequence && message[1] == (uint8_t)slot)
			return message[2] == 'V' || message[2] == 'C' ? (char)message[2] : 0;
	return 0;
}

bool verity_lost(struct verity *verity)
{
	return verity->process != 0 && waitpid(verity->process, NULL, WNOHANG) != 0;
}

void verity_stop(struct verity *verity)
{
	if (verity->process == 0)
		return;
	/* It reads the end of the socket pair. It may be gone, and its number another's: no signal. */
	close(verity->socket);
	while (waitpid(verity->process, NULL, 0) < 0 && errno == EINTR)
		;
	*verity = (struct verity){ .socket = -1 };
}
