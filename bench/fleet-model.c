// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/fleet-model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAY_SECONDS 600.0      /* of a user, in the mean */
#define ASKED_SECONDS 120.0     /* once asked to leave */
#define GRACE_SECONDS 600.0

double world_chance(struct world *w)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (double)(w->random >> 11) / 9007199254740992.0;
}

/* ------------------------------------------------------------------ users */

bool world_takes_users(const struct world *w, size_t i)
{
	return w->node[i].life == LIFE_SERVING && !w->node[i].busy;
}

/* Users leave by themselves; those who are asked leave sooner, and who would stay is thrown out by what comes next. */
static void leave(struct world *w)
{
	for (size_t i = 0; i < w->servers; i++) {
		const struct server *s = &w->server[i];
		double stay = s->doing == DOING_LEAVE && s->asked > 0 ? ASKED_SECONDS : STAY_SECONDS;

		w->node[i].users *= exp(-w->tick / stay);
		if (w->node[i].users < 0.5)
			w->node[i].users = 0;
		/* Until the last of them has gone, as their number falls. */
		w->node[i].release_s = w->node[i].users > 0 ? STAY_SECONDS * log(2 * w->node[i].users + 1) : 0;
	}
}

struct room {
	double there, arriving, level, below;
	size_t servers;
};

/* What of a group's servers that take users lies below the level so far. */
static void look_below(const struct world *w, struct room *rooms)
{
	for (size_t g = 0; g < w->groups; g++) {
		rooms[g].below = 0;
		rooms[g].servers = 0;
	}
	for (size_t i = 0; i < w->servers; i++) {
		struct room *room = w->node[i].group == DECIDE_NOBODY ? NULL : &rooms[w->node[i].group];

		if (!room || !world_takes_users(w, i) || w->node[i].users >= room->level)
			continue;
		room->below += w->node[i].users;
		room->servers++;
	}
}

/* Each group's newcomers fill the emptiest servers up to one level. It falls with each look, as those above it drop out. */
static void find_levels(const struct world *w, struct room *rooms)
{
	bool falls = true;

	for (size_t g = 0; g < w->groups; g++)
		rooms[g].level = USERS_HARD;
	while (falls) {
		falls = false;
		look_below(w, rooms);
		for (size_t g = 0; g < w->groups; g++) {
			double level = rooms[g].servers ? (rooms[g].below + rooms[g].arriving) / (double)rooms[g].servers : 0;

			if (level < rooms[g].level - 1e-6 && rooms[g].servers) {
				rooms[g].level = level;
				falls = true;
			}
		}
	}
}

static int arrive(struct world *w)
{
	struct room *rooms = calloc(w->groups, sizeof *rooms);

	if (!rooms)
		return -ENOMEM;
	for (size_t i = 0; i < w->servers; i++)
		if (w->node[i].group != DECIDE_NOBODY)
			rooms[w->node[i].group].there += w->node[i].users;
	for (size_t g = 0; g < w->groups; g++) {
		w->group[g].demand = w->demand(w, g);
		rooms[g].arriving = fmax(w->group[g].demand - rooms[g].there, 0);
	}
	find_levels(w, rooms);
	for (size_t i = 0; i < w->servers; i++) {
		struct room *room = w->node[i].group == DECIDE_NOBODY ? NULL : &rooms[w->node[i].group];

		if (room && world_takes_users(w, i) && w->node[i].users < room->level) {
			room->there += room->level - w->node[i].users;
			w->node[i].users = room->level;
		}
	}
	for (size_t g = 0; g < w->groups; g++) {
		w->group[g].served = rooms[g].there;
		w->group[g].denied = fmax(w->group[g].demand - rooms[g].there - 1, 0);
	}
	free(rooms);
	return 0;
}

/* ------------------------------------------------------------------ servers */

void world_boot(struct world *w, size_t i, size_t group)
{
	struct server *s = &w->server[i];
	struct seen_node *n = &w->node[i];

	if (s->asked > 0)
		w->sums.thrown_out += (size_t)n->users;
	s->doing = DOING_BOOT;
	s->until = w->now + START_SECONDS * (0.8 + 0.4 * world_chance(w)) + (n->off ? COLD_SECONDS : 0);
	s->goes_to = group;
	n->life = LIFE_BOOTING;
	n->group = group;
	n->users = 0;
	n->up = NAN;
	n->off = n->goes = n->taken = false;
}

static void become_spare(struct world *w, size_t i)
{
	struct seen_node *n = &w->node[i];

	w->server[i].doing = DOING_NOTHING;
	w->server[i].asked = w->server[i].idle = 0;
	w->server[i].stand_in = w->server[i].goes_to = DECIDE_NOBODY;
	n->life = LIFE_SPARE;
	n->group = DECIDE_NOBODY;
	n->busy = false;
	n->users = 0;
	n->up = 0;
	n->retries = n->alarms = 0;
}

/* Whoever stood in goes home once its users are gone. */
static void send_home(struct world *w, size_t i)
{
	size_t spare = w->server[i].stand_in;

	w->server[i].stand_in = DECIDE_NOBODY;
	if (spare == DECIDE_NOBODY || !world_takes_users(w, spare))
		return;
	w->node[spare].busy = w->node[spare].goes = true;
	w->server[spare].doing = DOING_LEAVE;
	w->server[spare].asked = 0;
	w->server[spare].goes_to = DECIDE_NOBODY;
}

static void serve(struct world *w, size_t i)
{
	w->server[i].doing = DOING_NOTHING;
	w->server[i].asked = 0;
	w->node[i].busy = false;
	w->node[i].alarms = 0;
	w->node[i].retries = 0;
	w->node[i].up = 0;
	if (w->server[i].goes_to == DECIDE_NOBODY) {
		become_spare(w, i);
		return;
	}
	w->node[i].life = LIFE_SERVING;
	w->seen_group[w->node[i].group].returned = (int64_t)w->now;
	send_home(w, i);
}

static void let_users_leave(struct world *w, size_t i)
{
	struct server *s = &w->server[i];
	struct seen_node *n = &w->node[i];

	/* Nobody leaves before who stands in for it serves. */
	if (s->stand_in != DECIDE_NOBODY && w->node[s->stand_in].life != LIFE_SERVING)
		return;
	if (s->asked == 0 && n->urgency >= URGENCY_NOTIFY)
		s->asked = w->now;
	if (n->users < 1 || n->urgency == URGENCY_EVICT || (s->asked > 0 && w->now - s->asked > GRACE_SECONDS))
		world_boot(w, i, s->goes_to);
}

static void go_on(struct world *w, size_t i)
{
	struct server *s = &w->server[i];
	struct seen_node *n = &w->node[i];

	if (n->life == LIFE_SERVING)
		w->sums.age_most = fmax(w->sums.age_most, n->up);
	n->up += w->tick;
	s->idle += w->tick;
	n->off = n->life == LIFE_SPARE && s->idle > OFF_SECONDS;
	if (s->doing == DOING_LEAVE)
		let_users_leave(w, i);
	else if (s->doing == DOING_BOOT && w->now >= s->until)
		serve(w, i);
	else if (s->doing == DOING_REPAIR && w->now >= s->until)
		w->fixed ? serve(w, i) : become_spare(w, i);
}

void world_fail(struct world *w, size_t i)
{
	w->node[i].life = LIFE_FAILED;
	w->node[i].busy = false;
	w->node[i].users = 0;
	w->node[i].up = NAN;
	w->server[i].doing = w->fixed ? DOING_REPAIR : DOING_NOTHING;
	w->server[i].until = w->now + REPAIR_SECONDS;
	w->sums.failures++;
}

static void break_some(struct world *w)
{
	for (size_t i = 0; i < w->servers; i++) {
		if (w->node[i].life != LIFE_SERVING)
			continue;
		if (world_chance(w) < w->failures_a_day * w->tick / 86400)
			world_fail(w, i);
		else if (world_chance(w) < w->alarms_a_day * w->tick / 86400)
			w->node[i].alarms = 1;
	}
}

int world_turn(struct world *w)
{
	int r;

	w->now += w->tick;
	leave(w);
	r = arrive(w);
	if (r < 0)
		return r;
	break_some(w);
	for (size_t i = 0; i < w->servers; i++)
		go_on(w, i);
	return w->fixed ? 0 : world_decide(w);
}

/* ------------------------------------------------------------------ beginning and end */

void world_put(struct world *w, size_t i, size_t group, double up)
{
	w->node[i].group = w->server[i].goes_to = group;
	w->node[i].life = LIFE_SERVING;
	w->node[i].up = up;
}

int world_init(struct world *w)
{
	json_t *rules = json_loads(rules_default, 0, NULL);
	char why[ERROR_TEXT];
	int r = rules ? rule_list_parse(rules, &w->rules, why) : -ENOMEM;

	json_decref(rules);
	w->told = calloc(RULES_MOST * (w->servers + w->groups), sizeof *w->told);
	w->server = calloc(w->servers, sizeof *w->server);
	w->node = calloc(w->servers, sizeof *w->node);
	w->group = calloc(w->groups, sizeof *w->group);
	w->seen_group = calloc(w->groups, sizeof *w->seen_group);
	w->cooling = calloc(COOLING_MOST, sizeof *w->cooling);
	if (r < 0 || !w->server || !w->node || !w->group || !w->seen_group || !w->cooling || !w->told)
		return -ENOMEM;
	for (size_t i = 0; i < w->servers; i++) {
		snprintf(w->server[i].id, sizeof w->server[i].id, "s%zu", i + 1);
		w->node[i] = (struct seen_node){ .id = w->server[i].id, .name = "", .due = NAN, .release_s = NAN, .site = "", .rack = "", .load = NAN,
						 .response = NAN, .warm_for = DECIDE_NOBODY };
		become_spare(w, i);
	}
	w->seen = (struct snapshot){ .nodes = w->node, .node_count = w->servers, .groups = w->seen_group, .group_count = w->groups, .rules = &w->rules,
				     .cooling = w->cooling, .spare_ratio = 0.5, .spares_least = 1, .cuts_most = 3, .cuts_within = 600 };
	return 0;
}

void world_release(struct world *w)
{
	rule_list_release(&w->rules);
	free(w->server);
	free(w->node);
	free(w->group);
	free(w->seen_group);
	free(w->cooling);
	free(w->told);
}
