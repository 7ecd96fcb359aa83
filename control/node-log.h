/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a node said: the log of a boot (its stage 1), the last words of a kernel that stopped, the tail of a log of the running
 * system. Whoever was root there could have written it: text to show, and no more. */
#ifndef CONTROL_NODE_LOG_H
#define CONTROL_NODE_LOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/names.h"

#define LOG_TEXT_MOST (56u * 1024)      /* bytes of one text: a body with it stays below NODE_BODY_MOST */
#define LOGS_BYTES_KEPT (256u * 1024)   /* of a node; the oldest go first */
#define LOGS_KEPT 64u                   /* of a node */
#define LOGS_SECONDS_KEPT (90 * 86400)

enum log_kind { LOG_BOOT, LOG_CRASH, LOG_APP, LOG_SYSTEM };

struct node_log {
	enum log_kind kind;
	char nonce[NONCE_SIZE + 1]; /* of the boot; "" in what an agent sends, whose boot is known */
	json_t *text;               /* owned; a string of printable ASCII, tabs and newlines */
};

/* "boot", "crash", "app", "system". */
const char *log_kind_name(enum log_kind kind);
/* 0 or -EINVAL. */
int log_kind_parse(const char *text, enum log_kind *ret_kind);

/* Parses the body of "POST …/log" (docs/protocol.md). A node sends boot and crash with the boot's nonce, an agent app and system. 0;
 * -EINVAL with a sentence in `ret_error`; -ENOMEM. The caller releases. */
int node_log_parse(const void *body, size_t size, bool from_agent, struct node_log *ret_log, char ret_error[ERROR_TEXT]);
void node_log_release(struct node_log *log);

#endif
