/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nodes proved, and by what it is judged, in the store. */
#ifndef CONTROL_STORE_ATTEST_H
#define CONTROL_STORE_ATTEST_H

#include "control/store.h"

/* Adds or replaces what a node proved (control/attest-record.h). 0 or -EIO. */
int store_put_attestation(struct store *store, const char *node, const json_t *state);
/* Calls `each` for every node that has one; `state` is borrowed. Stops when it returns non-zero, and returns that. */
int store_each_attestation(struct store *store, int (*each)(void *context, const char *node, json_t *state), void *context);

/* What operators trust: `kind` is "ca", "tpm", "expected", "crl" or "withdrawn", `value` an object. Putting adds or replaces: 0 or -EIO. Removing: 0, -ENOENT or -EIO. */
int store_put_trust(struct store *store, const char *kind, const char *name, const json_t *value);
int store_remove_trust(struct store *store, const char *kind, const char *name);
/* As store_each_attestation, ordered by kind and name. */
int store_each_trust(struct store *store, int (*each)(void *context, const char *kind, const char *name, json_t *value), void *context);

#endif
