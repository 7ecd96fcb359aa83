/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a fuzz target over the files of its corpus: `NAME FOLDER…`. The sanitizers are the oracle. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;
	int r = -1;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)) {
		perror(path);
		if (file)
			fclose(file);
		return -1;
	}
	/* Exactly as large as the input, so that ASan sees a read behind its end. */
	data = malloc((size_t)size);
	if ((data || !size) && fread(data, 1, (size_t)size, file) == (size_t)size) {
		LLVMFuzzerTestOneInput(data, (size_t)size);
		r = 0;
	} else {
		perror(path);
	}
	free(data);
	fclose(file);
	return r;
}

static int run_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[4096];
	int count = 0;

	if (!dir) {
		perror(folder);
		return -1;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (run_file(path) < 0) {
			closedir(dir);
			return -1;
		}
		count++;
	}
	closedir(dir);
	printf("%d inputs\n", count);
	if (!count)
		fprintf(stderr, "%s: no inputs\n", folder);
	return count ? 0 : -1;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s FOLDER…\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++)
		if (run_folder(argv[i]) < 0)
			return 1;
	return 0;
}
