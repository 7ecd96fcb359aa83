/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/console.h"

#include <linux/kd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"

#define LINE 640

double uptime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One write per line, so that kernel messages don't fall into the middle. */
static void put(char *text, size_t length, const char *before, const char *after)
{
	char line[LINE + 16];
	int n;

	/* Sentences of the control unit and the repository come through here. */
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = ' ';
	n = snprintf(line, sizeof(line), "%s%s%s", before, text, after);
	if (n > 0 && write(STDOUT_FILENO, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1) < 0)
		return; /* a console that is gone must not stop the boot */
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
	put(text, strlen(text), "", "\n");
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
/* A carriage return is for a screen or a terminal window; the log of a serial line would become one endless line. */
static bool is_live(void)
{
	struct stat st;
	char type;

	if (!isatty(STDOUT_FILENO))
		return false;
	if (ioctl(STDOUT_FILENO, KDGKBTYPE, &type) == 0)
		return true;
	return fstat(STDOUT_FILENO, &st) == 0 && major(st.st_rdev) >= 136 && major(st.st_rdev) <= 143; /* pseudo-terminal */
}

void progress_init(struct progress *ret_progress, const struct stages *stages, const char *label)
{
	*ret_progress = (struct progress){ .stages = stages, .label = label, .live = is_live() };
}

static void progress_print(struct progress *progress, uint64_t done, uint64_t total)
{
	double seconds = uptime() - progress->since;
	uint64_t rate = seconds > 0.05 ? (uint64_t)((double)done / seconds) : 0;
	char text[LINE], have[16], all[16], speed[16];
	size_t used = prefix(progress->stages, text);

	snprintf(text + used, LINE - used, "%s  %-10s %3u%%  %s/%s%s%s%s", progress->label, progress->what,
		 (unsigned)(total > 0 ? done * 100 / total : 100), format_size(done, have), format_size(total, all),
		 rate > 0 ? "  " : "", rate > 0 ? format_size(rate, speed) : "", rate > 0 ? "/s" : "");
	put(text, strlen(text), progress->live ? "\r\033[K" : "", progress->live ? "" : "\n");
	progress->open_line = progress->live;
	progress->shown = uptime();
}

void progress_show(struct progress *progress, const char *what, uint64_t done, uint64_t total)
{
	unsigned tenth = total > 0 ? (unsigned)(done * 10 / total) : 0;
	bool news = progress->what != what;

	if (news) {
		progress_end(progress);
		progress->what = what;
		progress->since = uptime();
		progress->tenth = 0;
		progress->shown = progress->since;
	}
	if (total == 0)
		return;
	/* In a log, short work isn't worth a line: the result comes right after it. */
	if (progress->live ? done == total || uptime() - progress->shown > 0.2
			   : tenth > progress->tenth && uptime() - progress->shown > 1) {
		progress->tenth = tenth;
		progress_print(progress, done, total);
	}
}

void progress_end(struct progress *progress)
{
	if (progress->open_line && write(STDOUT_FILENO, "\n", 1) < 0)
		return;
	progress->open_line = false;
}
