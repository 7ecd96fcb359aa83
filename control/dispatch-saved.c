// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/dispatch-deeds.h"

#include <string.h>

#include "control/order.h"

static uint64_t last_order(const struct node *node)
{
	const struct order *order = node->orders;

	while (order && order->next)
		order = order->next;
	return order ? order->number : 0;
}

int dispatch_save_node(struct dispatch_saved *saved, struct node *node)
{
	struct dispatch_saved_node *s = &saved->nodes[saved->count];
	int r;

	for (size_t i = 0; i < saved->count; i++)
		if (saved->nodes[i].node == node)
			return 0;
	*s = (struct dispatch_saved_node){ .node = node, .life = node->life, .life_since = node->life_since, .spare = node->spare,
					   .want = node->balancer_want, .history = node->history, .last_order = last_order(node) };
	strcpy(s->life_reason, node->life_reason);
	strcpy(s->boot_failure, node->boot_failure);
	strcpy(s->group, node->group);
	r = assignment_copy(&node->assignment, &s->assignment);
	if (!r)
		saved->count++;
	return r;
}

void dispatch_save_group(struct dispatch_saved *saved, struct group *group)
{
	if (saved->group)
		return;
	saved->group = group;
	saved->denied = group->denied;
}

/* Those that were given since; numbers ascend. */
static void drop_orders(struct node *node, uint64_t last)
{
	struct order **at = &node->orders;

	while (*at && (*at)->number <= last)
		at = &(*at)->next;
	order_free_all(*at);
	*at = NULL;
}

static void restore(struct dispatch_saved_node *s)
{
	struct node *node = s->node;

	node->life = s->life;
	node->life_since = s->life_since;
	strcpy(node->life_reason, s->life_reason);
	strcpy(node->boot_failure, s->boot_failure);
	strcpy(node->group, s->group);
	node->spare = s->spare;
	node->balancer_want = s->want;
	node->history = s->history;
	assignment_release(&node->assignment);
	node->assignment = s->assignment;
	drop_orders(node, s->last_order);
}

void dispatch_end_saved(struct dispatch_saved *saved, bool failed)
{
	for (size_t i = 0; i < saved->count; i++) {
		if (failed)
			restore(&saved->nodes[i]);
		else
			assignment_release(&saved->nodes[i].assignment);
	}
	if (failed && saved->group)
		saved->group->denied = saved->denied;
	*saved = (struct dispatch_saved){ 0 };
}
