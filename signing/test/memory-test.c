/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory verification takes beside the text itself, counted, not timed: `make bench-signing` measures the whole. */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "signing/format.h"

#define TARGETS 10000
/* Two lists of 10,000 places of 4 bytes, doubled while they grow, and fingerprints of signers. */
#define BESIDE_THE_TEXT_MOST (400u << 10)

/* ------------------------------------------------------------------ counting */

/* The linker puts these in the place of the C library's, for our objects (--wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);

static size_t used, most;

static void *count(void *memory)
{
	used += memory ? malloc_usable_size(memory) : 0;
	most = used > most ? used : most;
	return memory;
}

void *__wrap_malloc(size_t size)
{
	return count(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return count(__real_calloc(n, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
	size_t before = memory ? malloc_usable_size(memory) : 0;
	void *moved = __real_realloc(memory, size);

	used -= moved ? before : 0;
	return count(moved);
}

void __wrap_free(void *memory)
{
	used -= memory ? malloc_usable_size(memory) : 0;
	__real_free(memory);
}

/* ------------------------------------------------------------------ a large document */

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* Some 5 MB; `blank` stands where the canonical form has nothing. */
static void put_targets(struct buffer *text, const char *blank)
{
	buffer_printf(text, "{\"signatures\":[{\"keyid\":\"k\",\"sig\":\"%0128d\"}],\"signed\":{%s\"_type\":\"targets\",\"expires\":"
		      "\"2030-01-01T00:00:00Z\",\"spec_version\":\"1.0\",\"targets\":{", 0, blank);
	for (unsigned i = 0; i < TARGETS; i++)
		buffer_printf(text, "%s\"app/web/debian/1.%05u.img.zst\":{\"custom\":{\"app\":{\"command\":[\"/app/bin/server\",\"-f\"],\"health\":"
			      "{\"path\":\"/\",\"port\":8080,\"type\":\"http\"},\"ports\":[8080],\"user\":\"app\"},\"format\":1,\"image\":{\"size\":1249280},"
			      "\"kind\":\"app\",\"name\":\"web\",\"requires_os\":\"debian\",\"verity\":{\"root_hash\":\"" HASH "\",\"salt\":\"" HASH "\"},"
			      "\"version\":\"1.%05u\"},\"hashes\":{\"sha256\":\"" HASH "\"},\"length\":22288}", i > 0 ? "," : "", i, i);
	buffer_printf(text, "},\"version\":1}}");
}

/* Bytes beside the text at the worst moment of parsing it and looking for the signatures of one key. */
static size_t most_beside(const char *blank, size_t *ret_text_size)
{
	static const char key[] = "{\"k\":{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":\"" HASH "\"}}}";
	struct tuf_document document;
	struct tuf_signers signers = { .threshold = 1 };
	struct buffer text = { 0 };
	char error[TUF_ERROR_SIZE];
	size_t before;

	put_targets(&text, blank);
	*ret_text_size = text.size;
	before = most = used;
	assert_int_equal(tuf_document_take(TUF_TARGETS, &text, &document, error), 0);
	assert_int_equal(document.count, TARGETS);
	assert_int_equal(tree_parse(key, strlen(key), &signers.keys, error), 0);
	assert_int_equal(tree_parse("[\"k\"]", 5, &signers.keyids, error), 0);
	assert_int_equal(tuf_check_signatures(&document, &signers, error), -EBADMSG);
	assert_string_equal(error, "has 0 valid signatures of trusted keys, but 1 is needed");
	tuf_document_release(&document);
	return most - before;
}

static void test_ten_thousand_images_are_verified_where_they_lie(void **state)
{
	size_t size, beside = most_beside("", &size);

	(void)state;
	print_message("%zu bytes of text, %zu beside it\n", size, beside);
	assert_true(size > 5000000);
	assert_in_range(beside, 1, BESIDE_THE_TEXT_MOST);
	assert_int_equal(used, 0);
}

/* Written otherwise than it is signed: one copy, exactly as large, and not two. */
static void test_other_writing_costs_one_copy(void **state)
{
	size_t size, beside = most_beside(" ", &size);

	(void)state;
	assert_in_range(beside, size - 1000, size + BESIDE_THE_TEXT_MOST);
	assert_int_equal(used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ten_thousand_images_are_verified_where_they_lie),
		cmocka_unit_test(test_other_writing_costs_one_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
