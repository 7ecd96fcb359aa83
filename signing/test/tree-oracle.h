/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jansson as the judge of signing/json.h and signing/canonical.h, for a test and for fuzzing. */
#ifndef SIGNING_TEST_TREE_ORACLE_H
#define SIGNING_TEST_TREE_ORACLE_H

#include <stddef.h>

/* NULL when both readers agree on the text, on all that it means, and on its canonical form; or what they don't agree on.
 * What they may disagree on: jansson nests deeper, and holds no numbers beyond int64 and double and no NUL in keys.
 * *ret_accepted is counted up when both accept. */
const char *tree_compare_with_jansson(const void *text, size_t size, unsigned *ret_accepted);

#endif
