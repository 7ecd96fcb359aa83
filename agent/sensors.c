/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensors.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define PORT_SSH 22
#define PORT_DHCP 68
#define PORT_DHCP6 546
#define PORT_EPHEMERAL 32768 /* net.ipv4.ip_local_port_range */

/* FNV-1a. `end` keeps "ab","c" from "a","bc". */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
	while (*text++ != '\0');
	return hash;
}

static uint64_t finding_hash(const char *kind, const char *subject)
{
	return hash_text(hash_text(0xcbf29ce484222325u, kind), subject);
}

bool finding_known(const struct findings *findings, const char *kind, const char *subject)
{
	uint64_t hash = finding_hash(kind, subject);

	for (size_t i = 0; i < findings->count && i < FINDINGS_MOST; i++)
		if (findings->hashes[i] == hash)
			return true;
	return findings->count > FINDINGS_MOST;
}

enum finding_news finding_note(struct findings *findings, const char *kind, const char *subject)
{
	if (finding_known(findings, kind, subject))
		return FINDING_KNOWN;
	if (findings->count++ == FINDINGS_MOST)
		return FINDING_FULL;
	findings->hashes[findings->count - 1] = finding_hash(kind, subject);
	return FINDING_NEW;
}

static bool is_below(const char *path, const char *folder)
{
	size_t size = strlen(folder);

	return strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* What is behind the name of "/home/NAME/…"; NULL for anything else. */
static const char *below_home(const char *path)
{
	return strncmp(path, "/home/", 6) == 0 ? strchr(path + 6, '/') : NULL;
}

bool upper_is_access(const char *path)
{
	static const char *const files[] = { "/etc/passwd", "/etc/group", "/etc/shadow", "/root/.ssh/authorized_keys" };
	const char *end = below_home(path);

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (strcmp(path, files[i]) == 0)
			return true;
	return end != NULL && strcmp(end, "/.ssh/authorized_keys") == 0;
}

bool upper_is_finding(const char *path)
{
	static const char *const protected[] = { "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/boot", "/app", "/etc", "/init",
						 "/root/.ssh", "/root/.profile", "/root/.bashrc", "/var/spool/cron" };
	/* What stage 2, DHCP clients and systemd write at every boot. Accounts and keys are watched apart: they are there from the start. */
	static const char *const allowed[] = { "/etc/hostname", "/etc/resolv.conf", "/etc/resolv.conf.new", "/etc/machine-id" };

	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
		if (strcmp(path, allowed[i]) == 0)
			return false;
	if (upper_is_access(path))
		return false;
	for (size_t i = 0; i < sizeof(protected) / sizeof(*protected); i++)
		if (is_below(path, protected[i]))
			return true;
	return below_home(path) != NULL && is_below(below_home(path), "/.ssh");
}

bool listener_is_finding(const struct net_socket *socket, bool udp, const struct port_set *declared)
{
	uint16_t port = socket->local_port;

	if (socket->state != (udp ? SOCKET_CLOSED : SOCKET_LISTEN) || address_is_loopback(socket->local))
		return false;
	if (udp && (port == PORT_DHCP || port == PORT_DHCP6 || port >= PORT_EPHEMERAL))
		return false;
	return (udp || port != PORT_SSH) && !port_set_has(declared, port);
}

bool mode_gives_rights(mode_t mode)
{
	/* The group bit of a file that the group can't execute is an old mark for locking. */
	return S_ISREG(mode) && ((mode & S_ISUID) != 0 || (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP));
}

int module_parse(const char *line, char ret_name[64])
{
	size_t size = strcspn(line, " \n");

	if (size == 0 || size >= 64)
		return -EINVAL;
	memcpy(ret_name, line, size);
	ret_name[size] = '\0';
	return 0;
}

bool list_has(const struct buffer *list, const char *name)
{
	size_t size = strlen(name);

	for (const char *line = (const char *)list->data; line != NULL && *line != '\0';) {
		size_t length = strcspn(line, "\n");

		if (length == size && memcmp(line, name, size) == 0)
			return true;
		line += length;
		line += *line == '\n';
	}
	return false;
}
