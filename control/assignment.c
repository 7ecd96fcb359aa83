// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/assignment.h"

#include <errno.h>
#include <string.h>

#include "common/http-text.h"
#include "common/json.h"
#include "common/user.h"

int assignment_init(struct assignment *ret_assignment)
{
	*ret_assignment = (struct assignment){ .config = json_object(), .mirrors = json_array() };
	if (ret_assignment->config && ret_assignment->mirrors)
		return 0;
	assignment_release(ret_assignment);
	return -ENOMEM;
}

void assignment_release(struct assignment *assignment)
{
	json_decref(assignment->config);
	json_decref(assignment->mirrors);
	assignment->config = assignment->mirrors = NULL;
}

int assignment_copy(const struct assignment *from, struct assignment *ret_assignment)
{
	*ret_assignment = *from;
	ret_assignment->config = json_deep_copy(from->config);
	ret_assignment->mirrors = json_deep_copy(from->mirrors);
	if (ret_assignment->config && ret_assignment->mirrors)
		return 0;
	assignment_release(ret_assignment);
	return -ENOMEM;
}

const char *assignment_host_name(const struct assignment *assignment)
{
	return json_get_string(assignment->config, "hostname");
}

/* Every member of `object` must be one of the NULL-terminated `known`. */
static int check_members(const json_t *object, const char *const known[], const char *what, char ret_error[ERROR_TEXT])
{
	const char *key;
	json_t *value;

	/* jansson's iterators take a non-const object and don't change it. */
	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		size_t i = 0;

		while (known[i] && strcmp(known[i], key))
			i++;
		if (!known[i])
			return refused(ret_error, "%s has no member \"%.64s\"", what,
				      text_printable(key, strlen(key)) ? key : "?");
	}
	return 0;
}

static int check_ssh_keys(const json_t *keys, char ret_error[ERROR_TEXT])
{
	if (!json_is_array(keys) || json_array_size(keys) > SSH_KEYS_MOST)
		return refused(ret_error, "ssh_authorized_keys must be a list of at most %u keys", SSH_KEYS_MOST);
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const char *key = json_string_value(json_array_get(keys, i));
		size_t size = key ? strlen(key) : 0;

		if (!key || size > SSH_KEY_SIZE_MOST || !text_printable(key, size) || !strchr(key, ' '))
			return refused(ret_error, "SSH key %zu is not a public key of one line, such as \"ssh-ed25519 AAAA…\"",
				      i + 1);
	}
	return 0;
}

static int check_files(const json_t *files, char ret_error[ERROR_TEXT])
{
	const char *name;
	json_t *text;
	size_t sum = 0;

	if (!json_is_object(files) || json_object_size(files) > CONFIG_FILES_MOST)
		return refused(ret_error, "files must be an object of at most %u names and texts", CONFIG_FILES_MOST);
	json_object_foreach((json_t *)(uintptr_t)files, name, text) {
		if (!config_file_name_valid(name))
			return refused(ret_error,
				      "a configuration file's name must be 1 to 64 of [A-Za-z0-9._-] with no leading dot");
		if (!json_is_string(text))
			return refused(ret_error, "configuration file %s must be UTF-8 text", name);
		sum += json_string_length(text);
	}
	if (sum > CONFIG_BYTES_MOST)
		return refused(ret_error, "configuration files hold %zu bytes; at most %u fit in an assignment", sum,
			      CONFIG_BYTES_MOST);
	return 0;
}

static int check_users(const json_t *users, char ret_error[ERROR_TEXT])
{
	char why[USER_ERROR];

	return user_list_check(users, why) < 0 ? refused(ret_error, "%s", why) : 0;
}

static int check_config_member(const char *key, const json_t *value, char ret_error[ERROR_TEXT])
{
	if (!strcmp(key, "ssh_authorized_keys"))
		return check_ssh_keys(value, ret_error);
	if (!strcmp(key, "files"))
		return check_files(value, ret_error);
	if (!strcmp(key, "users"))
		return check_users(value, ret_error);
	if (!json_is_string(value) || !host_name_valid(json_string_value(value)))
		return refused(ret_error, "a host name must be one label of 1 to 63 lower-case letters, digits and inner hyphens");
	return 0;
}

/* Merges `change` into `config`, member by member. */
static int change_config(json_t *config, const json_t *change, char ret_error[ERROR_TEXT])
{
	static const char *const known[] = { "hostname", "ssh_authorized_keys", "users", "files", NULL };
	const char *key;
	json_t *value;
	int r;

	if (json_is_null(change)) {
		json_object_clear(config);
		return 0;
	}
	if (!json_is_object(change))
		return refused(ret_error, "config must be an object or null");
	r = check_members(change, known, "config", ret_error);
	if (r < 0)
		return r;
	json_object_foreach((json_t *)(uintptr_t)change, key, value) {
		if (json_is_null(value)) {
			json_object_del(config, key);
			continue;
		}
		r = check_config_member(key, value, ret_error);
		if (r < 0)
			return r;
		if (json_object_set_new(config, key, json_deep_copy(value)))
			return -ENOMEM;
	}
	return 0;
}

static int check_size(const json_t *config, char ret_error[ERROR_TEXT])
{
	size_t size = json_dumpb(config, NULL, 0, JSON_COMPACT);

	if (size <= CONFIG_JSON_MOST)
		return 0;
	return refused(ret_error, "the configuration is %zu bytes of JSON; at most %u fit in an answer to a node", size,
		      CONFIG_JSON_MOST);
}

static int change_spec(const json_t *value, const char *what, char *spec, char ret_error[ERROR_TEXT])
{
	struct image_spec parsed;

	if (!value)
		return 0;
	if (json_is_null(value)) {
		spec[0] = 0;
		return 0;
	}
	if (!json_is_string(value) || image_spec_parse(json_string_value(value), &parsed) < 0)
		return refused(ret_error, "\"%s\" must be the name of an image: NAME or NAME@VERSION", what);
	strcpy(spec, json_string_value(value));
	return 0;
}

static int change_verify(const json_t *value, bool *lazy, char ret_error[ERROR_TEXT])
{
	const char *text = json_string_value(value);

	if (!value)
		return 0;
	if (!json_is_null(value) && (!text || (strcmp(text, "full") && strcmp(text, "lazy"))))
		return refused(ret_error, "\"verify\" must be full or lazy");
	*lazy = text && !strcmp(text, "lazy");
	return 0;
}

static int change_start(const json_t *value, enum start_policy *start, char ret_error[ERROR_TEXT])
{
	if (!value)
		return 0;
	if (json_is_null(value)) {
		*start = START_POLICY_AUTO;
		return 0;
	}
	if (!json_is_string(value) || start_policy_parse(json_string_value(value), start) < 0)
		return refused(ret_error, "\"start\" must be auto, kexec or reset");
	return 0;
}

static int change_h(const json_t *value, char *h, char ret_error[ERROR_TEXT])
{
	struct home_choice choice;

	if (!value)
		return 0;
	if (!json_is_null(value) && (!json_is_string(value) || home_choice_parse(json_string_value(value), &choice) < 0))
		return refused(ret_error, "\"h\" must be auto, local, none, nfs:SERVER:/PATH (one folder for all), or nfs:SERVER:/PATH/{node}"
			       " (a folder for each server)");
	strcpy(h, json_is_null(value) || choice.kind == HOME_AUTO ? "" : json_string_value(value));
	return 0;
}

/* Addresses aren't quoted in what is said of them: somebody may have put a password into one. */
static int check_mirrors(const json_t *mirrors, char ret_error[ERROR_TEXT])
{
	if (!json_is_array(mirrors) || json_array_size(mirrors) > MIRRORS_MOST)
		return refused(ret_error, "\"mirrors\" must be a list of at most %u addresses", MIRRORS_MOST);
	for (size_t i = 0; i < json_array_size(mirrors); i++) {
		const json_t *mirror = json_array_get(mirrors, i);
		const char *base = json_string_value(mirror);

		if (!base || strlen(base) != json_string_length(mirror) || !http_mirror_ok(base))
			return refused(ret_error,
				      "mirror %zu isn't http://HOST[:PORT]/PATH: plain http (nodes check what comes against its"
				      " signature), no user or password, no slash at the end, at most %u characters",
				      i + 1, HTTP_BASE_MOST);
	}
	return 0;
}

static int change_mirrors(const json_t *value, json_t **mirrors, char ret_error[ERROR_TEXT])
{
	json_t *changed;
	int r;

	if (!value)
		return 0;
	r = json_is_null(value) ? 0 : check_mirrors(value, ret_error);
	if (r < 0)
		return r;
	changed = json_is_null(value) ? json_array() : json_deep_copy(value);
	if (!changed)
		return -ENOMEM;
	json_decref(*mirrors);
	*mirrors = changed;
	return 0;
}

int assignment_change(struct assignment *assignment, const json_t *change, char ret_error[ERROR_TEXT])
{
	static const char *const known[] = { "os", "app", "wipe", "verify", "start", "h", "mirrors", "config", NULL };
	const json_t *wipe = json_object_get(change, "wipe"), *config = json_object_get(change, "config");
	struct assignment changed;
	int r;

	if (!json_is_object(change))
		return refused(ret_error, "an assignment must be a JSON object");
	r = check_members(change, known, "an assignment", ret_error);
	if (r < 0)
		return r;
	r = assignment_copy(assignment, &changed);
	if (r < 0)
		return r;
	r = change_spec(json_object_get(change, "os"), "os", changed.os, ret_error);
	if (!r)
		r = change_spec(json_object_get(change, "app"), "app", changed.app, ret_error);
	if (!r && wipe && !json_is_boolean(wipe))
		r = refused(ret_error, "\"wipe\" must be true or false");
	if (!r)
		r = change_verify(json_object_get(change, "verify"), &changed.lazy, ret_error);
	if (!r)
		r = change_start(json_object_get(change, "start"), &changed.start, ret_error);
	if (!r)
		r = change_h(json_object_get(change, "h"), changed.h, ret_error);
	if (!r)
		r = change_mirrors(json_object_get(change, "mirrors"), &changed.mirrors, ret_error);
	if (!r && config)
		r = change_config(changed.config, config, ret_error);
	if (!r)
		r = check_size(changed.config, ret_error);
	if (!r && !changed.os[0])
		r = refused(ret_error, "an assignment needs an OS image; name one with --os");
	if (r < 0) {
		assignment_release(&changed);
		return r;
	}
	if (wipe)
		changed.wipe = json_is_true(wipe);
	assignment_release(assignment);
	*assignment = changed;
	return 0;
}

const char *assignment_h(const struct assignment *assignment)
{
	return assignment->h[0] ? assignment->h : "auto";
}

const char *assignment_verify(const struct assignment *assignment)
{
	return assignment->lazy ? "lazy" : "full";
}

json_t *assignment_format(const struct assignment *a)
{
	return json_pack("{sI ss ss sb ss ss ss sO ss ss so}", "number", (json_int_t)a->number, "os", a->os, "app", a->app, "wipe",
			 (int)a->wipe, "verify", assignment_verify(a), "start", start_policy_name(a->start), "h", assignment_h(a), "mirrors", a->mirrors,
			 "os_target", a->os_target,
			 "app_target", a->app_target, "config", json_deep_copy(a->config));
}

static int copy_member(const json_t *object, const char *key, char *ret_text, size_t most)
{
	const char *text = json_get_string(object, key);

	if (!text || strlen(text) > most)
		return -EINVAL;
	strcpy(ret_text, text);
	return 0;
}

int assignment_parse(const json_t *object, struct assignment *ret_assignment)
{
	struct assignment *a = ret_assignment;
	json_t *config = json_get_object(object, "config");
	/* A database from before there were mirrors has none, and no policy: those of an empty assignment stand. */
	const json_t *verify = json_object_get(object, "verify"), *mirrors = json_object_get(object, "mirrors");
	char error[ERROR_TEXT];
	int r;

	*a = (struct assignment){ 0 };
	if (json_get_u64(object, "number", &a->number) < 0 || copy_member(object, "os", a->os, IMAGE_SPEC_MOST) < 0 ||
	    copy_member(object, "app", a->app, IMAGE_SPEC_MOST) < 0 ||
	    copy_member(object, "os_target", a->os_target, TARGET_PATH_MOST) < 0 ||
	    copy_member(object, "app_target", a->app_target, TARGET_PATH_MOST) < 0 || !config)
		return -EINVAL;
	a->wipe = json_is_true(json_object_get(object, "wipe"));
	a->config = json_deep_copy(config);
	a->mirrors = json_array();
	r = a->config && a->mirrors ? change_verify(verify, &a->lazy, error) : -ENOMEM;
	if (!r)
		r = change_start(json_object_get(object, "start"), &a->start, error);
	if (!r)
		r = change_h(json_object_get(object, "h"), a->h, error);
	if (!r)
		r = change_mirrors(mirrors, &a->mirrors, error);
	if (r < 0)
		assignment_release(a);
	return r;
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *describe_users(const json_t *users)
{
	json_t *list = json_array();
	const json_t *user;
	size_t i;

	json_array_foreach(json_iterable(users), i, user)
		json_array_append_new(list, json_pack("{sO sO sI}", "name", json_object_get(user, "name"), "uid", json_object_get(user, "uid"), "keys",
						      (json_int_t)json_array_size(json_object_get(user, "keys"))));
	return list;
}

json_t *assignment_describe(const struct assignment *a)
{
	json_t *files = json_object(), *keys = json_get_array(a->config, "ssh_authorized_keys");
	const char *host_name = assignment_host_name(a), *name;
	json_t *text;

	json_object_foreach(json_get_object(a->config, "files"), name, text)
		json_object_set_new(files, name, json_integer((json_int_t)json_string_length(text)));
	return json_pack("{sI so so sb ss ss ss sO so so s{so sI so so}}", "number", (json_int_t)a->number, "os", text_or_null(a->os),
			 "app", text_or_null(a->app), "wipe", (int)a->wipe, "verify", assignment_verify(a), "start", start_policy_name(a->start),
			 "h", assignment_h(a), "mirrors", a->mirrors, "os_target", text_or_null(a->os_target),
			 "app_target", text_or_null(a->app_target), "config", "hostname",
			 host_name ? json_string(host_name) : json_null(), "ssh_authorized_keys",
			 (json_int_t)json_array_size(keys), "users", describe_users(json_object_get(a->config, "users")), "file_sizes", files);
}
