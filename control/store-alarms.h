/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the store keeps of alarms. */
#ifndef CONTROL_STORE_ALARMS_H
#define CONTROL_STORE_ALARMS_H

#include "control/alarm-record.h"
#include "control/store.h"

/* Adds or replaces those of a node; NULL forgets them. 0, -ENOMEM or -EIO. */
int store_put_alarms(struct store *store, const char *node, const struct node_alarms *alarms);
/* Calls `each` for every node that has some. 0, its error, or -EIO. */
int store_each_alarms(struct store *store, int (*each)(void *context, const char *node, const struct node_alarms *alarms), void *context);

/* Evidence that is kept, by the cut that it was taken for; it outlives its node. */
struct evidence_row {
	uint64_t restart;
	char node[NODE_ID_SIZE + 1];
	int64_t time;                  /* seconds since 1970 */
	uint64_t bytes;
	char sha256[DIGEST_TEXT + 1];
};

/* Adds or replaces one. 0 or -EIO. */
int store_put_evidence(struct store *store, const struct evidence_row *row);
/* Calls `each` for those of a node ("": all), newest first. 0, its error, or -EIO. */
int store_each_evidence(struct store *store, const char *node, int (*each)(void *context, const struct evidence_row *row), void *context);

#endif
