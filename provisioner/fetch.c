/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "provisioner/backoff.h"
#include "provisioner/provision.h"

struct remote {
	struct provision *p;
	char url[1024];
};

/* targets/<folder>/<sha256>.<file>: consistent snapshots of TUF. */
static int target_url(const struct provision *p, const struct verified_image *image, char url[1024])
{
	const char *path = verified_image_path(image), *file = strrchr(path, '/');
	char hash[65];
	int n;

	hex_format(verified_image_wire_sha256(image), 32, hash);
	file = file != NULL ? file + 1 : path;
	n = snprintf(url, 1024, "http://%s:%u/repository/targets/%.*s%s.%s", p->config.host, p->config.repository_port,
		     (int)(file - path), path, hash, file);
	return n > 0 && n < 1024 ? 0 : -ENAMETOOLONG;
}

struct one_range {
	const struct wire_work *work;
	const struct wire_range *range;
};

static int range_sink(void *context, const uint8_t *data, size_t size)
{
	const struct one_range *one = context;

	return one->work->data(one->work->context, one->range->cookie, 0, data, size);
}

static int remote_run(void *context, const struct wire_work *work)
{
	struct remote *remote = context;
	struct wire_range range;
	int r = 0;

	while (r == 0 && work->next(work->context, &range)) {
		struct one_range one = { work, &range };

		r = http_get_range(remote->p->repository, remote->url, range.offset, range.size, range_sink, &one);
		work->end(work->context, range.cookie, r);
	}
	return r;
}

static const char *remote_error(void *context)
{
	return http_error(((struct remote *)context)->p->repository);
}

static void remote_pause(void *context, unsigned next_try)
{
	struct remote *remote = context;
	unsigned seconds = backoff_seconds(next_try - 1);

	console_line(&remote->p->stages, "%s; next try in %u s", http_error(remote->p->repository), seconds);
	sleep(seconds);
}

static void show(void *context, enum install_phase phase, uint64_t done, uint64_t total)
{
	static const char *const what[] = { "hash tree", "checking", "copying", "fetching", "syncing" };

	progress_show(context, what[phase], done, total);
}

static int open_slots(struct provision *p, enum part first, struct slot slots[2], char paths[2][BLOCKDEV_NAME + 8])
{
	for (unsigned i = 0; i < 2; i++) {
		enum part part = (enum part)(first + i);
		int r;

		slots[i].name = part_name(part);
		r = disk_open_part(&p->disk, part, &slots[i].fd, &slots[i].size, paths[i], p->error);
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

int fetch_volume(struct provision *p, struct volume *volume, enum part first_slot)
{
	const struct image_description *want = verified_image_description(volume->image);
	const char *group = first_slot == PART_C0 ? "c" : "d";
	struct remote remote = { .p = p };
	struct wire_source source = { .run = remote_run, .error = remote_error, .pause = remote_pause, .context = &remote };
	struct slot slots[2] = { { .fd = -1 }, { .fd = -1 } };
	struct install_options options = { 0 };
	struct progress progress;
	struct install_progress shown = { show, &progress };
	char paths[2][BLOCKDEV_NAME + 8], label[160], bytes[16];
	unsigned slot;
	int r = open_slots(p, first_slot, slots, paths);

	if (r == 0 && target_url(p, volume->image, remote.url) < 0)
		r = sentence(p->error, -ENAMETOOLONG, "the address of %s is too long", verified_image_path(volume->image));
	if (r < 0)
		goto out;
	slot = install_choose(volume->image, slots, state_good(&p->state, group));
	volume->part = (enum part)(first_slot + slot);
	snprintf(volume->path, sizeof(volume->path), "%s", paths[slot]);
	snprintf(label, sizeof(label), "%s %s", want->name, want->version);
	progress_init(&progress, &p->stages, label);
	r = install_image(volume->image, &slots[slot], &slots[1 - slot], &options, &source, &shown, &volume->result, p->error);
	progress_end(&progress);
	if (r < 0)
		goto out;
	volume->installed = true;
	console_line(&p->stages, "%s in %s: %" PRIu64 " blocks, %" PRIu64 " kept, %" PRIu64 " copied, %" PRIu64 " fetched (%s)",
		     label, slots[slot].name, volume->result.blocks, volume->result.kept, volume->result.copied,
		     volume->result.fetched, format_size(volume->result.wire_bytes, bytes));
	r = record(p, volume, group);
out:
	for (unsigned i = 0; i < 2; i++)
		if (slots[i].fd >= 0)
			close(slots[i].fd);
	return r;
}
