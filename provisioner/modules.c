/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"

#define MODULES "/lib/modules"
#define LIST_MOST (1u << 20)

/* "PATTERN PATTERN…|FILE FILE…"; ends the text before the files. */
static char *files_for(char *line, const char *word)
{
	char *files = strchr(line, '|'), *pattern;
	bool asked = false;

	if (files == NULL)
		return NULL;
	*files++ = '\0';
	while ((pattern = strsep(&line, " ")) != NULL)
		asked = asked || strcmp(pattern, word) == 0;
	return asked ? files : NULL;
}

char *modules_next(char **rest, char **line, const char *word)
{
	for (;;) {
		char *file, *next;

		while (*line != NULL && (file = strsep(line, " ")) != NULL)
			if (file[0] != '\0' && strchr(file, '/') == NULL)
				return file;
		next = strsep(rest, "\n");
		if (next == NULL)
			return NULL;
		*line = files_for(next, word);
	}
}

static void load(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), MODULES "/%.200s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* A CPU without AES of its own (ENODEV), and what is there already (EEXIST), are no errors. */
	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST && errno != ENODEV))
		fprintf(stderr, "module %s: %s\n", name, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void modules_load(const char *word)
{
	struct buffer list = { 0 };
	char *rest, *line = NULL, *name;

	/* A kernel with everything built in has no list. */
	if (file_load(MODULES "/drivers", LIST_MOST, &list) < 0)
		return;
	rest = (char *)list.data;
	while ((name = modules_next(&rest, &line, word)) != NULL)
		load(name);
	buffer_release(&list);
}
