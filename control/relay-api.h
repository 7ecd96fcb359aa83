/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a monitor sends (docs/protocol.md, "Monitors"): that it is there, and what agents said to it. */
#ifndef CONTROL_RELAY_API_H
#define CONTROL_RELAY_API_H

#include "control/control.h"

/* The headers with which a monitor says who its client is. */
#define RELAY_KEY_HEADER "Repave-Agent-Key"         /* SHA-256 of the SubjectPublicKeyInfo that it verified */
#define RELAY_ADDRESS_HEADER "Repave-Agent-Address" /* numeric */

/* A call as if the agent had made it itself. Borrows from the call that brought it. */
struct relayed {
	struct http_call call;
	struct http_peer who;
	char peer[64];
};

/* Makes it, of node `id`; whether the monitor may say so is for registry_admits. False with the answer made. */
bool relay_open(const struct http_call *call, const char *id, struct relayed *ret_relayed, struct http_answer *answer);

/* "POST /v1/monitors/{name}/hello". Not within control_enter. */
void relay_hello(struct control *control, const char *name, const struct http_call *call, struct http_answer *answer);

#endif
