// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/learned.h"
#include "control/lifecycle.h"

static int store_draft(struct control *control, struct fleet_draft *draft)
{
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	r = fleet_drafts_store(control->fleet, draft, 1);
	if (!r)
		r = learned_put_node(control, draft->node);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

static int change_draft(struct control *control, const struct group *group, struct fleet_draft *draft, char ret_error[ERROR_TEXT])
{
	json_t *change;
	int r;

	draft->joins = true;
	draft->to.spare = group == NULL;
	strcpy(draft->to.group, group ? group->name : "");
	if (!group)
		return 0;
	change = group_assignment(group);
	r = change ? fleet_draft_assign(draft, catalogue_images(control->catalogue), change, ret_error) : -ENOMEM;
	json_decref(change);
	return r;
}

int place_life(struct control *control, struct node *node, int64_t now)
{
	bool is_spare = node->life.state == LIFE_SPARE;
	int r = 0;

	if (node->spare && !is_spare)
		r = lifecycle_move(control, node, LIFE_RELEASE, now, "it is a spare");
	else if (!node->spare && is_spare)
		r = lifecycle_move(control, node, LIFE_TAKE, now, "%s%s", node->group[0] ? "it joins the group " : "it is no spare any more",
				   node->group);
	return r == -EINVAL ? 0 : r;
}

/* Spares are used in turn; and what worked for somebody isn't new any more. */
static void note_use(struct node *node, const struct group *group)
{
	if (node->spare && group)
		node->history.uses++;
	if (node->group[0] && node_runs(node))
		strcpy(node->history.used, node->boot.nonce);
}

int place_node(struct control *control, const char *id, const char *name, int64_t now, char ret_error[ERROR_TEXT])
{
	struct node *node = fleet_get(control->fleet, id);
	const struct group *group = name ? group_list_find(fleet_groups(control->fleet), name) : NULL;
	struct fleet_draft draft;
	struct history before;
	int r;

	if (!node || (name && !group)) {
		snprintf(ret_error, ERROR_TEXT, "there is no such %s any more", node ? "group" : "node");
		return -ENOENT;
	}
	r = fleet_draft_init(node, &draft);
	if (r < 0)
		return r;
	r = change_draft(control, group, &draft, ret_error);
	before = node->history;
	note_use(node, group);
	if (!r)
		r = store_draft(control, &draft);
	if (r < 0) {
		node->history = before;
		fleet_draft_release(&draft);
		return r;
	}
	fleet_drafts_adopt(control->fleet, &draft, 1, NULL);
	return place_life(control, node, now);
}
