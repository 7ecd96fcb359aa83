/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Switches servers on and off without their help, by their BMCs. In threads of its own: nobody waits for a BMC.
 *
 * A job that changes something is in the store before it begins, and its end is stored with its event. After a crash the state of such a
 * server is looked at again, and told; nothing is done a second time. One job per node at a time; each ends within the time that the
 * node's settings give it. A BMC that refused the password isn't asked again before POWER_REFUSED_SECONDS are over or the settings are
 * changed: BMCs lock accounts. */
#ifndef CONTROL_POWER_H
#define CONTROL_POWER_H

#include "control/control.h"
#include "control/power-record.h"
#include "control/sealed.h"

#define POWER_WORKERS 16u             /* jobs at a time; more wait */
#define POWER_JOBS_KEPT 20u           /* of each node in the store */
#define POWER_REFUSED_SECONDS 900

struct power;

/* Finds the sealing key in the state folder or makes it, and starts the threads, which take up what was left unfinished. `control` must
 * outlive it. 0 or -errno; logs the cause. */
int power_new(struct control *control, const char *state, const char *ipmitool, struct power **ret_power);
/* NULL is nothing. Jobs under way are broken off, and are unfinished ones for the next start. Not within control_lock. */
void power_free(struct power *power);

/* What seals the secrets in the store; it lasts as long as `power`. From any thread. */
const struct sealing_key *power_sealing_key(const struct power *power);

/* All of these within control_lock. */

/* Changes a node's settings; `body` is the call's, see power_config_parse. 0; -EINVAL; -EBUSY while a job goes on; -EIO; with a sentence. */
int power_set(struct power *power, const char *node, const json_t *body, int64_t now, char ret_error[ERROR_TEXT]);
/* Forgets them and their password. 0; -ENOENT; -EBUSY; -EIO. */
int power_remove(struct power *power, const char *node, char ret_error[ERROR_TEXT]);
/* Whether the node's power can be controlled. */
bool power_has(struct power *power, const char *node);
/* What of them may be shown, and the node's last job: { "settings", "job" }, each null without; a new reference. NULL on error. */
json_t *power_describe(struct power *power, const char *node);

/* Begins a job. 0 with its number; -ENOENT (no settings); -EBUSY; -EACCES (the BMC refused the password lately); -ENOKEY or -EBADMSG (the
 * stored password can't be opened); -EIO; with a sentence. */
int power_start(struct power *power, const char *node, enum power_action action, uint64_t *ret_job, char ret_error[ERROR_TEXT]);
/* 0 with what came of it; -EAGAIN while it goes on, with what is known; -ENOENT (of a mere look, only the node's last one is kept); -EIO. */
int power_result(struct power *power, uint64_t job, struct power_job *ret_job);
/* The node's last job. 0, -ENOENT or -EIO. */
int power_last(struct power *power, const char *node, struct power_job *ret_job);

#endif
