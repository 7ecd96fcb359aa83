/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nodes prove by their TPM what they run. All within control_enter.
 *
 *   stage 1  attest ──> TPM known? (authority, allow list) bound to no other node? ──> nonce, and a secret that only that TPM opens
 *            quote  ──> secret, nonce, signature, values, firmware's log, expected sets ──> level (control/tpm-judge.h)
 *            boot   ──> attestation_admits: under "required" no assignment without a proof of the last minutes
 *   agent    attest, quote ──> the same key and boot, PCR 8 as assigned
 */
#ifndef CONTROL_ATTESTATION_H
#define CONTROL_ATTESTATION_H

#include "control/attest-record.h"
#include "control/attest-request.h"
#include "control/control.h"
#include "control/tpm-judge.h"

/* What is stored of the nodes. 0 or -errno; logs the cause. */
int attestation_load(struct control *control);

/* Calls of an admitted node or agent; they make the whole answer. */
void attestation_begin(struct control *control, struct node *node, const struct attest_request *request, int64_t now, struct http_answer *answer);
void attestation_begin_system(struct node *node, int64_t now, struct http_answer *answer);
void attestation_quote(struct control *control, struct node *node, enum attest_side side, const struct quote_request *request, int64_t now,
		       struct http_answer *answer);

/* Another node that is bound to the TPM with this fingerprint, or NULL. */
const struct node *attestation_holder(const struct control *control, const struct node *node, const char *ek);

/* Before an assignment. False with a sentence: the node's group asks for a proof, and there is none. `session` may be "". */
bool attestation_admits(struct control *control, const struct node *node, const char *session, int64_t now, char ret_error[ERROR_TEXT]);
/* Before its word counts for more than an assignment: as above, and also where the node is bound to a TPM, whatever its group asks for. */
bool attestation_believes(struct control *control, const struct node *node, const char *session, int64_t now, char ret_error[ERROR_TEXT]);
/* Whether the session proved that the node is what it should be, for a boot that begins now. */
bool attestation_proved(const struct node *node, const char *session, int64_t now);
/* The node was told what it boots: what its agent will have to prove; without a proof of this boot it counts as unattested from now on. 0, -ENOMEM or
 * -EIO. */
int attestation_boots(struct control *control, struct node *node, const char *session, const char *nonce, int64_t now);
enum attest_policy attestation_policy(const struct control *control, const struct node *node);

/* An operator allows the TPM that the node showed last, in the place of the one that it is bound to. 0 with its fingerprint; -ENOENT or
 * -EBUSY with a sentence; -EIO. */
int attestation_allow(struct control *control, struct node *node, const char *note, int64_t now, char ret_ek[DIGEST_TEXT + 1],
		      char ret_error[ERROR_TEXT]);
/* An operator accepts the firmware as it was in the node's last quote. 0; -ENOENT with a sentence; -EIO. */
int attestation_accept(struct control *control, struct node *node, int64_t now, char ret_error[ERROR_TEXT]);

/* What it proved last; LEVEL_NONE for a node that has shown no TPM. */
enum attest_level attestation_level(const struct node *node);
/* For people and programs. A new reference. */
json_t *attestation_describe(const struct control *control, const struct node *node);

#endif
