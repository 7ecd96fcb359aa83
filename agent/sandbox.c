/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/dm-ioctl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORD(member) offsetof(struct seccomp_data, member)
#define ARGUMENT(n) (WORD(args) + 8 * (n)) /* its lower half: all that are looked at are ints */
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offset))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define REFUSE ANSWER(SECCOMP_RET_ERRNO | EPERM)
/* Skips one instruction unless the loaded word is `value`. */
#define UNLESS(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, 1)
#define ALLOW(call) UNLESS(SYS_##call), ANSWER(SECCOMP_RET_ALLOW)
/* Opens for reading only; the flags are argument `n`. Takes five instructions. */
#define ALLOW_READING(call, n)                                                                                                             \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 4), LOAD(ARGUMENT(n)),                                                          \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_ACCMODE | O_CREAT | O_TRUNC, 1, 0), ANSWER(SECCOMP_RET_ALLOW), REFUSE

#define PROLOGUE                                                                                                                           \
	LOAD(WORD(arch)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), REFUSE, LOAD(WORD(nr))

int sandbox_enter(enum sandbox sandbox)
{
#ifdef __x86_64__
	static struct sock_filter client[] = {
		PROLOGUE,
		ALLOW(read), ALLOW(readv), ALLOW(write), ALLOW(writev), ALLOW(close), ALLOW(poll), ALLOW(ppoll), ALLOW(lseek), ALLOW(fstat),
		ALLOW(newfstatat), ALLOW(stat), ALLOW(fcntl), ALLOW(connect), ALLOW(bind), ALLOW(sendto), ALLOW(recvfrom), ALLOW(sendmsg),
		ALLOW(recvmsg), ALLOW(sendmmsg), ALLOW(getsockopt), ALLOW(setsockopt), ALLOW(getsockname), ALLOW(getpeername), ALLOW(brk),
		ALLOW(mmap), ALLOW(munmap), ALLOW(mremap), ALLOW(madvise), ALLOW(mprotect), ALLOW(getrandom), ALLOW(clock_gettime),
		ALLOW(gettimeofday), ALLOW(nanosleep), ALLOW(clock_nanosleep), ALLOW(rt_sigprocmask), ALLOW(rt_sigaction),
		ALLOW(rt_sigreturn), ALLOW(sigaltstack), ALLOW(futex), ALLOW(getpid), ALLOW(gettid), ALLOW(uname), ALLOW(restart_syscall),
		ALLOW(exit), ALLOW(exit_group),
		ALLOW_READING(open, 1), ALLOW_READING(openat, 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 4), LOAD(ARGUMENT(0)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0),
		UNLESS(AF_INET6), ANSWER(SECCOMP_RET_ALLOW),
		REFUSE,
	};
	static struct sock_filter listener[] = {
		PROLOGUE,
		ALLOW(accept4), ALLOW(poll), ALLOW(recvfrom), ALLOW(sendto), ALLOW(write), ALLOW(writev), ALLOW(close), ALLOW(clock_gettime),
		ALLOW(nanosleep), ALLOW(clock_nanosleep), ALLOW(rt_sigreturn), ALLOW(restart_syscall), ALLOW(exit), ALLOW(exit_group),
		ALLOW(sigaltstack), ALLOW(munmap), /* at the end, of a program that is built with sanitizers */
		REFUSE,
	};
	static struct sock_filter verity[] = {
		PROLOGUE,
		ALLOW(recvfrom), ALLOW(sendto), ALLOW(rt_sigreturn), ALLOW(restart_syscall), ALLOW(exit), ALLOW(exit_group),
		ALLOW(sigaltstack), ALLOW(munmap), /* as above */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3), LOAD(ARGUMENT(1)), UNLESS(DM_TABLE_STATUS), ANSWER(SECCOMP_RET_ALLOW),
		REFUSE,
	};
	static const struct sock_fprog programs[] = {
		[SANDBOX_CLIENT] = { .len = sizeof(client) / sizeof(*client), .filter = client },
		[SANDBOX_LISTENER] = { .len = sizeof(listener) / sizeof(*listener), .filter = listener },
		[SANDBOX_VERITY] = { .len = sizeof(verity) / sizeof(*verity), .filter = verity },
	};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &programs[sandbox], 0, 0) < 0)
		return -errno;
#endif
	(void)sandbox;
	return 0;
}

/* Root becomes `user`. Of the capabilities it keeps those in `kept` (bits of linux/capability.h). */
static int become(uid_t user, uint64_t kept)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { { (uint32_t)kept, (uint32_t)kept, 0 }, { (uint32_t)(kept >> 32), (uint32_t)(kept >> 32), 0 } };

	/* EINVAL: a number beyond what this kernel knows. */
	for (unsigned capability = 0; capability <= 63; capability++)
		if (!(kept >> capability & 1) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EINVAL)
			return -errno;
	if (kept != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	if (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0)
		return -errno;
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

int rights_give_up(uid_t user, enum sandbox sandbox)
{
	static const struct rlimit none = { 0, 0 }, few = { 8, 8 };
	int r = geteuid() == 0 ? become(user, sandbox == SANDBOX_VERITY ? UINT64_C(1) << CAP_SYS_ADMIN : 0) : 0;

	if (r < 0)
		return r;
	/* Another account forgets it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_FSIZE, &none) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NOFILE, &few) < 0)
		return -errno;
	r = sandbox_enter(sandbox);
	/* A kernel without seccomp: the rest must do. */
	return r == -EINVAL ? 0 : r;
}
