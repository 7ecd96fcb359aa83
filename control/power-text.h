/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What BMCs say: ipmitool's lines, and the resources of Redfish (DMTF DSP0266, DSP0268). All of it is from outside, bounded by the caller,
 * and need not end with NUL. Pure. */
#ifndef CONTROL_POWER_TEXT_H
#define CONTROL_POWER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/power-record.h"

/* Makes it a line of printable ASCII: a character may have been cut, and a line break would forge a line of a log. */
void power_text_clean(char *text);

/* "Chassis Power is on", on a line of its own. 0 or -EBADMSG. */
int ipmi_state_parse(const void *text, size_t size, enum power_state *ret_state);

/* What ipmitool -v said on stderr when it failed: -EACCES (user or password), -EPROTONOSUPPORT (cipher suite), -ETIMEDOUT (no answer),
 * -EHOSTUNREACH (no such name or no way there), -EOPNOTSUPP (this BMC can't do that), -EPERM (the user may not), else -EIO. With a
 * sentence. */
int ipmi_failure_parse(const void *text, size_t size, char ret_error[ERROR_TEXT]);

/* A path of the same service: "/redfish/v1/…". */
struct redfish_path {
	char text[POWER_SYSTEM_MOST + 1];
};

/* The service root: where sessions are made ("" when it doesn't say) and where the systems are. 0 or -EBADMSG with a sentence. */
int redfish_root_parse(const void *text, size_t size, struct redfish_path *ret_sessions, struct redfish_path *ret_systems,
		       char ret_error[ERROR_TEXT]);
/* The one member of a collection. 0; -EBADMSG; -ENOTUNIQ when there are several (they are named in the sentence); -ENOENT for none. */
int redfish_only_member(const void *text, size_t size, struct redfish_path *ret_member, char ret_error[ERROR_TEXT]);

enum redfish_reset {
	REDFISH_ON = 1, REDFISH_FORCE_ON = 2, REDFISH_FORCE_OFF = 4, REDFISH_FORCE_RESTART = 8, REDFISH_POWER_CYCLE = 16,
	REDFISH_GRACEFUL_SHUTDOWN = 32,
};

struct redfish_system {
	enum power_state state;      /* on the way somewhere: unknown */
	struct redfish_path reset;   /* where the action is posted */
	unsigned allowed;            /* set of enum redfish_reset; what the standard has when the system doesn't say */
};

int redfish_system_parse(const void *text, size_t size, struct redfish_system *ret_system, char ret_error[ERROR_TEXT]);
/* "On" …; one value of the set. */
const char *redfish_reset_name(enum redfish_reset reset);

/* The path of a session that was made, of its body; "" when it doesn't say. */
void redfish_session_parse(const void *text, size_t size, struct redfish_path *ret_session);
/* What the service says of its error, as one printable line; "" when it says nothing that can be shown. */
void redfish_error_parse(const void *text, size_t size, char ret_text[160]);

#endif
