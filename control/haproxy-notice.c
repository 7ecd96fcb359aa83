// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/haproxy-notice.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
	const struct haproxy_notice *s = a, *t = b;

	return strcmp(s->name, t->name);
}

static int add(struct haproxy_notices *notices, const char *name, size_t size, int64_t end)
{
	struct haproxy_notice *grown;

	if (notices->count == HAPROXY_SERVERS_MOST)
		return -ENOMEM;
	/* Few at a time restart: no room is kept. */
	grown = reallocarray(notices->items, notices->count + 1, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	notices->items = grown;
	grown[notices->count] = (struct haproxy_notice){ .end = end };
	memcpy(grown[notices->count++].name, name, size);
	return 0;
}

int haproxy_notices_add(struct haproxy_notices *notices, const char *name, int64_t end)
{
	return add(notices, name, strlen(name), end);
}

void haproxy_notices_sort(struct haproxy_notices *notices)
{
	size_t kept = 0;

	if (notices->count)
		qsort(notices->items, notices->count, sizeof *notices->items, by_name);
	for (size_t i = 0; i < notices->count; i++)
		if (!kept || by_name(&notices->items[kept - 1], &notices->items[i]))
			notices->items[kept++] = notices->items[i];
	notices->count = kept;
}

void haproxy_notices_release(struct haproxy_notices *notices)
{
	free(notices->items);
	*notices = (struct haproxy_notices){ 0 };
}

/* Letters that a command of ours may say again. */
static bool is_name(const char *text, size_t size)
{
	if (!size || size > HAPROXY_NAME_MOST)
		return false;
	for (size_t i = 0; i < size; i++)
		if (text[i] <= 0x20 || text[i] > 0x7e || strchr(";\\#@<", text[i]))
			return false;
	return true;
}

static int64_t time_of(const char *text, size_t size)
{
	char digits[20];
	uint64_t value;

	if (!size || size >= sizeof digits)
		return -1;
	memcpy(digits, text, size);
	digits[size] = 0;
	return parse_u64(digits, &value) < 0 || value > INT64_MAX ? -1 : (int64_t)value;
}

/* "0x55d0c8f3ae50 NAME VALUE" */
static int parse_line(const char *line, size_t size, struct haproxy_notices *notices)
{
	const char *end = line + size, *name = memchr(line, ' ', size), *value = name ? memchr(name + 1, ' ', (size_t)(end - name - 1)) : NULL;

	if (!value || !is_name(name + 1, (size_t)(value - name - 1)))
		return -EINVAL;
	return add(notices, name + 1, (size_t)(value - name - 1), time_of(value + 1, (size_t)(end - value - 1)));
}

int haproxy_notices_parse(const char *text, size_t size, struct haproxy_notices *ret_notices, char ret_error[ERROR_TEXT])
{
	static const char unknown[] = "Unknown map identifier";
	const char *line = text, *end = text + size;
	int r = 0;

	*ret_notices = (struct haproxy_notices){ 0 };
	if (size >= sizeof unknown - 1 && !memcmp(text, unknown, sizeof unknown - 1))
		return 0;
	ret_notices->has_map = true;
	while (!r && line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((stop ? stop : end) - line);

		if (length)
			r = parse_line(line, length, ret_notices);
		line += length + 1;
	}
	if (!r) {
		haproxy_notices_sort(ret_notices);
		return 0;
	}
	haproxy_notices_release(ret_notices);
	return r == -EINVAL ? refused(ret_error, "it doesn't answer \"show map\" as HAProxy does") : r;
}

int haproxy_notices_reconcile(const struct haproxy_notices *wanted, const struct haproxy_notices *seen, struct buffer *lines)
{
	int r = 0;

	for (size_t w = 0, s = 0; seen->has_map && !r && (w < wanted->count || s < seen->count);) {
		const struct haproxy_notice *want = &wanted->items[w], *is = &seen->items[s];
		int order = s == seen->count ? -1 : w == wanted->count ? 1 : by_name(want, is);

		if (order > 0)
			r = buffer_printf(lines, "del map " HAPROXY_NOTICE_MAP " %s\n", is->name);
		else if (order < 0)
			r = buffer_printf(lines, "add map " HAPROXY_NOTICE_MAP " %s %" PRId64 "\n", want->name, want->end);
		else if (want->end != is->end)
			r = buffer_printf(lines, "set map " HAPROXY_NOTICE_MAP " %s %" PRId64 "\n", want->name, want->end);
		s += order >= 0;
		w += order <= 0;
	}
	return r;
}
