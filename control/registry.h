/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gives machines their identities and keeps the record of who has which: the decisions of control/identity.h carried out. All
 * within control_enter; what is answered is durable. */
#ifndef CONTROL_REGISTRY_H
#define CONTROL_REGISTRY_H

#include "control/control.h"
#include "control/csr.h"
#include "control/node-request.h"

#define NODES_MOST 100000u
#define WAITING_MOST 1000u     /* machines that wait for approval */
#define NODE_CERTIFICATE_DAYS 365u
#define AGENT_CERTIFICATE_DAYS 1u
#define INTERVAL_SECONDS 5     /* between two statuses of an agent */
#define INTERVAL_MOST 300

/* Reads the settings from the store. 0 or -errno; logs the cause. */
int registry_load_settings(struct control *control);
/* Changes those that are members of `change`. 0; -EINVAL with a sentence; -EIO. */
int registry_change_settings(struct control *control, const json_t *change, char ret_error[ERROR_TEXT]);
/* The same in two steps: what they would be, and storing them, which the caller then makes control->settings. */
int registry_check_settings(const struct control *control, const json_t *change, struct settings *ret_settings, char ret_error[ERROR_TEXT]);
int registry_store_settings(struct control *control, const struct settings *settings);
/* A new reference; NULL when out of memory. */
json_t *registry_describe_settings(const struct control *control);

/* Whether somebody was ever given this token, be it used up or not. 1, 0 or -EIO. */
int registry_knows_token(struct control *control, const char *token);

/* A machine asks for a node certificate. `token` is NULL without. Makes the whole answer: 200, 202, 403 or 500. */
void registry_enrol(struct control *control, const char *id, const struct enrol_request *request, const struct public_key *key,
		    const char *token, const struct http_call *call, int64_t now, struct http_answer *answer);
/* A node asks for its agent's certificate, or the agent for a further one. 200, 403, 409 or 500. */
void registry_agent(struct control *control, const char *id, enum client_kind asks, const struct enrol_request *request,
		    const struct public_key *key, int64_t now, struct http_answer *answer);

/* Whether the caller may speak as `kind` of node `id` now. False with the answer made: 401 or 403. */
bool registry_admits(struct control *control, const char *id, enum client_kind kind, const struct http_call *call,
		     struct http_answer *answer);
/* Whether the inventory is that of the machine which the node is bound to. False with the answer made (403), and an alarm raised. */
bool registry_fits(struct control *control, const char *id, const json_t *inventory, const struct http_call *call, int64_t now,
		   struct http_answer *answer);

/* Lets the machine in that waits under this id, or with `approve` false forgets that it waits; `text` as for fleet_find, or an id of a
 * machine that is no node yet. `key` NULL, or the first digits of the key that is meant: another machine may have taken the place
 * meanwhile. 0; -ENOENT, -ENOTUNIQ or -EEXIST (another key) with a sentence; -EIO. */
int registry_judge(struct control *control, const char *text, const char *key, bool approve, int64_t now, char ret_id[NODE_ID_SIZE + 1],
		   char ret_error[ERROR_TEXT]);

/* Forgets a node with all that is known of it; its certificate counts no more. 0; -ENOENT or -ENOTUNIQ with a sentence; -EIO. */
int registry_remove(struct control *control, const char *text, int64_t now, char ret_id[NODE_ID_SIZE + 1], char ret_error[ERROR_TEXT]);

#endif
