// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/records.h"

#include <errno.h>
#include <string.h>

static const char *const severity_names[] = { "info", "notice", "warning", "alarm" };
static const char *const role_names[] = { [ROLE_VIEWER] = "viewer", [ROLE_AUDITOR] = "auditor", [ROLE_OPERATOR] = "operator",
					  [ROLE_ADMIN] = "admin" };

static int find(const char *const names[], size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], text))
			return (int)i;
	return -EINVAL;
}

const char *severity_name(enum severity severity)
{
	return severity_names[severity];
}

int severity_parse(const char *text, enum severity *ret_severity)
{
	int r = find(severity_names, sizeof severity_names / sizeof severity_names[0], text);

	if (r >= 0)
		*ret_severity = (enum severity)r;
	return r < 0 ? r : 0;
}

const char *role_name(enum role role)
{
	return role_names[role];
}

int role_parse(const char *text, enum role *ret_role)
{
	int r = find(role_names, sizeof role_names / sizeof role_names[0], text);

	if (r >= 0)
		*ret_role = (enum role)r;
	return r < 0 ? r : 0;
}

void enrolment_release(struct enrolment *enrolment)
{
	json_decref(enrolment->macs);
	enrolment->macs = NULL;
}
