/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people and programs see of campaigns, plans and the state of reimages. Within control_lock; references are new, NULL when out of memory. */
#ifndef CONTROL_CAMPAIGN_VIEW_H
#define CONTROL_CAMPAIGN_VIEW_H

#include "control/campaigns.h"

#define PLAN_SECONDS (7 * INT64_C(86400)) /* without a campaign */

/* As docs/openapi.yaml's Campaign. */
json_t *campaign_describe(const struct campaign *campaign);
/* Campaign with what became of its nodes; of a running one with what is to come. */
json_t *campaign_describe_state(struct control *control, const struct campaign *campaign, int64_t now);
/* ReimagePlan: with a campaign (that needn't run yet), or NULL: by age alone. */
json_t *campaign_describe_plan(struct control *control, const struct campaign *campaign, int64_t now);
json_t *exemption_describe(const struct control *control, const struct exemption *exemption);

/* The report of control/report.h. With `since` also whether each was reimaged since then. */
json_t *reimage_report(struct control *control, int64_t since, int64_t now);

#endif
