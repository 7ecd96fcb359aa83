// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/handover.h"

#include <errno.h>
#include <string.h>

#include "control/groups.h"

/* One that serves for the same group, or that a restart may take in its place. */
static bool somebody_else(const struct control *control, const struct node *node)
{
	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *other = fleet_node(control->fleet, i);

		if (other != node && (other->spare || (!strcmp(other->group, node->group) && other->life.state == LIFE_SERVING &&
						       other->balancer_want == BALANCER_READY)))
			return true;
	}
	return false;
}

int handover_check(const struct control *control, const char *text, char ret_error[ERROR_TEXT])
{
	const struct group *group;
	const struct node *node;
	int r = fleet_find(control->fleet, text, &node, ret_error);

	if (r < 0)
		return r;
	group = group_list_find(fleet_groups(control->fleet), node->group);
	if (!group || !group->service.shared)
		return refused(ret_error, "its present users can't be handed over: %s%s%s", group ? "the service of its group " : "it is in no group with ",
			       group ? group->name : "a service", group ? " doesn't say `sessions: shared`, that any of its servers can go on with them" : "");
	if (!somebody_else(control, node))
		return refused(ret_error, "there is nobody to hand its users over to: no other server of group %s serves, and there is no spare", group->name);
	return 0;
}
