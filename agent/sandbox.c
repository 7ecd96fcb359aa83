/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

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

int sandbox_enter(void)
{
#ifdef __x86_64__
	static struct sock_filter filter[] = {
		LOAD(WORD(arch)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), REFUSE, LOAD(WORD(nr)),
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
	const struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return -errno;
#endif
	return 0;
}
