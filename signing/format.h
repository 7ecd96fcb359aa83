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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "signing/json.h"

#define TUF_ERROR_SIZE 256

/* Bounds of what is read when nothing signed tells the length (bytes). */
#define TUF_ROOT_MOST 524288u
#define TUF_TIMESTAMP_MOST 16384u
#define TUF_SNAPSHOT_MOST 2097152u
#define TUF_TARGETS_MOST 8388608u /* 10,000 applications with all that a description can say, written compactly */

/* Longest name of a role (bytes with the NUL). */
#define TUF_ROLE_SIZE 256
/* Keys of one role, signatures of one document: each may cost milliseconds of a slow machine. */
#define TUF_SIGNERS_MOST 256u

enum tuf_type { TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS };

/* "root", "timestamp", "snapshot", "targets". */
const char *tuf_type_name(enum tuf_type type);

struct tuf_document {
	struct buffer data;      /* owned: the bytes as they were read; all values point into them */
	struct tree body;        /* "signed" */
	struct tree signatures;
	enum tuf_type type;
	uint64_t version;
	int64_t expires;         /* seconds since 1970; expired from this second on */
	uint32_t *index;         /* owned: places of the keys of "targets" or "meta", in the order of tree_compare */
	size_t count;            /* of them */
};

/* Parses and checks the form of everything that this version of the specification defines; unknown fields are let
 * be. Nothing is trusted yet. Delegated roles are TUF_TARGETS too. `data` is taken over on success, and empty then.
 * 0; -EBADMSG with a sentence in ret_error (TUF_ERROR_SIZE bytes); -ENOMEM. The caller calls tuf_document_release. */
int tuf_document_take(enum tuf_type type, struct buffer *data, struct tuf_document *ret_document, char *ret_error);
/* The same of a copy of the bytes. */
int tuf_document_parse(enum tuf_type type, const void *data, size_t size, struct tuf_document *ret_document,
		       char *ret_error);
/* An all-zero document is empty and may be released too. */
void tuf_document_release(struct tuf_document *document);
static inline bool tuf_document_is_empty(const struct tuf_document *document)
{
	return tree_is_none(document->body);
}

/* ------------------------------------------------------------------ who signs */

/* Who signs for a role: borrowed from the document of the role that delegates. */
struct tuf_signers {
	struct tree keys;   /* keyid -> key */
	struct tree keyids; /* of the role */
	uint64_t threshold;
};

/* The signers that a root document names for "root", "timestamp", "snapshot" or "targets". */
void tuf_root_signers(const struct tuf_document *root, enum tuf_type role, struct tuf_signers *ret_signers);

/* Whether two roles have the same keys (their ids and what is behind these) and the same threshold. false also when memory
 * runs out: then they count as changed. */
bool tuf_signers_equal(const struct tuf_signers *a, const struct tuf_signers *b);

/* How many different keys of `signers` have signed the document. One key counts once, also under two key ids or in two
 * writings; a key of unknown type or scheme, or that is damaged, doesn't count. Key ids are names: they aren't
 * compared with the hash of the key (specification 1.0.31 and later). 0 or -ENOMEM. */
int tuf_count_signatures(const struct tuf_document *document, const struct tuf_signers *signers,
			 uint64_t *ret_count);

/* 0 when the threshold is reached, -EBADMSG with a sentence when it isn't, or -ENOMEM. */
int tuf_check_signatures(const struct tuf_document *document, const struct tuf_signers *signers, char *ret_error);

/* The key id that the specification recommends: 64 hexadecimal digits of the SHA-256 of the key's canonical form.
 * 0, -EINVAL or -ENOMEM. */
int tuf_keyid(struct tree key, char ret_keyid[65]);

/* ------------------------------------------------------------------ files named by metadata */

/* What timestamp and snapshot metadata say of another metadata file, and targets metadata of a target. */
struct tuf_file {
	uint64_t version;    /* 0 for a target */
	bool has_length;     /* always for a target */
	uint64_t length;
	struct tree hashes;  /* or TREE_NONE (never for a target) */
	struct tree custom;  /* of a target, or TREE_NONE */
};

/* `name` is that of "meta", such as "snapshot.json": the role's name as it is, not percent-encoded, and ".json".
 * 0 or -ENOENT. */
int tuf_file_of(const struct tuf_document *document, const char *name, struct tuf_file *ret_file);

/* Length and hashes (sha256, sha512; at least one of them when there are hashes at all). 0 or -EBADMSG with a
 * sentence. */
int tuf_check_file(const struct tuf_file *file, const void *data, size_t size, char *ret_error);

/* 5.5.5: no file that the old snapshot names may be gone from the new one or have an older version there.
 * 0 or -EBADMSG with a sentence. */
int tuf_check_snapshot_rollback(const struct tuf_document *old, const struct tuf_document *new, char *ret_error);

/* Whether files of the repository have versions and hashes in their names. */
bool tuf_root_consistent(const struct tuf_document *root);

/* The name of a role's file, percent-encoded: "VERSION.NAME.json", or "NAME.json" when `version` is 0.
 * Only letters, digits, "_", ".", "-" and "~" stand for themselves; so it is one part of a path, and never "." or "..". */
#define TUF_FILE_NAME_SIZE (21 + 3 * TUF_ROLE_SIZE + 5)
void tuf_role_file_name(const char *role, uint64_t version, char ret_name[TUF_FILE_NAME_SIZE]);

/* ------------------------------------------------------------------ targets and delegations */

/* What this one targets document says of a path; whether it may is for the delegations above. 0 or -ENOENT. */
int tuf_target_of(const struct tuf_document *targets, const char *path, struct tuf_file *ret_file);
/* The n-th target (n < targets->count) in the order of paths; *ret_path is a string for tree_string_new. */
void tuf_target_at(const struct tuf_document *targets, size_t n, struct tree *ret_path, struct tuf_file *ret_file);

/* A delegation: borrowed from the targets document that has it. */
struct tuf_delegation {
	char name[TUF_ROLE_SIZE];
	struct tuf_signers signers;
	bool terminating;
	struct tree paths;              /* one of the two is TREE_NONE */
	struct tree path_hash_prefixes;
};

/* Walks over the delegations in their order (none: nothing). tree_begin's habit:
 *
 *	struct tree_steps steps = tuf_delegations_begin(&targets);
 *
 *	while (tuf_delegations_next(&targets, &steps, &delegation)) … */
struct tree_steps tuf_delegations_begin(const struct tuf_document *targets);
bool tuf_delegations_next(const struct tuf_document *targets, struct tree_steps *steps,
			  struct tuf_delegation *ret_delegation);

/* Whether the delegation is for this path: one of its patterns matches, or the SHA-256 of the path begins with one of its
 * prefixes. */
bool tuf_delegation_covers(const struct tuf_delegation *delegation, const char *path);

/* Shell-style patterns as TUF's reference has them: path and pattern must have equally many parts between "/", and each
 * part must match: "*" any run of characters, "?" one character, "[a-c]" and "[!a-c]" one of a set. Characters are code
 * points; nothing escapes; upper case isn't lower case. Takes at most length of path times length of pattern steps. */
#define TUF_PATTERN_MOST 4096u /* bytes; a longer pattern of a delegation matches nothing */
bool tuf_path_matches(const char *path, const char *pattern);

/* ------------------------------------------------------------------ times */

/* "2030-01-01T00:00:00Z" and seconds since 1970. 0 or -EINVAL. */
int tuf_time_parse(const char *text, int64_t *ret_time);
int tuf_time_format(int64_t time, char ret_text[24]);

#endif
