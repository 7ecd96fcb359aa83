/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A key of this machine and the certificate that the fleet's authority gave for it: of the node (kept in STATE), or of its agent (of one
 * boot). And what to do with them. Pure, but for random numbers of the kernel.
 *
 *                                        200
 *   made ──> asks by token ────────────────────────────> speaks by it ── half of its life is over ──┐
 *             ^   │ 202: waits     ^                       │  ^                                      │
 *             └───┘ 403: pause     └── 401, 403: to boot ──┘  └──── 200: another for the same key ───┘
 */
#ifndef PROVISIONER_CREDENTIAL_H
#define PROVISIONER_CREDENTIAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"

#define CREDENTIAL_KEY_MOST 512u          /* PEM of a P-256 key (RFC 5915), the NUL included: 228 */
#define CREDENTIAL_CERTIFICATE_MOST 4096u /* PEM, the NUL included */
#define CREDENTIAL_REQUEST_MOST 1024u     /* PEM of a request for one, the NUL included: about 420 */
#define CREDENTIAL_ERROR 160u

/* Holds a secret: to be wiped with credential_wipe. All zero is none. */
struct credential {
	char key[CREDENTIAL_KEY_MOST];                 /* "": none */
	char certificate[CREDENTIAL_CERTIFICATE_MOST]; /* "": asked for, or yet to be */
	int64_t from, until;                           /* seconds since 1970 in which it counts */
};

/* A new key on P-256, without a certificate. 0 or -EIO. */
int credential_make(struct credential *ret_credential);
void credential_wipe(struct credential *credential);

/* Whether the two halves of the key belong together: what anybody may have written is to be asked before it is used in a request. Slow. */
bool credential_sound(const struct credential *credential);

/* A request for a certificate (PKCS #10, RFC 2986) for `name`, signed by the key. 0 or -EIO. */
int credential_request(const struct credential *credential, const char *name, char ret_pem[CREDENTIAL_REQUEST_MOST]);

/* Takes a certificate that somebody says is for this key, `name` (CN) and `unit` (OU: "node" or "agent"). 0; -EINVAL with a sentence, and
 * the credential is as it was. */
int credential_take(struct credential *credential, const char *certificate, const char *name, const char *unit,
		    char ret_error[CREDENTIAL_ERROR]);

/* The member "identity" of STATE (docs/protocol.md), which is no evidence of anything: what is another node's, or no key, is left out, and
 * so is a certificate that isn't this key's. 0 with a key, and a sentence where its certificate had to be left out; -ENOENT without a key,
 * with a sentence, which is "" when there is no such member. */
int credential_parse(const json_t *member, const char *node, struct credential *ret_credential, char ret_error[CREDENTIAL_ERROR]);
/* A new reference, or NULL. */
json_t *credential_format(const struct credential *credential, const char *node);

/* ------------------------------------------------------------------ what to do */
enum credential_step {
	CREDENTIAL_ENROL,  /* it can't speak for this node: ask by token */
	CREDENTIAL_RENEW,  /* it can; ask for a fresh one by it */
	CREDENTIAL_USE,
};

/* At the time `now` of this machine's own clock. A certificate that is over, or isn't valid yet, is shown all the same: it may be that clock
 * that is wrong, and the control unit says so when it isn't. */
enum credential_step credential_step(const struct credential *credential, int64_t now);

enum credential_next {
	CREDENTIAL_HAVE,     /* the answer holds the certificate */
	CREDENTIAL_WAIT,     /* the control unit says how long */
	CREDENTIAL_REFUSED,  /* until an operator does something */
	CREDENTIAL_LATER,    /* the control unit can't now */
	CREDENTIAL_GO_ON,    /* with the certificate that is there */
};

/* What follows from the answer to a question of `step` (not CREDENTIAL_USE). */
enum credential_next credential_next(enum credential_step step, unsigned status);
/* Whether an answer to another question says that the certificate doesn't count (any more). */
bool credential_refused(unsigned status);

#endif
