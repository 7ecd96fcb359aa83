// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/log.h"
#include "control/messages.h"

static const char usage[] =
	"Usage: repaved --state DIR --repository DIR [option]...\n"
	"The control unit of a fleet: runs in the foreground until SIGTERM or Ctrl-C.\n\n"
	"  --state DIR             state folder, made by `repave init`\n"
	"  --repository DIR        repository with metadata/ and targets/, made by repave-sign\n"
	"  --online-keys DIR       folder with the snapshot and timestamp keys, mode 0700: both roles are signed\n"
	"                          anew in time (default: somebody runs repave-sign refresh)\n"
	"  --expires-snapshot T    life of a new snapshot, such as 14d, 12h, 30m (default 14d)\n"
	"  --expires-timestamp T   life of a new timestamp (default 7d): as long may somebody on the way to a\n"
	"                          server keep it from newer images unnoticed\n"
	"  --warn T,...            warn so long before any other role expires (default 30d,7d)\n"
	"  --address A             numeric address to listen on (default: all)\n"
	"  --port N                port for nodes, TLS (default 8443)\n"
	"  --operator-port N       port for operators with tokens, TLS (default 8444; 0: none, the socket only)\n"
	"  --repository-port N     port for the repository, plain HTTP (default 8080)\n"
	"  --metrics ADDRESS:PORT  also /metrics for Prometheus, by plain HTTP and for everybody who reaches it, such as\n"
	"                          127.0.0.1:9464 or [::1]:9464 (default: on the operators' port only)\n"
	"  --root FILE             trust this root.json from now on\n"
	"                          (default at the first start: DIR/metadata/1.root.json of the repository)\n"
	"  --notify DIR            where the files are that a fleet file's notify may name: programs, keys, URLs\n"
	"                          (default " MESSAGE_FOLDER ")\n"
	"  --help                  show this\n";

enum { SNAPSHOT_LIFE, TIMESTAMP_LIFE }; /* of renewal_policy.life */

static int parse_port(const char *text, uint64_t least, unsigned *ret_port)
{
	uint64_t port;

	if (parse_u64(text, &port) < 0 || port < least || port > 65535) {
		log_error(0, "\"%s\" is no port; give a number from %llu to 65535", text, (unsigned long long)least);
		return -EINVAL;
	}
	*ret_port = (unsigned)port;
	return 0;
}

/* "127.0.0.1:9464" or "[::1]:9464". */
static int parse_listener(const char *text, struct options *o)
{
	const char *colon = strrchr(text, ':'), *begin = text[0] == '[' ? text + 1 : text;
	const char *end = colon && text[0] == '[' ? colon - 1 : colon;

	if (!colon || end <= begin || (size_t)(end - begin) >= sizeof o->metrics_address || (text[0] == '[' && *end != ']')) {
		log_error(0, "--metrics wants an address and a port, such as 127.0.0.1:9464");
		return -EINVAL;
	}
	memcpy(o->metrics_address, begin, (size_t)(end - begin));
	o->metrics_address[end - begin] = 0;
	return parse_port(colon + 1, 1, &o->metrics_port);
}

static int parse_life(const char *text, int64_t *ret_seconds)
{
	char why[ERROR_TEXT];
	int r = duration_parse(text, ret_seconds, why);

	return r < 0 ? (log_error(0, "%s", why), r) : 0;
}

static int parse_warnings(const char *text, struct renewal_policy *policy)
{
	char why[ERROR_TEXT];
	int r = renewal_warnings_parse(text, policy, why);

	return r < 0 ? (log_error(0, "%s", why), r) : 0;
}

/* Its files' paths begin with it as it is written. */
static int take_folder(const char *path, struct options *o)
{
	size_t size = strlen(path);

	if (path[0] != '/' || size < 2 || path[size - 1] == '/' || size > MESSAGE_FOLDER_MOST) {
		log_error(0, "--notify wants an absolute path without a slash at its end, such as " MESSAGE_FOLDER);
		return -EINVAL;
	}
	o->notify = path;
	return 0;
}

/* 0; -EINVAL after a line that says why; 1 after --help. */
static int take(struct options *o, int letter, const char *written)
{
	switch (letter) {
	case 's': o->state = optarg; return 0;
	case 'r': o->repository = optarg; return 0;
	case 'a': o->address = optarg; return 0;
	case 'R': o->root = optarg; return 0;
	case 'k': o->online_keys = optarg; return 0;
	case 'p': return parse_port(optarg, 1, &o->port);
	case 'P': return parse_port(optarg, 1, &o->repository_port);
	case 'O': return parse_port(optarg, 0, &o->operator_port);
	case 'S': return parse_life(optarg, &o->renewal.life[SNAPSHOT_LIFE]);
	case 'T': return parse_life(optarg, &o->renewal.life[TIMESTAMP_LIFE]);
	case 'w': return parse_warnings(optarg, &o->renewal);
	case 'n': return take_folder(optarg, o);
	case 'm': return parse_listener(optarg, o);
	case 'h': fputs(usage, stdout); return 1;
	}
	log_error(0, "\"%s\": no such option, or its value is missing; `repaved --help` shows the options", written);
	return -EINVAL;
}

int options_parse(int argc, char *argv[], struct options *ret_options)
{
	static const struct option table[] = {
		{ "state", required_argument, NULL, 's' },   { "repository", required_argument, NULL, 'r' },
		{ "address", required_argument, NULL, 'a' }, { "port", required_argument, NULL, 'p' },
		{ "root", required_argument, NULL, 'R' },    { "repository-port", required_argument, NULL, 'P' },
		{ "online-keys", required_argument, NULL, 'k' }, { "expires-snapshot", required_argument, NULL, 'S' },
		{ "expires-timestamp", required_argument, NULL, 'T' }, { "warn", required_argument, NULL, 'w' },
		{ "operator-port", required_argument, NULL, 'O' }, { "metrics", required_argument, NULL, 'm' },
		{ "notify", required_argument, NULL, 'n' }, { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options *o = ret_options;
	int letter, r = 0;

	opterr = 0;
	*o = (struct options){ .port = 8443, .repository_port = 8080, .operator_port = 8444, .renewal = renewal_policy_default, .notify = MESSAGE_FOLDER };
	while (!r && (letter = getopt_long(argc, argv, "h", table, NULL)) != -1)
		r = take(o, letter, argv[optind - 1]);
	if (!r && (optind != argc || !o->state || !o->repository)) {
		log_error(0, "%s%s; `repaved --help` shows the options", optind != argc ? "unknown argument " :
			  "--state and --repository are needed", optind != argc ? argv[optind] : "");
		r = -EINVAL;
	}
	return r < 0 ? 3 : r;
}
