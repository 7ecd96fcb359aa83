// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/tpm-format.h"

#include <errno.h>
#include <string.h>

#include "signing/sha256.h"

#define TYPE_RSA 0x0001u
#define TYPE_ECC 0x0023u
#define SYMMETRIC_AES 0x0006u
#define MODE_CFB 0x0043u
#define SCHEME_RSAES 0x0015u
#define SCHEME_ECDAA 0x001au
#define CURVE_P256 0x0003u
#define ATTEST_MAGIC 0xff544347u
#define ATTEST_QUOTE 0x8018u
#define SELECTIONS_MOST 16u

/* Reads on; what is beyond the end reads as 0 and is remembered. */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool is_short;
};

static uint64_t take(struct cursor *cursor, unsigned bytes)
{
	uint64_t value = 0;

	if (cursor->left < bytes) {
		cursor->is_short = true;
		cursor->left = 0;
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | cursor->at[i];
	cursor->at += bytes;
	cursor->left -= bytes;
	return value;
}

/* A part behind its length. NULL when it is beyond the end or longer than `most`. */
static const uint8_t *take_sized(struct cursor *cursor, size_t most, size_t *ret_size)
{
	size_t size = (size_t)take(cursor, 2);
	const uint8_t *part = cursor->at;

	*ret_size = size;
	if (cursor->is_short || size > most || size > cursor->left) {
		cursor->is_short = true;
		return NULL;
	}
	cursor->at += size;
	cursor->left -= size;
	return part;
}

/* A number of at most `room` bytes, with zeros before it. */
static void take_number(struct cursor *cursor, uint8_t *ret_number, size_t room)
{
	size_t size;
	const uint8_t *part = take_sized(cursor, room, &size);

	memset(ret_number, 0, room);
	if (part)
		memcpy(ret_number + room - size, part, size);
}

static int check_end(const struct cursor *cursor, const char *what, char error[ERROR_TEXT])
{
	if (cursor->is_short)
		return refused(error, "%s is cut off, or a length in it is wrong", what);
	return cursor->left ? refused(error, "%s has %zu bytes too many", what, cursor->left) : 0;
}

/* ------------------------------------------------------------------ keys */

static void take_symmetric(struct cursor *cursor, struct tpm_public *public)
{
	uint16_t algorithm = (uint16_t)take(cursor, 2), bits, mode;

	if (algorithm == TPM_SCHEME_NULL)
		return;
	bits = (uint16_t)take(cursor, 2);
	mode = (uint16_t)take(cursor, 2);
	public->wraps = algorithm == SYMMETRIC_AES && bits == 128 && mode == MODE_CFB;
}

static void take_scheme(struct cursor *cursor, struct tpm_public *public)
{
	public->scheme = (uint16_t)take(cursor, 2);
	public->scheme_hash = TPM_SCHEME_NULL;
	if (public->scheme != TPM_SCHEME_NULL && public->scheme != SCHEME_RSAES)
		public->scheme_hash = (uint16_t)take(cursor, 2);
	if (public->scheme == SCHEME_ECDAA)
		take(cursor, 2);
}

static int take_rsa(struct cursor *cursor, struct tpm_public *public, char error[ERROR_TEXT])
{
	unsigned bits;

	take_symmetric(cursor, public);
	take_scheme(cursor, public);
	bits = (unsigned)take(cursor, 2);
	public->exponent = (uint32_t)take(cursor, 4);
	if (!public->exponent)
		public->exponent = 65537;
	take_number(cursor, public->modulus, sizeof public->modulus);
	/* Every modulus of this size has its highest bit set. */
	if (!cursor->is_short && (bits != TPM_RSA_BYTES * 8 || !(public->modulus[0] & 0x80)))
		return refused(error, "an RSA key of the TPM has %u bits; only 2048 are known here", bits);
	return 0;
}

static int take_ecc(struct cursor *cursor, struct tpm_public *public, char error[ERROR_TEXT])
{
	unsigned curve;

	take_symmetric(cursor, public);
	take_scheme(cursor, public);
	curve = (unsigned)take(cursor, 2);
	if (take(cursor, 2) != TPM_SCHEME_NULL) /* the key derivation's hash */
		take(cursor, 2);
	if (!cursor->is_short && curve != CURVE_P256)
		return refused(error, "an elliptic key of the TPM isn't on the curve P-256");
	take_number(cursor, public->x, sizeof public->x);
	take_number(cursor, public->y, sizeof public->y);
	return 0;
}

int tpm_public_parse(const uint8_t *data, size_t size, struct tpm_public *ret_public, char ret_error[ERROR_TEXT])
{
	struct cursor cursor = { data, size, false };
	struct tpm_public public = { 0 };
	unsigned type = (unsigned)take(&cursor, 2), hash = (unsigned)take(&cursor, 2);
	size_t policy;
	int r;

	if (size > TPM_PUBLIC_MOST)
		return refused(ret_error, "a key's public part is longer than %u bytes", TPM_PUBLIC_MOST);
	public.attributes = (uint32_t)take(&cursor, 4);
	take_sized(&cursor, 64, &policy);
	if (cursor.is_short)
		return check_end(&cursor, "a key's public part", ret_error);
	if (hash != TPM_HASH_SHA256)
		return refused(ret_error, "a key of the TPM has a name by another hash than SHA-256");
	if (type != TYPE_RSA && type != TYPE_ECC)
		return refused(ret_error, "a key of the TPM is neither RSA nor elliptic");
	public.key = type == TYPE_RSA ? TPM_RSA_2048 : TPM_ECC_P256;
	r = type == TYPE_RSA ? take_rsa(&cursor, &public, ret_error) : take_ecc(&cursor, &public, ret_error);
	if (!r)
		r = check_end(&cursor, "a key's public part", ret_error);
	if (r < 0)
		return r;
	public.name[0] = TPM_HASH_SHA256 >> 8;
	public.name[1] = TPM_HASH_SHA256 & 0xff;
	sha256_once(data, size, public.name + 2);
	*ret_public = public;
	return 0;
}

static int check_bound(const struct tpm_public *public, const char *what, char error[ERROR_TEXT])
{
	if (!(public->attributes & TPM_FIXED_TPM) || !(public->attributes & TPM_FIXED_PARENT))
		return refused(error, "the %s key isn't bound to its TPM (fixedTPM and fixedParent): it could be anywhere", what);
	if (!(public->attributes & TPM_OWN_SECRET))
		return refused(error, "the %s key wasn't made by the TPM (sensitiveDataOrigin)", what);
	if (!(public->attributes & TPM_RESTRICTED))
		return refused(error, "the %s key isn't restricted: it would serve anybody for anything", what);
	return 0;
}

int tpm_endorsement_check(const struct tpm_public *public, char ret_error[ERROR_TEXT])
{
	int r = check_bound(public, "endorsement", ret_error);

	if (r < 0)
		return r;
	if (!(public->attributes & TPM_DECRYPT) || (public->attributes & TPM_SIGN) || !public->wraps)
		return refused(ret_error, "the endorsement key isn't one that decrypts, with AES-128 in CFB mode");
	return 0;
}

int tpm_attestation_check(const struct tpm_public *public, char ret_error[ERROR_TEXT])
{
	int r = check_bound(public, "attestation", ret_error);

	if (r < 0)
		return r;
	if (!(public->attributes & TPM_SIGN) || (public->attributes & TPM_DECRYPT))
		return refused(ret_error, "the attestation key isn't one that only signs");
	if (public->key != TPM_ECC_P256 || public->scheme != TPM_SCHEME_ECDSA || public->scheme_hash != TPM_HASH_SHA256)
		return refused(ret_error, "the attestation key must be ECDSA on P-256 with SHA-256");
	return 0;
}

/* ------------------------------------------------------------------ quotes */

/* The bank of SHA-256 must be the only one from which anything is selected. */
static int take_selections(struct cursor *cursor, uint32_t *ret_pcrs, char error[ERROR_TEXT])
{
	uint64_t count = take(cursor, 4);

	*ret_pcrs = 0;
	if (count > SELECTIONS_MOST)
		return refused(error, "the quote names %llu PCR banks", (unsigned long long)count);
	for (uint64_t i = 0; i < count; i++) {
		unsigned hash = (unsigned)take(cursor, 2), bytes = (unsigned)take(cursor, 1);
		uint32_t pcrs = 0;

		for (unsigned n = 0; n < bytes; n++) {
			uint32_t bits = (uint32_t)take(cursor, 1);

			if (n < 3)
				pcrs |= bits << 8 * n;
			else if (bits)
				return refused(error, "the quote is about PCRs above 23");
		}
		if (!pcrs)
			continue;
		if (hash != TPM_HASH_SHA256 || *ret_pcrs)
			return refused(error, "the quote is about another PCR bank than SHA-256's");
		*ret_pcrs = pcrs;
	}
	return 0;
}

int tpm_quote_parse(const uint8_t *data, size_t size, struct tpm_quote *ret_quote, char ret_error[ERROR_TEXT])
{
	struct cursor cursor = { data, size, false };
	struct tpm_quote quote = { 0 };
	const uint8_t *part;
	size_t length;
	int r;

	if (size > TPM_ATTEST_MOST)
		return refused(ret_error, "the quote is longer than %u bytes", TPM_ATTEST_MOST);
	/* A restricted key signs nothing that begins so but what the TPM itself says. */
	if (take(&cursor, 4) != ATTEST_MAGIC)
		return refused(ret_error, "the quote isn't one that a TPM made");
	if (take(&cursor, 2) != ATTEST_QUOTE)
		return refused(ret_error, "what the TPM signed isn't a quote");
	take_sized(&cursor, 128, &length); /* qualifiedSigner */
	part = take_sized(&cursor, sizeof quote.extra, &quote.extra_size);
	if (part)
		memcpy(quote.extra, part, quote.extra_size);
	quote.clock = take(&cursor, 8);
	quote.resets = (uint32_t)take(&cursor, 4);
	quote.restarts = (uint32_t)take(&cursor, 4);
	take(&cursor, 1); /* whether the clock is safe; nothing here goes by it */
	take(&cursor, 8); /* firmwareVersion */
	r = take_selections(&cursor, &quote.pcrs, ret_error);
	if (r < 0)
		return r;
	part = take_sized(&cursor, sizeof quote.digest, &length);
	if (part && length == sizeof quote.digest)
		memcpy(quote.digest, part, length);
	else if (part)
		return refused(ret_error, "the quote's digest isn't one of SHA-256");
	r = check_end(&cursor, "the quote", ret_error);
	if (!r)
		*ret_quote = quote;
	return r;
}

int tpm_signature_parse(const uint8_t *data, size_t size, struct tpm_signature *ret_signature, char ret_error[ERROR_TEXT])
{
	struct cursor cursor = { data, size, false };
	struct tpm_signature signature;

	if (take(&cursor, 2) != TPM_SCHEME_ECDSA || take(&cursor, 2) != TPM_HASH_SHA256)
		return refused(ret_error, "the quote's signature isn't ECDSA with SHA-256");
	take_number(&cursor, signature.r, sizeof signature.r);
	take_number(&cursor, signature.s, sizeof signature.s);
	if (check_end(&cursor, "the quote's signature", ret_error) < 0)
		return -EINVAL;
	*ret_signature = signature;
	return 0;
}
