/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire: makes the wire file of an image, and an image of a wire file. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/log.h"
#include "images/wire-file.h"

#define DEFAULT_FRAME_SIZE 32768u
#define DEFAULT_LEVEL 15 /* beyond it, minutes buy two per cent */
#define DEFAULT_THREADS 2u

struct settings {
	uint64_t frame_size;
	uint64_t level;
	uint64_t threads;
	const char *in;
	const char *out;
};

static void print_usage(FILE *to)
{
	fputs("Usage: wire encode [options] IMAGE WIRE-FILE\n"
	      "       wire decode WIRE-FILE IMAGE\n"
	      "\n"
	      "A wire file is an image in independent zstd frames with a seek table (zstd's seekable format);\n"
	      "`zstd -d` reads it too. Prints the numbers of the image description as JSON.\n"
	      "\n"
	      "  -f, --frame-size N  bytes of image per frame: 4096 to 65536, whole blocks of 4096 (default 32768)\n"
	      "  -l, --level N       zstd level, 1 to 19 (default 15)\n"
	      "  -j, --threads N     threads, 1 to 64 (default 2); the output is the same with any number\n"
	      "  -h, --help          this text\n",
	      to);
}

static int print_summary(const struct wire_summary *summary)
{
	printf("{ \"encoding\": \"zstd-seekable\", \"size\": %" PRIu64 ", \"frame_size\": %" PRIu32
	       ", \"frames\": %" PRIu32 " }\n",
	       summary->wire_size, summary->frame_size, summary->frames);
	return fflush(stdout) ? -EIO : 0;
}

static int report(int error, const char *what, const struct settings *s)
{
	switch (error) {
	case -EINVAL:
		log_error(0, "%s isn't a whole number of 4096-byte blocks: pad it first", s->in);
		return error;
	case -EBADMSG:
		log_error(0, "%s isn't a sound wire file: fetch or encode it again", s->in);
		return error;
	case -ENOSPC:
		log_error(0, "no room for %s: free space there, or build elsewhere with O=FOLDER", s->out);
		return error;
	default:
		return log_error(error, "can't %s %s to %s", what, s->in, s->out);
	}
}

static int encode(const struct settings *s)
{
	struct wire_summary summary;
	int r = wire_encode(s->in, s->out, (uint32_t)s->frame_size, (int)s->level, (unsigned)s->threads,
			    &summary);

	return r < 0 ? report(r, "encode", s) : print_summary(&summary);
}

static int decode(const struct settings *s)
{
	struct wire_summary summary;
	int r = wire_decode(s->in, s->out, &summary);

	return r < 0 ? report(r, "decode", s) : print_summary(&summary);
}

static int parse_number(const char *text, uint64_t least, uint64_t most, uint64_t step, const char *name,
			uint64_t *ret_value)
{
	uint64_t value;

	if (parse_u64(text, &value) < 0 || value < least || value > most || value % step) {
		log_error(0, "--%s %s: give a number from %" PRIu64 " to %" PRIu64 "%s", name, text, least,
			  most, step > 1 ? ", whole blocks of 4096" : "");
		return -EINVAL;
	}
	*ret_value = value;
	return 0;
}

/* 0, 1 when help was asked for, or -EINVAL after one line that says what is wrong. */
static int parse_settings(int argc, char **argv, struct settings *s)
{
	static const struct option options[] = {
		{ "frame-size", required_argument, NULL, 'f' },
		{ "level", required_argument, NULL, 'l' },
		{ "threads", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option, r = 0;

	while (r == 0 && (option = getopt_long(argc, argv, "f:l:j:h", options, NULL)) != -1) {
		switch (option) {
		case 'f':
			r = parse_number(optarg, 4096, 65536, 4096, "frame-size", &s->frame_size);
			break;
		case 'l':
			r = parse_number(optarg, 1, 19, 1, "level", &s->level);
			break;
		case 'j':
			r = parse_number(optarg, 1, 64, 1, "threads", &s->threads);
			break;
		case 'h':
			return 1;
		default:
			return -EINVAL;
		}
	}
	if (r < 0)
		return r;
	if (argc - optind != 3) {
		log_error(0, "give a command and two files; see wire --help");
		return -EINVAL;
	}
	s->in = argv[optind + 1];
	s->out = argv[optind + 2];
	return 0;
}

static const struct {
	const char *name;
	int (*run)(const struct settings *s);
} commands[] = {
	{ "encode", encode },
	{ "decode", decode },
};

int main(int argc, char **argv)
{
	struct settings s = { DEFAULT_FRAME_SIZE, DEFAULT_LEVEL, DEFAULT_THREADS, NULL, NULL };
	int r;

	log_program("wire");
	r = parse_settings(argc, argv, &s);
	if (r) {
		if (r > 0)
			print_usage(stdout);
		return r > 0 ? 0 : 2;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[optind], commands[i].name))
			return commands[i].run(&s) < 0 ? 1 : 0;
	log_error(0, "there is no command \"%s\"; see wire --help", argv[optind]);
	return 2;
}
