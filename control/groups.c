// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/groups.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/user.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

bool group_name_valid(const char *name)
{
	return host_name_valid(name) && strcmp(name, "repave");
}

/* A member that must be a text without a NUL inside. NULL in `*ret_text` when it is absent. 0 or -EINVAL. */
static int take_text(const json_t *object, const char *key, const char **ret_text)
{
	const json_t *value = json_object_get(object, key);

	*ret_text = json_string_value(value);
	return value && (!*ret_text || strlen(*ret_text) != json_string_length(value)) ? -EINVAL : 0;
}

static int take_port(const json_t *service, const char *key, uint16_t *port, char error[ERROR_TEXT])
{
	uint64_t number = 0;
	int r = json_get_u64(service, key, &number);

	if (r == -ENOENT)
		return 0;
	if (r < 0 || number < 1 || number > 65535)
		return refused(error, "service.%s must be a number from 1 to 65535", key);
	*port = (uint16_t)number;
	return 0;
}

/* What may stand in a configuration of HAProxy without quotes. */
static bool path_valid(const char *path)
{
	return path[0] == '/' && text_of(path, LOWER UPPER DIGITS "/._~-", SERVICE_PATH_MOST);
}

static bool service_host_valid(const char *host)
{
	return host && text_of(strncmp(host, "*.", 2) ? host : host + 2, LOWER DIGITS ".-", 253);
}

static int take_hosts(const json_t *hosts, struct service *service, char error[ERROR_TEXT])
{
	const json_t *host;
	size_t i;

	if (!hosts)
		return 0;
	if (!json_is_array(hosts) || !json_array_size(hosts) || json_array_size(hosts) > SERVICE_HOSTS_MOST)
		return refused(error, "service.hosts must be a list of 1 to %u host names", SERVICE_HOSTS_MOST);
	json_array_foreach(json_iterable(hosts), i, host)
		if (!service_host_valid(json_string_value(host)) || strlen(json_string_value(host)) != json_string_length(host))
			return refused(error, "service.hosts: entry %zu is no host name in lower case, such as www.example.org or *.example.org",
				       i + 1);
	service->hosts = hosts;
	return 0;
}

/* {"NAME": "VALUE"} */
static int take_header(const json_t *header, struct service *service, char error[ERROR_TEXT])
{
	void *member = json_object_iter(json_iterable(header));
	const char *value;

	if (!header)
		return 0;
	value = member ? json_string_value(json_object_iter_value(member)) : NULL;
	if (!value || json_object_size(header) != 1 ||
	    !text_of(json_object_iter_key(member), LOWER UPPER DIGITS "-", SERVICE_HEADER_MOST) ||
	    !text_of(value, LOWER UPPER DIGITS "/._~-", SERVICE_HEADER_MOST))
		return refused(error, "service.header must be one name and value, such as {X-Customer: acme}, of letters, digits and /._~-");
	service->header = json_object_iter_key(member);
	service->value = value;
	return 0;
}

static int check_members(const json_t *object, const char *const known[], const char *what, char error[ERROR_TEXT])
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return refused(error, "%s must be a mapping", what);
	json_object_foreach(json_iterable(object), key, value) {
		size_t i = 0;

		while (known[i] && strcmp(known[i], key))
			i++;
		if (!known[i])
			return refused(error, "%s has no member \"%.64s\"", what, text_printable(key, strlen(key)) ? key : "?");
	}
	return 0;
}

static int parse_service(const json_t *from, struct service *service, char error[ERROR_TEXT])
{
	static const char *const known[] = { "port", "server_port", "mode", "check", "hosts", "path", "header", "sessions", NULL };
	const char *mode, *sessions;
	int r = check_members(from, known, "service", error);

	if (!r)
		r = take_port(from, "port", &service->port, error);
	service->server_port = service->port;
	if (!r)
		r = take_port(from, "server_port", &service->server_port, error);
	if (r < 0)
		return r;
	if (!service->port)
		return refused(error, "service needs a port, where clients connect to the balancer");
	if (take_text(from, "mode", &mode) < 0 || (mode && strcmp(mode, "http") && strcmp(mode, "tcp")))
		return refused(error, "service.mode must be http or tcp");
	service->mode = mode && !strcmp(mode, "tcp") ? SERVICE_TCP : SERVICE_HTTP;
	if (take_text(from, "check", &service->check) < 0 || (service->check && !path_valid(service->check)) ||
	    take_text(from, "path", &service->path) < 0 || (service->path && !path_valid(service->path)))
		return refused(error, "service.check and service.path are paths, such as /health, of at most %u letters, digits and /._~-",
			       SERVICE_PATH_MOST);
	r = take_hosts(json_object_get(from, "hosts"), service, error);
	if (!r)
		r = take_header(json_object_get(from, "header"), service, error);
	if (!r && service->mode == SERVICE_TCP && (service->hosts || service->path || service->header))
		return refused(error, "service.hosts, path and header tell HTTP clients apart; with mode tcp only the port does");
	if (!r && (take_text(from, "sessions", &sessions) < 0 || (sessions && strcmp(sessions, "own") && strcmp(sessions, "shared"))))
		return refused(error, "service.sessions must be own (each server has its users' sessions for itself) or shared");
	if (!r && sessions && !strcmp(sessions, "shared") && service->mode == SERVICE_TCP)
		return refused(error, "service.sessions: connections of mode tcp can't be handed over");
	service->shared = !r && sessions && !strcmp(sessions, "shared");
	service->offered = true;
	return r;
}

static int take_spec(const json_t *definition, const char *key, char ret_spec[IMAGE_SPEC_MOST + 1], char error[ERROR_TEXT])
{
	struct image_spec spec;
	const char *text;

	if (take_text(definition, key, &text) < 0 || (text && image_spec_parse(text, &spec) < 0))
		return refused(error, "%s must be the name of an image: NAME or NAME@VERSION", key);
	strcpy(ret_spec, text ? text : "");
	return 0;
}

static int check_users(const json_t *users, char error[ERROR_TEXT])
{
	char why[USER_ERROR];

	if (!users)
		return 0;
	if (user_list_check(users, why) < 0)
		return refused(error, "%s", why);
	if (json_dumpb(users, NULL, 0, JSON_COMPACT) > GROUP_USERS_JSON_MOST)
		return refused(error, "its users' keys are too large together: at most %u KiB", GROUP_USERS_JSON_MOST >> 10);
	return 0;
}

/* "on" and "off" are what people write; YAML has true and false. */
static int take_encryption(const json_t *definition, const char *word, bool *ret_on, char error[ERROR_TEXT])
{
	const json_t *value = json_object_get(definition, word);
	const char *text = json_string_value(value);

	*ret_on = json_is_true(value) || (text && !strcmp(text, "on"));
	if (!value || *ret_on || json_is_false(value) || (text && !strcmp(text, "off")))
		return 0;
	return refused(error, "%s must be true or false, or \"on\" or \"off\" in quotes", word);
}

static int take_attestation(const json_t *definition, struct group *group, char error[ERROR_TEXT])
{
	const char *text;

	if (take_text(definition, "attestation", &text) < 0 || (text && attest_policy_parse(text, &group->attestation) < 0))
		return refused(error, "attestation must be required, preferred or off");
	return 0;
}

static int take_policy(const json_t *policy, struct group *group, char error[ERROR_TEXT])
{
	char why[ERROR_TEXT];
	int r = policy_parse(policy, group->minimum, &group->policy, why);

	return r == -EINVAL ? refused(error, "policy: %.300s", why) : r;
}

static int parse_definition(const json_t *definition, struct group *group, char error[ERROR_TEXT])
{
	static const char *const known[] = { "account", "os", "app", "minimum", "service", "users", "policy", "h_encryption", "encryption", "attestation",
					     NULL };
	const json_t *service = json_object_get(definition, "service");
	uint64_t minimum = 0;
	const char *account;
	int r = check_members(definition, known, "a group", error);

	if (!r)
		r = take_spec(definition, "os", group->os, error);
	if (!r)
		r = take_spec(definition, "app", group->app, error);
	if (r < 0)
		return r;
	if (!group->os[0])
		return refused(error, "a group needs an OS image; name one with os");
	if (take_text(definition, "account", &account) < 0 ||
	    (account && !text_of(account, LOWER UPPER DIGITS "._-", ACCOUNT_MOST)))
		return refused(error, "account must be 1 to %u letters, digits, dots, hyphens and underscores", ACCOUNT_MOST);
	strcpy(group->account, account ? account : "");
	r = json_get_u64(definition, "minimum", &minimum);
	if (r == -EINVAL || minimum > MINIMUM_MOST)
		return refused(error, "minimum must be a number from 0 to %u", MINIMUM_MOST);
	group->minimum = (unsigned)minimum;
	r = check_users(json_object_get(definition, "users"), error);
	if (!r)
		r = take_encryption(definition, "h_encryption", &group->home_encrypted, error);
	if (!r)
		r = take_encryption(definition, "encryption", &group->slots_encrypted, error);
	if (!r)
		r = take_policy(json_object_get(definition, "policy"), group, error);
	if (!r)
		r = take_attestation(definition, group, error);
	if (r < 0)
		return r;
	return service ? parse_service(service, &group->service, error) : 0;
}

int group_parse(const char *name, const json_t *definition, struct group *ret_group, char ret_error[ERROR_TEXT])
{
	char why[ERROR_TEXT];
	int r;

	*ret_group = (struct group){ 0 };
	if (!group_name_valid(name))
		return refused(ret_error, "\"%.63s\" is no name of a group: lower-case letters, digits and inner hyphens; not \"repave\"",
			       text_printable(name, strlen(name)) ? name : "?");
	strcpy(ret_group->name, name);
	ret_group->definition = json_deep_copy(definition);
	if (!ret_group->definition)
		return -ENOMEM;
	r = parse_definition(ret_group->definition, ret_group, why);
	if (r < 0)
		group_release(ret_group);
	return r == -EINVAL ? refused(ret_error, "group %s: %.300s", name, why) : r;
}

void group_release(struct group *group)
{
	json_decref(group->definition);
	policy_release(&group->policy);
	*group = (struct group){ 0 };
}

void group_list_release(struct group_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		group_release(&list->items[i]);
	free(list->items);
	*list = (struct group_list){ 0 };
}

/* ------------------------------------------------------------------ several */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->name, ((const struct group *)b)->name);
}

void group_os_name(const struct group *group, char ret_name[IMAGE_NAME_MOST + 1])
{
	struct image_spec spec = { 0 };

	image_spec_parse(group->os, &spec);
	strcpy(ret_name, spec.name);
}

static bool same_text(const char *a, const char *b)
{
	return (!a && !b) || (a && b && !strcmp(a, b));
}

static bool same_hosts(const json_t *a, const json_t *b)
{
	const json_t *one, *other;
	size_t i, j;

	if (!a || !b)
		return a == b;
	json_array_foreach(json_iterable(a), i, one)
		json_array_foreach(json_iterable(b), j, other)
			if (json_equal(json_iterable(one), json_iterable(other)))
				return true;
	return false;
}

/* Two services on one port must differ in what clients ask for. */
static int check_pair(const struct group *a, const struct group *b, char error[ERROR_TEXT])
{
	const struct service *s = &a->service, *t = &b->service;
	char os[2][IMAGE_NAME_MOST + 1];

	if (!s->offered || !t->offered || s->port != t->port)
		return 0;
	if (s->mode != t->mode || s->mode == SERVICE_TCP)
		return refused(error, "groups %s and %s: both have port %u; only services of mode http can share one", a->name, b->name, s->port);
	group_os_name(a, os[0]);
	group_os_name(b, os[1]);
	if (strcmp(os[0], os[1]) || !same_hosts(s->hosts, t->hosts) || !same_text(s->path, t->path) ||
	    !same_text(s->header, t->header) || !same_text(s->value, t->value))
		return 0;
	return refused(error, "groups %s and %s: nothing tells their clients apart; give one another port, hosts, path or header", a->name,
		       b->name);
}

int group_list_parse(const json_t *object, struct group_list *ret_list, char ret_error[ERROR_TEXT])
{
	struct group_list list = { 0 };
	const char *name;
	json_t *definition;
	int r = 0;

	if (!json_is_object(object) || json_object_size(object) > GROUPS_MOST)
		return refused(ret_error, "groups must be a mapping of at most %u names and definitions", GROUPS_MOST);
	list.items = calloc(json_object_size(object) + 1, sizeof *list.items);
	if (!list.items)
		return -ENOMEM;
	json_object_foreach(json_iterable(object), name, definition) {
		r = group_parse(name, definition, &list.items[list.count], ret_error);
		if (r < 0)
			break;
		list.count++;
	}
	qsort(list.items, list.count, sizeof *list.items, by_name);
	for (size_t i = 0; !r && i < list.count; i++)
		for (size_t j = i + 1; !r && j < list.count; j++)
			r = check_pair(&list.items[i], &list.items[j], ret_error);
	if (r < 0)
		group_list_release(&list);
	else
		*ret_list = list;
	return r;
}

json_t *group_list_format(const struct group_list *list)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < list->count; i++)
		json_object_set(object, list->items[i].name, list->items[i].definition);
	return object;
}

struct group *group_list_find(const struct group_list *list, const char *name)
{
	struct group key = { 0 };

	if (!list->count || strlen(name) > GROUP_NAME_MOST)
		return NULL;
	strcpy(key.name, name);
	return bsearch(&key, list->items, list->count, sizeof *list->items, by_name);
}

/* ------------------------------------------------------------------ what its servers run */

/* Whether `target` is "FOLDER/NAME/…" with the name of the spec. */
static bool target_is(const char *target, const char *folder, const char *spec)
{
	size_t size = strcspn(spec, "@"), start = strlen(folder);

	return !strncmp(target, folder, start) && !strncmp(target + start, spec, size) && target[start + size] == '/';
}

bool group_runs(const struct group *group, const char *os_target, const char *app_target)
{
	if (!target_is(os_target, "os/", group->os))
		return false;
	return group->app[0] ? target_is(app_target, "app/", group->app) : !app_target[0];
}

/* Whether `list` has somebody with the name or the number of `user`. */
static bool has_user(const json_t *list, const json_t *user)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_iterable(list), i, one)
		if (json_equal(json_object_get(one, "name"), json_object_get(user, "name")) ||
		    json_equal(json_object_get(one, "uid"), json_object_get(user, "uid")))
			return true;
	return false;
}

json_t *group_users(const struct group *group, const json_t *own)
{
	json_t *list = own ? json_copy(json_iterable(own)) : json_array(), *user;
	size_t i;

	json_array_foreach(group ? json_object_get(group->definition, "users") : NULL, i, user)
		if (json_array_size(list) < USERS_MOST && !has_user(list, user))
			json_array_append(list, user);
	return list;
}

json_t *group_assignment(const struct group *group)
{
	return json_pack("{ss so}", "os", group->os, "app", group->app[0] ? json_string(group->app) : json_null());
}
