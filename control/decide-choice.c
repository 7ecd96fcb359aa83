// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/decide-work.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nobody is sent home when more are expected within this time, in seconds: going and coming costs two boots. */
#define LOOK_AHEAD 600.0

static bool same(const char *a, const char *b)
{
	return a && b && a[0] && !strcmp(a, b);
}

const char *decide_node_name(const struct seen_node *node)
{
	return node->name && node->name[0] ? node->name : node->id;
}

/* ------------------------------------------------------------------ who comes */

bool decide_fits(const struct work *w, size_t node, size_t group)
{
	const struct policy *policy = &w->seen->groups[group].policy;
	const struct seen_node *n = &w->seen->nodes[node];

	return !policy->place_only || ((!policy->site[0] || same(n->site, policy->site)) && (!policy->rack[0] || same(n->rack, policy->rack)));
}

static int compare_spares(const void *a, const void *b)
{
	const struct spare *first = a, *second = b;

	if (first->off != second->off)
		return first->off ? 1 : -1;
	if (first->uses != second->uses)
		return first->uses < second->uses ? -1 : 1;
	return first->node < second->node ? -1 : 1;
}

/* When the first is asked for: in most rounds none is. */
static void sort_spares(struct work *w)
{
	if (w->spares_sorted)
		return;
	w->spares_sorted = true;
	qsort(w->spares, w->spare_room, sizeof *w->spares, compare_spares);
	for (size_t i = 0; i < w->spare_room; i++) {
		size_t node = w->spares[i].node;

		w->spare_at[node] = i;
		w->any_warm |= w->seen->nodes[node].warm_for < w->seen->group_count;
		/* Whoever stands for the site is the first of it. */
		if (decide_places_add(&w->sites, w->seen, node) == node)
			w->sites.value[node] = i;
	}
}

/* From where on to look, and for spares of which site only: those before it are gone, or stand elsewhere. */
static size_t begin_looking(struct work *w, const char *site, size_t *ret_site)
{
	size_t *at = &w->spare_first;

	*ret_site = decide_places_find(&w->sites, w->seen, site);
	if (*ret_site != DECIDE_NOBODY)
		at = &w->sites.value[*ret_site];
	while (*at < w->spare_room && (w->spares[*at].gone || (*ret_site != DECIDE_NOBODY && w->sites.of[w->spares[*at].node] != *ret_site)))
		(*at)++;
	return *at;
}

/* The first in order that fits; of those like it in wear, one in the group's rack, then one that holds its images. */
static size_t find_spare(const struct work *w, size_t group, size_t from, size_t site)
{
	const char *rack = w->seen->groups[group].policy.rack;
	size_t best = SIZE_MAX;
	unsigned best_rank = 0;

	for (size_t i = from; i < w->spare_room; i++) {
		const struct spare *s = &w->spares[i], *b = best == SIZE_MAX ? NULL : &w->spares[best];
		const struct seen_node *n = &w->seen->nodes[s->node];
		bool alike = b && s->off == b->off && s->uses == b->uses;
		unsigned rank;

		if (s->gone || (site != DECIDE_NOBODY && w->sites.of[s->node] != site) || !decide_fits(w, s->node, group))
			continue;
		if (b && (best_rank >= 2 || !rack[0]) && (best_rank % 2 || !w->any_warm || !alike))
			break;
		rank = 2u * same(n->rack, rack) + (n->warm_for == group);
		if (b && (rank / 2 < best_rank / 2 || (rank / 2 == best_rank / 2 && !(alike && rank > best_rank))))
			continue;
		best = i;
		best_rank = rank;
	}
	return best;
}

static size_t best_spare(struct work *w, size_t group, const char *site)
{
	size_t of, from, found = SIZE_MAX;

	sort_spares(w);
	from = begin_looking(w, site, &of);
	if (of != DECIDE_NOBODY)
		found = find_spare(w, group, from, of);
	if (found != SIZE_MAX)
		return found;
	return find_spare(w, group, begin_looking(w, NULL, &of), DECIDE_NOBODY);
}

static void spare_is_gone(struct work *w, size_t at)
{
	w->spares[at].gone = true;
	w->spare_count--;
}

size_t decide_take_spare(struct work *w, size_t group, const char *site)
{
	const struct policy *policy = &w->seen->groups[group].policy;
	size_t at;

	if (!w->spare_count)
		return DECIDE_NOBODY;
	at = best_spare(w, group, policy->site[0] ? policy->site : site);
	if (at == SIZE_MAX)
		return DECIDE_NOBODY;
	spare_is_gone(w, at);
	w->decided[w->spares[at].node] = true;
	if (!w->taken || policy->priority > w->top_taker)
		w->top_taker = policy->priority;
	w->taken = true;
	return w->spares[at].node;
}

void decide_forget_spare(struct work *w, size_t node)
{
	if (!decide_is_free_spare(&w->seen->nodes[node]))
		return;
	sort_spares(w);
	if (!w->spares[w->spare_at[node]].gone)
		spare_is_gone(w, w->spare_at[node]);
}

/* ------------------------------------------------------------------ who goes */

/* Those who stay would carry all of it, and not just so. */
static bool rest_is_enough(const struct work *w, size_t group, double rest)
{
	const struct seen_group *seen = &w->seen->groups[group];
	const double *limits = seen->policy.limits;
	const struct tally *tally = &w->tallies[group];
	double users = fmax(fmax(tally->users, seen->users_most), decide_users_in(w, group, LOOK_AHEAD));
	double load = tally->known_load ? fmax(tally->load / (double)tally->known_load, seen->load_most) * (double)tally->ready / rest : 0;

	if (limits[LIMIT_USERS_HIGH] > 0 && users / rest > FULL_ENOUGH * limits[LIMIT_USERS_HIGH])
		return false;
	if (limits[LIMIT_LOAD_HIGH] > 0 && load > FULL_ENOUGH * limits[LIMIT_LOAD_HIGH])
		return false;
	return !(limits[LIMIT_RESPONSE_HIGH] > 0 && tally->known_response &&
		 tally->response / (double)tally->known_response > FULL_ENOUGH * limits[LIMIT_RESPONSE_HIGH]);
}

bool decide_can_spare_one(const struct work *w, size_t group, bool pressed)
{
	const struct policy *policy = &w->seen->groups[group].policy;
	const struct tally *tally = &w->tallies[group];

	if (!tally->ready || tally->grows || tally->ready <= policy->minimum)
		return false;
	if (tally->strange && tally->known_users)
		return false;
	if (tally->ready == 1)
		return tally->users == 0 && tally->known_users && !tally->coming;
	return pressed || rest_is_enough(w, group, (double)(tally->ready - 1));
}

struct ease {
	bool used, stays_long;
	double users, release;
	size_t node;
};

/* Nobody there first; then not those whose users would have to be thrown out; then fewer users, then a shorter time. Unknown is much. */
static struct ease ease_of(const struct work *w, size_t node)
{
	const struct seen_node *n = &w->seen->nodes[node];
	double grace = w->seen->groups[n->group].policy.grace;
	struct ease ease = { .users = isnan(n->users) ? INFINITY : n->users, .release = isnan(n->release_s) ? INFINITY : n->release_s, .node = node };

	ease.used = ease.users > 0;
	ease.stays_long = ease.used && grace > 0 && n->release_s > grace;
	return ease;
}

static int compare_ease(const struct ease *a, const struct ease *b)
{
	if (a->used != b->used)
		return a->used ? 1 : -1;
	if (a->stays_long != b->stays_long)
		return a->stays_long ? 1 : -1;
	if (a->users < b->users || a->users > b->users)
		return a->users < b->users ? -1 : 1;
	if (a->release < b->release || a->release > b->release)
		return a->release < b->release ? -1 : 1;
	return a->node < b->node ? -1 : 1;
}

static int compare_members(const void *a, const void *b, void *of)
{
	const struct ease first = ease_of(of, *(const size_t *)a), second = ease_of(of, *(const size_t *)b);

	return compare_ease(&first, &second);
}

static bool may_leave(const struct work *w, size_t node)
{
	const struct seen_node *n = &w->seen->nodes[node];

	return decide_is_ready(n) && !n->exempt && !n->alarms && !w->decided[node];
}

size_t decide_find_leaver(struct work *w, size_t group, size_t taker, size_t *ret_second)
{
	struct tally *tally = &w->tallies[group];
	size_t found = DECIDE_NOBODY;

	*ret_second = DECIDE_NOBODY;
	if (!tally->sorted)
		qsort_r(w->members + tally->first, tally->end - tally->first, sizeof *w->members, compare_members, w);
	tally->sorted = true;
	while (tally->first < tally->end && !may_leave(w, w->members[tally->first]))
		tally->first++;
	for (size_t i = tally->first; i < tally->end; i++) {
		size_t node = w->members[i];

		if (!may_leave(w, node) || (taker != DECIDE_NOBODY && !decide_fits(w, node, taker)))
			continue;
		if (found != DECIDE_NOBODY) {
			*ret_second = node;
			break;
		}
		found = node;
	}
	return found;
}

static bool is_easier(const struct work *w, size_t node, size_t than)
{
	struct ease a, b;

	if (node == DECIDE_NOBODY || than == DECIDE_NOBODY)
		return than == DECIDE_NOBODY && node != DECIDE_NOBODY;
	a = ease_of(w, node);
	b = ease_of(w, than);
	return compare_ease(&a, &b) < 0;
}

/* Nothing that is decided in a round makes a group more able to do without a server. */
static bool can_give(struct work *w, size_t group, bool pressed)
{
	if (pressed)
		return true;
	if (!w->tallies[group].tight)
		w->tallies[group].tight = !decide_can_spare_one(w, group, false);
	return !w->tallies[group].tight;
}

size_t decide_find_donor(struct work *w, size_t taker, bool pressed, size_t *ret_second)
{
	unsigned priority = w->seen->groups[taker].policy.priority;
	size_t best = DECIDE_NOBODY, second = DECIDE_NOBODY, kept = 0;

	for (size_t i = 0; i < w->donor_count; i++) {
		size_t g = w->donors[i], next, node;

		if (!decide_can_spare_one(w, g, true))
			continue;
		w->donors[kept++] = g;
		if (g == taker || !can_give(w, g, pressed || w->seen->groups[g].policy.priority < priority))
			continue;
		node = decide_find_leaver(w, g, taker, &next);
		if (is_easier(w, node, best)) {
			second = is_easier(w, next, best) ? next : best;
			best = node;
		} else if (is_easier(w, node, second)) {
			second = node;
		}
	}
	w->donor_count = kept;
	*ret_second = second;
	return best;
}

void decide_describe_leaver(const struct seen_node *node, char ret_text[128])
{
	char users[32] = "nobody knows how many users", release[48] = "unknown time to release";

	if (!isnan(node->users))
		snprintf(users, sizeof users, "%.0f users", node->users);
	if (!isnan(node->release_s))
		snprintf(release, sizeof release, "%.0f s to release", node->release_s);
	snprintf(ret_text, 128, "%.40s: %s, %s", decide_node_name(node), users, release);
}
