/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rootfs/app-spec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/home-choice.h"
#include "common/json.h"

#define FORMAT 1
#define ARGUMENT_BYTES_MOST 4096

/* The OS decides these; an image that could set them could point the application at another configuration or account. */
static const char *const reserved[] = { "HOME", "USER", "LOGNAME", "SHELL", "REPAVE_CONFIG" };

static int __attribute__((format(printf, 2, 3))) refuse(char *ret_error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_error, 160, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static bool name_valid(const char *text, const char *extra, size_t most)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t size = strlen(text);

	if (!size || size > most)
		return false;
	for (size_t i = 0; i < size; i++)
		if (!strchr(letters, text[i]) && !strchr(extra, text[i]))
			return false;
	return true;
}

static int parse_names(struct app_spec *spec, char *ret_error)
{
	const char *user = json_get_string(spec->json, "user");
	uint64_t format;

	if (json_get_u64(spec->json, "format", &format) < 0 || format != FORMAT)
		return refuse(ret_error, "\"format\" must be %d", FORMAT);
	spec->name = json_get_string(spec->json, "name");
	if (!spec->name || !name_valid(spec->name, "._-", 64))
		return refuse(ret_error, "\"name\" must be 1 to 64 letters, digits, '.', '_' or '-'");
	spec->version = json_get_string(spec->json, "version");
	if (!spec->version || !name_valid(spec->version, ".+~-", 64))
		return refuse(ret_error, "\"version\" must be 1 to 64 letters, digits, '.', '+', '~' or '-'");
	spec->requires_os = json_get_string(spec->json, "requires_os");
	if (!spec->requires_os || !name_valid(spec->requires_os, "._-", 64))
		return refuse(ret_error, "\"requires_os\" must name an OS image");
	if (!user || strcmp(user, "app"))
		return refuse(ret_error, "\"user\" must be \"app\": applications run as no other account");
	return 0;
}

/* jansson allows NUL in strings; an argument or a variable can't hold one. */
static bool plain_string(const json_t *value)
{
	return json_is_string(value) && json_string_length(value) <= ARGUMENT_BYTES_MOST &&
	       strlen(json_string_value(value)) == json_string_length(value);
}

static int parse_command(struct app_spec *spec, char *ret_error)
{
	const json_t *command = json_get_array(spec->json, "command");
	size_t count = json_array_size(command);

	if (!count || count > APP_ARGUMENTS_MOST)
		return refuse(ret_error, "\"command\" must have 1 to %d words", APP_ARGUMENTS_MOST);
	for (size_t i = 0; i < count; i++) {
		const json_t *word = json_array_get(command, i);

		if (!plain_string(word))
			return refuse(ret_error, "word %zu of \"command\" isn't a string without NUL of at most %d bytes",
				      i + 1, ARGUMENT_BYTES_MOST);
		spec->arguments[i] = json_string_value(word);
	}
	if (spec->arguments[0][0] != '/')
		return refuse(ret_error, "\"command\" must begin with an absolute path");
	return 0;
}

static int add_variable(struct app_spec *spec, size_t i, const char *key, const json_t *value,
			char *ret_error)
{
	if (!name_valid(key, "_", 64) || (key[0] >= '0' && key[0] <= '9'))
		return refuse(ret_error, "\"environment\" has a name that isn't letters, digits and '_'");
	for (size_t r = 0; r < sizeof(reserved) / sizeof(reserved[0]); r++)
		if (!strcmp(key, reserved[r]))
			return refuse(ret_error, "\"environment\" sets %s, which belongs to the OS", key);
	if (!plain_string(value))
		return refuse(ret_error, "\"environment\": %s isn't a string without NUL of at most %d bytes", key,
			      ARGUMENT_BYTES_MOST);
	if (asprintf(&spec->environment[i], "%s=%s", key, json_string_value(value)) < 0) {
		spec->environment[i] = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int parse_environment(struct app_spec *spec, char *ret_error)
{
	json_t *environment = json_object_get(spec->json, "environment");
	const char *key;
	json_t *value;
	size_t i = 0;
	int r;

	if (!environment)
		return 0;
	if (!json_is_object(environment) || json_object_size(environment) > APP_VARIABLES_MOST)
		return refuse(ret_error, "\"environment\" must be an object of at most %d names", APP_VARIABLES_MOST);
	json_object_foreach(environment, key, value) {
		r = add_variable(spec, i, key, value, ret_error);
		if (r < 0)
			return r;
		i++;
	}
	return 0;
}

static int parse_home(struct app_spec *spec, char *ret_error)
{
	const json_t *home = json_object_get(spec->json, "home"), *path = json_object_get(home, "path");

	if (!home)
		return 0;
	if (!json_is_string(path) || !home_path_ok(json_string_value(path)))
		return refuse(ret_error, "\"home\" must have a \"path\" below /var/lib, /srv or /home");
	spec->home = json_string_value(path);
	return 0;
}

int app_spec_parse(const void *text, size_t size, struct app_spec *ret_spec, char ret_error[160])
{
	int r;

	*ret_spec = (struct app_spec){ 0 };
	ret_error[0] = '\0';
	if (size > APP_SPEC_BYTES_MOST)
		return refuse(ret_error, "longer than %d bytes", APP_SPEC_BYTES_MOST);
	ret_spec->json = json_parse(text, size, ret_error);
	if (!ret_spec->json)
		return -EINVAL;
	if (!json_is_object(ret_spec->json))
		return refuse(ret_error, "not a JSON object");
	r = parse_names(ret_spec, ret_error);
	if (r == 0)
		r = parse_command(ret_spec, ret_error);
	if (r == 0)
		r = parse_environment(ret_spec, ret_error);
	if (r == 0)
		r = parse_home(ret_spec, ret_error);
	return r;
}

void app_spec_release(struct app_spec *spec)
{
	for (size_t i = 0; i < APP_VARIABLES_MOST; i++)
		free(spec->environment[i]);
	json_decref(spec->json);
	*spec = (struct app_spec){ 0 };
}

char *os_release_value(const char *text, const char *key)
{
	size_t key_size = strlen(key);

	for (const char *line = text; *line;) {
		size_t size = strcspn(line, "\n");

		if (size > key_size && !strncmp(line, key, key_size) && line[key_size] == '=') {
			const char *value = line + key_size + 1;

			size -= key_size + 1;
			if (size >= 2 && (*value == '"' || *value == '\'') && value[size - 1] == *value) {
				value++;
				size -= 2;
			}
			return strndup(value, size);
		}
		line += size;
		if (*line)
			line++;
	}
	return NULL;
}
