/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rootfs/session-text.h"

#include <errno.h>
#include <string.h>

int session_call_parse(int argc, char *const argv[], struct session_call *ret_call)
{
	*ret_call = (struct session_call){ 0 };
	if (argc == 1)
		return 0;
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		ret_call->help = true;
		return 0;
	}
	if (argc != 3 || strcmp(argv[1], "-c") != 0)
		return -EINVAL;
	ret_call->command = argv[2];
	return 0;
}

/* ------------------------------------------------------------------ accounts */
/* Field `number` of a line, up to the next colon or the line's end; false without one. */
static bool field_of(const char *line, unsigned number, const char **ret_field, size_t *ret_size)
{
	const char *end = line + strcspn(line, "\n");

	while (number-- > 0) {
		line = memchr(line, ':', (size_t)(end - line));
		if (line++ == NULL)
			return false;
	}
	*ret_field = line;
	*ret_size = strcspn(line, ":\n");
	return true;
}

static bool number_of(const char *line, uint32_t *ret_number)
{
	const char *field;
	char digits[11];
	uint64_t value;
	size_t size;

	if (!field_of(line, 2, &field, &size) || size >= sizeof(digits))
		return false;
	memcpy(digits, field, size);
	digits[size] = '\0';
	if (parse_u64(digits, &value) < 0 || value > UINT32_MAX)
		return false;
	*ret_number = (uint32_t)value;
	return true;
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line == '\n' ? line + 1 : line;
}

int session_find_user(const char *passwd, uint32_t uid, const char *shell, char ret_name[USER_NAME_MOST + 1])
{
	for (const char *line = passwd; *line != '\0'; line = next_line(line)) {
		const char *field;
		uint32_t number;
		size_t size;

		if (!number_of(line, &number) || number != uid)
			continue;
		if (!field_of(line, 6, &field, &size) || size != strlen(shell) || memcmp(field, shell, size) != 0)
			return -EINVAL;
		size = strcspn(line, ":");
		if (size > USER_NAME_MOST)
			return -EINVAL;
		memcpy(ret_name, line, size);
		ret_name[size] = '\0';
		return user_name_ok(ret_name) && user_id_ok(uid) ? 0 : -EINVAL;
	}
	return -ENOENT;
}

/* `home` NULL: each line as it is. */
static int filter(const char *text, uint32_t uid, const char *home, const char *shell, struct buffer *ret_text)
{
	int r = 0;

	for (const char *line = text; r == 0 && *line != '\0'; line = next_line(line)) {
		uint32_t number;

		if (!number_of(line, &number) || (user_id_ok(number) && number != uid))
			continue;
		if (number == uid && home != NULL)
			r = buffer_printf(ret_text, "%.*s:x:%u:%u:user:%s:%s\n", (int)strcspn(line, ":"), line, uid, uid, home, shell);
		else
			r = buffer_printf(ret_text, "%.*s\n", (int)strcspn(line, "\n"), line);
	}
	return r;
}

int session_passwd(const char *passwd, uint32_t uid, const char *home, const char *shell, struct buffer *ret_text)
{
	return filter(passwd, uid, home, shell, ret_text);
}

int session_group(const char *group, uint32_t uid, struct buffer *ret_text)
{
	return filter(group, uid, NULL, NULL, ret_text);
}

/* ------------------------------------------------------------------ environment */
static bool is_wanted(const char *variable)
{
	static const char *const wanted[] = { "TERM=", "LANG=", "LANGUAGE=", "LC_", "TZ=", "COLORTERM=", "SSH_CLIENT=", "SSH_CONNECTION=",
					      "SSH_TTY=", "SSH_ORIGINAL_COMMAND=" };

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (strncmp(variable, wanted[i], strlen(wanted[i])) == 0)
			return true;
	return false;
}

void session_environment(char *const environment[], char *const fixed[], char *ret_environment[SESSION_VARIABLES_MOST + 1])
{
	size_t count = 0;

	for (; *fixed != NULL && count < SESSION_VARIABLES_MOST; fixed++)
		ret_environment[count++] = *fixed;
	for (; *environment != NULL && count < SESSION_VARIABLES_MOST; environment++)
		if (is_wanted(*environment))
			ret_environment[count++] = *environment;
	ret_environment[count] = NULL;
}

/* As `home` writes it: compact, and what a sentence may hold has its quotes escaped. */
bool session_home_mounted(const char *state)
{
	return strstr(state, "\"state\":\"mounted\"") != NULL || strstr(state, "\"state\":\"read-only\"") != NULL;
}
