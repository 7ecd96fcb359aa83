/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/watchdog.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "provisioner/cmdline.h"

#define DEVICE "/dev/watchdog"
#define PATTER "/run/repave/watchdog" /* its process number: initramfs/init */

unsigned watchdog_seconds(const char *cmdline)
{
	char text[16];
	uint64_t seconds;

	if (cmdline_value(cmdline, "repave.watchdog", text, sizeof(text)) != 0 || parse_u64(text, &seconds) != 0 ||
	    (seconds != 0 && (seconds < WATCHDOG_SECONDS_LEAST || seconds > WATCHDOG_SECONDS_MOST)))
		return WATCHDOG_SECONDS;
	return (unsigned)seconds;
}

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

void watchdog_stop(void)
{
	char *line = read_line_of(PATTER);
	uint64_t pid;

	if (line != NULL && parse_u64(line, &pid) == 0 && pid > 1 && pid <= INT_MAX && kill((pid_t)pid, SIGTERM) == 0)
		for (int tenth = 0; tenth < 10 && kill((pid_t)pid, 0) == 0; tenth++)
			usleep(100 * 1000);
	free(line);
}
