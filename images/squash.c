/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "images/squash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <sqfs/compressor.h>
#include <sqfs/dir_writer.h>
#include <sqfs/error.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/meta_writer.h>
#include <sqfs/super.h>
#include <sqfs/xattr_writer.h>

#include "common/file.h"
#include "common/log.h"

#define ALIGNMENT 4096u
#define BLOCK (128u * 1024)             /* of squashfs: what the kernel reads at once */
#define UNCOMPRESSED_BLOCK (1u << 24)   /* flag in a file's list of block sizes */
#define NONE 0xFFFFFFFFu                /* no fragment, no extended attributes */
#define XATTR_BYTES_MOST 65536u
#define DEPTH_MOST 64u

struct squash {
	sqfs_file_t *file;
	sqfs_compressor_t *compressor;
	sqfs_id_table_t *ids;
	sqfs_meta_writer_t *inodes;
	sqfs_meta_writer_t *directories;
	sqfs_dir_writer_t *directory;
	sqfs_xattr_writer_t *xattrs;
	sqfs_super_t super;
	uint64_t end; /* of what was written, padding included */
	uint32_t time;
	uint32_t last_inode;
	uint8_t block[BLOCK];
};

/* What a folder says of each of its members. */
struct member {
	char *name;
	sqfs_u64 reference;
	sqfs_u32 inode;
	sqfs_u16 mode;
};

/* libsquashfs has numbers of its own for errors; its I/O errors leave errno. */
static int check(int sqfs_error)
{
	if (!sqfs_error)
		return 0;
	if (sqfs_error == SQFS_ERROR_ALLOC)
		return -ENOMEM;
	return sqfs_error == SQFS_ERROR_IO && errno ? -errno : -EIO;
}

static const char *next_step(int error)
{
	return error == -ENOSPC ? " (free space, or build elsewhere with O=FOLDER)" : "";
}

static int append(struct squash *s, const void *data, size_t size)
{
	int r = check(s->file->write_at(s->file, s->end, data, size));

	if (r == 0)
		s->end += size;
	return r;
}

static int align(struct squash *s)
{
	static const uint8_t zeros[ALIGNMENT];
	size_t over = s->end % ALIGNMENT;

	return over ? append(s, zeros, ALIGNMENT - over) : 0;
}

/* ------------------------------------------------------------------ one inode */

static int add_xattr(struct squash *s, int fd, const char *path, const char *key)
{
	static uint8_t value[XATTR_BYTES_MOST];
	ssize_t size = fd >= 0 ? fgetxattr(fd, key, value, sizeof(value)) : lgetxattr(path, key, value, sizeof(value));

	if (size < 0)
		return -errno;
	return check(sqfs_xattr_writer_add(s->xattrs, key, value, (size_t)size));
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of their names: the file system's own order may differ between two build hosts. */
static int add_xattrs(struct squash *s, int fd, const char *path, sqfs_u32 *ret_index)
{
	static char names[XATTR_BYTES_MOST];
	const char *sorted[256];
	ssize_t size = llistxattr(path, names, sizeof(names));
	size_t count = 0;
	int r;

	*ret_index = NONE;
	if (size < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
		if (count == sizeof(sorted) / sizeof(sorted[0]))
			return -E2BIG;
		sorted[count++] = names + at;
	}
	if (!count)
		return 0;
	qsort(sorted, count, sizeof(sorted[0]), compare_strings);
	r = check(sqfs_xattr_writer_begin(s->xattrs, 0));
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_xattr(s, fd, path, sorted[i]);
	return r < 0 ? r : check(sqfs_xattr_writer_end(s->xattrs, ret_index));
}

/* Fills in what every kind has, writes the inode, and says where it lies. */
static int write_inode(struct squash *s, sqfs_inode_generic_t *inode, const struct stat *stat, sqfs_u32 number,
		       sqfs_u64 *ret_reference)
{
	sqfs_u64 block;
	sqfs_u32 offset;
	int r;

	inode->base.mode = (sqfs_u16)(stat->st_mode & 0177777);
	inode->base.mod_time = s->time;
	inode->base.inode_number = number;
	r = check(sqfs_id_table_id_to_index(s->ids, stat->st_uid, &inode->base.uid_idx));
	if (r == 0)
		r = check(sqfs_id_table_id_to_index(s->ids, stat->st_gid, &inode->base.gid_idx));
	if (r < 0)
		return r;
	sqfs_meta_writer_get_position(s->inodes, &block, &offset);
	*ret_reference = block << 16 | offset;
	s->super.inode_count++;
	return check(sqfs_meta_writer_write_inode(s->inodes, inode));
}

static int write_with_xattrs(struct squash *s, sqfs_inode_generic_t *inode, const struct stat *stat,
			     sqfs_u32 xattrs, sqfs_u32 number, sqfs_u64 *ret_reference)
{
	int r = 0;

	if (xattrs != NONE) {
		r = check(sqfs_inode_make_extended(inode));
		if (r == 0)
			r = check(sqfs_inode_set_xattr_index(inode, xattrs));
	}
	return r < 0 ? r : write_inode(s, inode, stat, number, ret_reference);
}

static sqfs_inode_generic_t *new_inode(uint16_t type, size_t extra)
{
	sqfs_inode_generic_t *inode = calloc(1, sizeof(*inode) + extra);

	if (inode) {
		inode->base.type = type;
		inode->payload_bytes_available = (sqfs_u32)extra;
		inode->payload_bytes_used = (sqfs_u32)extra;
	}
	return inode;
}

/* ------------------------------------------------------------------ files and links */

static int copy_data(struct squash *s, int fd, uint64_t size, sqfs_u32 *block_sizes)
{
	int r = align(s);

	for (uint64_t offset = 0; r == 0 && offset < size; offset += BLOCK) {
		size_t count = size - offset < BLOCK ? (size_t)(size - offset) : BLOCK;

		*block_sizes++ = (sqfs_u32)count | UNCOMPRESSED_BLOCK;
		r = read_full_at(fd, s->block, count, offset);
		if (r == 0)
			r = append(s, s->block, count);
	}
	return r;
}

static int add_file(struct squash *s, const char *path, const struct stat *stat, sqfs_u32 number,
		    sqfs_u64 *ret_reference)
{
	uint64_t size = (uint64_t)stat->st_size;
	size_t blocks = (size_t)((size + BLOCK - 1) / BLOCK);
	sqfs_inode_generic_t *inode = new_inode(SQFS_INODE_FILE, blocks * sizeof(sqfs_u32));
	uint64_t start = (s->end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	sqfs_u32 xattrs;
	int fd, r;

	if (!inode)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		goto free_inode;
	}
	r = check(sqfs_inode_set_file_size(inode, size));
	if (r == 0 && size)
		r = check(sqfs_inode_set_file_block_start(inode, start));
	if (r == 0)
		r = check(sqfs_inode_set_frag_location(inode, NONE, NONE));
	if (r == 0 && size)
		r = copy_data(s, fd, size, inode->extra);
	if (r == 0)
		r = add_xattrs(s, fd, path, &xattrs);
	if (r == 0)
		r = write_with_xattrs(s, inode, stat, xattrs, number, ret_reference);
	close(fd);
free_inode:
	free(inode);
	return r;
}

static int add_link(struct squash *s, const char *path, const struct stat *stat, sqfs_u32 number,
		    sqfs_u64 *ret_reference)
{
	size_t size = (size_t)stat->st_size;
	sqfs_inode_generic_t *inode = new_inode(SQFS_INODE_SLINK, size + 1);
	sqfs_u32 xattrs;
	int r;

	if (!inode)
		return -ENOMEM;
	inode->data.slink.nlink = 1;
	inode->data.slink.target_size = (sqfs_u32)size;
	r = readlink(path, (char *)inode->extra, size + 1) == (ssize_t)size ? 0 : -EIO;
	if (r == 0)
		r = add_xattrs(s, -1, path, &xattrs);
	if (r == 0)
		r = write_with_xattrs(s, inode, stat, xattrs, number, ret_reference);
	free(inode);
	return r;
}

/* ------------------------------------------------------------------ folders */

static int add_folder(struct squash *s, const char *path, const struct stat *stat, sqfs_u32 number, sqfs_u32 parent,
		      unsigned depth, sqfs_u64 *ret_reference);

static int add_member(struct squash *s, const char *path, sqfs_u32 parent, unsigned depth, struct member *member)
{
	struct stat stat;
	int r;

	if (lstat(path, &stat) < 0)
		return log_error(-errno, "can't read %s", path);
	member->inode = ++s->last_inode;
	member->mode = (sqfs_u16)(stat.st_mode & 0177777);
	if (S_ISDIR(stat.st_mode))
		return add_folder(s, path, &stat, member->inode, parent, depth + 1, &member->reference);
	if (S_ISREG(stat.st_mode))
		r = add_file(s, path, &stat, member->inode, &member->reference);
	else if (S_ISLNK(stat.st_mode))
		r = add_link(s, path, &stat, member->inode, &member->reference);
	else
		return log_error(-EINVAL, "%s is a device, pipe or socket: an image has none, take it out of the tree",
				 path);
	return r < 0 ? log_error(r, "can't pack %s%s", path, next_step(r)) : 0;
}

/* squashfs searches names in byte order. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static int add_members(struct squash *s, const char *path, sqfs_u32 number, unsigned depth, struct dirent **entries,
		       size_t count, struct member *members)
{
	for (size_t i = 0; i < count; i++) {
		struct buffer member_path = { 0 };
		int r;

		members[i].name = entries[i]->d_name;
		r = buffer_printf(&member_path, "%s/%s", path, members[i].name);
		if (r == 0)
			r = add_member(s, (const char *)member_path.data, number, depth, &members[i]);
		buffer_release(&member_path);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_folder(struct squash *s, const char *path, const struct stat *stat, sqfs_u32 number,
			sqfs_u32 parent, const struct member *members, size_t count, sqfs_u64 *ret_reference)
{
	sqfs_inode_generic_t *inode;
	size_t folders = 0;
	sqfs_u32 xattrs;
	int r = check(sqfs_dir_writer_begin(s->directory, 0));

	for (size_t i = 0; r == 0 && i < count; i++) {
		folders += S_ISDIR(members[i].mode);
		r = check(sqfs_dir_writer_add_entry(s->directory, members[i].name, members[i].inode,
						    members[i].reference, members[i].mode));
	}
	if (r == 0)
		r = check(sqfs_dir_writer_end(s->directory));
	if (r == 0)
		r = add_xattrs(s, -1, path, &xattrs);
	if (r < 0)
		return r;
	inode = sqfs_dir_writer_create_inode(s->directory, 0, xattrs, parent);
	if (!inode)
		return -ENOMEM;
	if (inode->base.type == SQFS_INODE_DIR)
		inode->data.dir.nlink = (sqfs_u32)folders + 2;
	else
		inode->data.dir_ext.nlink = (sqfs_u32)folders + 2;
	r = write_inode(s, inode, stat, number, ret_reference);
	sqfs_free(inode);
	return r;
}

static int add_folder(struct squash *s, const char *path, const struct stat *stat, sqfs_u32 number, sqfs_u32 parent,
		      unsigned depth, sqfs_u64 *ret_reference)
{
	struct dirent **entries = NULL;
	struct member *members = NULL;
	int count, r;

	if (depth > DEPTH_MOST)
		return log_error(-ELOOP, "%s lies more than %u folders deep", path, DEPTH_MOST);
	count = scandir(path, &entries, not_dots, compare_names);
	if (count < 0)
		return log_error(-errno, "can't read %s", path);
	members = calloc((size_t)count + 1, sizeof(*members));
	r = members ? add_members(s, path, number, depth, entries, (size_t)count, members) : -ENOMEM;
	if (r == 0) {
		r = write_folder(s, path, stat, number, parent, members, (size_t)count, ret_reference);
		if (r < 0)
			log_error(r, "can't pack the folder %s%s", path, next_step(r));
	}
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	free(members);
	return r;
}

/* ------------------------------------------------------------------ the whole */

static int write_metadata(struct squash *s)
{
	int r = align(s);

	s->super.inode_table_start = s->end;
	if (r == 0)
		r = check(sqfs_meta_writer_flush(s->inodes));
	if (r == 0)
		r = check(sqfs_meta_write_write_to_file(s->inodes));
	s->super.directory_table_start = s->file->get_size(s->file);
	if (r == 0)
		r = check(sqfs_meta_writer_flush(s->directories));
	if (r == 0)
		r = check(sqfs_meta_write_write_to_file(s->directories));
	if (r == 0)
		r = check(sqfs_id_table_write(s->ids, s->file, &s->super, s->compressor));
	if (r == 0)
		r = check(sqfs_xattr_writer_flush(s->xattrs, s->file, &s->super, s->compressor));
	if (r < 0)
		return r;
	s->super.flags |= SQFS_FLAG_UNCOMPRESSED_DATA | SQFS_FLAG_NO_FRAGMENTS | SQFS_FLAG_NO_DUPLICATES;
	s->super.bytes_used = s->file->get_size(s->file);
	s->end = s->super.bytes_used;
	r = check(sqfs_super_write(&s->super, s->file));
	return r < 0 ? r : align(s);
}

static int pack(struct squash *s, const char *tree)
{
	struct stat stat;
	sqfs_u32 root;
	int r;

	if (lstat(tree, &stat) < 0)
		return log_error(-errno, "can't read %s", tree);
	if (!S_ISDIR(stat.st_mode))
		return log_error(-ENOTDIR, "%s", tree);
	r = check(sqfs_super_write(&s->super, s->file));
	if (r < 0)
		return log_error(r, "can't write the image%s", next_step(r));
	s->end = s->file->get_size(s->file);
	root = ++s->last_inode;
	/* The root's parent is a number that no inode has. */
	r = add_folder(s, tree, &stat, root, NONE, 0, &s->super.root_inode_ref);
	if (r < 0)
		return r;
	r = write_metadata(s);
	return r < 0 ? log_error(r, "can't write the tables of the image%s", next_step(r)) : 0;
}

static int set_up(struct squash *s, const char *out)
{
	sqfs_compressor_config_t config;

	if (sqfs_super_init(&s->super, BLOCK, s->time, SQFS_COMP_ZSTD) ||
	    sqfs_compressor_config_init(&config, SQFS_COMP_ZSTD, BLOCK, 0) ||
	    sqfs_compressor_create(&config, &s->compressor))
		return log_error(-ENOTSUP, "libsquashfs has no zstd");
	errno = 0;
	s->file = sqfs_open_file(out, SQFS_FILE_OPEN_OVERWRITE);
	if (!s->file)
		return log_error(errno ? -errno : -ENOMEM, "can't write %s", out);
	s->ids = sqfs_id_table_create(0);
	s->inodes = sqfs_meta_writer_create(s->file, s->compressor, SQFS_META_WRITER_KEEP_IN_MEMORY);
	s->directories = sqfs_meta_writer_create(s->file, s->compressor, SQFS_META_WRITER_KEEP_IN_MEMORY);
	s->xattrs = sqfs_xattr_writer_create(0);
	if (s->directories)
		s->directory = sqfs_dir_writer_create(s->directories, 0);
	if (!s->ids || !s->inodes || !s->xattrs || !s->directory)
		return log_error(-ENOMEM, "can't pack");
	return 0;
}

static void release(void *object)
{
	if (object)
		sqfs_destroy(object);
}

int squash_tree(const char *tree, const char *out, uint32_t time)
{
	struct squash *s = calloc(1, sizeof(*s));
	struct stat stat;
	int r;

	if (!s)
		return -ENOMEM;
	s->time = time;
	/* On a failure it is removed: that must not happen to a device. */
	if (lstat(out, &stat) == 0 && !S_ISREG(stat.st_mode))
		r = log_error(-EINVAL, "%s is no file: name one that squash may write over", out);
	else
		r = set_up(s, out);
	if (r == 0)
		r = pack(s, tree);
	release(s->directory);
	release(s->directories);
	release(s->inodes);
	release(s->xattrs);
	release(s->ids);
	if (s->file && r < 0)
		unlink(out);
	release(s->file);
	release(s->compressor);
	free(s);
	return r;
}
