/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By what proofs are judged: authorities of TPMs, TPMs that operators allowed, and what boot images measure. All within control_enter. */
#ifndef CONTROL_TPM_TRUST_H
#define CONTROL_TPM_TRUST_H

#include "control/control.h"
#include "control/health.h"
#include "control/tpm-judge.h"

#define AUTHORITIES_MOST 200u
#define EXPECTED_SETS_MOST 100u
#define TPMS_MOST 100000u

struct tpm_trust {
	json_t *stored;             /* {"ca": {SHA-256: {…}}, "tpm": {fingerprint: {…}}, "expected": {id: {…}}, "crl": {SHA-256 of issuer: {…}},
				     * "withdrawn": {id: {…}}: expected ones that were removed}; owned */
	struct buffer authorities;  /* in PEM, one after the other */
	struct buffer revocations;  /* the same */
	struct expected_set *sets;  /* owned */
	size_t set_count;
	struct expected_set *withdrawn; /* owned */
	size_t withdrawn_count;
};

/* Reads it from the store. 0 or -errno; logs the cause. */
int tpm_trust_load(struct control *control);
void tpm_trust_free(struct control *control);
/* Stores an entry: 0, -EDQUOT with a sentence, -ENOMEM or -EIO. Of an "expected" one the document was parsed before. */
int tpm_trust_put(struct control *control, const char *kind, const char *name, const json_t *value, char ret_error[ERROR_TEXT]);
/* Removes the one entry (of an "expected" one it is remembered that it was) whose name begins so. 0 with the whole name; -ENOENT or -ENOTUNIQ with a sentence; -ENOMEM or -EIO. */
int tpm_trust_remove(struct control *control, const char *kind, const char *start, char ret_name[DIGEST_TEXT + 1], char ret_error[ERROR_TEXT]);
/* For health.c: lists of revoked ones that should have been renewed. */
void tpm_trust_health(struct control *control, struct health *health, int64_t now);
/* Entries of a kind, by name. Borrowed. */
json_t *tpm_trust_of(const struct control *control, const char *kind);

#endif
