// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/learned.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "control/restart-record.h"
#include "control/store-journal.h"

#define NEWEST_WEIGHT 0.3     /* of the mean of what was measured before, and the newest */
#define COOLING_MOST 20000u
#define COOLING_NAME 200u

/* ------------------------------------------------------------------ groups */

static size_t find_place(const struct learned *learned, const char *name)
{
	size_t low = 0, high = learned->group_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(learned->groups[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct learned_group *learned_group(struct learned *learned, const char *name)
{
	size_t at = find_place(learned, name);
	struct learned_group *grown;

	if (at < learned->group_count && !strcmp(learned->groups[at].name, name))
		return &learned->groups[at];
	grown = reallocarray(learned->groups, learned->group_count + 1, sizeof *grown);
	if (!grown)
		return NULL;
	learned->groups = grown;
	memmove(&grown[at + 1], &grown[at], (learned->group_count - at) * sizeof *grown);
	learned->group_count++;
	grown[at] = (struct learned_group){ .release = NAN };
	snprintf(grown[at].name, sizeof grown[at].name, "%s", name);
	return &grown[at];
}

int learned_put_group(struct control *control, const struct learned_group *group)
{
	json_t *value = json_pack("{sI sb}", "returned", (json_int_t)group->returned, "denies", group->denies);
	int r;

	if (value && !isnan(group->release))
		json_object_set_new(value, "release", json_real(group->release));
	r = value ? store_put_memory(control->store, "group", group->name, value) : -ENOMEM;
	json_decref(value);
	return r;
}

void learned_tidy(struct control *control, struct learned *learned, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < learned->group_count; i++) {
		struct learned_group *group = &learned->groups[i];

		if (group_list_find(fleet_groups(control->fleet), group->name))
			learned->groups[kept++] = *group;
		else
			store_put_memory(control->store, "group", group->name, NULL);
	}
	learned->group_count = kept;
	kept = 0;
	for (size_t i = 0; i < learned->cooling_count; i++) {
		const struct learned_cooling *c = &learned->cooling[i];
		char name[COOLING_NAME];

		if (c->until > now) {
			learned->cooling[kept++] = *c;
			continue;
		}
		snprintf(name, sizeof name, "%s/%s/%s", c->node, c->group, c->rule);
		store_put_memory(control->store, "cooling", name, NULL);
	}
	learned->cooling_count = kept;
}

/* ------------------------------------------------------------------ times */

static void images_of(const char *os, const char *app, char ret_images[LEARNED_IMAGES_MOST + 1])
{
	/* Without versions: a new one isn't quite another image. */
	snprintf(ret_images, LEARNED_IMAGES_MOST + 1, "%.*s %.*s", (int)strcspn(os, "@"), os, (int)strcspn(app, "@"), app);
}

static struct learned_start *find_start(const struct learned *learned, const char *images)
{
	for (size_t i = 0; i < learned->start_count; i++)
		if (!strcmp(learned->starts[i].images, images))
			return &learned->starts[i];
	return NULL;
}

double learned_start_of(const struct learned *learned, const char *os, const char *app)
{
	char images[LEARNED_IMAGES_MOST + 1];
	const struct learned_start *start;

	images_of(os, app, images);
	start = find_start(learned, images);
	return start ? start->seconds : START_SECONDS_DEFAULT;
}

double learned_start_time(const struct learned *learned, const struct group *group)
{
	return learned_start_of(learned, group->os, group->app);
}

static int set_start(struct learned *learned, const char *images, double seconds)
{
	struct learned_start *start = find_start(learned, images);

	if (!start) {
		start = reallocarray(learned->starts, learned->start_count + 1, sizeof *start);
		if (!start)
			return -ENOMEM;
		learned->starts = start;
		start = &start[learned->start_count++];
		snprintf(start->images, sizeof start->images, "%s", images);
	}
	start->seconds = seconds;
	return 0;
}

static double mean_with(double before, double newest)
{
	return isnan(before) ? newest : before + NEWEST_WEIGHT * (newest - before);
}

static int note_start(struct control *control, struct learned *learned, const struct node *node, double seconds)
{
	char images[LEARNED_IMAGES_MOST + 1];
	const struct learned_start *before;
	json_t *value;
	int r;

	images_of(node->assignment.os, node->assignment.app, images);
	before = find_start(learned, images);
	seconds = mean_with(before ? before->seconds : NAN, seconds);
	value = json_pack("{sf}", "seconds", seconds);
	r = value ? store_put_memory(control->store, "start", images, value) : -ENOMEM;
	json_decref(value);
	return r < 0 ? r : set_start(learned, images, seconds);
}

/* Seconds of the steps from `first` to `last`; NAN when it didn't go through the first. */
static double seconds_of(const struct restart_record *record, enum restart_step first, enum restart_step last)
{
	double seconds = NAN;
	const json_t *step;
	size_t i;

	json_array_foreach(record->steps, i, step) {
		enum restart_step which;

		if (restart_step_parse(json_string_value(json_object_get(step, "step")), &which) < 0 || which < first || which > last)
			continue;
		seconds = (isnan(seconds) ? 0 : seconds) + json_number_value(json_object_get(step, "seconds"));
	}
	return seconds;
}

int learned_note_restart(struct control *control, struct learned *learned, const struct restart_record *record, int64_t now)
{
	double start = seconds_of(record, RESTART_AT_SHUTDOWN, RESTART_AT_READY),
	       release = seconds_of(record, RESTART_AT_RELEASE, RESTART_AT_RELEASE);
	const struct node *node = fleet_get(control->fleet, record->node);
	struct learned_group *group = node && node->group[0] ? learned_group(learned, node->group) : NULL;
	int r = 0;

	if (!node || record->restart.step != RESTART_DONE)
		return 0;
	if (record->restart.kind != RESTART_RELEASE && !isnan(start) && node->assignment.os[0])
		r = note_start(control, learned, node, start);
	if (r < 0 || !group)
		return r;
	if (record->restart.kind != RESTART_RELEASE)
		group->returned = now;
	if (!isnan(release))
		group->release = mean_with(group->release, release);
	return learned_put_group(control, group);
}

/* ------------------------------------------------------------------ cooling */

static int add_cooling(struct learned *learned, const struct learned_cooling *added)
{
	struct learned_cooling *grown;

	for (size_t i = 0; i < learned->cooling_count; i++) {
		struct learned_cooling *c = &learned->cooling[i];

		if (!strcmp(c->rule, added->rule) && !strcmp(c->node, added->node) && !strcmp(c->group, added->group)) {
			c->until = added->until;
			return 0;
		}
	}
	if (learned->cooling_count == COOLING_MOST)
		return 0;
	grown = reallocarray(learned->cooling, learned->cooling_count + 1, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	learned->cooling = grown;
	grown[learned->cooling_count++] = *added;
	return 0;
}

int learned_cool(struct control *control, struct learned *learned, const char *rule, const char *node, const char *group, int64_t until)
{
	struct learned_cooling added = { .until = until };
	json_t *value = json_pack("{ss ss ss sI}", "rule", rule, "node", node, "group", group, "until", (json_int_t)until);
	char name[COOLING_NAME];
	int r;

	snprintf(added.rule, sizeof added.rule, "%s", rule);
	snprintf(added.node, sizeof added.node, "%s", node);
	snprintf(added.group, sizeof added.group, "%s", group);
	snprintf(name, sizeof name, "%s/%s/%s", node, group, rule);
	r = value ? store_put_memory(control->store, "cooling", name, value) : -ENOMEM;
	json_decref(value);
	return r < 0 ? r : add_cooling(learned, &added);
}

/* ------------------------------------------------------------------ nodes and loading */

int learned_put_node(struct control *control, const struct node *node)
{
	json_t *value = history_format(&node->history);
	int r = value ? store_put_memory(control->store, "node", node->id, value) : -ENOMEM;

	json_decref(value);
	return r;
}

struct loading {
	struct control *control;
	struct learned *to;
};

static int load_group(struct learned *learned, const char *name, const json_t *value)
{
	const json_t *release = json_object_get(value, "release");
	struct learned_group *group = learned_group(learned, name);

	if (!group)
		return -ENOMEM;
	group->returned = json_integer_value(json_object_get(value, "returned"));
	group->denies = json_is_true(json_object_get(value, "denies"));
	if (json_is_number(release) && json_number_value(release) >= 0)
		group->release = json_number_value(release);
	return 0;
}

static int load_cooling(struct learned *learned, const json_t *value)
{
	const char *rule = json_get_string(value, "rule"), *node = json_get_string(value, "node"), *group = json_get_string(value, "group");
	struct learned_cooling c = { .until = json_integer_value(json_object_get(value, "until")) };

	if (!rule || !node || !group)
		return -EINVAL;
	snprintf(c.rule, sizeof c.rule, "%s", rule);
	snprintf(c.node, sizeof c.node, "%s", node);
	snprintf(c.group, sizeof c.group, "%s", group);
	return add_cooling(learned, &c);
}

static int load_one(void *context, const char *kind, const char *name, const json_t *value)
{
	const struct loading *loading = context;
	struct node *node;
	int r = 0;

	if (!strcmp(kind, "group"))
		r = load_group(loading->to, name, value);
	else if (!strcmp(kind, "start"))
		r = set_start(loading->to, name, json_number_value(json_object_get(value, "seconds")));
	else if (!strcmp(kind, "cooling"))
		r = load_cooling(loading->to, value);
	else if (!strcmp(kind, "node") && (node = fleet_get(loading->control->fleet, name)))
		r = history_parse(value, &node->history);
	return r == -EINVAL ? store_damaged(loading->control->store, "what was learned makes no sense") : r;
}

int learned_load(struct control *control, struct learned *ret_learned)
{
	struct loading loading = { control, ret_learned };

	*ret_learned = (struct learned){ 0 };
	return store_each_memory(control->store, load_one, &loading);
}

void learned_release(struct learned *learned)
{
	free(learned->groups);
	free(learned->starts);
	free(learned->cooling);
	*learned = (struct learned){ 0 };
}
