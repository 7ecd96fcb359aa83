/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/call-filter.h"

/* How a program with sanitizers looks for leaks at its end. */
#ifdef __SANITIZE_ADDRESS__
#define REFUSE_PTRACE
#else
#define REFUSE_PTRACE REFUSE(ptrace),
#endif

static int filter_calls(void)
{
#ifdef __x86_64__
	static struct sock_filter filter[] = {
		CALL_FILTER_HEAD,
		REFUSE(init_module), REFUSE(finit_module), REFUSE(delete_module), REFUSE(kexec_load), REFUSE(kexec_file_load), REFUSE(bpf),
		REFUSE(perf_event_open), REFUSE(userfaultfd), REFUSE(io_uring_setup), REFUSE(mount), REFUSE(umount2), REFUSE(pivot_root),
		REFUSE(chroot), REFUSE(move_mount), REFUSE(open_tree), REFUSE(fsopen), REFUSE(fsconfig), REFUSE(fsmount), REFUSE(fspick),
		REFUSE(mount_setattr), REFUSE(unshare), REFUSE(setns), REFUSE(swapon), REFUSE(swapoff), REFUSE(settimeofday),
		REFUSE(clock_settime), REFUSE(adjtimex), REFUSE(clock_adjtime), REFUSE(keyctl), REFUSE(add_key), REFUSE(request_key),
		REFUSE(iopl), REFUSE(ioperm), REFUSE(open_by_handle_at), REFUSE(process_vm_readv), REFUSE(process_vm_writev), REFUSE_PTRACE
		REFUSE(quotactl), REFUSE(acct), REFUSE(personality),
		REFUSE_NAMESPACES,
		ANSWER(SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return -errno;
#endif
	return 0;
}

static int keep_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };
	bool changes = false;

	if (syscall(SYS_capget, &header, sets) < 0)
		return -errno;
	/* The bounding set first: that takes CAP_SETPCAP. Who has no capability at all has none to lose by that either. EINVAL: a number
	 * beyond what this kernel knows. */
	for (unsigned i = 0; i <= 63 && (sets[0].permitted & CONFINE_KEEP(CAP_SETPCAP)); i++)
		if (!(kept & CONFINE_KEEP(i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 && errno != EINVAL)
			return -errno;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t mask = (uint32_t)(kept >> (32 * i));

		changes = changes || ((sets[i].permitted | sets[i].effective | sets[i].inheritable) & ~mask) != 0;
		sets[i].permitted &= mask;
		sets[i].effective &= mask;
		sets[i].inheritable &= mask;
	}
	/* A service manager may have taken this call away, with all capabilities. */
	return changes && syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

int confine(uint64_t capabilities)
{
	int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : keep_capabilities(capabilities);

	if (r == 0)
		r = filter_calls();
	/* A kernel without seccomp: the rest must do. */
	return r == -EINVAL ? 0 : r;
}
