/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the network process can still do, tried in a process of its own each time. */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/sandbox.h"

/* errno of a call in the sandbox, 0 when it worked. By syscall: not what a C library makes of it. */
static int tried_in(enum sandbox sandbox, long number, long a, long b, long c)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		long r;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_enter(sandbox) < 0)
			_exit(255);
		r = syscall(number, a, b, c, 0, 0, 0);
		_exit(r < 0 ? errno : 0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int tried(long number, long a, long b, long c)
{
	return tried_in(SANDBOX_CLIENT, number, a, b, c);
}

static void test_what_takes_connections_makes_none(void **state)
{
	static const char path[] = "/etc/hosts";

	(void)state;
	assert_int_equal(tried_in(SANDBOX_LISTENER, SYS_accept4, -1, 0, 0), EBADF);
	assert_int_equal(tried_in(SANDBOX_LISTENER, SYS_socket, AF_INET, SOCK_STREAM, 0), EPERM);
	assert_int_equal(tried_in(SANDBOX_LISTENER, SYS_connect, 0, 0, 0), EPERM);
	assert_int_equal(tried_in(SANDBOX_LISTENER, SYS_openat, AT_FDCWD, (long)path, O_RDONLY), EPERM);
	assert_int_equal(tried_in(SANDBOX_LISTENER, SYS_execve, (long)path, 0, 0), EPERM);
	assert_int_equal(tried_in(SANDBOX_LISTENER, SYS_clone, SIGCHLD, 0, 0), EPERM);
	assert_int_equal(tried_in(SANDBOX_LISTENER, SYS_mmap, 0, 4096, 7), EPERM);
}

static void test_what_asks_dm_verity_asks_nothing_else(void **state)
{
	static const long others[] = { DM_VERSION, DM_REMOVE_ALL, DM_DEV_CREATE, DM_DEV_REMOVE, DM_DEV_SUSPEND, DM_TABLE_LOAD, DM_TABLE_CLEAR,
				       DM_TARGET_MSG, TIOCSTI };
	static const char path[] = "/etc/hosts";

	(void)state;
	assert_int_equal(tried_in(SANDBOX_VERITY, SYS_ioctl, -1, (long)DM_TABLE_STATUS, 0), EBADF);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_int_equal(tried_in(SANDBOX_VERITY, SYS_ioctl, 0, others[i], 0), EPERM);
	assert_int_equal(tried_in(SANDBOX_VERITY, SYS_recvfrom, -1, 0, 0), EBADF);
	assert_int_equal(tried_in(SANDBOX_VERITY, SYS_openat, AT_FDCWD, (long)path, O_RDONLY), EPERM);
	assert_int_equal(tried_in(SANDBOX_VERITY, SYS_socket, AF_UNIX, SOCK_STREAM, 0), EPERM);
	assert_int_equal(tried_in(SANDBOX_VERITY, SYS_mount, (long)path, (long)path, 0), EPERM);
	assert_int_equal(tried_in(SANDBOX_VERITY, SYS_unshare, CLONE_NEWNS, 0, 0), EPERM);
	assert_int_equal(tried_in(SANDBOX_VERITY, SYS_bpf, 0, 0, 0), EPERM);
	assert_int_equal(tried_in(SANDBOX_VERITY, SYS_write, 1, (long)path, 0), EPERM);
	assert_int_equal(tried_in(SANDBOX_VERITY, SYS_execve, (long)path, 0, 0), EPERM);
	assert_int_equal(tried_in(SANDBOX_VERITY, SYS_clone, SIGCHLD, 0, 0), EPERM);
	assert_int_equal(tried_in(SANDBOX_VERITY, SYS_mmap, 0, 4096, 7), EPERM);
}

static void test_programs_and_processes_are_refused(void **state)
{
	static const char program[] = "/bin/true";
	char *const arguments[] = { NULL };

	(void)state;
	assert_int_equal(tried(SYS_execve, (long)program, (long)arguments, (long)arguments), EPERM);
	assert_int_equal(tried(SYS_execveat, AT_FDCWD, (long)program, (long)arguments), EPERM);
	assert_int_equal(tried(SYS_fork, 0, 0, 0), EPERM);
	assert_int_equal(tried(SYS_clone, SIGCHLD, 0, 0), EPERM);
	assert_int_equal(tried(SYS_kill, getpid(), 0, 0), EPERM);
	assert_int_equal(tried(SYS_ptrace, PTRACE_ATTACH, getpid(), 0), EPERM);
}

static void test_files_can_be_read_only(void **state)
{
	static const char path[] = "/dev/null";

	(void)state;
	assert_int_equal(tried(SYS_openat, AT_FDCWD, (long)path, O_RDONLY), 0);
	assert_int_equal(tried(SYS_openat, AT_FDCWD, (long)path, O_WRONLY), EPERM);
	assert_int_equal(tried(SYS_openat, AT_FDCWD, (long)path, O_RDWR), EPERM);
	assert_int_equal(tried(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CREAT), EPERM);
	assert_int_equal(tried(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_TRUNC), EPERM);
	assert_int_equal(tried(SYS_open, (long)path, O_RDONLY, 0), 0);
	assert_int_equal(tried(SYS_open, (long)path, O_RDWR, 0), EPERM);
	assert_int_equal(tried(SYS_unlink, (long)path, 0, 0), EPERM);
	assert_int_equal(tried(SYS_chmod, (long)path, 0, 0), EPERM);
}

static void test_other_sockets_are_refused(void **state)
{
	(void)state;
	assert_int_equal(tried(SYS_socket, AF_INET, SOCK_STREAM, 0), 0);
	assert_int_equal(tried(SYS_socket, AF_INET6, SOCK_DGRAM, 0), 0);
	assert_int_equal(tried(SYS_socket, AF_UNIX, SOCK_STREAM, 0), EPERM);
	assert_int_equal(tried(SYS_socket, AF_NETLINK, SOCK_RAW, 0), EPERM);
	assert_int_equal(tried(SYS_socket, AF_PACKET, SOCK_RAW, 0), EPERM);
	assert_int_equal(tried(SYS_listen, 0, 1, 0), EPERM);
	/* The other numbering of calls that this kernel may have. */
	assert_int_equal(tried(SYS_getpid | 0x40000000, 0, 0, 0), EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_takes_connections_makes_none),
		cmocka_unit_test(test_what_asks_dm_verity_asks_nothing_else),
		cmocka_unit_test(test_programs_and_processes_are_refused),
		cmocka_unit_test(test_files_can_be_read_only),
		cmocka_unit_test(test_other_sockets_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
