/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/seekable.h"
#include "images/frames.h"
#include "images/wire-file.h"

#define FRAME 32768u
#define FILE_MOST (4u << 20)

struct fixture {
	char folder[32];
	char image[64];
	char wire[64];
	char again[64];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/repave-wire-XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->image, sizeof(f->image), "%s/image", f->folder);
	snprintf(f->wire, sizeof(f->wire), "%s/wire", f->folder);
	snprintf(f->again, sizeof(f->again), "%s/again", f->folder);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->image);
	unlink(f->wire);
	unlink(f->again);
	rmdir(f->folder);
	free(f);
	return 0;
}

/* Half text that compresses, half noise that doesn't; the same at every run. */
static void make_image(const struct fixture *f, size_t size)
{
	uint8_t *data = malloc(size);
	uint32_t noise = 1;

	for (size_t i = 0; i < size; i++) {
		noise = noise * 1664525u + 1013904223u;
		data[i] = i / FRAME % 2 ? (uint8_t)(noise >> 24) : (uint8_t)('a' + i % 23);
	}
	assert_int_equal(file_store(f->image, data, size, 0644), 0);
	free(data);
}

static struct buffer load(const char *path)
{
	struct buffer data = { 0 };

	assert_int_equal(file_load(path, FILE_MOST, &data), 0);
	return data;
}

static void assert_same_file(const char *a, const char *b)
{
	struct buffer one = load(a), two = load(b);

	assert_int_equal(one.size, two.size);
	assert_memory_equal(one.data, two.data, one.size);
	buffer_release(&one);
	buffer_release(&two);
}

static void test_decoding_gives_the_image_back(void **state)
{
	static const size_t sizes[] = { 4096, FRAME, FRAME + 4096, 20 * FRAME + 3 * 4096, 1 << 20 };
	const struct fixture *f = *state;
	struct wire_summary summary, decoded;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make_image(f, sizes[i]);
		assert_int_equal(wire_encode(f->image, f->wire, FRAME, 3, 2, &summary), 0);
		assert_int_equal(summary.image_size, sizes[i]);
		assert_int_equal(summary.frames, (sizes[i] + FRAME - 1) / FRAME);
		assert_int_equal(wire_decode(f->wire, f->again, &decoded), 0);
		assert_int_equal(decoded.wire_size, summary.wire_size);
		assert_same_file(f->image, f->again);
	}
}

static void test_number_of_threads_changes_nothing(void **state)
{
	const struct fixture *f = *state;
	struct wire_summary summary;

	make_image(f, 3 << 20);
	assert_int_equal(wire_encode(f->image, f->wire, FRAME, 5, 1, &summary), 0);
	assert_int_equal(wire_encode(f->image, f->again, FRAME, 5, 3, &summary), 0);
	assert_same_file(f->wire, f->again);
}

static void test_frames_keep_what_a_node_counts_on(void **state)
{
	const struct fixture *f = *state;
	struct wire_summary summary;
	struct seek_table table;
	struct buffer wire;
	size_t size;

	make_image(f, 5 * FRAME + 4096);
	assert_int_equal(wire_encode(f->image, f->wire, FRAME, 3, 2, &summary), 0);
	wire = load(f->wire);
	size = seekable_table_size(summary.frames);
	assert_int_equal(seek_table_parse(wire.data + wire.size - size, size, wire.size, summary.frames, FRAME,
					  summary.image_size, &table),
			 0);
	for (uint32_t i = 0; i < table.frames; i++) {
		const uint8_t *frame = wire.data + table.starts[i];
		size_t bytes = (size_t)(table.starts[i + 1] - table.starts[i]);

		assert_int_equal(ZSTD_findFrameCompressedSize(frame, bytes), bytes);
		assert_int_equal(ZSTD_getFrameContentSize(frame, bytes), i < 5 ? FRAME : 4096);
		assert_int_equal(frame[4] >> 2 & 1, 0); /* no checksum: RFC 8878, 3.1.1.1.1 */
	}
	seek_table_release(&table);
	buffer_release(&wire);
}

static void test_bad_sizes_are_refused(void **state)
{
	const struct fixture *f = *state;
	struct wire_summary summary;

	make_image(f, 8192);
	assert_int_equal(wire_encode(f->image, f->wire, 0, 3, 1, &summary), -EINVAL);
	assert_int_equal(wire_encode(f->image, f->wire, 4095, 3, 1, &summary), -EINVAL);
	assert_int_equal(wire_encode(f->image, f->wire, 131072, 3, 1, &summary), -EINVAL);
	assert_int_equal(wire_encode(f->image, f->wire, FRAME, 99, 1, &summary), -EINVAL);
	assert_int_equal(wire_encode(f->image, f->wire, FRAME, 3, 0, &summary), -EINVAL);
	make_image(f, 8193);
	assert_int_equal(wire_encode(f->image, f->wire, FRAME, 3, 1, &summary), -EINVAL);
	assert_int_equal(file_store(f->image, "", 0, 0644), 0);
	assert_int_equal(wire_encode(f->image, f->wire, FRAME, 3, 1, &summary), -EINVAL);
	/* Nothing was begun, so nothing is left. */
	assert_int_equal(access(f->wire, F_OK), -1);
	assert_int_equal(wire_encode("/nonexistent", f->wire, FRAME, 3, 1, &summary), -ENOENT);
}

static void test_frame_of_another_size_is_refused(void **state)
{
	uint8_t data[8192] = { 1 }, frame[16384], back[8192];
	ZSTD_CCtx *context = ZSTD_createCCtx();
	ZSTD_DCtx *decoder = ZSTD_createDCtx();
	size_t size;

	(void)state;
	assert_int_equal(frame_context_init(context, 3), 0);
	assert_int_equal(frame_compress(context, data, 8192, frame, sizeof(frame), &size), 0);
	assert_int_equal(frame_decompress(decoder, frame, size, back, 8192), 0);
	assert_int_equal(frame_decompress(decoder, frame, size, back, 4096), -EBADMSG);
	assert_int_equal(frame_decompress(decoder, frame, size - 1, back, 8192), -EBADMSG);
	assert_int_equal(frame_decompress(decoder, frame, 0, back, 8192), -EBADMSG);
	frame[size] = 0;
	assert_int_equal(frame_decompress(decoder, frame, size + 1, back, 8192), -EBADMSG);
	ZSTD_freeCCtx(context);
	ZSTD_freeDCtx(decoder);
}

static void test_damaged_wire_file_is_refused(void **state)
{
	const struct fixture *f = *state;
	struct wire_summary summary;
	struct buffer wire;
	size_t places[4];

	make_image(f, 4 * FRAME);
	assert_int_equal(wire_encode(f->image, f->wire, FRAME, 3, 1, &summary), 0);
	wire = load(f->wire);
	/* Magic of the footer, number of frames, a size in the table, header of the first frame. */
	places[0] = wire.size - 1;
	places[1] = wire.size - SEEKABLE_FOOTER_SIZE;
	places[2] = wire.size - SEEKABLE_FOOTER_SIZE - 3;
	places[3] = 0;
	for (size_t i = 0; i < 4; i++) {
		wire.data[places[i]] ^= 0x5a;
		assert_int_equal(file_store(f->wire, wire.data, wire.size, 0644), 0);
		assert_int_equal(wire_decode(f->wire, f->again, &summary), -EBADMSG);
		wire.data[places[i]] ^= 0x5a;
	}
	assert_int_equal(file_store(f->wire, wire.data, 10, 0644), 0);
	assert_int_equal(wire_decode(f->wire, f->again, &summary), -EBADMSG);
	assert_int_equal(access(f->again, F_OK), -1);
	buffer_release(&wire);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_decoding_gives_the_image_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_number_of_threads_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_frames_keep_what_a_node_counts_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_sizes_are_refused, set_up, tear_down),
		cmocka_unit_test(test_frame_of_another_size_is_refused),
		cmocka_unit_test_setup_teardown(test_damaged_wire_file_is_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
