// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/http-peer.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

/* One for each value of the first bits of a certificate's SHA-256; a later one takes its place. */
#define SLOTS 32768u

struct verified {
	uint8_t digest[32]; /* of the certificate */
	struct peer_link link;
};

struct peer_cache {
	pthread_mutex_t mutex;
	struct verified *slots[SLOTS]; /* owned */
};

int peer_cache_new(struct peer_cache **ret_cache)
{
	struct peer_cache *cache = calloc(1, sizeof *cache);

	if (!cache)
		return -ENOMEM;
	pthread_mutex_init(&cache->mutex, NULL);
	*ret_cache = cache;
	return 0;
}

void peer_cache_free(struct peer_cache *cache)
{
	if (!cache)
		return;
	for (unsigned i = 0; i < SLOTS; i++)
		free(cache->slots[i]);
	pthread_mutex_destroy(&cache->mutex);
	free(cache);
}

static bool take_name(gnutls_x509_crt_t certificate, const char *oid, char *ret_text, size_t room)
{
	size_t size = room;

	/* Of several, none would be the one that was meant. */
	if (gnutls_x509_crt_get_dn_by_oid(certificate, oid, 0, 0, ret_text, &size) < 0 || strlen(ret_text) != size) {
		ret_text[0] = 0;
		return false;
	}
	size = 0;
	return gnutls_x509_crt_get_dn_by_oid(certificate, oid, 1, 0, NULL, &size) == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
}

static bool take_subject(const gnutls_datum_t *der, struct peer_link *link)
{
	gnutls_x509_crt_t certificate;
	uint8_t digest[32];
	size_t size = sizeof digest;
	bool sound;

	if (gnutls_x509_crt_init(&certificate) < 0)
		return false;
	sound = gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) >= 0 &&
		take_name(certificate, GNUTLS_OID_X520_COMMON_NAME, link->who.name, sizeof link->who.name) &&
		take_name(certificate, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, link->who.unit, sizeof link->who.unit) &&
		gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, digest, &size) >= 0 && size == sizeof digest;
	link->from = gnutls_x509_crt_get_activation_time(certificate);
	link->until = gnutls_x509_crt_get_expiration_time(certificate);
	gnutls_x509_crt_deinit(certificate);
	if (sound)
		hex_format(digest, sizeof digest, link->who.key);
	return sound;
}

/* Its slot, with the certificate's digest; NULL when that can't be made. */
static struct verified **slot_of(struct peer_cache *cache, const gnutls_datum_t *der, uint8_t ret_digest[32])
{
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, der->data, der->size, ret_digest) < 0)
		return NULL;
	return &cache->slots[get_le32(ret_digest) % SLOTS];
}

/* Whether this very certificate verified before. Its dates are looked at with each request. */
static bool recall(struct peer_cache *cache, const gnutls_datum_t *der, struct peer_link *link)
{
	struct verified **slot;
	uint8_t digest[32];
	bool found;

	slot = slot_of(cache, der, digest);
	if (!slot)
		return false;
	pthread_mutex_lock(&cache->mutex);
	found = *slot && !memcmp((*slot)->digest, digest, sizeof digest);
	if (found)
		*link = (*slot)->link;
	pthread_mutex_unlock(&cache->mutex);
	return found;
}

static void remember(struct peer_cache *cache, const gnutls_datum_t *der, const struct peer_link *link)
{
	struct verified **slot;
	uint8_t digest[32];

	slot = slot_of(cache, der, digest);
	if (!slot)
		return;
	pthread_mutex_lock(&cache->mutex);
	if (!*slot)
		*slot = malloc(sizeof **slot);
	if (*slot) {
		memcpy((*slot)->digest, digest, sizeof digest);
		(*slot)->link = *link;
	}
	pthread_mutex_unlock(&cache->mutex);
}

void peer_verify(struct peer_cache *cache, gnutls_session_t session, struct peer_link *link)
{
	gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
					  .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT };
	unsigned count = 0, status = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);

	/* That the client has its key, the handshake has shown. */
	if (chain && count && recall(cache, &chain[0], link))
		return;
	if (!chain || !count)
		link->who.refused = "this address needs a certificate of the fleet; enrol first";
	else if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0)
		link->who.refused = "the certificate can't be checked";
	else if (status & GNUTLS_CERT_EXPIRED)
		link->who.refused = "the certificate has expired; enrol again";
	else if (status & GNUTLS_CERT_NOT_ACTIVATED)
		link->who.refused = "the certificate isn't valid yet; the control unit's clock may be wrong";
	else if (status)
		link->who.refused = "the certificate isn't one that this fleet's authority gave to a node";
	else if (!take_subject(&chain[0], link))
		link->who.refused = "the certificate has no usable name";
	if (link->who.refused)
		link->who.name[0] = link->who.unit[0] = link->who.key[0] = 0;
	else
		remember(cache, &chain[0], link);
}
