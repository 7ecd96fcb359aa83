/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/http-mirrors.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/http-text.h"

#define REDIRECTS_MOST 3L
#define HEADERS_MOST (32u << 10)
#define RECEIVE_BUFFER (128L << 10)
#define TOO_SLOW 8.0       /* a server so many times slower than the fastest isn't worth waiting for */
#define ELSEWHERE 64.0     /* times the least rate: while another server can be asked */
#define REST_MOST 60.0
#define MEASURE_LEAST (64u << 10) /* bytes; fewer tell more of the way than of the server */

#define TAG_MOST 71u
#define FILES 2u           /* the wire file and its patch, in turn */

/* What a mirror says of a file. */
struct copy {
	bool missing;
	bool tag_useless;       /* did not find the file it had named by it */
	char tag[TAG_MOST + 1]; /* strong ETag of the first answer; "": none */
};

struct file {
	char *path;
	uint64_t size; /* 0: not known */
	struct copy copy[HTTP_MIRRORS_MOST];
};

struct mirror {
	char *base;
	uint64_t bytes;
	unsigned blames, failures;
	unsigned failures_in_row;
	double rests_until; /* by `seconds` */
	double speed;       /* bytes per second of one connection; 0: not known yet */
	unsigned active;
	bool failed;        /* in this fetch */
};

/* While whoever reads the bytes doesn't take them, no server's time runs. */
struct moment {
	double at, held;
};

enum transfer_state { IDLE, WAITING /* for a server */, ACTIVE };

struct transfer {
	struct http_mirrors *mirrors;
	CURL *curl;
	enum transfer_state state;
	struct http_range range;
	uint64_t have;          /* bytes of the range, whoever sent them */
	unsigned mirror;
	/* Of the present try. */
	uint64_t asked_from, had;
	struct moment since, window_since;
	uint64_t window_bytes;
	size_t header_bytes;
	bool range_sound;       /* Content-Range is what was asked for */
	char tag[TAG_MOST + 1]; /* of this answer */
	struct curl_slist *headers; /* If-Range; NULL: none */
	bool checked;           /* the answer's status and range */
	int error;
	const char *why;        /* with `error` */
	char curl_error[CURL_ERROR_SIZE]; /* curl's own reason */
};

struct http_mirrors {
	CURLM *multi;
	struct mirror mirror[HTTP_MIRRORS_MOST];
	unsigned count;
	struct transfer transfer[HTTP_RANGES_MOST];
	char *user_agent;
	char *proxy;
	struct file file[FILES];
	unsigned now;     /* which of them is asked for */
	long connect_seconds;
	double stall_seconds;
	double slowest;
	int only;         /* number of a server, or -1 */
	const struct http_ranges *ranges;
	double held;      /* seconds that `data` took so far */
	int fatal;        /* what `data` returned */
	int last_error;
	char error[CURL_ERROR_SIZE + HTTP_BASE_MOST + 512];
};

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct moment moment(const struct http_mirrors *mirrors)
{
	return (struct moment){ seconds(), mirrors->held };
}

static double taken_since(const struct http_mirrors *mirrors, const struct moment *since)
{
	return seconds() - since->at - (mirrors->held - since->held);
}

/* ------------------------------------------------------------------ new, free */
void http_mirrors_free(struct http_mirrors *mirrors)
{
	if (mirrors == NULL)
		return;
	for (unsigned i = 0; i < HTTP_RANGES_MOST; i++) {
		if (mirrors->transfer[i].curl != NULL)
			curl_easy_cleanup(mirrors->transfer[i].curl);
		curl_slist_free_all(mirrors->transfer[i].headers);
	}
	if (mirrors->multi != NULL)
		curl_multi_cleanup(mirrors->multi);
	for (unsigned i = 0; i < mirrors->count; i++)
		free(mirrors->mirror[i].base);
	for (unsigned i = 0; i < FILES; i++)
		free(mirrors->file[i].path);
	free(mirrors->user_agent);
	free(mirrors->proxy);
	free(mirrors);
}

struct http_mirrors *http_mirrors_new(const char *const *bases, unsigned count, const struct http_mirrors_options *options)
{
	struct http_mirrors *mirrors = calloc(1, sizeof(*mirrors));

	if (mirrors == NULL || count < 1 || count > HTTP_MIRRORS_MOST)
		goto fail;
	mirrors->only = -1;
	mirrors->connect_seconds = options->connect_seconds > 0 ? (long)options->connect_seconds : 10;
	mirrors->stall_seconds = options->stall_seconds > 0 ? options->stall_seconds : 15;
	mirrors->slowest = options->slowest > 0 ? options->slowest : 1024;
	mirrors->user_agent = strdup(options->user_agent != NULL ? options->user_agent : "repave");
	mirrors->multi = curl_multi_init();
	mirrors->proxy = strdup(options->proxy != NULL ? options->proxy : "");
	if (mirrors->user_agent == NULL || mirrors->proxy == NULL || mirrors->multi == NULL)
		goto fail;
	for (; mirrors->count < count; mirrors->count++) {
		mirrors->mirror[mirrors->count].base = strdup(bases[mirrors->count]);
		if (mirrors->mirror[mirrors->count].base == NULL)
			goto fail;
	}
	for (unsigned i = 0; i < HTTP_RANGES_MOST; i++) {
		mirrors->transfer[i].mirrors = mirrors;
		mirrors->transfer[i].curl = curl_easy_init();
		if (mirrors->transfer[i].curl == NULL)
			goto fail;
	}
	return mirrors;
fail:
	http_mirrors_free(mirrors);
	return NULL;
}

int http_mirrors_file(struct http_mirrors *mirrors, const char *path, uint64_t size)
{
	struct file *file = mirrors->file;
	char *copy;

	for (unsigned i = 0; i < FILES; i++) {
		if (file[i].path != NULL && strcmp(file[i].path, path) == 0) {
			mirrors->now = i;
			file[i].size = size;
			return 0;
		}
	}
	copy = strdup(path);
	if (copy == NULL)
		return -ENOMEM;
	mirrors->now = (mirrors->now + 1) % FILES;
	free(file[mirrors->now].path);
	file[mirrors->now] = (struct file){ .path = copy, .size = size };
	return 0;
}

static const struct file *file_now(const struct http_mirrors *mirrors)
{
	return &mirrors->file[mirrors->now];
}

/* ------------------------------------------------------------------ which server */
static double best_speed(const struct http_mirrors *mirrors)
{
	double best = 0;

	for (unsigned i = 0; i < mirrors->count; i++)
		if (mirrors->mirror[i].blames == 0 && mirrors->mirror[i].speed > best)
			best = mirrors->mirror[i].speed;
	return best;
}

static bool usable(const struct http_mirrors *mirrors, unsigned i)
{
	return !mirrors->mirror[i].failed && !file_now(mirrors)->copy[i].missing && (mirrors->only < 0 || mirrors->only == (int)i);
}

/* How good a choice: those that were never blamed before all others, then those that don't rest, then by what one more
 * connection would get. */
static bool better(const struct mirror *left, const struct mirror *right, double now)
{
	bool left_rests = left->rests_until > now, right_rests = right->rests_until > now;
	double left_speed = left->speed > 0 ? left->speed : 1e12, right_speed = right->speed > 0 ? right->speed : 1e12;

	if (left->blames != right->blames)
		return left->blames < right->blames;
	if (left_rests != right_rests)
		return right_rests;
	return left_speed / (left->active + 1) > right_speed / (right->active + 1);
}

/* A server for one more transfer, or -1: there is none, or all good ones are busy. */
static int choose(const struct http_mirrors *mirrors)
{
	double now = seconds(), fast = best_speed(mirrors) / TOO_SLOW;
	int best = -1;

	for (unsigned i = 0; i < mirrors->count; i++)
		if (usable(mirrors, i) && (best < 0 || better(&mirrors->mirror[i], &mirrors->mirror[best], now)))
			best = (int)i;
	if (best < 0 || mirrors->mirror[best].active < HTTP_RANGES_PER_MIRROR)
		return best;
	/* It has enough to do. Another one as sound, and not much slower? */
	for (unsigned i = 0; i < mirrors->count; i++) {
		const struct mirror *other = &mirrors->mirror[i];

		if (usable(mirrors, i) && other->active < HTTP_RANGES_PER_MIRROR && other->rests_until <= now &&
		    other->blames == mirrors->mirror[best].blames && (other->speed <= 0 || other->speed >= fast))
			return (int)i;
	}
	return -1;
}

/* ------------------------------------------------------------------ one transfer */
static int refuse(struct transfer *transfer, int error, const char *why)
{
	transfer->error = error;
	transfer->why = why;
	return 0;
}

/* The value of header `name` ("etag:"), when the line is that one and not too long. */
static bool header_value(const char *data, size_t size, const char *name, char ret_value[128])
{
	size_t skip = strlen(name);

	if (size <= skip || size - skip >= 128 || strncasecmp(data, name, skip) != 0)
		return false;
	while (skip < size && (data[skip] == ' ' || data[skip] == '\t'))
		skip++;
	memcpy(ret_value, data + skip, size - skip);
	ret_value[size - skip] = '\0';
	ret_value[strcspn(ret_value, "\r\n")] = '\0';
	return true;
}

static bool range_as_asked(const struct transfer *transfer, const char *value)
{
	uint64_t first, last, total, size = file_now(transfer->mirrors)->size;

	return content_range_parse(value, &first, &last, &total) == 0 && first == transfer->asked_from &&
	       last == transfer->range.offset + transfer->range.size - 1 && (total == 0 || size == 0 || total == size);
}

static size_t on_header(char *data, size_t one, size_t count, void *context)
{
	struct transfer *transfer = context;
	size_t size = one * count;
	char value[128];

	transfer->header_bytes += size;
	if (transfer->header_bytes > HEADERS_MOST)
		return (size_t)refuse(transfer, -EPROTO, "its header has no end");
	if (size >= 5 && strncmp(data, "HTTP/", 5) == 0) {
		/* Another answer than the redirect before. */
		transfer->range_sound = false;
		transfer->tag[0] = '\0';
	}
	if (header_value(data, size, "content-range:", value))
		transfer->range_sound = range_as_asked(transfer, value);
	else if (header_value(data, size, "etag:", value) && entity_tag_strong(value) && strlen(value) <= TAG_MOST)
		strcpy(transfer->tag, value);
	return size;
}

/* Looks at the answer before its first byte is passed on. Returns whether the body is wanted. */
static bool answer_sound(struct transfer *transfer)
{
	const struct http_mirrors *mirrors = transfer->mirrors;
	long status = 0;

	curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 206 && transfer->range_sound)
		return true;
	if (status == 200 && transfer->asked_from == 0 && transfer->range.size == file_now(mirrors)->size)
		return true;
	if (status == 206)
		refuse(transfer, -EBADMSG, "it sends other bytes than it was asked for, or of another file");
	else if (status == 200 && transfer->headers != NULL)
		refuse(transfer, -ESTALE, "its file has changed during the download");
	else if (status == 200)
		refuse(transfer, -EPROTO, "it sends the whole file instead of a range: use a server that knows byte ranges, "
					  "such as repaved or nginx");
	return false;
}

/* The first answer says which copy of the file it is about; the others are to be about the same one. */
static void note_tag(struct transfer *transfer)
{
	struct http_mirrors *mirrors = transfer->mirrors;
	struct copy *copy = &mirrors->file[mirrors->now].copy[transfer->mirror];

	if (copy->tag[0] == '\0' && !copy->tag_useless)
		strcpy(copy->tag, transfer->tag);
}

static size_t on_data(char *data, size_t one, size_t count, void *context)
{
	struct transfer *transfer = context;
	struct http_mirrors *mirrors = transfer->mirrors;
	size_t size = one * count, wanted = size;
	double before;

	if (mirrors->fatal < 0)
		return 0;
	if (!transfer->checked && !answer_sound(transfer))
		return transfer->error != 0 ? 0 : size; /* an error page: its status tells */
	if (!transfer->checked)
		note_tag(transfer);
	transfer->checked = true;
	if (wanted > transfer->range.size - transfer->have)
		wanted = (size_t)(transfer->range.size - transfer->have);
	if (wanted == 0)
		return 0;
	transfer->have += wanted;
	mirrors->mirror[transfer->mirror].bytes += wanted;
	before = seconds();
	mirrors->fatal = mirrors->ranges->data(mirrors->ranges->context, transfer->range.cookie, transfer->mirror,
					       (const uint8_t *)data, wanted);
	mirrors->held += seconds() - before;
	return mirrors->fatal == 0 ? size : 0;
}

/* A range counts only of the copy that the ranges before were of (RFC 9110, 13.1.5). 0 or -ENOMEM. */
static int make_headers(const struct http_mirrors *mirrors, struct transfer *transfer, unsigned mirror)
{
	const char *tag = file_now(mirrors)->copy[mirror].tag;
	char line[TAG_MOST + 16];

	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
	if (tag[0] == '\0')
		return 0;
	snprintf(line, sizeof(line), "If-Range: %s", tag);
	transfer->headers = curl_slist_append(NULL, line);
	return transfer->headers != NULL ? 0 : -ENOMEM;
}

static int start(struct http_mirrors *mirrors, struct transfer *transfer, unsigned mirror)
{
	CURL *curl = transfer->curl;
	char *url, range[48];

	if (make_headers(mirrors, transfer, mirror) < 0 ||
	    asprintf(&url, "%s%s", mirrors->mirror[mirror].base, file_now(mirrors)->path) < 0)
		return -ENOMEM;
	transfer->mirror = mirror;
	transfer->asked_from = transfer->range.offset + transfer->have;
	transfer->had = transfer->have;
	transfer->since = transfer->window_since = moment(mirrors);
	transfer->window_bytes = transfer->have;
	transfer->header_bytes = 0;
	transfer->range_sound = transfer->checked = false;
	transfer->error = 0;
	transfer->curl_error[0] = '\0';
	snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, transfer->asked_from,
		 transfer->range.offset + transfer->range.size - 1);
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_RANGE, range);
	curl_easy_setopt(curl, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->curl_error);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, mirrors->proxy);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, transfer->headers);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http");
	/* A mirror may stand for others; whoever sends the bytes, they are checked. */
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MOST);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, mirrors->user_agent);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, mirrors->connect_seconds);
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	free(url); /* curl has its own copy */
	if (curl_multi_add_handle(mirrors->multi, curl) != CURLM_OK)
		return -ENOMEM;
	mirrors->mirror[mirror].active++;
	transfer->state = ACTIVE;
	return 0;
}

static int error_of(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_TOO_MANY_REDIRECTS:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return -EPROTO;
	default:
		return -EIO;
	}
}

/* What became of a transfer that curl has ended. 0 when its range is complete. */
static int outcome(struct transfer *transfer, CURLcode code)
{
	long status = 0;

	curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
	/* Whatever else it promised, or sent behind them. */
	if (transfer->have == transfer->range.size)
		return 0;
	if (transfer->error != 0)
		return transfer->error;
	if (code != CURLE_OK && transfer->curl_error[0] == '\0')
		snprintf(transfer->curl_error, sizeof(transfer->curl_error), "%s", curl_easy_strerror(code));
	if (code != CURLE_OK)
		return error_of(code);
	if (transfer->checked) {
		refuse(transfer, -EIO, "it ends before all bytes came");
	} else {
		snprintf(transfer->curl_error, sizeof(transfer->curl_error), "the server answered with status %ld", status);
		return status == 404 || status == 403 || status == 410 ? -ENOENT : -EPROTO;
	}
	return transfer->error;
}

static void take_out(struct http_mirrors *mirrors, struct transfer *transfer)
{
	curl_multi_remove_handle(mirrors->multi, transfer->curl);
	curl_easy_setopt(transfer->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
	mirrors->mirror[transfer->mirror].active--;
}

static void end_range(struct http_mirrors *mirrors, struct transfer *transfer, int result)
{
	transfer->state = IDLE;
	mirrors->ranges->end(mirrors->ranges->context, transfer->range.cookie, result);
}

static void note_speed(const struct transfer *transfer, struct mirror *mirror)
{
	double taken = taken_since(transfer->mirrors, &transfer->since), now;

	if (transfer->have - transfer->had < MEASURE_LEAST)
		return;
	now = (double)(transfer->have - transfer->had) / (taken > 1e-6 ? taken : 1e-6);
	mirror->speed = mirror->speed > 0 ? 0.5 * mirror->speed + 0.5 * now : now;
}

static void finish(struct http_mirrors *mirrors, struct transfer *transfer, int r)
{
	struct mirror *mirror = &mirrors->mirror[transfer->mirror];
	struct copy *copy = &mirrors->file[mirrors->now].copy[transfer->mirror];
	double rest;

	take_out(mirrors, transfer);
	note_speed(transfer, mirror);
	if (mirrors->fatal < 0) {
		end_range(mirrors, transfer, mirrors->fatal);
		return;
	}
	if (r == 0) {
		mirror->failures_in_row = 0;
		mirror->rests_until = 0;
		end_range(mirrors, transfer, 0);
		return;
	}
	mirror->failures++;
	rest = mirror->failures_in_row < 6 ? (double)(1u << mirror->failures_in_row++) : REST_MOST;
	mirror->rests_until = seconds() + rest;
	mirror->failed = true;
	copy->missing = copy->missing || r == -ENOENT;
	/* Servers behind one address may each have a tag of their own: without it the bytes tell. */
	if (r == -ESTALE) {
		copy->tag_useless = true;
		copy->tag[0] = '\0';
	}
	mirrors->last_error = r;
	snprintf(mirrors->error, sizeof(mirrors->error), "%s: %s", mirror->base,
		 transfer->error != 0 ? transfer->why : transfer->curl_error);
	transfer->state = WAITING;
}

/* ------------------------------------------------------------------ all of them */
/* Gives each free transfer something to do. Returns how many are under way. */
static unsigned start_all(struct http_mirrors *mirrors, bool *more)
{
	unsigned active = 0;

	for (unsigned i = 0; i < HTTP_RANGES_MOST; i++) {
		struct transfer *transfer = &mirrors->transfer[i];
		int mirror = choose(mirrors);

		if (transfer->state != ACTIVE && mirror >= 0) {
			if (transfer->state == IDLE && *more) {
				*more = mirrors->ranges->next(mirrors->ranges->context, &transfer->range);
				transfer->have = 0;
				transfer->state = *more ? WAITING : IDLE;
			}
			if (transfer->state == WAITING && start(mirrors, transfer, (unsigned)mirror) < 0)
				mirrors->fatal = -ENOMEM;
		}
		active += transfer->state == ACTIVE;
	}
	return active;
}

/* The least rate of a transfer. Where another sound server could do it, it is held to more, also while it is asked alone. */
static double least_rate(const struct http_mirrors *mirrors, unsigned asked)
{
	double least = mirrors->slowest;

	for (unsigned i = 0; i < mirrors->count; i++) {
		const struct mirror *other = &mirrors->mirror[i];

		if (i == asked || other->failed || file_now(mirrors)->copy[i].missing || other->blames > mirrors->mirror[asked].blames)
			continue;
		if (least < ELSEWHERE * mirrors->slowest)
			least = ELSEWHERE * mirrors->slowest;
		if (least < other->speed / TOO_SLOW)
			least = other->speed / TOO_SLOW;
	}
	return least;
}

/* Ends what stalls or drips, and, when nothing else is left to do, what a fast server would have brought long ago. */
static void end_slow(struct http_mirrors *mirrors, bool more)
{
	double fastest = best_speed(mirrors);

	for (unsigned i = 0; i < HTTP_RANGES_MOST; i++) {
		struct transfer *transfer = &mirrors->transfer[i];
		double taken = taken_since(mirrors, &transfer->since), window = taken_since(mirrors, &transfer->window_since);
		double came = (double)(transfer->have - transfer->window_bytes);

		if (transfer->state != ACTIVE)
			continue;
		if (transfer->have == transfer->range.size) {
			/* All that was asked for, and no end of the answer: it isn't waited for. */
			finish(mirrors, transfer, 0);
		} else if (window >= mirrors->stall_seconds && came < mirrors->slowest * window) {
			refuse(transfer, -ETIMEDOUT, "it sends next to nothing");
			finish(mirrors, transfer, transfer->error);
		} else if ((window >= mirrors->stall_seconds && came < least_rate(mirrors, transfer->mirror) * window) ||
			   (!more && mirrors->count > 1 && mirrors->only < 0 && taken > 1 &&
			    (double)(transfer->have - transfer->had) / taken * TOO_SLOW < fastest)) {
			refuse(transfer, -ETIMEDOUT, "it is much slower than others");
			finish(mirrors, transfer, transfer->error);
		} else if (window >= mirrors->stall_seconds) {
			transfer->window_since = moment(mirrors);
			transfer->window_bytes = transfer->have;
		}
	}
}

/* Whether there were any. */
static bool take_messages(struct http_mirrors *mirrors)
{
	bool any = false;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(mirrors->multi, &left)) != NULL) {
		char *private = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		any = true;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		finish(mirrors, (struct transfer *)(void *)private, outcome((struct transfer *)(void *)private, code));
	}
	return any;
}

/* Nobody can be asked, or whoever reads the bytes wants no more. Whether a range was left. */
static bool give_up(struct http_mirrors *mirrors, int r)
{
	bool any = false;

	for (unsigned i = 0; i < HTTP_RANGES_MOST; i++) {
		struct transfer *transfer = &mirrors->transfer[i];

		if (transfer->state == ACTIVE)
			take_out(mirrors, transfer);
		if (transfer->state == IDLE)
			continue;
		end_range(mirrors, transfer, r);
		any = true;
	}
	return any;
}

/* Of all that may be asked. */
static bool all_missing(const struct http_mirrors *mirrors)
{
	for (unsigned i = 0; i < mirrors->count; i++)
		if (!file_now(mirrors)->copy[i].missing && (mirrors->only < 0 || mirrors->only == (int)i))
			return false;
	return true;
}

int http_mirrors_fetch(struct http_mirrors *mirrors, const struct http_ranges *ranges)
{
	bool more = true;
	int running;

	mirrors->ranges = ranges;
	mirrors->fatal = mirrors->last_error = 0;
	for (unsigned i = 0; i < mirrors->count; i++)
		mirrors->mirror[i].failed = false;
	while (start_all(mirrors, &more) > 0 && mirrors->fatal == 0) {
		if (curl_multi_perform(mirrors->multi, &running) != CURLM_OK ||
		    (!take_messages(mirrors) && curl_multi_poll(mirrors->multi, NULL, 0, 250, NULL) != CURLM_OK))
			mirrors->fatal = -EIO;
		end_slow(mirrors, more);
	}
	if (mirrors->fatal < 0) {
		give_up(mirrors, mirrors->fatal);
		return mirrors->fatal;
	}
	/* What broke off went on elsewhere, unless there is no elsewhere. */
	if (!give_up(mirrors, mirrors->last_error) && !more)
		return 0;
	return all_missing(mirrors) ? -ENOENT : mirrors->last_error == -ENOENT ? -EIO : mirrors->last_error;
}

void http_mirrors_blame(struct http_mirrors *mirrors, unsigned server)
{
	if (server >= mirrors->count)
		return;
	mirrors->mirror[server].blames++;
	snprintf(mirrors->error, sizeof(mirrors->error), "%s: it sends bytes that aren't what was signed",
		 mirrors->mirror[server].base);
}

void http_mirrors_only(struct http_mirrors *mirrors, int server)
{
	mirrors->only = server;
}

const char *http_mirrors_error(const struct http_mirrors *mirrors)
{
	return mirrors->error;
}

unsigned http_mirrors_count(const struct http_mirrors *mirrors)
{
	return mirrors->count;
}

struct http_mirror_record http_mirrors_record(const struct http_mirrors *mirrors, unsigned server)
{
	const struct mirror *mirror = &mirrors->mirror[server];

	return (struct http_mirror_record){ mirror->base, mirror->bytes, mirror->failures, mirror->blames };
}
