/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OEM strings of the SMBIOS table (DSP0134, structure type 11) that begin with "repave.": what a machine's owner or a
 * hypervisor says to stage 1 without a boot medium of its own. They say where, as the kernel command line does, never whom to
 * trust. Pure. */
#ifndef PROVISIONER_SMBIOS_H
#define PROVISIONER_SMBIOS_H

#include <stddef.h>

#include "common/bytes.h"

#define SMBIOS_WORD_MOST 256u

/* `table` is /sys/firmware/dmi/tables/DMI. Appends the words to `ret_words`, separated by spaces; of equal keys the first.
 * What isn't sound is left out. 0 or -ENOMEM. */
int smbios_words(const uint8_t *table, size_t size, struct buffer *ret_words);

#endif
