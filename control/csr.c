// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/csr.h"

#include <errno.h>
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_csr.h>
#include <string.h>

#include "control/secret.h"

#define BEGIN "-----BEGIN CERTIFICATE REQUEST-----\n"
#define END "-----END CERTIFICATE REQUEST-----\n"

/* Exactly one PEM block of bounded size: what stands around it would otherwise be read by nobody. */
static int check_frame(const char *pem, char ret_error[ERROR_TEXT])
{
	size_t size = strnlen(pem, CSR_MOST + 1), end = sizeof END - 1;

	if (size > CSR_MOST)
		return refused(ret_error, "the certificate request is longer than %u bytes", CSR_MOST);
	if (size < sizeof BEGIN - 1 + end || strncmp(pem, BEGIN, sizeof BEGIN - 1) || strcmp(pem + size - end, END) ||
	    strstr(pem + 1, BEGIN))
		return refused(ret_error, "\"csr\" must be one certificate request in PEM, from \"-----BEGIN CERTIFICATE REQUEST-----\" on");
	return 0;
}

/* Whether the key in it signed it. */
static int check_signature(mbedtls_x509_csr *csr, char ret_error[ERROR_TEXT])
{
	uint8_t digest[32];

	if (csr->sig_pk != MBEDTLS_PK_ECDSA || csr->sig_md != MBEDTLS_MD_SHA256)
		return refused(ret_error, "the certificate request must be signed by ECDSA with SHA-256");
	if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), csr->cri.p, csr->cri.len, digest) ||
	    mbedtls_pk_verify(&csr->pk, MBEDTLS_MD_SHA256, digest, sizeof digest, csr->sig.p, csr->sig.len))
		return refused(ret_error, "the certificate request wasn't signed by the key in it");
	return 0;
}

static int take_key(mbedtls_pk_context *pk, struct public_key *ret_key, char ret_error[ERROR_TEXT])
{
	uint8_t room[2 * PUBLIC_KEY_SIZE];

	/* The writer fills from the end. */
	if (mbedtls_pk_write_pubkey_der(pk, room, sizeof room) != (int)PUBLIC_KEY_SIZE)
		return refused(ret_error, "the key of the certificate request can't be written");
	memcpy(ret_key->der, room + sizeof room - PUBLIC_KEY_SIZE, PUBLIC_KEY_SIZE);
	if (digest_text(ret_key->der, PUBLIC_KEY_SIZE, ret_key->hash) < 0)
		return refused(ret_error, "the key of the certificate request can't be hashed");
	return 0;
}

int csr_parse(const char *pem, struct public_key *ret_key, char ret_error[ERROR_TEXT])
{
	mbedtls_x509_csr csr;
	int r = check_frame(pem, ret_error);

	if (r < 0)
		return r;
	mbedtls_x509_csr_init(&csr);
	/* mbedTLS counts the NUL of PEM text. */
	if (mbedtls_x509_csr_parse(&csr, (const unsigned char *)pem, strlen(pem) + 1))
		r = refused(ret_error, "the certificate request can't be read");
	else if (!mbedtls_pk_can_do(&csr.pk, MBEDTLS_PK_ECKEY) || mbedtls_pk_ec(csr.pk)->grp.id != MBEDTLS_ECP_DP_SECP256R1)
		r = refused(ret_error, "the certificate request must be for a key on the curve P-256");
	else
		r = check_signature(&csr, ret_error);
	if (!r)
		r = take_key(&csr.pk, ret_key, ret_error);
	mbedtls_x509_csr_free(&csr);
	return r;
}
