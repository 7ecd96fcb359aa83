/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/rest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "provisioner/cpio.h"
#include "provisioner/devmapper.h"
#include "provisioner/modules.h"
#include "provisioner/provision.h"

#define RECORD "encryption" /* of STATE */
#define MODULES_WORD "repave:crypt"
#define PIECE (UINT64_C(64) << 20)
#define LOOK ((size_t)1 << 20) /* bytes of each piece that are read back: those of the first hold what an image begins with */
#define REPORT_SECONDS 5.0

/* What may hold images, or kernels of them. */
static const enum part cleared[] = { PART_C0, PART_C1, PART_D0, PART_D1, PART_ESP };

/* -ENOKEY where the answer has none. */
static int take_key(const struct provision *p, uint8_t ret_key[DMCRYPT_KEY_SIZE])
{
	struct buffer key = { 0 };
	int r = p->assignment.disk_key != NULL ? base64_parse(p->assignment.disk_key, &key) : -ENOKEY;

	if (r == 0 && key.size != DMCRYPT_KEY_SIZE)
		r = -EINVAL;
	if (r == 0)
		memcpy(ret_key, key.data, DMCRYPT_KEY_SIZE);
	if (key.data != NULL)
		explicit_bzero(key.data, key.size);
	buffer_release(&key);
	return r;
}

static int refuse(struct provision *p)
{
	const char *why = p->assignment.disk_closed;

	return sentence(p->error, -ENOKEY, "C: and D: of this server are to be encrypted, and the control unit gave no key: %.200s",
			why != NULL ? why : "it doesn't say why; see its log");
}

/* ------------------------------------------------------------------ what STATE says */
static const char *recorded(const struct provision *p)
{
	return json_get_string(p->state.content, RECORD);
}

/* Neither half of STATE says any more what the slots held, whichever of them a later boot can read. */
static void forget_records(struct provision *p)
{
	json_object_del(p->state.content, "slots");
	json_object_del(p->state.content, "good");
	json_object_del(p->state.content, RECORD);
	save_state(p);
	save_state(p);
}

int rest_without_key(struct provision *p)
{
	if (recorded(p) == NULL)
		return 0;
	return sentence(p->error, -ENOKEY, "C: and D: of this server are encrypted, and no control unit was there to give their key: nothing can start from"
			" disk %s. Bring repaved or the way to it back; servers that must start without it need `encryption: off` in their group", p->disk.name);
}

/* ------------------------------------------------------------------ in the clear no more */
static int open_raw(struct provision *p, enum part part, int *ret_fd, uint64_t *ret_size)
{
	char path[BLOCKDEV_NAME + 8];

	return disk_open_part(&p->disk, part, ret_fd, ret_size, path, p->error);
}

static int plain_inside(struct provision *p, bool *ret_plain)
{
	uint8_t head[REST_SECTOR];
	int r = 0;

	*ret_plain = false;
	for (unsigned part = PART_C0; r == 0 && !*ret_plain && part <= PART_D1; part++) {
		uint64_t size;
		int fd = -1;

		r = open_raw(p, (enum part)part, &fd, &size);
		/* What can't be read shows nothing. */
		if (r == 0 && read_full_at(fd, head, sizeof(head), 0) == 0)
			*ret_plain = rest_is_plain(head, sizeof(head));
		if (r == 0)
			close(fd);
	}
	return r;
}

/* What takes long, and how far it is. */
struct clearing_slots {
	struct provision *p;
	struct progress progress;
	uint64_t done, total;
	double reported;
	uint8_t *piece; /* LOOK bytes */
};

static void show(struct clearing_slots *c, enum part part)
{
	double now = uptime();

	progress_show(&c->progress, "clearing", c->done, c->total);
	if (now - c->reported < REPORT_SECONDS)
		return;
	c->reported = now;
	report_progress(c->p, json_pack("{s:s,s:s,s:s,s:I,s:I,s:I}", "slot", part <= PART_D1 ? part_name(part) : "", "target", c->p->disk.name, "phase",
					"clear", "done", (json_int_t)c->done, "total", (json_int_t)c->total, "rate", (json_int_t)0));
}

/* From the disk: BLKZEROOUT left nothing of the range in memory. */
static int look_at(struct clearing_slots *c, int fd, uint64_t from, uint64_t size)
{
	size_t n = size < LOOK ? (size_t)size : LOOK;
	int r = read_full_at(fd, c->piece, n, from);

	return r < 0 ? r : c->piece[0] != 0 || memcmp(c->piece, c->piece + 1, n - 1) != 0 ? -EIO : 0;
}

/* Discarding frees cells that a disk keeps besides, and promises nothing of what is read then: zeros are made in any case, by the disk itself where it
 * can. */
static int clear_part(struct clearing_slots *c, enum part part)
{
	struct provision *p = c->p;
	uint64_t size, all[2] = { 0, 0 };
	int fd, r = open_raw(p, part, &fd, &size);

	if (r < 0)
		return r;
	all[1] = size;
	ioctl(fd, BLKDISCARD, all);
	for (uint64_t at = 0; r == 0 && at < size; at += PIECE) {
		uint64_t range[2] = { at, size - at < PIECE ? size - at : PIECE };

		r = ioctl(fd, BLKZEROOUT, range) < 0 ? -errno : look_at(c, fd, range[0], range[1]);
		c->done += range[1];
		show(c, part);
	}
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r < 0 ? sentence(p->error, r, "%s of disk %s can't be cleared: %s: replace the disk", part_name(part), p->disk.name, strerror(-r)) : 0;
}

static uint64_t part_size(const struct provision *p, enum part part)
{
	const struct gpt_entry *entry = p->disk.parts[part];

	return entry != NULL ? (entry->last - entry->first + 1) * p->disk.gpt.sector_size : 0;
}

static int clear_slots(struct provision *p)
{
	struct clearing_slots c = { .p = p, .reported = uptime(), .piece = malloc(LOOK) };
	char size[16];
	int r = c.piece != NULL ? 0 : sentence(p->error, -ENOMEM, "out of memory");

	for (size_t i = 0; i < sizeof(cleared) / sizeof(cleared[0]); i++)
		c.total += part_size(p, cleared[i]);
	progress_init(&c.progress, &p->stages, p->disk.name);
	for (size_t i = 0; r == 0 && i < sizeof(cleared) / sizeof(cleared[0]); i++)
		if (part_size(p, cleared[i]) > 0)
			r = clear_part(&c, cleared[i]);
	progress_end(&c.progress);
	free(c.piece);
	if (r == 0)
		console_line(&p->stages, "C: and D: are to be encrypted: what their slots held was overwritten with zeros (%s)",
			     format_size(c.total, size));
	return r;
}

/* Whether all slots are ciphertexts of this very key. -errno with a sentence. */
static int is_settled(struct provision *p, const uint8_t key[DMCRYPT_KEY_SIZE], bool *ret_settled)
{
	char check[REST_CHECK + 1];
	bool plain = false;
	int r = 0;

	rest_check(key, check);
	*ret_settled = recorded(p) != NULL && strcmp(recorded(p), check) == 0;
	if (*ret_settled)
		r = plain_inside(p, &plain);
	*ret_settled = *ret_settled && !plain;
	return r;
}

/* ------------------------------------------------------------------ one boot */
int rest_begin(struct provision *p)
{
	uint8_t key[DMCRYPT_KEY_SIZE];
	bool settled = false;
	int r;

	p->rest.on = false;
	/* What is nobody's disk yet hides nothing of ours, and who has none needs no key. */
	if (!p->assignment.encryption || !p->disk.found)
		return 0;
	if (take_key(p, key) < 0)
		return refuse(p);
	/* A table with other sizes hides where the slots were. */
	r = p->assignment.wipe && !p->disk.read_only ? is_settled(p, key, &settled) : 0;
	explicit_bzero(key, sizeof(key));
	if (r < 0 || settled || !p->assignment.wipe || p->disk.read_only)
		return r;
	forget_records(p);
	return clear_slots(p);
}

static int settle_plain(struct provision *p)
{
	if (recorded(p) == NULL)
		return 0;
	console_line(&p->stages, "C: and D: were encrypted, and aren't to be any more: they are installed anew");
	forget_records(p);
	return 0;
}

static int settle_encrypted(struct provision *p, const uint8_t key[DMCRYPT_KEY_SIZE])
{
	char check[REST_CHECK + 1];
	bool settled;
	int r = is_settled(p, key, &settled);

	if (r < 0)
		return r;
	if (!settled && p->disk.read_only)
		return sentence(p->error, -EROFS, "disk %s is read-only, and what it holds isn't encrypted with this server's key", p->disk.name);
	if (!settled) {
		forget_records(p);
		r = clear_slots(p);
		if (r < 0)
			return r;
		rest_check(key, check);
		if (json_object_set_new(p->state.content, RECORD, json_string(check)) < 0)
			return sentence(p->error, -ENOMEM, "out of memory");
		save_state(p);
	}
	p->rest.on = true;
	console_line(&p->stages, "C: and D: are encrypted");
	return 0;
}

int rest_settle(struct provision *p)
{
	uint8_t key[DMCRYPT_KEY_SIZE];
	int r;

	if (!p->assignment.encryption)
		return settle_plain(p);
	if (take_key(p, key) < 0)
		return refuse(p);
	modules_load(MODULES_WORD);
	r = settle_encrypted(p, key);
	explicit_bzero(key, sizeof(key));
	return r;
}

/* ------------------------------------------------------------------ slots */
static int slot_key(const struct provision *p, enum part part, uint8_t ret_key[DMCRYPT_KEY_SIZE])
{
	uint8_t key[DMCRYPT_KEY_SIZE];
	int r = take_key(p, key);

	if (r == 0)
		r = rest_slot_key(key, part_name(part), ret_key);
	explicit_bzero(key, sizeof(key));
	return r;
}

static int map_part(struct provision *p, enum part part, const char *name, const char *device, uint64_t size)
{
	uint8_t key[DMCRYPT_KEY_SIZE];
	int r;

	if (p->rest.open[part])
		return 0;
	r = slot_key(p, part, key);
	if (r == 0)
		r = dmcrypt_map(name, p->disk.read_only, device, REST_SECTOR, size, key);
	explicit_bzero(key, sizeof(key));
	p->rest.open[part] = r == 0;
	return r < 0 ? sentence(p->error, r, "dm-crypt can't open %s (%s): %s", part_name(part), device, strerror(-r)) : 0;
}

static void mapped_name(enum part part, char ret_name[32])
{
	snprintf(ret_name, 32, "repave-slot-%s", part_name(part));
}

int rest_open_part(struct provision *p, enum part part, int *ret_fd, uint64_t *ret_size, char ret_path[BLOCKDEV_NAME + 8])
{
	char name[32];
	int r;

	/* Whatever led here: nothing of C: and D: goes to the disk in the clear. */
	if (p->assignment.encryption && !p->rest.on && !p->disk.in_ram)
		return sentence(p->error, -ENOKEY, "C: and D: of disk %s are to be encrypted, and couldn't be", p->disk.name);
	r = disk_open_part(&p->disk, part, ret_fd, ret_size, ret_path, p->error);
	if (r < 0 || !p->rest.on || p->disk.in_ram)
		return r;
	close(*ret_fd);
	*ret_fd = -1;
	*ret_size = *ret_size / REST_SECTOR * REST_SECTOR;
	mapped_name(part, name);
	r = map_part(p, part, name, ret_path, *ret_size);
	if (r < 0)
		return r;
	snprintf(ret_path, BLOCKDEV_NAME + 8, "/dev/mapper/%s", name);
	*ret_fd = open(ret_path, (p->disk.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	return *ret_fd < 0 ? sentence(p->error, -errno, "%s can't be opened: %s", ret_path, strerror(errno)) : 0;
}

static int add_key(const struct provision *p, const struct volume *volume, const char *path, struct buffer *archive)
{
	uint8_t key[DMCRYPT_KEY_SIZE];
	int r = slot_key(p, volume->part, key);

	if (r == 0)
		r = cpio_add_file(archive, path, 0600, key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	return r;
}

int rest_hand_over(const struct provision *p, struct buffer *archive)
{
	int r;

	if (!p->rest.on || p->disk.in_ram)
		return 0;
	r = add_key(p, &p->c, "repave/c.key", archive);
	return r == 0 && p->d.installed ? add_key(p, &p->d, "repave/d.key", archive) : r;
}

void rest_close(struct provision *p)
{
	for (unsigned part = 0; part < PARTS; part++) {
		char name[32];

		mapped_name((enum part)part, name);
		if (p->rest.open[part])
			devmapper_close(name);
		p->rest.open[part] = false;
	}
	p->rest.on = false;
}
