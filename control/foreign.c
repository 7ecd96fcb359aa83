// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/foreign.h"

#include <stdarg.h>
#include <stdio.h>

#define PAUSE_SECONDS 60

void foreign_note(struct control *control, struct node *node, int64_t now, const char *format, ...)
{
	const struct group *group = group_of(control->fleet, node);
	char text[ERROR_TEXT];
	va_list arguments;

	/* A clock that was set back mustn't silence it. */
	if (node->foreign_told && now >= node->foreign_told && now - node->foreign_told < PAUSE_SECONDS)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (!control_event(control, now, node->id, SEVERITY_ALARM, "foreign",
			   group && group->account[0] ? json_pack("{ss}", "account", group->account) : NULL, "%s", text))
		node->foreign_told = now;
}
