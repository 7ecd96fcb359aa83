/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/http-answer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* "HTTP/1.1 200 OK": the reason may be empty. */
static int status_parse(const char *line, struct http_answer *answer)
{
	if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
		return -EPROTO;
	for (int i = 9; i < 12; i++)
		if (line[i] < '0' || line[i] > '9')
			return -EPROTO;
	if (line[9] < '2' || line[9] > '5' || (line[12] != ' ' && line[12] != '\0'))
		return -EPROTO;
	answer->status = (unsigned)((line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0');
	answer->close = line[7] == '0';
	return 0;
}

static int length_parse(const char *text, size_t most, size_t *ret_length)
{
	uint64_t length;

	if (strlen(text) > 19 || parse_u64(text, &length) < 0)
		return -EPROTO;
	if (length > most)
		return -EFBIG;
	*ret_length = (size_t)length;
	return 0;
}

/* A token of RFC 9110; no space before the colon, and so no folded lines either. */
static size_t name_size(const char *line)
{
	return strspn(line, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static int field_parse(char *line, size_t most, struct http_answer *answer, bool *has_length)
{
	size_t size = name_size(line), end;
	char *value;

	if (size == 0 || line[size] != ':')
		return -EPROTO;
	line[size] = '\0';
	value = line + size + 1;
	value += strspn(value, " \t");
	for (end = strlen(value); end > 0 && (value[end - 1] == ' ' || value[end - 1] == '\t'); end--)
		value[end - 1] = '\0';
	if (strcasecmp(line, "Transfer-Encoding") == 0)
		return -EPROTO;
	if (strcasecmp(line, "Connection") == 0 && strcasecmp(value, "keep-alive") != 0)
		answer->close = true;
	if (strcasecmp(line, "Content-Length") != 0)
		return 0;
	if (*has_length)
		return -EPROTO;
	*has_length = true;
	return length_parse(value, most, &answer->length);
}

/* `head` without the empty line at its end; lines end in CR LF, and neither stands alone. */
static int head_parse(struct http_answer *answer, size_t most)
{
	char *line = answer->head;
	bool has_length = false;
	unsigned fields = 0;
	int r;

	for (size_t i = 0; i < answer->head_size; i++) {
		unsigned char c = (unsigned char)answer->head[i];

		if (c == 0x7f || (c < 0x20 && c != '\t' && c != '\r' && c != '\n'))
			return -EPROTO;
	}
	for (r = 0; r == 0 && line != NULL; fields++) {
		char *end = strpbrk(line, "\r\n"), *next = NULL;

		if (end != NULL) {
			if (end[0] != '\r' || end[1] != '\n')
				return -EPROTO;
			*end = '\0';
			next = end + 2;
		}
		r = fields > HTTP_FIELDS_MOST ? -EPROTO : fields == 0 ? status_parse(line, answer) :
			field_parse(line, most, answer, &has_length);
		line = next;
	}
	if (r == 0 && !has_length && answer->status != 204 && answer->status != 304)
		return -EPROTO;
	if (r == 0 && (answer->status == 204 || answer->status == 304))
		answer->length = 0;
	return r;
}

/* Byte by byte, so that nothing behind the empty line is taken for the head. Returns how many bytes of `data` belong to it. */
static size_t head_feed(struct http_answer *answer, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (answer->head_size == HTTP_HEAD_MOST)
			return i;
		answer->head[answer->head_size++] = data[i];
		if (answer->head_size >= 4 && memcmp(answer->head + answer->head_size - 4, "\r\n\r\n", 4) == 0) {
			answer->head_size -= 4;
			answer->head[answer->head_size] = '\0';
			answer->head_done = true;
			return i + 1;
		}
	}
	return size;
}

int http_answer_feed(struct http_answer *answer, const void *data, size_t size, size_t most)
{
	size_t used = 0;
	int r;

	if (!answer->head_done) {
		used = head_feed(answer, data, size);
		if (!answer->head_done)
			return used < size ? -EFBIG : 0;
		r = head_parse(answer, most);
		if (r < 0)
			return r;
	}
	if (size - used > answer->length - answer->body.size)
		return -EPROTO;
	r = buffer_add(&answer->body, (const char *)data + used, size - used);
	return r < 0 ? r : answer->body.size == answer->length;
}

void http_answer_release(struct http_answer *answer)
{
	buffer_release(&answer->body);
	*answer = (struct http_answer){ 0 };
}
