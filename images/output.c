/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "images/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int output_init(struct output *ret_output, const char *path)
{
	char *temporary;
	int fd;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		int error = -errno;

		free(temporary);
		return error;
	}
	*ret_output = (struct output){ .fd = fd, .path = path, .temporary = temporary };
	return 0;
}

int output_finish(struct output *output, int error)
{
	if (!error && (fchmod(output->fd, 0644) < 0 || fsync(output->fd) < 0))
		error = -errno;
	if (close(output->fd) < 0 && !error)
		error = -errno;
	if (!error && rename(output->temporary, output->path) < 0)
		error = -errno;
	if (error)
		unlink(output->temporary);
	free(output->temporary);
	return error;
}
