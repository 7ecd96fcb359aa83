/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This server goes to another account: what the former one left is cleared from its disk, from STATE and from its memory before anything of
 * the new one comes here. How far that is stands in STATE: a power cut in the middle of hours of writing costs seconds of them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "provisioner/clearing.h"
#include "provisioner/efivar.h"
#include "provisioner/provision.h"
#include "provisioner/pstore.h"

/* TCG Platform Reset Attack Mitigation Specification 1.1: bit 0 asks the firmware to clear the memory at the next reset; it takes the bit back
 * when it has. */
#define MEMORY_REQUEST "MemoryOverwriteRequestControl"
#define MEMORY_GUID "e20939be-32d4-41be-a150-897f85d49829"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define KERNEL_LOG "/dev/kmsg"
#define RECORD_MOST 2048u  /* bytes of a record of the kernel's log that are looked at; what counts is near its beginning */
#define LOOK 4096u         /* bytes of each piece that are read back */
#define SAVE_SECONDS 3.0
#define REPORT_SECONDS 5.0

/* What is told of the disk. */
struct figures {
	uint64_t done, discarded, erased;
	bool offloaded;
};

struct clearer {
	struct provision *p;
	struct clearing clearing;
	struct figures figures;
	struct progress progress;
	struct speed speed;
	int fd;
	bool may_erase, may_discard;
	double saved, reported;
};

/* ------------------------------------------------------------------ how far it is */
static int keep(struct provision *p, const struct figures *f)
{
	json_t *object = json_pack("{s:s,s:I,s:I,s:I}", "order", p->assignment.sanitize, "done", (json_int_t)f->done, "discarded",
				   (json_int_t)f->discarded, "erased", (json_int_t)f->erased);

	return json_object_set_new(p->state.content, "sanitize", object) < 0 ? -ENOMEM : 0;
}

/* Of this very order; whatever else stands there counts as nothing. */
static void recall(const struct provision *p, const struct clearing *clearing, struct figures *f)
{
	const json_t *object = json_object_get(p->state.content, "sanitize");
	const char *order = json_get_string(object, "order");
	struct figures found = { 0 };

	if (order == NULL || strcmp(order, p->assignment.sanitize) != 0 || json_get_u64(object, "done", &found.done) < 0 ||
	    json_get_u64(object, "discarded", &found.discarded) < 0 || json_get_u64(object, "erased", &found.erased) < 0)
		return;
	if (found.done <= clearing->total && found.discarded <= found.done && found.erased <= found.discarded)
		*f = found;
}

void sanitize_forget(struct provision *p)
{
	json_object_del(p->state.content, "sanitize");
}

/* ------------------------------------------------------------------ the disk */
static bool offloads(const char *disk)
{
	char path[160], *line;
	uint64_t most = 0;

	snprintf(path, sizeof(path), "/sys/block/%.63s/queue/write_zeroes_max_bytes", disk);
	line = read_line_of(path);
	if (line == NULL || parse_u64(line, &most) < 0)
		most = 0;
	free(line);
	return most > 0;
}

/* Somewhere in the piece, where nobody could know beforehand. */
static int look_at(const struct clearer *c, uint64_t from, uint64_t size)
{
	static uint8_t bytes[LOOK];
	uint64_t random = 0, blocks = size / LOOK;
	int r;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	if (blocks == 0)
		return 0;
	r = read_full_at(c->fd, bytes, LOOK, from + random % blocks * LOOK);
	return r < 0 ? r : bytes[0] != 0 || memcmp(bytes, bytes + 1, LOOK - 1) != 0 ? -EIO : 0;
}

/* Discarding frees cells that a disk keeps besides, and promises nothing of what is read then: zeros are made in any case, by the disk itself
 * where it can. */
static int clear_piece(struct clearer *c, uint64_t from, uint64_t size)
{
	uint64_t range[2] = { from, size };

	if (c->may_erase && ioctl(c->fd, BLKSECDISCARD, range) < 0)
		c->may_erase = false;
	if (c->may_erase)
		c->figures.erased += size;
	else if (c->may_discard && ioctl(c->fd, BLKDISCARD, range) < 0)
		c->may_discard = false;
	if (c->may_erase || c->may_discard)
		c->figures.discarded += size;
	if (ioctl(c->fd, BLKZEROOUT, range) < 0)
		return -errno;
	return look_at(c, from, size);
}

static void show(struct clearer *c)
{
	double now = uptime();
	uint64_t rate = speed_look(&c->speed, c->figures.done, now);

	progress_show(&c->progress, "clearing", c->figures.done, c->clearing.total);
	if (now - c->reported < REPORT_SECONDS)
		return;
	c->reported = now;
	report_progress(c->p, json_pack("{s:s,s:s,s:s,s:I,s:I,s:I}", "slot", "", "target", c->p->disk.name, "phase", "clear", "done",
					(json_int_t)c->figures.done, "total", (json_int_t)c->clearing.total, "rate", (json_int_t)rate));
}

static int save(struct clearer *c)
{
	double now = uptime();
	int r;

	if (now - c->saved < SAVE_SECONDS && c->figures.done < c->clearing.total)
		return 0;
	c->saved = now;
	/* What STATE says is done must be on the disk. */
	if (fsync(c->fd) < 0)
		return -errno;
	r = keep(c->p, &c->figures);
	return r == 0 ? state_store(&c->p->state) : r;
}

static int clear_ranges(struct clearer *c)
{
	uint64_t from = 0, size = 0;
	int r = 0;

	while (r == 0 && clearing_next(&c->clearing, c->figures.done, &from, &size)) {
		r = clear_piece(c, from, size);
		if (r < 0)
			return sentence(c->p->error, r, "disk %s can't be cleared at %" PRIu64 " MiB: %s: replace it", c->p->disk.name, from >> 20,
					strerror(-r));
		c->figures.done += size;
		show(c);
		r = save(c);
	}
	return r < 0 ? sentence(c->p->error, r, "STATE of disk %s can't be written while it is cleared: %s", c->p->disk.name, strerror(-r)) : 0;
}

/* The table as it is, and nothing else in the sectors before it: a boot sector that somebody left is gone too. */
static int clear_edges(struct clearer *c)
{
	int r = disk_mend_table(c->fd, &c->p->disk);

	if (r == 0)
		r = state_scrub(&c->p->state);
	return r < 0 ? sentence(c->p->error, r, "partition table and STATE of disk %s can't be written anew: %s", c->p->disk.name, strerror(-r)) : 0;
}

/* From here on nothing of the former account starts on this server, without a control unit neither. */
static int forget_account(struct provision *p)
{
	int r;

	state_forget_account(&p->state);
	r = state_store(&p->state);
	return r < 0 ? sentence(p->error, r, "STATE of disk %s can't be written: %s", p->disk.name, strerror(-r)) : 0;
}

static int clear_disk(struct provision *p, struct figures *ret_figures)
{
	struct clearer c = { .p = p, .may_erase = true, .may_discard = true };
	char path[BLOCKDEV_NAME + 8], size[16];
	int r;

	if (p->disk.read_only)
		return sentence(p->error, -EROFS, "disk %s is read-only and can't be cleared: replace it", p->disk.name);
	r = clearing_init(&p->disk.gpt, p->disk.parts[PART_STATE], &c.clearing);
	if (r < 0)
		return sentence(p->error, r, "the partition table of disk %s isn't sound", p->disk.name);
	recall(p, &c.clearing, &c.figures);
	if (c.figures.done > 0)
		console_line(&p->stages, "goes on after %s", format_size(c.figures.done, size));
	r = forget_account(p);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/dev/%.63s", p->disk.name);
	c.fd = open(path, O_RDWR | O_CLOEXEC);
	if (c.fd < 0)
		return sentence(p->error, -errno, "disk %s can't be opened: %s", p->disk.name, strerror(errno));
	c.figures.offloaded = offloads(p->disk.name);
	c.saved = c.reported = uptime();
	progress_init(&c.progress, &p->stages, p->disk.name);
	r = clear_ranges(&c);
	progress_end(&c.progress);
	if (r == 0)
		r = clear_edges(&c);
	close(c.fd);
	*ret_figures = c.figures;
	if (r == 0)
		console_line(&p->stages, "disk %s: %s read as zero now%s%s", p->disk.name, format_size(c.figures.done, size),
			     c.figures.discarded > 0 ? ", discarded" : "", c.figures.offloaded ? "" : ", overwritten");
	return r;
}

/* ------------------------------------------------------------------ memory */
static bool load_request(const struct provision *p, uint8_t *ret_request)
{
	struct buffer data = { 0 };
	bool there = p->identity.uefi && efivar_open() == 0 && efivar_load(MEMORY_REQUEST, MEMORY_GUID, &data) == 0 && data.size > 0;

	if (there)
		*ret_request = data.data[0];
	buffer_release(&data);
	return there;
}

/* "requested", or "no firmware" that does it: then a cold reset is all there is. */
static const char *request_memory(struct provision *p)
{
	uint8_t request = 0;
	int r;

	if (!load_request(p, &request))
		return "no firmware";
	request |= 1;
	r = efivar_store(MEMORY_REQUEST, MEMORY_GUID, &request, sizeof(request));
	if (r < 0)
		console_line(&p->stages, "the firmware isn't asked to clear the memory: %s", strerror(-r));
	return r < 0 ? "no firmware" : "requested";
}

/* Linux, mm/page_alloc.c or mm/mm_init.c, report_meminit(): "mem auto-init: stack:off, heap alloc:on, heap free:on". With the last one each
 * page was zeroed before the kernel counted it as free for the first time: what was there before the reset is gone. */
static bool kernel_zeroed_memory(void)
{
	char record[RECORD_MOST];
	int fd = open(KERNEL_LOG, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool zeroed = false;
	ssize_t size = 0;

	/* EPIPE: records were lost while this reads. */
	while (fd >= 0 && !zeroed && ((size = read(fd, record, sizeof(record) - 1)) > 0 || (size < 0 && errno == EPIPE))) {
		record[size > 0 ? size : 0] = '\0';
		zeroed = strstr(record, ";mem auto-init: ") != NULL && strstr(record, " heap free:on") != NULL;
	}
	if (fd >= 0)
		close(fd);
	return zeroed;
}

void sanitize_tell(const struct provision *p, json_t *question)
{
	char *boot_id = read_line_of(BOOT_ID);
	uint8_t request;

	if (boot_id != NULL)
		json_object_set_new(question, "boot_id", json_string(boot_id));
	if (load_request(p, &request))
		json_object_set_new(question, "memory", json_string((request & 1) != 0 ? "not cleared" : "cleared"));
	if (kernel_zeroed_memory())
		json_object_set_new(question, "memory_zeroed", json_true());
	free(boot_id);
}

/* ------------------------------------------------------------------ the story */
static json_t *disk_json(const struct provision *p, const struct figures *f)
{
	if (!p->disk.found)
		return json_null();
	return json_pack("{s:s,s:I,s:I,s:I,s:I,s:b}", "name", p->disk.name, "size", (json_int_t)p->disk.size, "cleared", (json_int_t)f->done,
			 "discarded", (json_int_t)f->discarded, "erased", (json_int_t)f->erased, "offloaded", (int)f->offloaded);
}

static int tell(struct provision *p, const struct figures *f, const char *memory, bool key_renewed)
{
	char *boot_id = read_line_of(BOOT_ID), *text = NULL, url[512];
	struct buffer answer = { 0 };
	unsigned status = 0;
	json_t *json = json_pack("{s:i,s:s,s:s,s:s,s:b,s:o}", "format", 1, "order", p->assignment.sanitize, "boot_id",
				 boot_id != NULL ? boot_id : "", "memory", memory, "key_renewed", (int)key_renewed, "disk", disk_json(p, f));
	int r = -ENOMEM;

	free(boot_id);
	/* That of the question may be hours ago. */
	platform_attest(p);
	if (json != NULL && p->platform.session[0] != '\0')
		json_object_set_new(json, "attestation", json_string(p->platform.session));
	text = json != NULL ? json_format(json) : NULL;
	json_decref(json);
	if (text != NULL) {
		node_url(p, "sanitized", url);
		r = http_request(p->control, "POST", url, text, 4096, &status, &answer);
	}
	if (r == 0 && status != 204)
		r = -EACCES;
	if (r < 0)
		sentence(p->error, r, "the control unit can't be told that this server is cleared: %s",
			 status != 0 ? "it doesn't take it" : http_error(p->control));
	buffer_release(&answer);
	free(text);
	return r;
}

/* Whoever was root here may have destroyed the table, which hides what he left from us alone: the disk that the new account would get is laid out
 * now, and cleared as one that was ours. What holds something foreign is nobody's to clear, and isn't used before an operator says so. */
static int find_disk(struct provision *p)
{
	const struct disk_needs needs = { .slot_c_mib = p->config.slot_c_mib, .slot_d_mib = p->config.slot_d_mib, .uefi = p->identity.uefi,
					  .node = p->identity.uuid };
	bool made;
	int r;

	if (!p->disk.found)
		disk_find(&p->disk);
	if (p->disk.found || p->config.ram_slots)
		return 0;
	r = disk_prepare(&p->disk, &needs, &made, p->error);
	if (r == 0) {
		console_line(&p->stages, "disk %s is blank: laid out anew, to be cleared", p->disk.name);
		use_disk(p, made);
	} else if (r == -EIO) {
		return r;
	} else {
		console_line(&p->stages, "no disk is cleared: %s", p->error);
	}
	return 0;
}

static int clear(struct provision *p)
{
	struct figures figures = { 0 };
	const char *memory;
	bool renewed;
	int r = find_disk(p);

	if (r == 0 && p->disk.found)
		r = clear_disk(p, &figures);
	if (r < 0)
		return r;
	/* What a kernel of the former account wrote down before it stopped. */
	pstore_clear(PSTORE_FOLDER);
	/* Root of the former system could read this server's own key. */
	renewed = change_key(p) == 0;
	if (!renewed)
		console_line(&p->stages, "this server keeps its own key: %s", p->error);
	save_state(p);
	memory = request_memory(p);
	r = tell(p, &figures, memory, renewed);
	if (r == 0)
		console_line(&p->stages, "cleared; a cold reset%s", strcmp(memory, "requested") == 0 ? " that clears the memory too" : "");
	return r;
}

int sanitize(struct provision *p)
{
	int r = 0;

	stages_begin(&p->stages, "sanitize");
	console_line(&p->stages, "%s (order %.8s)", p->assignment.reason, p->assignment.sanitize);
	report(p, "progress");
	if (p->assignment.cleared)
		request_memory(p);
	else
		r = clear(p);
	return r < 0 ? r : reset_cold(p);
}
