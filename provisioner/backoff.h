/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long to wait before the next try: doubling, bounded, and different on each server, so that a fleet whose control unit
 * comes back doesn't ask in one moment. */
#ifndef PROVISIONER_BACKOFF_H
#define PROVISIONER_BACKOFF_H

#define BACKOFF_MOST 60u

/* Seconds before try number `try` (1: the first repetition): 1, 2, 4 … BACKOFF_MOST, each shortened by up to a half. At least 1. */
unsigned backoff_seconds(unsigned try);

#endif
