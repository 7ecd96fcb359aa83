/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A large file that appears under its name only when it is complete. */
#ifndef IMAGES_OUTPUT_H
#define IMAGES_OUTPUT_H

struct output {
	int fd;
	const char *path; /* borrowed */
	char *temporary;
};

/* Opens a temporary file beside `path`, for reading and writing. 0 or -errno. End it with output_finish. */
int output_init(struct output *ret_output, const char *path);

/* With `error` 0: syncs and renames; else removes what was written. Returns `error`, or what went wrong in finishing. */
int output_finish(struct output *output, int error);

#endif
