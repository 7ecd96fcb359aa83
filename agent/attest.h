/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proves to the control unit, by this machine's TPM, what runs here: once the system is up, and again from time to time. The TPM may take
 * seconds: a process of its own asks it. */
#ifndef AGENT_ATTEST_H
#define AGENT_ATTEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/transport.h"
#include "common/attest.h"

struct attester {
	const char *device, *events;  /* paths */
	bool heard;                   /* the control unit has answered a status of this boot */
	bool off;                     /* there is no TPM, or the control unit knows nothing of them */
	int64_t at;                   /* when the next question is due, by steady_ms */
	pid_t process;                /* that asks the TPM; 0: none */
	int output;                   /* of it; valid with a process */
	struct buffer body;           /* of it: what is to be sent as a quote */
	bool ready;                   /* it ended well */
};

void attester_open(struct attester *attester, const char *device, const char *events);
void attester_close(struct attester *attester);
/* Reads what the process has, and never waits. */
void attester_run(struct attester *attester);
/* What is to be sent now: TRANSPORT_ATTEST or TRANSPORT_QUOTE, or 0 for nothing. `*ret_body` is valid until attester_take. */
enum transport_kind attester_due(struct attester *attester, const char **ret_body);
/* The control unit's answer to it. */
void attester_take(struct attester *attester, enum transport_kind kind, const struct transport_reply *reply);

#endif
