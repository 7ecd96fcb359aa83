// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/pki.h"

#include <errno.h>
#include <mbedtls/asn1write.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/log.h"

#define PEM_MOST 4096
#define SERIAL_SIZE 16
#define DAY 86400

/* What making a certificate needs besides its contents. */
struct maker {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	mbedtls_pk_context key;        /* of the new identity */
	mbedtls_x509write_cert certificate;
	mbedtls_mpi serial;
};

static int fail(int code, const char *what)
{
	char text[128] = "";

	mbedtls_strerror(code, text, sizeof text);
	return log_error(-EIO, "can't %s (%s)", what, text);
}

static void maker_init(struct maker *maker)
{
	mbedtls_entropy_init(&maker->entropy);
	mbedtls_ctr_drbg_init(&maker->random);
	mbedtls_pk_init(&maker->key);
	mbedtls_x509write_crt_init(&maker->certificate);
	mbedtls_mpi_init(&maker->serial);
}

static void maker_release(struct maker *maker)
{
	mbedtls_mpi_free(&maker->serial);
	mbedtls_x509write_crt_free(&maker->certificate);
	mbedtls_pk_free(&maker->key);
	mbedtls_ctr_drbg_free(&maker->random);
	mbedtls_entropy_free(&maker->entropy);
}

static int make_key(struct maker *maker)
{
	int r = mbedtls_ctr_drbg_seed(&maker->random, mbedtls_entropy_func, &maker->entropy, NULL, 0);

	if (!r)
		r = mbedtls_pk_setup(&maker->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
	if (!r)
		r = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(maker->key), mbedtls_ctr_drbg_random,
					&maker->random);
	return r ? fail(r, "make a key") : 0;
}

static int set_validity(mbedtls_x509write_cert *certificate, int64_t from, unsigned days)
{
	time_t begin = (time_t)from, end = (time_t)(from + (int64_t)days * DAY);
	char begin_text[15], end_text[15];
	struct tm begin_tm, end_tm;

	if (!gmtime_r(&begin, &begin_tm) || !gmtime_r(&end, &end_tm) ||
	    strftime(begin_text, sizeof begin_text, "%Y%m%d%H%M%S", &begin_tm) != 14 ||
	    strftime(end_text, sizeof end_text, "%Y%m%d%H%M%S", &end_tm) != 14)
		return MBEDTLS_ERR_X509_INVALID_DATE;
	return mbedtls_x509write_crt_set_validity(certificate, begin_text, end_text);
}

static int set_serial(struct maker *maker)
{
	unsigned char bytes[SERIAL_SIZE];
	int r = mbedtls_ctr_drbg_random(&maker->random, bytes, sizeof bytes);

	/* A serial number is positive and has no leading zero byte. */
	bytes[0] = (unsigned char)((bytes[0] & 0x3f) | 0x40);
	if (!r)
		r = mbedtls_mpi_read_binary(&maker->serial, bytes, sizeof bytes);
	return r ? r : mbedtls_x509write_crt_set_serial(&maker->certificate, &maker->serial);
}

/* subjectAltName: SEQUENCE { [2] IA5String }. Written backwards, as mbedTLS's writers do. */
static int set_dns_name(mbedtls_x509write_cert *certificate, const char *host)
{
	unsigned char room[300], *at = room + sizeof room;
	size_t size = 0;
	int ret; /* mbedTLS's macro wants this name */

	if (strlen(host) > 253)
		return MBEDTLS_ERR_X509_BAD_INPUT_DATA;
	MBEDTLS_ASN1_CHK_ADD(size, mbedtls_asn1_write_raw_buffer(&at, room, (const unsigned char *)host, strlen(host)));
	MBEDTLS_ASN1_CHK_ADD(size, mbedtls_asn1_write_len(&at, room, strlen(host)));
	MBEDTLS_ASN1_CHK_ADD(size, mbedtls_asn1_write_tag(&at, room, MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2));
	MBEDTLS_ASN1_CHK_ADD(size, mbedtls_asn1_write_len(&at, room, size));
	MBEDTLS_ASN1_CHK_ADD(size, mbedtls_asn1_write_tag(&at, room, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE));
	return mbedtls_x509write_crt_set_extension(certificate, MBEDTLS_OID_SUBJECT_ALT_NAME,
						   MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, at, size);
}

/* extendedKeyUsage: SEQUENCE { serverAuth, clientAuth, or both }. */
static int set_extended_usage(mbedtls_x509write_cert *certificate, bool server, bool client)
{
	unsigned char room[32], *at = room + sizeof room;
	size_t size = 0;
	int ret;

	if (client)
		MBEDTLS_ASN1_CHK_ADD(size, mbedtls_asn1_write_oid(&at, room, MBEDTLS_OID_CLIENT_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH)));
	if (server)
		MBEDTLS_ASN1_CHK_ADD(size, mbedtls_asn1_write_oid(&at, room, MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)));
	MBEDTLS_ASN1_CHK_ADD(size, mbedtls_asn1_write_len(&at, room, size));
	MBEDTLS_ASN1_CHK_ADD(size, mbedtls_asn1_write_tag(&at, room, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE));
	return mbedtls_x509write_crt_set_extension(certificate, MBEDTLS_OID_EXTENDED_KEY_USAGE,
						   MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0, at, size);
}

enum purpose { AUTHORITY, SERVER, CLIENT, BOTH };

/* `host` for what is a server. */
static int set_extensions(mbedtls_x509write_cert *certificate, enum purpose purpose, const char *host)
{
	bool authority = purpose == AUTHORITY;
	unsigned usage = authority ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN : MBEDTLS_X509_KU_DIGITAL_SIGNATURE;
	int r = mbedtls_x509write_crt_set_basic_constraints(certificate, authority, authority ? 0 : -1);

	if (!r)
		r = mbedtls_x509write_crt_set_key_usage(certificate, usage);
	if (!r)
		r = mbedtls_x509write_crt_set_subject_key_identifier(certificate);
	if (!r)
		r = mbedtls_x509write_crt_set_authority_key_identifier(certificate);
	if (!r && host)
		r = set_dns_name(certificate, host);
	if (!r && !authority)
		r = set_extended_usage(certificate, purpose != CLIENT, purpose != SERVER);
	return r;
}

static int export_identity(struct maker *maker, struct pki_identity *ret_identity)
{
	unsigned char pem[PEM_MOST];
	int r = mbedtls_x509write_crt_pem(&maker->certificate, pem, sizeof pem, mbedtls_ctr_drbg_random, &maker->random);

	if (r)
		return fail(r, "sign a certificate");
	r = buffer_add(&ret_identity->certificate, pem, strlen((const char *)pem));
	if (!r && mbedtls_pk_write_key_pem(&maker->key, pem, sizeof pem))
		r = log_error(-EIO, "can't write a key");
	if (!r)
		r = buffer_add(&ret_identity->key, pem, strlen((const char *)pem));
	explicit_bzero(pem, sizeof pem);
	if (r < 0)
		pki_identity_release(ret_identity);
	return r;
}

/* All but issuer's key and extensions, for maker->key. */
static int fill_in(struct maker *maker, const char *issuer, const char *subject, int64_t from, unsigned days)
{
	int r;

	mbedtls_x509write_crt_set_version(&maker->certificate, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&maker->certificate, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&maker->certificate, &maker->key);
	r = mbedtls_x509write_crt_set_subject_name(&maker->certificate, subject);
	if (!r)
		r = mbedtls_x509write_crt_set_issuer_name(&maker->certificate, issuer);
	if (!r)
		r = set_serial(maker);
	return r ? r : set_validity(&maker->certificate, from, days);
}

/* `issuer_key` NULL: signs itself. */
static int make_identity(mbedtls_pk_context *issuer_key, const char *issuer, const char *subject, const char *host,
			 int64_t from, unsigned days, struct pki_identity *ret_identity)
{
	struct maker maker;
	int r;

	*ret_identity = (struct pki_identity){ 0 };
	maker_init(&maker);
	r = make_key(&maker);
	if (r < 0)
		goto out;
	mbedtls_x509write_crt_set_issuer_key(&maker.certificate, issuer_key ? issuer_key : &maker.key);
	r = fill_in(&maker, issuer, subject, from, days);
	if (!r)
		r = set_extensions(&maker.certificate, host ? SERVER : AUTHORITY, host);
	r = r ? fail(r, "fill in a certificate") : export_identity(&maker, ret_identity);
out:
	maker_release(&maker);
	return r;
}

int pki_make_authority(const char *name, int64_t from, unsigned days, struct pki_identity *ret_authority)
{
	return make_identity(NULL, name, name, NULL, from, days, ret_authority);
}

/* The authority's key and its name, read from PEM. The caller frees the key. 0 or -EIO. */
static int read_authority(const struct pki_identity *authority, mbedtls_pk_context *key, char ret_name[256])
{
	mbedtls_x509_crt certificate;
	int r;

	mbedtls_x509_crt_init(&certificate);
	/* mbedTLS counts the NUL of PEM text, which a buffer keeps after its data. */
	r = mbedtls_x509_crt_parse(&certificate, authority->certificate.data, authority->certificate.size + 1);
	if (!r)
		r = mbedtls_pk_parse_key(key, authority->key.data, authority->key.size + 1, NULL, 0);
	if (r)
		r = fail(r, "read the fleet's authority, ca.pem and ca.key");
	else if (mbedtls_pk_check_pair(&certificate.pk, key))
		r = log_error(-EIO, "ca.key is not the key of ca.pem");
	else if (mbedtls_x509_dn_gets(ret_name, 256, &certificate.subject) < 0)
		r = log_error(-EIO, "can't read the authority's name");
	mbedtls_x509_crt_free(&certificate);
	return r;
}

int pki_make_server(const struct pki_identity *authority, const char *host, int64_t from, unsigned days,
		    struct pki_identity *ret_server)
{
	char issuer[256], subject[300];
	mbedtls_pk_context key;
	int r;

	mbedtls_pk_init(&key);
	r = read_authority(authority, &key, issuer);
	snprintf(subject, sizeof subject, "CN=%s", host);
	if (!r)
		r = make_identity(&key, issuer, subject, host, from, days, ret_server);
	mbedtls_pk_free(&key);
	return r;
}

struct pki_signer {
	pthread_mutex_t lock; /* mbedTLS's contexts aren't for several threads */
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	mbedtls_pk_context key;
	char name[256];
	struct buffer certificate;
};

int pki_signer_new(const struct pki_identity *authority, struct pki_signer **ret_signer)
{
	struct pki_signer *signer = calloc(1, sizeof *signer);
	int r;

	if (!signer)
		return -ENOMEM;
	pthread_mutex_init(&signer->lock, NULL);
	mbedtls_entropy_init(&signer->entropy);
	mbedtls_ctr_drbg_init(&signer->random);
	mbedtls_pk_init(&signer->key);
	r = mbedtls_ctr_drbg_seed(&signer->random, mbedtls_entropy_func, &signer->entropy, NULL, 0);
	r = r ? fail(r, "get random bytes") : read_authority(authority, &signer->key, signer->name);
	if (!r)
		r = buffer_add(&signer->certificate, authority->certificate.data, authority->certificate.size);
	if (r < 0)
		pki_signer_free(signer);
	else
		*ret_signer = signer;
	return r;
}

void pki_signer_free(struct pki_signer *signer)
{
	if (!signer)
		return;
	buffer_release(&signer->certificate);
	mbedtls_pk_free(&signer->key);
	mbedtls_ctr_drbg_free(&signer->random);
	mbedtls_entropy_free(&signer->entropy);
	pthread_mutex_destroy(&signer->lock);
	free(signer);
}

const char *client_kind_name(enum client_kind kind)
{
	return kind == CLIENT_NODE ? "node" : kind == CLIENT_AGENT ? "agent" : "monitor";
}

const char *pki_signer_certificate(const struct pki_signer *signer)
{
	return (const char *)signer->certificate.data;
}

/* `host` NULL: a client only. */
static int sign(struct pki_signer *signer, struct maker *maker, const char *host, struct buffer *ret_certificate)
{
	unsigned char pem[PEM_MOST];
	int r;

	pthread_mutex_lock(&signer->lock);
	mbedtls_x509write_crt_set_issuer_key(&maker->certificate, &signer->key);
	r = set_extensions(&maker->certificate, host ? BOTH : CLIENT, host);
	if (!r)
		r = mbedtls_x509write_crt_pem(&maker->certificate, pem, sizeof pem, mbedtls_ctr_drbg_random, &signer->random);
	pthread_mutex_unlock(&signer->lock);
	return r ? fail(r, "sign a certificate") : buffer_add(ret_certificate, pem, strlen((const char *)pem));
}

int pki_issue(struct pki_signer *signer, const struct public_key *key, const char *node_id, enum client_kind kind, int64_t from,
	      unsigned days, struct buffer *ret_certificate)
{
	char subject[128], host[128];
	struct maker maker;
	int r;

	snprintf(host, sizeof host, "%.64s" MONITOR_DOMAIN, node_id);
	snprintf(subject, sizeof subject, "CN=%s,OU=%s", node_id, client_kind_name(kind));
	maker_init(&maker);
	r = mbedtls_ctr_drbg_seed(&maker.random, mbedtls_entropy_func, &maker.entropy, NULL, 0);
	if (!r)
		r = mbedtls_pk_parse_public_key(&maker.key, key->der, sizeof key->der);
	if (!r)
		r = fill_in(&maker, signer->name, subject, from, days);
	r = r ? fail(r, "fill in a certificate") : sign(signer, &maker, kind == CLIENT_MONITOR ? host : NULL, ret_certificate);
	maker_release(&maker);
	return r;
}

int pki_make_request(const char *name, struct buffer *ret_key, struct buffer *ret_request)
{
	unsigned char pem[PEM_MOST];
	mbedtls_x509write_csr request;
	char subject[128];
	struct maker maker;
	int r;

	snprintf(subject, sizeof subject, "CN=%.100s", name);
	mbedtls_x509write_csr_init(&request);
	maker_init(&maker);
	r = make_key(&maker);
	if (r < 0)
		goto out;
	mbedtls_x509write_csr_set_key(&request, &maker.key);
	mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
	r = mbedtls_x509write_csr_set_subject_name(&request, subject);
	if (!r)
		r = mbedtls_x509write_csr_pem(&request, pem, sizeof pem, mbedtls_ctr_drbg_random, &maker.random);
	r = r ? fail(r, "make a request for a certificate") : buffer_add(ret_request, pem, strlen((const char *)pem));
	if (!r && mbedtls_pk_write_key_pem(&maker.key, pem, sizeof pem))
		r = log_error(-EIO, "can't write a key");
	if (!r)
		r = buffer_add(ret_key, pem, strlen((const char *)pem));
	explicit_bzero(pem, sizeof pem);
out:
	maker_release(&maker);
	mbedtls_x509write_csr_free(&request);
	return r;
}

int pki_expiry(const struct buffer *certificate, int64_t *ret_expires)
{
	mbedtls_x509_crt parsed;
	struct tm end = { 0 };
	int r;

	mbedtls_x509_crt_init(&parsed);
	/* Its PEM parser wants the NUL counted. */
	r = mbedtls_x509_crt_parse(&parsed, certificate->data, certificate->size + 1);
	if (!r) {
		end.tm_year = parsed.valid_to.year - 1900;
		end.tm_mon = parsed.valid_to.mon - 1;
		end.tm_mday = parsed.valid_to.day;
		end.tm_hour = parsed.valid_to.hour;
		end.tm_min = parsed.valid_to.min;
		end.tm_sec = parsed.valid_to.sec;
		*ret_expires = (int64_t)timegm(&end);
	}
	mbedtls_x509_crt_free(&parsed);
	return r ? log_error(-EIO, "a certificate of the control unit can't be read") : 0;
}

void pki_identity_release(struct pki_identity *identity)
{
	if (identity->key.data)
		explicit_bzero(identity->key.data, identity->key.size);
	buffer_release(&identity->key);
	buffer_release(&identity->certificate);
}
