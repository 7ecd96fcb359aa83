/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removing what no node needs any more. */
#ifndef SIGNING_PRUNE_H
#define SIGNING_PRUNE_H

#include "signing/repository.h"

/* Removes old versions of metadata (never of roots: nodes follow them one by one) and files of targets that nothing names, when
 * they were written before the time `before`: a node in the middle of an update may still want younger ones. What is staged is
 * kept. Says what it removes. 0 or -errno. */
int repository_prune(struct repository *repository, int64_t before);

#endif
