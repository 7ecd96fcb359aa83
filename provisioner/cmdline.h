/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel command line between stage 1 and stage 2, with no I/O:
 *
 *   console=… IMAGE'S OWN repave.node=ID repave.assignment=N repave.health=SECONDS [repave.corruption=restart]
 *   repave.c=PARTUUID:DATA_BLOCKS:ROOTHASH:SALT [repave.d=…] */
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

/* Copies the value of the word `key=value` to `ret_value` (`room` bytes with the NUL).
 * 0; -ENOENT; -EINVAL when the word is there twice; -ENOSPC. */
int cmdline_value(const char *cmdline, const char *key, char *ret_value, size_t room);

/* Parses `repave.c=…` (`key` "repave.c"). 0; -ENOENT when absent; -EINVAL when it isn't sound or is there twice. */
int cmdline_boot_slot(const char *cmdline, const char *key, struct boot_slot *ret_slot);
/* Appends " key=PARTUUID:…". 0 or -ENOMEM. */
int cmdline_add_boot_slot(struct buffer *cmdline, const char *key, const struct boot_slot *slot);

/* Appends the words of `more` whose key `cmdline` doesn't have yet. 0 or -ENOMEM. */
int cmdline_merge(struct buffer *cmdline, const char *more);

/* Appends every `console=…` word of `from`, separated by spaces. 0 or -ENOMEM. */
int cmdline_add_consoles(struct buffer *cmdline, const char *from);

#endif
