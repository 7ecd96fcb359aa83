/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of repave-sign and what their command lines hold. */
#ifndef SIGNING_COMMAND_H
#define SIGNING_COMMAND_H

#include <stddef.h>

#include "signing/passphrase.h"
#include "signing/repository.h"

#define VALUES_MOST 256

/* Values of an option that may be given several times; NULL at the end. */
struct values {
	const char *items[VALUES_MOST + 1];
	size_t count;
};

enum option_id {
	OPTION_REPOSITORY, OPTION_KEYS, OPTION_KEY, OPTION_PASSPHRASE_FILE, OPTION_NEW_PASSPHRASE_FILE, OPTION_NO_PASSPHRASE,
	OPTION_ROLE, OPTION_JSON, OPTION_ONLINE, OPTION_RENEW, OPTION_LEAVE_OUT, OPTION_NEW_VERSION, OPTION_APP, OPTION_PATH,
	OPTION_TERMINATING, OPTION_THRESHOLD, OPTION_ADD, OPTION_REMOVE, OPTION_OUTPUT, OPTION_SIGNATURE, OPTION_ROOT,
	OPTION_TYPE, OPTION_NAME, OPTION_PEM, OPTION_DAYS, OPTION_EXPIRES, OPTION_YES, OPTION_FOR_KEXEC,
	OPTION_HELP,
	/* Of which there is one for each top-level role: first + enum tuf_type. */
	OPTION_EXPIRES_ROLE, OPTION_THRESHOLD_ROLE = OPTION_EXPIRES_ROLE + 4, OPTION_COUNT = OPTION_THRESHOLD_ROLE + 4,
};

#define BIT(id) (UINT64_C(1) << (id))

struct arguments {
	const char *repository, *keys, *passphrase_file, *new_passphrase_file, *output, *signature, *root, *name;
	struct values key, role, renew, leave_out, app, path, add, remove;
	struct repository_policy policy;
	enum key_type type;
	unsigned threshold;
	int64_t expires;       /* seconds; 0: not given */
	int64_t days;
	bool json, only_online, no_passphrase, new_version, terminating, pem, yes, for_kexec;
	int count;             /* of what remains */
	char **rest;
};

/* What a command returns when its command line is wrong, which it has said: exit status 2. */
#define WRONG_USAGE 1000001

struct command {
	const char *name;           /* one word or two */
	uint64_t options, needed;   /* BIT(enum option_id) */
	int least, most;            /* further arguments */
	const char *wants;          /* what they are, or NULL */
	int (*run)(const struct arguments *arguments);
	const char *usage, *help;
};

/* Help texts that several commands share. */
#define PASSPHRASE_HELP                                                                                                  \
	"  --passphrase-file FILE     its first line instead of the terminal (or the file that\n"                         \
	"                             REPAVE_PASSPHRASE_FILE of the environment names)\n"
#define TRUST_HELP                                                                                                       \
	"  --keys DIR                 folder whose root.json is trusted (default: the repository's)\n"
#define KEYS_HELP                                                                                                        \
	"  --keys DIR                 folder of keys that sign; its root.json is trusted\n"                               \
	"  --key FILE                 one more key that signs; may be repeated\n" PASSPHRASE_HELP
#define ONLINE_HELP                                                                                                      \
	"  --expires-snapshot DAYS    life of what is signed now (default 14)\n"                                          \
	"  --expires-timestamp DAYS   (default 7)\n"
#define TARGETS_HELP "  --expires-targets DAYS     life of what is staged now (default 90)\n"
#define OFFLINE_HELP TARGETS_HELP "  --expires-root DAYS        (default 365)\n"
#define EXPIRES_HELP ONLINE_HELP OFFLINE_HELP
#define ONLINE_OPTIONS (BIT(OPTION_EXPIRES_ROLE + TUF_SNAPSHOT) | BIT(OPTION_EXPIRES_ROLE + TUF_TIMESTAMP))
#define OFFLINE_OPTIONS (BIT(OPTION_EXPIRES_ROLE + TUF_ROOT) | BIT(OPTION_EXPIRES_ROLE + TUF_TARGETS))
#define EXPIRES_OPTIONS (ONLINE_OPTIONS | OFFLINE_OPTIONS)
#define KEYS_OPTIONS (BIT(OPTION_KEYS) | BIT(OPTION_KEY) | BIT(OPTION_PASSPHRASE_FILE))

/* command-repository.c */
int run_init(const struct arguments *arguments);
int run_add(const struct arguments *arguments);
int run_remove(const struct arguments *arguments);
int run_publish(const struct arguments *arguments);
int run_refresh(const struct arguments *arguments);
int run_show(const struct arguments *arguments);
int run_verify(const struct arguments *arguments);
int run_discard(const struct arguments *arguments);
int run_prune(const struct arguments *arguments);

/* command-roles.c */
int run_delegate(const struct arguments *arguments);
int run_undelegate(const struct arguments *arguments);
int run_rotate(const struct arguments *arguments);
int run_threshold(const struct arguments *arguments);
int run_payload(const struct arguments *arguments);
int run_attach(const struct arguments *arguments);

/* command-key.c */
int run_key_new(const struct arguments *arguments);
int run_key_list(const struct arguments *arguments);
int run_key_import(const struct arguments *arguments);
int run_key_export(const struct arguments *arguments);
int run_key_passphrase(const struct arguments *arguments);
int run_key_sign(const struct arguments *arguments);

/* command-secureboot.c */
int run_secureboot_init(const struct arguments *arguments);
int run_secureboot_sign(const struct arguments *arguments);
int run_secureboot_verify(const struct arguments *arguments);
int run_secureboot_digest(const struct arguments *arguments);
int run_secureboot_sign_file(const struct arguments *arguments);
int run_secureboot_verify_file(const struct arguments *arguments);

/* Whether --output may be written: refuses names of keys, and to replace what isn't an earlier output of the same kind. Says so.
 * 0, -EINVAL, -EEXIST or -ENOMEM. */
enum output_kind { OUTPUT_PAYLOAD, OUTPUT_SIGNATURE };
int check_output(const char *path, enum output_kind kind);

/* The passphrase file of the options or the environment, or NULL. */
const char *passphrase_file_of(const struct arguments *arguments);

#endif
