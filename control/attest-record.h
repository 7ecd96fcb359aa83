/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a node proved, as it is in memory: what is stored of it, and the proofs under way. Pure.
 *
 *   stored  {"level", "text", "at", "stage": "boot"|"system", "pcr", "event": of what differs, or -1 and 0,
 *            "ek": fingerprint of the TPM that the node is bound to, "ek_by": how that is known,
 *            "offered": {"ek", "at"}: the TPM that it showed last,
 *            "firmware": PCR 0-3 as accepted, "firmware_at", "firmware_offered": as they were last, where that differs,
 *            "boot": {"nonce", "resets", "restarts", "ak": {"name", "x", "y"}, "values": {"0": hex, …}, "set": {…}, "assignment", "os", "app"}: what
 *                    stage 1 proved in the boot with that nonce ("": before it asked what to boot)}
 */
#ifndef CONTROL_ATTEST_RECORD_H
#define CONTROL_ATTEST_RECORD_H

#include <jansson.h>
#include <stdint.h>

#include "control/tpm-crypto.h"

#define ATTEST_SESSION 32u         /* hexadecimal digits of its id */
#define ATTEST_SECONDS 600         /* that a session lasts, and that its proof counts for an assignment */

struct attest_session {
	char id[ATTEST_SESSION + 1];   /* "" for none */
	uint8_t nonce[TPM_DIGEST];
	uint8_t credential[TPM_CREDENTIAL];
	struct tpm_public ek, ak;
	char known_by[200];            /* how the TPM is known; for people */
	int64_t started, proved;       /* seconds since 1970; 0: nothing was proved */
	bool answered;                 /* each takes one quote */
};

enum attest_side { ATTEST_BOOT, ATTEST_SYSTEM };

struct attest_record {
	json_t *state;                 /* owned; an object */
	struct attest_session session[2]; /* of stage 1 and of the agent; in memory only */
};

/* NULL when out of memory. `state` is taken over; NULL for an empty one. */
struct attest_record *attest_record_new(json_t *state);
void attest_record_free(struct attest_record *record);
/* Whether what is stored makes sense. */
bool attest_state_valid(const json_t *state);

#endif
