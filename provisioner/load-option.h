/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A boot entry of UEFI firmware, with no I/O (UEFI specification 2.10: EFI_LOAD_OPTION 3.1.3, device paths 10.3).
 *
 *   attributes le32 | bytes of the path le16 | description UCS-2, NUL | path | command line UCS-2, NUL
 *   path: hard drive node (4, 1) | file path node (4, 4) | end (0x7f, 0xff), each with type, subtype, length le16 */
#ifndef PROVISIONER_LOAD_OPTION_H
#define PROVISIONER_LOAD_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

/* Description of Repave's own entry. */
#define RESET_ENTRY "Repave: the verified system"

struct load_option {
	const char *description; /* printable ASCII, like the two others */
	uint32_t partition;      /* its number in the GPT, from 1 on */
	uint64_t first;          /* sectors */
	uint64_t sectors;
	uint8_t guid[16];        /* the partition's own, as it lies on the disk */
	const char *file;        /* "\\LINUX.EFI" */
	const char *cmdline;
};

/* Appends the entry. 0 or -ENOMEM. */
int load_option_format(const struct load_option *option, struct buffer *ret_data);
/* Whether an entry that may have been written by anybody has this description. */
bool load_option_is(const void *data, size_t size, const char *description);

#endif
