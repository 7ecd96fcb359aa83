/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is remembered of a node's proofs: control/attest-record.h changed, stored and told of. All within control_enter. */
#ifndef CONTROL_ATTEST_STATE_H
#define CONTROL_ATTEST_STATE_H

#include "control/attest-record.h"
#include "control/attest-request.h"
#include "control/control.h"
#include "control/tpm-judge.h"

/* A copy of what is known, to change; NULL when out of memory. attest_state_keep takes it over: stores it unless `store` is false, and makes it what is
 * known. 0, -ENOMEM or -EIO. */
json_t *attest_state_edit(const struct node *node);
int attest_state_keep(struct control *control, struct node *node, json_t *state, bool store);

/* Notes which TPM the node shows; in memory. 0 or -ENOMEM. */
int attest_state_offered(struct attest_record *record, const char *ek, int64_t now);
/* What came of a proof; `session` and `request` NULL where it ended before the quote. Stored, and told where it is news. 0, -ENOMEM or -EIO. */
int attest_state_take(struct control *control, struct node *node, enum attest_side side, const struct judgement *judgement,
		      const struct attest_session *session, const struct quote_request *request, int64_t now);

/* The attestation key that stage 1 proved in the boot with this nonce. 0 or -ENOENT. */
int attest_state_boot_key(const struct attest_record *record, const char *nonce, struct tpm_public *ret_ak);
/* What was proved in that boot and given to it. 0 or -ENOENT. */
int attest_state_boot(const struct attest_record *record, uint8_t ret_values[PCRS][TPM_DIGEST], struct judge_assigned *ret_assigned,
		      uint64_t *ret_resets, uint64_t *ret_restarts);

#endif
