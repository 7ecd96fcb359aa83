/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/links.h"

#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void link_down(int fd, const char *name)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return;
	request.ifr_flags &= ~IFF_UP;
	ioctl(fd, SIOCSIFFLAGS, &request);
}

void links_down(void)
{
	struct if_nameindex *links = if_nameindex();
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (struct if_nameindex *link = links; fd >= 0 && link != NULL && link->if_name != NULL; link++)
		link_down(fd, link->if_name);
	if (fd >= 0)
		close(fd);
	if (links != NULL)
		if_freenameindex(links);
}
