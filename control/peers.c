// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/peers.h"

#include <string.h>

#include "control/balancer.h"
#include "control/lifecycle.h"
#include "control/restart-record.h"

#define COUNT_MILLISECONDS 1000

bool peers_heard(const struct control *control, const struct node *node)
{
	return node->live && control->round_ms - node->live->heard_round_ms <= 2000 * (int64_t)node->live->interval + 1000;
}

bool peers_returning(const struct control *control, const struct node *node)
{
	/* One that was silent for long before the control unit was away isn't waited for: it is dead, or it is heard when it is. */
	return !node->live && node->life.state != LIFE_FAILED && node->identity.agent_key[0] && control->round_ms < RETURN_SECONDS * 1000;
}

static bool is_healthy(const struct control *control, const struct node *node)
{
	enum agent_health health = node->live ? node->live->figures.health : AGENT_HEALTH_UNKNOWN;

	return peers_heard(control, node) && (health == AGENT_HEALTHY || health == AGENT_HEALTH_NONE);
}

bool peers_balanced(const struct control *control, const struct node *node)
{
	const struct group *group = group_of(control->fleet, node);

	return group && group->service.offered && json_array_size(balancer_settings(control->balancer)->sockets) > 0;
}

bool peers_ready(struct control *control, const struct node *node)
{
	struct balancer_view view;

	if (node->life.state != LIFE_SERVING || node->balancer_want != BALANCER_READY || balancer_look(control, node->id, &view) < 0)
		return false;
	if (view.complete && peers_balanced(control, node))
		return view.known && view.up && view.state == BALANCER_READY;
	return is_healthy(control, node) && (!view.known || view.up);
}

bool peers_takes_users(struct control *control, const struct node *node)
{
	struct balancer_view view;

	if (balancer_look(control, node->id, &view) < 0)
		return false;
	if ((view.complete && peers_balanced(control, node)) || view.known)
		return view.known && view.up && view.state == BALANCER_READY;
	return node->balancer_want == BALANCER_READY && (node->life.state == LIFE_SERVING || node->life.state == LIFE_SUSPECT);
}

bool peers_fits(const struct control *control, const struct node *node, const struct group *group)
{
	/* One that was told to rest in this boot is about to go. */
	return peers_heard(control, node) && node->idle_off <= node->boot.updated && group_runs(group, node->boot.os_target, node->boot.app_target);
}

const struct node *peers_choose_spare(const struct control *control, const struct group *group)
{
	const struct node *chosen = NULL;
	bool fits, chosen_fits = false;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *spare = fleet_node(control->fleet, i);

		if (!spare->spare || spare->life.state == LIFE_FAILED || spare->life.state == LIFE_QUARANTINED ||
		    spare->life.state == LIFE_MAINTENANCE || spare->restart)
			continue;
		fits = peers_fits(control, spare, group);
		if (chosen && (chosen_fits > fits || (chosen_fits == fits && chosen->history.uses <= spare->history.uses)))
			continue;
		chosen = spare;
		chosen_fits = fits;
	}
	return chosen;
}

/* It is on its restart, and will be back in its group. */
static bool is_coming(const struct node *node)
{
	return node->restart && node->restart->restart.kind != RESTART_RELEASE && !node->restart->to[0];
}

const struct group_peers *peers_count(struct control *control, struct group *group, bool fresh, int64_t now)
{
	struct group_peers *peers = &group->peers;

	if (!fresh && peers->at && now - peers->at < COUNT_MILLISECONDS)
		return peers;
	*peers = (struct group_peers){ .at = now, .has_spare = peers_choose_spare(control, group) != NULL };
	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *node = fleet_node(control->fleet, i);

		if (strcmp(node->group, group->name))
			continue;
		if (peers_ready(control, node))
			peers->ready++;
		else if (is_coming(node))
			peers->returning = true;
		else if (node->life.state == LIFE_SERVING && peers_returning(control, node))
			peers->unsettled = true;
	}
	return peers;
}
