/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a service manager is told, as sd_notify(3) of systemd describes it: lines NAME=VALUE in a datagram to the socket that
 * $NOTIFY_SOCKET names. Does nothing for who started the daemon otherwise. */
#ifndef CONTROL_NOTIFY_H
#define CONTROL_NOTIFY_H

#include <stdint.h>

/* 1 when it was sent, 0 when nobody asked for it, or -errno. */
int notify_manager(const char *lines);
/* How often to send WATCHDOG=1, in nanoseconds: half of what $WATCHDOG_USEC allows; 0 when nobody asked for it. */
int64_t notify_watchdog(void);

#endif
