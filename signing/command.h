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
	OPTION_TYPE, OPTION_NAME, OPTION_PEM, OPTION_DAYS, OPTION_EXPIRES, OPTION_HELP,
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
	bool json, only_online, no_passphrase, new_version, terminating, pem;
	int count;             /* of what remains */
	char **rest;
};

struct command {
	const char *name;           /* one word or two */
	uint64_t options, needed;   /* BIT(enum option_id) */
	int least, most;            /* further arguments */
	int (*run)(const struct arguments *arguments);
	const char *usage, *help;
};

/* Help texts that several commands share. */
#define PASSPHRASE_HELP                                                                                                  \
	"  --passphrase-file FILE     its first line instead of the terminal (or the environment's REPAVE_PASSPHRASE_FILE)\n"
#define KEYS_HELP                                                                                                        \
	"  --keys DIR                 folder of keys that sign\n"                                                         \
	"  --key FILE                 one more key that signs; may be repeated\n" PASSPHRASE_HELP
#define ONLINE_HELP                                                                                                      \
	"  --expires-snapshot DAYS    life of what is signed now (default 14)\n"                                          \
	"  --expires-timestamp DAYS   (default 7)\n"
#define EXPIRES_HELP                                                                                                     \
	ONLINE_HELP "  --expires-targets DAYS     (default 90; delegated roles too)\n"                                     \
		    "  --expires-root DAYS        (default 365)\n"
#define EXPIRES_OPTIONS                                                                                                  \
	(BIT(OPTION_EXPIRES_ROLE + TUF_ROOT) | BIT(OPTION_EXPIRES_ROLE + TUF_TARGETS) |                                   \
	 BIT(OPTION_EXPIRES_ROLE + TUF_SNAPSHOT) | BIT(OPTION_EXPIRES_ROLE + TUF_TIMESTAMP))
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

/* Whether --output may be written: refuses names of keys, and to replace what isn't an earlier output of the same kind. Says so.
 * 0, -EINVAL, -EEXIST or -ENOMEM. */
enum output_kind { OUTPUT_PAYLOAD, OUTPUT_SIGNATURE };
int check_output(const char *path, enum output_kind kind);

/* The passphrase file of the options or the environment, or NULL. */
const char *passphrase_file_of(const struct arguments *arguments);

#endif
