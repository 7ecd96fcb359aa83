/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "images/layout.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqfs/compressor.h>
#include <sqfs/dir_reader.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/super.h>

#include "common/bytes.h"
#include "common/log.h"

#define SQUASHFS_BYTES_USED 40
#define UNCOMPRESSED_BLOCK (1u << 24)
#define FANOUT (LAYOUT_BLOCK / LAYOUT_DIGEST)
/* dm-verity superblock: salt size, salt. */
#define SB_SALT_SIZE 80
#define SB_SALT 88
#define SB_SALT_MOST 256

/* The superblock follows the data, then comes the tree from its top to the leaves. */
static int find_tree(struct layout *layout)
{
	uint64_t blocks = layout->size / LAYOUT_BLOCK, end = blocks, below;

	if (layout->size % LAYOUT_BLOCK || blocks < 4 || blocks > UINT32_MAX - 2 || memcmp(layout->data, "hsqs", 4) != 0)
		return -EBADMSG;
	layout->data_blocks = (get_le64(layout->data + SQUASHFS_BYTES_USED) - 1) / LAYOUT_BLOCK + 1;
	if (layout->data_blocks < 2 || layout->data_blocks >= blocks)
		return -EBADMSG;
	layout->superblock = layout->data + layout->data_blocks * LAYOUT_BLOCK;
	for (below = layout->data_blocks; below > 1; below = layout->level_blocks[layout->levels++]) {
		uint64_t level = (below - 1) / FANOUT + 1;

		if (level > end)
			return -EBADMSG;
		end -= level;
		layout->level_first[layout->levels] = end;
		layout->level_blocks[layout->levels] = level;
	}
	return memcmp(layout->superblock, "verity\0\0", 8) == 0 && end == layout->data_blocks + 1 ? 0 : -EBADMSG;
}

/* ------------------------------------------------------------------ files */
static char *shape_of(const char *path)
{
	char *shape = malloc(strlen(path) + 1), *to = shape;

	if (shape == NULL)
		return NULL;
	while (*path != '\0') {
		if (isdigit((unsigned char)*path)) {
			path += strspn(path, "0123456789");
			*to++ = '#';
		} else {
			*to++ = *path++;
		}
	}
	*to = '\0';
	return shape;
}

static bool lies_plain(const sqfs_inode_generic_t *inode, uint64_t start, uint64_t size, uint64_t data_size)
{
	size_t blocks = sqfs_inode_get_file_block_count(inode);

	if (size == 0 || start % LAYOUT_BLOCK || start > data_size || size > data_size - start)
		return false;
	for (size_t i = 0; i < blocks; i++)
		if (!(inode->extra[i] & UNCOMPRESSED_BLOCK))
			return false;
	return blocks > 0;
}

static int add_file(struct layout *layout, const sqfs_tree_node_t *node)
{
	struct layout_file *files, file = { 0 };
	sqfs_u64 start, size;
	char *path;

	if (sqfs_inode_get_file_block_start(node->inode, &start) || sqfs_inode_get_file_size(node->inode, &size))
		return -EBADMSG;
	if (!lies_plain(node->inode, start, size, layout->data_blocks * LAYOUT_BLOCK))
		return 0;
	files = reallocarray(layout->files, layout->file_count + 1, sizeof(*files));
	if (files == NULL)
		return -ENOMEM;
	layout->files = files;
	if (sqfs_tree_node_get_path(node, &path))
		return -EBADMSG;
	file = (struct layout_file){ strdup(path), shape_of(path), start / LAYOUT_BLOCK,
				     (size - 1) / LAYOUT_BLOCK + 1 };
	sqfs_free(path);
	files[layout->file_count++] = file;
	return file.path != NULL && file.shape != NULL ? 0 : -ENOMEM;
}

static int add_files(struct layout *layout, const sqfs_tree_node_t *folder)
{
	int r = 0;

	for (const sqfs_tree_node_t *node = folder->children; r == 0 && node != NULL; node = node->next) {
		if (S_ISDIR(node->inode->base.mode))
			r = add_files(layout, node);
		else if (S_ISREG(node->inode->base.mode))
			r = add_file(layout, node);
	}
	return r;
}

static int by_first(const void *a, const void *b)
{
	const struct layout_file *left = a, *right = b;

	return left->first < right->first ? -1 : left->first > right->first;
}

static int read_hierarchy(struct layout *layout, sqfs_file_t *file, sqfs_super_t *super, sqfs_compressor_t *compressor)
{
	sqfs_id_table_t *ids = sqfs_id_table_create(0);
	sqfs_dir_reader_t *reader = sqfs_dir_reader_create(super, compressor, file, 0);
	sqfs_tree_node_t *root = NULL;
	int r = ids != NULL && reader != NULL ? 0 : -ENOMEM;

	if (r == 0 && (sqfs_id_table_read(ids, file, super, compressor) ||
		       sqfs_dir_reader_get_full_hierarchy(reader, ids, NULL, 0, &root)))
		r = -EBADMSG;
	if (r == 0)
		r = add_files(layout, root);
	sqfs_dir_tree_destroy(root);
	if (reader != NULL)
		sqfs_destroy(reader);
	if (ids != NULL)
		sqfs_destroy(ids);
	if (r == 0 && layout->file_count > 0)
		qsort(layout->files, layout->file_count, sizeof(*layout->files), by_first);
	return r;
}

static int list_files(struct layout *layout, const char *path)
{
	sqfs_file_t *file = sqfs_open_file(path, SQFS_FILE_OPEN_READ_ONLY);
	sqfs_compressor_t *compressor = NULL;
	sqfs_compressor_config_t config;
	sqfs_super_t super;
	int r = file != NULL ? 0 : -EIO;

	if (r == 0 && (sqfs_super_read(&super, file) ||
		       sqfs_compressor_config_init(&config, super.compression_id, super.block_size,
						   SQFS_COMP_FLAG_UNCOMPRESS) ||
		       sqfs_compressor_create(&config, &compressor)))
		r = -EBADMSG;
	if (r == 0)
		r = read_hierarchy(layout, file, &super, compressor);
	if (compressor != NULL)
		sqfs_destroy(compressor);
	if (file != NULL)
		sqfs_destroy(file);
	return r;
}

/* ------------------------------------------------------------------ the whole */
int layout_open(const char *path, struct layout *ret_layout)
{
	struct layout layout = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
	struct stat stat;
	void *data;
	int r;

	if (layout.fd < 0)
		return log_error(-errno, "can't read %s", path);
	*ret_layout = layout;
	if (fstat(layout.fd, &stat) < 0)
		return log_error(-errno, "can't read %s", path);
	layout.size = (uint64_t)stat.st_size;
	data = mmap(NULL, layout.size, PROT_READ, MAP_SHARED, layout.fd, 0);
	if (data == MAP_FAILED)
		return log_error(-errno, "can't map %s", path);
	layout.data = data;
	r = find_tree(&layout);
	if (r == 0)
		r = list_files(&layout, path);
	*ret_layout = layout;
	if (r == -EBADMSG) {
		log_error(0, "%s isn't a finished image (squashfs, superblock and hash tree)", path);
		return r;
	}
	return r < 0 ? log_error(r, "can't read the files of %s", path) : 0;
}

void layout_close(struct layout *layout)
{
	for (size_t i = 0; i < layout->file_count; i++) {
		free(layout->files[i].path);
		free(layout->files[i].shape);
	}
	free(layout->files);
	if (layout->data != NULL)
		munmap((void *)(uintptr_t)layout->data, layout->size);
	if (layout->fd >= 0)
		close(layout->fd);
	*layout = (struct layout){ .fd = -1 };
}

const uint8_t *layout_leaf(const struct layout *layout, uint64_t block)
{
	return layout->data + layout->level_first[0] * LAYOUT_BLOCK + block * LAYOUT_DIGEST;
}

bool layout_same_salt(const struct layout *a, const struct layout *b)
{
	uint16_t size = get_le16(a->superblock + SB_SALT_SIZE);

	return size <= SB_SALT_MOST && size == get_le16(b->superblock + SB_SALT_SIZE) &&
	       memcmp(a->superblock + SB_SALT, b->superblock + SB_SALT, size) == 0;
}
