/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fleet's certificate authority: ECDSA P-256 keys and certificates in PEM. */
#ifndef CONTROL_PKI_H
#define CONTROL_PKI_H

#include <stdint.h>

#include "common/bytes.h"

/* A key with its certificate, PEM texts. Holds a secret: released with pki_identity_release, which wipes it. */
struct pki_identity {
	struct buffer key;
	struct buffer certificate;
};

/* A self-signed authority named `name` ("CN=…"), which may sign servers and nodes but no further authorities, valid from
 * `from` for `days` (seconds since 1970). 0 or -EIO; logs the cause. */
int pki_make_authority(const char *name, int64_t from, unsigned days, struct pki_identity *ret_authority);
/* A TLS server's identity for the DNS name `host`, signed by the authority. 0 or -EIO; logs the cause. */
int pki_make_server(const struct pki_identity *authority, const char *host, int64_t from, unsigned days,
		    struct pki_identity *ret_server);
void pki_identity_release(struct pki_identity *identity);

#endif
