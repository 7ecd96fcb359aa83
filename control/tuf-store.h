/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control unit's own trusted metadata: STATE/tuf/ROLE.json, one file per role. */
#ifndef CONTROL_TUF_STORE_H
#define CONTROL_TUF_STORE_H

#include "signing/client.h"

/* A store in `state`/tuf (`state` is borrowed and must outlive it). A role's name comes from signed metadata: in file names it is
 * percent-encoded, so that no name leads to another place. */
struct tuf_store tuf_store_of(const char *state);

#endif
