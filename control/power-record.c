// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/power-record.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define TIMEOUT_LEAST 3u
#define TIMEOUT_MOST 600u
#define TIMEOUT_DEFAULT 60u
#define HOST_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-"
#define ADDRESS_CHARACTERS "ABCDEFabcdef0123456789:."
#define PATH_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"

static const char *const kind_names[] = { "ipmi", "redfish" };
static const char *const action_names[] = { "status", "on", "off", "reset", "cycle", "shutdown" };
static const char *const state_names[] = { "unknown", "on", "off" };
#define COUNT(names) (sizeof(names) / sizeof((names)[0]))

static int find(const char *const names[], size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], text))
			return (int)i;
	return -EINVAL;
}

const char *power_kind_name(enum power_kind kind)
{
	return kind_names[kind];
}

int power_kind_parse(const char *text, enum power_kind *ret_kind)
{
	int r = find(kind_names, COUNT(kind_names), text);

	if (r >= 0)
		*ret_kind = (enum power_kind)r;
	return r < 0 ? r : 0;
}

const char *power_action_name(enum power_action action)
{
	return action_names[action];
}

int power_action_parse(const char *text, enum power_action *ret_action)
{
	int r = find(action_names, COUNT(action_names), text);

	if (r >= 0)
		*ret_action = (enum power_action)r;
	return r < 0 ? r : 0;
}

const char *power_state_name(enum power_state state)
{
	return state_names[state];
}

int power_state_parse(const char *text, enum power_state *ret_state)
{
	int r = find(state_names, COUNT(state_names), text);

	if (r >= 0)
		*ret_state = (enum power_state)r;
	return r < 0 ? r : 0;
}

void power_config_release(struct power_config *config)
{
	free(config->ca);
	config->ca = NULL;
}

/* "HOST", "HOST:PORT", "[ADDRESS]:PORT", or an IPv6 address alone. 0 or -EINVAL. */
static int parse_address(const char *text, struct power_config *config)
{
	const char *start = text, *end = text + strlen(text), *port = NULL, *colon = strchr(text, ':');
	uint64_t number;
	size_t size;

	if (text[0] == '[') {
		end = strchr(++start, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		port = end[1] ? end + 2 : NULL;
	} else if (colon && !strchr(colon + 1, ':')) {
		end = colon;
		port = colon + 1;
	}
	size = (size_t)(end - start);
	if (size == 0 || size > POWER_HOST_MOST || start[0] == '-')
		return -EINVAL;
	if (port && (parse_u64(port, &number) < 0 || number < 1 || number > 65535))
		return -EINVAL;
	memcpy(config->host, start, size);
	config->host[size] = 0;
	if (port)
		config->port = (unsigned)number;
	return text_of(config->host, strchr(config->host, ':') ? ADDRESS_CHARACTERS : HOST_CHARACTERS, POWER_HOST_MOST) ? 0 : -EINVAL;
}

/* 64 hexadecimal digits, with colons between the bytes or without, as `openssl x509 -fingerprint -sha256` prints them. */
static int parse_fingerprint(const char *text, char ret_digits[POWER_FINGERPRINT + 1])
{
	size_t count = 0;

	for (; *text; text++) {
		if (*text == ':' && count % 2 == 0 && count)
			continue;
		if (!isxdigit((unsigned char)*text) || count == POWER_FINGERPRINT)
			return -EINVAL;
		ret_digits[count++] = (char)tolower((unsigned char)*text);
	}
	ret_digits[count] = 0;
	return count == POWER_FINGERPRINT ? 0 : -EINVAL;
}

static bool is_member(const char *name)
{
	static const char *const members[] = { "driver", "address", "user", "password", "cipher", "system", "ca", "fingerprint", "timeout" };

	return find(members, COUNT(members), name) >= 0;
}

static int check_members(const json_t *body, char ret_error[ERROR_TEXT])
{
	const char *name;
	json_t *value;

	if (!json_is_object(body))
		return refused(ret_error, "power settings are described by an object");
	json_object_foreach(json_iterable(body), name, value) {
		if (!is_member(name))
			return refused(ret_error, "\"%.40s\" is no power setting", text_printable(name, strlen(name)) ? name : "?");
		if (!json_is_string(value) && strcmp(name, "cipher") && strcmp(name, "timeout"))
			return refused(ret_error, "\"%s\" must be text", name);
	}
	return 0;
}

static int parse_login(const json_t *body, struct power_config *config, const char **ret_password, char ret_error[ERROR_TEXT])
{
	const char *user = json_get_string(body, "user"), *password = json_get_string(body, "password");
	bool ipmi = config->kind == POWER_IPMI;
	unsigned user_most = ipmi ? POWER_IPMI_USER_MOST : POWER_USER_MOST;
	unsigned password_most = ipmi ? POWER_IPMI_PASSWORD_MOST : POWER_PASSWORD_MOST;

	/* A colon would end the name in HTTP's basic authentication. */
	if (!user || !*user || strlen(user) > user_most || !text_printable(user, strlen(user)) || strchr(user, ':'))
		return refused(ret_error, "the BMC's user must be a name of 1 to %u characters, without colons", user_most);
	if (!password || !*password || strlen(password) > password_most || !text_printable(password, strlen(password)))
		return refused(ret_error, "the BMC's password must be one line of 1 to %u characters%s", password_most,
			       ipmi ? ", as IPMI has it" : "");
	strcpy(config->user, user);
	*ret_password = password;
	return 0;
}

static int parse_ipmi(const json_t *body, struct power_config *config, char ret_error[ERROR_TEXT])
{
	uint64_t cipher = 17;
	int r = json_get_u64(body, "cipher", &cipher);

	if (r == -EINVAL || (cipher != 3 && cipher != 17))
		return refused(ret_error, "\"cipher\" must be 17 (SHA-256; the default), or 3 (SHA-1) for a BMC that has no better one");
	if (json_object_get(body, "ca") || json_object_get(body, "fingerprint") || json_object_get(body, "system"))
		return refused(ret_error, "ca, fingerprint and system are for the driver redfish: IPMI has no certificates");
	config->cipher = (unsigned)cipher;
	return 0;
}

static int parse_redfish(const json_t *body, struct power_config *config, char ret_error[ERROR_TEXT])
{
	const char *ca = json_get_string(body, "ca"), *fingerprint = json_get_string(body, "fingerprint");
	const char *system = json_get_string(body, "system");

	if (json_object_get(body, "cipher"))
		return refused(ret_error, "\"cipher\" is for the driver ipmi");
	if (!ca == !fingerprint)
		return refused(ret_error, "give either the CA that signed the BMC's certificate or that certificate's SHA-256 fingerprint: the password goes to nobody else");
	if (ca && (strlen(ca) > POWER_CA_MOST || !strstr(ca, "-----BEGIN CERTIFICATE-----")))
		return refused(ret_error, "the CA must be a certificate in PEM of at most %u bytes", POWER_CA_MOST);
	if (fingerprint && parse_fingerprint(fingerprint, config->fingerprint) < 0)
		return refused(ret_error, "the fingerprint must be %u hexadecimal digits, as `openssl x509 -noout -fingerprint -sha256` prints them", POWER_FINGERPRINT);
	if (system && (system[0] != '/' || system[1] == '/' || !text_of(system, PATH_CHARACTERS, POWER_SYSTEM_MOST)))
		return refused(ret_error, "the system must be a path such as /redfish/v1/Systems/1");
	strcpy(config->system, system ? system : "");
	config->ca = ca ? strdup(ca) : NULL;
	return ca && !config->ca ? -ENOMEM : 0;
}

int power_config_parse(const json_t *body, const char *node, struct power_config *ret_config, const char **ret_password,
		       char ret_error[ERROR_TEXT])
{
	struct power_config config = { 0 };
	const char *driver = json_get_string(body, "driver"), *address = json_get_string(body, "address");
	uint64_t timeout = TIMEOUT_DEFAULT;
	int r = check_members(body, ret_error);

	if (r < 0)
		return r;
	if (!driver || power_kind_parse(driver, &config.kind) < 0)
		return refused(ret_error, "the driver is ipmi or redfish");
	config.port = config.kind == POWER_IPMI ? 623 : 443;
	if (!address || parse_address(address, &config) < 0)
		return refused(ret_error, "the BMC's address must be HOST or HOST:PORT");
	if (json_get_u64(body, "timeout", &timeout) == -EINVAL || timeout < TIMEOUT_LEAST || timeout > TIMEOUT_MOST)
		return refused(ret_error, "\"timeout\" must be a number of seconds from %u to %u", TIMEOUT_LEAST, TIMEOUT_MOST);
	config.timeout = (unsigned)timeout;
	snprintf(config.node, sizeof config.node, "%s", node);
	r = parse_login(body, &config, ret_password, ret_error);
	if (!r)
		r = config.kind == POWER_IPMI ? parse_ipmi(body, &config, ret_error) : parse_redfish(body, &config, ret_error);
	if (r < 0)
		power_config_release(&config);
	else
		*ret_config = config;
	return r;
}

static int format_address(const struct power_config *config, struct buffer *ret_text)
{
	bool brackets = strchr(config->host, ':') != NULL;

	return buffer_printf(ret_text, "%s%s%s:%u", brackets ? "[" : "", config->host, brackets ? "]" : "", config->port);
}

json_t *power_config_describe(const struct power_config *config)
{
	struct buffer address = { 0 };
	json_t *all;

	if (format_address(config, &address) < 0)
		return NULL;
	all = json_pack("{ss ss ss sI sI sI}", "driver", power_kind_name(config->kind), "address", (const char *)address.data, "user",
			config->user, "timeout", (json_int_t)config->timeout, "changed", (json_int_t)config->changed, "refused",
			(json_int_t)config->refused);
	buffer_release(&address);
	if (config->kind == POWER_IPMI) {
		json_object_set_new(all, "cipher", json_integer((json_int_t)config->cipher));
		return all;
	}
	json_object_set_new(all, "system", config->system[0] ? json_string(config->system) : json_null());
	json_object_set_new(all, "fingerprint", config->fingerprint[0] ? json_string(config->fingerprint) : json_null());
	json_object_set_new(all, "ca", config->ca ? json_string(config->ca) : json_null());
	return all;
}

int power_config_purpose(const struct power_config *config, struct buffer *ret_text)
{
	int r = buffer_printf(ret_text, "power\n%s\n%s\n", config->node, power_kind_name(config->kind));

	if (!r)
		r = format_address(config, ret_text);
	if (!r)
		r = buffer_printf(ret_text, "\n%s\n%u\n%s\n%s\n%s", config->user, config->cipher, config->system, config->fingerprint,
				  config->ca ? config->ca : "");
	return r;
}

json_t *power_job_describe(const struct power_job *job)
{
	return json_pack("{sI ss ss sI so ss ss ss}", "job", (json_int_t)job->number, "node", job->node, "action",
			 power_action_name(job->action), "started", (json_int_t)job->started, "ended",
			 job->ended ? json_integer((json_int_t)job->ended) : json_null(), "result",
			 !job->ended ? "running" : job->failed ? "failed" : "done", "state", power_state_name(job->state), "text",
			 job->text);
}
