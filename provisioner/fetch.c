/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/http-mirrors.h"
#include "common/http-text.h"
#include "common/patch.h"
#include "provisioner/backoff.h"
#include "provisioner/live.h"
#include "provisioner/provision.h"

struct remote {
	struct provision *p;
	const char *path;
	uint64_t size;
	struct http_mirrors *mirrors;
};

/* /targets/<folder>/<sha256>.<file>: consistent snapshots of TUF, so a name never stands for other bytes, and caches may keep them. */
static int target_path(const struct verified_image *image, char ret_path[512])
{
	const char *path = verified_image_path(image), *file = strrchr(path, '/');
	char hash[65];
	int n;

	hex_format(verified_image_wire_sha256(image), 32, hash);
	file = file != NULL ? file + 1 : path;
	n = snprintf(ret_path, 512, "/targets/%.*s%s.%s", (int)(file - path), path, hash, file);
	return n > 0 && n < 512 ? 0 : -ENAMETOOLONG;
}

/* The mirrors of the assignment, and the control unit's own repository after them. */
static struct http_mirrors *open_mirrors(const struct provision *p, char ret_own[HTTP_BASE_MOST])
{
	struct http_mirrors_options options = { .user_agent = "repave-provision", .proxy = p->config.proxy, .connect_seconds = 5 };
	const char *bases[HTTP_MIRRORS_MOST];
	unsigned count = 0;
	const json_t *mirror;
	size_t i;

	json_array_foreach(p->assignment.mirrors, i, mirror)
		if (count < HTTP_MIRRORS_MOST - 1)
			bases[count++] = json_string_value(mirror);
	snprintf(ret_own, HTTP_BASE_MOST, "http://%s:%u/repository", p->config.host, p->config.repository_port);
	bases[count++] = ret_own;
	return http_mirrors_new(bases, count, &options);
}

static int remote_run(void *context, const struct http_ranges *ranges)
{
	return http_mirrors_fetch(((struct remote *)context)->mirrors, ranges);
}

/* A patch lies beside the wire file, named after what it leads from. */
static int remote_patch(void *context, const uint8_t *old_root, uint64_t size)
{
	struct remote *remote = context;
	char root[PATCH_ROOT_BYTES * 2 + 1], path[600];

	if (old_root == NULL)
		return http_mirrors_file(remote->mirrors, remote->path, remote->size);
	hex_format(old_root, PATCH_ROOT_BYTES, root);
	snprintf(path, sizeof(path), "%s.from-%s", remote->path, root);
	return http_mirrors_file(remote->mirrors, path, size);
}

static const char *remote_error(void *context)
{
	return http_mirrors_error(((struct remote *)context)->mirrors);
}

static void remote_blame(void *context, unsigned server)
{
	struct remote *remote = context;

	http_mirrors_blame(remote->mirrors, server);
	console_line(&remote->p->stages, "%s", http_mirrors_error(remote->mirrors));
}

static void remote_only(void *context, int server)
{
	http_mirrors_only(((struct remote *)context)->mirrors, server);
}

static void remote_pause(void *context, unsigned next_try)
{
	struct remote *remote = context;
	unsigned seconds = backoff_seconds(next_try - 1);

	console_line(&remote->p->stages, "%s; next try in %u s", http_mirrors_error(remote->mirrors), seconds);
	sleep(seconds);
}

struct watchers {
	struct progress console;
	struct live *live;
};

static void show(void *context, enum install_phase phase, uint64_t done, uint64_t total)
{
	struct watchers *watchers = context;
	static const char *const what[] = { "hash tree", "checking", "copying", "fetching", "syncing" };

	progress_show(&watchers->console, what[phase], done, total);
	live_show(watchers->live, phase, done, total);
}

static int open_slots(struct provision *p, enum part first, struct slot slots[2], char paths[2][BLOCKDEV_NAME + 8])
{
	for (unsigned i = 0; i < 2; i++) {
		enum part part = (enum part)(first + i);
		int r;

		slots[i].name = part_name(part);
		r = rest_open_part(p, part, &slots[i].fd, &slots[i].size, paths[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int record(struct provision *p, const struct volume *volume, const char *group)
{
	char root[65];
	int r;

	hex_format(verified_image_description(volume->image)->root_hash, 32, root);
	r = state_set_slot(&p->state, part_name(volume->part), root, verified_image_path(volume->image));
	if (r == 0)
		r = state_set_good(&p->state, group, part_name(volume->part));
	if (r < 0)
		return sentence(p->error, r, "out of memory");
	save_state(p);
	return 0;
}

/* Whether the slot's record says that just this image is in it, to its end. If not, the record goes before the first byte is
 * written: a slot that is half of something is not to be taken for complete after a cut. */
static int begin_slot(struct provision *p, const struct volume *volume, bool *ret_complete)
{
	const char *recorded = p->disk.in_ram ? NULL : state_slot(&p->state, part_name(volume->part));
	char root[65];

	hex_format(verified_image_description(volume->image)->root_hash, 32, root);
	*ret_complete = recorded != NULL && strcmp(recorded, root) == 0;
	if (*ret_complete || recorded == NULL)
		return 0;
	if (state_set_slot(&p->state, part_name(volume->part), NULL, NULL) < 0)
		return sentence(p->error, -ENOMEM, "out of memory");
	save_state(p);
	return 0;
}

static void say_result(const struct provision *p, const struct volume *volume, const char *label)
{
	const struct install_result *result = &volume->result;
	char bytes[16], patch[16], of_it[48] = "";

	if (result->patch_bytes > 0)
		snprintf(of_it, sizeof(of_it), ", of it %s as a patch", format_size(result->patch_bytes, patch));
	console_line(&p->stages, "%s in %s: %" PRIu64 " blocks, %" PRIu64 " kept, %" PRIu64 " copied, %" PRIu64 " fetched (%s%s)",
		     label, part_name(volume->part), result->blocks, result->kept, result->copied, result->fetched,
		     format_size(result->wire_bytes, bytes), of_it);
}

static int install(struct provision *p, struct volume *volume, const struct slot slots[2], unsigned slot, const char *label)
{
	struct remote remote = { .p = p, .size = verified_image_description(volume->image)->wire_size };
	struct wire_source source = { .run = remote_run, .patch = remote_patch, .blame = remote_blame, .only = remote_only,
				      .error = remote_error, .pause = remote_pause, .context = &remote };
	/* After a crash, a power cut or a block that dm-verity found bad, what the disk holds is anyone's guess. */
	struct install_options options = { .lazy = p->assignment.lazy && tries_was_clean(&p->state) };
	struct watchers watchers;
	struct install_progress shown = { show, &watchers };
	char path[512], own[HTTP_BASE_MOST];
	int r = target_path(volume->image, path);

	if (r < 0)
		return sentence(p->error, r, "the address of %s is too long", verified_image_path(volume->image));
	r = begin_slot(p, volume, &options.complete);
	if (r < 0)
		return r;
	remote.path = path;
	remote.mirrors = open_mirrors(p, own);
	if (remote.mirrors == NULL ||
	    http_mirrors_file(remote.mirrors, path, remote.size) < 0) {
		http_mirrors_free(remote.mirrors);
		return sentence(p->error, -ENOMEM, "out of memory for the HTTP clients");
	}
	source.servers = http_mirrors_count(remote.mirrors);
	progress_init(&watchers.console, &p->stages, label);
	watchers.live = p->offline ? NULL : live_begin(p, volume);
	r = install_image(volume->image, &slots[slot], &slots[1 - slot], &options, &source, &shown, &volume->result, p->error);
	live_end(watchers.live);
	progress_end(&watchers.console);
	http_mirrors_free(remote.mirrors);
	return r;
}

static int fill_slot(struct provision *p, struct volume *volume, const struct slot slots[2], unsigned slot, const char *path,
		     const char *label)
{
	int r;

	snprintf(volume->path, sizeof(volume->path), "%s", path);
	r = install(p, volume, slots, slot, label);
	if (r < 0)
		return r;
	volume->installed = true;
	say_result(p, volume, label);
	return record(p, volume, part_name(volume->part)[0] == 'C' ? "c" : "d");
}

/* The slot of the group that STATE says holds this image, 0 or 1; or -1. */
static int recorded_slot(const struct provision *p, const struct image_description *want, enum part first)
{
	char root[65];

	hex_format(want->root_hash, 32, root);
	for (int i = 0; i < 2; i++) {
		const char *recorded = state_slot(&p->state, part_name((enum part)(first + i)));

		if (recorded != NULL && strcmp(recorded, root) == 0)
			return i;
	}
	return -1;
}

int fetch_volume(struct provision *p, struct volume *volume, enum part first_slot)
{
	const struct image_description *want = verified_image_description(volume->image);
	const char *group = first_slot == PART_C0 ? "c" : "d";
	struct slot slots[2] = { { .fd = -1 }, { .fd = -1 } };
	char paths[2][BLOCKDEV_NAME + 8], label[160];
	unsigned slot;
	int r = open_slots(p, first_slot, slots, paths);

	if (r < 0) {
		volume->result.slot_failed = !p->disk.in_ram;
		goto out;
	}
	if (!p->disk.in_ram && p->disk.read_only && recorded_slot(p, want, first_slot) < 0) {
		volume->result.slot_failed = true;
		r = sentence(p->error, -EROFS, "disk %s is read-only, and %.250s isn't complete on it", p->disk.name,
			     verified_image_path(volume->image));
		goto out;
	}
	/* In RAM there is but one, and what STATE says is about the disk. */
	slot = p->disk.in_ram ? 0 : install_choose(volume->image, slots, state_good(&p->state, group), recorded_slot(p, want, first_slot));
	snprintf(label, sizeof(label), "%s %s", want->name, want->version);
	volume->part = (enum part)(first_slot + slot);
	r = fill_slot(p, volume, slots, slot, paths[slot], label);
	if (r < 0 && volume->result.slot_failed && !p->disk.in_ram && !p->disk.read_only && state_good(&p->state, group) != (int)(1 - slot)) {
		/* The other one isn't needed as last good. */
		console_line(&p->stages, "%s; taking %s instead", p->error, part_name((enum part)(first_slot + 1 - slot)));
		add_notice(p, p->error);
		state_set_slot(&p->state, part_name(volume->part), NULL, NULL);
		volume->part = (enum part)(first_slot + 1 - slot);
		r = fill_slot(p, volume, slots, 1 - slot, paths[1 - slot], label);
	}
out:
	for (unsigned i = 0; i < 2; i++)
		if (slots[i].fd >= 0)
			close(slots[i].fd);
	return r;
}
