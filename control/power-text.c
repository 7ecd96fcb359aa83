// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/power-text.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"

void power_text_clean(char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text == 0x7f)
			*text = '?';
}

/* ------------------------------------------------------------------ ipmitool */

static bool has(const void *text, size_t size, const char *part)
{
	return memmem(text, size, part, strlen(part)) != NULL;
}

int ipmi_state_parse(const void *text, size_t size, enum power_state *ret_state)
{
	static const char on[] = "Chassis Power is on\n", off[] = "Chassis Power is off\n";

	if (size == sizeof on - 1 && !memcmp(text, on, size))
		*ret_state = POWER_STATE_ON;
	else if (size == sizeof off - 1 && !memcmp(text, off, size))
		*ret_state = POWER_STATE_OFF;
	else
		return -EBADMSG;
	return 0;
}

/* Of ipmitool 1.8.19 (lanplus.c, ipmi_chassis.c, ipmi_strings.c); the first that fits counts. */
static const struct {
	const char *said;
	int error;
	const char *sentence;
} failures[] = {
	{ "RAKP 2 HMAC is invalid", -EACCES, "the BMC refuses the password" },
	{ "unauthorized name", -EACCES, "the BMC doesn't know the user, or the user may not administer it" },
	{ "RAKP 2 message indicates an error", -EACCES, "the BMC refuses user and password" },
	{ "RAKP 4 message indicates an error", -EACCES, "the BMC refuses user and password" },
	{ "RAKP 4 message has invalid integrity check value", -EACCES, "the BMC's proof that it knows the password is wrong" },
	{ "invalid authentication algorithm", -EPROTONOSUPPORT, "the BMC doesn't have this cipher suite" },
	{ "invalid integrity algorithm", -EPROTONOSUPPORT, "the BMC doesn't have this cipher suite" },
	{ "invalid confidentiality algorithm", -EPROTONOSUPPORT, "the BMC doesn't have this cipher suite" },
	{ "This BMC does not support IPMI v2", -EPROTONOSUPPORT, "the BMC has no IPMI 2.0" },
	{ "no matching cipher suite", -EPROTONOSUPPORT, "the BMC doesn't have this cipher suite" },
	{ "Address lookup for", -EHOSTUNREACH, "there is no host of that name" },
	{ "Could not open socket", -EHOSTUNREACH, "there is no way to the BMC's address" },
	{ "insufficient resources", -EBUSY, "the BMC has no session left" },
	{ "Get Auth Capabilities error", -ETIMEDOUT, "the BMC doesn't answer" },
	{ "Error issuing Get Channel Authentication Capabilities", -ETIMEDOUT, "the BMC doesn't answer" },
	{ "no response from RAKP", -ETIMEDOUT, "the BMC stopped answering" },
	{ "No response", -ETIMEDOUT, "the BMC stopped answering" },
	{ "Set Session Privilege Level to ADMINISTRATOR failed", -EPERM, "the BMC's user may not administer it" },
	{ "failed: Insufficient privilege level", -EPERM, "the BMC's user may not do that" },
	{ "failed: Invalid command", -EOPNOTSUPP, "the BMC can't do that" },
	{ "failed: Invalid data field in request", -EOPNOTSUPP, "the BMC can't do that" },
	{ "failed: Command not supported in present state", -EOPNOTSUPP, "the BMC can't do that now" },
	{ "failed: Node busy", -EBUSY, "the BMC is busy" },
	{ "Unable to get Chassis Power Status", -ETIMEDOUT, "the BMC stopped answering" },
	{ "Unable to set Chassis Power Control", -ETIMEDOUT, "the BMC stopped answering" },
};

/* The last line that isn't empty, cut. */
static void last_line(const char *text, size_t size, char ret_line[160])
{
	size_t start;

	while (size && text[size - 1] == '\n')
		size--;
	for (start = size; start && text[start - 1] != '\n'; start--)
		;
	snprintf(ret_line, 160, "%.*s", size - start < 159 ? (int)(size - start) : 159, text + start);
	power_text_clean(ret_line);
}

int ipmi_failure_parse(const void *text, size_t size, char ret_error[ERROR_TEXT])
{
	char line[160];

	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		if (has(text, size, failures[i].said)) {
			refused(ret_error, "%s", failures[i].sentence);
			return failures[i].error;
		}
	}
	last_line(text, size, line);
	refused(ret_error, "ipmitool failed: %s", line[0] ? line : "it doesn't say why");
	return -EIO;
}

/* ------------------------------------------------------------------ Redfish */

/* What goes into a request line must be no more than a path, whoever wrote it. */
static bool take_path(const char *text, struct redfish_path *ret_path)
{
	ret_path->text[0] = 0;
	if (!text || text[0] != '/' || text[1] == '/' || strlen(text) > POWER_SYSTEM_MOST)
		return false;
	for (const char *at = text; *at; at++)
		if (*at <= ' ' || *at >= 0x7f || strchr("?#\"\\<>^`{|}", *at))
			return false;
	strcpy(ret_path->text, text);
	return true;
}

static bool take_link(const json_t *object, struct redfish_path *ret_path)
{
	return take_path(json_get_string(object, "@odata.id"), ret_path);
}

static json_t *parse(const void *text, size_t size, char ret_error[ERROR_TEXT])
{
	char why[160];
	json_t *all = json_parse(text, size, why);

	if (json_is_object(all))
		return all;
	if (!all)
		power_text_clean(why);
	refused(ret_error, "the BMC's answer can't be read: %s", all ? "it is no JSON object" : why);
	json_decref(all);
	return NULL;
}

int redfish_root_parse(const void *text, size_t size, struct redfish_path *ret_sessions, struct redfish_path *ret_systems,
		       char ret_error[ERROR_TEXT])
{
	json_t *root = parse(text, size, ret_error);
	int r = 0;

	if (!root)
		return -EBADMSG;
	take_link(json_get_object(json_get_object(root, "Links"), "Sessions"), ret_sessions);
	if (!take_link(json_get_object(root, "Systems"), ret_systems)) {
		refused(ret_error, "the BMC's answer is no Redfish service root: it doesn't say where its systems are");
		r = -EBADMSG;
	}
	json_decref(root);
	return r;
}

/* "a, b, c", as much as fits in a sentence. */
static void name_members(const json_t *members, char ret_names[200])
{
	struct redfish_path path;
	const json_t *member;
	size_t i, used = 0;

	ret_names[0] = 0;
	json_array_foreach(members, i, member) {
		if (!take_link(member, &path) || used + strlen(path.text) + 3 > 200)
			continue;
		snprintf(ret_names + used, 200 - used, "%s%s", used ? ", " : "", path.text);
		used = strlen(ret_names);
	}
}

int redfish_only_member(const void *text, size_t size, struct redfish_path *ret_member, char ret_error[ERROR_TEXT])
{
	json_t *collection = parse(text, size, ret_error);
	const json_t *members = json_get_array(collection, "Members");
	char names[200];
	int r = 0;

	if (!collection)
		return -EBADMSG;
	if (!members) {
		r = -EBADMSG;
		refused(ret_error, "the BMC's list of systems has no members");
	} else if (json_array_size(members) == 0) {
		r = -ENOENT;
		refused(ret_error, "the BMC has no system");
	} else if (json_array_size(members) > 1) {
		r = -ENOTUNIQ;
		name_members(members, names);
		refused(ret_error, "the BMC has several systems; name one with --system: %s", names);
	} else if (!take_link(json_array_get(members, 0), ret_member)) {
		r = -EBADMSG;
		refused(ret_error, "the BMC's list of systems names none that can be asked for");
	}
	json_decref(collection);
	return r;
}

static const struct {
	const char *name;
	enum redfish_reset reset;
} resets[] = {
	{ "On", REDFISH_ON }, { "ForceOn", REDFISH_FORCE_ON }, { "ForceOff", REDFISH_FORCE_OFF }, { "ForceRestart", REDFISH_FORCE_RESTART },
	{ "PowerCycle", REDFISH_POWER_CYCLE }, { "GracefulShutdown", REDFISH_GRACEFUL_SHUTDOWN },
};
#define RESETS (sizeof resets / sizeof resets[0])

const char *redfish_reset_name(enum redfish_reset reset)
{
	for (size_t i = 0; i < RESETS; i++)
		if (resets[i].reset == reset)
			return resets[i].name;
	return "";
}

static unsigned parse_allowed(const json_t *action)
{
	const json_t *list = json_get_array(action, "ResetType@Redfish.AllowableValues"), *value;
	unsigned allowed = 0;
	size_t i;

	if (!list)
		return REDFISH_ON | REDFISH_FORCE_OFF | REDFISH_FORCE_RESTART | REDFISH_GRACEFUL_SHUTDOWN;
	json_array_foreach(list, i, value)
		for (size_t k = 0; json_is_string(value) && k < RESETS; k++)
			if (!strcmp(json_string_value(value), resets[k].name))
				allowed |= resets[k].reset;
	return allowed;
}

int redfish_system_parse(const void *text, size_t size, struct redfish_system *ret_system, char ret_error[ERROR_TEXT])
{
	json_t *all = parse(text, size, ret_error);
	const json_t *action = json_get_object(json_get_object(all, "Actions"), "#ComputerSystem.Reset");
	const char *state = json_get_string(all, "PowerState");
	int r = 0;

	if (!all)
		return -EBADMSG;
	*ret_system = (struct redfish_system){ .allowed = parse_allowed(action) };
	take_path(json_get_string(action, "target"), &ret_system->reset);
	if (!state) {
		r = -EBADMSG;
		refused(ret_error, "the BMC doesn't say whether the system is on: is --system right?");
	} else if (!strcmp(state, "On")) {
		ret_system->state = POWER_STATE_ON;
	} else if (!strcmp(state, "Off")) {
		ret_system->state = POWER_STATE_OFF;
	}
	json_decref(all);
	return r;
}

void redfish_session_parse(const void *text, size_t size, struct redfish_path *ret_session)
{
	char why[160];
	json_t *session = json_parse(text, size, why);

	take_link(session, ret_session);
	json_decref(session);
}

void redfish_error_parse(const void *text, size_t size, char ret_text[160])
{
	char why[160];
	json_t *all = json_parse(text, size, why);
	const json_t *error = json_get_object(all, "error");
	const char *message = json_get_string(json_array_get(json_get_array(error, "@Message.ExtendedInfo"), 0), "Message");

	if (!message)
		message = json_get_string(error, "message");
	snprintf(ret_text, 160, "%.150s", message ? message : "");
	power_text_clean(ret_text);
	json_decref(all);
}
