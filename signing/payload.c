/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signatures made elsewhere: the bytes to sign go out, a signature of them comes back. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"
#include "signing/author.h"
#include "signing/document-json.h"
#include "signing/edit.h"
#include "signing/repository-private.h"
#include "signing/signers.h"

/* RSA of 8192 bits. */
#define SIGNATURE_MOST 1024u

static int find_staged(struct repository *repository, const char *name, struct repository_role **ret_role)
{
	int r = repository_load_staged(repository);

	if (r < 0)
		return r;
	*ret_role = repository_role(repository, name);
	if (*ret_role && ((*ret_role)->type == TUF_SNAPSHOT || (*ret_role)->type == TUF_TIMESTAMP)) {
		log_error(0, "%s is signed by online keys: repave-sign refresh", name);
		return -EINVAL;
	}
	return 0;
}

int repository_payload(struct repository *repository, const char *name, bool renew, const struct repository_policy *policy,
		       int64_t now, struct buffer *ret_payload)
{
	struct repository_role *role;
	json_t *copy;
	int r = find_staged(repository, name, &role);

	if (r < 0)
		return r;
	if (renew && role && role->published && !role->staged) {
		copy = json_deep_copy(json_object_get(role->published, "signed"));
		r = copy ? repository_stage(repository, role, copy, now + policy->lifetime[role->type], true) : -ENOMEM;
		json_decref(copy);
	}
	if (r == 0 && (!role || !role->staged)) {
		log_error(0, "nothing of %s is staged that could be signed: change it first, or give --new-version", name);
		r = -ENOENT;
	}
	return r < 0 ? r : json_canonical_format(json_object_get(role->staged, "signed"), ret_payload);
}

/* ------------------------------------------------------------------ attaching */

/* Hexadecimal with blanks around it, or raw bytes: to lower-case hexadecimal. 0, -EINVAL or -ENOMEM. */
static int to_hex(const struct buffer *signature, struct buffer *ret_hex)
{
	size_t begin = 0, end = signature->size;
	bool is_hex;
	char digits[2 * SIGNATURE_MOST + 1];

	while (begin < end && isspace(signature->data[begin]))
		begin++;
	while (end > begin && isspace(signature->data[end - 1]))
		end--;
	is_hex = end - begin >= 128 && (end - begin) % 2 == 0;
	for (size_t i = begin; is_hex && i < end; i++)
		is_hex = isxdigit(signature->data[i]);
	if (is_hex && end - begin <= 2 * SIGNATURE_MOST) {
		for (size_t i = begin; i < end; i++)
			digits[i - begin] = (char)tolower(signature->data[i]);
		digits[end - begin] = '\0';
	} else if (signature->size > 0 && signature->size <= SIGNATURE_MOST) {
		hex_format(signature->data, signature->size, digits);
	} else {
		log_error(0, "that is no signature: give the raw bytes (Ed25519 64, DER of ECDSA, RSA-PSS), or hexadecimal");
		return -EINVAL;
	}
	return buffer_add(ret_hex, digits, strlen(digits));
}

/* Tries the signature as one by `keyid`, on a copy. */
static int try_key(const struct signers *signers, const struct repository_role *role, const char *keyid, const char *hex,
		   json_t **ret_document)
{
	json_t *document = json_deep_copy(role->staged);
	bool valid = false;
	int r = document ? author_put_signature(document, keyid, hex) : -ENOMEM;

	if (r == 0)
		r = signers_has_signed(signers, role->type, document, keyid, &valid);
	if (r == 0 && !valid)
		r = -EKEYREJECTED;
	if (r < 0)
		json_decref(document);
	else
		*ret_document = document;
	return r;
}

static int try_signers(const struct signers *signers, const struct repository_role *role, const char *wanted, const char *hex,
		       json_t **ret_document, const char **ret_keyid)
{
	int r = -EKEYREJECTED;

	for (size_t i = 0; r == -EKEYREJECTED && i < json_array_size(signers->keyids); i++) {
		const char *keyid = json_string_value(json_array_get(signers->keyids, i));

		if (wanted && strcmp(wanted, keyid) != 0)
			continue;
		*ret_keyid = keyid;
		r = try_key(signers, role, keyid, hex, ret_document);
	}
	return r;
}

/* The signers of a role, and for a root those of the root before. */
struct who {
	struct signers signers[2];
	size_t count;
};

static void find_who(const struct repository *repository, const struct repository_role *role, struct who *who)
{
	who->count = 0;
	if (repository_signers(repository, role->name, &who->signers[who->count]) == 0)
		who->count++;
	if (role->type == TUF_ROOT &&
	    signers_of_top(json_object_get(role->published, "signed"), "root", &who->signers[who->count]) == 0)
		who->count++;
}

static int find_wanted(const struct who *who, const char *role, const char *key, const char **ret_keyid)
{
	*ret_keyid = NULL;
	for (size_t i = 0; key && !*ret_keyid && i < who->count; i++)
		*ret_keyid = signers_find(&who->signers[i], key);
	if (!key || *ret_keyid)
		return 0;
	log_error(0, "%s has no key \"%s\": repave-sign show lists names and key ids", role, key);
	return -ENOKEY;
}

int repository_attach(struct repository *repository, const char *name, const char *key, const struct buffer *signature)
{
	struct repository_role *role;
	struct who who;
	struct buffer hex = { 0 };
	const char *wanted, *keyid = NULL;
	json_t *document = NULL, *before;
	char shortened[16];
	size_t at = 0;
	int r = find_staged(repository, name, &role);

	if (r == 0 && (!role || !role->staged)) {
		log_error(0, "nothing of %s is staged that could be signed: repave-sign show lists what is", name);
		r = -ENOENT;
	}
	if (r < 0)
		return r;
	find_who(repository, role, &who);
	r = find_wanted(&who, name, key, &wanted);
	if (r == 0)
		r = to_hex(signature, &hex);
	if (r == 0) {
		r = -EKEYREJECTED;
		for (at = 0; r == -EKEYREJECTED && at < who.count; at++)
			r = try_signers(&who.signers[at], role, wanted, (const char *)hex.data, &document, &keyid);
	}
	if (r == -EKEYREJECTED)
		log_error(0, "this isn't a signature of what is staged for %s by %s: make it anew from repave-sign payload --role %s",
			  name, key ? key : "any of its keys", name);
	if (r == 0) {
		before = role->staged;
		role->staged = document;
		r = repository_store_staged(repository, role);
		if (r == 0)
			log_info("attached the signature of %s to %s", signers_key_name(&who.signers[at - 1], keyid, shortened), name);
		json_decref(before);
	}
	buffer_release(&hex);
	return r;
}

int repository_discard(struct repository *repository, const char *name)
{
	char wanted[TUF_FILE_NAME_SIZE] = "", folder[4096];
	const struct dirent *entry;
	unsigned n = 0;
	DIR *entries;
	int r = 0;

	if (!repository->roles[TUF_ROOT].published) {
		log_error(0, "nothing is published yet: remove %s, and begin anew with repave-sign init", repository->folder);
		return -EINVAL;
	}
	if (name && strlen(name) < TUF_ROLE_SIZE)
		metadata_file_name(name, 0, wanted);
	snprintf(folder, sizeof(folder), "%s/staged", repository->folder);
	entries = opendir(folder);
	/* Also what is damaged, and so can't be loaded. */
	while (r == 0 && entries && (entry = readdir(entries))) {
		if (entry->d_name[0] == '.' || (name && strcmp(entry->d_name, wanted) != 0))
			continue;
		if (unlinkat(dirfd(entries), entry->d_name, 0) < 0)
			r = log_error(-errno, "can't remove %s/%s", folder, entry->d_name);
		else
			log_info("discarded staged/%s", entry->d_name);
		n++;
	}
	if (entries)
		closedir(entries);
	if (r == 0 && n == 0)
		log_info("nothing is staged%s%s", name ? " for " : "", name ? name : "");
	return r;
}
