/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many wrong tokens an address may show before it has to wait. From any thread; no I/O. */
#ifndef CONTROL_THROTTLE_H
#define CONTROL_THROTTLE_H

#include <stdint.h>

#define THROTTLE_MOST 10u      /* wrong tokens … */
#define THROTTLE_SECONDS 60    /* … in this time */

struct throttle;

/* NULL when out of memory. */
struct throttle *throttle_new(void);
void throttle_free(struct throttle *throttle);

/* Seconds to wait before this address may show a token again; 0: it may now. `now` is of a clock that isn't set, in seconds.
 * `address` is numeric; of IPv6 the first 64 bits count, which one host has to itself. */
unsigned throttle_wait(struct throttle *throttle, const char *address, int64_t now);
/* The address showed a wrong one. */
void throttle_note(struct throttle *throttle, const char *address, int64_t now);

#endif
