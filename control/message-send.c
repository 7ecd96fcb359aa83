// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/message-send.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/md.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "control/message-program.h"
#include "control/message-text.h"

#define ANSWER_MOST (64u * 1024)
#define SECRET_MOST 4096u
#define URL_FILE_MOST 4096u

/* One try. */
struct sending {
	const struct message_target *target;
	const atomic_bool *ending;
	char *error;
	size_t answered; /* bytes */
};

static int fail(struct sending *s, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(struct sending *s, int error, const char *format, ...)
{
	char text[2 * MESSAGE_ERROR_MOST];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	text_copy_printable(text, MESSAGE_ERROR_MOST, s->error);
	return error;
}

/* ------------------------------------------------------------------ files of the administrator */

/* That nobody else may have written; a secret nobody else may read either. */
static int check_file(struct sending *s, const char *path, bool is_secret)
{
	struct stat info;

	if (stat(path, &info) < 0)
		return fail(s, -errno, "can't use %s: %s", path, strerror(errno));
	if (!S_ISREG(info.st_mode))
		return fail(s, -EINVAL, "%s is no file", path);
	if ((info.st_uid != 0 && info.st_uid != geteuid()) || info.st_mode & 022)
		return fail(s, -EPERM, "%s could be changed by others; make it root's, with chmod go-w", path);
	if (is_secret && info.st_mode & 07)
		return fail(s, -EPERM, "%s can be read by everybody; chmod o-rwx", path);
	return 0;
}

/* Its first line. The caller wipes and releases. */
static int load_line(struct sending *s, const char *path, size_t most, struct buffer *ret_line)
{
	int r = check_file(s, path, true);

	if (r < 0)
		return r;
	r = file_load(path, most, ret_line);
	if (r < 0)
		return fail(s, r, "can't read %s: %s", path, strerror(-r));
	if (ret_line->data)
		ret_line->data[strcspn((char *)ret_line->data, "\r\n")] = 0;
	ret_line->size = ret_line->data ? strlen((char *)ret_line->data) : 0;
	return ret_line->size ? 0 : fail(s, -EINVAL, "%s is empty", path);
}

static void wipe(struct buffer *secret)
{
	if (secret->data)
		explicit_bzero(secret->data, secret->size);
	buffer_release(secret);
}

/* ------------------------------------------------------------------ webhook */

static size_t receive(char *data, size_t one, size_t count, void *context)
{
	struct sending *s = context;

	(void)data;
	s->answered += one * count;
	return s->answered <= ANSWER_MOST ? one * count : 0;
}

static int check_end(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct sending *s = context;

	(void)a, (void)b, (void)c, (void)d;
	return atomic_load(s->ending);
}

static int add_header(struct curl_slist **headers, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*headers, text);

	if (longer)
		*headers = longer;
	return longer ? 0 : -ENOMEM;
}

/* HMAC-SHA256 of the body with the file's first line as the key. */
static int add_signature(struct sending *s, const struct buffer *body, struct curl_slist **headers)
{
	char line[sizeof MESSAGE_SIGNATURE_HEADER ": sha256=" + 64] = MESSAGE_SIGNATURE_HEADER ": sha256=";
	struct buffer secret = { 0 };
	uint8_t digest[32];
	int r = load_line(s, s->target->secret_file, SECRET_MOST, &secret);

	if (!r && mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), secret.data, secret.size, body->data, body->size, digest))
		r = -ENOMEM;
	wipe(&secret);
	if (r < 0)
		return r;
	hex_format(digest, sizeof digest, line + strlen(line));
	return add_header(headers, line);
}

static int make_headers(struct sending *s, const char *id, const struct buffer *body, struct curl_slist **ret_headers)
{
	char line[sizeof MESSAGE_ID_HEADER ": " + MESSAGE_ID_SIZE];
	int r;

	snprintf(line, sizeof line, "%s: %s", MESSAGE_ID_HEADER, id);
	r = add_header(ret_headers, line);
	if (!r)
		r = add_header(ret_headers, "Content-Type: application/json");
	if (!r)
		r = add_header(ret_headers, "Expect:");
	return r || !s->target->secret_file ? r : add_signature(s, body, ret_headers);
}

/* Of a URL from a file, the same is asked as of one in the fleet file, but for secrets. */
static bool scheme_allowed(const char *url)
{
	CURLU *parts = curl_url();
	char *scheme = NULL;
	bool ok = parts && !curl_url_set(parts, CURLUPART_URL, url, 0) && !curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) && !strcmp(scheme, "https");

	curl_free(scheme);
	curl_url_cleanup(parts);
	return ok;
}

static void set_up(struct sending *s, CURL *curl, char curl_error[CURL_ERROR_SIZE])
{
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, curl_error);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "repave");
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)s->target->timeout);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_end);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, s);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (s->target->ca_file) {
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(curl, CURLOPT_CAINFO, s->target->ca_file);
	}
}

static int post(struct sending *s, CURL *curl, const char *url, const struct curl_slist *headers, const struct buffer *body)
{
	char curl_error[CURL_ERROR_SIZE] = "";
	long status = 0;
	CURLcode code;

	set_up(s, curl, curl_error);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body->size);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return -ECANCELED;
	/* Its status is its word; what else it says doesn't matter. */
	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && s->answered > ANSWER_MOST))
		return fail(s, code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO, "%s", curl_error[0] ? curl_error : curl_easy_strerror(code));
	if (status >= 300 && status < 400)
		return fail(s, -EIO, "it answered with status %ld; redirects aren't followed, so give the address that it leads to", status);
	return status >= 200 && status < 300 ? 0 : fail(s, -EIO, "it answered with status %ld", status);
}

static int send_webhook(struct sending *s, const char *id, const json_t *facts)
{
	struct buffer body = { 0 }, url = { 0 };
	struct curl_slist *headers = NULL;
	CURL *curl = NULL;
	int r = message_body(s->target, id, facts, &body);

	if (!r && s->target->url_file)
		r = load_line(s, s->target->url_file, URL_FILE_MOST, &url);
	if (!r && s->target->url_file && !scheme_allowed((char *)url.data))
		r = fail(s, -EINVAL, "%s must hold an https URL", s->target->url_file);
	if (!r && s->target->ca_file)
		r = check_file(s, s->target->ca_file, false);
	if (!r)
		r = make_headers(s, id, &body, &headers);
	if (!r)
		r = (curl = curl_easy_init()) ? post(s, curl, s->target->url_file ? (char *)url.data : s->target->url, headers, &body) : -ENOMEM;
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	buffer_release(&body);
	wipe(&url);
	return r;
}

/* ------------------------------------------------------------------ programs */

static int run(struct sending *s, const char *const words[], const struct buffer *input)
{
	struct message_program program = { .words = words, .input = input, .seconds = s->target->timeout, .ending = s->ending };
	int r = message_program_run(&program);

	if (r == -ECANCELED)
		return r;
	if (r == -ETIMEDOUT)
		return fail(s, r, "%s took longer than %u s, and was killed", words[0], s->target->timeout);
	if (r < 0)
		return fail(s, r, "can't run %s: %s", words[0], strerror(-r));
	if (program.status == 0)
		return 0;
	return fail(s, -EIO, "%s %s %d%s%.120s", words[0], program.is_signal ? "was ended by signal" : "ended with status", program.status,
		    program.said[0] ? ": " : "", program.said);
}

/* Addresses of the fleet file are on its command line; what a message tells isn't. */
static int send_mail(struct sending *s, const char *id, const json_t *facts)
{
	const char *words[MESSAGE_ADDRESSES_MOST + 6] = { s->target->sendmail ? s->target->sendmail : MESSAGE_SENDMAIL, "-i", "-f", s->target->from, "--" };
	struct buffer mail = { 0 };
	int r = check_file(s, words[0], false);

	for (size_t i = 0; i < json_array_size(s->target->mail) && i < MESSAGE_ADDRESSES_MOST; i++)
		words[5 + i] = json_string_value(json_array_get(s->target->mail, i));
	if (!r)
		r = message_mail(s->target, id, facts, &mail);
	if (!r)
		r = run(s, words, &mail);
	buffer_release(&mail);
	return r;
}

static int send_command(struct sending *s, const char *id, const json_t *facts)
{
	const char *const words[] = { s->target->command, NULL };
	struct buffer body = { 0 };
	int r = check_file(s, words[0], false);

	if (!r)
		r = message_body(s->target, id, facts, &body);
	if (!r)
		r = run(s, words, &body);
	buffer_release(&body);
	return r;
}

int message_send(const struct message_target *target, const char *id, const json_t *facts, const atomic_bool *ending,
		 char ret_error[MESSAGE_ERROR_MOST + 1])
{
	struct sending s = { target, ending, ret_error, 0 };
	int r = -EINVAL;

	ret_error[0] = 0;
	switch (target->way) {
	case MESSAGE_WEBHOOK: r = send_webhook(&s, id, facts); break;
	case MESSAGE_MAIL: r = send_mail(&s, id, facts); break;
	case MESSAGE_COMMAND: r = send_command(&s, id, facts); break;
	}
	if (r < 0 && !ret_error[0])
		fail(&s, r, "%s", strerror(-r));
	return r;
}
