/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signatures of reports: Ed25519 (RFC 8032) over the file's bytes, as 64 raw bytes in a file of its own, FILE.sig. The public key is a
 * SubjectPublicKeyInfo (RFC 8410) in PEM, which OpenSSL reads too. Pure. */
#ifndef CONTROL_REPORT_SIGNATURE_H
#define CONTROL_REPORT_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "control/names.h"

#define REPORT_KEY_SIZE 32u
#define REPORT_SEED_SIZE 32u
#define REPORT_SIGNATURE_SIZE 64u
#define REPORT_KEY_TEXT_MOST 4096u

/* Of 32 random bytes. 0 or -EIO. */
int report_key_derive(const uint8_t seed[REPORT_SEED_SIZE], uint8_t ret_public[REPORT_KEY_SIZE]);
/* 0 or -EIO. */
int report_sign(const uint8_t seed[REPORT_SEED_SIZE], const void *data, size_t size, uint8_t ret_signature[REPORT_SIGNATURE_SIZE]);
bool report_signature_fits(const uint8_t public[REPORT_KEY_SIZE], const void *data, size_t size,
			   const uint8_t signature[REPORT_SIGNATURE_SIZE]);

/* Adds the key in PEM. 0 or -ENOMEM. */
int report_key_format(const uint8_t public[REPORT_KEY_SIZE], struct buffer *ret_text);
/* Reads one; `text` ends with a NUL. 0; -EINVAL with a sentence; -ENOMEM. */
int report_key_parse(const char *text, uint8_t ret_public[REPORT_KEY_SIZE], char ret_error[ERROR_TEXT]);

#endif
