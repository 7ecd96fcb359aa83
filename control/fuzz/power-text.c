// SPDX-License-Identifier: GPL-2.0-or-later
/* What a BMC says, by ipmitool or in Redfish: paths that come out are paths, sentences are one line. */
#include <stdlib.h>
#include <string.h>

#include "control/power-text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const struct redfish_path *path)
{
	size_t length = strnlen(path->text, sizeof path->text);

	if (length == sizeof path->text || (length && (path->text[0] != '/' || path->text[1] == '/')) || strpbrk(path->text, " \r\n?#"))
		abort();
}

static void check_line(const char *text, size_t room)
{
	if (strnlen(text, room) == room || !text_printable(text, strlen(text)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct redfish_path one = { "" }, two = { "" };
	struct redfish_system system;
	enum power_state state;
	char error[ERROR_TEXT] = "", said[160];

	if (!ipmi_state_parse(data, size, &state) && state != POWER_STATE_ON && state != POWER_STATE_OFF)
		abort();
	if (ipmi_failure_parse(data, size, error) >= 0)
		abort();
	check_line(error, sizeof error);
	redfish_root_parse(data, size, &one, &two, error);
	check_path(&one);
	check_path(&two);
	redfish_only_member(data, size, &one, error);
	check_path(&one);
	check_line(error, sizeof error);
	if (!redfish_system_parse(data, size, &system, error))
		check_path(&system.reset);
	redfish_session_parse(data, size, &one);
	check_path(&one);
	redfish_error_parse(data, size, said);
	check_line(said, sizeof said);
	return 0;
}
