/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Byte ranges of one file from several servers that should all have it, over few connections and several at once.
 *
 * Servers are not trusted: they are held to what was asked for (status 206, Content-Range, length), to a least rate, to few redirects and
 * short headers. A range that breaks off goes on elsewhere from where it was. Faster servers get more. Who reads the bytes finds
 * out whether they are the right ones, and tells by http_mirrors_blame. */
#ifndef COMMON_HTTP_MIRRORS_H
#define COMMON_HTTP_MIRRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_MIRRORS_MOST 16u
#define HTTP_RANGES_MOST 6u           /* in flight */
#define HTTP_RANGES_PER_MIRROR 4u

/* Bytes of the file that are asked for at once. */
struct http_range {
	uint64_t offset;
	uint64_t size;
	void *cookie; /* the asker's own */
};

/* Who asks. All is called from the thread that fetches. */
struct http_ranges {
	/* The next range to fetch; false: there are no more. */
	bool (*next)(void *context, struct http_range *ret_range);
	/* Bytes of a range, in order; `server` sent them. Never more than were asked for. A negative return value ends the fetch with
	 * that error. May wait: meanwhile no server counts as slow. */
	int (*data)(void *context, void *cookie, unsigned server, const uint8_t *data, size_t size);
	/* For each range that `next` gave: all of it came (0), or not (-errno). */
	void (*end)(void *context, void *cookie, int result);
	void *context;
};

struct http_mirrors; /* keeps connections; not for several threads at once */

struct http_mirrors_options {
	const char *user_agent;   /* NULL: "repave" */
	const char *proxy;        /* as http_proxy_ok has it; NULL or "": none */
	unsigned connect_seconds; /* 0: 10 */
	unsigned stall_seconds;   /* over this time a transfer must have … 0: 15 */
	unsigned slowest;         /* … so many bytes per second; 0: 1024. While there is another server to ask, 64 times as many, and no
				   * less than an eighth of what that one was seen to give */
};

/* `bases` (as http_mirror_ok has them): 1 to HTTP_MIRRORS_MOST. Strings are copied. NULL when out of memory, or
 * with another number. */
struct http_mirrors *http_mirrors_new(const char *const *bases, unsigned count, const struct http_mirrors_options *options);
void http_mirrors_free(struct http_mirrors *mirrors);

/* The file, below each base ("/targets/…"), and its size (0: not known). Of this one and the one before it is remembered who
 * lacks it, and which copy (ETag) each server has. 0 or -ENOMEM. */
int http_mirrors_file(struct http_mirrors *mirrors, const char *path, uint64_t size);

/* Fetches all ranges that `ranges` asks for. 0; -ENOENT when no server has the file; -EPROTO, -EBADMSG (what came isn't an answer to
 * what was asked), -ESTALE (the last server's file changed since its first answer), -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH, -EIO; or what `data` returned. */
int http_mirrors_fetch(struct http_mirrors *mirrors, const struct http_ranges *ranges);

/* Server `server` sent wrong bytes: it is asked again only when there is no better one. */
void http_mirrors_blame(struct http_mirrors *mirrors, unsigned server);

/* From now on only `server` is asked, or with -1 all are again: to find out whom to blame. */
void http_mirrors_only(struct http_mirrors *mirrors, int server);

/* What went wrong last, in a sentence. */
const char *http_mirrors_error(const struct http_mirrors *mirrors);

struct http_mirror_record {
	const char *base; /* valid as long as the mirrors */
	uint64_t bytes;
	unsigned failures; /* transfers that broke off */
	unsigned blames;
};

unsigned http_mirrors_count(const struct http_mirrors *mirrors);
struct http_mirror_record http_mirrors_record(const struct http_mirrors *mirrors, unsigned server);

#endif
