/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/dmverity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "provisioner/devmapper.h"

int dmverity_table(const char *device, const struct boot_slot *slot, enum on_corruption answer, char *ret_text, size_t room)
{
	static const char *const answers[] = { [CORRUPTION_EIO] = "", [CORRUPTION_PANIC] = " 1 panic_on_corruption",
					       [CORRUPTION_RESTART] = " 1 restart_on_corruption" };
	char root[65], salt[2 * BOOT_SALT_MOST + 1] = "-";
	int n;

	hex_format(slot->root_hash, sizeof(slot->root_hash), root);
	if (slot->salt_size > 0)
		hex_format(slot->salt, slot->salt_size, salt);
	/* The tree starts one block after the superblock. */
	n = snprintf(ret_text, room, "1 %s %s 4096 4096 %" PRIu64 " %" PRIu64 " sha256 %s %s%s", device, device,
		     slot->data_blocks, slot->data_blocks + 1, root, salt, answers[answer]);
	return n > 0 && (size_t)n < room ? 0 : -ENOSPC;
}

int dmverity_open(const char *name, const char *device, const struct boot_slot *slot, enum on_corruption answer)
{
	char number[32], table[DEVMAPPER_TABLE_MOST];
	int r = devmapper_number(device, number);

	if (r == 0)
		r = dmverity_table(number, slot, answer, table, sizeof(table));
	return r == 0 ? devmapper_open(name, true, "verity", slot->data_blocks * (4096 / 512), table) : r;
}

int dmverity_close(const char *name)
{
	return devmapper_close(name);
}
