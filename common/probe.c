/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/json.h"

#define SECONDS 2 /* for each of connecting, sending and receiving */

static int health_parse(const json_t *health, struct probe *ret_probe)
{
	const char *type = json_get_string(health, "type"), *path = json_get_string(health, "path");
	uint64_t port;

	if (type == NULL || json_get_u64(health, "port", &port) < 0 || port < 1 || port > 65535)
		return -EINVAL;
	*ret_probe = (struct probe){ .http = strcmp(type, "http") == 0, .port = (uint16_t)port };
	if (!ret_probe->http)
		return strcmp(type, "tcp") == 0 ? 0 : -EINVAL;
	if (path == NULL)
		path = "/";
	/* Nothing that would end the request's first line. */
	if (path[0] != '/' || strlen(path) > PROBE_PATH_MOST)
		return -EINVAL;
	for (const char *c = path; *c != '\0'; c++)
		if (*c <= 0x20 || *c >= 0x7f)
			return -EINVAL;
	strcpy(ret_probe->path, path);
	return 0;
}

int probe_parse(const void *text, size_t size, struct probe *ret_probe)
{
	char error[160];
	json_t *json = json_parse(text, size, error);
	const json_t *health = json_object_get(json, "health");
	int r = json == NULL ? -EINVAL : health == NULL ? -ENOENT : health_parse(health, ret_probe);

	json_decref(json);
	return r;
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = SECONDS };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = 0;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

/* "HTTP/1.1 200 …": the first line is all that counts. */
static int ask_http(int fd, const char *path)
{
	char text[PROBE_PATH_MOST + 128], answer[16];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\nHost: localhost\r\nUser-Agent: repave-health\r\n\r\n", path);
	size_t have = 0;
	ssize_t got;

	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		return -EIO;
	while (have < 12 && (got = recv(fd, answer + have, 12 - have, 0)) > 0)
		have += (size_t)got;
	if (have < 12 || memcmp(answer, "HTTP/1.", 7) != 0 || answer[8] != ' ')
		return -EPROTO;
	return answer[9] == '2' || answer[9] == '3' ? 0 : -EPROTO;
}

int probe_ask(const struct probe *probe)
{
	int fd = connect_to(probe->port), r = fd < 0 ? fd : 0;

	if (r == 0 && probe->http)
		r = ask_http(fd, probe->path);
	if (fd >= 0)
		close(fd);
	return r;
}
