/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of this machine's TPM to the control unit's questions, for stage 1 and for the agent. */
#ifndef COMMON_ATTEST_TPM_H
#define COMMON_ATTEST_TPM_H

#include "common/attest.h"
#include "common/tpm-device.h"

#define ATTEST_FIRMWARE_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"

/* Who this TPM is: the body of POST …/attest, malloc'd. 0 or -errno with a sentence in tpm->error. */
int attest_identify(struct tpm *tpm, char **ret_body);
/* What the task wants: the body of POST …/quote, malloc'd. As above. */
int attest_prove(struct tpm *tpm, const struct attest_task *task, const struct buffer *firmware_log, json_t *events, char **ret_body);
/* Appends the firmware's own log of what it measured; nothing where there is none, or one that is too long. */
void attest_firmware_log(const char *path, struct buffer *ret_log);

#endif
