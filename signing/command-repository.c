/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands: making a repository, its images, publishing, looking. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "signing/command.h"
#include "signing/edit.h"
#include "signing/init.h"
#include "signing/prune.h"
#include "signing/show.h"

const char *passphrase_file_of(const struct arguments *a)
{
	return a->passphrase_file ? a->passphrase_file : getenv("REPAVE_PASSPHRASE_FILE");
}

/* "root=alice.pub" to the role's list. */
static int sort_given(const struct arguments *a, struct values ret_given[4])
{
	for (size_t i = 0; i < a->key.count; i++) {
		const char *text = a->key.items[i], *equals = strchr(text, '=');
		unsigned role = TUF_ROOT;

		while (role <= TUF_TARGETS && equals && (strlen(tuf_type_name(role)) != (size_t)(equals - text) ||
							  strncmp(text, tuf_type_name(role), (size_t)(equals - text)) != 0))
			role++;
		if (!equals || role > TUF_TARGETS) {
			log_error(0, "\"%s\": give --key ROLE=FILE with root, targets, snapshot or timestamp", text);
			return -EINVAL;
		}
		ret_given[role].items[ret_given[role].count++] = equals + 1;
	}
	return 0;
}

int run_init(const struct arguments *a)
{
	static struct values given[4];
	struct passphrases passphrases = { .file = passphrase_file_of(a) };
	struct init_options options = { .policy = &a->policy, .type = a->type, .key_life = a->expires, .now = time(NULL),
					.passphrases = a->no_passphrase ? NULL : &passphrases };
	int r = sort_given(a, given);

	for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++)
		options.given[role] = given[role].items;
	if (r == 0)
		r = repository_init_with(a->repository, a->keys, &options);
	passphrases_release(&passphrases);
	if (r < 0)
		return r;
	if (r == PUBLISH_WAITS)
		log_info("made %s, where nothing is published before these signatures are there: repave-sign show, payload, attach, "
			 "publish", a->repository);
	else
		log_info("made the repository %s and its keys in %s", a->repository, a->keys);
	if (a->no_passphrase)
		log_warning("the keys aren't encrypted: keep root and targets keys off line, and only snapshot and timestamp keys "
			    "on the control unit");
	else
		log_info("keep root and targets keys off line; snapshot and timestamp keys aren't encrypted, for the control unit");
	return 0;
}

static int64_t targets_expiry(const struct arguments *a)
{
	return time(NULL) + a->policy.lifetime[TUF_TARGETS];
}

static const char *role_or_targets(const struct arguments *a)
{
	return a->role.count > 0 ? a->role.items[0] : "targets";
}

int run_add(const struct arguments *a)
{
	size_t count = (size_t)a->count, done;
	struct checked_image *images = calloc(count, sizeof(*images));
	struct repository repository;
	int r = images ? 0 : -ENOMEM;

	for (done = 0; r == 0 && done < count; done++) {
		log_info("checking %s", a->rest[done]);
		r = checked_image_load(a->rest[done], &images[done]);
	}
	if (r == 0)
		r = repository_open(a->repository, a->keys, &repository);
	if (r == 0) {
		const char *name = role_or_targets(a);
		const struct repository_role *role;

		r = repository_add(&repository, name, images, count, targets_expiry(a));
		role = repository_role(&repository, name);
		if (r == 0 && role && role->staged)
			log_info("staged: repave-sign publish signs it");
		repository_close(&repository);
	}
	for (size_t i = 0; images && i < count; i++)
		checked_image_release(&images[i]);
	free(images);
	return r;
}

int run_remove(const struct arguments *a)
{
	struct repository repository;
	int r = repository_open(a->repository, a->keys, &repository);

	if (r < 0)
		return r;
	r = repository_remove(&repository, role_or_targets(a), a->rest[0], targets_expiry(a));
	if (r == 0)
		log_info("%s is removed at the next repave-sign publish", a->rest[0]);
	repository_close(&repository);
	return r;
}

static int load_ring(const struct arguments *a, struct passphrases *passphrases, struct keyring *ret_ring)
{
	int r = keyring_load(a->keys, passphrases, time(NULL), ret_ring);

	for (size_t i = 0; r == 0 && i < a->key.count; i++) {
		r = keyring_add(ret_ring, a->key.items[i]);
		if (r == -EEXIST)
			r = 0;
		if (r < 0)
			keyring_release(ret_ring);
	}
	return r;
}

static int say_nothing_done(const struct repository *repository)
{
	if (repository->roles[TUF_ROOT].published) {
		log_info("nothing to publish: nothing is staged and nothing is past half of its life");
		return 0;
	}
	log_info("nothing is published yet: repave-sign show lists whose signatures root and targets lack");
	return PUBLISH_WAITS;
}

static int publish(const struct arguments *a, enum repository_scope scope)
{
	struct passphrases passphrases = { .file = passphrase_file_of(a) };
	struct publish_options options = { .policy = &a->policy, .scope = scope, .now = time(NULL),
					   .role = a->role.count > 0 ? a->role.items[0] : NULL, .renew = a->renew.items,
					   .leave_out = a->leave_out.items };
	struct keyring ring;
	struct repository repository;
	int r = load_ring(a, &passphrases, &ring);

	if (r < 0)
		return r;
	options.ring = &ring;
	r = repository_open(a->repository, a->keys, &repository);
	if (r == 0) {
		r = repository_publish_with(&repository, &options);
		if (r == 0)
			r = say_nothing_done(&repository);
		repository_close(&repository);
	}
	keyring_release(&ring);
	passphrases_release(&passphrases);
	return r;
}

int run_publish(const struct arguments *a)
{
	return publish(a, a->only_online ? PUBLISH_ONLINE : PUBLISH_ALL);
}

int run_refresh(const struct arguments *a)
{
	return publish(a, PUBLISH_ONLINE);
}

int run_show(const struct arguments *a)
{
	return repository_show(a->repository, time(NULL), a->json);
}

int run_verify(const struct arguments *a)
{
	return repository_check(a->repository, a->root, time(NULL), a->json);
}

int run_discard(const struct arguments *a)
{
	struct repository repository;
	int r = repository_open(a->repository, NULL, &repository);

	if (r < 0)
		return r;
	r = repository_discard(&repository, a->role.count > 0 ? a->role.items[0] : NULL);
	repository_close(&repository);
	return r;
}

int run_prune(const struct arguments *a)
{
	struct repository repository;
	int r = repository_open(a->repository, NULL, &repository);

	if (r < 0)
		return r;
	r = repository_prune(&repository, time(NULL) - a->days);
	repository_close(&repository);
	return r;
}
