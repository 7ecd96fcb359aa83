/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image-patch: what leads from one image to the next, for servers that have the former. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/bytes.h"
#include "common/log.h"
#include "images/patch-make.h"

#define DEFAULT_LEVEL 19
#define DEFAULT_THREADS 2u

static void print_usage(FILE *to)
{
	fputs("Usage: image-patch [options] OLD-IMAGE NEW-IMAGE PATCH\n"
	      "\n"
	      "Writes as PATCH what a server needs that has OLD-IMAGE and wants NEW-IMAGE (docs/protocol.md). Needs about six\n"
	      "times the largest changed file as memory. Prints the size and what is in it as JSON.\n"
	      "\n"
	      "  -l, --level N       zstd level, 1 to 22 (default 19)\n"
	      "  -j, --threads N     threads, 1 to 64 (default 2); the output is the same with any number\n"
	      "  -p, --progress      lines \"progress N\" (percent) on standard error\n"
	      "  -h, --help          this text\n",
	      to);
}

static int parse_number(const char *text, uint64_t most, const char *name, uint64_t *ret_value)
{
	if (parse_u64(text, ret_value) < 0 || *ret_value < 1 || *ret_value > most) {
		log_error(0, "--%s %s: give a number from 1 to %" PRIu64, name, text, most);
		return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "level", required_argument, NULL, 'l' },
		{ "threads", required_argument, NULL, 'j' },
		{ "progress", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	uint64_t level = DEFAULT_LEVEL, threads = DEFAULT_THREADS;
	struct patch_options made = { 0 };
	struct patch_summary summary;
	int option, r = 0;

	log_program("image-patch");
	while (r == 0 && (option = getopt_long(argc, argv, "l:j:ph", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			r = parse_number(optarg, 22, "level", &level);
			break;
		case 'j':
			r = parse_number(optarg, 64, "threads", &threads);
			break;
		case 'p':
			made.progress = true;
			break;
		case 'h':
			print_usage(stdout);
			return 0;
		default:
			return 2;
		}
	}
	if (r < 0)
		return 2;
	if (argc - optind != 3) {
		log_error(0, "give two images and the patch to write; see image-patch --help");
		return 2;
	}
	made.level = (int)level;
	made.threads = (unsigned)threads;
	if (patch_make(argv[optind], argv[optind + 1], argv[optind + 2], &made, &summary) < 0)
		return 1;
	printf("{ \"size\": %" PRIu64 ", \"windows\": %" PRIu32 ", \"blocks_new\": %" PRIu64 ", \"blocks_covered\": %" PRIu64
	       " }\n", summary.size, summary.windows, summary.blocks, summary.covered);
	return fflush(stdout) ? 1 : 0;
}
