/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys that somebody who signs has at hand: a folder, single files, or both. A key is opened (and its passphrase asked
 * for) when it is to sign, not before. Never linked into what a node runs. */
#ifndef SIGNING_KEYRING_H
#define SIGNING_KEYRING_H

#include "signing/format.h"
#include "signing/key-file.h"
#include "signing/passphrase.h"

struct keyring_key {
	char *path;
	struct key_file file;
	struct signing_key *key; /* once it is open */
};

struct keyring {
	struct keyring_key *keys;
	size_t count;
	struct passphrases *passphrases; /* borrowed */
	int64_t now;                     /* for the keys' own expiry */
	char *folder;                    /* for messages; may be NULL */
};

/* All *.key and *.pub files of a folder (NULL: none). Says on stderr what is wrong. 0 or -errno; the caller calls
 * keyring_release. */
int keyring_load(const char *folder, struct passphrases *passphrases, int64_t now, struct keyring *ret_ring);
/* One more file: .key, .pub or PEM. 0, -EEXIST when its key is there already, or as key_file_load. */
int keyring_add(struct keyring *ring, const char *path);
/* One more open key. Copies it. 0 or -ENOMEM. */
int keyring_add_key(struct keyring *ring, const struct signing_key *key, json_t *roles, int64_t expires);
void keyring_release(struct keyring *ring);

/* The unencrypted keys of a folder that say they are for a role: what a daemon can sign with. Errors as keyring_load, and -EACCES
 * when one is encrypted. The caller calls signing_keys_release. */
int signing_keys_load(const char *folder, enum tuf_type role, struct signing_keys *ret_keys);

/* By key id, or NULL. */
struct keyring_key *keyring_find(struct keyring *ring, const char *keyid);
/* Whether its file lets it sign for the role. */
bool keyring_key_is_for(const struct keyring_key *key, const char *role);
bool keyring_is_expired(const struct keyring *ring, const struct keyring_key *key);
/* Opens the key; asks for its passphrase, three times at a terminal. Refuses an expired key and warns of one that soon
 * will be. 0; -EACCES (passphrase); -EKEYEXPIRED; -ENOKEY (public half only); or -errno. */
int keyring_open(struct keyring *ring, struct keyring_key *key, const struct signing_key **ret_key);

#endif
