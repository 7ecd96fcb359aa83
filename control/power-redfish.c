// SPDX-License-Identifier: GPL-2.0-or-later
/* Redfish by libcurl: a session for each piece of work, or basic authentication where there are none. TLS always, to the certificate that was
 * pinned or one that the pinned CA signed for the BMC's name; no redirect, no proxy. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/power-driver.h"
#include "control/power-text.h"

#define ANSWER_MOST (256u * 1024)
#define CONNECT_MS 10000L
#define CALL_MS 20000
#define CLOSE_MS 3000 /* must not hold up the work's end for long */
#define TOKEN_MOST 1024u

struct line {
	struct power_work *work;
	CURL *curl;
	int ca;                          /* memfd; -1 without */
	char url[POWER_HOST_MOST + 32];  /* https://HOST:PORT */
	bool closing;                    /* the work's time may be over */
	bool basic;                      /* sends user and password with each request */
	char token[TOKEN_MOST + 20];     /* "X-Auth-Token: …"; "" without a session */
	struct redfish_path session, systems, system;
	/* Of the last call. */
	struct buffer body;
	bool wrong_certificate;
	char curl_error[CURL_ERROR_SIZE];
};

/* ------------------------------------------------------------------ one call */

static size_t receive(char *data, size_t one, size_t count, void *context)
{
	struct line *line = context;
	size_t size = one * count;

	return size <= ANSWER_MOST - line->body.size && !buffer_add(&line->body, data, size) ? size : 0;
}

static size_t receive_header(char *data, size_t one, size_t count, void *context)
{
	static const char name[] = "X-Auth-Token:";
	struct line *line = context;
	size_t size = one * count, end = size;
	const size_t skip = sizeof name - 1;

	while (end && (data[end - 1] == '\r' || data[end - 1] == '\n'))
		end--;
	if (end > skip && !strncasecmp(data, name, skip) && end - skip <= TOKEN_MOST && !memchr(data, 0, end))
		snprintf(line->token, sizeof line->token, "X-Auth-Token:%.*s", (int)(end - skip), data + skip);
	return size;
}

static int check_end(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct line *line = context;

	(void)a, (void)b, (void)c, (void)d;
	return line->closing ? atomic_load(line->work->ending) : power_left(line->work) == 0;
}

/* Whether the certificate is the pinned one. */
static bool is_pinned(gnutls_session_t session, const char *fingerprint)
{
	unsigned count = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
	char text[POWER_FINGERPRINT + 1];
	uint8_t digest[32];
	size_t size = sizeof digest;

	if (!chain || count == 0 || gnutls_fingerprint(GNUTLS_DIG_SHA256, chain, digest, &size) < 0 || size != sizeof digest)
		return false;
	hex_format(digest, size, text);
	return !strcmp(text, fingerprint);
}

/* After the TLS handshake and before a byte of the request. */
static int check_certificate(void *context, char *a, char *b, int c, int d)
{
	struct line *line = context;
	struct curl_tlssessioninfo *info = NULL;

	(void)a, (void)b, (void)c, (void)d;
	if (!line->work->config->fingerprint[0])
		return CURL_PREREQFUNC_OK;
	line->wrong_certificate = curl_easy_getinfo(line->curl, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info ||
				  info->backend != CURLSSLBACKEND_GNUTLS || !info->internals ||
				  !is_pinned(info->internals, line->work->config->fingerprint);
	return line->wrong_certificate ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static void set_up_tls(struct line *line)
{
	bool by_ca = line->work->config->fingerprint[0] == 0;
	char path[32];

	curl_easy_setopt(line->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* With a pinned certificate, check_certificate says whether it is that one: its names and its end don't matter then. */
	curl_easy_setopt(line->curl, CURLOPT_SSL_VERIFYPEER, by_ca ? 1L : 0L);
	curl_easy_setopt(line->curl, CURLOPT_SSL_VERIFYHOST, by_ca ? 2L : 0L);
	curl_easy_setopt(line->curl, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(line->curl, CURLOPT_CAINFO, NULL);
	if (by_ca) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", line->ca);
		curl_easy_setopt(line->curl, CURLOPT_CAINFO, path);
	}
	curl_easy_setopt(line->curl, CURLOPT_PREREQFUNCTION, check_certificate);
	curl_easy_setopt(line->curl, CURLOPT_PREREQDATA, line);
}

static void set_up(struct line *line, int64_t milliseconds)
{
	CURL *curl = line->curl;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, line->curl_error);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "repave");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)milliseconds);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_end);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, line);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, line);
	set_up_tls(line);
}

static int add_header(struct curl_slist **headers, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*headers, text);

	if (longer)
		*headers = longer;
	return longer ? 0 : -ENOMEM;
}

static int explain(struct line *line, CURLcode code)
{
	struct power_work *work = line->work;

	if (atomic_load(work->ending))
		return -ECANCELED;
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_ABORTED_BY_CALLBACK:
		if (line->wrong_certificate) {
			refused(work->error, "the BMC shows another certificate than the pinned one; nothing was sent to it");
			return -EKEYREJECTED;
		}
		refused(work->error, "the BMC takes too long to answer");
		return -ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
		refused(work->error, "the BMC's certificate isn't good for this address under the CA that was given; nothing was sent to it");
		return -EKEYREJECTED;
	case CURLE_SSL_CACERT_BADFILE:
		refused(work->error, "the CA that was given can't be used");
		return -EINVAL;
	case CURLE_WRITE_ERROR:
		refused(work->error, "the BMC's answer is longer than %u bytes", ANSWER_MOST);
		return -EFBIG;
	case CURLE_COULDNT_RESOLVE_HOST:
		refused(work->error, "there is no host of that name");
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		refused(work->error, "the BMC doesn't answer: %s", line->curl_error);
		return -EHOSTUNREACH;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		refused(work->error, "the connection to the BMC failed: %s", line->curl_error[0] ? line->curl_error : curl_easy_strerror(code));
		return -ETIMEDOUT;
	}
}

/* `body` NULL: GET, or DELETE. The status, or -errno with a sentence when no answer came. */
static int perform(struct line *line, const char *method, const char *path, const char *body, int64_t most, bool authenticate)
{
	int64_t left = line->closing ? CLOSE_MS : power_left(line->work);
	struct curl_slist *headers = NULL;
	char url[sizeof line->url + sizeof line->system.text];
	long status = 0;
	CURLcode code;
	int r = 0;

	buffer_release(&line->body);
	line->curl_error[0] = 0;
	line->wrong_certificate = false;
	set_up(line, left < most ? (left > 0 ? left : 1) : most);
	snprintf(url, sizeof url, "%s%s", line->url, path);
	curl_easy_setopt(line->curl, CURLOPT_URL, url);
	curl_easy_setopt(line->curl, CURLOPT_CUSTOMREQUEST, method);
	if (body) {
		curl_easy_setopt(line->curl, CURLOPT_POSTFIELDS, body);
		r = add_header(&headers, "Content-Type: application/json");
	}
	if (!r)
		r = add_header(&headers, "OData-Version: 4.0");
	if (!r && authenticate && line->token[0])
		r = add_header(&headers, line->token);
	if (authenticate && line->basic) {
		curl_easy_setopt(line->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(line->curl, CURLOPT_USERNAME, line->work->config->user);
		curl_easy_setopt(line->curl, CURLOPT_PASSWORD, line->work->password);
	}
	if (!authenticate && body) {
		curl_easy_setopt(line->curl, CURLOPT_HEADERFUNCTION, receive_header);
		curl_easy_setopt(line->curl, CURLOPT_HEADERDATA, line);
	}
	curl_easy_setopt(line->curl, CURLOPT_HTTPHEADER, headers);
	if (!r) {
		code = curl_easy_perform(line->curl);
		curl_easy_getinfo(line->curl, CURLINFO_RESPONSE_CODE, &status);
		r = code == CURLE_OK ? (int)status : explain(line, code);
	}
	curl_slist_free_all(headers);
	return r;
}

/* An answer that isn't a success as an error. */
static int judge(struct line *line, int status)
{
	struct power_work *work = line->work;
	char said[160];

	if (status < 0 || (status >= 200 && status < 300))
		return status < 0 ? status : 0;
	redfish_error_parse(line->body.data, line->body.size, said);
	if (status >= 300 && status < 400) {
		refused(work->error, "the BMC wants to send us elsewhere (status %d), which isn't followed: it would get the password", status);
		return -EPROTO;
	}
	if (status == 401) {
		refused(work->error, "the BMC refuses user and password");
		return -EACCES;
	}
	if (status == 403) {
		refused(work->error, "the BMC's user may not do that%s%s", said[0] ? ": " : "", said);
		return -EPERM;
	}
	refused(work->error, "the BMC answered with status %d%s%s", status, said[0] ? ": " : "", said);
	return status == 404 ? -ENOENT : status == 400 || status == 405 || status == 501 ? -EOPNOTSUPP :
	       status == 409 || status == 503 ? -EBUSY : -EIO;
}

static int get(struct line *line, const char *path)
{
	return judge(line, perform(line, "GET", path, NULL, CALL_MS, true));
}

/* ------------------------------------------------------------------ a line */

static void close_line(void *context)
{
	struct line *line = context;

	/* BMCs have few sessions. One that can't be closed ends by itself, after half an hour or so. */
	line->closing = true;
	if (line->session.text[0] && line->token[0] && !atomic_load(line->work->ending))
		perform(line, "DELETE", line->session.text, NULL, CLOSE_MS, true);
	curl_easy_cleanup(line->curl);
	if (line->ca >= 0)
		close(line->ca);
	buffer_release(&line->body);
	explicit_bzero(line->token, sizeof line->token);
	free(line);
}

/* libcurl with GnuTLS takes a CA from a file only. */
static int hold_ca(struct line *line)
{
	const char *ca = line->work->config->ca;
	size_t size = ca ? strlen(ca) : 0;

	if (!ca)
		return 0;
	line->ca = memfd_create("bmc-ca", MFD_CLOEXEC);
	if (line->ca < 0)
		return -errno;
	return write(line->ca, ca, size) == (ssize_t)size ? 0 : -EIO;
}

/* The first try is the only one: BMCs lock accounts. */
static int log_in(struct line *line, const struct redfish_path *sessions)
{
	json_t *names = json_pack("{ss ss}", "UserName", line->work->config->user, "Password", line->work->password);
	char *body = names ? json_format(names) : NULL;
	int status = 404;

	json_decref(names);
	if (!body)
		return -ENOMEM;
	if (sessions->text[0])
		status = perform(line, "POST", sessions->text, body, CALL_MS, false);
	explicit_bzero(body, strlen(body));
	free(body);
	line->basic = status == 404 || status == 405 || status == 501;
	if (line->basic)
		return 0;
	if (status == 400) {
		refused(line->work->error, "the BMC refuses user and password");
		return -EACCES;
	}
	status = judge(line, status);
	if (status < 0)
		return status;
	redfish_session_parse(line->body.data, line->body.size, &line->session);
	if (!line->token[0]) {
		refused(line->work->error, "the BMC made a session without a token");
		return -EPROTO;
	}
	return 0;
}

static int find_system(struct line *line)
{
	int r;

	if (line->work->config->system[0]) {
		strcpy(line->system.text, line->work->config->system);
		return 0;
	}
	r = get(line, line->systems.text);
	return r ? r : redfish_only_member(line->body.data, line->body.size, &line->system, line->work->error);
}

static int begin(struct line *line)
{
	const struct power_config *config = line->work->config;
	bool brackets = strchr(config->host, ':') != NULL;
	struct redfish_path sessions;
	int r = hold_ca(line);

	if (r < 0 || !line->curl)
		return r < 0 ? r : -ENOMEM;
	snprintf(line->url, sizeof line->url, "https://%s%s%s:%u", brackets ? "[" : "", config->host, brackets ? "]" : "", config->port);
	/* The root is open to all; it says where the rest is. */
	r = judge(line, perform(line, "GET", "/redfish/v1/", NULL, CALL_MS, false));
	if (!r)
		r = redfish_root_parse(line->body.data, line->body.size, &sessions, &line->systems, line->work->error);
	if (!r)
		r = log_in(line, &sessions);
	return r ? r : find_system(line);
}

static int open_line(struct power_work *work, void **ret_line)
{
	struct line *line = calloc(1, sizeof *line);
	int r;

	if (!line)
		return -ENOMEM;
	line->work = work;
	line->ca = -1;
	line->curl = curl_easy_init();
	r = begin(line);
	if (r < 0)
		close_line(line);
	else
		*ret_line = line;
	return r;
}

static int read_system(struct line *line, struct redfish_system *ret_system)
{
	int r = get(line, line->system.text);

	return r ? r : redfish_system_parse(line->body.data, line->body.size, ret_system, line->work->error);
}

static int look(void *context, enum power_state *ret_state)
{
	struct redfish_system system;
	int r = read_system(context, &system);

	if (!r)
		*ret_state = system.state;
	return r;
}

/* The first that the system has, in the order of what is nearest to the command; 0 for none. */
static enum redfish_reset choose(const struct redfish_system *system, enum power_command command)
{
	static const enum redfish_reset ways[][2] = {
		[COMMAND_ON] = { REDFISH_ON, REDFISH_FORCE_ON },
		[COMMAND_OFF] = { REDFISH_FORCE_OFF, REDFISH_FORCE_OFF },
		[COMMAND_RESET] = { REDFISH_FORCE_RESTART, REDFISH_POWER_CYCLE },
		[COMMAND_SHUTDOWN] = { REDFISH_GRACEFUL_SHUTDOWN, REDFISH_GRACEFUL_SHUTDOWN },
	};

	for (unsigned i = 0; i < 2; i++)
		if (system->allowed & ways[command][i])
			return ways[command][i];
	return 0;
}

static int command(void *context, enum power_command command)
{
	struct line *line = context;
	struct redfish_system system;
	enum redfish_reset reset;
	char body[64];
	int r = read_system(line, &system);

	if (r < 0)
		return r;
	reset = choose(&system, command);
	if (!reset || !system.reset.text[0]) {
		refused(line->work->error, "the BMC has no such command for this system");
		return -EOPNOTSUPP;
	}
	snprintf(body, sizeof body, "{\"ResetType\":\"%s\"}", redfish_reset_name(reset));
	return judge(line, perform(line, "POST", system.reset.text, body, CALL_MS, true));
}

const struct power_driver power_driver_redfish = { open_line, look, command, close_line };
