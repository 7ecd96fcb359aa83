/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a server's power is controlled without its help: the records, and what an operator may write into them. Pure. */
#ifndef CONTROL_POWER_RECORD_H
#define CONTROL_POWER_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "control/names.h"

#define POWER_HOST_MOST 253u
#define POWER_USER_MOST 64u
#define POWER_PASSWORD_MOST 128u
#define POWER_SYSTEM_MOST 200u
#define POWER_CA_MOST 65536u
#define POWER_FINGERPRINT 64u      /* lower-case hexadecimal digits of a SHA-256 */
#define POWER_IPMI_USER_MOST 16u   /* IPMI 2.0, 22.28 */
#define POWER_IPMI_PASSWORD_MOST 20u

enum power_kind { POWER_IPMI, POWER_REDFISH };
enum power_action { POWER_STATUS, POWER_ON, POWER_OFF, POWER_RESET, POWER_CYCLE, POWER_SHUTDOWN };
enum power_state { POWER_STATE_UNKNOWN, POWER_STATE_ON, POWER_STATE_OFF };

/* Where a node's BMC is and how it is spoken to; without the password. */
struct power_config {
	char node[NODE_ID_SIZE + 1];
	enum power_kind kind;
	char host[POWER_HOST_MOST + 1];                /* name or numeric address, without brackets */
	unsigned port;
	char user[POWER_USER_MOST + 1];
	unsigned cipher;                               /* IPMI: cipher suite, 3 or 17 */
	char system[POWER_SYSTEM_MOST + 1];            /* Redfish: path of the system; "": the only one there is */
	char fingerprint[POWER_FINGERPRINT + 1];       /* Redfish: of the certificate; "": `ca` */
	char *ca;                                      /* owned; Redfish: PEM, or NULL */
	unsigned timeout;                              /* seconds that a job may take */
	int64_t changed;                               /* seconds since 1970 */
	int64_t refused;                               /* when the BMC last refused user and password; 0: it didn't */
};

void power_config_release(struct power_config *config);

/* Reads {"driver", "address", "user", "password", "cipher", "system", "ca", "fingerprint", "timeout"}, from outside. `ret_password`
 * points into `body`. 0 with a config to release, or -EINVAL with a sentence. */
int power_config_parse(const json_t *body, const char *node, struct power_config *ret_config, const char **ret_password,
		       char ret_error[ERROR_TEXT]);
/* What of it may be shown: everything but the password. A new reference, or NULL. */
json_t *power_config_describe(const struct power_config *config);
/* What the sealed password is bound to: the node, and all that says where it is sent. Adds to `ret_text`. 0 or -ENOMEM. */
int power_config_purpose(const struct power_config *config, struct buffer *ret_text);

/* A piece of work for a BMC; one that changes something is stored before it begins. */
struct power_job {
	uint64_t number;
	char node[NODE_ID_SIZE + 1];
	enum power_action action;
	int64_t started, ended;                        /* seconds since 1970; ended 0: it goes on */
	enum power_state state;                        /* as the BMC said last */
	bool failed;
	char text[ERROR_TEXT];                         /* what came of it, or why it failed */
};

json_t *power_job_describe(const struct power_job *job);

/* "ipmi", "redfish"; "on" …; "unknown", "on", "off". Parsing: 0 or -EINVAL. */
const char *power_kind_name(enum power_kind kind);
int power_kind_parse(const char *text, enum power_kind *ret_kind);
const char *power_action_name(enum power_action action);
int power_action_parse(const char *text, enum power_action *ret_action);
const char *power_state_name(enum power_state state);
int power_state_parse(const char *text, enum power_state *ret_state);

#endif
