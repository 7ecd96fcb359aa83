/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hardware watchdog (Documentation/watchdog/watchdog-api.rst of Linux). */
#ifndef PROVISIONER_WATCHDOG_H
#define PROVISIONER_WATCHDOG_H

/* Arms it: without a pat for `seconds` (or the most that this hardware knows, if that is less) the machine is reset.
 * Returns a file descriptor to pat and to close; -ENOENT without such hardware, -EBUSY when another program has it, or -errno. */
int watchdog_open(unsigned seconds);
void watchdog_pat(int fd);
/* Closes it and leaves it running: whoever comes next must open it in time. */
void watchdog_leave(int fd);

#endif
