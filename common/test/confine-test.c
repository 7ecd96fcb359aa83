/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a confined daemon, and a program that it starts, can still do: tried in a process of its own each time. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/confine.h"

#define KEPT (CONFINE_KEEP(CAP_KILL) | CONFINE_KEEP(CAP_DAC_OVERRIDE))

/* errno of a call after confine, 0 when it worked. */
static int tried(long number, long a, long b, long c, long d)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		long r;

		if (confine(KEPT) < 0)
			_exit(255);
		r = syscall(number, a, b, c, d, 0, 0);
		_exit(r < 0 ? errno : 0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_what_changes_the_kernel_is_refused(void **state)
{
	static const long calls[] = { SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_bpf,
				      SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_swapon, SYS_swapoff, SYS_settimeofday,
				      SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_iopl, SYS_ioperm, SYS_acct, SYS_quotactl };

	(void)state;
	/* Arguments that are wrong for each of them: where a filter weren't, it would be another error, or success. */
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		assert_int_equal(tried(calls[i], -1, 0, 0, 0), EPERM);
}

static void test_mounts_namespaces_and_other_processes_are_refused(void **state)
{
	static const char root[] = "/", none[] = "none", tmpfs[] = "tmpfs";

	(void)state;
	assert_int_equal(tried(SYS_mount, (long)none, (long)root, (long)tmpfs, MS_RDONLY), EPERM);
	assert_int_equal(tried(SYS_umount2, (long)root, 0, 0, 0), EPERM);
	assert_int_equal(tried(SYS_chroot, (long)root, 0, 0, 0), EPERM);
	assert_int_equal(tried(SYS_unshare, CLONE_NEWUSER, 0, 0, 0), EPERM);
	assert_int_equal(tried(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0), EPERM);
	assert_int_equal(tried(SYS_clone3, 0, 0, 0, 0), ENOSYS);
	assert_int_equal(tried(SYS_setns, -1, 0, 0, 0), EPERM);
	assert_int_equal(tried(SYS_process_vm_readv, getppid(), 0, 0, 0), EPERM);
	assert_int_equal(tried(SYS_process_vm_writev, getppid(), 0, 0, 0), EPERM);
	assert_int_equal(tried(SYS_keyctl, 0, 0, 0, 0), EPERM);
	assert_int_equal(tried(SYS_add_key, 0, 0, 0, 0), EPERM);
	/* The other numbering of calls that this kernel may have. */
	assert_int_equal(tried(SYS_getpid | 0x40000000, 0, 0, 0, 0), EPERM);
}

static void test_what_a_daemon_needs_goes_on(void **state)
{
	static const char path[] = "/dev/null";

	(void)state;
	assert_int_equal(tried(SYS_openat, AT_FDCWD, (long)path, O_RDWR, 0), 0);
	assert_int_equal(tried(SYS_socket, AF_INET, SOCK_STREAM, 0, 0), 0);
	assert_int_equal(tried(SYS_socket, AF_UNIX, SOCK_STREAM, 0, 0), 0);
	assert_int_equal(tried(SYS_kill, getpid(), 0, 0, 0), 0);
	assert_int_equal(tried(SYS_getpid, 0, 0, 0, 0), 0);
}

/* The line of /proc/self/status that a program sees which the confined process starts. */
static void line_of_program(const char *name, char *ret_line, size_t room)
{
	int ends[2], status;
	ssize_t n = 0, got;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		if (confine(KEPT) < 0)
			_exit(255);
		execl("/bin/grep", "grep", name, "/proc/self/status", NULL);
		_exit(254);
	}
	assert_true(child > 0);
	close(ends[1]);
	while ((got = read(ends[0], ret_line + n, room - 1 - (size_t)n)) > 0)
		n += got;
	ret_line[n] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_programs_that_it_starts_are_confined_too(void **state)
{
	char line[128];

	(void)state;
	line_of_program("^NoNewPrivs:", line, sizeof(line));
	assert_string_equal(line, "NoNewPrivs:\t1\n");
	line_of_program("^Seccomp:", line, sizeof(line));
	assert_string_equal(line, "Seccomp:\t2\n");
	line_of_program("^CapEff:", line, sizeof(line));
	assert_int_equal(strtoull(line + strlen("CapEff:\t"), NULL, 16) & ~KEPT, 0);
	if (geteuid() == 0) {
		line_of_program("^CapBnd:", line, sizeof(line));
		assert_int_equal(strtoull(line + strlen("CapBnd:\t"), NULL, 16) & ~KEPT, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_changes_the_kernel_is_refused),
		cmocka_unit_test(test_mounts_namespaces_and_other_processes_are_refused),
		cmocka_unit_test(test_what_a_daemon_needs_goes_on),
		cmocka_unit_test(test_programs_that_it_starts_are_confined_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
