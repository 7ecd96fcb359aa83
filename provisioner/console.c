/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/console.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/kd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/tail.h"

#define LINE 640
#define CONSOLES_MOST 8u
/* VGA text has 80 columns. A longer line would wrap, and a carriage return goes back over its last row only. */
#define SCREEN 79u

double uptime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ------------------------------------------------------------------ where to */
/* /dev/console is the last of the kernel's consoles only: a machine with a screen and a serial line has somebody at either. */
static struct sink {
	int fd;
	bool live; /* a screen: a line can be written over */
	bool open_line;
} sinks[CONSOLES_MOST];
static unsigned sink_count;
/* Installations show their progress from threads of their own. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A carriage return is for a screen or a terminal window; the log of a serial line would become one endless line. */
static bool is_live(int fd)
{
	struct stat st;
	char type;

	if (!isatty(fd))
		return false;
	if (ioctl(fd, KDGKBTYPE, &type) == 0)
		return true;
	return fstat(fd, &st) == 0 && major(st.st_rdev) >= 136 && major(st.st_rdev) <= 143; /* pseudo-terminal */
}

static void add_sink(int fd)
{
	sinks[sink_count++] = (struct sink){ .fd = fd, .live = is_live(fd) };
}

void console_open_all(void)
{
	char *active = read_line_of("/sys/class/tty/console/active"), *rest = active, *name;

	/* The last name is what standard output is already. */
	while (rest != NULL && (name = strsep(&rest, " ")) != NULL && rest != NULL && sink_count < CONSOLES_MOST) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/dev/%.40s", name);
		/* A line that nobody reads must not stop the boot. */
		fd = strchr(name, '/') == NULL ? open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;
		if (fd >= 0)
			add_sink(fd);
	}
	free(active);
}

enum which { ALL, SCREENS, LOGS };

static void write_to(struct sink *sink, const char *before, const char *text, const char *after)
{
	char line[LINE + 16];
	/* What comes after an open line of progress begins a new one. */
	int n = snprintf(line, sizeof(line), "%s%s%s%s", sink->open_line && before[0] == '\0' ? "\n" : "", before, text, after);

	sink->open_line = after[0] == '\0';
	/* A console that is gone must not stop the boot. */
	if (n > 0 && write(sink->fd, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1) < 0)
		return;
}

static void add_standard_output(void)
{
	if (sink_count > 0 && sinks[sink_count - 1].fd == STDOUT_FILENO)
		return;
	if (sink_count == CONSOLES_MOST)
		sink_count--;
	add_sink(STDOUT_FILENO);
}

static char said_bytes[48u << 10];
static struct tail said = { .data = said_bytes, .most = sizeof(said_bytes) };

const char *console_said(size_t *ret_size)
{
	return tail_text(&said, ret_size);
}

/* One write per line, so that kernel messages don't fall into the middle. */
static void put(char *text, size_t length, const char *before, const char *after, enum which which)
{
	/* Sentences of the control unit and the repository come through here. */
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = ' ';
	pthread_mutex_lock(&lock);
	if (which != SCREENS) {
		tail_add(&said, text, length);
		tail_add(&said, "\n", 1);
	}
	add_standard_output();
	for (unsigned i = 0; i < sink_count; i++)
		if (which == ALL || sinks[i].live == (which == SCREENS))
			write_to(&sinks[i], before, text, after);
	pthread_mutex_unlock(&lock);
}

static size_t prefix(const struct stages *stages, char text[LINE])
{
	return (size_t)snprintf(text, LINE, "[%6.1f s] %-9s ", uptime(),
				stages != NULL && stages->current != NULL ? stages->current : "provision");
}

void console_line(const struct stages *stages, const char *format, ...)
{
	char text[LINE];
	size_t used = prefix(stages, text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + used, LINE - used, format, arguments);
	va_end(arguments);
	put(text, strlen(text), "", "\n", ALL);
}

/* ------------------------------------------------------------------ stages */
void stages_add(struct stages *stages, const char *name, double seconds)
{
	struct stage *stage = &stages->done[stages->count];

	if (stages->count == STAGES_MOST)
		return;
	snprintf(stage->name, sizeof(stage->name), "%s", name);
	stage->seconds = seconds > 0 ? seconds : 0;
	stages->count++;
}

void stages_end(struct stages *stages)
{
	if (stages->current != NULL)
		stages_add(stages, stages->current, uptime() - stages->since);
	stages->current = NULL;
}

void stages_begin(struct stages *stages, const char *name)
{
	stages_end(stages);
	stages->current = name;
	stages->since = uptime();
}

static json_t *stage_json(const char *name, double seconds)
{
	/* Milliseconds are plenty, and read better than 17 digits. */
	return json_pack("{s:s,s:f}", "name", name, "seconds", (double)(int64_t)(seconds * 1000 + 0.5) / 1000);
}

json_t *stages_json(const struct stages *stages)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < stages->count; i++)
		json_array_append_new(list, stage_json(stages->done[i].name, stages->done[i].seconds));
	if (stages->current != NULL)
		json_array_append_new(list, stage_json(stages->current, uptime() - stages->since));
	return list;
}

/* ------------------------------------------------------------------ progress */
void progress_init(struct progress *ret_progress, const struct stages *stages, const char *label)
{
	*ret_progress = (struct progress){ .stages = stages, .label = label };
}

uint64_t speed_look(struct speed *speed, uint64_t done, double now)
{
	double rate;

	if (speed->when == 0 || done < speed->done || now <= speed->when) {
		*speed = (struct speed){ .when = now, .done = done };
		return 0;
	}
	rate = (double)(done - speed->done) / (now - speed->when);
	speed->rate = speed->rate > 0 ? (speed->rate + rate) / 2 : rate;
	speed->when = now;
	speed->done = done;
	return (uint64_t)speed->rate;
}

void progress_format(uint64_t done, uint64_t total, double seconds, char ret_text[PROGRESS_TEXT])
{
	double rate = seconds > 0.05 ? (double)done / seconds : 0;
	char have[16], all[16], speed[16];
	size_t used;

	used = (size_t)snprintf(ret_text, PROGRESS_TEXT, "%3u%%  %s/%s", (unsigned)(total > 0 ? done * 100 / total : 100),
				format_size(done, have), format_size(total, all));
	if (rate >= 1)
		used += (size_t)snprintf(ret_text + used, PROGRESS_TEXT - used, "  %s/s", format_size((uint64_t)rate, speed));
	if (rate >= 1 && done < total) {
		uint64_t left = (uint64_t)((double)(total - done) / rate + 0.5);

		if (left == 0)
			return; /* as good as done */
		if (left < 100)
			snprintf(ret_text + used, PROGRESS_TEXT - used, "  %" PRIu64 " s left", left);
		else
			snprintf(ret_text + used, PROGRESS_TEXT - used, "  %" PRIu64 " min left", (left + 30) / 60);
	}
}

void progress_line(const char *what, const char *label, const char *figures, char ret_text[PROGRESS_TEXT])
{
	char head[PROGRESS_TEXT];
	size_t used = strlen(figures) + 2;
	int most = used < SCREEN ? (int)(SCREEN - used) : 0;

	snprintf(head, sizeof(head), "%s %s", what, label);
	snprintf(ret_text, PROGRESS_TEXT, "%-*.*s  %s", most, most, head, figures);
}

static void progress_print(struct progress *progress, uint64_t done, uint64_t total, enum which which)
{
	char text[LINE], figures[PROGRESS_TEXT];

	progress_format(done, total, uptime() - progress->since, figures);
	if (which == SCREENS) {
		progress_line(progress->what, progress->label, figures, text);
		put(text, strlen(text), "\r\033[K", "", which);
	} else {
		size_t used = prefix(progress->stages, text);

		snprintf(text + used, LINE - used, "%s  %-10s %s", progress->label, progress->what, figures);
		put(text, strlen(text), "", "\n", which);
	}
}

void progress_show(struct progress *progress, const char *what, uint64_t done, uint64_t total)
{
	unsigned tenth = total > 0 ? (unsigned)(done * 10 / total) : 0;
	double now = uptime();

	if (progress->what != what) {
		progress_end(progress);
		progress->what = what;
		progress->since = progress->shown = progress->logged = now;
		progress->tenth = 0;
	}
	if (total == 0)
		return;
	if (done == total || now - progress->shown > 0.2) {
		progress->shown = now;
		progress_print(progress, done, total, SCREENS);
	}
	/* In a log, short work isn't worth a line: the result comes right after it. A long tenth gets lines of its own: silence
	 * looks like a hang. */
	if ((tenth > progress->tenth && now - progress->logged > 1) || now - progress->logged > 10) {
		progress->tenth = tenth;
		progress->logged = now;
		progress_print(progress, done, total, LOGS);
	}
}

void progress_end(struct progress *progress)
{
	(void)progress;
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < sink_count; i++) {
		if (sinks[i].open_line && write(sinks[i].fd, "\n", 1) < 0)
			continue;
		sinks[i].open_line = false;
	}
	pthread_mutex_unlock(&lock);
}
