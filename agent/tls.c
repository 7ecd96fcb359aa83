/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#define DEAD_PEER_MS 20000 /* bytes that nobody acknowledges for this long: the connection is gone */

struct tls {
	mbedtls_ssl_config config;
	mbedtls_ssl_context ssl;
	mbedtls_x509_crt ca, certificate;
	mbedtls_pk_context key;
	int fd;
	int64_t deadline;
	char error[TLS_ERROR];
};

int64_t steady_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The kernel's generator needs no seed of ours. */
static int random_bytes(void *context, unsigned char *data, size_t size)
{
	(void)context;
	while (size > 0) {
		ssize_t n = getrandom(data, size, 0);

		if (n < 0 && errno != EINTR)
			return MBEDTLS_ERR_SSL_HW_ACCEL_FAILED;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

/* ------------------------------------------------------------------ bytes */
static int wait_for(const struct tls *tls, short events)
{
	struct pollfd wait = { .fd = tls->fd, .events = events };

	for (;;) {
		int64_t left = tls->deadline - steady_ms();
		int n;

		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&wait, 1, left > 1000000 ? 1000000 : (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int give_bytes(void *context, const unsigned char *data, size_t size)
{
	ssize_t n = send(((struct tls *)context)->fd, data, size, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_CONN_EOF;
	return (int)n;
}

static int take_bytes(void *context, unsigned char *data, size_t size)
{
	ssize_t n = recv(((struct tls *)context)->fd, data, size, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
	return (int)n;
}

/* Whether to call mbedTLS again: 0; else its answer `code` in our words. */
static int again(struct tls *tls, int code, const char *what)
{
	int r = -EIO;

	if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
		r = wait_for(tls, code == MBEDTLS_ERR_SSL_WANT_READ ? POLLIN : POLLOUT);
		if (r < 0)
			snprintf(tls->error, sizeof(tls->error), "%s: %s", what, r == -ETIMEDOUT ? "it takes too long" : strerror(-r));
		return r;
	}
	if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
		r = -EACCES;
		snprintf(tls->error, sizeof(tls->error), "%s: the control unit refuses this server's certificate, or has no cipher in common",
			 what);
	} else if (code == MBEDTLS_ERR_SSL_CONN_EOF) {
		snprintf(tls->error, sizeof(tls->error), "%s: the connection broke off", what);
	} else {
		snprintf(tls->error, sizeof(tls->error), "%s: TLS error -0x%04x", what, (unsigned)-code);
	}
	return r;
}

/* ------------------------------------------------------------------ credential */
static int parse_pem(struct tls *tls, const struct credential *from)
{
	/* The parser wants the NUL that ends a PEM text to be counted. */
	if (from->ca.data == NULL || mbedtls_x509_crt_parse(&tls->ca, from->ca.data, from->ca.size + 1) != 0)
		return snprintf(tls->error, sizeof(tls->error), "the CA isn't a PEM certificate"), -EINVAL;
	if (from->certificate.data == NULL ||
	    mbedtls_x509_crt_parse(&tls->certificate, from->certificate.data, from->certificate.size + 1) != 0)
		return snprintf(tls->error, sizeof(tls->error), "this server's certificate isn't in PEM"), -EINVAL;
	if (from->key.data == NULL || mbedtls_pk_parse_key(&tls->key, from->key.data, from->key.size + 1, NULL, 0) != 0 ||
	    !mbedtls_pk_can_do(&tls->key, MBEDTLS_PK_ECKEY))
		return snprintf(tls->error, sizeof(tls->error), "the key isn't an EC key in PEM"), -EINVAL;
	if (mbedtls_pk_check_pair(&tls->certificate.pk, &tls->key) != 0)
		return snprintf(tls->error, sizeof(tls->error), "key and certificate don't belong together"), -EINVAL;
	return 0;
}

static int configure(struct tls *tls)
{
	static const int ciphers[] = { MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
				       MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0 };

	if (mbedtls_ssl_config_defaults(&tls->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		return -ENOMEM;
	mbedtls_ssl_conf_rng(&tls->config, random_bytes, NULL);
	mbedtls_ssl_conf_min_version(&tls->config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_ciphersuites(&tls->config, ciphers);
	mbedtls_ssl_conf_authmode(&tls->config, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(&tls->config, &tls->ca, NULL);
	return mbedtls_ssl_conf_own_cert(&tls->config, &tls->certificate, &tls->key) != 0 ? -ENOMEM : 0;
}

struct tls *tls_new(const struct credential *credential, char ret_error[TLS_ERROR])
{
	struct tls *tls = calloc(1, sizeof(*tls));
	int r;

	snprintf(ret_error, TLS_ERROR, "out of memory");
	if (tls == NULL)
		return NULL;
	tls->fd = -1;
	mbedtls_ssl_config_init(&tls->config);
	mbedtls_ssl_init(&tls->ssl);
	mbedtls_x509_crt_init(&tls->ca);
	mbedtls_x509_crt_init(&tls->certificate);
	mbedtls_pk_init(&tls->key);
	snprintf(tls->error, sizeof(tls->error), "out of memory");
	r = parse_pem(tls, credential);
	if (r == 0)
		r = configure(tls);
	if (r == 0)
		return tls;
	memcpy(ret_error, tls->error, TLS_ERROR);
	tls_free(tls);
	return NULL;
}

void tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	tls_close(tls);
	mbedtls_pk_free(&tls->key);
	mbedtls_x509_crt_free(&tls->certificate);
	mbedtls_x509_crt_free(&tls->ca);
	mbedtls_ssl_config_free(&tls->config);
	free(tls);
}

const char *tls_error(const struct tls *tls)
{
	return tls->error;
}

/* ------------------------------------------------------------------ connection */
static int connect_one(struct tls *tls, const struct addrinfo *to)
{
	const int on = 1, idle = 20, dead = DEAD_PEER_MS;
	int error = 0, r = 0;
	socklen_t size = sizeof(error);

	tls->fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (tls->fd < 0)
		return -errno;
	setsockopt(tls->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(tls->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(tls->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(tls->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
	if (connect(tls->fd, to->ai_addr, to->ai_addrlen) < 0) {
		r = errno == EINPROGRESS ? wait_for(tls, POLLOUT) : -errno;
		if (r == 0 && getsockopt(tls->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
			r = -errno;
		if (r == 0)
			r = -error;
	}
	if (r < 0) {
		close(tls->fd);
		tls->fd = -1;
	}
	return r;
}

static int connect_tcp(struct tls *tls, const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	int code = getaddrinfo(host, port, &hints, &found), r = -EHOSTUNREACH;

	if (code != 0)
		return snprintf(tls->error, sizeof(tls->error), "%s: %s", host, gai_strerror(code)), r;
	for (const struct addrinfo *to = found; to != NULL; to = to->ai_next) {
		r = connect_one(tls, to);
		if (r == 0 || r == -ETIMEDOUT)
			break;
	}
	freeaddrinfo(found);
	if (r < 0)
		snprintf(tls->error, sizeof(tls->error), "%s port %s: %s", host, port, strerror(-r));
	return r;
}

static int explain_certificate(struct tls *tls, const char *name)
{
	uint32_t flags = mbedtls_ssl_get_verify_result(&tls->ssl);
	const char *why = "it isn't signed by this fleet's CA";
	char other[140];

	snprintf(other, sizeof(other), "it isn't for the name %.110s", name);
	if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
		why = "it has expired, or this server's clock is wrong";
	else if (flags & MBEDTLS_X509_BADCERT_FUTURE)
		why = "it isn't valid yet, or this server's clock is wrong";
	else if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
		why = other;
	else if (flags & (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE))
		why = "it isn't a server's";
	snprintf(tls->error, sizeof(tls->error), "the certificate of the control unit doesn't count: %s", why);
	return -EACCES;
}

static int shake_hands(struct tls *tls, const char *name)
{
	int code, r = 0;

	if (mbedtls_ssl_setup(&tls->ssl, &tls->config) != 0 || mbedtls_ssl_set_hostname(&tls->ssl, name) != 0)
		return -ENOMEM;
	mbedtls_ssl_set_bio(&tls->ssl, tls, give_bytes, take_bytes, NULL);
	while (r == 0 && (code = mbedtls_ssl_handshake(&tls->ssl)) != 0)
		r = code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || code == MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE ? explain_certificate(tls, name) :
			again(tls, code, "TLS");
	return r;
}

int tls_connect(struct tls *tls, const char *host, const char *port, const char *name, int64_t deadline)
{
	int r;

	tls_close(tls);
	tls->deadline = deadline;
	r = connect_tcp(tls, host, port);
	if (r == 0)
		r = shake_hands(tls, name);
	if (r < 0)
		tls_close(tls);
	return r;
}

ssize_t tls_read(struct tls *tls, void *ret_data, size_t size, int64_t deadline)
{
	tls->deadline = deadline;
	for (;;) {
		int n = mbedtls_ssl_read(&tls->ssl, ret_data, size), r;

		if (n > 0)
			return n;
		if (n == 0 || n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || n == MBEDTLS_ERR_SSL_CONN_EOF)
			return 0;
		r = again(tls, n, "waiting for the answer");
		if (r < 0)
			return r;
	}
}

int tls_write(struct tls *tls, const void *data, size_t size, int64_t deadline)
{
	tls->deadline = deadline;
	while (size > 0) {
		int n = mbedtls_ssl_write(&tls->ssl, data, size), r;

		if (n > 0) {
			data = (const char *)data + n;
			size -= (size_t)n;
			continue;
		}
		r = again(tls, n, "sending");
		if (r < 0)
			return r;
	}
	return 0;
}

int tls_is_stale(struct tls *tls)
{
	struct pollfd look = { .fd = tls->fd, .events = POLLIN };

	return tls->fd < 0 || mbedtls_ssl_get_bytes_avail(&tls->ssl) > 0 || poll(&look, 1, 0) != 0;
}

void tls_close(struct tls *tls)
{
	if (tls->fd >= 0)
		close(tls->fd);
	tls->fd = -1;
	mbedtls_ssl_free(&tls->ssl);
	mbedtls_ssl_init(&tls->ssl);
}

/* ------------------------------------------------------------------ our certificate */
static int64_t seconds_of(const mbedtls_x509_time *time)
{
	struct tm tm = { .tm_year = time->year - 1900, .tm_mon = time->mon - 1, .tm_mday = time->day, .tm_hour = time->hour,
			 .tm_min = time->min, .tm_sec = time->sec };

	return timegm(&tm);
}

void tls_certificate_life(const struct tls *tls, int64_t *ret_end, int64_t *ret_seconds)
{
	*ret_end = seconds_of(&tls->certificate.valid_to);
	*ret_seconds = *ret_end - seconds_of(&tls->certificate.valid_from);
}

int tls_certificate_request(struct tls *tls, struct buffer *ret_pem)
{
	mbedtls_x509write_csr request;
	unsigned char pem[2048];
	char subject[256];
	int r = -EIO;

	mbedtls_x509write_csr_init(&request);
	mbedtls_x509write_csr_set_key(&request, &tls->key);
	mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
	if (mbedtls_x509_dn_gets(subject, sizeof(subject), &tls->certificate.subject) > 0 &&
	    mbedtls_x509write_csr_set_subject_name(&request, subject) == 0 &&
	    mbedtls_x509write_csr_pem(&request, pem, sizeof(pem), random_bytes, NULL) == 0)
		r = buffer_add(ret_pem, pem, strlen((char *)pem));
	mbedtls_x509write_csr_free(&request);
	return r;
}
