/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who calls the operator's interface, what they may, and the audit log of it. */
#ifndef CONTROL_ACCESS_H
#define CONTROL_ACCESS_H

#include "control/control.h"

/* Sets of roles. */
#define MAY(role) (1u << (role))
#define MAY_SEE (MAY(ROLE_VIEWER) | MAY(ROLE_AUDITOR) | MAY(ROLE_OPERATOR) | MAY(ROLE_ADMIN))
#define MAY_OPERATE (MAY(ROLE_OPERATOR) | MAY(ROLE_ADMIN))
#define MAY_ADMINISTER MAY(ROLE_ADMIN)
#define MAY_AUDIT (MAY(ROLE_AUDITOR) | MAY(ROLE_ADMIN))

struct caller {
	char who[OPERATOR_NAME_MOST + 8]; /* "uid 0" on the socket, else the operator's name; "?" for nobody */
	const char *role;                 /* name; "none" for nobody */
	unsigned roles;                   /* a set with it alone; 0 for nobody */
	char method[16], path[80];        /* printable ASCII, cut */
};

/* Who calls, by the socket's other end or by the token. Within control_lock. 0, -ENOENT (nobody known) or -EIO. */
int access_identify(struct control *control, const struct http_call *call, struct caller *ret_caller);

/* An entry of the audit log for that call; it borrows everything. */
struct audit_entry access_entry(const struct caller *caller, const struct http_call *call, const char *what, unsigned status,
				int64_t now);

/* For struct http_service of the operator's TLS port: refuses who shows no known token, and whoever tries too many. */
void access_admit(void *context, const struct http_call *call, struct http_answer *answer);

#endif
