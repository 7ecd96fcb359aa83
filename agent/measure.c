/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/measure.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* /proc holds no more digits; sscanf's own behaviour on an overflow is undefined. */
#define NUMBER "%19" SCNu64

int measure_uptime(const char *text, double *ret_seconds)
{
	double seconds;

	if (sscanf(text, "%20lf", &seconds) != 1 || !(seconds >= 0 && seconds < 1e12))
		return -EINVAL;
	*ret_seconds = seconds;
	return 0;
}

int measure_load(const char *text, double ret_load[3])
{
	if (sscanf(text, "%20lf %20lf %20lf", &ret_load[0], &ret_load[1], &ret_load[2]) != 3)
		return -EINVAL;
	for (int i = 0; i < 3; i++)
		if (!(ret_load[i] >= 0 && ret_load[i] < 1e9))
			return -EINVAL;
	return 0;
}

static const char *next_line(const char *line)
{
	line = strchr(line, '\n');
	return line != NULL ? line + 1 : NULL;
}

int measure_cpu(const char *text, struct cpu_times *ret_times)
{
	uint64_t user, nice, system, idle, wait = 0, irq = 0, softirq = 0, steal = 0;

	/* Guest time is part of user time. */
	if (sscanf(text, "cpu " NUMBER NUMBER NUMBER NUMBER NUMBER NUMBER NUMBER NUMBER, &user, &nice, &system, &idle, &wait, &irq,
		   &softirq, &steal) < 4)
		return -EINVAL;
	*ret_times = (struct cpu_times){ .busy = user + nice + system + irq + softirq + steal };
	ret_times->total = ret_times->busy + idle + wait;
	for (const char *line = next_line(text); line != NULL && strncmp(line, "cpu", 3) == 0; line = next_line(line))
		ret_times->count++;
	return 0;
}

double cpu_share(const struct cpu_times *before, const struct cpu_times *after)
{
	/* The wait for I/O may go backwards (proc(5)). */
	if (after->total <= before->total || after->busy <= before->busy)
		return 0;
	if (after->busy - before->busy >= after->total - before->total)
		return 1;
	return (double)(after->busy - before->busy) / (double)(after->total - before->total);
}

int measure_memory(const char *text, struct memory *ret_memory)
{
	struct { const char *format; uint64_t *value; } fields[] = {
		{ "MemTotal: " NUMBER " kB", &ret_memory->total }, { "MemAvailable: " NUMBER " kB", &ret_memory->available },
		{ "SwapTotal: " NUMBER " kB", &ret_memory->swap_total }, { "SwapFree: " NUMBER " kB", &ret_memory->swap_free },
	};

	*ret_memory = (struct memory){ 0 };
	for (const char *line = text; line != NULL; line = next_line(line))
		for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
			uint64_t value;

			/* The formats are the four above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			if (sscanf(line, fields[i].format, &value) == 1 && value < UINT64_MAX / 1024)
				*fields[i].value = value * 1024;
#pragma GCC diagnostic pop
		}
	return ret_memory->total > 0 ? 0 : -EINVAL;
}

int measure_pressure(const char *text, struct pressure *ret_pressure)
{
	bool found = false;

	*ret_pressure = (struct pressure){ 0 };
	for (const char *line = text; line != NULL; line = next_line(line)) {
		double value;

		if (sscanf(line, "some avg10=%10lf", &value) == 1 && value >= 0 && value <= 100) {
			ret_pressure->some = value;
			found = true;
		} else if (sscanf(line, "full avg10=%10lf", &value) == 1 && value >= 0 && value <= 100) {
			ret_pressure->full = value;
		}
	}
	return found ? 0 : -EINVAL;
}

int measure_interface(const char *line, struct interface *ret_interface)
{
	const char *colon = strchr(line, ':');
	size_t size;

	if (colon == NULL)
		return -ENOENT;
	line += strspn(line, " ");
	size = (size_t)(colon - line);
	*ret_interface = (struct interface){ 0 };
	if (size == 0 || size >= sizeof(ret_interface->name))
		return -EINVAL;
	memcpy(ret_interface->name, line, size);
	if (strcmp(ret_interface->name, "lo") == 0)
		return -ENOENT;
	if (sscanf(colon + 1, NUMBER " %*s " NUMBER " %*s %*s %*s %*s %*s " NUMBER " %*s " NUMBER, &ret_interface->received,
		   &ret_interface->receive_errors, &ret_interface->sent, &ret_interface->send_errors) != 4)
		return -EINVAL;
	return 0;
}

/* Space, tab, newline and backslash are written as three octal digits. */
static void undo_octal(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
		    from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

int measure_mount(const char *line, struct mount *ret_mount)
{
	const char *place = strchr(line, ' '), *type, *end;

	type = place != NULL ? strchr(place + 1, ' ') : NULL;
	end = type != NULL ? strchr(type + 1, ' ') : NULL;
	if (end == NULL)
		return -EINVAL;
	if ((size_t)(type - place) > sizeof(ret_mount->place) || (size_t)(end - type) > sizeof(ret_mount->type))
		return -EINVAL;
	*ret_mount = (struct mount){ 0 };
	memcpy(ret_mount->place, place + 1, (size_t)(type - place - 1));
	memcpy(ret_mount->type, type + 1, (size_t)(end - type - 1));
	undo_octal(ret_mount->place);
	return ret_mount->place[0] == '/' ? 0 : -EINVAL;
}

bool mount_counts(const struct mount *mount)
{
	static const char *const types[] = { "overlay", "tmpfs", "ext4", "ext3", "ext2", "xfs", "btrfs", "f2fs", "vfat" };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(mount->type, types[i]) == 0)
			return true;
	return false;
}

int cmdline_word(const char *cmdline, const char *key, char *ret_value, size_t room)
{
	size_t key_size = strlen(key);
	int r = -ENOENT;

	for (const char *word = cmdline; *word != '\0';) {
		size_t size = strcspn(word, " \n");

		if (size > key_size && strncmp(word, key, key_size) == 0 && word[key_size] == '=') {
			if (r == 0 || size - key_size > room)
				return -EINVAL;
			memcpy(ret_value, word + key_size + 1, size - key_size - 1);
			ret_value[size - key_size - 1] = '\0';
			r = 0;
		}
		word += size;
		word += strspn(word, " \n");
	}
	return r;
}

int cmdline_root_hash(const char *cmdline, const char *key, char ret_hash[65])
{
	char text[700], *rest = text, *field = NULL;
	int r = cmdline_word(cmdline, key, text, sizeof(text));

	if (r < 0)
		return r;
	for (int i = 0; i < 3; i++)
		field = strsep(&rest, ":");
	if (field == NULL || strlen(field) != 64 || strspn(field, "0123456789abcdef") != 64)
		return -EINVAL;
	memcpy(ret_hash, field, 65);
	return 0;
}

char verity_state(const char *status)
{
	return (status[0] == 'V' || status[0] == 'C') && (status[1] == '\0' || status[1] == ' ') ? status[0] : 0;
}
