/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/gather.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"

#define TEXT_MOST 65536u
#define GATE_SOCKETS_MOST 4u

int each_line(const char *path, void (*take)(void *context, const char *line), void *context)
{
	FILE *file = fopen(path, "re");
	char line[1024], buffer[8192];

	if (file == NULL)
		return -errno;
	/* musl's own of 1 KiB makes a busy server's list of sockets a thousand system calls. */
	setvbuf(file, buffer, _IOFBF, sizeof(buffer));
	while (fgets(line, sizeof(line), file) != NULL)
		take(context, line);
	fclose(file);
	return 0;
}

/* The file's text, or "". The caller releases it. */
static const char *load(const char *path, struct buffer *ret_text)
{
	return file_load(path, TEXT_MOST, ret_text) == 0 && ret_text->data != NULL ? (const char *)ret_text->data : "";
}

/* ------------------------------------------------------------------ processes */
static int add_process(int proc, const char *name, struct process *ret_process)
{
	struct buffer text = { 0 };
	char path[32];
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "%.16s/stat", name);
	r = file_load_at(proc, path, 4096, &text);
	if (r == 0 && text.data != NULL)
		r = process_parse((const char *)text.data, ret_process);
	buffer_release(&text);
	if (r < 0)
		return r;
	if (fstatat(proc, name, &st, 0) < 0)
		return -errno;
	ret_process->user = st.st_uid;
	return 0;
}

int processes_load(struct process **ret_processes, size_t *ret_count)
{
	DIR *proc = opendir("/proc");
	struct process *list = NULL;
	const struct dirent *entry;
	size_t count = 0, room = 0;

	if (proc == NULL)
		return -errno;
	while (count < PROCESSES_MOST && (entry = readdir(proc)) != NULL) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		if (count == room) {
			struct process *more = realloc(list, (room + 256) * sizeof(*list));

			if (more == NULL)
				break;
			list = more;
			room += 256;
		}
		/* One that ended meanwhile is no loss. */
		if (add_process(dirfd(proc), entry->d_name, &list[count]) == 0)
			count++;
	}
	closedir(proc);
	*ret_processes = list;
	*ret_count = count;
	return 0;
}

/* Calls `take` for each socket that a process has open, until that says 0. */
static void each_socket(pid_t pid, int (*take)(void *context, uint64_t inode), void *context)
{
	const struct dirent *entry;
	char path[32], target[64];
	DIR *folder;
	int go_on = 1;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	while (go_on && folder != NULL && (entry = readdir(folder)) != NULL) {
		ssize_t n = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);
		uint64_t inode;

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (sscanf(target, "socket:[%19" SCNu64 "]", &inode) == 1)
			go_on = take(context, inode);
	}
	if (folder != NULL)
		closedir(folder);
}

struct owner_search {
	struct inode_owner *owners;
	size_t count;
	const struct process *process;
};

static int match_owner(void *context, uint64_t inode)
{
	struct owner_search *search = context;

	for (size_t i = 0; i < search->count; i++)
		if (search->owners[i].inode == inode && search->owners[i].process == 0) {
			search->owners[i].process = search->process->pid;
			memcpy(search->owners[i].name, search->process->name, sizeof(search->process->name));
		}
	return 1;
}

void find_owners(struct inode_owner *owners, size_t count)
{
	struct process *processes = NULL;
	size_t process_count = 0;

	if (processes_load(&processes, &process_count) < 0)
		return;
	for (size_t i = 0; i < process_count; i++) {
		struct owner_search search = { owners, count, &processes[i] };

		each_socket(processes[i].pid, match_owner, &search);
	}
	free(processes);
}

/* ------------------------------------------------------------------ users, and who is connected */
/* The sockets of one ssh connection's process. */
struct gate_sockets {
	uint64_t inodes[GATE_SOCKETS_MOST];
	size_t count;
};

struct connections {
	struct gatherer *gatherer;
	struct measures *measures;
	struct port_set ports;
	struct gate_sockets gates[USERS_MOST];
	bool six;
};

static int add_gate_socket(void *context, uint64_t inode)
{
	struct gate_sockets *sockets = context;

	sockets->inodes[sockets->count++] = inode;
	return sockets->count < GATE_SOCKETS_MOST;
}

static void take_socket(void *context, const char *line)
{
	struct connections *c = context;
	struct net_socket socket;

	if (net_socket_parse(line, c->six, &socket) < 0 || socket.state != SOCKET_ESTABLISHED)
		return;
	peers_add(&c->gatherer->peers, &socket, &c->ports);
	for (size_t i = 0; i < c->measures->user_count && i < USERS_MOST; i++)
		for (size_t j = 0; j < c->gates[i].count; j++)
			if (c->gates[i].inodes[j] == socket.inode && c->measures->users[i].from[0] == '\0')
				address_text(socket.remote, c->measures->users[i].from);
}

void session_user(const struct session *session, struct logged_in *ret_user)
{
	const struct passwd *entry = getpwuid(session->user);

	*ret_user = (struct logged_in){ .process = session->leader };
	if (entry != NULL)
		snprintf(ret_user->name, sizeof(ret_user->name), "%s", entry->pw_name);
	else
		snprintf(ret_user->name, sizeof(ret_user->name), "%u", (unsigned)session->user);
	if (session->terminal != 0)
		terminal_text(session->terminal, ret_user->terminal);
}

static void gather_users(struct connections *c)
{
	struct session sessions[USERS_MOST];
	struct process *processes = NULL;
	size_t count = 0;

	if (processes_load(&processes, &count) < 0)
		return;
	c->measures->user_count = sessions_find(processes, count, sessions, USERS_MOST);
	for (size_t i = 0; i < c->measures->user_count && i < USERS_MOST; i++) {
		session_user(&sessions[i], &c->measures->users[i]);
		if (sessions[i].gate != 0)
			each_socket(sessions[i].gate, add_gate_socket, &c->gates[i]);
	}
	free(processes);
}

void load_ports(const struct places *places, struct port_set *ret_ports)
{
	struct buffer text = { 0 };

	*ret_ports = (struct port_set){ 0 };
	if (file_load(places->app, TEXT_MOST, &text) == 0)
		ports_parse(text.data, text.size, ret_ports);
	buffer_release(&text);
}

static void gather_connections(struct gatherer *gatherer, const struct places *places, struct measures *measures)
{
	struct connections c = { .gatherer = gatherer, .measures = measures };

	load_ports(places, &c.ports);
	gather_users(&c);
	memset(&gatherer->peers, 0, sizeof(gatherer->peers));
	each_line("/proc/net/tcp", take_socket, &c);
	c.six = true;
	each_line("/proc/net/tcp6", take_socket, &c);
	measures->has_application = access(places->app, F_OK) == 0;
	measures->connections = gatherer->peers.connections;
	measures->peers = gatherer->peers.peers;
}

/* ------------------------------------------------------------------ the rest */
static void take_mount(void *context, const char *line)
{
	struct measures *m = context;
	struct disk_use *disk = &m->disks[m->disk_count];
	struct statvfs use;

	if (m->disk_count == DISKS_MOST || measure_mount(line, &disk->mount) < 0 || !mount_counts(&disk->mount) ||
	    statvfs(disk->mount.place, &use) < 0 || use.f_blocks == 0)
		return;
	disk->size = (uint64_t)use.f_blocks * use.f_frsize;
	disk->used = (uint64_t)(use.f_blocks - use.f_bfree) * use.f_frsize;
	m->disk_count++;
}

static void take_interface(void *context, const char *line)
{
	struct measures *m = context;

	if (m->interface_count < INTERFACES_MOST && measure_interface(line, &m->interfaces[m->interface_count]) == 0)
		m->interface_count++;
}

static void gather_pressure(struct measures *m)
{
	static const char *const files[] = { "/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io" };

	for (int i = 0; i < 3; i++) {
		struct buffer text = { 0 };

		m->has_pressure[i] = measure_pressure(load(files[i], &text), &m->pressure[i]) == 0;
		buffer_release(&text);
	}
}

static void gather_processor(struct gatherer *gatherer, struct measures *m)
{
	struct buffer text = { 0 };
	struct cpu_times now;

	measure_uptime(load("/proc/uptime", &text), &m->uptime);
	buffer_release(&text);
	measure_load(load("/proc/loadavg", &text), m->load);
	buffer_release(&text);
	measure_memory(load("/proc/meminfo", &text), &m->memory);
	buffer_release(&text);
	/* Its first lines are what counts; the one of the interrupts may be longer than anything else here. */
	if (file_load("/proc/stat", 1 << 20, &text) == 0 && text.data != NULL && measure_cpu((const char *)text.data, &now) == 0) {
		m->busy = cpu_share(&gatherer->before, &now);
		m->cpus = now.count;
		gatherer->before = now;
	}
	buffer_release(&text);
}

static void gather_slots(struct verity *verity, struct measures *m)
{
	struct buffer text = { 0 };
	const char *cmdline = load("/proc/cmdline", &text);

	if (cmdline_root_hash(cmdline, "repave.c", m->c.root_hash) == 0)
		m->c.verity = verity_ask(verity, 'c');
	if (cmdline_root_hash(cmdline, "repave.d", m->d.root_hash) == 0)
		m->d.verity = verity_ask(verity, 'd');
	buffer_release(&text);
}

/* ASCII: a status that is no JSON for a byte of it would be none. */
static void copy_plain(const char *from, char *to, size_t room)
{
	size_t i;

	for (i = 0; from != NULL && i + 1 < room && from[i] != '\0'; i++)
		to[i] = from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?';
	to[i] = '\0';
}

static void gather_user_data(const char *path, struct measures *m)
{
	struct buffer text = { 0 };
	char error[160];
	json_t *json = file_load(path, 4096, &text) == 0 ? json_parse(text.data, text.size, error) : NULL;

	copy_plain(json_get_string(json, "state"), m->h_state, sizeof(m->h_state));
	copy_plain(json_get_string(json, "text"), m->h_text, sizeof(m->h_text));
	json_decref(json);
	buffer_release(&text);
}

void gather(struct gatherer *gatherer, const struct places *places, struct measures *ret_measures)
{
	struct health health = ret_measures->health;

	memset(ret_measures, 0, sizeof(*ret_measures));
	ret_measures->health = health;
	gather_processor(gatherer, ret_measures);
	gather_pressure(ret_measures);
	each_line("/proc/mounts", take_mount, ret_measures);
	each_line("/proc/net/dev", take_interface, ret_measures);
	gather_connections(gatherer, places, ret_measures);
	gather_slots(&gatherer->verity, ret_measures);
	gather_user_data(places->user_data, ret_measures);
	ret_measures->draining = access(places->drain, F_OK) == 0;
}
