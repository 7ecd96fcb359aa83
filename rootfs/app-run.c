/* SPDX-License-Identifier: GPL-2.0-or-later */
/* app-run: starts the application of /app, with no privilege left, in a system that is read-only to it. The OS starts it as root and starts it again when the
 * application ends. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "rootfs/app-spec.h"
#include "rootfs/app-view.h"
#include "rootfs/home.h"
#include "rootfs/privileges.h"
#include "rootfs/session-filter.h"

#define APP_FOLDER "/app"
#define APP_JSON APP_FOLDER "/app.json"
#define OS_RELEASE "/etc/os-release"
#define APP_HOME "/run/app"
#define CONFIG_PARENT "/run/repave"
#define CONFIG_FOLDER CONFIG_PARENT "/config"
#define OPEN_FILES 65536
#define HOME_SECONDS 120
#define ENVIRONMENT_MOST (APP_VARIABLES_MOST + 8)

static int load_spec(struct app_spec *ret_spec)
{
	struct buffer text = { 0 };
	char error[160];
	int r = file_load(APP_JSON, APP_SPEC_BYTES_MOST, &text);

	if (r < 0)
		return log_error(r, "can't read " APP_JSON);
	r = app_spec_parse(text.data, text.size, ret_spec, error);
	buffer_release(&text);
	if (r < 0)
		log_error(r == -EINVAL ? 0 : r, APP_JSON " of the application image: %s", error);
	return r;
}

static int check_os(const struct app_spec *spec)
{
	struct buffer text = { 0 };
	char *name;
	int r = file_load(OS_RELEASE, 64 * 1024, &text);

	if (r < 0)
		return log_error(r, "can't read " OS_RELEASE);
	name = os_release_value((const char *)text.data, "IMAGE_ID");
	if (!name || strcmp(name, spec->requires_os)) {
		log_error(0, "application %s %s needs the OS %s, this is %s: assign an application made for this OS",
			  spec->name, spec->version, spec->requires_os, name ? name : "no Repave image");
		r = -EINVAL;
	}
	free(name);
	buffer_release(&text);
	return r;
}

/* The application's folder in RAM. Made anew for the account whatever was there: an application that ended may have left a link. */
static int make_home(void)
{
	int fd, r = 0;

	if (mkdir(APP_HOME, 0700) < 0 && errno != EEXIST)
		return log_error(-errno, "can't make " APP_HOME);
	fd = open(APP_HOME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return log_error(-errno, "can't open " APP_HOME);
	if (fchown(fd, APP_ID, APP_ID) < 0 || fchmod(fd, 0700) < 0)
		r = log_error(-errno, "can't give " APP_HOME " to the application's account");
	close(fd);
	return r;
}

static int share_file(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat stat;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat) < 0 || (S_ISREG(stat.st_mode) && (fchown(fd, 0, APP_ID) < 0 || fchmod(fd, 0640) < 0)))
		r = -errno;
	close(fd);
	return r;
}

/* The configuration may hold secrets: the application may read it, other accounts may not, and it can't be changed. */
static int share_config(void)
{
	int fd = open(CONFIG_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat parent;
	DIR *folder;
	int r = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : log_error(-errno, "can't open " CONFIG_FOLDER);
	folder = fdopendir(fd);
	if (!folder) {
		close(fd);
		return log_error(-ENOMEM, "can't read " CONFIG_FOLDER);
	}
	for (const struct dirent *entry; r == 0 && (entry = readdir(folder));)
		if (entry->d_name[0] != '.')
			r = share_file(fd, entry->d_name);
	if (r == 0 && (fchown(fd, 0, APP_ID) < 0 || fchmod(fd, 0750) < 0))
		r = -errno;
	if (r == 0 && stat(CONFIG_PARENT, &parent) == 0 && !(parent.st_mode & S_IXOTH) &&
	    chmod(CONFIG_PARENT, (parent.st_mode & 07777) | S_IXOTH) < 0)
		r = -errno;
	closedir(folder);
	return r < 0 ? log_error(r, "can't share " CONFIG_FOLDER " with the application's account") : 0;
}

/* Before `home` has found out, what the application writes would go to RAM, and below what is mounted later. */
static int wait_for_home(const struct app_spec *spec)
{
	for (unsigned tenth = 0; spec->home && tenth < HOME_SECONDS * 10; tenth++) {
		if (!access(HOME_STATE, F_OK))
			return 0;
		usleep(100 * 1000);
	}
	return spec->home ? log_error(-ETIMEDOUT, "nothing is known of H: after %d s; is `home` running?", HOME_SECONDS) : 0;
}

static int drop_privileges(void)
{
	static const struct rlimit open_files = { OPEN_FILES, OPEN_FILES };

	int r;

	if (setrlimit(RLIMIT_NOFILE, &open_files) < 0)
		return log_error(-errno, "can't set the limit of open files");
	r = privileges_drop(APP_ID);
	if (r == 0 && (r = session_filter()) < 0)
		log_error(r, "can't filter the application's system calls");
	return r;
}

static int set_streams(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return log_error(-errno, "can't open /dev/null");
	if (dup2(fd, STDIN_FILENO) < 0)
		return log_error(-errno, "can't replace standard input");
	/* What the OS had open is no business of the application. */
	if (syscall(SYS_close_range, 3u, ~0u, 0u) < 0)
		return log_error(-errno, "can't close the OS's files");
	return 0;
}

static int execute(const struct app_spec *spec)
{
	static char *const fixed[] = {
		"PATH=" APP_FOLDER "/bin:" APP_FOLDER "/usr/sbin:" APP_FOLDER "/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" APP_HOME, "USER=app", "LOGNAME=app", "LANG=C.UTF-8", "REPAVE_CONFIG=" CONFIG_FOLDER,
	};
	char *environment[ENVIRONMENT_MOST + 1] = { 0 };
	char *arguments[APP_ARGUMENTS_MOST + 1] = { 0 };
	size_t count = 0;

	/* The image's own come first: the first of two equal names is the one that getenv finds. */
	for (size_t i = 0; spec->environment[i]; i++)
		environment[count++] = spec->environment[i];
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		environment[count++] = fixed[i];
	/* execve takes char *const[], but doesn't write to the strings. */
	memcpy(arguments, spec->arguments, sizeof(arguments));
	if (chdir(APP_FOLDER) < 0)
		return log_error(-errno, "can't enter " APP_FOLDER);
	umask(022);
	execve(arguments[0], arguments, environment);
	return log_error(-errno, "can't execute %s of application %s %s", arguments[0], spec->name, spec->version);
}

int main(int argc, char **argv)
{
	struct app_spec spec = { 0 };
	int r;

	log_program("app-run");
	if (argc > 1) {
		int help = !strcmp(argv[1], "--help");

		fputs("Usage: app-run\nStarts the application of " APP_JSON " as the account `app`.\n", help ? stdout : stderr);
		return help ? 0 : 2;
	}
	r = load_spec(&spec);
	if (r == 0)
		r = check_os(&spec);
	if (r == 0)
		r = make_home();
	if (r == 0)
		r = share_config();
	if (r == 0)
		r = wait_for_home(&spec);
	if (r == 0)
		r = app_view_enter(APP_HOME, spec.home);
	if (r == 0)
		r = set_streams();
	if (r == 0)
		r = drop_privileges();
	if (r == 0)
		r = execute(&spec);
	app_spec_release(&spec);
	return r < 0 ? 1 : 0;
}
