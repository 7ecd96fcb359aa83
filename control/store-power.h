/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Power settings and jobs in the store (control/store.h). */
#ifndef CONTROL_STORE_POWER_H
#define CONTROL_STORE_POWER_H

#include "common/bytes.h"
#include "control/power-record.h"
#include "control/store.h"

/* Adds or replaces. 0 or -EIO. */
int store_put_power(struct store *store, const struct power_config *config, const char *sealed);
/* 0 with a config to release, and the sealed password added to `ret_sealed`; -ENOENT; -EIO. */
int store_get_power(struct store *store, const char *node, struct power_config *ret_config, struct buffer *ret_sealed);
/* 0, -ENOENT or -EIO. */
int store_remove_power(struct store *store, const char *node);
/* When the BMC refused the password; 0: it took it. 0 or -EIO. */
int store_note_power_refused(struct store *store, const char *node, int64_t when);
int store_count_power(struct store *store, uint64_t *ret_count);

/* Adds or replaces a job, and forgets all but the newest `keep` of its node. 0 or -EIO. */
int store_put_power_job(struct store *store, const struct power_job *job, unsigned keep);
/* 0, -ENOENT or -EIO. */
int store_get_power_job(struct store *store, uint64_t number, struct power_job *ret_job);
int store_last_power_job(struct store *store, const char *node, struct power_job *ret_job);
/* Calls `each` for each job without an end. Stops when it returns non-zero, and returns that. */
int store_each_open_power_job(struct store *store, int (*each)(void *context, const struct power_job *job), void *context);
/* The highest number of any job; 0 without. */
int store_newest_power_job(struct store *store, uint64_t *ret_number);

#endif
