/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of which filters of system calls (seccomp, classic BPF) are put together. A filter begins with CALL_FILTER_HEAD, which leaves the call's number
 * loaded for those that follow, and ends with ANSWER(SECCOMP_RET_ALLOW). */
#ifndef COMMON_CALL_FILTER_H
#define COMMON_CALL_FILTER_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
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
#define X32 0x40000000u /* bit of the numbers of another way into the same kernel */
#define CALL_FILTER_HEAD \
	LOAD(WORD(arch)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), ERROR(EPERM), LOAD(WORD(nr)), \
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1), ERROR(EPERM)
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
/* No namespace by either call; clone3's flags lie in memory, where a filter can't look: libraries take clone then. What isn't refused is allowed at once. */
#define REFUSE_NAMESPACES \
	UNLESS(SYS_clone3, 1), ERROR(ENOSYS), \
	UNLESS(SYS_clone, 4), LOAD(ARGUMENT(0)), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1), ERROR(EPERM), ANSWER(SECCOMP_RET_ALLOW)

#endif
