/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The repository tool: makes keys, takes images in, signs and publishes, shows. This file reads the command line. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/bytes.h"
#include "common/log.h"
#include "signing/command.h"
#include "signing/key-file.h"

#define DAYS_MOST 3650

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_WAITS = 3 };

static const struct command commands[] = {
	{ "init", BIT(OPTION_REPOSITORY) | KEYS_OPTIONS | EXPIRES_OPTIONS | BIT(OPTION_THRESHOLD_ROLE + TUF_ROOT) |
	  BIT(OPTION_THRESHOLD_ROLE + TUF_TARGETS) | BIT(OPTION_THRESHOLD_ROLE + TUF_SNAPSHOT) |
	  BIT(OPTION_THRESHOLD_ROLE + TUF_TIMESTAMP) | BIT(OPTION_TYPE) | BIT(OPTION_NO_PASSPHRASE) | BIT(OPTION_EXPIRES),
	  BIT(OPTION_REPOSITORY) | BIT(OPTION_KEYS), 0, 0, NULL, run_init, "--repository DIR --keys DIR [options]",
	  "Makes keys, the trusted root and an empty repository. Neither folder may hold anything.\n"
	  "Root and targets keys are encrypted with a passphrase, which is asked for twice.\n"
	  "  --threshold-root N/M       M keys, of which N must sign (default 1/1); also\n"
	  "                             --threshold-targets, --threshold-snapshot,\n"
	  "                             --threshold-timestamp\n"
	  "  --key ROLE=FILE            a key that exists (.key, .pub or PEM) instead of a new one;\n"
	  "                             may be repeated. Without enough secret keys at hand root\n"
	  "                             and targets wait for signatures.\n"
	  "  --type TYPE                ed25519 (default) or p256\n"
	  "  --expires DAYS             life of the new keys (default: without end)\n"
	  "  --no-passphrase            nothing is encrypted: for trying things out\n" PASSPHRASE_HELP EXPIRES_HELP },
	{ "add", BIT(OPTION_REPOSITORY) | BIT(OPTION_KEYS) | BIT(OPTION_ROLE) | BIT(OPTION_EXPIRES_ROLE + TUF_TARGETS),
	  BIT(OPTION_REPOSITORY), 1, 4096, "NAME.json", run_add, "--repository DIR [--keys DIR] [--role ROLE] NAME.json…",
	  "Checks image descriptions against the files beside them: NAME.img.zst is decoded and\n"
	  "every block compared with the root hash, and NAME.img too if it is there. Copies the\n"
	  "images into the repository and stages them for the next publish. All of them or none.\n"
	  "  --role ROLE                a delegated role, for applications of its own paths\n"
	  "                             (default: targets)\n" TRUST_HELP TARGETS_HELP },
	{ "remove", BIT(OPTION_REPOSITORY) | BIT(OPTION_KEYS) | BIT(OPTION_ROLE) | BIT(OPTION_EXPIRES_ROLE + TUF_TARGETS),
	  BIT(OPTION_REPOSITORY), 1, 1, "TARGET", run_remove, "--repository DIR [--keys DIR] [--role ROLE] TARGET",
	  "Stages the removal of a target, such as os/debian/12.1.img.zst.\n"
	  "  --role ROLE                a delegated role (default: targets)\n" TRUST_HELP TARGETS_HELP },
	{ "delegate", BIT(OPTION_REPOSITORY) | BIT(OPTION_KEYS) | BIT(OPTION_KEY) | BIT(OPTION_APP) | BIT(OPTION_PATH) |
	  BIT(OPTION_THRESHOLD) | BIT(OPTION_TERMINATING) | BIT(OPTION_EXPIRES_ROLE + TUF_TARGETS), BIT(OPTION_REPOSITORY), 1, 1,
	  "ACCOUNT", run_delegate, "--repository DIR ACCOUNT --app NAME… --key FILE… [options]",
	  "Lets an account's own signers sign for its own applications: stages a delegation, or a\n"
	  "change of one.\n"
	  "  --app NAME                 an application (app/NAME/*/*); NAME may hold *; may be\n"
	  "                             repeated\n"
	  "  --path PATTERN             any other target paths; may be repeated\n"
	  "  --key FILE                 a key of the account (.pub, .key or PEM); may be repeated\n"
	  "  --threshold N              how many of them must sign (default 1)\n"
	  "  --terminating              nobody further down the list is asked for these paths\n" TRUST_HELP TARGETS_HELP },
	{ "undelegate", BIT(OPTION_REPOSITORY) | BIT(OPTION_KEYS) | BIT(OPTION_EXPIRES_ROLE + TUF_TARGETS), BIT(OPTION_REPOSITORY),
	  1, 1, "ACCOUNT", run_undelegate, "--repository DIR ACCOUNT",
	  "Stages the end of a delegation: what only that account has signed for isn't trusted any\n"
	  "more.\n" TRUST_HELP TARGETS_HELP },
	{ "rotate", BIT(OPTION_REPOSITORY) | BIT(OPTION_KEYS) | BIT(OPTION_ADD) | BIT(OPTION_REMOVE) | BIT(OPTION_THRESHOLD) |
	  OFFLINE_OPTIONS, BIT(OPTION_REPOSITORY), 1, 1, "ROLE", run_rotate,
	  "--repository DIR ROLE [--add FILE…] [--remove KEY…] [--threshold N]",
	  "Stages other keys for root, targets, snapshot, timestamp or a delegated role, with all\n"
	  "that has to be signed anew.\n"
	  "  --add FILE                 a new key (.pub, .key or PEM); may be repeated\n"
	  "  --remove KEY               name or key id of one that goes; may be repeated\n"
	  "  --threshold N              how many must sign from now on\n" TRUST_HELP OFFLINE_HELP },
	{ "threshold", BIT(OPTION_REPOSITORY) | BIT(OPTION_KEYS) | OFFLINE_OPTIONS, BIT(OPTION_REPOSITORY), 2, 2, "ROLE and N",
	  run_threshold, "--repository DIR ROLE N",
	  "Stages another threshold: N keys of the role must sign from then on.\n" TRUST_HELP OFFLINE_HELP },
	{ "publish", BIT(OPTION_REPOSITORY) | KEYS_OPTIONS | EXPIRES_OPTIONS | BIT(OPTION_ONLINE) | BIT(OPTION_ROLE) |
	  BIT(OPTION_RENEW) | BIT(OPTION_LEAVE_OUT) | BIT(OPTION_YES), BIT(OPTION_REPOSITORY), 0, 0, NULL, run_publish,
	  "--repository DIR [--keys DIR] [--key FILE…] [options]",
	  "Signs what is staged with the keys at hand, renews what is past half of its life, and\n"
	  "publishes what has enough signatures, verified as nodes verify it; the rest stays staged\n"
	  "with the signatures it got (exit status 3).\n"
	  "  --role ROLE                sign for this role only\n"
	  "  --renew ROLE               a new version of root, targets or a delegated role in any\n"
	  "                             case; may be repeated\n"
	  "  --leave-out ACCOUNT        publish new keys of a delegation before its own metadata is\n"
	  "                             signed by them; may be repeated\n"
	  "  --yes                      at a terminal: prints what it signs, and doesn't ask\n"
	  "  --only-online              as refresh\n" KEYS_HELP EXPIRES_HELP },
	{ "refresh", BIT(OPTION_REPOSITORY) | KEYS_OPTIONS | ONLINE_OPTIONS, BIT(OPTION_REPOSITORY) | BIT(OPTION_KEYS), 0, 0, NULL,
	  run_refresh, "--repository DIR --keys DIR [options]",
	  "The online job: renews snapshot and timestamp when they are past half of their life, and\n"
	  "takes up what has been signed elsewhere: staged metadata with all its signatures, new\n"
	  "versions of delegated roles.\n" KEYS_HELP ONLINE_HELP },
	{ "renew", BIT(OPTION_REPOSITORY) | KEYS_OPTIONS | ONLINE_OPTIONS, BIT(OPTION_REPOSITORY) | BIT(OPTION_KEYS), 0, 0, NULL,
	  run_refresh, "--repository DIR --keys DIR [options]", "The name that refresh had once.\n" KEYS_HELP ONLINE_HELP },
	{ "payload", BIT(OPTION_REPOSITORY) | BIT(OPTION_ROLE) | BIT(OPTION_OUTPUT) | BIT(OPTION_NEW_VERSION) | OFFLINE_OPTIONS,
	  BIT(OPTION_REPOSITORY) | BIT(OPTION_ROLE), 0, 0, NULL, run_payload,
	  "--repository DIR --role ROLE [--output FILE] [--new-version]",
	  "Writes the exact bytes that are to be signed for a role's staged metadata, for signing\n"
	  "elsewhere.\n"
	  "  --role ROLE                root, targets or a delegated role\n"
	  "  --output FILE              where (default: standard output)\n"
	  "  --new-version              when nothing is staged: what is published, with a new\n"
	  "                             version and life\n" OFFLINE_HELP },
	{ "attach", BIT(OPTION_REPOSITORY) | BIT(OPTION_ROLE) | BIT(OPTION_SIGNATURE) | BIT(OPTION_KEY),
	  BIT(OPTION_REPOSITORY) | BIT(OPTION_ROLE) | BIT(OPTION_SIGNATURE), 0, 0, NULL, run_attach,
	  "--repository DIR --role ROLE --signature FILE [--key KEY]",
	  "Adds a signature of the payload that was made elsewhere, once it verifies: raw Ed25519\n"
	  "(64 bytes), ECDSA P-256 (DER), RSA-PSS with SHA-256, or one of them in hexadecimal.\n"
	  "  --role ROLE                root, targets or a delegated role\n"
	  "  --signature FILE           the signature\n"
	  "  --key KEY                  name or key id of who signed (default: whoever it was)\n" },
	{ "discard", BIT(OPTION_REPOSITORY) | BIT(OPTION_ROLE), BIT(OPTION_REPOSITORY), 0, 0, NULL, run_discard,
	  "--repository DIR [--role ROLE]", "Forgets what is staged, of one role or of all.\n" },
	{ "show", BIT(OPTION_REPOSITORY) | BIT(OPTION_JSON), BIT(OPTION_REPOSITORY), 0, 0, NULL, run_show,
	  "--repository DIR [--json]",
	  "Lists roles, keys, delegations, what is staged and who has to sign it, and targets.\n" },
	{ "verify", BIT(OPTION_REPOSITORY) | BIT(OPTION_JSON) | BIT(OPTION_ROOT), BIT(OPTION_REPOSITORY), 0, 0, NULL, run_verify,
	  "--repository DIR [--root FILE] [--json]",
	  "Verifies the whole repository as a node would, all roles and the bytes of every target.\n"
	  "  --root FILE                the root.json to begin with (default: the repository's\n"
	  "                             first)\n" },
	{ "prune", BIT(OPTION_REPOSITORY) | BIT(OPTION_DAYS), BIT(OPTION_REPOSITORY) | BIT(OPTION_DAYS), 0, 0, NULL, run_prune,
	  "--repository DIR --older-than DAYS",
	  "Removes old metadata (never roots) and images that nothing names any more and that are\n"
	  "older than so many days.\n" },
	{ "key new", BIT(OPTION_KEYS) | BIT(OPTION_OUTPUT) | BIT(OPTION_TYPE) | BIT(OPTION_ROLE) | BIT(OPTION_EXPIRES) |
	  BIT(OPTION_NO_PASSPHRASE) | BIT(OPTION_PASSPHRASE_FILE), 0, 1, 1, "NAME", run_key_new, "NAME --keys DIR [options]",
	  "Makes a key, DIR/NAME.key, encrypted with a passphrase that is asked for twice.\n"
	  "  --output FILE              instead of --keys DIR\n"
	  "  --type TYPE                ed25519 (default) or p256\n"
	  "  --role ROLE                the key signs for this role only; may be repeated\n"
	  "                             (default: any)\n"
	  "  --expires DAYS             the key doesn't sign after that (default: without end)\n"
	  "  --no-passphrase            not encrypted: for online keys (snapshot and timestamp)\n" PASSPHRASE_HELP },
	{ "key list", BIT(OPTION_KEYS) | BIT(OPTION_JSON), BIT(OPTION_KEYS), 0, 0, NULL, run_key_list, "--keys DIR [--json]",
	  "Lists the keys of a folder.\n" },
	{ "key import", BIT(OPTION_KEYS) | BIT(OPTION_OUTPUT) | BIT(OPTION_NAME), 0, 1, 1, "PEM", run_key_import,
	  "PEM [--name NAME] (--keys DIR | --output FILE)",
	  "Makes NAME.pub of a public key (Ed25519, P-256, RSA), whose secret half is held by\n"
	  "openssl, a token or another person.\n"
	  "  --name NAME                default: the name of the file PEM\n" },
	{ "key export", BIT(OPTION_OUTPUT) | BIT(OPTION_PEM), 0, 1, 1, "FILE", run_key_export, "FILE [--pem] [--output FILE]",
	  "Writes the public half of a key file, as a .pub file or as PEM.\n" },
	{ "key passphrase", BIT(OPTION_PASSPHRASE_FILE) | BIT(OPTION_NEW_PASSPHRASE_FILE) | BIT(OPTION_NO_PASSPHRASE), 0, 1, 1,
	  "FILE", run_key_passphrase, "FILE [options]",
	  "Encrypts a key with another passphrase. A key file of the first format becomes one of\n"
	  "the second.\n"
	  "  --new-passphrase-file FILE its first line instead of the terminal\n"
	  "  --no-passphrase            not encrypted from now on\n" PASSPHRASE_HELP },
	{ "key sign", BIT(OPTION_OUTPUT) | BIT(OPTION_PASSPHRASE_FILE), BIT(OPTION_OUTPUT), 2, 2, "KEYFILE and PAYLOAD", run_key_sign,
	  "KEYFILE PAYLOAD --output FILE",
	  "Signs what repave-sign payload wrote, on a machine that has the key and not the\n"
	  "repository. Says what it signs.\n" PASSPHRASE_HELP },
	{ "secureboot init", BIT(OPTION_KEYS) | BIT(OPTION_NAME), BIT(OPTION_KEYS), 0, 0, NULL, run_secureboot_init,
	  "--keys DIR [--name OWNER]",
	  "Makes the keys that UEFI Secure Boot knows, in a new folder: PK, KEK and db, each with\n"
	  "certificate (.crt PEM, .cer DER) and lists for enrolment (.esl, and .auth signed).\n"
	  "  --name OWNER               who stands in the certificates (default: Repave)\n" },
	{ "secureboot sign", BIT(OPTION_KEYS) | BIT(OPTION_OUTPUT) | BIT(OPTION_FOR_KEXEC), BIT(OPTION_KEYS) | BIT(OPTION_OUTPUT), 1, 1, "FILE",
	  run_secureboot_sign, "--keys DIR --output OUT [--for-kexec] FILE",
	  "Signs a program of UEFI or a Linux kernel with db. Signatures that it has are removed:\n"
	  "only the first one counts.\n"
	  "  --for-kexec                a kernel that kexec takes under lockdown and firmware\n"
	  "                             doesn't start: nothing would check its initrd there\n" },
	{ "secureboot verify", BIT(OPTION_KEYS), BIT(OPTION_KEYS), 1, 1, "FILE", run_secureboot_verify, "--keys DIR FILE",
	  "Whether a program has one signature, and that is db's.\n" },
	{ "secureboot digest", 0, 0, 1, 1, "FILE", run_secureboot_digest, "FILE",
	  "Prints the Authenticode SHA-256 digest of a program: what firmware measures and what\n"
	  "its lists of allowed and forbidden programs hold.\n" },
	{ "secureboot sign-file", BIT(OPTION_KEYS) | BIT(OPTION_OUTPUT), BIT(OPTION_KEYS) | BIT(OPTION_OUTPUT), 1, 1, "FILE",
	  run_secureboot_sign_file, "--keys DIR --output SIGNATURE FILE",
	  "Writes the base64 of db's signature (RSA PKCS#1 v1.5, SHA-256) over any file, such as\n"
	  "the values that are expected of TPMs.\n" },
	{ "secureboot verify-file", BIT(OPTION_KEYS) | BIT(OPTION_SIGNATURE), BIT(OPTION_KEYS) | BIT(OPTION_SIGNATURE), 1, 1, "FILE",
	  run_secureboot_verify_file, "--keys DIR --signature SIGNATURE FILE", "Checks such a signature.\n" },
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

/* ------------------------------------------------------------------ values of options */

static int parse_days(const char *text, int64_t *ret_seconds)
{
	uint64_t days;

	if (parse_u64(text, &days) < 0 || days == 0 || days > DAYS_MOST) {
		log_error(0, "\"%s\" is no number of days from 1 to %d", text, DAYS_MOST);
		return -EINVAL;
	}
	*ret_seconds = (int64_t)days * DAY;
	return 0;
}

static int parse_share(const char *text, unsigned *ret_threshold, unsigned *ret_keys)
{
	unsigned threshold, keys;
	char end;

	if (sscanf(text, "%2u/%2u%c", &threshold, &keys, &end) != 2 || threshold == 0 || threshold > keys ||
	    keys > KEYS_MOST) {
		log_error(0, "\"%s\" is no threshold: give N/M, N of M keys, with 1 <= N <= M <= %d", text, KEYS_MOST);
		return -EINVAL;
	}
	*ret_threshold = threshold;
	*ret_keys = keys;
	return 0;
}

static int parse_count(const char *text, unsigned *ret_count)
{
	uint64_t count;

	if (parse_u64(text, &count) < 0 || count == 0 || count > KEYS_MOST) {
		log_error(0, "\"%s\" is no threshold from 1 to %d", text, KEYS_MOST);
		return -EINVAL;
	}
	*ret_count = (unsigned)count;
	return 0;
}

static int parse_type(const char *text, enum key_type *ret_type)
{
	for (enum key_type type = KEY_ED25519; type <= KEY_P256; type++)
		if (strcmp(text, key_type_name(type)) == 0) {
			*ret_type = type;
			return 0;
		}
	log_error(0, "\"%s\" is no type of key that can be made: give ed25519 or p256 (RSA keys are imported)", text);
	return -EINVAL;
}

static int append(struct values *values, const char *text)
{
	if (values->count == VALUES_MOST) {
		log_error(0, "an option is given more than %d times", VALUES_MOST);
		return -EINVAL;
	}
	values->items[values->count++] = text;
	return 0;
}

/* ------------------------------------------------------------------ command line */

#define VALUE 256 /* getopt's values: VALUE + enum option_id */

static const struct option long_options[] = {
	{ "repository", required_argument, NULL, VALUE + OPTION_REPOSITORY },
	{ "keys", required_argument, NULL, VALUE + OPTION_KEYS },
	{ "key", required_argument, NULL, VALUE + OPTION_KEY },
	{ "passphrase-file", required_argument, NULL, VALUE + OPTION_PASSPHRASE_FILE },
	{ "new-passphrase-file", required_argument, NULL, VALUE + OPTION_NEW_PASSPHRASE_FILE },
	{ "no-passphrase", no_argument, NULL, VALUE + OPTION_NO_PASSPHRASE },
	{ "role", required_argument, NULL, VALUE + OPTION_ROLE },
	{ "json", no_argument, NULL, VALUE + OPTION_JSON },
	{ "only-online", no_argument, NULL, VALUE + OPTION_ONLINE },
	{ "renew", required_argument, NULL, VALUE + OPTION_RENEW },
	{ "leave-out", required_argument, NULL, VALUE + OPTION_LEAVE_OUT },
	{ "new-version", no_argument, NULL, VALUE + OPTION_NEW_VERSION },
	{ "app", required_argument, NULL, VALUE + OPTION_APP },
	{ "path", required_argument, NULL, VALUE + OPTION_PATH },
	{ "terminating", no_argument, NULL, VALUE + OPTION_TERMINATING },
	{ "threshold", required_argument, NULL, VALUE + OPTION_THRESHOLD },
	{ "add", required_argument, NULL, VALUE + OPTION_ADD },
	{ "remove", required_argument, NULL, VALUE + OPTION_REMOVE },
	{ "output", required_argument, NULL, VALUE + OPTION_OUTPUT },
	{ "signature", required_argument, NULL, VALUE + OPTION_SIGNATURE },
	{ "root", required_argument, NULL, VALUE + OPTION_ROOT },
	{ "for-kexec", no_argument, NULL, VALUE + OPTION_FOR_KEXEC },
	{ "type", required_argument, NULL, VALUE + OPTION_TYPE },
	{ "name", required_argument, NULL, VALUE + OPTION_NAME },
	{ "yes", no_argument, NULL, VALUE + OPTION_YES },
	{ "pem", no_argument, NULL, VALUE + OPTION_PEM },
	{ "older-than", required_argument, NULL, VALUE + OPTION_DAYS },
	{ "expires", required_argument, NULL, VALUE + OPTION_EXPIRES },
	{ "help", no_argument, NULL, VALUE + OPTION_HELP },
	{ "expires-root", required_argument, NULL, VALUE + OPTION_EXPIRES_ROLE + TUF_ROOT },
	{ "expires-targets", required_argument, NULL, VALUE + OPTION_EXPIRES_ROLE + TUF_TARGETS },
	{ "expires-snapshot", required_argument, NULL, VALUE + OPTION_EXPIRES_ROLE + TUF_SNAPSHOT },
	{ "expires-timestamp", required_argument, NULL, VALUE + OPTION_EXPIRES_ROLE + TUF_TIMESTAMP },
	{ "threshold-root", required_argument, NULL, VALUE + OPTION_THRESHOLD_ROLE + TUF_ROOT },
	{ "threshold-targets", required_argument, NULL, VALUE + OPTION_THRESHOLD_ROLE + TUF_TARGETS },
	{ "threshold-snapshot", required_argument, NULL, VALUE + OPTION_THRESHOLD_ROLE + TUF_SNAPSHOT },
	{ "threshold-timestamp", required_argument, NULL, VALUE + OPTION_THRESHOLD_ROLE + TUF_TIMESTAMP },
	{ 0 },
};

static bool *flag_of(struct arguments *a, unsigned id)
{
	switch (id) {
	case OPTION_NO_PASSPHRASE: return &a->no_passphrase;
	case OPTION_JSON: return &a->json;
	case OPTION_ONLINE: return &a->only_online;
	case OPTION_NEW_VERSION: return &a->new_version;
	case OPTION_TERMINATING: return &a->terminating;
	case OPTION_YES: return &a->yes;
	case OPTION_FOR_KEXEC: return &a->for_kexec;
	case OPTION_PEM: return &a->pem;
	default: return NULL;
	}
}

static const char **text_of(struct arguments *a, unsigned id)
{
	switch (id) {
	case OPTION_REPOSITORY: return &a->repository;
	case OPTION_KEYS: return &a->keys;
	case OPTION_PASSPHRASE_FILE: return &a->passphrase_file;
	case OPTION_NEW_PASSPHRASE_FILE: return &a->new_passphrase_file;
	case OPTION_OUTPUT: return &a->output;
	case OPTION_SIGNATURE: return &a->signature;
	case OPTION_ROOT: return &a->root;
	case OPTION_NAME: return &a->name;
	default: return NULL;
	}
}

static struct values *values_of(struct arguments *a, unsigned id)
{
	switch (id) {
	case OPTION_KEY: return &a->key;
	case OPTION_ROLE: return &a->role;
	case OPTION_RENEW: return &a->renew;
	case OPTION_LEAVE_OUT: return &a->leave_out;
	case OPTION_APP: return &a->app;
	case OPTION_PATH: return &a->path;
	case OPTION_ADD: return &a->add;
	case OPTION_REMOVE: return &a->remove;
	default: return NULL;
	}
}

static int take_option(struct arguments *a, unsigned id)
{
	if (flag_of(a, id))
		*flag_of(a, id) = true;
	else if (text_of(a, id))
		*text_of(a, id) = optarg;
	else if (values_of(a, id))
		return append(values_of(a, id), optarg);
	else if (id == OPTION_TYPE)
		return parse_type(optarg, &a->type);
	else if (id == OPTION_THRESHOLD)
		return parse_count(optarg, &a->threshold);
	else if (id == OPTION_EXPIRES)
		return parse_days(optarg, &a->expires);
	else if (id == OPTION_DAYS)
		return parse_days(optarg, &a->days);
	else if (id < OPTION_THRESHOLD_ROLE)
		return parse_days(optarg, &a->policy.lifetime[id - OPTION_EXPIRES_ROLE]);
	else
		return parse_share(optarg, &a->policy.threshold[id - OPTION_THRESHOLD_ROLE],
				   &a->policy.keys[id - OPTION_THRESHOLD_ROLE]);
	return 0;
}

/* Only these may be given several times. */
static bool may_repeat(const struct command *command, struct arguments *a, unsigned id)
{
	return values_of(a, id) && !(id == OPTION_ROLE && command->run != run_key_new) &&
	       !(id == OPTION_KEY && command->run == run_attach);
}

static const char *option_name(unsigned id)
{
	const struct option *option = long_options;

	while (option->name && option->val != (int)(VALUE + id))
		option++;
	return option->name ? option->name : "?";
}

__attribute__((format(printf, 2, 3)))
static int usage_error(const struct command *command, const char *format, ...)
{
	char what[200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	log_error(0, "%s: repave-sign %s %s", what, command->name, command->usage);
	return -EINVAL;
}

/* What getopt has refused. */
static int option_error(const struct command *command, int value, const char *word)
{
	if (optopt == 0)
		return usage_error(command, "unknown option %s", word);
	if (optopt < VALUE)
		return usage_error(command, "unknown option -%c", optopt);
	return usage_error(command, value == ':' ? "--%s needs a value" : "--%s takes no value",
			   option_name((unsigned)(optopt - VALUE)));
}

static int check_complete(const struct command *command, uint64_t seen, const struct arguments *a)
{
	for (unsigned id = 0; id < OPTION_COUNT; id++)
		if (command->needed & ~seen & BIT(id))
			return usage_error(command, "--%s is missing", option_name(id));
	if (a->count < command->least)
		return usage_error(command, "%s is missing", command->wants);
	return a->count > command->most ?
	       usage_error(command, "\"%s\" is one argument too many", a->rest[command->most]) : 0;
}

/* 1 when help was asked for. */
static int parse_arguments(const struct command *command, int argc, char **argv, struct arguments *a)
{
	uint64_t seen = 0;
	int value, r;

	opterr = 0;
	while ((value = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		unsigned id = (unsigned)(value - VALUE);

		if (value == VALUE + OPTION_HELP || value == 'h')
			return 1;
		if (value == '?' || value == ':')
			return option_error(command, value, argv[optind - 1]);
		if (!(command->options & BIT(id)))
			return usage_error(command, "unknown option --%s", option_name(id));
		if ((seen & BIT(id)) && !may_repeat(command, a, id))
			return usage_error(command, "--%s is given twice", option_name(id));
		seen |= BIT(id);
		r = take_option(a, id);
		if (r < 0)
			return r;
	}
	a->count = argc - optind;
	a->rest = argv + optind;
	return check_complete(command, seen, a);
}

/* Of all commands, or of those that begin with a word. */
static void print_help(FILE *to, const char *word)
{
	fprintf(to, "usage: repave-sign %s%sCOMMAND [options]\n\n%s\n\n", word ? word : "", word ? " " : "",
		!word ? "Signs the images of a fleet (The Update Framework)." :
		strcmp(word, "key") == 0 ? "Makes and looks after files of keys." : "Keys and signatures of UEFI Secure Boot.");
	for (size_t i = 0; i < COMMANDS; i++)
		if (!word || (strncmp(commands[i].name, word, strlen(word)) == 0 && commands[i].name[strlen(word)] == ' '))
			fprintf(to, "  repave-sign %s %s\n", commands[i].name, commands[i].usage);
	fprintf(to, "\nExit status: 0 done, 1 refused or failed (nothing is changed), 2 wrong usage,\n"
		"3 signatures are still missing.\n"
		"repave-sign COMMAND --help tells more; see also repave-sign(1).\n");
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Whether commands of two words begin with it. */
static bool is_first_word(const char *word)
{
	return strcmp(word, "key") == 0 || strcmp(word, "secureboot") == 0;
}

/* Without a command, or with such a word alone: help, which is an answer when it was asked for. -1: there is a command. */
static int help_alone(int argc, char **argv)
{
	const char *word = argc > 1 && is_first_word(argv[1]) ? argv[1] : NULL;
	int at = word ? 2 : 1;

	if (argc <= at) {
		print_help(stderr, word);
		return EXIT_USAGE;
	}
	if (!is_help(argv[at]))
		return -1;
	print_help(stdout, word);
	return EXIT_SUCCESS;
}

/* How many words of the command line name the command; 0 when none does. */
static int find_command(int argc, char **argv, const struct command **ret_command)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const char *name = commands[i].name, *space = strchr(name, ' ');

		*ret_command = &commands[i];
		if (!space && strcmp(name, argv[1]) == 0)
			return 1;
		if (space && argc > 2 && strlen(argv[1]) == (size_t)(space - name) &&
		    strncmp(argv[1], name, (size_t)(space - name)) == 0 && strcmp(argv[2], space + 1) == 0)
			return 2;
	}
	return 0;
}

/* An answer that didn't get out is none. */
static int finish(int status)
{
	errno = 0;
	if ((fflush(stdout) == 0 && !ferror(stdout)) || (status != EXIT_SUCCESS && status != EXIT_WAITS))
		return status;
	log_error(errno ? -errno : -EIO, "can't write to the standard output");
	return EXIT_REFUSED;
}

static int run(const struct command *command, const struct arguments *arguments)
{
	int r = command->run(arguments);

	if (r == -ENOMEM)
		log_error(r, "%s", command->name);
	return r == WRONG_USAGE ? EXIT_USAGE : r < 0 ? EXIT_REFUSED : r == PUBLISH_WAITS ? EXIT_WAITS : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct arguments arguments;
	const struct rlimit no_core = { 0, 0 };
	const struct command *command;
	int words, r;

	log_program("repave-sign");
	key_file_setup();
	setrlimit(RLIMIT_CORE, &no_core); /* secrets are in the memory */
	/* A file size limit is an error like a full disk, with everything put back, not a sudden end. */
	signal(SIGXFSZ, SIG_IGN);
	/* A repository is for servers to read, whoever made it; files of keys get their own mode. */
	umask(022);
	arguments.policy = repository_policy_default;
	r = help_alone(argc, argv);
	if (r >= 0)
		return finish(r);
	words = find_command(argc, argv, &command);
	if (words == 0) {
		log_error(0, "there is no command \"%s%s%s\": repave-sign --help lists them", argv[1],
			  is_first_word(argv[1]) && argc > 2 ? " " : "", is_first_word(argv[1]) && argc > 2 ? argv[2] : "");
		return EXIT_USAGE;
	}
	r = parse_arguments(command, argc - words, argv + words, &arguments);
	if (r > 0) {
		printf("usage: repave-sign %s %s\n\n%s", command->name, command->usage, command->help);
		return finish(EXIT_SUCCESS);
	}
	return r < 0 ? EXIT_USAGE : finish(run(command, &arguments));
}
