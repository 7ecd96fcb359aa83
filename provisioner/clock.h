/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which time to believe. Pure.
 *
 * Between the floor and the ceiling the server's own clock counts. Beyond them it is wrong for certain (an empty battery says
 * 1970, a broken one 2099), and others are asked: the control unit, whose word counts above all but the build of the boot
 * medium; then NTP servers, whom nobody vouches for, and who can't go below the floor either: metadata that was expired then
 * stays expired. */
#ifndef PROVISIONER_CLOCK_H
#define PROVISIONER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock_bounds {
	int64_t build;   /* of the boot medium: no time before it is possible */
	int64_t known;   /* the last time that STATE saw confirmed; anybody may have written it. 0: none */
	int64_t ceiling; /* the fleet's CA has expired then: no time to boot in */
};

/* The earliest time that may be right: `known` where it is possible, else `build`. */
int64_t clock_floor(const struct clock_bounds *bounds);
/* Whether a clock of no authority (RTC, NTP) may be right. */
bool clock_possible(const struct clock_bounds *bounds, int64_t now);
/* The bounds for somebody of no authority when a clock that may be right says `own`: it can be behind, but who sets it back makes
 * what has expired look fresh. */
struct clock_bounds clock_forward(const struct clock_bounds *bounds, int64_t own);
/* Whether the fleet's CA has ended, when a clock of `own` was `told` that time: by the control unit, or (not `authentic`) by
 * somebody whose word counts only if the server's clock says the same, give or take a day. */
bool clock_ca_ended(const struct clock_bounds *bounds, int64_t own, int64_t told, bool authentic);
/* Whether the control unit's word may be: STATE doesn't overrule it. */
bool clock_authentic_possible(const struct clock_bounds *bounds, int64_t now);

#endif
