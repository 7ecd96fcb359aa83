/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways to speak to a BMC, and what they have in common. */
#ifndef CONTROL_POWER_DRIVER_H
#define CONTROL_POWER_DRIVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "control/power-record.h"

/* The work that a driver is used for. */
struct power_work {
	const struct power_config *config;
	const char *password;
	const char *ipmitool;          /* the program */
	int64_t deadline;              /* milliseconds of the monotonic clock */
	const atomic_bool *ending;     /* repaved ends: give up */
	char error[ERROR_TEXT];        /* what went wrong, a sentence */
	bool commanded;                /* something was done, or may have been */
};

enum power_command { COMMAND_ON, COMMAND_OFF, COMMAND_RESET, COMMAND_SHUTDOWN };

/* All wait, until the work's deadline at most. Errors beyond those of power-text.h: -ECANCELED (repaved ends), -ETIMEDOUT (also: the answer
 * didn't come, so nobody knows whether it was done), -EACCES (user or password; never tried again by itself), -EOPNOTSUPP, -EIO. With
 * a sentence in the work. */
struct power_driver {
	/* 0 with something to close. */
	int (*open)(struct power_work *work, void **ret_line);
	int (*look)(void *line, enum power_state *ret_state);
	int (*command)(void *line, enum power_command command);
	void (*close)(void *line);
};

extern const struct power_driver power_driver_ipmi, power_driver_redfish;

/* Carries an action out and verifies it by the BMC's word: 0 when the state is what was asked for; or -errno with why not. The state that
 * was seen last goes to `ret_state` in any case. */
int power_carry_out(const struct power_driver *driver, struct power_work *work, enum power_action action, enum power_state *ret_state);

/* The monotonic clock in milliseconds. */
int64_t power_clock(void);
/* Milliseconds until the deadline, none while repaved ends. */
int64_t power_left(const struct power_work *work);
/* Waits; false when there is no time left. */
bool power_pause(const struct power_work *work, int64_t milliseconds);

#endif
