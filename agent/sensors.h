/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Security sensors, their rules: what is a finding, and whether it was told already. Pure: look.c looks at the machine. */
#ifndef AGENT_SENSORS_H
#define AGENT_SENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/tcp.h"
#include "common/bytes.h"

/* What was found so far: each finding is an alarm once, not at each look. Zero it first. */
#define FINDINGS_MOST 1024u

struct findings {
	uint64_t hashes[FINDINGS_MOST];
	size_t count;
};

enum finding_news { FINDING_KNOWN, FINDING_NEW, FINDING_FULL };

/* Whether it was noted, or couldn't be any more. */
bool finding_known(const struct findings *findings, const char *kind, const char *subject);
/* FINDING_FULL once, when there is no room for another: from then on nothing is new. */
enum finding_news finding_note(struct findings *findings, const char *kind, const char *subject);

/* Whether a file says who may log in: accounts, and keys of root and of users. Stage 2 writes them before the OS begins. */
bool upper_is_access(const char *path);

/* Whether a file of the overlay's upper layer, so one that was made, changed or removed since the boot, is one that shouldn't: programs,
 * libraries, settings, keys. `path` begins with '/'. */
bool upper_is_finding(const char *path);

/* Whether a socket listens where nothing was declared: not ssh, not one of the application's, not a DHCP client. Sockets that only this
 * machine can reach don't count, nor UDP ports of the ephemeral range. */
bool listener_is_finding(const struct net_socket *socket, bool udp, const struct port_set *declared);

/* Whether a file gives rights of another account to whoever runs it. */
bool mode_gives_rights(mode_t mode);

/* One line of /proc/modules: the name. 0 or -EINVAL. */
int module_parse(const char *line, char ret_name[64]);
/* Whether `name` is a line of `list`. */
bool list_has(const struct buffer *list, const char *name);

#endif
