/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel command line between stage 1 and stage 2, with no I/O:
 *
 *   console=… IMAGE'S OWN repave.node=ID repave.assignment=N repave.health=SECONDS [repave.corruption=restart] [repave.watchdog=SECONDS]
 *   [repave.start=kexec|reset:NONCE:PARTUUID OF STATE:PARTUUID OF THE ESP OR -] repave.c=PARTUUID:DATA_BLOCKS:ROOTHASH:SALT
 *   [repave.d=…] */
#ifndef PROVISIONER_CMDLINE_H
#define PROVISIONER_CMDLINE_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

/* COMMAND_LINE_SIZE of x86: the kernel cuts what is longer. */
#define CMDLINE_MOST 2047u
#define BOOT_SALT_MOST 256u

struct boot_slot {
	char partuuid[37]; /* lower case; or "ram" */
	uint64_t data_blocks;
	uint8_t root_hash[32];
	uint8_t salt[BOOT_SALT_MOST];
	uint32_t salt_size;
};

/* How the system comes into being: the running kernel jumps into its kernel, or the firmware starts it after a reset. */
enum start_way { START_KEXEC, START_RESET };

/* One start: what stage 2 has to know to say that it arrived, and to remove what a reset left. */
struct boot_start {
	enum start_way way;
	char nonce[33];    /* 32 hexadecimal digits */
	char state[37];    /* the partition that gets the mark (mark.h) */
	char esp[37];      /* with a reset: where the firmware took the kernel from; else "-" */
};

/* "kexec" or "reset". */
const char *start_way_name(enum start_way way);
/* 0 or -EINVAL. */
int start_way_parse(const char *text, enum start_way *ret_way);

/* Copies the value of the word `key=value` to `ret_value` (`room` bytes with the NUL).
 * 0; -ENOENT; -EINVAL when the word is there twice; -ENOSPC. */
int cmdline_value(const char *cmdline, const char *key, char *ret_value, size_t room);

/* Parses `repave.c=…` (`key` "repave.c"). 0; -ENOENT when absent; -EINVAL when it isn't sound or is there twice. */
int cmdline_boot_slot(const char *cmdline, const char *key, struct boot_slot *ret_slot);
/* Appends " key=PARTUUID:…". 0 or -ENOMEM. */
int cmdline_add_boot_slot(struct buffer *cmdline, const char *key, const struct boot_slot *slot);

/* The same for `repave.start=…`. */
int cmdline_boot_start(const char *cmdline, struct boot_start *ret_start);
/* Appends " repave.start=…". 0 or -ENOMEM. */
int cmdline_add_boot_start(struct buffer *cmdline, const struct boot_start *start);

/* Appends the words of `more` whose key `cmdline` doesn't have yet. 0 or -ENOMEM. */
int cmdline_merge(struct buffer *cmdline, const char *more);

/* Appends every `console=…` word of `from`, separated by spaces. 0 or -ENOMEM. */
int cmdline_add_consoles(struct buffer *cmdline, const char *from);

#endif
