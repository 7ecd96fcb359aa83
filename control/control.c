// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/control.h"

#include <errno.h>
#include <time.h>

int64_t control_enter(struct control *control, bool wait)
{
	int64_t now = time(NULL);

	catalogue_follow(control->catalogue, now, wait);
	pthread_mutex_lock(&control->lock);
	return now;
}

void control_leave(struct control *control)
{
	pthread_mutex_unlock(&control->lock);
}

unsigned control_status(int error)
{
	switch (error) {
	case -EINVAL:
		return 400;
	case -ENOENT:
		return 404;
	case -EEXIST:
	case -ENOTUNIQ:
	case -EMEDIUMTYPE:
		return 409;
	}
	return 500;
}
