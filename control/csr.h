/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificate signing requests (PKCS #10, RFC 2986) in PEM: parsed and checked. Pure. */
#ifndef CONTROL_CSR_H
#define CONTROL_CSR_H

#include <stddef.h>
#include <stdint.h>

#include "control/model.h"
#include "control/names.h"

#define CSR_MOST 4096u
#define PUBLIC_KEY_SIZE 91u /* DER SubjectPublicKeyInfo of an uncompressed point on P-256 */

/* Only csr_parse makes one: whoever sent it holds the private key. */
struct public_key {
	uint8_t der[PUBLIC_KEY_SIZE];
	char hash[DIGEST_TEXT + 1]; /* SHA-256 of der */
};

/* Takes the key out of a request with a P-256 key that signed itself with ECDSA and SHA-256. All else in it (names,
 * extensions) is without meaning here. 0; -EINVAL with a sentence in `ret_error`. */
int csr_parse(const char *pem, struct public_key *ret_key, char ret_error[ERROR_TEXT]);

#endif
