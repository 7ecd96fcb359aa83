/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rootfs/session-filter.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common/call-filter.h"

#define TIOCLINUX_NUMBER 0x541c

int session_filter(void)
{
#ifdef __x86_64__
	static struct sock_filter filter[] = {
		CALL_FILTER_HEAD,
		REFUSE(unshare), REFUSE(setns), REFUSE(mount), REFUSE(umount2), REFUSE(pivot_root), REFUSE(chroot), REFUSE(move_mount),
		REFUSE(open_tree), REFUSE(fsopen), REFUSE(fsconfig), REFUSE(fsmount), REFUSE(fspick), REFUSE(mount_setattr), REFUSE(bpf),
		REFUSE(perf_event_open), REFUSE(userfaultfd), REFUSE(io_uring_setup), REFUSE(keyctl), REFUSE(add_key), REFUSE(request_key),
		REFUSE(init_module), REFUSE(finit_module), REFUSE(delete_module), REFUSE(kexec_load), REFUSE(kexec_file_load), REFUSE(reboot),
		REFUSE(open_by_handle_at), REFUSE(process_vm_writev), REFUSE(swapon), REFUSE(swapoff), REFUSE(quotactl), REFUSE(acct),
		REFUSE_NAMESPACES,
		UNLESS(SYS_ioctl, 5), LOAD(ARGUMENT(1)), UNLESS(TIOCSTI, 1), ERROR(EPERM), UNLESS(TIOCLINUX_NUMBER, 1), ERROR(EPERM),
		ANSWER(SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return -errno;
#endif
	return 0;
}
