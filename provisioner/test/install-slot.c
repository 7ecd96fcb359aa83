/* SPDX-License-Identifier: GPL-2.0-or-later */
/* install-slot DESCRIPTION SLOT DONOR|- FLAGS PATH BASE…: makes the file SLOT equal to the described image, from http servers, with the
 * code that provision runs. For tests with real servers and for the benchmark; here the caller is the signer. FLAGS: letters of
 *
 *   c  SLOT was complete before    l  lazy    1  one thread    f  stalls end after 2 seconds    -  nothing
 *
 * Environment: PROXY, as http://host:port.
 *
 * Prints one line of JSON; 0 when the image is installed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/json.h"
#include "common/patch.h"
#include "provisioner/install.h"

struct verified_image {
	struct image_description description;
};

const struct image_description *verified_image_description(const struct verified_image *image)
{
	return &image->description;
}

const char *verified_image_path(const struct verified_image *image)
{
	(void)image;
	return "the image";
}

static const char *wire_path;
static uint64_t wire_size;

static int run(void *context, const struct http_ranges *ranges)
{
	return http_mirrors_fetch(context, ranges);
}

static const char *error(void *context)
{
	return http_mirrors_error(context);
}

/* As in a repository: the wire file's name and the old root hash. */
static int patch(void *context, const uint8_t *old_root, uint64_t size)
{
	char path[1024], root[65] = "";

	if (old_root != NULL)
		hex_format(old_root, PATCH_ROOT_BYTES, root);
	snprintf(path, sizeof(path), old_root != NULL ? "%s.from-%s" : "%s%s", wire_path, root);
	return http_mirrors_file(context, path, old_root != NULL ? size : wire_size);
}

static void blame(void *context, unsigned server)
{
	http_mirrors_blame(context, server);
}

static void only(void *context, int server)
{
	http_mirrors_only(context, server);
}

static void pause_shortly(void *context, unsigned next_try)
{
	const struct timespec moment = { .tv_nsec = 100 * 1000 * 1000 };

	(void)context, (void)next_try;
	nanosleep(&moment, NULL);
}

static int open_slot(const char *path, int flags, struct slot *ret_slot)
{
	struct stat st;

	ret_slot->name = "SLOT";
	ret_slot->fd = open(path, flags | O_CLOEXEC);
	if (ret_slot->fd < 0 || fstat(ret_slot->fd, &st) < 0)
		return -errno;
	ret_slot->size = (uint64_t)st.st_size;
	return 0;
}

/* Most memory so far. getrusage would count that of whoever started this program. */
static json_int_t peak_kib(void)
{
	struct buffer status = { 0 };
	json_int_t peak = 0;

	if (file_load("/proc/self/status", 1 << 16, &status) == 0) {
		const char *line = strstr((const char *)status.data, "VmHWM:");

		peak = line != NULL ? strtoll(line + strlen("VmHWM:"), NULL, 10) : 0;
	}
	buffer_release(&status);
	return peak;
}

static void print_result(int r, const char *sentence, const struct install_result *result, double taken,
			 const struct http_mirrors *mirrors)
{
	struct rusage usage;
	json_t *servers = json_array(), *json;
	char *text;

	for (unsigned i = 0; i < http_mirrors_count(mirrors); i++) {
		struct http_mirror_record record = http_mirrors_record(mirrors, i);

		json_array_append_new(servers, json_pack("{s:I,s:i,s:i}", "bytes", (json_int_t)record.bytes, "failures",
							 (int)record.failures, "blames", (int)record.blames));
	}
	getrusage(RUSAGE_SELF, &usage);
	json = json_pack("{s:i,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:I,s:o}", "errno", -r, "error", sentence,
				     "blocks", (json_int_t)result->blocks, "kept", (json_int_t)result->kept, "copied",
				     (json_int_t)result->copied, "fetched", (json_int_t)result->fetched, "wire_bytes",
				     (json_int_t)result->wire_bytes, "patch_bytes", (json_int_t)result->patch_bytes, "repaired", (json_int_t)result->repaired, "seconds", taken,
				     "cpu_seconds",
				     (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
					     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
				     "peak_kib", peak_kib(), "servers", servers);
	text = json_format(json);
	puts(text != NULL ? text : "");
	free(text);
	json_decref(json);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct http_mirrors_options fast = { 0 };
	struct install_options options = { 0 };
	struct install_result result = { 0 };
	struct wire_source source = { .run = run, .patch = patch, .blame = blame, .only = only, .error = error, .pause = pause_shortly };
	struct slot target, donor;
	struct verified_image image;
	struct buffer text = { 0 };
	struct http_mirrors *mirrors;
	char detail[160], sentence[SENTENCE] = "";
	json_t *json;
	double since;
	int r;

	if (argc < 7)
		return 2;
	json = file_load(argv[1], 1 << 20, &text) == 0 ? json_parse(text.data, text.size, detail) : NULL;
	if (json == NULL || image_description_parse(json, &image.description, detail) < 0 ||
	    open_slot(argv[2], O_RDWR, &target) < 0 || (strcmp(argv[3], "-") != 0 && open_slot(argv[3], O_RDONLY, &donor) < 0)) {
		fprintf(stderr, "%s, %s: %s\n", argv[1], argv[2], detail);
		return 2;
	}
	options.complete = strchr(argv[4], 'c') != NULL;
	options.lazy = strchr(argv[4], 'l') != NULL;
	options.threads = strchr(argv[4], '1') != NULL ? 1 : 0;
	fast.proxy = getenv("PROXY");
	fast.stall_seconds = strchr(argv[4], 'f') != NULL ? 2 : 0;
	mirrors = http_mirrors_new((const char *const *)argv + 6, (unsigned)argc - 6, &fast);
	if (mirrors == NULL || http_mirrors_file(mirrors, argv[5], image.description.wire_size) < 0)
		return 2;
	wire_path = argv[5];
	wire_size = image.description.wire_size;
	source.context = mirrors;
	source.servers = http_mirrors_count(mirrors);
	since = now();
	r = install_image(&image, &target, strcmp(argv[3], "-") != 0 ? &donor : NULL, &options, &source, NULL, &result, sentence);
	print_result(r, sentence, &result, now() - since, mirrors);
	http_mirrors_free(mirrors);
	json_decref(json);
	buffer_release(&text);
	return r < 0 ? 1 : 0;
}
