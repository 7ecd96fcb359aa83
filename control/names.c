// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/names.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define HEX_LOWER DIGITS "abcdef"

int refused(char ret_error[ERROR_TEXT], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_error, ERROR_TEXT, format, args);
	va_end(args);
	return -EINVAL;
}

bool monitor_name_valid(const char *text)
{
	return text_of(text, LOWER DIGITS "-", MONITOR_NAME_MOST) && text[0] != '-' && text[strlen(text) - 1] != '-' && strcmp(text, "none") != 0;
}

bool text_of(const char *text, const char *allowed, size_t most)
{
	size_t size = strnlen(text, most + 1);

	return size >= 1 && size <= most && strspn(text, allowed) == size;
}

bool text_printable(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

bool node_id_valid(const char *text)
{
	if (strnlen(text, NODE_ID_SIZE + 1) != NODE_ID_SIZE)
		return false;
	for (size_t i = 0; i < NODE_ID_SIZE; i++) {
		bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (hyphen ? text[i] != '-' : !strchr(HEX_LOWER, text[i]))
			return false;
	}
	return true;
}

bool nonce_valid(const char *text)
{
	return strnlen(text, NONCE_SIZE + 1) == NONCE_SIZE && text_of(text, HEX_LOWER, NONCE_SIZE);
}

bool host_name_valid(const char *text)
{
	if (!text_of(text, LOWER DIGITS "-", HOST_NAME_MOST))
		return false;
	return text[0] != '-' && text[strlen(text) - 1] != '-' && !node_id_valid(text);
}

bool config_file_name_valid(const char *text)
{
	return text[0] != '.' && text_of(text, UPPER LOWER DIGITS "._-", 64);
}

int image_spec_parse(const char *text, struct image_spec *ret_spec)
{
	const char *at = strchr(text, '@');
	size_t name_size = at ? (size_t)(at - text) : strlen(text);
	const char *version = at ? at + 1 : "";

	if (name_size > IMAGE_NAME_MOST)
		return -EINVAL;
	memcpy(ret_spec->name, text, name_size);
	ret_spec->name[name_size] = 0;
	if (!text_of(ret_spec->name, UPPER LOWER DIGITS ".+_-", IMAGE_NAME_MOST) || ret_spec->name[0] == '.')
		return -EINVAL;
	if (at && !text_of(version, UPPER LOWER DIGITS ".+~-", IMAGE_VERSION_MOST))
		return -EINVAL;
	strcpy(ret_spec->version, version);
	return 0;
}

/* Rank of one character between numbers: "~" before the end, the end before letters, letters before the rest. */
static int rank(const char *at, const char *end)
{
	if (at == end || isdigit((unsigned char)*at))
		return 0;
	if (*at == '~')
		return -1;
	if (isalpha((unsigned char)*at))
		return (unsigned char)*at;
	return (unsigned char)*at + 256;
}

static const char *skip_zeros(const char *at, const char *end)
{
	while (at < end && *at == '0')
		at++;
	return at;
}

static size_t count_digits(const char *at, const char *end)
{
	size_t n = 0;

	while (at + n < end && isdigit((unsigned char)at[n]))
		n++;
	return n;
}

/* Alternately a run of non-digits by rank and a run of digits by value, as in the Debian policy, 5.6.12. */
static int compare_part(const char *a, const char *a_end, const char *b, const char *b_end)
{
	while (a < a_end || b < b_end) {
		size_t a_digits, b_digits;
		int r;

		while ((a < a_end && !isdigit((unsigned char)*a)) || (b < b_end && !isdigit((unsigned char)*b))) {
			r = rank(a, a_end) - rank(b, b_end);
			if (r)
				return r;
			a++;
			b++;
		}
		a = skip_zeros(a, a_end);
		b = skip_zeros(b, b_end);
		a_digits = count_digits(a, a_end);
		b_digits = count_digits(b, b_end);
		if (a_digits != b_digits)
			return a_digits < b_digits ? -1 : 1;
		r = memcmp(a, b, a_digits);
		if (r)
			return r;
		a += a_digits;
		b += b_digits;
	}
	return 0;
}

int version_compare(const char *a, const char *b)
{
	const char *a_end = a + strlen(a), *b_end = b + strlen(b);
	const char *a_hyphen = strrchr(a, '-'), *b_hyphen = strrchr(b, '-');
	int r = compare_part(a, a_hyphen ? a_hyphen : a_end, b, b_hyphen ? b_hyphen : b_end);

	if (r)
		return r;
	return compare_part(a_hyphen ? a_hyphen + 1 : a_end, a_end, b_hyphen ? b_hyphen + 1 : b_end, b_end);
}

void role_name_show(const char *name, char ret_name[ROLE_NAME_SHOWN + 1])
{
	size_t size = strnlen(name, ROLE_NAME_SHOWN + 1);

	/* Not within a character of several bytes: JSON takes whole ones only. */
	if (size > ROLE_NAME_SHOWN)
		for (size = ROLE_NAME_SHOWN; size && ((unsigned char)name[size] & 0xc0) == 0x80;)
			size--;
	memcpy(ret_name, name, size);
	ret_name[size] = 0;
	for (char *at = ret_name; *at; at++)
		if (!text_printable(at, 1))
			*at = '?';
}

void text_copy_printable(const char *text, size_t most, char *ret_text)
{
	size_t n = strnlen(text, most + 1);

	if (n > most) {
		n = most;
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	for (size_t i = 0; i < n; i++)
		ret_text[i] = text_printable(text + i, 1) ? text[i] : ' ';
	ret_text[n] = 0;
}

static int64_t unit_seconds(char unit)
{
	switch (unit) {
	case 'd':
		return 86400;
	case 'h':
		return 3600;
	case 'm':
		return 60;
	case 's':
		return 1;
	}
	return 0;
}

int duration_parse(const char *text, int64_t *ret_seconds, char ret_error[ERROR_TEXT])
{
	size_t size = strlen(text);
	char digits[8] = "";
	uint64_t value;
	int64_t unit = size ? unit_seconds(text[size - 1]) : 0;

	if (size >= 2 && size <= sizeof digits)
		memcpy(digits, text, size - 1);
	/* Seconds of 3650 days have nine digits; nobody writes those. */
	if (!unit || parse_u64(digits, &value) < 0 || value == 0 || value > (uint64_t)(DURATION_DAYS_MOST * INT64_C(86400) / unit))
		return refused(ret_error, "\"%.40s\" is no length of time; give a number and d, h, m or s, such as 7d or 12h, up to %dd",
			       text_printable(text, size) ? text : "?", DURATION_DAYS_MOST);
	*ret_seconds = (int64_t)value * unit;
	return 0;
}
