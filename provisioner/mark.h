/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mark that a started kernel arrived: the last 4 KiB of the STATE partition, which stage 2 writes with one write and stage 1
 * reads at its next start. No part of STATE's records, so that stage 2 needs to understand none of them.
 *
 *   magic "REPAVEAR" | nonce of the start, 32 hexadecimal digits | zeros */
#ifndef PROVISIONER_MARK_H
#define PROVISIONER_MARK_H

#include <stdbool.h>
#include <stdint.h>

#define MARK_SIZE 4096u
#define MARK_NONCE 32u

/* Writes and syncs it; `fd` is the partition. 0 or -errno. */
int mark_store(int fd, const char *nonce);
/* Whether it is there for the start with this nonce. */
bool mark_is(int fd, const char *nonce);

#endif
