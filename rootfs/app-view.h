/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the application sees of the system: all of it read-only, but what it declares.
 *
 *   /run/app        its folder in RAM                       writable
 *   its "home"      its part of H: (app.json)               writable, as far as H: is
 *   /tmp /dev/shm   RAM of its own; nothing there can be run writable
 *   /proc           its own processes only                  as the kernel lets its account
 *   the rest        as the system has it                    read-only
 */
#ifndef ROOTFS_APP_VIEW_H
#define ROOTFS_APP_VIEW_H

/* Moves this process into a mount namespace like that. `folder` is its folder in RAM, `home` NULL or a path of app.json. What is mounted in the
 * system later (H:, when its server is back) arrives there too. Wants to be root. 0 or -errno, logged, and then the process must end. */
int app_view_enter(const char *folder, const char *home);

#endif
