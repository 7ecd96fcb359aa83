/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/settings.h"

#include <errno.h>
#include <string.h>

#include "common/file.h"
#include "provisioner/cmdline.h"
#include "provisioner/smbios.h"

#define CMDLINE "/proc/cmdline"
#define TABLE "/sys/firmware/dmi/tables/DMI"
#define LEASE "/run/repave/lease-words" /* udhcpc-script writes it */
#define SETTINGS_MOST (1u << 16)

static int add_smbios(struct buffer *words)
{
	struct buffer table = { 0 }, found = { 0 };
	int r = 0;

	/* A machine without SMBIOS, or with one of unusual size, has nothing to say. */
	if (file_load(TABLE, 1 << 20, &table) == 0)
		r = smbios_words(table.data, table.size, &found);
	if (r == 0 && found.size > 0)
		r = cmdline_merge(words, (const char *)found.data);
	buffer_release(&found);
	buffer_release(&table);
	return r;
}

int settings_load(struct buffer *ret_words, char ret_error[SENTENCE])
{
	struct buffer cmdline = { 0 };
	int r = file_load(CMDLINE, SETTINGS_MOST, &cmdline);

	if (r < 0)
		return sentence(ret_error, r, CMDLINE " can't be read: %s", strerror(-r));
	r = buffer_printf(ret_words, "%.*s", (int)strcspn((const char *)cmdline.data, "\n"), (const char *)cmdline.data);
	buffer_release(&cmdline);
	if (r == 0)
		r = add_smbios(ret_words);
	return r < 0 ? sentence(ret_error, r, "out of memory") : 0;
}

int settings_lease(struct buffer *ret_words)
{
	int r = file_load(LEASE, SETTINGS_MOST, ret_words);

	return r == -ENOENT ? buffer_printf(ret_words, "%s", "") : r;
}
