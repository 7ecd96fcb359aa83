// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"

#define BACKLOG 4096 /* a fleet that comes back at once */

static int bind_and_listen(const struct addrinfo *to)
{
	const int on = 1, off = 0;
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (to->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, to->ai_addr, to->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

static int resolve_and_listen(const char *address, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *found;
	int fd;

	if (getaddrinfo(address, port, &hints, &found))
		return -EINVAL;
	fd = bind_and_listen(found);
	freeaddrinfo(found);
	return fd;
}

int listen_tcp(const char *address, unsigned port, const char *option)
{
	char text[8];
	int fd;

	snprintf(text, sizeof text, "%u", port);
	fd = resolve_and_listen(address ? address : "::", text);
	/* A machine may have no IPv6 at all. */
	if (fd == -EAFNOSUPPORT && !address)
		fd = resolve_and_listen("0.0.0.0", text);
	switch (fd) {
	case -EADDRINUSE:
		log_error(0, "port %u is in use by another program; stop it (`ss -ltnp` shows it), or choose another with %s", port,
			  option);
		break;
	case -EINVAL:
		log_error(0, "\"%s\" is no numeric IP address; give one of this machine's with --address", address);
		break;
	case -EADDRNOTAVAIL:
		log_error(0, "this machine doesn't have the address %s; give one of its own with --address", address);
		break;
	default:
		if (fd < 0)
			log_error(fd, "can't listen on port %u", port);
	}
	return fd;
}

int listen_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t before;
	int fd, r;

	if (strlen(path) >= sizeof address.sun_path)
		return log_error(-ENAMETOOLONG, "%s is too long for a socket; use a state folder with a shorter name", path);
	strcpy(address.sun_path, path);
	if (unlink(path) < 0 && errno != ENOENT)
		return log_error(-errno, "can't replace %s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return log_error(-errno, "can't make a socket");
	before = umask(0177);
	r = bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0 ? -errno : 0;
	umask(before);
	if (r < 0) {
		close(fd);
		return log_error(r, "can't listen on %s", path);
	}
	return fd;
}
