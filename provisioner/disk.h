/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server's disk: which one, is it ours, and making it ours. A disk with anything foreign on it is only ever read, unless
 * the assignment says wipe. */
#ifndef PROVISIONER_DISK_H
#define PROVISIONER_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "provisioner/blockdev.h"
#include "provisioner/gpt.h"
#include "provisioner/sentence.h"

enum disk_content {
	DISK_OURS,
	DISK_DAMAGED, /* ours, by the copy of its table that is sound: disk_mend */
	DISK_BLANK,
	DISK_FOREIGN,
	DISK_MEDIUM,  /* Repave's boot medium: stage 1 comes from there */
};

struct disk {
	bool in_ram;             /* this server has no disk: slots are files in RAM (ram.h), and nothing below counts */
	bool found;              /* a disk with our table; else nothing below counts */
	bool damaged;            /* one copy of that table isn't sound, or differs from the other */
	bool read_only;          /* it is ours, and nothing can be written to it: what is complete on it can boot */
	char name[BLOCKDEV_NAME];
	uint64_t size;
	struct gpt gpt;
	const struct gpt_entry *parts[PARTS]; /* into gpt */
};

struct disk_needs {
	uint64_t slot_c_mib;
	uint64_t slot_d_mib;
	bool wipe;               /* the assignment allows to destroy what is foreign */
	bool uefi;               /* the firmware could start a system from an ESP */
	bool reset;              /* and is to: with `wipe`, a disk of ours without an ESP is laid out anew too */
	const char *node;        /* for the message's next step */
};

/* Only reads. What is on an open disk of `size` bytes; `ret_gpt` is filled when it is ours (damaged or not), `ret_what` (64 bytes)
 * says what a foreign one holds. A copy of the table counts as damaged, and not as somebody else's, as long as no more than a few
 * bytes differ from what the other copy says, besides sectors that are zero or can't be read. -errno when it can't be read. */
int disk_look(int fd, uint64_t size, struct gpt *ret_gpt, char ret_what[64]);

/* Only reads. The first disk that is ours; `found` is false when there is none. */
void disk_find(struct disk *ret_disk);

/* Writes both copies of a damaged table, and has the kernel read it; nothing on the disk may be open. 0 or -errno with a sentence. */
int disk_mend(struct disk *disk, char ret_error[SENTENCE]);
/* The writing part of it, on an open disk. 0 or -errno. */
int disk_mend_table(int fd, const struct disk *disk);

/* Makes sure there is a disk of ours: takes disk_find's, else lays out the first blank one, else (with wipe) the first
 * foreign one that is large enough; a boot medium of ours never. Our own disk is laid out anew only with wipe and when its slots aren't as large as
 * needed, or it has no ESP and one is needed; else it gets an ESP where there is free room. The caller has closed everything on it. `ret_made` tells that a new table was written.
 * 0; -ENODEV (none), -EROFS, -EIO (it can't be read, or not be written), -ENOSPC, -EMEDIUMTYPE (foreign), with a sentence; nothing is
 * changed then, but for what a disk that fails in the middle has taken. */
int disk_prepare(struct disk *disk, const struct disk_needs *needs, bool *ret_made, char ret_error[SENTENCE]);

/* Pure: the text that refuses a foreign disk. Returns -EMEDIUMTYPE. */
int disk_refuse(const char *name, uint64_t size, const char *what, const char *node, char ret_error[SENTENCE]);

/* Writes a new table to an open disk: first and last MiB, the STATE records, and the ends of H are wiped. `disk->size` is set; fills the
 * rest. 0, -ENOSPC or -errno, with a sentence. */
int disk_write_table(int fd, struct disk *disk, const struct disk_needs *needs, char ret_error[SENTENCE]);

/* Opens a partition for reading and, unless the disk is read-only, for writing. 0 or -errno with a sentence; the caller closes `ret_fd`. `ret_path` is its node. */
int disk_open_part(const struct disk *disk, enum part part, int *ret_fd, uint64_t *ret_size,
		   char ret_path[BLOCKDEV_NAME + 8], char ret_error[SENTENCE]);

#endif
