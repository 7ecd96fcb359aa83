/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the APIs of the control unit share. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <pthread.h>
#include <stdint.h>

#include "control/catalogue.h"
#include "control/fleet.h"
#include "control/http-server.h"
#include "control/keeper.h"

#define JOIN_TOKEN_SIZE 64u /* characters: 32 random bytes in hexadecimal */

struct control {
	pthread_mutex_t lock; /* of fleet and catalogue */
	struct fleet *fleet;
	struct catalogue *catalogue;
	struct keeper *keeper;
	char join_token[JOIN_TOKEN_SIZE + 1];
	int64_t started; /* seconds since 1970 */
};

/* Takes the lock, for control_leave to give back, with the catalogue brought up to date: always for an operator, who has just
 * published perhaps (`wait`); for a node if that is done within two seconds. Returns the time it is, in seconds since 1970. */
int64_t control_enter(struct control *control, bool wait);
void control_leave(struct control *control);

/* Status for an error of fleet_*: 400, 404, 409 or 500. */
unsigned control_status(int error);

#endif
