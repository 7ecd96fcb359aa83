// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/online-keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "signing/keyring.h"
#include "signing/repository.h"
#include "signing/signers.h"

/* ------------------------------------------------------------------ the folder */

static int check_folder(const char *folder)
{
	struct stat info;

	if (stat(folder, &info) < 0)
		return log_error(-errno, "can't use the online keys in %s; put snapshot and timestamp keys of repave-sign there", folder);
	if (!S_ISDIR(info.st_mode)) {
		log_error(0, "%s is no folder; --online-keys names the one with the snapshot and timestamp keys", folder);
		return -ENOTDIR;
	}
	if (info.st_mode & 077 || (info.st_uid != geteuid() && info.st_uid != 0)) {
		log_error(0, "others may use the online keys in %s; make it yours alone (chmod 700) and its keys 600", folder);
		return -EACCES;
	}
	return 0;
}

static int count_keys(const char *folder, enum tuf_type role, size_t *ret_count)
{
	struct signing_keys keys = { 0 };
	int r = signing_keys_load(folder, role, &keys);

	*ret_count = keys.count;
	signing_keys_release(&keys);
	return r;
}

int online_keys_check(const char *folder)
{
	static const enum tuf_type online[] = { TUF_SNAPSHOT, TUF_TIMESTAMP }, offline[] = { TUF_ROOT, TUF_TARGETS };
	size_t count;
	int r = check_folder(folder);

	for (size_t i = 0; !r && i < 2; i++) {
		r = count_keys(folder, online[i], &count);
		if (!r && !count) {
			log_error(0, "%s has no %s-N.key; put the snapshot and timestamp keys of repave-sign there", folder,
				  tuf_type_name(online[i]));
			r = -ENOKEY;
		}
	}
	for (size_t i = 0; !r && i < 2; i++) {
		r = count_keys(folder, offline[i], &count);
		if (!r && count)
			log_warning("%s has %s keys: keep those off line, where no control unit can lose them", folder,
				    tuf_type_name(offline[i]));
	}
	return r;
}

/* ------------------------------------------------------------------ the keys */

/* Whether the keys at hand are enough to sign for the role. */
static int compare(const char *folder, const struct repository *repository, enum tuf_type role, char ret_error[ERROR_TEXT])
{
	const char *name = tuf_type_name(role);
	struct signing_keys keys = { 0 };
	struct signers signers;
	size_t count = 0;
	int r = repository_signers(repository, name, &signers);

	if (!r)
		r = signing_keys_load(folder, role, &keys);
	if (r < 0) {
		snprintf(ret_error, ERROR_TEXT, "the %s keys can't be read: %s", name, strerror(-r));
		return r;
	}
	for (size_t i = 0; i < keys.count; i++)
		count += signers_have(&signers, keys.keys[i].keyid);
	signing_keys_release(&keys);
	if (count >= signers.threshold)
		return 0;
	snprintf(ret_error, ERROR_TEXT, "%.200s has %zu of the %llu keys that sign for %s; put the repository's present %s keys there",
		 folder, count, (unsigned long long)signers.threshold, name, name);
	return -ENOKEY;
}

int online_keys_compare(const char *folder, const char *repository_folder, char ret_error[ERROR_TEXT])
{
	struct repository repository;
	int r = repository_open(repository_folder, folder, &repository);

	if (r < 0) {
		snprintf(ret_error, ERROR_TEXT, "the repository can't be opened: %s", strerror(-r));
		return r;
	}
	r = compare(folder, &repository, TUF_SNAPSHOT, ret_error);
	if (!r)
		r = compare(folder, &repository, TUF_TIMESTAMP, ret_error);
	repository_close(&repository);
	return r;
}
