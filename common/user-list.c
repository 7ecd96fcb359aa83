/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/user.h"

static int refuse(char ret_error[USER_ERROR], const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(char ret_error[USER_ERROR], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_error, USER_ERROR, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int check_keys(const char *name, const json_t *keys, char ret_error[USER_ERROR])
{
	const json_t *key;
	size_t i;

	if (!json_is_array(keys) || json_array_size(keys) < 1 || json_array_size(keys) > USER_KEYS_MOST)
		return refuse(ret_error, "user %s needs 1 to %u ssh keys in the list \"keys\"", name, USER_KEYS_MOST);
	json_array_foreach(json_iterable(keys), i, key)
		if (!json_is_string(key) || strlen(json_string_value(key)) != json_string_length(key) || !user_key_ok(json_string_value(key)))
			return refuse(ret_error, "key %zu of user %s is not a public key as ssh-keygen writes it, with no options before it", i + 1,
				      name);
	return 0;
}

static int check_user(const json_t *user, size_t at, char ret_error[USER_ERROR])
{
	const char *name = json_get_string(user, "name");
	const json_t *privileged = json_object_get(user, "privileged");
	uint64_t uid = 0;

	if (!json_is_object(user) || json_object_size(user) != (privileged != NULL ? 4 : 3) || name == NULL || json_object_get(user, "uid") == NULL ||
	    json_object_get(user, "keys") == NULL)
		return refuse(ret_error, "user %zu must have name, uid and keys, perhaps privileged, and nothing else", at);
	if (privileged != NULL && !json_is_boolean(privileged))
		return refuse(ret_error, "user %s: privileged must be true or false", name);
	if (strlen(name) != json_string_length(json_object_get(user, "name")) || !user_name_ok(name))
		return refuse(ret_error, "user %zu: a name is a lower-case letter and up to %u letters, digits, - and _, and none of the system's own",
			      at, USER_NAME_MOST - 1);
	if (json_get_u64(user, "uid", &uid) < 0 || !user_id_ok(uid))
		return refuse(ret_error, "user %s: uid must be a number of %u to %u", name, USER_ID_LEAST, USER_ID_MOST);
	return check_keys(name, json_object_get(user, "keys"), ret_error);
}

int user_list_check(const json_t *list, char ret_error[USER_ERROR])
{
	int r = 0;

	if (!json_is_array(list) || json_array_size(list) > USERS_MOST)
		return refuse(ret_error, "users must be a list of at most %u", USERS_MOST);
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		const json_t *user = json_array_get(list, i);

		r = check_user(user, i + 1, ret_error);
		for (size_t j = 0; r == 0 && j < i; j++) {
			const json_t *other = json_array_get(list, j);

			if (json_equal(json_object_get(user, "name"), json_object_get(other, "name")) ||
			    json_equal(json_object_get(user, "uid"), json_object_get(other, "uid")))
				r = refuse(ret_error, "users %zu and %zu have the same name or uid", j + 1, i + 1);
		}
	}
	return r;
}

int user_list_format(const json_t *list, struct buffer *ret_lines)
{
	const json_t *user, *key;
	size_t i, j;
	int r = 0;

	json_array_foreach(json_iterable(list), i, user) {
		if (r == 0)
			r = buffer_printf(ret_lines, "user %s %" JSON_INTEGER_FORMAT "\n", json_get_string(user, "name"),
					  json_integer_value(json_object_get(user, "uid")));
		json_array_foreach(json_get_array(user, "keys"), j, key)
			if (r == 0)
				r = buffer_printf(ret_lines, "key %s\n", json_string_value(key));
	}
	return r;
}
