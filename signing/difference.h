/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a signature would change: for people who look before they sign. */
#ifndef SIGNING_DIFFERENCE_H
#define SIGNING_DIFFERENCE_H

#include <jansson.h>
#include <stdio.h>

/* What the body ("signed") `after` says otherwise than `before` (NULL: all of it is new), version and expiry apart: a list of
 *   { "change": "added", "removed" or "changed", "what": "target", "key", "threshold", "delegation" or "field", "name": …,
 *     "role": of a key or threshold, "before": …, "after": … }
 * A new reference, or NULL when out of memory. */
json_t *difference_of(const json_t *before, const json_t *after);

/* Prints a line for each change. Text from outside can't speak to the terminal. */
void difference_print_changes(FILE *to, const json_t *difference);
/* The same after role, version and expiry. */
void difference_print(FILE *to, const char *role, const json_t *before, const json_t *after, const json_t *difference);

#endif
