/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TPM 2.0 behind /dev/tpmrm0 (the kernel's resource manager), or, for tests, behind the Unix socket of a software TPM. */
#ifndef COMMON_TPM_DEVICE_H
#define COMMON_TPM_DEVICE_H

#include "common/bytes.h"
#include "common/tpm.h"

#define TPM_DEVICE "/dev/tpmrm0"
#define TPM_ERROR 256u

struct tpm {
	int fd; /* -1: closed */
	char error[TPM_ERROR]; /* of the last call that failed, a sentence */
};

/* 0; -ENOENT when this machine has none; or -errno. */
int tpm_open(const char *path, struct tpm *ret_tpm);
void tpm_close(struct tpm *tpm);

/* All below: 0 or -errno with a sentence in tpm->error. -EACCES: somebody gave the TPM a password; -ENOENT: it has no such thing. */

/* SHA-256 values of the PCRs of `mask`. -ENOENT when that bank is switched off. */
int tpm_pcrs(struct tpm *tpm, uint32_t mask, uint8_t ret_values[TPM_PCRS][TPM_DIGEST]);
int tpm_extend(struct tpm *tpm, unsigned pcr, const uint8_t digest[TPM_DIGEST]);

struct tpm_key {
	uint32_t handle; /* 0: none */
	bool kept;       /* the TPM keeps it anyway */
	struct tpm_bytes public_area; /* TPMT_PUBLIC */
};

/* The endorsement key and, where the manufacturer left one, its certificate (DER, appended; else nothing): RSA 2048 before ECC P-256, and
 * without a certificate ECC. The caller flushes it. */
int tpm_endorsement(struct tpm *tpm, struct tpm_key *ret_key, struct buffer *ret_certificate);
/* Our attestation key; the caller flushes it. */
int tpm_attestation_key(struct tpm *tpm, struct tpm_key *ret_key);
void tpm_flush(struct tpm *tpm, struct tpm_key *key);
/* `random`: 16 bytes that nobody could know. `credential` and `secret` as tpm_command_activate. */
int tpm_activate(struct tpm *tpm, const struct tpm_key *ak, const struct tpm_key *ek, const uint8_t random[16],
		 const struct tpm_bytes *credential, const struct tpm_bytes *secret, struct tpm_bytes *ret_credential);
int tpm_quote(struct tpm *tpm, const struct tpm_key *ak, const void *nonce, size_t nonce_size, uint32_t mask, struct tpm_bytes *ret_attest,
	      struct tpm_bytes *ret_signature);

/* The counter that never goes back. A TPM that had no counter gets one, with `*ret_made`: then it says where it begins, 1 unless this
 * TPM counted for others before, or for us. */
int tpm_floor(struct tpm *tpm, uint64_t *ret_value, bool *ret_made);
/* Removes the counter; the next one begins where it ended. */
int tpm_floor_remove(struct tpm *tpm);
/* Counts up to `value` but no more than `steps`; what it got to is in `*ret_value`. */
int tpm_floor_raise(struct tpm *tpm, uint64_t value, unsigned steps, uint64_t *ret_value);

#endif
