/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose is what lies on the partition H? The last 64 KiB belong to no file system; their first 512 bytes are Repave's mark, padded with
 * zeros:
 *
 *   "REPAVEH1" "making"                 a file system is begun
 *   "REPAVEH1" "made"                   it is on the disk whole
 *   "REPAVEH1" "locking SECTOR CHECK"   what is before the last 64 KiB becomes a ciphertext (provisioner/dmcrypt.h)
 *   "REPAVEH1" "locked SECTOR CHECK"    it is one; within it lies the same again, with a mark of its own
 *
 * SECTOR: 512 or 4096, the bytes that are encrypted at a time. CHECK: 64 hexadecimal digits that tell the right key from another one.
 * What a power cut leaves half made is made again, and what has no mark is somebody else's unless it is blank. */
#ifndef COMMON_HOME_DISK_H
#define COMMON_HOME_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define HOME_TAIL (64u << 10)
#define HOME_HEAD (1u << 20)
#define HOME_MARK_SIZE 512u
#define HOME_CHECK_SIZE 32u

enum home_content { HOME_CONTENT_BLANK, HOME_CONTENT_HALF_MADE, HOME_CONTENT_MADE, HOME_CONTENT_HALF_LOCKED, HOME_CONTENT_LOCKED,
		    HOME_CONTENT_FOREIGN };

struct home_lock {
	uint32_t sector;                 /* 512 or 4096 */
	uint8_t check[HOME_CHECK_SIZE];
};

/* Pure. A mark as it lies on the disk; false: it is none. `ret_lock` is filled for what is locked, whole or half. */
bool home_mark_parse(const uint8_t mark[HOME_MARK_SIZE], enum home_content *ret_content, struct home_lock *ret_lock);

/* Only reads. Blank is what is zero in its first MiB and in its last 64 KiB. `ret_lock` may be NULL. 0 or -errno. */
int home_disk_look(int fd, uint64_t size, enum home_content *ret_content, struct home_lock *ret_lock);
/* Writes the mark, synced; `lock` for HOME_CONTENT_HALF_LOCKED and HOME_CONTENT_LOCKED only. 0 or -errno. */
int home_disk_mark(int fd, uint64_t size, enum home_content content, const struct home_lock *lock);
/* Makes it look blank: zeros in its first MiB and its last 64 KiB, synced. 0 or -errno. */
int home_disk_blank(int fd, uint64_t size);

#endif
