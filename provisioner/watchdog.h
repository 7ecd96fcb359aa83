/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hardware watchdog (Documentation/watchdog/watchdog-api.rst of Linux). */
#ifndef PROVISIONER_WATCHDOG_H
#define PROVISIONER_WATCHDOG_H

#define WATCHDOG_SECONDS 120u
#define WATCHDOG_SECONDS_LEAST 20u /* an OS pats it every 5 s, and its kernel must come up in that time */
#define WATCHDOG_SECONDS_MOST 3600u

/* What `repave.watchdog` of a kernel command line says, else WATCHDOG_SECONDS. 0: leave it alone. */
unsigned watchdog_seconds(const char *cmdline);

/* Arms it: without a pat for `seconds` (or the most that this hardware knows, if that is less) the machine is reset.
 * Returns a file descriptor to pat and to close; -ENOENT without such hardware, -EBUSY when another program has it, or -errno. */
int watchdog_open(unsigned seconds);
void watchdog_pat(int fd);
/* Closes it and leaves it running: whoever comes next must open it in time. */
void watchdog_leave(int fd);

/* In stage 1: ends the program that pats it, which stops it. Takes up to a second. Nothing where none runs. */
void watchdog_stop(void);

#endif
