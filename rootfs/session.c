/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session: the login shell of users. It is setuid root, for only root can build what a user sees, and gives up every right before the user's
 * command runs. The ssh servers execute it for everything that a user asks for: shells, commands, scp, sftp. Whoever is in such a session can't
 * gain anything by it any more (nosuid, no_new_privs). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "rootfs/privileges.h"
#include "rootfs/session-filter.h"
#include "rootfs/session-text.h"
#include "rootfs/session-view.h"

#define SELF "/usr/lib/repave/session"
#define PASSWD_MOST (1u << 20)
#define PROCESSES_MOST 512
#define SECONDS_MOST 30u /* an NFS server that doesn't answer ends the log-in */

extern char **environ;

static const char usage[] =
	"Usage: session [-c COMMAND]\n"
	"The login shell of a server's users: a shell, or COMMAND, that sees C:, D: and the user's own folder of H: and nothing else.\n"
	"Run by the ssh server.\n";

/* What a caller may have left: descriptors, signals, limits and a umask are his to choose. */
static int clean_up(void)
{
	static const struct rlimit no_core = { 0, 0 }, processes = { PROCESSES_MOST, PROCESSES_MOST };
	sigset_t none;

	for (int fd = open("/dev/null", O_RDWR); fd >= 0 && fd <= STDERR_FILENO; fd = open("/dev/null", O_RDWR))
		;
	if (syscall(SYS_close_range, 3u, ~0u, 0u) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0 || setrlimit(RLIMIT_NPROC, &processes) < 0)
		return log_error(-errno, "can't clean up");
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	return 0;
}

static int find_user(uid_t uid, char ret_name[USER_NAME_MOST + 1])
{
	struct buffer passwd = { 0 };
	int r = file_load("/etc/passwd", PASSWD_MOST, &passwd);

	if (r < 0)
		return log_error(r, "can't read /etc/passwd");
	r = passwd.size > 0 ? session_find_user((const char *)passwd.data, uid, SELF, ret_name) : -ENOENT;
	if (r < 0)
		log_error(0, "number %u isn't one of this server's users", (unsigned)uid);
	buffer_release(&passwd);
	return r;
}

/* Neither reads what the user has on H: at its start: what outlives a reboot mustn't run by itself. */
static int run(const char *shell, const char *name, const char *command)
{
	char user[USER_NAME_MOST + 16], log_name[USER_NAME_MOST + 16], shell_is[32], *environment[SESSION_VARIABLES_MOST + 1];
	char *const fixed[] = { (char[]){ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" }, (char[]){ "HOME=" SESSION_HOME },
				(char[]){ "ENV=/etc/profile" }, user, log_name, shell_is, NULL };
	char *arguments[6] = { 0 };
	char path[16], text[] = "-c", no_profile[] = "--noprofile", no_rc[] = "--norc";
	size_t count = 0;

	snprintf(path, sizeof(path), "%s", shell);
	snprintf(user, sizeof(user), "USER=%s", name);
	snprintf(log_name, sizeof(log_name), "LOGNAME=%s", name);
	snprintf(shell_is, sizeof(shell_is), "SHELL=%s", shell);
	session_environment(environ, fixed, environment);
	arguments[count++] = path;
	if (strcmp(shell, "/bin/bash") == 0) {
		arguments[count++] = no_profile;
		arguments[count++] = no_rc;
	}
	if (command != NULL) {
		arguments[count++] = text;
		/* execve takes char *const[], but doesn't write to the strings. */
		memcpy(&arguments[count], &command, sizeof(command));
	}
	execve(path, arguments, environment);
	return log_error(-errno, "can't execute %s", shell);
}

static int open_session(uid_t uid, const char *name, const char *shell)
{
	char notice[SESSION_TEXT], error[SESSION_TEXT];
	int r = view_enter(name, uid, shell, notice, error);

	if (r < 0) {
		log_error(0, "no session for %s: %s", name, error);
		syslog(LOG_ERR, "no session for %s: %s", name, error);
		return r;
	}
	if (notice[0] != '\0')
		log_info("%s", notice);
	r = privileges_drop(uid);
	if (r == 0 && (r = session_filter()) < 0)
		log_error(r, "can't filter system calls");
	return r;
}

int main(int argc, char **argv)
{
	char name[USER_NAME_MOST + 1];
	struct session_call call;
	uid_t uid = getuid();
	const char *shell;
	int r = session_call_parse(argc, argv, &call);

	log_program("session");
	if (r < 0 || call.help) {
		fputs(usage, r < 0 ? stderr : stdout);
		return r < 0 ? 2 : 0;
	}
	if (uid == 0 || geteuid() != 0) {
		log_error(0, uid == 0 ? "this is for users; root needs no view" : "this image is damaged: " SELF " isn't setuid root, or it is called from a session");
		return 1;
	}
	if (clean_up() < 0 || find_user(uid, name) < 0)
		return 1;
	alarm(SECONDS_MOST);
	openlog("session", LOG_PID | LOG_NDELAY, LOG_AUTH);
	shell = access("/run/repave/c/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh";
	r = open_session(uid, name, shell);
	alarm(0);
	return r == 0 && run(shell, name, call.command) == 0 ? 0 : 1;
}
