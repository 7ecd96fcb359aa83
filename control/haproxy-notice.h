/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What HAProxy tells the users of a server that is about to restart: a header in its answers, "Repave-Notice: restart; in=SECONDS". It
 * takes the time from a map (server's name → seconds since 1970) that its configuration reads from an empty file, and that is filled while it
 * runs; what is left HAProxy computes for each answer. Pure. */
#ifndef CONTROL_HAPROXY_NOTICE_H
#define CONTROL_HAPROXY_NOTICE_H

#include "control/haproxy.h"

#define HAPROXY_NOTICE_MAP "/dev/null" /* there everywhere, and empty; the name of the map */
#define HAPROXY_NOTICE_HEADER "Repave-Notice"

struct haproxy_notice {
	char name[HAPROXY_NAME_MOST + 1];
	int64_t end;                      /* seconds since 1970; -1 for what isn't a time */
};

struct haproxy_notices {
	struct haproxy_notice *items;     /* ordered by name, each once; owned */
	size_t count;
	bool has_map;                     /* else its configuration is an older one */
};

/* 0 or -ENOMEM. */
int haproxy_notices_add(struct haproxy_notices *notices, const char *name, int64_t end);
/* To be called after the last one was added. */
void haproxy_notices_sort(struct haproxy_notices *notices);
/* The answer to "show map". 0 (the caller releases); -EINVAL with a sentence; -ENOMEM. */
int haproxy_notices_parse(const char *text, size_t size, struct haproxy_notices *ret_notices, char ret_error[ERROR_TEXT]);
/* Appends the commands, one a line, that make what is seen what is wanted; none without a map. 0 or -ENOMEM. */
int haproxy_notices_reconcile(const struct haproxy_notices *wanted, const struct haproxy_notices *seen, struct buffer *lines);
void haproxy_notices_release(struct haproxy_notices *notices);

#endif
