/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose is what lies on the partition H? The last 64 KiB belong to no file system; their first 512 bytes are Repave's mark:
 *
 *   "REPAVEH1" | "making" or "made", padded with zeros to 512 bytes
 *
 * `making` stands there before a file system is begun, `made` once it is on the disk whole: what a power cut leaves half made
 * is made again, and what has no mark is somebody else's unless it is blank. */
#ifndef ROOTFS_HOME_DISK_H
#define ROOTFS_HOME_DISK_H

#include <stdint.h>

#define HOME_TAIL (64u << 10)
#define HOME_HEAD (1u << 20)

enum home_content { HOME_CONTENT_BLANK, HOME_CONTENT_HALF_MADE, HOME_CONTENT_MADE, HOME_CONTENT_FOREIGN };

/* Only reads. Blank is what is zero in its first MiB and in its last 64 KiB. 0 or -errno. */
int home_disk_look(int fd, uint64_t size, enum home_content *ret_content);
/* Writes the mark, synced. HOME_CONTENT_HALF_MADE or HOME_CONTENT_MADE. 0 or -errno. */
int home_disk_mark(int fd, uint64_t size, enum home_content content);

#endif
