/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a node's agent sends: parser of "POST /v1/agents/{id}/status" of docs/protocol.md. Pure: bytes in, structs out. */
#ifndef CONTROL_AGENT_STATUS_H
#define CONTROL_AGENT_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/user.h"
#include "control/names.h"

#define BOOT_ID_SIZE 36u
#define STATUS_ALARMS_MOST 32u
#define STATUS_ANSWERS_MOST 32u
#define ALARM_KIND_MOST 23u
#define ALARM_TEXT_MOST 240u
#define ORDER_RESULT_MOST 200u

enum agent_health { AGENT_HEALTH_UNKNOWN, AGENT_HEALTH_NONE, AGENT_HEALTHY, AGENT_UNHEALTHY };

/* Of the measures, what lists and decisions need. */
struct figures {
	double uptime;                       /* seconds */
	double load, busy;                   /* of the last minute; share of the processors' time */
	uint64_t memory_total, memory_available;
	unsigned users;                      /* logged in */
	bool has_application;                /* the next two count */
	uint64_t connections;
	unsigned peers;
	enum agent_health health;
	double health_ms;
	char verity[2];                      /* of C: and D:: 'V' sound so far, 'C' corruption was seen, 0 not told */
	bool draining;
};

struct agent_alarm {
	uint64_t sequence;
	int64_t time;                        /* by the node's clock */
	char kind[ALARM_KIND_MOST + 1];      /* lower-case letters and hyphens */
	char text[ALARM_TEXT_MOST + 1];      /* printable */
};

enum order_result { ORDER_RESULT_DONE, ORDER_RESULT_FAILED, ORDER_RESULT_REFUSED };

struct order_answer {
	uint64_t number;
	enum order_result result;
	char text[ORDER_RESULT_MOST + 1];    /* printable */
};

struct agent_status {
	char boot_id[BOOT_ID_SIZE + 1];
	uint64_t sequence;
	struct figures figures;
	char *measures;                      /* owned; JSON text of known members only, each checked */
	struct agent_alarm alarms[STATUS_ALARMS_MOST];   /* sequences ascend */
	size_t alarm_count;
	uint64_t alarms_lost;
	struct order_answer answers[STATUS_ANSWERS_MOST];
	size_t answer_count;
	char request_user[USER_NAME_MOST + 1];   /* who asks for another OS; "": nobody */
	char request_os[IMAGE_SPEC_MOST + 1];
};

/* 0; -EINVAL with a sentence in `ret_error`; -ENOMEM. The caller releases. Members that aren't known are left out: a newer agent may
 * send more. Texts that others chose (names of users, interfaces, mounts) are cut and made printable, not refused: nobody who may log in to a
 * node silences its agent with one. */
int agent_status_parse(const void *body, size_t size, struct agent_status *ret_status, char ret_error[ERROR_TEXT]);
void agent_status_release(struct agent_status *status);

/* "unknown", "none", "healthy", "unhealthy". */
const char *agent_health_name(enum agent_health health);

#endif
