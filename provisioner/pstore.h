/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kernel that stopped wrote down before it did: pstore of Linux, kept by EFI variables, ERST or reserved RAM
 * (Documentation/ABI/testing/pstore). Whoever was root in that system could have written it: text to show, and no more. */
#ifndef PROVISIONER_PSTORE_H
#define PROVISIONER_PSTORE_H

#include <stddef.h>

#define PSTORE_FOLDER "/sys/fs/pstore"
#define CRASH_REASON 240u /* characters, the final NUL included */

/* Pure. Why the kernel stopped, from a part of its log: the last line that says so, and what dm-verity found before it. Visible
 * ASCII and spaces only. 0 or -ENOENT. */
int crash_reason(const char *text, size_t size, char ret_reason[CRASH_REASON]);

/* The reason in the newest record of the folder that has one. 0; -ENOENT without any. */
int pstore_reason(const char *folder, char ret_reason[CRASH_REASON]);
/* Removes all records of kernel logs: the room for them is small. */
void pstore_clear(const char *folder);

#endif
