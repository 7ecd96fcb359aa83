// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/names.h"

#define CELL 160u
#define SILENT_SECONDS 30

/* In the order in which a table shows them. */
static const char *const states[WATCH_STATES] = { "booting", "failed", "waiting", "booted" };

static const char *text_of_member(const json_t *object, const char *key)
{
	const char *text = json_get_string(object, key);

	return text && text_printable(text, strlen(text)) ? text : "";
}

static int64_t number(const json_t *object, const char *key)
{
	return (int64_t)json_integer_value(json_object_get(object, key));
}

/* Position in `states`, or WATCH_STATES for one that this program doesn't know. */
static unsigned state_of(const json_t *node)
{
	const char *state = text_of_member(node, "state");
	unsigned i = 0;

	while (i < WATCH_STATES && strcmp(state, states[i]))
		i++;
	return i;
}

/* ------------------------------------------------------------------ when to end */

int watch_goal_parse(const char *text, struct watch_goal *ret_goal)
{
	struct watch_goal goal = { 0 };

	for (;;) {
		size_t size = strcspn(text, ",");
		unsigned i = 0;

		while (i < WATCH_STATES && (strlen(states[i]) != size || strncmp(text, states[i], size)))
			i++;
		if (i == WATCH_STATES)
			return -EINVAL;
		goal.count += !goal.wanted[i];
		goal.wanted[i] = true;
		if (!text[size])
			break;
		text += size + 1;
	}
	*ret_goal = goal;
	return 0;
}

static bool arrived(const struct watch_goal *goal, const json_t *node)
{
	unsigned state = state_of(node);

	if (state == WATCH_STATES || !goal->wanted[state])
		return false;
	return strcmp(states[state], "booted") || number(node, "boot_assignment") == number(node, "assignment");
}

bool watch_goal_reached(const struct watch_goal *goal, const json_t *nodes)
{
	json_t *node;
	size_t i;

	if (!goal->count || json_array_size(nodes) == 0)
		return false;
	json_array_foreach(nodes, i, node)
		if (!arrived(goal, node))
			return false;
	return true;
}

bool watch_goal_missed(const struct watch_goal *goal, const json_t *nodes)
{
	json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node)
		if (goal->count > 1 && !strcmp(text_of_member(node, "state"), "failed"))
			return true;
	return false;
}

/* ------------------------------------------------------------------ what is new */

bool watch_same(const json_t *before, const json_t *node)
{
	static const char *const figures[] = { "last_seen", "agent", "balancer", "probe" }; /* these change each time */
	json_t *a = json_copy(json_iterable(before)), *b = json_copy(json_iterable(node));
	bool same;

	for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
		json_object_del(a, figures[i]);
		json_object_del(b, figures[i]);
	}
	same = a && b && json_equal(a, b);
	json_decref(a);
	json_decref(b);
	return same;
}

int watch_percent(const json_t *progress)
{
	int64_t done = number(progress, "done"), total = number(progress, "total");

	if (!json_is_object(progress))
		return -1;
	if (done < 0 || total <= 0 || done >= total)
		return 100;
	return (int)((double)done / (double)total * 100);
}

/* ------------------------------------------------------------------ columns of characters */

size_t watch_cut(const char *text, size_t columns, bool pad, FILE *to)
{
	size_t used = 0, left = strlen(text);
	mbstate_t state = { 0 };

	while (left > 0) {
		wchar_t character;
		size_t size = mbrtowc(&character, text, left, &state);
		bool known = size != (size_t)-1 && size != (size_t)-2 && size > 0;
		int width = known ? wcwidth(character) : -1;

		if (!known) {
			state = (mbstate_t){ 0 };
			size = 1;
		}
		if (used + (width < 0 ? 1 : (size_t)width) > columns)
			break;
		if (to && width < 0)
			putc('?', to);
		else if (to)
			fwrite(text, 1, size, to);
		used += width < 0 ? 1 : (size_t)width;
		text += size;
		left -= size;
	}
	for (; pad && used < columns; used++)
		putc(' ', to);
	return used;
}

/* ------------------------------------------------------------------ a node's line */

enum column { NODE, STATE, IMAGE, PERCENT, BYTES, RATE, LEFT, SINCE };

struct row {
	char cells[WATCH_COLUMNS][CELL];
	char note[CELL * 4]; /* goes to the line's end */
};

static void clock_time(int64_t seconds, char ret_text[CELL])
{
	time_t time = (time_t)seconds;
	struct tm tm;

	if (seconds <= 0 || !localtime_r(&time, &tm) || !strftime(ret_text, CELL, "%H:%M:%S", &tm))
		strcpy(ret_text, "-");
}

static void figures(const json_t *progress, struct row *row)
{
	const json_t *left = json_object_get(progress, "seconds_left");
	uint64_t rate = (uint64_t)number(progress, "rate");
	int64_t seconds = (int64_t)json_integer_value(left);
	char done[16], total[16];

	snprintf(row->cells[PERCENT], CELL, "%.20s %3d%%", text_of_member(progress, "phase"), watch_percent(progress));
	snprintf(row->cells[BYTES], CELL, "%s/%s", format_size((uint64_t)number(progress, "done"), done),
		 format_size((uint64_t)number(progress, "total"), total));
	if (rate)
		snprintf(row->cells[RATE], CELL, "%s/s", format_size(rate, done));
	if (json_is_integer(left) && seconds < 100)
		snprintf(row->cells[LEFT], CELL, "%" PRId64 " s", seconds);
	else if (json_is_integer(left))
		snprintf(row->cells[LEFT], CELL, "%" PRId64 " min", (seconds + 30) / 60);
}

static void make_row(const json_t *node, int64_t now, struct row *row)
{
	const json_t *progress = json_object_get(node, "progress");
	const char *name = text_of_member(node, "name"), *stage = text_of_member(node, "stage");
	const char *image = text_of_member(json_is_object(progress) ? progress : node, json_is_object(progress) ? "target" : "os");
	const char *suffix = strstr(image, ".img.zst");
	const char *state = text_of_member(node, "state");
	bool moving = !strcmp(state, "booting");
	int64_t silent = now - number(node, "last_seen");

	*row = (struct row){ 0 };
	snprintf(row->cells[NODE], CELL, "%.64s", name[0] ? name : text_of_member(node, "id"));
	snprintf(row->cells[STATE], CELL, "%.20s", state);
	if (stage[0] && (moving || !strcmp(state, "failed")))
		snprintf(row->cells[STATE], CELL, "%.20s (%.32s)", state, stage);
	snprintf(row->cells[IMAGE], CELL, "%.*s", (int)(suffix ? (size_t)(suffix - image) : strlen(image)), image);
	if (json_is_object(progress))
		figures(progress, row);
	clock_time(number(node, "since"), row->cells[SINCE]);
	if (moving && silent > SILENT_SECONDS)
		snprintf(row->note, sizeof row->note, "silent for %" PRId64 " s  ", silent);
	snprintf(row->note + strlen(row->note), sizeof row->note - strlen(row->note), "%.400s", text_of_member(node, "error"));
}

void watch_line(const json_t *node, int64_t now, FILE *to)
{
	char when[CELL];
	struct row row;

	make_row(node, now, &row);
	clock_time(now, when);
	fputs(when, to);
	for (unsigned i = 0; i < WATCH_COLUMNS; i++) {
		if (i == SINCE || !row.cells[i][0])
			continue;
		fputs("  ", to);
		watch_cut(row.cells[i], CELL, false, to);
		fputs(i == LEFT ? " left" : "", to);
	}
	if (row.note[0]) {
		fputs("  ", to);
		watch_cut(row.note, sizeof row.note, false, to);
	}
	putc('\n', to);
}

/* ------------------------------------------------------------------ a table */

static void widen(const struct row *row, struct watch_widths *widths)
{
	for (unsigned i = 0; i < WATCH_COLUMNS; i++) {
		size_t columns = watch_cut(row->cells[i], CELL, false, NULL);

		if (columns > widths->of[i])
			widths->of[i] = columns;
	}
}

static void print_row(const struct row *row, const struct watch_widths *widths, size_t columns, const char *end, FILE *to)
{
	size_t used = 0;

	for (unsigned i = 0; i < WATCH_COLUMNS && used < columns; i++) {
		size_t most = columns - used < widths->of[i] ? columns - used : widths->of[i];

		used += watch_cut(row->cells[i], most, true, to);
		used += watch_cut("  ", columns - used, false, to);
	}
	watch_cut(row->note, columns - used, false, to);
	fputs(end, to);
}

void watch_table(const json_t *nodes, int64_t now, size_t columns, size_t lines, const char *end, struct watch_widths *widths, FILE *to)
{
	static const struct row head = { { "NODE", "STATE", "IMAGE", "DONE", "BYTES", "RATE", "LEFT", "SINCE" }, "" };
	size_t count = json_array_size(nodes), shown = count, printed = 0, i;
	struct row row;
	json_t *node;

	if (count + 1 > lines)
		shown = lines > 2 ? lines - 2 : 0;
	widen(&head, widths);
	json_array_foreach(nodes, i, node) {
		make_row(node, now, &row);
		widen(&row, widths);
	}
	print_row(&head, widths, columns, end, to);
	for (unsigned state = 0; state <= WATCH_STATES; state++) {
		json_array_foreach(nodes, i, node) {
			if (state_of(node) != state || printed == shown)
				continue;
			make_row(node, now, &row);
			print_row(&row, widths, columns, end, to);
			printed++;
		}
	}
	if (shown < count) {
		snprintf(row.note, sizeof row.note, "and %zu more; name nodes to see just those", count - shown);
		watch_cut(row.note, columns, false, to);
		fputs(end, to);
	}
}
