// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/bytes.h"

int notify_manager(const char *lines)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t size = path ? strlen(path) : 0;
	int fd, r = 1;

	if (!size)
		return 0;
	if ((path[0] != '/' && path[0] != '@') || size >= sizeof to.sun_path)
		return -EINVAL;
	memcpy(to.sun_path, path, size);
	/* Abstract names begin with NUL, and aren't ended by one. */
	if (path[0] == '@')
		to.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) < 0)
		r = -errno;
	close(fd);
	return r;
}

int64_t notify_watchdog(void)
{
	const char *time = getenv("WATCHDOG_USEC"), *process = getenv("WATCHDOG_PID");
	uint64_t microseconds, pid;

	if (!time || parse_u64(time, &microseconds) < 0 || microseconds > INT64_MAX / 1000)
		return 0;
	if (process && (parse_u64(process, &pid) < 0 || pid != (uint64_t)getpid()))
		return 0;
	return (int64_t)microseconds * 1000 / 2;
}
