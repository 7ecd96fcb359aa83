/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file `addresses` (docs/protocol.md, "Agent channel"): where the control unit is, and monitors that stand between. Pure.
 *
 *   HOST PORT         a control unit: its certificate is for CONTROL_NAME
 *   HOST PORT NAME    somebody whose certificate is for NAME */
#ifndef AGENT_ADDRESSES_H
#define AGENT_ADDRESSES_H

#include <stddef.h>

#include "common/bytes.h"

#define CONTROL_NAME "control.repave.internal"
#define ADDRESSES_MOST 8u
#define HOST_SIZE 256u
#define NAME_SIZE 128u
#define ADDRESS_LINE_SIZE (HOST_SIZE + NAME_SIZE + 8u)

struct address {
	char host[HOST_SIZE], port[6];
	char name[NAME_SIZE]; /* which its certificate must be for */
};

/* The text of the file `addresses`: one "HOST PORT" per line, or "HOST PORT NAME" (docs/protocol.md). 0; -EINVAL, also when there is none. */
int addresses_parse(const char *text, struct address ret_addresses[ADDRESSES_MOST], size_t *ret_count);
/* That text with the monitor of `line` ("HOST PORT NAME") in front, in place of other monitors; control units stay. As many as fit. 0; -EINVAL when
 * either isn't sound, or the line is a control unit's; -ENOMEM. */
int addresses_prefer(const char *text, const char *line, struct buffer *ret_text);

#endif
