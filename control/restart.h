/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A node's way from its present users to its next boot and back into service. Pure: what is seen in, what is to be done out.
 *
 *   replace ─> drain ─> release ─> shutdown ─> select ─> boot ─> healthy ─> ready ─> done
 *      │         │         │           └───────────┴────────┴────────┴────────┴────> failed
 *      └─────────┴─────────┴──> cancelled, and the node takes new users again
 *
 * replace   as many others as the group's minimum must be there for new users, and one at least: other servers of the group, a spare
 *           that is started first, or one whose own restart is waited for. Where that can't be: of a group without a minimum new
 *           users are denied, of one with a minimum the restart waits until it is evict
 * drain     the balancer sends nobody new
 * release   present users leave: by themselves (wait), asked to (notify), to another server (handover), thrown out (evict)
 * evidence  only of a cut, where it is wanted: the agent gathers what its power takes away
 * shutdown  asked of the agent, done out of band when that has no effect, and verified
 * select    what it boots next
 * boot      stage 1 asks, and installs
 * healthy   the agent of the new boot says that the application is
 * ready     the balancer sends users again
 *
 * A cut begins with its drain, by which its users are thrown out, and its shutdown is its power, out of band, without a word to the
 * system. Where there is none, the agent resets it. One that can't be cut off is quarantined.
 */
#ifndef CONTROL_RESTART_H
#define CONTROL_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "control/names.h"

enum restart_kind {
	RESTART_REBOOT,
	RESTART_REIMAGE,            /* the same, and every block of the slots is checked */
	RESTART_RELEASE,            /* ends when nobody is left: the node is a spare then */
	RESTART_CUT,                /* for an alarm: off at once, nobody is asked; then as a reimage */
};

enum restart_step {
	RESTART_AT_REPLACE, RESTART_AT_DRAIN, RESTART_AT_RELEASE, RESTART_AT_EVIDENCE, RESTART_AT_SHUTDOWN, RESTART_AT_SELECT, RESTART_AT_BOOT, RESTART_AT_HEALTHY, RESTART_AT_READY,
	RESTART_DONE, RESTART_CANCELLED, RESTART_FAILED,
};

enum restart_urgency { URGENCY_WAIT, URGENCY_NOTIFY, URGENCY_HANDOVER, URGENCY_EVICT };

/* What a restart may last, in milliseconds. */
struct restart_limits {
	int64_t grace;           /* from a request to leave until users are thrown out; with URGENCY_WAIT nobody is, unless `grace_given` */
	bool grace_given;
	int64_t notice;          /* between two requests to leave */
	int64_t spare;           /* for a spare to serve */
	int64_t drain;           /* for the balancer to obey */
	int64_t evict;           /* for users that are thrown out to be gone */
	int64_t stop;            /* for the agent's shutdown to have an effect */
	int64_t power;           /* for a power action to have one */
	int64_t boot;            /* from the shutdown until the new system was started */
	int64_t health;          /* from then on until its agent says healthy */
	int64_t ready;           /* for the balancer to see it */
	int64_t evidence;        /* for the agent to send it, before a cut; 0: none is wanted */
};
extern const struct restart_limits restart_limits_default;

struct restart {
	enum restart_kind kind;
	enum restart_urgency urgency;
	struct restart_limits limits;
	enum restart_step step;
	int64_t since;           /* when this step began; milliseconds by a clock that never jumps, as all times here */
	int64_t asked;           /* when users were asked to leave first; 0: not yet */
	int64_t noticed;         /* last; of a cut: when its agent was told to reset it */
	int64_t acted;           /* when the last thing was done about the power, or the users were thrown out; 0: not yet */
	unsigned tries;          /* of that */
	int64_t failing;         /* since when its boots fail; 0: they don't */
	bool forced;             /* below the group's minimum, too: a person said so */
	bool took_spare, denied; /* so that it is undone */
	char error[ERROR_TEXT];  /* with RESTART_FAILED */
};

#define RESTART_ENOUGH UINT32_MAX

enum spare_seen { SPARE_NONE, SPARE_FREE, SPARE_COMING, SPARE_SERVING };
enum power_seen { POWER_SEEN_ABSENT, POWER_SEEN_UNKNOWN, POWER_SEEN_BUSY, POWER_SEEN_ON, POWER_SEEN_OFF };

/* What is seen of the node and its group. */
struct restart_view {
	int64_t now;
	bool has_service;        /* it is of a group whose users come through a balancer */
	unsigned alternatives;   /* other nodes of its group that take new users; RESTART_ENOUGH when it takes none itself, or nobody counts */
	unsigned minimum;        /* of the group */
	bool others_return;      /* another node of that group is on its own restart, and will take users again */
	bool unsettled;          /* the control unit has just started: who takes users isn't known yet */
	bool balancer_gone;      /* not every HAProxy answers: who is at the node isn't known */
	enum spare_seen spare;   /* free: there is one that could be taken; else what became of the one that was */
	bool drained;            /* the balancer sends nobody new to it, or doesn't know it */
	bool balancing;          /* the balancer sends users to it */
	bool reporting;          /* its agent reports from the boot that is to end */
	bool returning;          /* the control unit has just started: agents come back, and nobody knows yet which */
	bool users_known;        /* the next figure is fresh, or nobody is left who could tell it */
	uint64_t users;          /* sessions and log-ins */
	bool refused;            /* the agent refused the order, or failed */
	bool expired;            /* the order expired before the agent said anything */
	bool evidence_over;      /* the agent has sent it, or nobody will */
	bool asked;              /* stage 1 asked what to boot since the restart began */
	bool started;            /* and has started the system since */
	bool failing;            /* its last try to boot failed, or it asks again without having started, or has to wait */
	bool healthy;
	enum power_seen power;
};

/* What is to be done now; bits. */
enum restart_deed {
	DO_TAKE_SPARE = 1, DO_DENY = 2, DO_ALLOW = 4, DO_DRAIN = 8, DO_UNDRAIN = 16, DO_NOTICE = 32, DO_EVICT = 64, DO_SHUTDOWN = 128,
	DO_REBOOT = 256, DO_POWER_LOOK = 512, DO_POWER_OFF = 1024, DO_POWER_ON = 2048, DO_POWER_RESET = 4096, DO_SELECT = 8192,
	DO_RELEASE_SPARE = 16384, DO_BECOME_SPARE = 32768, DO_GIVE_UP = 65536,
	DO_TELL_SHORT = 131072,     /* fewer than the group's minimum will be there */
	DO_CUT = 262144,            /* its users are thrown out, and evidence is asked for */
	DO_RESET = 524288,          /* the agent restarts the machine, at once */
	DO_QUARANTINE = 1048576,
	DO_NOTE_OFF = 2097152,      /* its power is off: until it boots nobody misses its agent */
};

void restart_begin(struct restart *restart, enum restart_kind kind, enum restart_urgency urgency, const struct restart_limits *limits, int64_t now);
/* One look: moves on as far as what is seen allows, one step at most, and returns the deeds. At DO_SELECT the next look supposes that
 * it was done. */
unsigned restart_look(struct restart *restart, const struct restart_view *view);
/* What it waits for, as a sentence for people; "" when it is about to go on, or has ended. */
const char *restart_waits(const struct restart *restart, const struct restart_view *view);
bool restart_has_ended(const struct restart *restart);
/* Ends it before the shutdown; returns the deeds. -EBUSY when it is too late for that. */
int restart_cancel(struct restart *restart, int64_t now, unsigned *ret_deeds);
/* More or less urgent from now on. -EBUSY when nobody is left to be hurried. */
int restart_hurry(struct restart *restart, enum restart_urgency urgency, int64_t now);

/* "replace" … "failed"; "reboot"…; "wait" … */
const char *restart_step_name(enum restart_step step);
const char *restart_kind_name(enum restart_kind kind);
const char *restart_urgency_name(enum restart_urgency urgency);
/* 0 or -EINVAL. */
int restart_step_parse(const char *text, enum restart_step *ret_step);
int restart_kind_parse(const char *text, enum restart_kind *ret_kind);
int restart_urgency_parse(const char *text, enum restart_urgency *ret_urgency);

#endif
