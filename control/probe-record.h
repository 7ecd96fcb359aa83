/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control unit itself finds when it asks a node's service, as a user would: what was found, and when that is news. Pure; the asking is
 * control/prober.h's.
 *
 *   the agent   asks the application on its own machine
 *   HAProxy     asks from where users come in
 *   this        asks from the control unit
 *
 * Where the agent says that all is well and this fails, the application isn't to blame: the way to it is. */
#ifndef CONTROL_PROBE_RECORD_H
#define CONTROL_PROBE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_FAILURES 3u        /* in a row, before the difference is told */
#define PROBE_ERROR_MOST 63u
#define PROBE_ANSWER_LEAST 12u   /* bytes: "HTTP/1.1 200" */

struct probe_record {
	int64_t at;              /* ms by CLOCK_MONOTONIC, when the last answer was there or given up; 0: none */
	int64_t next;            /* ms; 0: not planned yet */
	bool under_way;
	bool ok;
	bool told;               /* that it fails though the agent is content */
	unsigned failures;       /* in a row */
	double milliseconds;     /* of the last answer, or until it was given up */
	char error[PROBE_ERROR_MOST + 1]; /* "" for a success */
};

struct probe_result {
	double milliseconds;
	char error[PROBE_ERROR_MOST + 1]; /* "" for a success */
};

enum probe_news { PROBE_NO_NEWS, PROBE_UNREACHED, PROBE_REACHED };

/* Whether to ask now; plans the first time at a place within the interval that follows from the id, so that a fleet isn't asked at once. */
bool probe_due(struct probe_record *record, const char *node, int64_t now_ms, int64_t interval_ms);
/* Takes in what was found; `agent_content`: its agent was heard lately, and says that the application is healthy. */
enum probe_news probe_note(struct probe_record *record, const struct probe_result *result, bool agent_content, int64_t now_ms);

/* The status of an HTTP answer's first bytes, from outside: 0; -EAGAIN when more are needed; -EPROTO when it is none. */
int probe_status(const char *bytes, size_t size, unsigned *ret_status);

#endif
