/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/actions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/gather.h"
#include "agent/session.h"
#include "agent/tls.h"
#include "common/file.h"

#define TERMINALS "/dev/pts"
#define LEAVE_TENTHS 30 /* from SIGHUP to SIGKILL */
#define STOP_TENTHS 200
#define STATUS_NOT_RUN 126

void action_evidence_path(const struct places *places, char ret_path[512])
{
	snprintf(ret_path, 512, "%s/evidence.tar", places->state);
}

/* ------------------------------------------------------------------ programs */
/* A program that somebody else can write isn't one of the image. 0 or -errno. */
static int check_program(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & 022) && (st.st_mode & 0100) ? 0 : -EACCES;
}

static void __attribute__((noreturn)) execute(const char *path, char *const arguments[])
{
	static char path_variable[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", language[] = "LANG=C.UTF-8";
	static char *const environment[] = { path_variable, language, NULL };

	/* What the agent ignores, a program of others must not. */
	signal(SIGPIPE, SIG_DFL);
	execve(path, arguments, environment);
	dprintf(STDOUT_FILENO, "%s can't be executed: %s\n", path, strerror(errno));
	_exit(STATUS_NOT_RUN);
}

/* An OS or an application may have something to do then; without the file there is nothing. `text`: its argument, or NULL. */
static void __attribute__((noreturn)) run_hook(const struct places *places, const char *name, const char *text)
{
	char path[512], *arguments[3] = { path };
	int r;

	snprintf(path, sizeof(path), "%s/%s", places->hooks, name);
	arguments[1] = text != NULL ? strdup(text) : NULL;
	r = check_program(path);
	if (r == -ENOENT)
		_exit(0);
	if (r < 0) {
		printf("the hook %s isn't a program that only root can write\n", path);
		fflush(stdout);
		_exit(1);
	}
	execute(path, arguments);
}

/* ------------------------------------------------------------------ what the process of an order does */
static void __attribute__((noreturn)) drain(const struct places *places, bool on)
{
	int fd = on ? open(places->drain, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644) : -1;

	if (on ? fd < 0 : unlink(places->drain) < 0 && errno != ENOENT) {
		dprintf(STDOUT_FILENO, "%s: %s\n", places->drain, strerror(errno));
		_exit(1);
	}
	run_hook(places, on ? "drain" : "undrain", NULL);
}

/* A terminal that takes nothing, because somebody stopped it, is left out: O_NONBLOCK. */
static unsigned write_terminals(const char *text)
{
	DIR *folder = opendir(TERMINALS);
	const struct dirent *entry;
	char line[ORDER_TEXT_MOST + 64];
	unsigned reached = 0;
	int size = snprintf(line, sizeof(line), "\r\n\a*** This server's operator: %s\r\n", text);

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		int fd;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		fd = openat(dirfd(folder), entry->d_name, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && write(fd, line, (size_t)size) == size)
			reached++;
		if (fd >= 0)
			close(fd);
	}
	if (folder != NULL)
		closedir(folder);
	return reached;
}

static void __attribute__((noreturn)) notice(const struct places *places, const struct order *order)
{
	char text[ORDER_TEXT_MOST + 1];
	size_t size = strlen(order->text);
	unsigned shown;

	/* No control characters on anybody's terminal; UTF-8 may pass. */
	for (size_t i = 0; i <= size; i++) {
		unsigned char c = (unsigned char)order->text[i];

		text[i] = (char)(c != '\0' && (c < 0x20 || c == 0x7f) ? ' ' : c);
	}
	shown = write_terminals(text);
	printf("shown on %u terminal%s\n", shown, shown == 1 ? "" : "s");
	fflush(stdout);
	run_hook(places, "notice", text);
}

struct logout {
	struct process *processes;
	size_t process_count;
	struct session sessions[64];
	size_t session_count;
};

static bool belongs(const struct logout *logout, const struct process *process)
{
	for (size_t i = 0; i < logout->session_count; i++) {
		const struct session *session = &logout->sessions[i];
		pid_t root = session->gate != 0 ? session->gate : session->leader;

		if (process_descends(logout->processes, logout->process_count, process->pid, root) ||
		    (session->terminal != 0 && process->session == session->leader) ||
		    (session->user != 0 && process->user == session->user))
			return true;
	}
	return false;
}

/* Fills in the sessions of `user`, "" for everybody's. Returns how many there are. */
static size_t find_sessions(struct logout *logout, const char *user)
{
	struct session all[64];
	size_t count;

	free(logout->processes);
	*logout = (struct logout){ 0 };
	if (processes_load(&logout->processes, &logout->process_count) < 0)
		return 0;
	count = sessions_find(logout->processes, logout->process_count, all, 64);
	for (size_t i = 0; i < count && i < 64; i++) {
		struct logged_in one;

		session_user(&all[i], &one);
		if (user[0] == '\0' || strcmp(one.name, user) == 0)
			logout->sessions[logout->session_count++] = all[i];
	}
	return logout->session_count;
}

static size_t signal_sessions(const struct logout *logout, int number)
{
	size_t signalled = 0;

	for (size_t i = 0; i < logout->process_count; i++) {
		const struct process *process = &logout->processes[i];

		if (process->pid == getpid() || process->pid == getppid() || process->pid == 1 || !belongs(logout, process))
			continue;
		signalled += kill(process->pid, number) == 0;
		if (number == SIGHUP)
			kill(process->pid, SIGCONT);
	}
	return signalled;
}

static void __attribute__((noreturn)) log_out(const char *user)
{
	struct logout logout = { 0 };
	size_t sessions = find_sessions(&logout, user), left = sessions;

	signal_sessions(&logout, SIGHUP);
	for (int tenth = 0; left > 0 && tenth < LEAVE_TENTHS; tenth++) {
		usleep(100 * 1000);
		left = find_sessions(&logout, user);
	}
	if (left > 0) {
		signal_sessions(&logout, SIGKILL);
		usleep(200 * 1000);
		left = find_sessions(&logout, user);
	}
	printf("%zu sessions ended", sessions - (left < sessions ? left : sessions));
	printf(left > 0 ? ", %zu are still there\n" : "\n", left);
	fflush(stdout);
	_exit(left > 0);
}

static void __attribute__((noreturn)) run_named(const char *path, const struct order *order)
{
	char *arguments[ORDER_ARGUMENTS_MOST + 2] = { strdup(path) };

	for (size_t i = 0; i < order->argument_count; i++)
		if (asprintf(&arguments[i + 1], "--%s=%s", order->arguments[i].name, order->arguments[i].value) < 0)
			_exit(STATUS_NOT_RUN);
	execute(path, arguments);
}

/* Into a file, not a pipe: it is sent in pieces, and as much as there is when its time is over. */
static void __attribute__((noreturn)) gather_evidence(const struct places *places, const struct order *order, const char *program)
{
	struct rlimit most = { order->bytes, order->bytes };
	char path[512], bytes[16], *arguments[] = { strdup(program), bytes, NULL };
	int fd;

	snprintf(bytes, sizeof(bytes), "%u", order->bytes);
	action_evidence_path(places, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || setrlimit(RLIMIT_FSIZE, &most) < 0) {
		dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
		_exit(1);
	}
	signal(SIGXFSZ, SIG_IGN);
	execute(program, arguments);
}

/* Whoever has this system may have changed the program, too; nothing here can help that. */
static void __attribute__((noreturn)) reset(const struct places *places)
{
	char path[512], force[] = "-ff", *arguments[] = { path, force, NULL };

	snprintf(path, sizeof(path), "%s/reboot", places->commands);
	execute(path, arguments);
}

static void __attribute__((noreturn)) carry_out(const struct places *places, const struct order *order, const char *program)
{
	setsid();
	switch (order->action) {
	case ACTION_DRAIN:
	case ACTION_UNDRAIN:
		drain(places, order->action == ACTION_DRAIN);
	case ACTION_NOTICE:
		notice(places, order);
	case ACTION_LOGOUT:
		log_out(order->text);
	case ACTION_RUN:
		run_named(program, order);
	case ACTION_LOG:
		execute(program, (char *const[]){ strdup(program), strdup(order->name), NULL });
	case ACTION_RESET:
		reset(places);
	case ACTION_EVIDENCE:
		gather_evidence(places, order, program);
	case ACTION_INVALID:
	case ACTION_REBOOT:
	case ACTION_SHUTDOWN:
		break;
	}
	_exit(STATUS_NOT_RUN);
}

/* ------------------------------------------------------------------ the agent's side */
static bool arguments_declared(const char *program, const struct order *order)
{
	struct buffer declaration = { 0 };
	char path[600];
	bool declared = true;

	if (order->argument_count == 0)
		return true;
	snprintf(path, sizeof(path), "%s.arguments", program);
	if (file_load(path, 4096, &declaration) < 0 || declaration.data == NULL)
		return false;
	for (size_t i = 0; declared && i < order->argument_count; i++)
		declared = argument_allowed((char *)declaration.data, order->arguments[i].name, order->arguments[i].value);
	buffer_release(&declaration);
	return declared;
}

static bool __attribute__((format(printf, 2, 3))) refuse(char *ret_text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_text, RESULT_TEXT_MOST + 1, format, arguments);
	va_end(arguments);
	return false;
}

static bool program_ok(const char *program, const struct order *order, char *ret_text)
{
	int r = check_program(program);

	if (r == -ENOENT)
		return refuse(ret_text, "this OS image has no action %s", order->name);
	if (r < 0)
		return refuse(ret_text, "%s isn't a program that only root can write", program);
	if (!arguments_declared(program, order))
		return refuse(ret_text, "the arguments aren't those that %s.arguments declares", program);
	return true;
}

static int start_process(struct action_job *job, const struct places *places, const struct order *order, const char *program)
{
	int ends[2], null;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	*job = (struct action_job){ .order = order->number, .output = ends[0], .deadline = steady_ms() + ACTION_SECONDS * 1000,
				    .is_evidence = order->action == ACTION_EVIDENCE };
	/* Half of its time is for sending it. */
	if (job->is_evidence)
		job->deadline = steady_ms() + order->seconds * 500;
	job->process = fork();
	if (job->process == 0) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, STDIN_FILENO);
		/* A program that writes much waits until the agent reads it, rather than losing what it says. */
		fcntl(ends[1], F_SETFL, 0);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		carry_out(places, order, program);
	}
	close(ends[1]);
	if (job->process < 0) {
		close(ends[0]);
		*job = (struct action_job){ 0 };
		return -errno;
	}
	return 0;
}

enum order_result action_start(struct action_job *job, const struct places *places, const struct order *order, bool *ret_started,
			       char ret_text[RESULT_TEXT_MOST + 1])
{
	char program[512] = "";
	int r;

	*ret_started = false;
	if (order->action == ACTION_LOG || order->action == ACTION_EVIDENCE) {
		snprintf(program, sizeof(program), "%s/%s", places->hooks, order->action == ACTION_LOG ? "log" : "evidence");
		if (check_program(program) < 0) {
			refuse(ret_text, "this OS image has no %s that only root can write", program);
			return RESULT_REFUSED;
		}
	}
	if (order->action == ACTION_RUN) {
		snprintf(program, sizeof(program), "%s/%s", places->actions, order->name);
		if (!program_ok(program, order, ret_text))
			return RESULT_REFUSED;
	}
	r = start_process(job, places, order, program);
	*ret_started = r == 0;
	if (r == 0 && order->action == ACTION_LOG) {
		job->log = (struct tail){ .data = malloc(LOG_BYTES_MOST), .most = LOG_BYTES_MOST };
		snprintf(job->log_kind, sizeof(job->log_kind), "%.7s", order->name);
	}
	if (r < 0)
		refuse(ret_text, "can't start a process: %s", strerror(-r));
	return r < 0 ? RESULT_FAILED : RESULT_DONE;
}

/* Keeps the last line that has something in it. */
static void take_output(struct action_job *job, const char *data, size_t size)
{
	if (job->log.data != NULL)
		tail_add(&job->log, data, size);
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n' || data[i] == '\r') {
			job->line_ended = true;
			continue;
		}
		if (job->line_ended)
			job->size = 0;
		job->line_ended = false;
		if (job->size < RESULT_TEXT_MOST)
			job->text[job->size++] = data[i];
	}
	job->text[job->size] = '\0';
}

static void read_output(struct action_job *job)
{
	char piece[1024];
	ssize_t n;

	/* A bounded bite: a program that writes without end must not hold the agent. */
	for (int i = 0; i < 64 && (n = read(job->output, piece, sizeof(piece))) > 0; i++)
		take_output(job, piece, (size_t)n);
}

bool action_ended(struct action_job *job, enum order_result *ret_result)
{
	bool late = steady_ms() > job->deadline;
	int status;
	pid_t pid;

	read_output(job);
	if (late)
		kill(-job->process, SIGKILL), kill(job->process, SIGKILL);
	while ((pid = waitpid(job->process, &status, late ? 0 : WNOHANG)) < 0 && errno == EINTR)
		;
	if (pid == 0)
		return false;
	read_output(job);
	close(job->output);
	*ret_result = pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? RESULT_DONE : RESULT_FAILED;
	if (late)
		snprintf(job->text, sizeof(job->text), "it was ended when its time was over");
	else if (*ret_result == RESULT_FAILED && job->size == 0)
		snprintf(job->text, sizeof(job->text), "it ended with %s %d", pid > 0 && WIFSIGNALED(status) ? "signal" : "status",
			 pid > 0 && WIFSIGNALED(status) ? WTERMSIG(status) : pid > 0 ? WEXITSTATUS(status) : -1);
	job->process = 0;
	return true;
}

int action_stop(const struct places *places, enum order_action action, char ret_text[RESULT_TEXT_MOST + 1])
{
	char path[512], *arguments[] = { path, NULL };
	pid_t process, ended = 0;
	int status = -1;

	snprintf(path, sizeof(path), "%s/%s", places->commands, action == ACTION_REBOOT ? "reboot" : "poweroff");
	process = fork();
	if (process == 0) {
		setsid();
		execute(path, arguments);
	}
	for (int tenth = 0; process > 0 && ended == 0 && tenth < STOP_TENTHS; tenth++) {
		usleep(100 * 1000);
		ended = waitpid(process, &status, WNOHANG);
	}
	/* One that doesn't come back is at work. */
	if (process > 0 && (ended == 0 || (ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)))
		return 0;
	refuse(ret_text, "%s failed (status %d): this server goes on", path, ended > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return -EIO;
}
