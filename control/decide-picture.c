// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/decide-work.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add_known(double value, double *sum, size_t *count)
{
	if (isnan(value))
		return;
	*sum += value;
	(*count)++;
}

/* Will serve without anybody's doing. */
static bool is_coming(const struct seen_node *node)
{
	switch (node->life) {
	case LIFE_ENROLLED:
	case LIFE_BOOTING:
	case LIFE_REBOOTING:
	case LIFE_SUSPECT:
		return true;
	case LIFE_SERVING:
	case LIFE_DRAINING:
		return node->busy && !node->goes;
	default:
		return false;
	}
}

static void tally_node(struct tally *tally, const struct seen_node *node)
{
	tally->members++;
	tally->ready += decide_is_ready(node);
	tally->coming += is_coming(node);
	tally->leaving += node->busy && !node->goes;
	/* Users of one that is being drained will be somebody's. */
	add_known(node->users, &tally->users, &tally->known_users);
	if (!decide_is_ready(node))
		return;
	tally->strange += isnan(node->users);
	add_known(node->load, &tally->load, &tally->known_load);
	add_known(node->response, &tally->response, &tally->known_response);
}

void decide_leaves(struct work *w, const struct seen_node *node, bool returns)
{
	struct tally *tally = decide_tally(w, node->group);

	if (decide_is_ready(node)) {
		tally->ready--;
		tally->coming += returns;
	} else if (is_coming(node) && !returns) {
		tally->coming--;
	}
}

/* ------------------------------------------------------------------ what is to come */

/* A hint counts when a server that was started now would serve in that time at least as long as its start takes. */
static bool is_worth_a_start(const struct snapshot *seen, const struct seen_group *group)
{
	double serves = fmax((double)seen->now + group->start_s, (double)group->expected_at);

	return group->expected_until && (double)group->expected_until - serves >= group->start_s;
}

double decide_users_in(const struct work *w, size_t group, double seconds)
{
	const struct seen_group *seen = &w->seen->groups[group];
	double users = w->tallies[group].users + seen->trend * seen->start_s;

	if (is_worth_a_start(w->seen, seen) && (double)(seen->expected_at - w->seen->now) <= seconds)
		users = fmax(users, seen->expected_users);
	return users;
}

bool decide_peak_passes(const struct work *w, size_t group)
{
	const struct seen_group *seen = &w->seen->groups[group];

	return seen->expected_at <= w->seen->now && w->seen->now < seen->expected_until && !is_worth_a_start(w->seen, seen) &&
	       w->tallies[group].users <= seen->expected_users;
}

/* ------------------------------------------------------------------ orders */

static int compare_ages(const void *a, const void *b)
{
	const struct aged *first = a, *second = b;

	if (first->age != second->age)
		return first->age > second->age ? -1 : 1;
	return first->node < second->node ? -1 : 1;
}

static int compare_keys(const struct cooling *a, const struct cooling *b)
{
	if (a->rule != b->rule)
		return a->rule < b->rule ? -1 : 1;
	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	return a->group < b->group ? -1 : a->group > b->group;
}

static int compare_cooling(const void *a, const void *b)
{
	return compare_keys(*(const struct cooling *const *)a, *(const struct cooling *const *)b);
}

bool decide_cools(const struct work *w, size_t rule, size_t node, size_t group)
{
	const struct cooling wanted = { .rule = rule, .node = node, .group = group }, *key = &wanted;

	return w->cooling_count && bsearch(&key, w->cooling, w->cooling_count, sizeof key, compare_cooling);
}

static double share_of(double value, double limit)
{
	return limit > 0 && !isnan(value) ? value / limit : 0;
}

static double pressure_of(const struct work *w, size_t group)
{
	const double *limits = w->seen->groups[group].policy.limits;
	const struct tally *tally = &w->tallies[group];
	double servers = (double)(tally->ready + tally->coming), pressure;

	pressure = share_of(fmax(tally->users, decide_users_in(w, group, w->seen->groups[group].start_s)) / fmax(servers, 1), limits[LIMIT_USERS_HIGH]);
	if (tally->known_load)
		pressure = fmax(pressure, share_of(tally->load / (double)tally->known_load, limits[LIMIT_LOAD_HIGH]));
	if (tally->known_response)
		pressure = fmax(pressure, share_of(tally->response / (double)tally->known_response, limits[LIMIT_RESPONSE_HIGH]));
	return pressure;
}

struct asked {
	unsigned priority;
	double pressure;
	size_t group;
};

static int compare_asked(const void *a, const void *b)
{
	const struct asked *first = a, *second = b;

	if (first->priority != second->priority)
		return first->priority > second->priority ? -1 : 1;
	if (first->pressure < second->pressure || first->pressure > second->pressure)
		return first->pressure > second->pressure ? -1 : 1;
	return first->group < second->group ? -1 : 1;
}

static int order_groups(struct work *w)
{
	struct asked *asked = calloc(w->seen->group_count + 1, sizeof *asked);

	if (!asked)
		return -ENOMEM;
	for (size_t i = 0; i < w->seen->group_count; i++) {
		w->tallies[i].pressure = pressure_of(w, i);
		asked[i] = (struct asked){ w->seen->groups[i].policy.priority, w->tallies[i].pressure, i };
	}
	qsort(asked, w->seen->group_count, sizeof *asked, compare_asked);
	for (size_t i = 0; i < w->seen->group_count; i++)
		w->order[i] = asked[i].group;
	free(asked);
	return 0;
}

/* ------------------------------------------------------------------ racks and sites */

static size_t hash(const char *text)
{
	uint64_t value = 0xcbf29ce484222325u;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 0x100000001b3u;
	return (size_t)(value ^ value >> 32);
}

static int places_init(struct places *places, size_t nodes)
{
	places->slots = 1;
	while (places->slots < 2 * nodes + 2)
		places->slots *= 2;
	places->heads = calloc(places->slots, sizeof *places->heads);
	places->of = calloc(nodes + 1, sizeof *places->of);
	places->value = calloc(nodes + 1, sizeof *places->value);
	return places->heads && places->of && places->value ? 0 : -ENOMEM;
}

static void places_release(struct places *places)
{
	free(places->heads);
	free(places->of);
	free(places->value);
}

static const char *name_of(const struct places *places, const struct snapshot *seen, size_t node)
{
	return places->racks ? seen->nodes[node].rack : seen->nodes[node].site;
}

/* Where `name` is, or belongs. */
static size_t *slot_of(const struct places *places, const struct snapshot *seen, const char *name)
{
	size_t at = hash(name) & (places->slots - 1);

	while (places->heads[at] && strcmp(name_of(places, seen, places->heads[at] - 1), name))
		at = (at + 1) & (places->slots - 1);
	return &places->heads[at];
}

size_t decide_places_add(struct places *places, const struct snapshot *seen, size_t node)
{
	const char *name = name_of(places, seen, node);
	size_t *slot;

	places->of[node] = DECIDE_NOBODY;
	if (!name || !name[0])
		return DECIDE_NOBODY;
	slot = slot_of(places, seen, name);
	if (!*slot)
		*slot = node + 1;
	places->of[node] = *slot - 1;
	return places->of[node];
}

size_t decide_places_find(const struct places *places, const struct snapshot *seen, const char *name)
{
	size_t *slot = name && name[0] ? slot_of(places, seen, name) : NULL;

	return slot && *slot ? *slot - 1 : DECIDE_NOBODY;
}

/* ------------------------------------------------------------------ beginning and end */

static void count_node(struct work *w, size_t node)
{
	const struct seen_node *n = &w->seen->nodes[node];
	uint64_t rules = decide_node_rules(w->seen, node);
	double age = n->up + n->jitter;

	if (rules)
		w->oldest[w->oldest_count++] = (struct aged){ isnan(age) ? -1 : age, rules, node };
	w->returning |= n->busy || n->taken || (n->group == DECIDE_NOBODY && is_coming(n));
	tally_node(decide_tally(w, n->group), n);
	if (n->group != DECIDE_NOBODY)
		tally_node(&w->fleet, n);
	else if (decide_is_free_spare(n))
		w->spares[w->spare_room++] = (struct spare){ .off = n->off, .uses = n->uses, .node = node };
	if (w->by_rack) {
		size_t rack = decide_places_add(&w->racks, w->seen, node);

		if (rack != DECIDE_NOBODY)
			w->racks.value[rack] += n->busy && !n->goes;
	}
}

static void count_nodes(struct work *w)
{
	for (size_t i = 0; i < w->seen->node_count; i++)
		count_node(w, i);
	w->spare_count = w->spare_room;
	qsort(w->oldest, w->oldest_count, sizeof *w->oldest, compare_ages);
}

static int begin_racks(struct work *w)
{
	for (size_t i = 0; i < w->seen->group_count; i++)
		w->by_rack |= w->seen->groups[i].policy.rack_pace > 0;
	w->racks.racks = true;
	return w->by_rack ? places_init(&w->racks, w->seen->node_count) : 0;
}

static void sort_by_group(struct work *w)
{
	size_t at = 0;

	for (size_t g = 0; g <= w->seen->group_count; g++) {
		w->tallies[g].first = w->tallies[g].end = at;
		at += w->tallies[g].members;
	}
	for (size_t i = 0; i < w->seen->node_count; i++)
		w->members[decide_tally(w, w->seen->nodes[i].group)->end++] = i;
}

static void keep_cooling(struct work *w)
{
	for (size_t i = 0; i < w->seen->cooling_count; i++)
		if (w->seen->cooling[i].until > w->seen->now)
			w->cooling[w->cooling_count++] = &w->seen->cooling[i];
	qsort(w->cooling, w->cooling_count, sizeof *w->cooling, compare_cooling);
}

int decide_begin(struct work *w, const struct snapshot *seen)
{
	w->seen = seen;
	w->tallies = calloc(seen->group_count + 1, sizeof *w->tallies);
	w->order = calloc(seen->group_count + 1, sizeof *w->order);
	w->decided = calloc(seen->node_count + 1, sizeof *w->decided);
	w->spares = calloc(seen->node_count + 1, sizeof *w->spares);
	w->oldest = calloc(seen->node_count + 1, sizeof *w->oldest);
	w->members = calloc(seen->node_count + 1, sizeof *w->members);
	w->spare_at = calloc(seen->node_count + 1, sizeof *w->spare_at);
	w->donors = calloc(seen->group_count + 1, sizeof *w->donors);
	w->cooling = calloc(seen->cooling_count + 1, sizeof *w->cooling);
	if (!w->tallies || !w->order || !w->decided || !w->spares || !w->oldest || !w->members || !w->spare_at || !w->cooling || !w->donors ||
	    places_init(&w->sites, seen->node_count) < 0 || begin_racks(w) < 0)
		return -ENOMEM;
	count_nodes(w);
	sort_by_group(w);
	keep_cooling(w);
	for (size_t i = 0; i < seen->group_count; i++) {
		w->tallies[i].cuts = seen->groups[i].cuts;
		w->donors[w->donor_count++] = i;
	}
	w->tallies[seen->group_count].cuts = seen->spare_cuts;
	return order_groups(w);
}

void decide_end(struct work *w)
{
	free(w->tallies);
	free(w->order);
	free(w->decided);
	free(w->spares);
	free(w->oldest);
	free(w->members);
	free(w->spare_at);
	free(w->cooling);
	free(w->donors);
	places_release(&w->sites);
	places_release(&w->racks);
}
