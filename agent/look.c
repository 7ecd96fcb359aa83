/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "agent/gather.h"
#include "agent/tls.h"
#include "common/file.h"
#include "common/log.h"

#define PATH_ROOM 1024u
#define DEPTH_MOST 24
#define ENTRIES_MOST 50000u
#define LISTENERS_MOST 16u

/* The log has it too: the control unit may be out of reach for long. */
static void raise_alarm(struct look *look, const char *kind, const char *text)
{
	log_warning("%s: %s", kind, text);
	channel_alarm(look->channel, time(NULL), kind, text);
}

/* An alarm, unless the same was told before. `subject` tells one finding of a kind from another. */
static void __attribute__((format(printf, 4, 5))) found(struct look *look, const char *kind, const char *subject, const char *format, ...)
{
	char text[ALARM_TEXT_MOST + 1];
	va_list arguments;

	switch (finding_note(&look->findings, kind, subject)) {
	case FINDING_KNOWN:
		return;
	case FINDING_FULL:
		raise_alarm(look, "findings", "more findings than this agent can keep apart: further ones aren't told");
		return;
	case FINDING_NEW:
		break;
	}
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	raise_alarm(look, kind, text);
}

/* ------------------------------------------------------------------ files */
struct walk {
	struct look *look;
	const char *base; /* of the folder: "" for the upper layer, so that paths are those of the running system */
	dev_t device;
	bool upper;
	char path[PATH_ROOM]; /* below the base */
};

/* Capabilities of a file are rights of another account, too. */
static bool has_capabilities(int folder, const char *name)
{
	char path[64];
	int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	bool has;

	if (fd < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	has = getxattr(path, "security.capability", NULL, 0) > 0;
	close(fd);
	return has;
}

static void describe_time(time_t when, char ret_text[32])
{
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL || strftime(ret_text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		ret_text[0] = '\0';
}

static void judge_upper(struct walk *walk, const struct stat *st)
{
	char was[PATH_ROOM + 64], when[32];
	struct stat below;

	if (!upper_is_finding(walk->path))
		return;
	/* Documentation/filesystems/overlayfs.rst: a whiteout */
	if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0)) {
		found(walk->look, "file", walk->path, "%s of the image was removed", walk->path);
		return;
	}
	if (S_ISDIR(st->st_mode))
		return;
	snprintf(was, sizeof(was), "%s%s", walk->look->places->lower, walk->path);
	describe_time(st->st_mtime, when);
	found(walk->look, "file", walk->path, "%s %s (owner %u, mode %04o, %" PRId64 " bytes, %s)", walk->path,
	      lstat(was, &below) == 0 ? "of the image was changed" : "isn't of the image", (unsigned)st->st_uid, st->st_mode & 07777,
	      (int64_t)st->st_size, when);
}

static void judge(struct walk *walk, int folder, const char *name, const struct stat *st)
{
	if (walk->upper)
		judge_upper(walk, st);
	if (mode_gives_rights(st->st_mode) || (S_ISREG(st->st_mode) && (st->st_mode & 0111) && has_capabilities(folder, name)))
		found(walk->look, "setuid", walk->path, "%s%s gives rights to whoever runs it (owner %u, mode %04o)", walk->base, walk->path,
		      (unsigned)st->st_uid, st->st_mode & 07777);
}

/* Takes `folder` over. Stays on its file system, follows no link. */
static void walk_folder(struct walk *walk, int folder, int depth)
{
	size_t size = strlen(walk->path);
	DIR *list = fdopendir(folder);
	const struct dirent *entry;

	if (list == NULL) {
		close(folder);
		return;
	}
	while ((entry = readdir(list)) != NULL && walk->look->entries < ENTRIES_MOST) {
		struct stat st;
		int inner;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || size + strlen(entry->d_name) + 2 > PATH_ROOM ||
		    fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != walk->device)
			continue;
		walk->look->entries++;
		snprintf(walk->path + size, PATH_ROOM - size, "/%s", entry->d_name);
		judge(walk, folder, entry->d_name, &st);
		inner = S_ISDIR(st.st_mode) && depth < DEPTH_MOST ?
			openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
		if (inner >= 0)
			walk_folder(walk, inner, depth + 1);
		walk->path[size] = '\0';
	}
	closedir(list);
}

static void walk_place(struct look *look, const char *place, const char *base, bool upper)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	struct stat st;
	int folder = walk != NULL ? open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

	if (folder >= 0 && fstat(folder, &st) == 0) {
		walk->look = look;
		walk->base = base;
		walk->device = st.st_dev;
		walk->upper = upper;
		look->entries = 0;
		walk_folder(walk, folder, 0);
		if (look->entries == ENTRIES_MOST)
			found(look, "walk", place, "%s holds more than %u files: not all of them are looked at", place, ENTRIES_MOST);
	} else if (folder >= 0) {
		close(folder);
	}
	free(walk);
}

/* Writable places where such a file would count. The root's own are in the upper layer. */
static void take_mount(void *context, const char *line)
{
	struct look *look = context;
	struct statvfs use;
	struct mount mount;
	struct stat upper, place;

	if (measure_mount(line, &mount) < 0 || !mount_counts(&mount) || strcmp(mount.type, "overlay") == 0 ||
	    strcmp(mount.place, "/") == 0 || statvfs(mount.place, &use) < 0 || (use.f_flag & (ST_RDONLY | ST_NOSUID)))
		return;
	if (stat(look->places->upper, &upper) == 0 && stat(mount.place, &place) == 0 && upper.st_dev == place.st_dev)
		return;
	walk_place(look, mount.place, mount.place, false);
}

/* ------------------------------------------------------------------ who may log in */
/* One line: the path, and what changes with the file. */
static void add_access(struct buffer *lines, const struct look *look, const char *path)
{
	char file[PATH_ROOM];
	struct stat st;

	snprintf(file, sizeof(file), "%s%s", look->places->upper, path);
	if (lstat(file, &st) == 0)
		buffer_printf(lines, "%s %" PRIu64 " %" PRId64 ".%09ld %" PRId64 " %u %o\n", path, (uint64_t)st.st_ino, (int64_t)st.st_mtim.tv_sec,
			      st.st_mtim.tv_nsec, (int64_t)st.st_size, (unsigned)st.st_uid, (unsigned)st.st_mode);
}

static void add_users_access(struct buffer *lines, const struct look *look)
{
	char path[PATH_ROOM];
	const struct dirent *entry;
	DIR *homes;

	snprintf(path, sizeof(path), "%s/home", look->places->upper);
	homes = opendir(path);
	while (homes != NULL && (entry = readdir(homes)) != NULL) {
		/* A name with a space or a newline would be two words of a line; the walk tells of such a folder's files. */
		if (entry->d_name[0] == '.' || strpbrk(entry->d_name, " \n") != NULL)
			continue;
		snprintf(path, sizeof(path), "/home/%.255s/.ssh/authorized_keys", entry->d_name);
		add_access(lines, look, path);
	}
	if (homes != NULL)
		closedir(homes);
}

static bool has_path(const struct buffer *lines, const char *path, size_t size)
{
	const char *line = lines->data != NULL ? (const char *)lines->data : "";

	for (; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n')
		if (strncmp(line, path, size) == 0 && line[size] == ' ')
			return true;
	return false;
}

/* `gone`: tells of the paths of `these` that `others` hasn't; else of the lines, as changed or new. */
static void tell_access(struct look *look, const struct buffer *these, const struct buffer *others, bool gone)
{
	const char *line = these->data != NULL ? (const char *)these->data : "";

	for (; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t path = strcspn(line, " ");
		bool known = has_path(others, line, path);
		char text[PATH_ROOM + 128];

		snprintf(text, sizeof(text), "%s%.*s", gone ? "removed " : "", (int)strcspn(line, "\n"), line);
		if (gone ? known : list_has(others, text))
			continue;
		found(look, "keys", text, "%.*s, which says who may log in, was %s after the boot", (int)path, line,
		      gone ? "removed" : known ? "changed" : "added");
	}
}

/* Stage 2 wrote it before the OS began; the first look of this boot remembers it. */
static void look_at_access(struct look *look)
{
	static const char *const files[] = { "/etc/passwd", "/etc/group", "/etc/shadow", "/root/.ssh/authorized_keys" };
	struct buffer now = { 0 }, then = { 0 };
	char file[PATH_ROOM];

	snprintf(file, sizeof(file), "%s/keys", look->places->state);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		add_access(&now, look, files[i]);
	add_users_access(&now, look);
	if (file_load(file, 1 << 20, &then) < 0) {
		file_store(file, now.data != NULL ? now.data : (const void *)"", now.size, 0600);
	} else {
		tell_access(look, &now, &then, false);
		tell_access(look, &then, &now, true);
	}
	buffer_release(&now);
	buffer_release(&then);
}

/* ------------------------------------------------------------------ sockets */
struct listeners {
	const struct port_set *declared;
	bool udp, six;
	struct net_socket found[LISTENERS_MOST];
	bool found_udp[LISTENERS_MOST];
	size_t count;
	struct look *look;
};

static void listener_subject(const struct net_socket *socket, bool udp, char ret_text[24])
{
	snprintf(ret_text, 24, "%s %u", udp ? "UDP" : "TCP", socket->local_port);
}

static void take_listener(void *context, const char *line)
{
	struct listeners *listeners = context;
	struct net_socket socket;

	if (listeners->count == LISTENERS_MOST || net_socket_parse(line, listeners->six, &socket) < 0 ||
	    !listener_is_finding(&socket, listeners->udp, listeners->declared))
		return;
	for (size_t i = 0; i < listeners->count; i++)
		if (listeners->found[i].local_port == socket.local_port && listeners->found_udp[i] == listeners->udp)
			return;
	listeners->found_udp[listeners->count] = listeners->udp;
	listeners->found[listeners->count++] = socket;
}

static bool all_known(const struct look *look, const struct listeners *listeners)
{
	bool known = true;

	for (size_t i = 0; known && i < listeners->count; i++) {
		char subject[24];

		listener_subject(&listeners->found[i], listeners->found_udp[i], subject);
		known = finding_known(&look->findings, "port", subject);
	}
	return known;
}

static void tell_listeners(struct look *look, const struct listeners *listeners)
{
	struct inode_owner owners[LISTENERS_MOST] = { 0 };

	for (size_t i = 0; i < listeners->count; i++)
		owners[i].inode = listeners->found[i].inode;
	find_owners(owners, listeners->count);
	for (size_t i = 0; i < listeners->count; i++) {
		char subject[24], address[ADDRESS_TEXT];

		listener_subject(&listeners->found[i], listeners->found_udp[i], subject);
		address_text(listeners->found[i].local, address);
		if (owners[i].process != 0)
			found(look, "port", subject, "%s port %u at %s is open, and no application declares it: %s (process %d)",
			      listeners->found_udp[i] ? "UDP" : "TCP", listeners->found[i].local_port, address, owners[i].name,
			      (int)owners[i].process);
		else
			found(look, "port", subject, "%s port %u at %s is open, and no application declares it",
			      listeners->found_udp[i] ? "UDP" : "TCP", listeners->found[i].local_port, address);
	}
}

static void look_at_ports(struct look *look)
{
	static const struct { const char *path; bool udp, six; } files[] = { { "/proc/net/tcp", false, false },
									     { "/proc/net/tcp6", false, true },
									     { "/proc/net/udp", true, false },
									     { "/proc/net/udp6", true, true } };
	struct listeners listeners = { .look = look };
	struct port_set declared;

	load_ports(look->places, &declared);
	if (look->own_port != 0 && declared.count < PORTS_MOST)
		declared.ports[declared.count++] = look->own_port;
	listeners.declared = &declared;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		listeners.udp = files[i].udp;
		listeners.six = files[i].six;
		each_line(files[i].path, take_listener, &listeners);
	}
	/* Looking for their owners reads every process's descriptors. */
	if (listeners.count > 0 && !all_known(look, &listeners))
		tell_listeners(look, &listeners);
}

/* ------------------------------------------------------------------ modules */
static void add_module(void *context, const char *line)
{
	struct buffer *list = context;
	char name[64];

	if (module_parse(line, name) == 0)
		buffer_printf(list, "%s\n", name);
}

static void judge_module(void *context, const char *line)
{
	struct look *look = context;
	char name[64];

	if (module_parse(line, name) == 0 && !list_has(&look->modules, name))
		found(look, "module", name, "the kernel module %s was loaded after the boot", name);
}

/* What was loaded when the grace was over is the machine's. It is stored, so that an agent that is started again knows it. */
static void look_at_modules(struct look *look)
{
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "%s/modules", look->places->state);
	if (look->modules.size == 0 && file_load(path, 1 << 20, &look->modules) < 0) {
		if (steady_ms() - look->started < MODULES_GRACE_SECONDS * 1000 || each_line("/proc/modules", add_module, &look->modules) < 0)
			return;
		/* A kernel without a module, too, is one to compare with. */
		if (look->modules.size == 0)
			buffer_printf(&look->modules, "\n");
		file_store(path, look->modules.data, look->modules.size, 0600);
	}
	each_line("/proc/modules", judge_module, look);
}

/* ------------------------------------------------------------------ log-ins, images */
static void take_log_line(void *context, const char *line)
{
	struct look *look = context;
	struct login_event event;
	char text[LOGIN_TEXT];

	login_parse(line, &event);
	if (event.kind != LOGIN_NONE && login_note(&look->logins, &event, steady_ms() / 1000, text))
		raise_alarm(look, "login", text);
}

void look_logs(struct look *look)
{
	logs_read(&look->logs, look->again, take_log_line, look);
}

static void judge_slot(struct look *look, const char *name, const struct slot_state *slot)
{
	if (slot->verity == 'C')
		found(look, "verity", name, "dm-verity found changed blocks on %s:, which holds image %.16s", name, slot->root_hash);
}

/* ------------------------------------------------------------------ */
void look_open(struct look *look, const struct places *places, struct channel *channel, bool again)
{
	memset(look, 0, sizeof(*look));
	look->places = places;
	look->channel = channel;
	look->again = again;
	look->started = steady_ms();
	logs_open(&look->logs, places->journal, again);
}

void look_close(struct look *look)
{
	logs_close(&look->logs);
	buffer_release(&look->modules);
}

/* Each of its states once: what waits may come, and be lost again. */
static void look_at_user_data(struct look *look, const struct measures *m)
{
	if (strcmp(m->h_state, "failed") == 0 || strcmp(m->h_state, "read-only") == 0 || strcmp(m->h_state, "waiting") == 0)
		found(look, "h", m->h_state, "H: is %s: %s", m->h_state, m->h_text);
}

void look_now(struct look *look, const struct measures *measures)
{
	int64_t now = steady_ms();

	look_logs(look);
	judge_slot(look, "C", &measures->c);
	judge_slot(look, "D", &measures->d);
	if (look->looked == 0 || now - look->looked >= LOOK_SECONDS * 1000) {
		look->looked = now;
		look_at_ports(look);
		look_at_modules(look);
		look_at_access(look);
		look_at_user_data(look, measures);
	}
	if (look->walked == 0 || now - look->walked >= WALK_SECONDS * 1000) {
		look->walked = now;
		walk_place(look, look->places->upper, "", true);
		each_line("/proc/mounts", take_mount, look);
	}
}
