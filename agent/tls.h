/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS 1.2 to the control unit, or to a monitor that stands between: its certificate must be the fleet CA's for the name that we were told,
 * whatever address it has; ours is shown when it asks. Over mbedTLS; every call ends by its deadline. */
#ifndef AGENT_TLS_H
#define AGENT_TLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/bytes.h"

#define TLS_ERROR 200u

/* PEM texts. All zero is empty. */
struct credential {
	struct buffer ca, certificate, key;
};

struct tls;

/* Milliseconds of a steady clock: deadlines are times of it. */
int64_t steady_ms(void);

/* Takes what it needs of `credential`, which may be released then. NULL with a sentence in `ret_error`. */
struct tls *tls_new(const struct credential *credential, char ret_error[TLS_ERROR]);
void tls_free(struct tls *tls);

/* The other side must be `name`. 0; -EACCES when one side doesn't take the other's certificate; else -errno. The sentence is tls_error. */
int tls_connect(struct tls *tls, const char *host, const char *port, const char *name, int64_t deadline);
/* What there is, at most `size` bytes; 0 at the orderly end; -ETIMEDOUT; -EACCES: an alert; -EIO; or -errno. */
ssize_t tls_read(struct tls *tls, void *ret_data, size_t size, int64_t deadline);
/* All of it: 0 or as tls_read. */
int tls_write(struct tls *tls, const void *data, size_t size, int64_t deadline);
/* Whether something came that nobody asked for, or the end: such a connection can't be used any more. */
int tls_is_stale(struct tls *tls);
void tls_close(struct tls *tls);
const char *tls_error(const struct tls *tls);

/* When our certificate ends, seconds since 1970; and how long it counts in all. */
void tls_certificate_life(const struct tls *tls, int64_t *ret_end, int64_t *ret_seconds);
/* A request for a new certificate of the same key and subject (PKCS #10), as PEM. 0, -ENOMEM or -EIO. */
int tls_certificate_request(struct tls *tls, struct buffer *ret_pem);

#endif
