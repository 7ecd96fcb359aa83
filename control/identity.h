/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may speak for a node: what is decided when a machine asks for an identity, and when it boots with one. Pure.
 *
 *   stranger ── token, allow list, approval ──> known by its key ── certificate ──> renewed
 *                                                  │ asks with another key
 *            same machine, former key silent <─────┴─────> else: waits, alarm "clone or replaced board", approval
 */
#ifndef CONTROL_IDENTITY_H
#define CONTROL_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/model.h"
#include "control/records.h"

#define CLONE_SECONDS 60 /* default of the setting */
#define CLONE_SECONDS_MOST 86400

/* The machine that asks, as it describes itself. Borrowed. */
struct machine {
	const char *serial;      /* "" when it doesn't know */
	const json_t *macs;      /* list of strings */
};

enum enrol_policy { ENROL_BY_TOKEN, ENROL_BY_APPROVAL };

/* What it showed to be let in. */
enum entry {
	ENTRY_NONE,
	ENTRY_TOKEN,             /* a token that is good now */
	ENTRY_OWN_TOKEN,         /* the token that let this very key in, whatever became of it: an answer was lost */
	ENTRY_CERTIFICATE,       /* the node's present certificate */
};

struct enrol_question {
	const struct identity *known;    /* NULL, or with an empty key: this id never enrolled */
	const struct enrolment *waiting; /* its record of an earlier question; NULL without */
	const char *key;                 /* that it asks for */
	struct machine machine;
	enum entry entry;
	bool allowed;                    /* on the allow list */
	enum enrol_policy policy;
	int64_t last_heard;              /* of the known identity, or when the control unit started: before that nobody could be heard */
	int64_t now;
	int64_t clone_seconds;
};

enum enrol_verdict {
	ENROL_ACCEPT,            /* a new node */
	ENROL_REPEAT,            /* the key that it has: another certificate for it */
	ENROL_REPLACE,           /* another key for a known node */
	ENROL_WAIT,
	ENROL_REFUSE,
};

struct enrol_decision {
	enum enrol_verdict verdict;
	bool uses_token;         /* ENTRY_TOKEN is used up by one */
	bool alarm;              /* with ENROL_WAIT: something is wrong; else it merely waits */
	const char *way;         /* for struct identity; NULL: by that token, or as it was */
	char reason[ERROR_TEXT]; /* sentence to the machine and the operator; "" without */
};

void enrol_decide(const struct enrol_question *question, struct enrol_decision *ret_decision);

/* Whether that is the machine which `known` is bound to: the same serial (or both without) and a MAC in common (or both without).
 * Else a sentence says what differs. */
bool machine_fits(const struct identity *known, const struct machine *machine, char ret_differs[ERROR_TEXT]);

/* Whether a token may be used now; else a sentence in `ret_why`. */
bool token_usable(const struct token *token, int64_t now, char ret_why[ERROR_TEXT]);

/* "token", "approve". */
const char *enrol_policy_name(enum enrol_policy policy);
int enrol_policy_parse(const char *text, enum enrol_policy *ret_policy);

#endif
