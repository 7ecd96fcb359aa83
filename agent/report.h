/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The status that goes to the control unit (docs/protocol.md, "Agent channel"), from what was measured. Pure. */
#ifndef AGENT_REPORT_H
#define AGENT_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/channel.h"
#include "agent/measure.h"
#include "agent/tcp.h"

#define STATUS_BYTES_MOST 65536u
#define DISKS_MOST 16u
#define INTERFACES_MOST 32u
#define USERS_MOST 32u

struct disk_use {
	struct mount mount;
	uint64_t size, used;
};

struct logged_in {
	char name[33];
	char terminal[16];       /* "" without one */
	char from[ADDRESS_TEXT]; /* "" when that isn't known, or on the console */
	pid_t process;
};

enum health_state { HEALTH_UNKNOWN, HEALTH_NONE, HEALTH_GOOD, HEALTH_BAD };

struct health {
	enum health_state state;
	double milliseconds; /* of the last question, whatever the answer */
	char error[80];      /* with HEALTH_BAD */
};

struct slot_state {
	char root_hash[65]; /* "": no such slot in this boot */
	char verity;        /* 'V', 'C', or 0 when that can't be asked */
};

struct measures {
	double uptime, load[3], busy;
	unsigned cpus;
	struct memory memory;
	struct pressure pressure[3]; /* cpu, memory, io */
	bool has_pressure[3];
	struct disk_use disks[DISKS_MOST];
	size_t disk_count;
	struct interface interfaces[INTERFACES_MOST];
	size_t interface_count;
	struct logged_in users[USERS_MOST];
	size_t user_count;            /* may be more than USERS_MOST: that many are listed */
	bool has_application;
	uint64_t connections;         /* to the application's ports */
	uint32_t peers;
	struct health health;
	struct slot_state c, d;
	char h_state[16], h_text[ALARM_TEXT_MOST - 32]; /* of H:; "" where the OS says nothing of it */
	bool draining;
};

/* A new reference, or NULL when out of memory. */
json_t *measures_json(const struct measures *measures);
/* The whole status, malloc'd; NULL when out of memory. `alarms`: as channel_status_begin returned. */
/* `user` (or NULL) asks for the OS `os`. */
char *status_format(const struct channel *channel, size_t alarms, const struct measures *measures, const char *user, const char *os);

#endif
