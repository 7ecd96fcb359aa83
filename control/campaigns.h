/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Campaigns and exemptions of a running control unit (control/campaign.h): stored before they count, so that they go on after its own
 * restart. One campaign runs at a time. All within control_lock. */
#ifndef CONTROL_CAMPAIGNS_H
#define CONTROL_CAMPAIGNS_H

#include "control/campaign.h"
#include "control/control.h"

struct campaigns;

/* Takes up what runs. 0 or -errno. */
int campaigns_load(struct control *control, struct campaigns **ret_campaigns);
/* NULL is nothing. */
void campaigns_free(struct campaigns *campaigns);

/* How far a node is in a campaign. */
enum reach {
	REACH_NONE,      /* isn't meant */
	REACH_DONE,      /* its system was started by stage 1 since the campaign began */
	REACH_UNDER_WAY,
	REACH_WAITS,
	REACH_EXEMPT,
	REACH_OFF,       /* a spare that doesn't run: it gets its images when it starts */
	REACH_ASIDE,     /* quarantined, in maintenance, or never started */
	REACH_FAILED,
	REACHES
};
enum reach campaign_reach(const struct control *control, const struct campaign *campaign, const struct node *node, int64_t now);
/* "done", "under way", "waits" … */
const char *reach_name(enum reach reach);

/* NULL while none runs. Borrowed. */
const struct campaign *campaigns_running(const struct control *control);
/* Whether no plan may reimage the node. */
bool exemption_holds(const struct control *control, const struct node *node, int64_t now);
/* Its exemption; NULL without. Borrowed. */
const struct exemption *exemption_of(const struct control *control, const char *node, int64_t now);
/* Sets `exempt` of the nodes (by their ids), and `due` as campaign_see wants it; `campaign` may be NULL, and needn't run. */
void campaigns_mark(const struct control *control, const struct campaign *campaign, int64_t now, struct seen_node *nodes, size_t node_count);
/* For a snapshot: that, and what the running campaign asks of nodes and groups. 0 or -ENOMEM. */
int campaigns_fill(const struct control *control, int64_t now, struct seen_group *groups, size_t group_count, struct seen_node *nodes,
		   size_t node_count);

/* Reads what a person asks for, with names of nodes made ids. 0 (the caller releases), -EINVAL, -ENOENT or -ENOTUNIQ with a sentence, -ENOMEM. */
int campaigns_parse(const struct control *control, const json_t *body, const char *by, int64_t now, struct campaign *ret_campaign,
		    char ret_error[ERROR_TEXT]);
/* Starts one, which is taken over. 0; -EBUSY with a sentence while another runs; -EIO. */
int campaigns_start(struct control *control, struct campaign *campaign, int64_t now, char ret_error[ERROR_TEXT]);
/* Ends the beginning of new ones at once; with `cancels` those before their shutdown are cancelled too, as many as `ret_cancelled`. `id` 0: the
 * running one. 0; -ENOENT, -EBUSY with a sentence; -EIO. */
int campaigns_stop(struct control *control, uint64_t id, const char *by, bool cancels, int64_t now, size_t *ret_cancelled,
		   uint64_t *ret_id, char ret_error[ERROR_TEXT]);
/* Goes on with one that was stopped (0: the newest of them), with another deadline unless that is 0. The same errors, -EINVAL. */
int campaigns_resume(struct control *control, uint64_t id, int64_t deadline, const char *by, int64_t now, uint64_t *ret_id,
		     char ret_error[ERROR_TEXT]);

/* Stores it, in the place of one that holds for the node. 0 or -EIO. */
int exemptions_add(struct control *control, struct exemption *exemption, int64_t now);
/* 0; -ENOENT with a sentence; -EIO. */
int exemptions_end(struct control *control, const char *node, const char *by, int64_t now, char ret_error[ERROR_TEXT]);

/* Each second: ends campaigns that are done and exemptions that expired, and tells of a deadline that passed. Takes the lock itself. */
void campaigns_round(struct control *control);

#endif
