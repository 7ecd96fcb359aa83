/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/assignment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/home-choice.h"
#include "common/http-text.h"
#include "common/json.h"
#include "common/user.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static int bad(char ret_error[160], const char *what)
{
	snprintf(ret_error, 160, "the control unit's answer can't be used: %s", what);
	return -EINVAL;
}

static bool only_of(const char *text, const char *characters)
{
	return text[strspn(text, characters)] == '\0';
}

bool config_file_name_ok(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length <= 64 && name[0] != '.' && only_of(name, LETTERS DIGITS "._-");
}

bool hostname_ok(const char *name)
{
	size_t label = 0, length = strlen(name);

	if (length < 1 || length > 253 || !only_of(name, LETTERS DIGITS ".-"))
		return false;
	for (size_t i = 0; i <= length; i++) {
		if (name[i] != '.' && name[i] != '\0') {
			label++;
			continue;
		}
		if (label < 1 || label > 63 || name[i - 1] == '-' || name[i - label] == '-')
			return false;
		label = 0;
	}
	return true;
}

static bool target_ok(const char *path)
{
	size_t length = strlen(path);

	return length >= 1 && length <= TARGET_MOST && path[0] != '/' && path[length - 1] != '/' &&
	       strstr(path, "//") == NULL && strstr(path, "..") == NULL && only_of(path, LETTERS DIGITS "._/+~-");
}

/* `member` is {"target": path} or null. */
static int target_parse(const json_t *root, const char *member, const char **ret_target)
{
	const json_t *value = json_object_get(root, member);

	*ret_target = NULL;
	if (value == NULL || json_is_null(value))
		return 0;
	*ret_target = json_get_string(value, "target");
	return *ret_target != NULL && target_ok(*ret_target) ? 0 : -EINVAL;
}

static int ssh_keys_check(const json_t *keys)
{
	size_t i;
	const json_t *key;

	if (json_array_size(keys) > SSH_KEYS_MOST)
		return -EINVAL;
	json_array_foreach(keys, i, key) {
		const char *line = json_string_value(key);

		if (line == NULL || strlen(line) != json_string_length(key) || strlen(line) > SSH_KEY_MOST)
			return -EINVAL;
		for (const char *p = line; *p != '\0'; p++)
			if ((unsigned char)*p < 0x20 || *p == 0x7f)
				return -EINVAL;
	}
	return 0;
}

static int files_check(json_t *files)
{
	const char *name;
	json_t *text;
	size_t total = 0;

	if (json_object_size(files) > CONFIG_FILES_MOST)
		return -EINVAL;
	json_object_foreach(files, name, text) {
		if (!config_file_name_ok(name) || !json_is_string(text))
			return -EINVAL;
		total += json_string_length(text);
	}
	return total <= CONFIG_BYTES_MOST ? 0 : -EINVAL;
}

/* A member that is absent or null counts as not given; one of another type is refused. */
static int optional(const json_t *object, const char *key, json_type type, json_t **ret_value)
{
	json_t *value = json_object_get(object, key);

	*ret_value = NULL;
	if (value == NULL || json_is_null(value))
		return 0;
	if (json_typeof(value) != type)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static int config_parse(struct assignment *assignment, char ret_error[160])
{
	json_t *config, *hostname;
	char why[USER_ERROR];

	if (optional(assignment->json, "config", JSON_OBJECT, &config) < 0)
		return bad(ret_error, "config isn't an object");
	if (optional(config, "hostname", JSON_STRING, &hostname) < 0 ||
	    (hostname != NULL && !hostname_ok(json_string_value(hostname))))
		return bad(ret_error, "config.hostname isn't a host name");
	assignment->hostname = json_string_value(hostname);
	if (optional(config, "ssh_authorized_keys", JSON_ARRAY, &assignment->ssh_keys) < 0 ||
	    ssh_keys_check(assignment->ssh_keys) < 0)
		return bad(ret_error, "config.ssh_authorized_keys must be at most 64 lines");
	if (optional(config, "users", JSON_ARRAY, &assignment->users) < 0)
		return bad(ret_error, "config.users isn't a list");
	if (assignment->users != NULL && user_list_check(assignment->users, why) < 0)
		return bad(ret_error, why);
	if (optional(config, "files", JSON_OBJECT, &assignment->files) < 0 || files_check(assignment->files) < 0)
		return bad(ret_error, "config.files must be at most 64 plain names with at most 256 KiB of text");
	return 0;
}

static int sanitize_parse(struct assignment *assignment, char ret_error[160])
{
	json_t *object, *cleared;
	const char *order;

	if (optional(assignment->json, "sanitize", JSON_OBJECT, &object) < 0)
		return bad(ret_error, "sanitize isn't an object");
	if (object == NULL)
		return 0;
	order = json_get_string(object, "order");
	cleared = json_object_get(object, "cleared");
	if (order == NULL || strlen(order) != SANITIZE_ORDER || !only_of(order, "0123456789abcdef") || !json_is_boolean(cleared))
		return bad(ret_error, "sanitize has no order of 32 hexadecimal digits, or no cleared");
	memcpy(assignment->sanitize, order, SANITIZE_ORDER + 1);
	assignment->cleared = json_is_true(cleared);
	return 0;
}

static int wait_parse(struct assignment *assignment, char ret_error[160])
{
	uint64_t seconds;

	if (json_get_u64(assignment->json, "wait_seconds", &seconds) < 0)
		return bad(ret_error, "wait_seconds isn't a number of seconds");
	assignment->wait = true;
	assignment->wait_seconds = seconds < 1 ? 1 : seconds > WAIT_MOST ? WAIT_MOST : (unsigned)seconds;
	assignment->reason = json_get_string(assignment->json, "reason");
	if (assignment->reason == NULL)
		assignment->reason = "nothing is assigned";
	return sanitize_parse(assignment, ret_error);
}

/* How the images are fetched, checked and started. */
static int way_parse(struct assignment *assignment, char ret_error[160])
{
	const json_t *verify = json_object_get(assignment->json, "verify"), *start = json_object_get(assignment->json, "start"), *mirror;
	const char *policy = json_string_value(verify), *way = json_string_value(start);
	size_t i;

	if (verify != NULL && !json_is_null(verify) &&
	    (policy == NULL || (strcmp(policy, "full") != 0 && strcmp(policy, "lazy") != 0)))
		return bad(ret_error, "verify is neither \"full\" nor \"lazy\"");
	if (start != NULL && !json_is_null(start) && (way == NULL || (strcmp(way, "kexec") != 0 && strcmp(way, "reset") != 0)))
		return bad(ret_error, "start is neither \"kexec\" nor \"reset\"");
	assignment->reset = way != NULL && strcmp(way, "reset") == 0;
	assignment->lazy = policy != NULL && strcmp(policy, "lazy") == 0;
	if (optional(assignment->json, "mirrors", JSON_ARRAY, &assignment->mirrors) < 0 ||
	    json_array_size(assignment->mirrors) > MIRRORS_MOST)
		return bad(ret_error, "mirrors must be a list of at most 15 addresses");
	json_array_foreach(assignment->mirrors, i, mirror) {
		const char *base = json_string_value(mirror);

		if (base == NULL || strlen(base) != json_string_length(mirror) || !http_mirror_ok(base))
			return bad(ret_error, "one of its mirrors isn't http://host[:port]/path without a slash at the end");
	}
	return 0;
}

/* A control unit from before there was H: says nothing of it. */
static int h_parse(struct assignment *assignment, char ret_error[160])
{
	struct home_choice choice;
	json_t *h;

	if (optional(assignment->json, "h", JSON_STRING, &h) < 0)
		return bad(ret_error, "h isn't text");
	assignment->h = h != NULL ? json_string_value(h) : "auto";
	if (home_choice_parse(assignment->h, &choice) < 0)
		return bad(ret_error, "h is none of auto, local, none, nfs:SERVER:/PATH");
	return 0;
}

static bool key_ok(const char *text)
{
	struct buffer key = { 0 };
	bool ok = base64_parse(text, &key) == 0 && key.size == DISK_KEY_SIZE;

	if (key.data != NULL)
		explicit_bzero(key.data, key.size);
	buffer_release(&key);
	return ok;
}

/* What is to be a ciphertext, of which key, and why there is none. */
struct secrecy {
	const char *on, *key, *closed; /* members of the answer */
};

static int secrecy_parse(const json_t *json, const struct secrecy *names, bool *ret_on, const char **ret_key, const char **ret_closed,
			 char ret_error[160])
{
	const json_t *on = json_object_get(json, names->on);
	json_t *key, *closed;
	char why[96];

	if (on != NULL && !json_is_boolean(on)) {
		snprintf(why, sizeof(why), "%s isn't true or false", names->on);
		return bad(ret_error, why);
	}
	if (optional(json, names->key, JSON_STRING, &key) < 0 || optional(json, names->closed, JSON_STRING, &closed) < 0) {
		snprintf(why, sizeof(why), "%s or %s isn't text", names->key, names->closed);
		return bad(ret_error, why);
	}
	if (key != NULL && (!json_is_true(on) || !key_ok(json_string_value(key)))) {
		snprintf(why, sizeof(why), "%s isn't base64 of 64 bytes, or is there without %s", names->key, names->on);
		return bad(ret_error, why);
	}
	*ret_on = json_is_true(on);
	*ret_key = json_string_value(key);
	*ret_closed = json_string_value(closed);
	return 0;
}

static int encryption_parse(struct assignment *a, char ret_error[160])
{
	static const struct secrecy home = { "h_encryption", "h_key", "h_closed" }, slots = { "encryption", "disk_key", "disk_closed" };
	int r = secrecy_parse(a->json, &home, &a->h_encryption, &a->h_key, &a->h_closed, ret_error);

	return r < 0 ? r : secrecy_parse(a->json, &slots, &a->encryption, &a->disk_key, &a->disk_closed, ret_error);
}

static int content_parse(struct assignment *assignment, const char *nonce, char ret_error[160])
{
	const json_t *json = assignment->json, *wipe;
	const char *answered = json_get_string(json, "nonce");
	uint64_t format;

	if (json_get_u64(json, "format", &format) < 0 || format != 1)
		return bad(ret_error, "format isn't 1 (is it another version?)");
	if (answered == NULL || strcmp(answered, nonce) != 0)
		return bad(ret_error, "its nonce isn't the one that was sent");
	if (json_object_get(json, "wait_seconds") != NULL)
		return wait_parse(assignment, ret_error);
	if (json_get_u64(json, "assignment", &assignment->number) < 0)
		return bad(ret_error, "it has no assignment number");
	assignment->starts_seen = UINT64_MAX;
	if (json_object_get(json, "starts_seen") != NULL && json_get_u64(json, "starts_seen", &assignment->starts_seen) < 0)
		return bad(ret_error, "starts_seen isn't a number");
	if (target_parse(json, "os", &assignment->os_target) < 0 || assignment->os_target == NULL)
		return bad(ret_error, "os.target isn't the path of a target");
	if (target_parse(json, "app", &assignment->app_target) < 0)
		return bad(ret_error, "app.target isn't the path of a target");
	wipe = json_object_get(json, "wipe");
	if (wipe != NULL && !json_is_boolean(wipe))
		return bad(ret_error, "wipe isn't true or false");
	assignment->wipe = json_is_true(wipe);
	if (way_parse(assignment, ret_error) < 0 || h_parse(assignment, ret_error) < 0 || encryption_parse(assignment, ret_error) < 0)
		return -EINVAL;
	return config_parse(assignment, ret_error);
}

int assignment_parse(const void *text, size_t size, const char *nonce, struct assignment *ret_assignment,
		     char ret_error[160])
{
	char detail[160];
	int r;

	*ret_assignment = (struct assignment){ 0 };
	ret_assignment->json = json_parse(text, size, detail);
	if (!json_is_object(ret_assignment->json))
		r = bad(ret_error, "it isn't a JSON object");
	else
		r = content_parse(ret_assignment, nonce, ret_error);
	if (r < 0)
		assignment_release(ret_assignment);
	return r;
}

void assignment_release(struct assignment *assignment)
{
	json_decref(assignment->json);
	*assignment = (struct assignment){ 0 };
}
