/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rootfs/privileges.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/log.h"

int privileges_drop(uid_t id)
{
	/* EINVAL: a capability number beyond what this kernel knows. */
	for (int capability = 0; capability <= 63; capability++)
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EINVAL)
			return log_error(-errno, "can't drop capability %d", capability);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return log_error(-errno, "can't clear the ambient capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return log_error(-errno, "can't set no_new_privs");
	if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		return log_error(-errno, "can't become account %u", (unsigned)id);
	/* Changing the user id cleared the capability sets; nothing may bring them back. */
	if (!setuid(0) || !setgid(0))
		return log_error(-EPERM, "account %u could have become root again", (unsigned)id);
	return 0;
}
