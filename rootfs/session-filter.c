/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rootfs/session-filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define WORD(member) offsetof(struct seccomp_data, member)
#define ARGUMENT(n) (WORD(args) + 8 * (n)) /* its lower half */
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offset))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define ERROR(number) ANSWER(SECCOMP_RET_ERRNO | (number))
/* Skips `count` instructions unless the loaded word is `value`. */
#define UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (count))
#define REFUSE(call) UNLESS(SYS_##call, 1), ERROR(EPERM)
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define X32 0x40000000u /* bit of the numbers of another way into the same kernel */
#define TIOCLINUX_NUMBER 0x541c

int session_filter(void)
{
#ifdef __x86_64__
	static struct sock_filter filter[] = {
		LOAD(WORD(arch)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), ERROR(EPERM), LOAD(WORD(nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1), ERROR(EPERM),
		REFUSE(unshare), REFUSE(setns), REFUSE(mount), REFUSE(umount2), REFUSE(pivot_root), REFUSE(chroot), REFUSE(move_mount),
		REFUSE(open_tree), REFUSE(fsopen), REFUSE(fsconfig), REFUSE(fsmount), REFUSE(fspick), REFUSE(mount_setattr), REFUSE(bpf),
		REFUSE(perf_event_open), REFUSE(userfaultfd), REFUSE(io_uring_setup), REFUSE(keyctl), REFUSE(add_key), REFUSE(request_key),
		REFUSE(init_module), REFUSE(finit_module), REFUSE(delete_module), REFUSE(kexec_load), REFUSE(kexec_file_load), REFUSE(reboot),
		REFUSE(open_by_handle_at), REFUSE(process_vm_writev), REFUSE(swapon), REFUSE(swapoff), REFUSE(quotactl), REFUSE(acct),
		/* Its flags lie in memory, where a filter can't look: libraries take clone then. */
		UNLESS(SYS_clone3, 1), ERROR(ENOSYS),
		UNLESS(SYS_clone, 4), LOAD(ARGUMENT(0)), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1), ERROR(EPERM),
		ANSWER(SECCOMP_RET_ALLOW),
		UNLESS(SYS_ioctl, 5), LOAD(ARGUMENT(1)), UNLESS(TIOCSTI, 1), ERROR(EPERM), UNLESS(TIOCLINUX_NUMBER, 1), ERROR(EPERM),
		ANSWER(SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return -errno;
#endif
	return 0;
}
