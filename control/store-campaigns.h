/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Campaigns and exemptions in the store. */
#ifndef CONTROL_STORE_CAMPAIGNS_H
#define CONTROL_STORE_CAMPAIGNS_H

#include "control/campaign.h"
#include "control/store.h"

#define CAMPAIGNS_KEPT 1000u
#define EXEMPTIONS_KEPT 10000u

/* Adds one without an id, which it is given, within a transaction; else replaces what is stored. 0, -ENOMEM or -EIO. */
int store_put_campaign(struct store *store, struct campaign *campaign);
/* Calls `each`, which takes the campaign over, for the newest `most`, newest first; or only for `id` unless that is 0. Stops when it returns
 * non-zero, and returns that. */
int store_each_campaign(struct store *store, uint64_t id, unsigned most, int (*each)(void *context, struct campaign *campaign), void *context);

/* The same of exemptions. */
int store_put_exemption(struct store *store, struct exemption *exemption);
/* With `open` only those that hold. */
int store_each_exemption(struct store *store, bool open, unsigned most, int (*each)(void *context, const struct exemption *exemption),
			 void *context);

#endif
