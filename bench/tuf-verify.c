/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tuf-verify METADATA STORE ROOT PATH: verifies a repository's metadata as a node does, looks a target up, and prints what it
 * took. Without network and server, so that only verification is measured. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "common/file.h"
#include "signing/client.h"
#include "signing/format.h"
#include "signing/verified.h"

static int fetch(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", (const char *)context, name);
	return file_load(path, most, ret_data);
}

static void store_path(const char *folder, const char *role, char ret_path[4096])
{
	char name[TUF_FILE_NAME_SIZE];

	tuf_role_file_name(role, 0, name);
	snprintf(ret_path, 4096, "%s/%s", folder, name);
}

static int load(void *context, const char *role, size_t most, struct buffer *ret_data)
{
	char path[4096];

	store_path(context, role, path);
	return file_load(path, most, ret_data);
}

static int store(void *context, const char *role, const void *data, size_t size)
{
	char path[4096];

	store_path(context, role, path);
	return file_store(path, data, size, 0644);
}

static int forget(void *context, const char *role)
{
	char path[4096];

	store_path(context, role, path);
	return remove(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int verify(char *metadata, char *folder, const char *root, const char *path)
{
	struct tuf_store callbacks = { .load = load, .store = store, .remove = forget, .context = folder };
	struct tuf_fetch fetch_by = { fetch, metadata };
	struct tuf_client *client = NULL;
	struct verified_target *target = NULL;
	struct verified_image *image = NULL;
	struct buffer data = { 0 };
	char error[160] = "";
	int r = file_load(root, TUF_ROOT_MOST, &data);

	if (r == 0)
		r = tuf_client_open(&callbacks, &fetch_by, data.data, data.size, (int64_t)time(NULL), &client);
	buffer_release(&data);
	if (r == 0)
		r = tuf_client_refresh(client);
	if (r == 0)
		r = tuf_client_target(client, path, &target);
	if (r == 0)
		r = verified_image_of(target, &image, error);
	if (r < 0)
		fprintf(stderr, "tuf-verify: %s %s\n", client ? tuf_client_error(client) : strerror(-r), error);
	verified_image_free(image);
	verified_target_free(target);
	tuf_client_close(client);
	return r;
}

/* Not ru_maxrss: that counts what the caller had before it executed this program. */
static long most_bytes(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long kib = -1;

	while (file && kib < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmHWM: %ld kB", &kib) != 1)
			kib = -1;
	if (file)
		fclose(file);
	return kib < 0 ? -1 : kib * 1024;
}

int main(int argc, char **argv)
{
	struct rusage usage;

	if (argc != 5 || verify(argv[1], argv[2], argv[3], argv[4]) < 0)
		return 1;
	getrusage(RUSAGE_SELF, &usage);
	printf("{ \"seconds\": %ld.%06ld, \"most_bytes\": %ld }\n", (long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec),
	       (long)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) % 1000000, most_bytes());
	return 0;
}
