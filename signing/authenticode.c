/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/authenticode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

#define COFF_SIZE 24u          /* with its signature */
#define PE32_PLUS 0x20Bu
#define SIZE_OF_HEADERS 60u    /* in the optional header, as the next ones */
#define CHECK_SUM 64u
#define SUBSYSTEM 68u
#define DIRECTORY_COUNT 108u
#define SIGNATURES_ENTRY 144u  /* data directory number 4 */
#define OPTIONAL_LEAST (SIGNATURES_ENTRY + 8u)
#define SECTION_SIZE 40u
#define CERTIFICATE_HEAD 8u

struct span {
	size_t at, size;
};

struct pe {
	const uint8_t *data;
	size_t size;
	size_t check_sum, entry;     /* where they are */
	size_t headers;              /* bytes of them */
	struct span signatures;      /* size 0: none */
	struct span sections[PE_SECTIONS_MOST];
	unsigned count;
};

static int by_place(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* Sections with bytes in the file, one after the other, none in another or in the headers. */
static int parse_sections(struct pe *pe, size_t table, unsigned count, size_t end)
{
	size_t last = pe->headers;

	if (count > PE_SECTIONS_MOST || table > pe->headers || (pe->headers - table) / SECTION_SIZE < count)
		return -EBADMSG;
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *entry = pe->data + table + (size_t)i * SECTION_SIZE;
		struct span span = { get_le32(entry + 20), get_le32(entry + 16) };

		if (span.size > 0)
			pe->sections[pe->count++] = span;
	}
	qsort(pe->sections, pe->count, sizeof(*pe->sections), by_place);
	for (unsigned i = 0; i < pe->count; i++) {
		const struct span *span = &pe->sections[i];

		if (span->at < last || span->at > end || span->size > end - span->at)
			return -EBADMSG;
		last = span->at + span->size;
	}
	return 0;
}

static int parse(const uint8_t *data, size_t size, struct pe *pe)
{
	size_t header, optional, optional_size;

	memset(pe, 0, sizeof(*pe));
	pe->data = data;
	pe->size = size;
	if (size < 64 || data[0] != 'M' || data[1] != 'Z')
		return -EBADMSG;
	header = get_le32(data + 0x3C);
	if (header > size || size - header < COFF_SIZE + OPTIONAL_LEAST || memcmp(data + header, "PE\0", 4) != 0)
		return -EBADMSG;
	optional = header + COFF_SIZE;
	optional_size = get_le16(data + header + 20);
	if (optional_size < OPTIONAL_LEAST || optional_size > size - optional || get_le16(data + optional) != PE32_PLUS ||
	    get_le32(data + optional + DIRECTORY_COUNT) < 5)
		return -EBADMSG;
	pe->check_sum = optional + CHECK_SUM;
	pe->entry = optional + SIGNATURES_ENTRY;
	pe->headers = get_le32(data + optional + SIZE_OF_HEADERS);
	if (pe->headers > size || pe->headers < optional + optional_size)
		return -EBADMSG;
	pe->signatures = (struct span){ get_le32(data + pe->entry), get_le32(data + pe->entry + 4) };
	/* What is hashed up to `signatures.at` would otherwise not be all that there is. */
	if (pe->signatures.size > 0 && (pe->signatures.at < pe->headers || pe->signatures.at > size ||
					pe->signatures.size != size - pe->signatures.at))
		return -EBADMSG;
	return parse_sections(pe, optional + optional_size, get_le16(data + header + 6),
			      pe->signatures.size > 0 ? pe->signatures.at : size);
}

int authenticode_digest(const uint8_t *data, size_t size, uint8_t ret_digest[SHA256_SIZE])
{
	struct sha256 sha;
	struct pe pe;
	size_t end, sum;
	int r = parse(data, size, &pe);

	if (r < 0)
		return r;
	end = pe.signatures.size > 0 ? pe.signatures.at : size;
	sum = pe.headers;
	sha256_init(&sha);
	sha256_update(&sha, data, pe.check_sum);
	sha256_update(&sha, data + pe.check_sum + 4, pe.entry - pe.check_sum - 4);
	sha256_update(&sha, data + pe.entry + 8, pe.headers - pe.entry - 8);
	for (unsigned i = 0; i < pe.count; i++) {
		sha256_update(&sha, data + pe.sections[i].at, pe.sections[i].size);
		sum += pe.sections[i].size;
	}
	/* As firmware does it: what is left is found by the sum of what was hashed, not by the end of the last section. */
	if (end > sum)
		sha256_update(&sha, data + sum, end - sum);
	sha256_final(&sha, ret_digest);
	return 0;
}

int authenticode_signatures(const uint8_t *data, size_t size, unsigned *ret_count)
{
	struct pe pe;
	size_t at, left;
	int r = parse(data, size, &pe);

	*ret_count = 0;
	if (r < 0)
		return r;
	for (at = pe.signatures.at, left = pe.signatures.size; left > 0; (*ret_count)++) {
		size_t length = left >= CERTIFICATE_HEAD ? get_le32(data + at) : 0, whole = (length + 7) & ~(size_t)7;

		if (length < CERTIFICATE_HEAD || length > left)
			return -EBADMSG;
		if (whole > left)
			whole = left;
		at += whole;
		left -= whole;
	}
	return 0;
}

int pe_set_subsystem(uint8_t *data, size_t size, uint16_t subsystem)
{
	struct pe pe;
	int r = parse(data, size, &pe);

	if (r == 0)
		put_le16(data + pe.check_sum - CHECK_SUM + SUBSYSTEM, subsystem);
	return r;
}
