/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/verity.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/measure.h"

/* linux/dm-ioctl.h: the head, then a target with its status as text. */
struct request {
	struct dm_ioctl head;
	struct dm_target_spec target;
	char status[256];
};

char verity_ask(const char *name)
{
	struct request request = { .head = { .version = { 4 }, .data_size = sizeof(request),
					     .data_start = offsetof(struct request, target) } };
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	char state = 0;

	if (fd < 0)
		return 0;
	snprintf(request.head.name, sizeof(request.head.name), "%s", name);
	/* The kernel has put head and data where they were asked for. */
	if (ioctl(fd, DM_TABLE_STATUS, &request) == 0 && request.head.target_count == 1 && !(request.head.flags & DM_BUFFER_FULL_FLAG) &&
	    strncmp(request.target.target_type, "verity", sizeof(request.target.target_type)) == 0) {
		request.status[sizeof(request.status) - 1] = '\0';
		state = verity_state(request.status);
	}
	close(fd);
	return state;
}
