/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TUF metadata (specification 1.0): from bytes to a checked document, and the checks of one document by another.
 * Pure: no I/O, no clock. No signing.
 *
 *   { "signatures": [ { "keyid": "…", "sig": "hex" }, … ],
 *     "signed": { "_type": "root", "spec_version": "1.0.x", "version": 1, "expires": "2030-01-01T00:00:00Z", … } }
 *
 * Signed is the canonical form (signing/canonical.h) of "signed", unknown fields included. */
#ifndef SIGNING_FORMAT_H
#define SIGNING_FORMAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TUF_ERROR_SIZE 256

/* Bounds of what is read when nothing signed tells the length (bytes). */
#define TUF_ROOT_MOST 524288u
#define TUF_TIMESTAMP_MOST 16384u
#define TUF_SNAPSHOT_MOST 2097152u
#define TUF_TARGETS_MOST 4194304u /* some thousand images; all four fit half of a STATE partition */

enum tuf_type { TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS };

/* "root", "timestamp", "snapshot", "targets". */
const char *tuf_type_name(enum tuf_type type);

struct tuf_document {
	json_t *json;       /* owned; the others point into it */
	json_t *body;       /* "signed" */
	json_t *signatures;
	enum tuf_type type;
	uint64_t version;
	int64_t expires;    /* seconds since 1970; expired from this second on */
};

/* Parses and checks the form of everything that this version of the specification defines; unknown fields are let
 * be. Nothing is trusted yet. 0; -EBADMSG with a sentence in ret_error (TUF_ERROR_SIZE bytes). The
 * caller calls tuf_document_release. */
int tuf_document_parse(enum tuf_type type, const void *data, size_t size, struct tuf_document *ret_document,
		       char *ret_error);
/* An all-zero document is empty and may be released too. */
void tuf_document_release(struct tuf_document *document);

/* Who signs for a role: borrowed from the document of the role that delegates. */
struct tuf_signers {
	const json_t *keys;   /* keyid -> key */
	const json_t *keyids; /* of the role */
	uint64_t threshold;
};

/* The signers that a root document names for "root", "timestamp", "snapshot" or "targets". */
void tuf_root_signers(const struct tuf_document *root, enum tuf_type role, struct tuf_signers *ret_signers);

/* Whether two roles have the same keys and threshold. */
bool tuf_signers_equal(const struct tuf_signers *a, const struct tuf_signers *b);

/* How many different keys of `signers` have signed the document. A key counts once however often it or its
 * signature is listed, also under two key ids; a key of unknown type, or whose id isn't the SHA-256 of
 * its canonical form, doesn't count. 0 or -ENOMEM. */
int tuf_count_signatures(const struct tuf_document *document, const struct tuf_signers *signers,
			 uint64_t *ret_count);

/* 0 when the threshold is reached, -EBADMSG with a sentence when it isn't, or -ENOMEM. */
int tuf_check_signatures(const struct tuf_document *document, const struct tuf_signers *signers, char *ret_error);

/* What timestamp and snapshot metadata say of another file. */
struct tuf_file {
	uint64_t version;
	bool has_length;
	uint64_t length;
	const json_t *hashes; /* or NULL */
};

/* `name` is such as "snapshot.json". 0 or -ENOENT. */
int tuf_file_of(const struct tuf_document *document, const char *name, struct tuf_file *ret_file);

/* Length and hashes (sha256, sha512; at least one of them when there are hashes at all). 0 or -EBADMSG with a
 * sentence. */
int tuf_check_file(const struct tuf_file *file, const void *data, size_t size, char *ret_error);

/* Whether files of the repository have versions and hashes in their names. */
bool tuf_root_consistent(const struct tuf_document *root);

/* "2030-01-01T00:00:00Z" and seconds since 1970. 0 or -EINVAL. */
int tuf_time_parse(const char *text, int64_t *ret_time);
int tuf_time_format(int64_t time, char ret_text[24]);

/* The key id: 64 hexadecimal digits of the SHA-256 of the key's canonical form. 0, -EINVAL or -ENOMEM. */
int tuf_keyid(const json_t *key, char ret_keyid[65]);

#endif
