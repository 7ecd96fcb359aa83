/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The repository tool: makes keys, takes images in, signs and publishes, shows. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/log.h"
#include "signing/repository.h"
#include "signing/show.h"

#define EXPIRES_MOST_DAYS 3650

enum accepted {
	OPTION_REPOSITORY = 1 << 0,
	OPTION_KEYS = 1 << 1,
	OPTION_EXPIRES = 1 << 2,
	OPTION_THRESHOLD = 1 << 3,
	OPTION_JSON = 1 << 4,
	OPTION_ONLINE = 1 << 5,
};

struct arguments {
	const char *repository, *keys;
	struct repository_policy policy;
	bool json, only_online;
	int count; /* of what remains */
	char **rest;
};

struct command {
	const char *name;
	unsigned options, needed; /* of enum accepted */
	int least, most;          /* further arguments */
	int (*run)(const struct arguments *arguments);
	const char *usage, *help;
};

#define ONLINE_HELP                                                                                              \
	"  --expires-snapshot DAYS    life of what is signed now (default 14)\n"                                    \
	"  --expires-timestamp DAYS   (default 7)\n"
#define EXPIRES_HELP ONLINE_HELP "  --expires-targets DAYS     (default 90)\n"

/* ------------------------------------------------------------------ commands */

static int run_init(const struct arguments *a)
{
	int r = repository_init(a->repository, a->keys, &a->policy, time(NULL));

	if (r < 0)
		return r;
	log_info("made the repository %s and its keys in %s", a->repository, a->keys);
	log_warning("the keys aren't encrypted: keep root and targets keys off line, and only snapshot and timestamp keys "
		    "on the control unit");
	return 0;
}

static int run_add(const struct arguments *a)
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
		r = repository_add(&repository, images, count);
		if (r == 0 && repository.is_staged)
			log_info("staged: repave-sign publish signs it");
		repository_close(&repository);
	}
	for (size_t i = 0; images && i < count; i++)
		checked_image_release(&images[i]);
	free(images);
	return r;
}

static int run_remove(const struct arguments *a)
{
	struct repository repository;
	int r = repository_open(a->repository, a->keys, &repository);

	if (r < 0)
		return r;
	r = repository_remove(&repository, a->rest[0]);
	if (r == 0)
		log_info("%s is removed at the next repave-sign publish", a->rest[0]);
	repository_close(&repository);
	return r;
}

static int publish(const struct arguments *a, enum repository_scope scope)
{
	struct repository repository;
	int r = repository_open(a->repository, a->keys, &repository);

	if (r < 0)
		return r;
	r = repository_publish(&repository, a->keys, &a->policy, scope, time(NULL));
	if (r == 0)
		log_info("nothing to publish: nothing is staged and nothing is past half of its life");
	repository_close(&repository);
	return r;
}

static int run_publish(const struct arguments *a)
{
	return publish(a, a->only_online ? PUBLISH_ONLINE : PUBLISH_ALL);
}

static int run_renew(const struct arguments *a)
{
	return publish(a, PUBLISH_ONLINE);
}

static int run_show(const struct arguments *a)
{
	return repository_show(a->repository, time(NULL), a->json);
}

static const struct command commands[] = {
	{ "init", OPTION_REPOSITORY | OPTION_KEYS | OPTION_EXPIRES | OPTION_THRESHOLD, OPTION_REPOSITORY | OPTION_KEYS, 0, 0,
	  run_init, "--repository DIR --keys DIR [options]",
	  "Makes Ed25519 keys, the trusted root and an empty repository. Neither folder may hold anything.\n"
	  "  --threshold-root N/M       M keys, of which N must sign (default 1/1); also\n"
	  "                             --threshold-targets, --threshold-snapshot, --threshold-timestamp\n" EXPIRES_HELP
	  "  --expires-root DAYS        (default 365)\n" },
	{ "add", OPTION_REPOSITORY | OPTION_KEYS, OPTION_REPOSITORY, 1, 4096, run_add,
	  "--repository DIR [--keys DIR] NAME.json…",
	  "Checks image descriptions against the files beside them: NAME.img.zst is decoded and every block compared\n"
	  "with the root hash, and NAME.img too if it is there. Copies the images into the repository and stages\n"
	  "them for the next publish. All of them or none.\n" },
	{ "remove", OPTION_REPOSITORY | OPTION_KEYS, OPTION_REPOSITORY, 1, 1, run_remove,
	  "--repository DIR [--keys DIR] TARGET", "Stages the removal of a target, such as os/debian/12.1.img.zst.\n" },
	{ "publish", OPTION_REPOSITORY | OPTION_KEYS | OPTION_EXPIRES | OPTION_ONLINE, OPTION_REPOSITORY | OPTION_KEYS, 0, 0,
	  run_publish, "--repository DIR --keys DIR [options]",
	  "Signs what is staged and renews what is past half of its life. timestamp.json is written last.\n"
	  "  --only-online              as renew\n" EXPIRES_HELP },
	{ "renew", OPTION_REPOSITORY | OPTION_KEYS | OPTION_EXPIRES, OPTION_REPOSITORY | OPTION_KEYS, 0, 0, run_renew,
	  "--repository DIR --keys DIR [options]",
	  "Renews snapshot and timestamp when they are past half of their life; needs no other keys.\n" ONLINE_HELP },
	{ "show", OPTION_REPOSITORY | OPTION_JSON, OPTION_REPOSITORY, 0, 0, run_show, "--repository DIR [--json]",
	  "Verifies the repository as a node would and lists its roles and targets.\n" },
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

/* ------------------------------------------------------------------ command line */

static void print_help(FILE *to)
{
	fprintf(to, "usage: repave-sign COMMAND [options]\n\nSigns the images of a fleet (The Update Framework).\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  repave-sign %s %s\n", commands[i].name, commands[i].usage);
	fprintf(to, "\nrepave-sign COMMAND --help tells more; see also repave-sign(1).\n");
}

static int parse_days(const char *text, int64_t *ret_seconds)
{
	uint64_t days;

	if (parse_u64(text, &days) < 0 || days == 0 || days > EXPIRES_MOST_DAYS) {
		log_error(0, "\"%s\" is no number of days from 1 to %d", text, EXPIRES_MOST_DAYS);
		return -EINVAL;
	}
	*ret_seconds = (int64_t)days * DAY;
	return 0;
}

static int parse_threshold(const char *text, unsigned *ret_threshold, unsigned *ret_keys)
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

enum { VALUE_REPOSITORY = 256, VALUE_KEYS, VALUE_JSON, VALUE_ONLINE, VALUE_HELP, VALUE_EXPIRES, VALUE_THRESHOLD = VALUE_EXPIRES + 4 };

static const struct option long_options[] = {
	{ "repository", required_argument, NULL, VALUE_REPOSITORY },
	{ "keys", required_argument, NULL, VALUE_KEYS },
	{ "json", no_argument, NULL, VALUE_JSON },
	{ "only-online", no_argument, NULL, VALUE_ONLINE },
	{ "help", no_argument, NULL, VALUE_HELP },
	{ "expires-root", required_argument, NULL, VALUE_EXPIRES + TUF_ROOT },
	{ "expires-targets", required_argument, NULL, VALUE_EXPIRES + TUF_TARGETS },
	{ "expires-snapshot", required_argument, NULL, VALUE_EXPIRES + TUF_SNAPSHOT },
	{ "expires-timestamp", required_argument, NULL, VALUE_EXPIRES + TUF_TIMESTAMP },
	{ "threshold-root", required_argument, NULL, VALUE_THRESHOLD + TUF_ROOT },
	{ "threshold-targets", required_argument, NULL, VALUE_THRESHOLD + TUF_TARGETS },
	{ "threshold-snapshot", required_argument, NULL, VALUE_THRESHOLD + TUF_SNAPSHOT },
	{ "threshold-timestamp", required_argument, NULL, VALUE_THRESHOLD + TUF_TIMESTAMP },
	{ 0 },
};

/* Which of enum accepted a value belongs to. */
static unsigned option_of(int value)
{
	switch (value) {
	case VALUE_REPOSITORY:
		return OPTION_REPOSITORY;
	case VALUE_KEYS:
		return OPTION_KEYS;
	case VALUE_JSON:
		return OPTION_JSON;
	case VALUE_ONLINE:
		return OPTION_ONLINE;
	default:
		return value < VALUE_THRESHOLD ? OPTION_EXPIRES : OPTION_THRESHOLD;
	}
}

static int take_option(struct arguments *a, int value)
{
	if (value == VALUE_REPOSITORY)
		a->repository = optarg;
	else if (value == VALUE_KEYS)
		a->keys = optarg;
	else if (value == VALUE_JSON)
		a->json = true;
	else if (value == VALUE_ONLINE)
		a->only_online = true;
	else if (value < VALUE_THRESHOLD)
		return parse_days(optarg, &a->policy.lifetime[value - VALUE_EXPIRES]);
	else
		return parse_threshold(optarg, &a->policy.threshold[value - VALUE_THRESHOLD],
				       &a->policy.keys[value - VALUE_THRESHOLD]);
	return 0;
}

static int usage_error(const struct command *command, const char *what)
{
	log_error(0, "%s: repave-sign %s %s", what, command->name, command->usage);
	return -EINVAL;
}

/* 1 when help was asked for. */
static int parse_arguments(const struct command *command, int argc, char **argv, struct arguments *a)
{
	unsigned seen = 0;
	int value, r;

	opterr = 0;
	while ((value = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (value == VALUE_HELP || value == 'h')
			return 1;
		if (value == '?' || !(command->options & option_of(value)))
			return usage_error(command, "unknown option or missing value");
		seen |= option_of(value);
		r = take_option(a, value);
		if (r < 0)
			return r;
	}
	a->count = argc - optind;
	a->rest = argv + optind;
	if ((seen & command->needed) != command->needed || a->count < command->least)
		return usage_error(command, "something is missing");
	return a->count > command->most ? usage_error(command, "too many arguments") : 0;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .policy = repository_policy_default };
	const struct command *command;
	int r;

	log_program("repave-sign");
	/* A file size limit is an error like a full disk, with everything put back, not a sudden end. */
	signal(SIGXFSZ, SIG_IGN);
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	command = find_command(argv[1]);
	if (!command) {
		log_error(0, "there is no command \"%s\": repave-sign --help lists them", argv[1]);
		return 2;
	}
	r = parse_arguments(command, argc - 1, argv + 1, &arguments);
	if (r > 0) {
		printf("usage: repave-sign %s %s\n\n%s", command->name, command->usage, command->help);
		return 0;
	}
	if (r < 0)
		return 2;
	r = command->run(&arguments);
	if (r == -ENOMEM)
		log_error(r, "%s", command->name);
	return r < 0 ? 1 : 0;
}
