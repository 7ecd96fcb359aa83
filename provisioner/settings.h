/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this machine is told of its surroundings, as words of a kernel command line. */
#ifndef PROVISIONER_SETTINGS_H
#define PROVISIONER_SETTINGS_H

#include "common/bytes.h"
#include "provisioner/sentence.h"

/* The kernel command line, then the SMBIOS table's OEM strings; of equal keys the first counts. 0 or -errno with a sentence. The
 * caller releases `ret_words`. */
int settings_load(struct buffer *ret_words, char ret_error[SENTENCE]);
/* What udhcpc-script noted of the lease; empty while there is none. The caller releases `ret_words`. 0 or -ENOMEM. */
int settings_lease(struct buffer *ret_words);

#endif
