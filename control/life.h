/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A node's life: what it is for the fleet, and what moves it. Pure; control/lifecycle.h stores it and tells of it.
 *
 *   enrolled ──asked──> booting ──healthy──> serving <──undrain── draining
 *                        ^  ^                 │  │ └─────drain─────> ^
 *              take, clear  └──asked── rebooting <┴──reboot, off─────┘
 *                        │
 *             spare <──release── any but failed, quarantined, maintenance
 *
 *   serving, draining, booting ──silent (3 intervals), unhealthy──> suspect ──lost (6 intervals)──> failed
 *          ^ └───────────────────────────lost, boot failed────────────────────────────────────────> ^ │
 *          └──healthy, heard (twice in a row)─────────────────────── suspect, failed <────────────────┘
 *
 *   any ──quarantine──> quarantined      any but quarantined ──maintenance──> maintenance
 *   failed, quarantined, maintenance ──clear (a person)──> booting
 *
 * A boot request is no silence: whatever asks what to boot is booting, but for a spare and what a person set aside (quarantined,
 * maintenance), which stay what they are. `suspect` and `failed` remember what the node was, and it becomes that again. A machine
 * that waits for approval has no record yet: it is unknown. */
#ifndef CONTROL_LIFE_H
#define CONTROL_LIFE_H

#define SILENT_INTERVALS 3
#define LOST_INTERVALS 6
#define STATUSES_TO_RETURN 2u   /* in a row, from suspect and failed */
#define STATUSES_TO_SUSPECT 3u  /* unhealthy ones in a row */

enum life_state {
	LIFE_ENROLLED,     /* has an identity, and never asked what to boot */
	LIFE_BOOTING,      /* asked; until the agent of that boot says that it is healthy */
	LIFE_SERVING,
	LIFE_DRAINING,     /* gets no new users */
	LIFE_REBOOTING,    /* told to stop, or its power was used; until it asks what to boot */
	LIFE_SPARE,        /* kept free; on or off */
	LIFE_SUSPECT,      /* silent, or its application is unhealthy */
	LIFE_FAILED,       /* silent for long, or its boot failed */
	LIFE_QUARANTINED,
	LIFE_MAINTENANCE,
	LIFE_STATES
};

enum life_cause {
	LIFE_ASKED,        /* boot request */
	LIFE_HEALTHY,      /* its agent says that the application is, or that there is nothing to check */
	LIFE_UNHEALTHY,
	LIFE_HEARD,        /* its agent can't say yet */
	LIFE_SILENT,
	LIFE_LOST,
	LIFE_BOOT_FAILED,  /* stage 1 said so */
	LIFE_DRAIN,
	LIFE_UNDRAIN,
	LIFE_REBOOT,
	LIFE_OFF,
	LIFE_RELEASE,      /* it becomes a spare */
	LIFE_TAKE,         /* a spare gets work */
	LIFE_QUARANTINE,
	LIFE_MAINTAIN,
	LIFE_CLEAR,
	LIFE_CAUSES
};

struct life {
	enum life_state state;
	enum life_state before; /* what it was, of a suspect or failed one; else without meaning */
};

/* 0 with the life moved, which may leave it as it is; -EINVAL when nobody may do that in this state. */
int life_move(struct life *life, enum life_cause cause);

/* "enrolled" … "maintenance". */
const char *life_name(enum life_state state);
/* 0 or -EINVAL. */
int life_parse(const char *text, enum life_state *ret_state);

#endif
