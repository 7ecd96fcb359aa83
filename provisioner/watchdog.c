/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICE "/dev/watchdog"

int watchdog_open(unsigned seconds)
{
	int fd = open(DEVICE, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* What the hardware refuses as too long may work at half of it; its own default is the last resort. */
	for (int timeout = (int)seconds; timeout >= 10; timeout /= 2)
		if (ioctl(fd, WDIOC_SETTIMEOUT, &timeout) == 0)
			break;
	watchdog_pat(fd);
	return fd;
}

void watchdog_pat(int fd)
{
	int nothing = 0;

	ioctl(fd, WDIOC_KEEPALIVE, &nothing);
}

void watchdog_leave(int fd)
{
	/* Without the letter V before it, closing doesn't stop the clock. */
	close(fd);
}
