/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Make this slot equal to this tree", with files as slots and a server in memory that can lie. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <zstd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/patch.h"
#include "common/seekable.h"
#include "provisioner/install.h"
#include "provisioner/plan.h"
#include "provisioner/pool.h"
#include "signing/verity.h"

#define BLOCK 4096u
#define FRAME 16384u
#define PER_FRAME (FRAME / BLOCK)
#define DATA_BLOCKS 301u /* three leaf blocks and one above; the last frame isn't full */
#define SLOT_SIZE (4u << 20)

/* signing/ makes this type only from signed metadata; here the test itself is the signer. */
struct verified_image {
	struct image_description description;
};

const struct image_description *verified_image_description(const struct verified_image *image)
{
	return &image->description;
}

const char *verified_image_path(const struct verified_image *image)
{
	(void)image;
	return "os/test/1.img.zst";
}

/* ------------------------------------------------------------------ an image and its server */
struct world {
	struct verified_image image;
	struct verity_layout layout;
	uint8_t *bytes;      /* the image */
	struct buffer wire;
	struct seek_table table;
	uint8_t old_root[VERITY_DIGEST]; /* what the patch leads from */
	struct buffer patch; /* empty: there is none */
	bool asks_patch;
	uint64_t wire_sent;  /* of the wire file, not of the patch */
	struct slot slots[2];
	/* How the server misbehaves. */
	unsigned bad_reads;  /* so many reads from now on have a flipped byte in the middle of `bad_frame` */
	uint32_t bad_frame;
	uint64_t cut_after;  /* the network breaks for good after so many bytes; 0: never */
	unsigned refuse;     /* so many reads from now on fail at once */
	unsigned reads;
	uint64_t sent;
	struct install_options options;
	struct install_result result;
	char error[SENTENCE];
};

static void fill(uint8_t *block, uint32_t seed)
{
	/* Compressible, and different in each block. */
	for (unsigned i = 0; i < BLOCK; i++)
		block[i] = (uint8_t)(i / 64);
	put_le32(block, seed);
	put_le32(block + 2048, seed * 2654435761u);
}

static void make_tree(struct world *w)
{
	struct image_description *d = &w->image.description;

	for (unsigned level = 0; level < w->layout.levels; level++) {
		uint64_t below = level == 0 ? DATA_BLOCKS : w->layout.level_blocks[level - 1];
		uint64_t from = level == 0 ? 0 : w->layout.level_start[level - 1];

		for (uint64_t i = 0; i < below; i++)
			verity_digest(d->salt, d->salt_size, w->bytes + (from + i) * BLOCK,
				      w->bytes + w->layout.level_start[level] * BLOCK + i * VERITY_DIGEST);
	}
	verity_digest(d->salt, d->salt_size, w->bytes + w->layout.tree_start * BLOCK, d->root_hash);
}

static void make_wire(struct world *w)
{
	struct image_description *d = &w->image.description;
	uint32_t sizes[256];
	uint8_t packed[2 * FRAME], *tail;
	size_t tail_size;

	d->frame_size = FRAME;
	d->frames = (uint32_t)((d->image_size + FRAME - 1) / FRAME);
	buffer_release(&w->wire);
	for (uint32_t i = 0; i < d->frames; i++) {
		uint64_t left = d->image_size - (uint64_t)i * FRAME;
		size_t n = ZSTD_compress(packed, sizeof(packed), w->bytes + (size_t)i * FRAME, left < FRAME ? left : FRAME, 1);

		assert_false(ZSTD_isError(n));
		sizes[i] = (uint32_t)n;
		assert_int_equal(buffer_add(&w->wire, packed, n), 0);
	}
	tail_size = seekable_table_size(d->frames);
	tail = malloc(tail_size);
	seek_table_format(sizes, d->frames, FRAME, d->image_size, tail);
	assert_int_equal(buffer_add(&w->wire, tail, tail_size), 0);
	d->wire_size = w->wire.size;
	if (w->table.starts != NULL)
		seek_table_release(&w->table);
	assert_int_equal(seek_table_parse(tail, tail_size, d->wire_size, d->frames, FRAME, d->image_size, &w->table), 0);
	free(tail);
}

/* `changed`: every how many blocks the content is another one than in version 0. */
static void make_image(struct world *w, unsigned changed)
{
	struct image_description *d = &w->image.description;

	*d = (struct image_description){ .kind = IMAGE_OS, .name = "test", .version = "1", .data_blocks = DATA_BLOCKS,
					 .salt = { 1, 2, 3 }, .salt_size = 3, .uuid = { 0x5e, 0x70 } };
	assert_int_equal(verity_layout_init(&w->layout, DATA_BLOCKS), 0);
	d->image_size = w->layout.image_blocks * BLOCK;
	free(w->bytes);
	w->bytes = calloc(1, d->image_size);
	for (uint32_t i = 0; i < DATA_BLOCKS; i++)
		fill(w->bytes + (size_t)i * BLOCK, changed > 0 && i % changed == 0 ? i + 100000 : i);
	/* As a squashfs begins. */
	memcpy(w->bytes, "hsqs", 4);
	put_le64(w->bytes + 40, (DATA_BLOCKS - 1) * BLOCK + 17);
	verity_superblock_format(DATA_BLOCKS, d->uuid, d->salt, d->salt_size, w->bytes + DATA_BLOCKS * BLOCK);
	make_tree(w);
	make_wire(w);
}

static int serve_range(struct world *w, const struct http_range *range, const struct http_ranges *work)
{
	uint64_t middle = (w->table.starts[w->bad_frame] + w->table.starts[w->bad_frame + 1]) / 2;

	const struct buffer *file = w->asks_patch ? &w->patch : &w->wire;

	w->reads++;
	if (w->asks_patch && range->offset + range->size > file->size)
		return file->size == 0 ? -ENOENT : -EPROTO;
	assert_true(range->offset + range->size <= file->size);
	if (w->refuse > 0) {
		w->refuse--;
		return -ECONNREFUSED;
	}
	for (uint64_t done = 0; done < range->size;) {
		uint64_t at = range->offset + done;
		uint8_t piece[1000];
		size_t n = range->size - done < sizeof(piece) ? (size_t)(range->size - done) : sizeof(piece);
		int r;

		if (w->cut_after > 0 && w->sent >= w->cut_after)
			return -EIO;
		memcpy(piece, file->data + at, n);
		if (!w->asks_patch && w->bad_reads > 0 && middle >= at && middle < at + n) {
			piece[middle - at] ^= 0x10;
			w->bad_reads--;
		}
		r = work->data(work->context, range->cookie, 0, piece, n);
		if (r < 0)
			return r;
		done += n;
		w->sent += n;
		w->wire_sent += w->asks_patch ? 0 : n;
	}
	return 0;
}

static int serve(void *context, const struct http_ranges *work)
{
	struct http_range range;
	int r = 0;

	while (work->next(work->context, &range)) {
		int failed = serve_range(context, &range, work);

		work->end(work->context, range.cookie, failed);
		if (failed < 0)
			r = failed;
	}
	return r;
}

static int serve_patch(void *context, const uint8_t *old_root, uint64_t size)
{
	struct world *w = context;

	(void)size;
	w->asks_patch = old_root != NULL;
	return old_root == NULL || memcmp(old_root, w->old_root, VERITY_DIGEST) == 0 ? 0 : -ENOENT;
}

static const char *serve_error(void *context)
{
	(void)context;
	return "the test's server broke off";
}

static int install_into(struct world *w, unsigned target)
{
	struct wire_source source = { .run = serve, .patch = serve_patch, .error = serve_error, .context = w };

	w->reads = 0;
	w->sent = 0;
	w->wire_sent = 0;
	w->error[0] = '\0';
	return install_image(&w->image, &w->slots[target], &w->slots[1 - target], &w->options, &source, NULL, &w->result, w->error);
}

static void assert_slot_is_image(const struct world *w, unsigned slot)
{
	uint8_t *have = malloc(w->image.description.image_size);

	assert_int_equal(read_full_at(w->slots[slot].fd, have, w->image.description.image_size, 0), 0);
	assert_memory_equal(have, w->bytes, w->image.description.image_size);
	free(have);
}

static int slot_file(void)
{
	char path[] = "/tmp/slot-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, SLOT_SIZE), 0);
	return fd;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->slots[0] = (struct slot){ slot_file(), SLOT_SIZE, "C0" };
	w->slots[1] = (struct slot){ slot_file(), SLOT_SIZE, "C1" };
	make_image(w, 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	close(w->slots[0].fd);
	close(w->slots[1].fd);
	seek_table_release(&w->table);
	buffer_release(&w->wire);
	buffer_release(&w->patch);
	free(w->bytes);
	free(w);
	return 0;
}

/* ------------------------------------------------------------------ the good road */
static void test_blank_slot_becomes_the_image(void **state)
{
	struct world *w = *state;

	assert_int_equal(install_into(w, 0), 0);
	assert_slot_is_image(w, 0);
	assert_int_equal(w->result.fetched, w->result.blocks);
	assert_int_equal(w->result.kept + w->result.copied, 0);
	assert_int_equal(w->result.wire_bytes, w->sent);
}

static void test_same_image_fetches_nothing(void **state)
{
	struct world *w = *state;

	assert_int_equal(install_into(w, 0), 0);
	assert_int_equal(install_choose(&w->image, w->slots, 0, -1), 0);
	assert_int_equal(install_into(w, 0), 0);
	assert_int_equal(w->reads, 0);
	assert_int_equal(w->result.kept, w->result.blocks);
	assert_int_equal(w->result.wire_bytes, 0);
}

static void test_update_copies_what_the_other_slot_has(void **state)
{
	struct world *w = *state;

	assert_int_equal(install_into(w, 0), 0);
	make_image(w, 10);
	assert_int_equal(install_choose(&w->image, w->slots, 0, -1), 1);
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
	assert_int_equal(w->result.copied, DATA_BLOCKS - 31);
	assert_int_equal(w->result.fetched, 31 + w->layout.tree_blocks);
}

static void test_lying_donor_is_not_believed(void **state)
{
	struct world *w = *state;
	uint8_t garbage[BLOCK];

	assert_int_equal(install_into(w, 0), 0);
	/* Its tree still claims the old content of block 7. */
	memset(garbage, 0x5a, sizeof(garbage));
	assert_int_equal(write_full_at(w->slots[0].fd, garbage, BLOCK, 7 * BLOCK), 0);
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
	assert_int_equal(w->result.fetched, 1);
	assert_int_equal(w->result.copied, w->result.blocks - 1);
}

static void test_damaged_slot_is_repaired(void **state)
{
	struct world *w = *state;
	uint8_t byte;

	assert_int_equal(install_into(w, 0), 0);
	assert_int_equal(read_full_at(w->slots[0].fd, &byte, 1, 200 * BLOCK + 9), 0);
	byte ^= 1;
	assert_int_equal(write_full_at(w->slots[0].fd, &byte, 1, 200 * BLOCK + 9), 0);
	assert_int_equal(install_choose(&w->image, w->slots, 0, -1), 0);
	assert_int_equal(install_into(w, 0), 0);
	assert_slot_is_image(w, 0);
	assert_int_equal(w->result.fetched, 1);
}

/* The block by which a slot is known for what it holds. */
static void test_slot_with_a_damaged_top_is_repaired_in_place(void **state)
{
	struct world *w = *state;
	uint64_t top = w->layout.tree_start * BLOCK;
	uint8_t byte = 0x5a;

	assert_int_equal(install_into(w, 0), 0);
	assert_int_equal(write_full_at(w->slots[0].fd, &byte, 1, top), 0);
	assert_int_equal(install_choose(&w->image, w->slots, 0, 0), 0);
	assert_int_equal(install_into(w, 0), 0);
	assert_slot_is_image(w, 0);
	assert_int_equal(w->result.fetched, 1);
	/* What was recorded counts for nothing where the other slot has the image. */
	assert_int_equal(install_into(w, 1), 0);
	assert_int_equal(install_choose(&w->image, w->slots, 1, 0), 1);
}

static void test_slot_that_cannot_be_written_is_told_from_the_network(void **state)
{
	struct world *w = *state;
	char path[64];
	int fd = w->slots[0].fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	w->slots[0].fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(w->slots[0].fd >= 0);
	assert_true(install_into(w, 0) < 0);
	assert_true(w->result.slot_failed);
	assert_non_null(strstr(w->error, "can't be written at byte"));
	close(w->slots[0].fd);
	w->slots[0].fd = fd;
	w->cut_after = w->wire.size / 2;
	assert_int_equal(install_into(w, 0), -EIO);
	assert_false(w->result.slot_failed);
}

static void test_cut_then_resume_fetches_rest(void **state)
{
	struct world *w = *state;
	uint64_t before;

	w->cut_after = w->wire.size / 2;
	assert_int_equal(install_into(w, 0), -EIO);
	assert_non_null(strstr(w->error, "broke off"));
	before = w->result.fetched - w->layout.tree_blocks;
	assert_true(before > 20);
	w->cut_after = 0;
	assert_int_equal(install_choose(&w->image, w->slots, -1, -1), 0);
	assert_int_equal(install_into(w, 0), 0);
	assert_slot_is_image(w, 0);
	assert_int_equal(w->result.kept, before + w->layout.tree_blocks);
	assert_int_equal(w->result.fetched, DATA_BLOCKS - before);
}

static void test_network_error_is_tried_again(void **state)
{
	struct world *w = *state;

	w->refuse = 3;
	assert_int_equal(install_into(w, 0), 0);
	assert_slot_is_image(w, 0);
}

/* 300 leaves in three blocks: only the one whose data changed, and what is above it, comes over the wire. */
static void test_unchanged_subtree_is_not_fetched(void **state)
{
	struct world *w = *state;

	assert_int_equal(install_into(w, 0), 0);
	make_image(w, DATA_BLOCKS); /* block 0 only */
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
	/* Block 300 lies in the frame in which the tree begins, and so comes along. */
	assert_int_equal(w->result.fetched, 1 + 2 + 1);
	assert_int_equal(w->result.copied, w->result.blocks - 4);
	assert_int_equal(w->reads, 3); /* seek table, tree, data */
}

/* The slot that is written still holds the image before last, and the other one something without this file. */
static void test_blocks_of_the_old_image_in_place_are_kept(void **state)
{
	struct world *w = *state;

	assert_int_equal(install_into(w, 0), 0);
	make_image(w, 10);
	assert_int_equal(install_into(w, 0), 0);
	assert_slot_is_image(w, 0);
	assert_int_equal(w->result.kept, DATA_BLOCKS - 31);
}

/* A first try was cut, then another image was assigned: what was fetched then needn't be fetched again. */
static void test_unfinished_slot_is_a_seed_of_another_image(void **state)
{
	struct world *w = *state;
	uint64_t had;

	w->cut_after = w->wire.size / 2;
	assert_int_equal(install_into(w, 0), -EIO);
	had = w->result.fetched - w->layout.tree_blocks;
	w->cut_after = 0;
	make_image(w, 10);
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
	assert_in_range(w->result.copied, had - had / 10 - 2, had);
}

static void test_lazy_reads_the_tree_only(void **state)
{
	struct world *w = *state;
	uint8_t byte = 0x77;

	assert_int_equal(install_into(w, 0), 0);
	assert_int_equal(write_full_at(w->slots[0].fd, &byte, 1, 200 * BLOCK + 9), 0);
	w->options = (struct install_options){ .complete = true, .lazy = true };
	assert_int_equal(install_into(w, 0), 0);
	assert_int_equal(w->result.kept, w->result.blocks);
	assert_int_equal(w->reads, 0);
	/* A damaged tree is seen and mended all the same: dm-verity couldn't even open it. */
	assert_int_equal(write_full_at(w->slots[0].fd, &byte, 1, (w->layout.level_start[0] + 1) * BLOCK + 9), 0);
	assert_int_equal(install_into(w, 0), 0);
	assert_int_equal(w->result.repaired, 1);
}

static void test_lazy_means_nothing_for_an_unfinished_slot(void **state)
{
	struct world *w = *state;

	w->cut_after = w->wire.size / 2;
	assert_int_equal(install_into(w, 0), -EIO);
	w->cut_after = 0;
	w->options = (struct install_options){ .complete = false, .lazy = true };
	assert_int_equal(install_into(w, 0), 0);
	assert_slot_is_image(w, 0);
}

static void test_bad_block_is_fetched_by_itself_and_counted(void **state)
{
	struct world *w = *state;
	uint8_t byte = 0x77;

	assert_int_equal(install_into(w, 0), 0);
	assert_int_equal(write_full_at(w->slots[0].fd, &byte, 1, 200 * BLOCK + 9), 0);
	w->options.complete = true;
	assert_int_equal(install_into(w, 0), 0);
	assert_slot_is_image(w, 0);
	assert_int_equal(w->result.repaired, 1);
	assert_int_equal(w->result.changed_count, 1);
	assert_int_equal(w->result.changed[0].first, 200);
	assert_int_equal(w->result.changed[0].last, 200);
	assert_int_equal(w->reads, 2); /* the seek table and one frame */
}

static void test_changed_blocks_are_named(void **state)
{
	struct world *w = *state;
	uint32_t leaf = (uint32_t)w->layout.level_start[0] + 1;
	char text[CHANGED_TEXT], wanted[CHANGED_TEXT];
	uint8_t byte = 0x77;

	assert_int_equal(install_into(w, 0), 0);
	assert_int_equal(w->result.changed_count, 0);
	for (uint64_t block = 16; block < 20; block++)
		assert_int_equal(write_full_at(w->slots[0].fd, &byte, 1, block * BLOCK), 0);
	assert_int_equal(write_full_at(w->slots[0].fd, &byte, 1, leaf * BLOCK + 9), 0);
	w->options.complete = true;
	assert_int_equal(install_into(w, 0), 0);
	assert_int_equal(w->result.repaired, 5);
	snprintf(wanted, sizeof(wanted), "%u, 16-19", leaf);
	assert_string_equal(install_changed_format(&w->result, text), wanted);
	/* Every second block: more rows than there is room for. */
	for (uint64_t block = 0; block < 2 * INSTALL_RANGES_MOST + 2; block += 2)
		assert_int_equal(write_full_at(w->slots[0].fd, &byte, 1, block * BLOCK), 0);
	assert_int_equal(install_into(w, 0), 0);
	assert_int_equal(w->result.repaired, INSTALL_RANGES_MOST + 1);
	assert_int_equal(w->result.changed_count, INSTALL_RANGES_MOST);
	assert_non_null(strstr(install_changed_format(&w->result, text), " and more"));
	assert_slot_is_image(w, 0);
}

static void test_slot_that_cannot_be_written_is_named(void **state)
{
	struct world *w = *state;
	char path[64];
	int fd = w->slots[0].fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	w->slots[0].fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(install_into(w, 0), -EBADF);
	assert_non_null(strstr(w->error, "slot C0 can't be written"));
	close(w->slots[0].fd);
	w->slots[0].fd = fd;
}

/* Behind the end of a file reading gives an error, as on a disk that shrank or lost sectors. */
static void test_unreadable_blocks_are_fetched_and_no_others(void **state)
{
	struct world *w = *state;

	assert_int_equal(install_into(w, 0), 0);
	w->options.complete = true;
	/* The end of the data, and the tree behind it. */
	assert_int_equal(ftruncate(w->slots[0].fd, 250 * BLOCK + 100), 0);
	assert_int_equal(install_into(w, 0), 0);
	assert_slot_is_image(w, 0);
	assert_int_equal(w->result.kept, 250);
	assert_int_equal(w->result.repaired, DATA_BLOCKS - 250 + w->layout.tree_blocks);
}

/* A disk that lost the last block of the tree: the leaves of blocks 256 to 300. */
static void test_donor_with_a_bad_sector_in_its_tree_gives_the_rest(void **state)
{
	struct world *w = *state;

	assert_int_equal(install_into(w, 0), 0);
	assert_int_equal(ftruncate(w->slots[0].fd, (off_t)(w->image.description.image_size - BLOCK)), 0);
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
	assert_true(w->result.copied >= 256);
}

/* Copies are one long job: what arrives meanwhile is decoded all the same. */
static long cpus;

long sysconf(int name)
{
	static long (*real)(int);

	if (name == _SC_NPROCESSORS_ONLN && cpus > 0)
		return cpus;
	if (real == NULL)
		real = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
	return real(name);
}

static void test_one_cpu_has_two_threads(void **state)
{
	struct pool *pool;

	(void)state;
	cpus = 1;
	pool = pool_new(0);
	cpus = 0;
	assert_non_null(pool);
	assert_int_equal(pool_threads(pool), 2);
	pool_free(pool);
}

static void test_donor_that_lost_its_tree_is_no_donor(void **state)
{
	struct world *w = *state;
	uint64_t tree = w->layout.tree_blocks;

	assert_int_equal(install_into(w, 0), 0);
	/* Without its tree nobody knows what it has. */
	assert_int_equal(ftruncate(w->slots[0].fd, 250 * BLOCK + 100), 0);
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
	assert_int_equal(w->result.fetched, DATA_BLOCKS + tree);
}

static void test_full_disk_is_named(void **state)
{
	struct world *w = *state;
	struct rlimit before, little = { 600 * 1024, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	assert_int_equal(install_into(w, 0), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(w->error, "slot C0 can't be written at byte"));
	/* With a disk that takes them it goes on. */
	assert_int_equal(install_into(w, 0), 0);
	assert_slot_is_image(w, 0);
}

static void test_one_thread_does_it_too(void **state)
{
	struct world *w = *state;

	w->options.threads = 1;
	assert_int_equal(install_into(w, 0), 0);
	make_image(w, 3);
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
}

/* ------------------------------------------------------------------ patches */
#define PATCH_WINDOWS 4u

/* Window `i` of the patch: data in groups, then the block at the top. `spoil`: one difference is wrong. */
static size_t pack_window(const struct world *w, const uint8_t *old, unsigned i, bool spoil, struct patch_window *ret_window,
			  uint8_t *ret_frame, size_t room)
{
	uint32_t first = i < 3 ? i * PATCH_GROUP : (uint32_t)w->layout.level_start[1];
	uint32_t end = i < 2 ? first + PATCH_GROUP : i == 2 ? DATA_BLOCKS : first + 1;
	struct patch_step step = { (uint64_t)(end - first) * BLOCK, 0, (int64_t)first * BLOCK };
	struct buffer payload = { 0 };
	size_t n, offset = (size_t)first * BLOCK;

	assert_int_equal(patch_count_format(1, &payload), 0);
	assert_int_equal(patch_step_format(&step, &payload), 0);
	for (size_t k = 0; k < step.add; k++) {
		uint8_t difference = (uint8_t)(w->bytes[offset + k] - old[offset + k] + (spoil && k == 50));

		assert_int_equal(buffer_add(&payload, &difference, 1), 0);
	}
	n = ZSTD_compress(ret_frame, room, payload.data, payload.size, 1);
	assert_false(ZSTD_isError(n));
	*ret_window = (struct patch_window){ first, end - first, (uint32_t)payload.size, (uint32_t)n, 0 };
	buffer_release(&payload);
	return n;
}

/* From version 0, which slot 0 gets, to the one with every tenth block changed. `spoilt`: a window that is wrong, or -1. */
static void make_patch(struct world *w, int spoilt)
{
	struct patch_header header = { .windows = PATCH_WINDOWS };
	uint8_t head[PATCH_HEADER + PATCH_WINDOWS * PATCH_INDEX_ENTRY], *old;
	struct buffer frames = { 0 };

	assert_int_equal(install_into(w, 0), 0);
	memcpy(w->old_root, w->image.description.root_hash, VERITY_DIGEST);
	old = w->bytes;
	w->bytes = NULL;
	header.old_size = w->image.description.image_size;
	make_image(w, 10);
	header.new_size = w->image.description.image_size;
	patch_header_format(&header, head);
	for (unsigned i = 0; i < PATCH_WINDOWS; i++) {
		struct patch_window window;
		size_t room = 1 << 20;
		uint8_t *frame = malloc(room);
		size_t n = pack_window(w, old, i, (int)i == spoilt, &window, frame, room);

		patch_window_format(&window, head + PATCH_HEADER + i * PATCH_INDEX_ENTRY);
		assert_int_equal(buffer_add(&frames, frame, n), 0);
		free(frame);
	}
	assert_int_equal(buffer_add(&w->patch, head, sizeof(head)), 0);
	assert_int_equal(buffer_add(&w->patch, frames.data, frames.size), 0);
	buffer_release(&frames);
	free(old);
}

static void test_update_by_patch_needs_no_frame(void **state)
{
	struct world *w = *state;

	make_patch(w, -1);
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
	assert_int_equal(w->wire_sent, 0);
	assert_int_equal(w->sent, w->patch.size);
	assert_int_equal(w->result.wire_bytes, w->patch.size);
	assert_int_equal(w->result.patch_bytes, w->patch.size);
	assert_int_equal(w->result.kept + w->result.copied + w->result.fetched, w->result.blocks);
}

static void test_wrong_window_comes_in_frames(void **state)
{
	struct world *w = *state;

	make_patch(w, 1);
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
	assert_true(w->wire_sent > 0);
	assert_int_equal(w->result.kept + w->result.copied + w->result.fetched, w->result.blocks);
}

static void test_wrong_top_window_comes_in_frames(void **state)
{
	struct world *w = *state;

	make_patch(w, 3);
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
	assert_true(w->wire_sent > 0);
}

static void test_patch_over_a_damaged_donor_is_not_believed(void **state)
{
	struct world *w = *state;
	uint8_t byte = 0x77;

	make_patch(w, -1);
	assert_int_equal(write_full_at(w->slots[0].fd, &byte, 1, 150 * BLOCK + 99), 0);
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
}

static void test_patch_that_ends_early_costs_only_frames(void **state)
{
	struct world *w = *state;

	make_patch(w, -1);
	w->patch.size /= 2;
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
}

static void test_patch_to_another_image_is_left_alone(void **state)
{
	struct world *w = *state;

	make_patch(w, -1);
	w->patch.data[16] ^= 1;
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
	assert_int_equal(w->sent - w->wire_sent, PATCH_HEADER);
}

static void test_cut_patch_goes_on_where_it_was(void **state)
{
	struct world *w = *state;
	uint64_t first;

	make_patch(w, -1);
	w->cut_after = w->patch.size * 2 / 3;
	assert_int_equal(install_into(w, 1), -EIO);
	first = w->sent;
	w->cut_after = 0;
	assert_int_equal(install_into(w, 1), 0);
	assert_slot_is_image(w, 1);
	assert_int_equal(w->wire_sent, 0);
	assert_true(first + w->sent < w->patch.size * 3 / 2);
}

/* ------------------------------------------------------------------ a server that lies */
static void test_flipped_block_is_refetched(void **state)
{
	struct world *w = *state;

	w->bad_frame = 12;
	w->bad_reads = 1;
	assert_int_equal(install_into(w, 0), 0);
	assert_slot_is_image(w, 0);
	assert_int_equal(w->bad_reads, 0);
}

static void test_wrong_frame_is_refused_for_good(void **state)
{
	struct world *w = *state;
	static const uint8_t zeros[FRAME];
	uint8_t have[FRAME];

	w->bad_frame = 12;
	w->bad_reads = 1000;
	assert_int_equal(install_into(w, 0), -EBADMSG);
	assert_non_null(strstr(w->error, "os/test/1.img.zst"));
	assert_non_null(strstr(w->error, "refused"));
	/* Everything else is there; of this frame nothing wrong was written. */
	assert_int_equal(read_full_at(w->slots[0].fd, have, FRAME, 12 * FRAME), 0);
	for (unsigned i = 0; i < PER_FRAME; i++)
		assert_true(memcmp(have + i * BLOCK, zeros, BLOCK) == 0 ||
			    memcmp(have + i * BLOCK, w->bytes + (12 * PER_FRAME + i) * BLOCK, BLOCK) == 0);
}

static void test_other_content_of_the_same_form_is_refused(void **state)
{
	struct world *w = *state;
	struct image_description signed_one = w->image.description;

	/* A sound image, but not the one that was signed: its tree has another root. */
	make_image(w, 5);
	memcpy(w->image.description.root_hash, signed_one.root_hash, 32);
	assert_int_equal(install_into(w, 0), -EBADMSG);
	assert_non_null(strstr(w->error, "hash tree"));
	assert_int_equal(install_choose(&w->image, w->slots, -1, -1), 0);
	assert_int_equal(w->result.fetched, 0);
}

/* Replaces a frame on the wire by other bytes, and makes the seek table fit. */
static void replace_frame(struct world *w, uint32_t frame, const uint8_t *data, size_t size)
{
	struct image_description *d = &w->image.description;
	struct buffer wire = { 0 };
	uint32_t sizes[256];
	uint8_t tail[4096];

	for (uint32_t i = 0; i < d->frames; i++) {
		uint64_t n = w->table.starts[i + 1] - w->table.starts[i];

		sizes[i] = i == frame ? (uint32_t)size : (uint32_t)n;
		assert_int_equal(buffer_add(&wire, i == frame ? data : w->wire.data + w->table.starts[i], sizes[i]), 0);
	}
	assert_true(seekable_table_size(d->frames) <= sizeof(tail));
	seek_table_format(sizes, d->frames, FRAME, d->image_size, tail);
	assert_int_equal(buffer_add(&wire, tail, seekable_table_size(d->frames)), 0);
	buffer_release(&w->wire);
	w->wire = wire;
	d->wire_size = wire.size;
	seek_table_release(&w->table);
	assert_int_equal(seek_table_parse(tail, seekable_table_size(d->frames), d->wire_size, d->frames, FRAME, d->image_size,
					  &w->table), 0);
}

static void test_bomb_frame_is_refused(void **state)
{
	struct world *w = *state;
	const size_t huge = 64u << 20;
	uint8_t *zeros = calloc(1, huge), packed[16384];
	size_t n = ZSTD_compress(packed, sizeof(packed), zeros, huge, 19);

	free(zeros);
	assert_false(ZSTD_isError(n)); /* a few KiB that would become 64 MiB */
	replace_frame(w, 20, packed, n);
	assert_int_equal(install_into(w, 0), -EBADMSG);
	assert_non_null(strstr(w->error, "frame 20"));
}

static void test_two_frames_in_the_place_of_one_are_refused(void **state)
{
	struct world *w = *state;
	uint8_t packed[2 * FRAME];
	size_t n = ZSTD_compress(packed, sizeof(packed), w->bytes + 20 * FRAME, FRAME / 2, 1);

	n += ZSTD_compress(packed + n, sizeof(packed) - n, w->bytes + 20 * FRAME + FRAME / 2, FRAME / 2, 1);
	replace_frame(w, 20, packed, n);
	assert_int_equal(install_into(w, 0), -EBADMSG);
}

static void test_false_seek_table_is_refused(void **state)
{
	struct world *w = *state;

	w->wire.data[w->wire.size - 30] ^= 0x40;
	assert_int_equal(install_into(w, 0), -EBADMSG);
	assert_non_null(strstr(w->error, "seek table"));
}

static void test_image_larger_than_slot_names_both(void **state)
{
	struct world *w = *state;

	w->slots[0].size = 1 << 20;
	assert_int_equal(install_into(w, 0), -EFBIG);
	assert_non_null(strstr(w->error, "C0 has 1.0 MiB"));
	assert_non_null(strstr(w->error, "needs 1.2 MiB"));
	assert_int_equal(w->reads, 0);
}

static void test_image_of_too_many_blocks_is_named(void **state)
{
	struct world *w = *state;
	struct image_description *d = &w->image.description;
	struct verity_layout layout;

	d->data_blocks = UINT32_MAX;
	assert_int_equal(verity_layout_init(&layout, d->data_blocks), 0);
	d->image_size = w->slots[0].size = layout.image_blocks * BLOCK;
	assert_int_equal(install_into(w, 0), -EFBIG);
	assert_non_null(strstr(w->error, "16 TiB"));
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(test_blank_slot_becomes_the_image),
		WITH_WORLD(test_same_image_fetches_nothing),
		WITH_WORLD(test_update_copies_what_the_other_slot_has),
		WITH_WORLD(test_lying_donor_is_not_believed),
		WITH_WORLD(test_damaged_slot_is_repaired),
		WITH_WORLD(test_slot_with_a_damaged_top_is_repaired_in_place),
		WITH_WORLD(test_slot_that_cannot_be_written_is_told_from_the_network),
		WITH_WORLD(test_cut_then_resume_fetches_rest),
		WITH_WORLD(test_network_error_is_tried_again),
		WITH_WORLD(test_unchanged_subtree_is_not_fetched),
		WITH_WORLD(test_blocks_of_the_old_image_in_place_are_kept),
		WITH_WORLD(test_unfinished_slot_is_a_seed_of_another_image),
		WITH_WORLD(test_lazy_reads_the_tree_only),
		WITH_WORLD(test_lazy_means_nothing_for_an_unfinished_slot),
		WITH_WORLD(test_bad_block_is_fetched_by_itself_and_counted),
		WITH_WORLD(test_changed_blocks_are_named),
		WITH_WORLD(test_slot_that_cannot_be_written_is_named),
		WITH_WORLD(test_unreadable_blocks_are_fetched_and_no_others),
		WITH_WORLD(test_donor_with_a_bad_sector_in_its_tree_gives_the_rest),
		cmocka_unit_test(test_one_cpu_has_two_threads),
		WITH_WORLD(test_donor_that_lost_its_tree_is_no_donor),
		WITH_WORLD(test_full_disk_is_named),
		WITH_WORLD(test_one_thread_does_it_too),
		WITH_WORLD(test_update_by_patch_needs_no_frame),
		WITH_WORLD(test_wrong_window_comes_in_frames),
		WITH_WORLD(test_wrong_top_window_comes_in_frames),
		WITH_WORLD(test_patch_over_a_damaged_donor_is_not_believed),
		WITH_WORLD(test_patch_that_ends_early_costs_only_frames),
		WITH_WORLD(test_patch_to_another_image_is_left_alone),
		WITH_WORLD(test_cut_patch_goes_on_where_it_was),
		WITH_WORLD(test_flipped_block_is_refetched),
		WITH_WORLD(test_wrong_frame_is_refused_for_good),
		WITH_WORLD(test_other_content_of_the_same_form_is_refused),
		WITH_WORLD(test_bomb_frame_is_refused),
		WITH_WORLD(test_two_frames_in_the_place_of_one_are_refused),
		WITH_WORLD(test_false_seek_table_is_refused),
		WITH_WORLD(test_image_larger_than_slot_names_both),
		WITH_WORLD(test_image_of_too_many_blocks_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
