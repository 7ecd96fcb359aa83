// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/trust.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "signing/client.h"

#define ROOT_MOST (512u * 1024)

static int load_nothing(void *context, const char *role, size_t most, struct buffer *ret_data)
{
	(void)context;
	(void)role;
	(void)most;
	(void)ret_data;
	return -ENOENT;
}

/* Whether a TUF client would begin with it. */
static int check_root(const struct buffer *root)
{
	struct tuf_store store = { .load = load_nothing };
	struct tuf_fetch fetch = { 0 };
	struct tuf_client *client = NULL;
	int r = tuf_client_open(&store, &fetch, root->data, root->size, time(NULL), &client);

	tuf_client_close(client);
	return r;
}

/* Forgets metadata that descended from another root. */
static int clear_trusted(const char *folder)
{
	DIR *entries = opendir(folder);
	const struct dirent *entry;
	int r = 0;

	if (!entries)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (entry = readdir(entries)))
		if (entry->d_name[0] != '.' && unlinkat(dirfd(entries), entry->d_name, 0) < 0)
			r = -errno;
	closedir(entries);
	return r;
}

int trust_root(const char *state, const char *file)
{
	struct buffer wanted = { 0 }, present = { 0 };
	char *root = NULL, *trusted = NULL;
	int r;

	if (asprintf(&root, "%s/root.json", state) < 0 || asprintf(&trusted, "%s/tuf", state) < 0)
		return -ENOMEM;
	r = file_load(file, ROOT_MOST, &wanted);
	if (r < 0) {
		log_error(r, "can't read the repository's root of trust %s; publish with repave-sign first, or name it with --root",
			  file);
		goto out;
	}
	if (!file_load(root, ROOT_MOST, &present) && present.size == wanted.size &&
	    !memcmp(present.data, wanted.data, wanted.size))
		goto out;
	r = check_root(&wanted);
	if (r < 0) {
		log_error(r, "%s is no root.json of a TUF repository", file);
		goto out;
	}
	r = clear_trusted(trusted);
	if (!r)
		r = file_store(root, wanted.data, wanted.size, 0600);
	if (r < 0)
		log_error(r, "can't store the root of trust in %s", state);
out:
	buffer_release(&wanted);
	buffer_release(&present);
	free(root);
	free(trusted);
	return r;
}
