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

static int add_lease(struct buffer *words)
{
	static const char *const allowed[] = { "repave.cu", "repave.ntp" };
	struct buffer lease = { 0 };
	char value[2048];
	int r = 0;

	if (file_load(LEASE, SETTINGS_MOST, &lease) < 0)
		return 0;
	for (size_t i = 0; r == 0 && i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		struct buffer word = { 0 };

		if (cmdline_value((const char *)lease.data, allowed[i], value, sizeof(value)) != 0)
			continue;
		r = buffer_printf(&word, "%s=%s", allowed[i], value);
		if (r == 0)
			r = cmdline_merge(words, (const char *)word.data);
		buffer_release(&word);
	}
	buffer_release(&lease);
	return r;
}

int settings_load(bool with_dhcp, struct buffer *ret_words, char ret_error[SENTENCE])
{
	struct buffer cmdline = { 0 };
	int r = file_load(CMDLINE, SETTINGS_MOST, &cmdline);

	if (r < 0)
		return sentence(ret_error, r, CMDLINE " can't be read: %s", strerror(-r));
	r = buffer_printf(ret_words, "%.*s", (int)strcspn((const char *)cmdline.data, "\n"), (const char *)cmdline.data);
	buffer_release(&cmdline);
	if (r == 0)
		r = add_smbios(ret_words);
	if (r == 0 && with_dhcp)
		r = add_lease(ret_words);
	return r < 0 ? sentence(ret_error, r, "out of memory") : 0;
}
