/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kernel that stopped wrote down before it did: pstore of Linux, kept by EFI variables, ERST or reserved RAM
 * (Documentation/ABI/testing/pstore). Whoever was root in that system could have written it: text to show, and no more. */
#ifndef PROVISIONER_PSTORE_H
#define PROVISIONER_PSTORE_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

#define PSTORE_FOLDER "/sys/fs/pstore"
#define CRASH_REASON 240u /* characters, the final NUL included */

/* Pure. Why the kernel stopped, from a part of its log: the last line that says so, and what dm-verity found before it. Visible
 * ASCII and spaces only. 0 or -ENOENT. */
int crash_reason(const char *text, size_t size, char ret_reason[CRASH_REASON]);

/* The reason in the newest record of the folder that has one. 0; -ENOENT without any. */
int pstore_reason(const char *folder, char ret_reason[CRASH_REASON]);
#define CRASH_RECORDS 32u
struct crash_record {
	int64_t time;          /* seconds since 1970, of the file */
	unsigned number, part; /* "Panic#2 Part1": parts are counted from the end of the log */
	const char *text;      /* behind that line; borrowed */
	size_t size;
};

/* Pure. Splits a record's first line off. A record without one is part 1 of number 0. */
void crash_record_parse(const char *text, size_t size, struct crash_record *ret_record);
/* Pure. The records as one text in the order in which it was said, the last CRASH_TEXT_MOST bytes of it, printable ASCII. Sorts `records`. 0,
 * -ENOENT for no text, or -ENOMEM. */
#define CRASH_TEXT_MOST (48u << 10)
int crash_text(struct crash_record *records, size_t count, struct buffer *ret_text);
/* The same of the folder. 0; -ENOENT without any. */
int pstore_text(const char *folder, struct buffer *ret_text);
/* Removes all records of kernel logs: the room for them is small. */
void pstore_clear(const char *folder);

#endif
