/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Carries out orders, each in a process of its own, so that the agent goes on to report meanwhile. */
#ifndef AGENT_ACTIONS_H
#define AGENT_ACTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/channel.h"
#include "agent/order.h"
#include "agent/places.h"
#include "common/tail.h"

#define ACTION_SECONDS 60
#define LOG_BYTES_MOST (48u << 10)

struct action_job {
	pid_t process; /* 0: none */
	int output;    /* to be polled */
	uint64_t order;
	int64_t deadline; /* milliseconds of the steady clock */
	char text[RESULT_TEXT_MOST + 1]; /* the last line that it wrote */
	size_t size;
	bool line_ended;
	struct tail log; /* of a log: what it wrote, beside; data NULL for other orders. The caller frees it */
	char log_kind[8];
	bool is_evidence; /* what it wrote is in a file */
};

/* Starts what `order` says; not for reboot and shutdown, whose answer must get through first (action_stop). 0; or RESULT_… of an order
 * that ends here: false in `ret_started`, with a sentence in `ret_text`. */
enum order_result action_start(struct action_job *job, const struct places *places, const struct order *order, bool *ret_started,
			       char ret_text[RESULT_TEXT_MOST + 1]);
/* When its output is readable, or from time to time. True when it has ended: `ret_result`, and the sentence in job->text. */
bool action_ended(struct action_job *job, enum order_result *ret_result);

/* Where what an order for evidence gathered is. */
void action_evidence_path(const struct places *places, char ret_path[512]);

/* Starts the orderly stop of the OS by its own init (`reboot` or `poweroff`). 0 or -errno with a sentence. */
int action_stop(const struct places *places, enum order_action action, char ret_text[RESULT_TEXT_MOST + 1]);

#endif
