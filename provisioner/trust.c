/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "provisioner/backoff.h"
#include "provisioner/provision.h"

/* ------------------------------------------------------------------ metadata */
static int fetch_metadata(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	struct provision *p = context;
	char *url;
	int r;

	/* A role's name, percent-encoded, may be long; cut off, the address would be another file's. */
	if (asprintf(&url, "http://%s:%u/repository/metadata/%s", p->config.host, p->config.repository_port, name) < 0)
		return -ENOMEM;
	r = http_get(p->repository, url, most, ret_data);
	free(url);
	return r;
}

/* Worth waiting for: the network and the server. What doesn't verify won't by itself. */
static bool is_network(int error)
{
	return error == -ECONNREFUSED || error == -ETIMEDOUT || error == -EHOSTUNREACH || error == -ENETUNREACH ||
	       error == -EIO || error == -EPROTO || error == -ECONNRESET;
}

static int refresh_once(struct provision *p)
{
	struct tuf_store store = state_tuf_store(&p->state);
	struct tuf_fetch fetch = { .fetch = fetch_metadata, .context = p };
	int r = tuf_client_open(&store, &fetch, p->config.root.data, p->config.root.size, (int64_t)time(NULL), &p->tuf);

	if (r < 0)
		return sentence(p->error, r, "the trusted root.json of this boot medium can't be used: %s", strerror(-r));
	r = tuf_client_refresh(p->tuf);
	if (r < 0) {
		sentence(p->error, r, "%s%s",
			 is_network(r) ? "the repository can't be reached: " : "the repository's metadata is refused: ",
			 is_network(r) ? http_error(p->repository) : tuf_client_error(p->tuf));
	} else {
		r = platform_check_floor(p);
	}
	if (r < 0) {
		tuf_client_close(p->tuf);
		p->tuf = NULL;
	}
	return r;
}

static void say_trusted(struct provision *p)
{
	console_line(&p->stages, "root %" PRIu64 ", targets %" PRIu64 ", snapshot %" PRIu64 ", timestamp %" PRIu64,
		     tuf_client_version(p->tuf, "root"), tuf_client_version(p->tuf, "targets"),
		     tuf_client_version(p->tuf, "snapshot"), tuf_client_version(p->tuf, "timestamp"));
	if (p->state.error < 0)
		console_line(&p->stages, "STATE of disk %s can't be written: %s; going on without it", p->disk.name,
			     strerror(-p->state.error));
}

int refresh_trust(struct provision *p)
{
	unsigned rounds = 0;
	int told = 0;

	for (unsigned try = 1;; try++) {
		int r = refresh_once(p), doubt = r == -ESTALE ? doubt_clock(p) : 0;

		if (r == 0) {
			p->heard = uptime();
			say_trusted(p);
			return 0;
		}
		if (doubt < 0)
			return doubt;
		if (doubt > 0)
			continue;
		if (!is_network(r))
			return r;
		/* It may wait for days: once it isn't a passing moment, the operator hears of it, once for each cause. */
		if (try > 1 && r != told && report(p, "failed"))
			told = r;
		r = pause_unreachable(p, &rounds);
		if (r < 0)
			return r;
	}
}

/* ------------------------------------------------------------------ images */
/* What an account signs for is fetched only now, so the network may fail once more; for long, it is a failed boot. */
#define TARGET_TRIES 5u

static int find_target(struct provision *p, const char *path, struct verified_target **ret_target)
{
	for (unsigned try = 1;; try++) {
		int r = tuf_client_target(p->tuf, path, ret_target);
		unsigned seconds;

		if (!is_network(r) || try == TARGET_TRIES)
			return r;
		seconds = backoff_seconds(try);
		console_line(&p->stages, "%s; next try in %u s", http_error(p->repository), seconds);
		sleep(seconds);
	}
}

static int resolve(struct provision *p, const char *path, enum image_kind kind, struct verified_image **ret_image)
{
	struct verified_target *target = NULL;
	char detail[160];
	int r = find_target(p, path, &target);

	if (r < 0)
		return sentence(p->error, r, "image %s: %s", path,
				r == -ENOENT ? "nobody signed for it; refused" : tuf_client_error(p->tuf));
	r = verified_image_of(target, ret_image, detail);
	verified_target_free(target);
	if (r < 0)
		return sentence(p->error, r, "image %s: %s; refused", path, r == -ENOMEM ? "out of memory" : detail);
	if (verified_image_description(*ret_image)->kind != kind)
		return sentence(p->error, -EINVAL, "image %s isn't %s; refused", path,
				kind == IMAGE_OS ? "an operating system" : "an application");
	return 0;
}

int resolve_images(struct provision *p, const char *os_target, const char *app_target)
{
	const struct image_description *os, *app;
	int r;

	verified_image_free(p->c.image);
	verified_image_free(p->d.image);
	p->c.image = p->d.image = NULL;
	r = resolve(p, os_target, IMAGE_OS, &p->c.image);
	if (r < 0)
		return r;
	if (app_target == NULL)
		return 0;
	r = resolve(p, app_target, IMAGE_APP, &p->d.image);
	if (r < 0)
		return r;
	os = verified_image_description(p->c.image);
	app = verified_image_description(p->d.image);
	if (strcmp(app->requires_os, os->name) != 0)
		return sentence(p->error, -EINVAL, "application %s %s is made for OS %s, not for %s; refused: assign one that fits",
				app->name, app->version, app->requires_os, os->name);
	return 0;
}
