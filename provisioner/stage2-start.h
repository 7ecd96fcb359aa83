/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stage 2 does about the way in which it was started: it says that it arrived, and after a reset it opens the sealed
 * configuration and leaves nothing that could be started again. */
#ifndef PROVISIONER_STAGE2_START_H
#define PROVISIONER_STAGE2_START_H

#include "provisioner/blockdev.h"
#include "provisioner/cmdline.h"
#include "provisioner/sentence.h"

/* Marks this start as arrived in STATE. The disk is there already. 0 or -errno. */
int start_leave_mark(const struct boot_start *start, char ret_error[SENTENCE]);
/* Takes the key from the firmware, removes it there, and unpacks /repave/sealed. 0 or -errno. */
int start_open_config(char ret_error[SENTENCE]);
/* Empties the ESP and removes the firmware's boot entry. 0 or -errno. */
int start_clear_esp(const struct boot_start *start, char ret_error[SENTENCE]);

#endif
