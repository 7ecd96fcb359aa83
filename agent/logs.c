/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/logs.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"

#define RING_KEY 0x414e4547 /* of busybox's sysklogd/syslogd.c */
#define DATAGRAMS_MOST 4096 /* of one reading: other work waits */

/* busybox, sysklogd/syslogd.c: lines, each with a NUL behind it, in a circle. */
struct log_ring {
	int32_t size; /* of `data` */
	int32_t tail; /* where the next line goes */
	char data[];
};

static void open_socket(struct logs *logs, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t before;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return;
	strcpy(address.sun_path, path);
	unlink(path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	/* The journal, which is root's, is the only one to write here. */
	before = umask(0177);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		logs->socket = fd;
		logs->socket_path = path;
	} else {
		close(fd);
	}
	umask(before);
}

static void attach_ring(struct logs *logs, bool again)
{
	int id = shmget(RING_KEY, 0, 0);
	struct shmid_ds info;
	const struct log_ring *ring;

	if (id < 0 || shmctl(id, IPC_STAT, &info) < 0 || info.shm_segsz <= sizeof(*ring))
		return;
	ring = shmat(id, NULL, SHM_RDONLY);
	if (ring == (void *)-1)
		return;
	logs->ring = ring;
	logs->ring_room = info.shm_segsz - sizeof(*ring);
	logs->ring_at = again && ring->tail > 0 ? (size_t)ring->tail : 0;
}

void logs_open(struct logs *logs, const char *journal_socket, bool again)
{
	*logs = (struct logs){ .socket = -1 };
	open_socket(logs, journal_socket);
	if (logs->socket < 0)
		attach_ring(logs, again);
}

static void take_byte(struct logs *logs, char byte, void (*take)(void *context, const char *line), void *context)
{
	if (byte != '\0' && byte != '\n') {
		/* The rest of a line that is too long isn't a line. */
		if (logs->line_size < LOG_LINE_MOST - 1)
			logs->line[logs->line_size++] = byte;
		return;
	}
	if (logs->line_size > 0) {
		logs->line[logs->line_size] = '\0';
		take(context, logs->line);
	}
	logs->line_size = 0;
}

static void read_ring(struct logs *logs, void (*take)(void *context, const char *line), void *context)
{
	/* Others write it meanwhile: each number is read once, and checked. */
	size_t size = (size_t)*(const volatile int32_t *)&logs->ring->size, tail = (size_t)*(const volatile int32_t *)&logs->ring->tail;

	atomic_thread_fence(memory_order_acquire);
	if (size > logs->ring_room || tail >= size)
		return;
	if (logs->ring_at >= size)
		logs->ring_at = 0;
	while (logs->ring_at != tail) {
		take_byte(logs, logs->ring->data[logs->ring_at], take, context);
		logs->ring_at = (logs->ring_at + 1) % size;
	}
}

void logs_read(struct logs *logs, bool again, void (*take)(void *context, const char *line), void *context)
{
	char line[LOG_LINE_MOST];

	for (int i = 0; logs->socket >= 0 && i < DATAGRAMS_MOST; i++) {
		ssize_t n = recv(logs->socket, line, sizeof(line) - 1, 0);

		if (n < 0)
			break;
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		take(context, line);
	}
	/* syslogd may start after this program. */
	if (logs->socket < 0 && logs->ring == NULL)
		attach_ring(logs, again);
	if (logs->ring != NULL)
		read_ring(logs, take, context);
}

void logs_close(struct logs *logs)
{
	if (logs->socket >= 0) {
		close(logs->socket);
		unlink(logs->socket_path);
	}
	if (logs->ring != NULL)
		shmdt(logs->ring);
	*logs = (struct logs){ .socket = -1 };
}
