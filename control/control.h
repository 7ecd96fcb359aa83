/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the APIs of the control unit share. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <pthread.h>
#include <stdint.h>

#include "control/catalogue.h"
#include "control/decision-settings.h"
#include "control/fleet.h"
#include "control/http-server.h"
#include "control/identity.h"
#include "control/keeper.h"
#include "control/meters.h"
#include "control/pki.h"
#include "control/throttle.h"

#define JOIN_TOKEN_SIZE TOKEN_SIZE

enum gate_policy { GATE_STAGE1, GATE_ANY }; /* control/gate.h */

/* What an operator may set. */
struct settings {
	enum enrol_policy enrol;
	int64_t clone_seconds;
	int64_t interval; /* seconds between two statuses of an agent */
	enum gate_policy images; /* who may fetch them */
};

#define REFUSALS_SAID 20u /* log lines in a minute about clients that were refused */

/* Strangers can be refused as often as they like; the log is for people. */
struct refusals {
	pthread_mutex_t mutex;
	int64_t minute;      /* of a clock that nobody sets */
	unsigned said, left_out;
};

struct power;
struct dispatch;
struct decider;
struct balancer;
struct messages;
struct relay;
struct intake;
struct people;
struct campaigns;
struct tpm_trust;

struct control {
	pthread_mutex_t lock; /* of fleet, store, settings and catalogue */
	struct fleet *fleet;
	struct store *store;
	struct settings settings;
	struct decision_settings decisions;
	struct catalogue *catalogue;
	struct keeper *keeper;
	struct dispatch *dispatch;
	struct decider *decider; /* NULL: nothing is decided */
	struct pki_signer *signer;
	struct throttle *throttle;
	struct holds *holds;
	struct monitor *monitor;
	struct relay *relays; /* control/relays.h */
	struct campaigns *campaigns; /* control/campaigns.h */
	struct tpm_trust *trust; /* control/tpm-trust.h */
	int64_t round_ms; /* the monitor's clock: control/monitor.h */
	int64_t deaf_ms;  /* by that clock: when the control unit last couldn't listen to everybody; nobody was silent before */
	int64_t latest_ms; /* the answer to a held status that was latest since the monitor looked */
	struct http_server *nodes; /* where they come in; NULL before */
	struct refusals refusals; /* without the lock */
	struct power *power;
	struct balancer *balancer;
	struct people *people; /* control/people.h */
	struct messages *messages; /* control/message-desk.h; NULL: nobody is told */
	char join_token[JOIN_TOKEN_SIZE + 1]; /* of the boot media */
	int64_t started; /* seconds since 1970 */
	int64_t authority_expires, server_expires; /* certificates; seconds since 1970 */
	const char *store_path;
	json_t *storms; /* control/alarm.h; owned */
	struct intake *intakes; /* control/evidence.h; owned */
	struct meters meters; /* without the lock */
};

/* Takes the lock, for control_leave to give back, with the catalogue brought up to date: always for an operator, who has just
 * published perhaps (`wait`); for a node if that is done within two seconds. Returns the time it is, in seconds since 1970. */
int64_t control_enter(struct control *control, bool wait);
/* The same without a look at the repository, for what doesn't need it. */
int64_t control_lock(struct control *control);
void control_leave(struct control *control);

/* The token of "Bearer TOKEN"; NULL without. */
const char *control_bearer(const char *authorization);
/* Refuses with 429 an address that showed too many wrong tokens. True when the answer is made. */
bool control_throttled(struct control *control, const struct http_call *call, struct http_answer *answer);
/* The address showed a wrong one; the first time it is too many, that is an event. Not within control_enter. */
void control_note_wrong(struct control *control, const struct http_call *call);
/* Stores an event and logs it, from a warning on as such. Within control_enter; `data` is taken over and may be NULL. 0 or -EIO. */
int control_event(struct control *control, int64_t now, const char *node, enum severity severity, const char *kind, json_t *data,
		  const char *format, ...) __attribute__((format(printf, 7, 8)));

/* A client was refused: a line for the log, unless there were many within this minute. With NULL only what was left out is told, when its
 * minute is over. From any thread. */
void control_log_refused(struct control *control, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What decisions go by, from the store. 0 or -errno; logs the cause. */
int control_load_decisions(struct control *control);
/* Stores them, within or without a transaction. 0, -ENOMEM or -EIO. */
int control_store_decisions(struct control *control, const struct decision_settings *settings);

/* Status for an error of fleet_*: 400, 404, 409 or 500. */
unsigned control_status(int error);
/* Says in place of a mere "500" what keeps the store from working: 507 for a full disk, 503 for one that can't be written. From any thread. */
void control_explain(const struct control *control, struct http_answer *answer);

#endif
