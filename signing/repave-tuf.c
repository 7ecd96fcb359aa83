/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TUF client for the command line, with the calls of the public conformance suite. Exit status 0 or 1. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/file.h"
#include "common/http.h"
#include "common/log.h"
#include "signing/download.h"
#include "signing/folder.h"
#include "signing/format.h"

struct arguments {
	const char *metadata_dir, *metadata_url, *target_base_url, *target_dir;
	const char **targets; /* in the order of the command line */
	size_t count;
	const char *root;     /* of init */
};

static const char usage[] =
	"Usage: repave-tuf --metadata-dir DIR init ROOT\n"
	"       repave-tuf --metadata-dir DIR --metadata-url URL refresh\n"
	"       repave-tuf --metadata-dir DIR --metadata-url URL --target-name NAME… --target-base-url URL\n"
	"                  --target-dir DIR download\n"
	"Follows a repository of The Update Framework (specification 1.0) and fetches what it signs.\n"
	"\n"
	"  init ROOT              trust the keys of this root.json\n"
	"  refresh                bring the trusted metadata up to date\n"
	"  download               refresh, then fetch targets that aren't there yet\n"
	"\n"
	"  --metadata-dir DIR     where trusted metadata is kept\n"
	"  --metadata-url URL     where the repository has its metadata\n"
	"  --target-name NAME     path of a target; may be given several times\n"
	"  --target-base-url URL  where the repository has its targets\n"
	"  --target-dir DIR       where targets go, each as a file named like its path, percent-encoded\n"
	"  --help, --version\n"
	"\n"
	"The exit status is 0, or 1 when anything didn't succeed.\n";

/* ------------------------------------------------------------------ trusted metadata */

struct session {
	const struct arguments *arguments;
	struct folder metadata;
	struct http *http;
	struct tuf_client *client;
	bool network_failed; /* in the fetch before: http_error says more than the client can */
};

static int fetch_metadata(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	struct session *session = context;
	const char *base = session->arguments->metadata_url;
	size_t size = strlen(base);
	char *url;
	int r;

	if (asprintf(&url, "%s%s%s", base, size && base[size - 1] == '/' ? "" : "/", name) < 0)
		return -ENOMEM;
	r = http_get(session->http, url, most, ret_data);
	session->network_failed = r < 0 && r != -ENOENT && r != -EFBIG;
	free(url);
	return r;
}

/* What is wrong with a root, if anything: the client itself only says that it can't be used. */
static int check_root(const struct buffer *data, const char *file)
{
	struct tuf_document root = { 0 };
	struct tuf_signers signers;
	char error[TUF_ERROR_SIZE];
	int r = tuf_document_parse(TUF_ROOT, data->data, data->size, &root, error);

	if (r == 0) {
		tuf_root_signers(&root, TUF_ROOT, &signers);
		r = tuf_check_signatures(&root, &signers, error);
	}
	tuf_document_release(&root);
	return r < 0 ? log_error(0, "%s: %s", file, error), r : 0;
}

static int open_metadata(const struct arguments *a, struct folder *ret_folder)
{
	int r = folder_open(a->metadata_dir, ret_folder);

	if (r == -EBUSY)
		log_error(0, "%s is in use by another repave-tuf: try again when that is done", a->metadata_dir);
	else if (r < 0)
		log_error(r, "can't open the folder %s", a->metadata_dir);
	return r;
}

static int run_init(const struct arguments *a)
{
	struct buffer root = { 0 };
	struct folder folder;
	int r = file_load(a->root, TUF_ROOT_MOST, &root);

	if (r < 0)
		return log_error(r, "can't read %s", a->root);
	r = check_root(&root, a->root);
	if (r == 0)
		r = open_metadata(a, &folder);
	if (r == 0) {
		r = folder_store(&folder, "root.json", root.data, root.size);
		if (r < 0)
			log_error(r, "can't write %s/root.json", a->metadata_dir);
		folder_close(&folder);
	}
	buffer_release(&root);
	return r;
}

static int open_client(struct session *session)
{
	const char *dir = session->arguments->metadata_dir;
	struct tuf_store store = folder_tuf_store(&session->metadata);
	struct tuf_fetch fetch = { fetch_metadata, session };
	struct buffer root = { 0 };
	int r = store.load(store.context, "root", TUF_ROOT_MOST, &root);

	if (r == -ENOENT)
		return log_error(0, "%s has no root.json: begin with repave-tuf --metadata-dir %s init ROOT", dir, dir), r;
	if (r < 0)
		return log_error(r, "can't read %s/root.json", dir);
	r = check_root(&root, "the trusted root.json");
	if (r == 0) {
		r = tuf_client_open(&store, &fetch, root.data, root.size, time(NULL), &session->client);
		if (r < 0)
			log_error(r, "can't use %s/root.json", dir);
	}
	buffer_release(&root);
	return r;
}

static int refresh(struct session *session)
{
	int r = open_client(session);

	if (r < 0)
		return r;
	r = tuf_client_refresh(session->client);
	if (r < 0)
		log_error(0, "%s", session->network_failed ? http_error(session->http) : tuf_client_error(session->client));
	return r;
}

static int open_session(const struct arguments *a, struct session *ret_session)
{
	struct http_options options = { .user_agent = "repave-tuf", .any_server = true };
	int r;

	*ret_session = (struct session){ .arguments = a };
	r = open_metadata(a, &ret_session->metadata);
	if (r < 0)
		return r;
	ret_session->http = http_new(&options);
	if (ret_session->http)
		return 0;
	folder_close(&ret_session->metadata);
	return log_error(-ENOMEM, "can't start");
}

static void close_session(struct session *session)
{
	tuf_client_close(session->client);
	http_free(session->http);
	folder_close(&session->metadata);
}

static int run_refresh(const struct arguments *a)
{
	struct session session;
	int r = open_session(a, &session);

	if (r < 0)
		return r;
	r = refresh(&session);
	close_session(&session);
	return r;
}

/* ------------------------------------------------------------------ targets */

static int download(struct session *session, const char *path, const struct folder *targets)
{
	char error[DOWNLOAD_ERROR_SIZE];
	struct verified_target *target;
	int r;

	session->network_failed = false;
	r = tuf_client_target(session->client, path, &target);
	if (r < 0) {
		log_error(0, "%s", session->network_failed ? http_error(session->http) : tuf_client_error(session->client));
		return r;
	}
	r = target_download(session->http, target, session->arguments->target_base_url,
			    tuf_client_consistent(session->client), targets, error);
	if (r < 0)
		log_error(0, "%s", error);
	verified_target_free(target);
	return r;
}

/* A target named root.json must not become the trusted root. */
static bool is_same_folder(const char *path, const struct folder *folder)
{
	struct stat a, b;

	return stat(path, &a) == 0 && fstat(folder->fd, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int open_targets(const struct session *session, struct folder *ret_folder)
{
	const char *dir = session->arguments->target_dir;
	int r;

	if (is_same_folder(dir, &session->metadata))
		return log_error(0, "--target-dir and --metadata-dir must be two folders"), -EINVAL;
	r = folder_open(dir, ret_folder);
	if (r == -EBUSY)
		log_error(0, "%s is in use by another repave-tuf: try again when that is done", dir);
	else if (r < 0)
		log_error(r, "can't open the folder %s", dir);
	return r;
}

static int run_download(const struct arguments *a)
{
	struct session session;
	struct folder targets;
	int r = open_session(a, &session);

	if (r < 0)
		return r;
	r = open_targets(&session, &targets);
	if (r == 0) {
		r = refresh(&session);
		for (size_t i = 0; r == 0 && i < a->count; i++)
			r = download(&session, a->targets[i], &targets);
		folder_close(&targets);
	}
	close_session(&session);
	return r;
}

/* ------------------------------------------------------------------ command line */

static int complain(const char *word, const char *what)
{
	log_error(0, "%s %s", word, what);
	fprintf(stderr, "Try repave-tuf --help\n");
	return -EINVAL;
}

static int need(const char *option, const void *value)
{
	return value ? 0 : complain(option, "is missing");
}

static int need_url(const char *option, const char *url)
{
	if (!url)
		return need(option, url);
	return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0 ? 0 :
	       complain(url, "isn't an http:// or https:// address");
}

/* 0, 1 when all is done (help, version), or -EINVAL. */
static int parse_options(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "metadata-dir", required_argument, NULL, 'm' }, { "metadata-url", required_argument, NULL, 'u' },
		{ "target-name", required_argument, NULL, 'n' },  { "target-base-url", required_argument, NULL, 'b' },
		{ "target-dir", required_argument, NULL, 't' },	  { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },		  { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (c) {
		case 'm': a->metadata_dir = optarg; break;
		case 'u': a->metadata_url = optarg; break;
		case 'n': a->targets[a->count++] = optarg; break;
		case 'b': a->target_base_url = optarg; break;
		case 't': a->target_dir = optarg; break;
		case 'h': fputs(usage, stdout); return 1;
		case 'V': puts("repave-tuf 1.0"); return 1;
		default: fprintf(stderr, "Try repave-tuf --help\n"); return -EINVAL;
		}
	}
	return 0;
}

static int run(int argc, char **argv, struct arguments *a)
{
	const char *command = optind < argc ? argv[optind] : NULL;
	int rest = argc - optind - 1;

	if (!command)
		return complain("a command", "is missing: init, refresh or download");
	if (need("--metadata-dir", a->metadata_dir) < 0)
		return -EINVAL;
	if (strcmp(command, "init") == 0) {
		if (rest != 1)
			return complain(command, "needs one file: a root.json that you trust");
		a->root = argv[optind + 1];
		return run_init(a);
	}
	if (strcmp(command, "refresh") != 0 && strcmp(command, "download") != 0)
		return complain(command, "is no command: init, refresh or download");
	if (rest > 0)
		return complain(argv[optind + 1], "is one argument too many");
	if (need_url("--metadata-url", a->metadata_url) < 0)
		return -EINVAL;
	if (strcmp(command, "refresh") == 0)
		return run_refresh(a);
	if (need("--target-name", a->count ? a : NULL) < 0 || need_url("--target-base-url", a->target_base_url) < 0 ||
	    need("--target-dir", a->target_dir) < 0)
		return -EINVAL;
	return run_download(a);
}

int main(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	int r;

	log_program("repave-tuf");
	arguments.targets = calloc((size_t)argc + 1, sizeof(*arguments.targets));
	if (!arguments.targets)
		return 1;
	r = parse_options(argc, argv, &arguments);
	if (r == 0)
		r = run(argc, argv, &arguments);
	free(arguments.targets);
	return r < 0 ? 1 : 0;
}
