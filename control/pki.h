/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fleet's certificate authority: ECDSA P-256 keys and certificates in PEM. */
#ifndef CONTROL_PKI_H
#define CONTROL_PKI_H

#include <stdint.h>

#include "common/bytes.h"
#include "control/csr.h"

#define MONITOR_DOMAIN ".monitor.repave.internal"

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
/* What a certificate lets its holder speak as. */
enum client_kind { CLIENT_NODE, CLIENT_AGENT, CLIENT_MONITOR };

/* The authority, ready to sign. From any thread. 0 or -EIO; logs the cause. */
struct pki_signer;
int pki_signer_new(const struct pki_identity *authority, struct pki_signer **ret_signer);
void pki_signer_free(struct pki_signer *signer);
/* A TLS client's certificate for that key: CN = the node's id, OU = "node" or "agent", clientAuth, a random serial number of 128 bits. A monitor's:
 * CN = its name, OU = "monitor", clientAuth, and serverAuth for the name in front of MONITOR_DOMAIN, never for the control unit's. PEM text is added to `ret_certificate`. 0 or -EIO; logs the cause. */
int pki_issue(struct pki_signer *signer, const struct public_key *key, const char *node_id, enum client_kind kind, int64_t from,
	      unsigned days, struct buffer *ret_certificate);
/* "node", "agent", "monitor". */
const char *client_kind_name(enum client_kind kind);

/* When the first certificate of a PEM text ends, in seconds since 1970. 0, or -EIO when it can't be read. */
int pki_expiry(const struct buffer *certificate, int64_t *ret_expires);

/* The authority's own certificate in PEM; borrowed. */
const char *pki_signer_certificate(const struct pki_signer *signer);

/* A new P-256 key, and a request for a certificate for it with the subject "CN=name", as PEM texts. 0 or -EIO; logs the cause. */
int pki_make_request(const char *name, struct buffer *ret_key, struct buffer *ret_request);

void pki_identity_release(struct pki_identity *identity);

#endif
