// SPDX-License-Identifier: GPL-2.0-or-later
/* Planned events carried out: what is seen of the fleet, and what is done to it. */
#include "control/people.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "control/balancer.h"
#include "control/decider.h"
#include "control/deeds.h"
#include "control/journal.h"
#include "control/operator-life.h"
#include "control/orders.h"
#include "control/peers.h"
#include "control/requests.h"
#include "control/snapshot.h"

#define ORDER_SECONDS 300

/* ------------------------------------------------------------------ what is seen */

int64_t people_start_time(const struct control *control, const struct planned *event)
{
	const struct node *node = fleet_get(control->fleet, event->node);

	return node ? (int64_t)ceil(decider_start_time(control, node)) : 0;
}

static unsigned count_others(struct control *control, const struct node *node)
{
	unsigned count = 0;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *other = fleet_node(control->fleet, i);

		count += other != node && !strcmp(other->group, node->group) && peers_ready(control, other);
	}
	return count;
}

static void observe(struct control *control, const struct planned *event, int64_t now, struct planned_view *view)
{
	const struct node *node = fleet_get(control->fleet, event->node);
	const struct node *spare = event->spare[0] ? fleet_get(control->fleet, event->spare) : NULL;
	const struct group *group = node ? group_of(control->fleet, node) : NULL;

	*view = (struct planned_view){ .now = now, .start_s = people_start_time(control, event), .exists = node != NULL };
	if (!node)
		return;
	view->aside = node->life.state == LIFE_MAINTENANCE;
	view->busy = node->restart || view->aside || node->life.state == LIFE_QUARANTINED;
	view->in_group = group != NULL;
	view->serving = group ? peers_ready(control, node) : !view->aside;
	if (!group)
		return;
	view->others = count_others(control, node);
	view->minimum = group->minimum;
	view->spare_free = peers_choose_spare(control, group) != NULL;
	view->spare_serves = spare && !strcmp(spare->group, event->group) && peers_ready(control, spare);
}

/* ------------------------------------------------------------------ what is done */

static int tell(struct control *control, const struct planned *event, enum severity severity, int64_t now, const char *text)
{
	return control_event(control, now, event->node, severity, "planned", json_pack("{sI ss}", "event", (json_int_t)event->id, "step",
			     planned_step_name(event->step)), "planned %s %llu of %s: %s", planned_kind_name(event->kind),
			     (unsigned long long)event->id, dispatch_name(control, event->node), text);
}

/* One step carried out: all of it in one transaction over store and memory. */
struct carrying {
	struct control *control;
	struct planned *event;
	struct deeds deeds;
	char why[ERROR_TEXT];        /* the spare can't be taken; "": it can */
	int64_t now;
};

static int take_spare(struct carrying *c, const struct node *node)
{
	const struct node *spare = peers_choose_spare(c->control, group_of(c->control->fleet, node));
	/* Both are there for a while: the maximum is meant for what stays. */
	const struct wish wish = { .by = "plan", .reason = c->event->reason, .urgency = URGENCY_WAIT, .forced = true };
	struct request request;
	int r;

	if (!spare)
		return 0;
	strcpy(c->event->spare, spare->id);
	strcpy(c->event->group, node->group);
	r = dispatch_save_node(&c->deeds.saved, fleet_get(c->control->fleet, spare->id));
	if (!r)
		r = request_join(c->control, spare->id, node->group, &wish, &request, c->why);
	if (r == -EIO || r == -ENOMEM)
		c->why[0] = 0;
	else if (r < 0 && !c->why[0])
		strcpy(c->why, "the log says more");
	return r;
}

static int set_aside(struct control *control, struct planned *event, struct node *node, int64_t now)
{
	const struct journal_entry entry = {
		.time = now, .origin = "plan", .rule = "", .action = planned_kind_name(event->kind), .verdict = "do", .urgency = "wait",
		.node = event->node, .group = node->group, .spare = event->spare, .reason = event->reason, .state = JOURNAL_GRANTED,
	};
	char why[ERROR_TEXT] = "";
	int r = journal_add(control, &entry, &event->request);

	if (!r)
		r = life_set_aside(control, node, LIFE_MAINTAIN, event->reason, "plan", now, why);
	return r;
}

static int throw_out(struct control *control, const struct node *node, int64_t now)
{
	uint64_t number;
	int r = balancer_want(control, node->id, BALANCER_MAINT);

	if (!r)
		r = orders_give(control, node->id, "logout", NULL, true, now + ORDER_SECONDS, now, &number);
	return r == -EAGAIN || r == -ENOENT || r == -EDQUOT ? 0 : r;
}

static int clear(struct control *control, struct node *node, int64_t now)
{
	char why[ERROR_TEXT] = "";
	int r = balancer_want(control, node->id, BALANCER_READY);

	if (!r)
		r = life_set_aside(control, node, LIFE_CLEAR, "its planned window is over", "plan", now, why);
	return r == -EBUSY ? 0 : r;
}

/* Unless it was given something else to do meanwhile. */
static int release_spare(struct carrying *c)
{
	const struct wish wish = { .by = "plan", .reason = "the server that it stood in for is back", .urgency = URGENCY_WAIT };
	struct node *spare = fleet_get(c->control->fleet, c->event->spare);
	struct request request = { 0 };
	char why[ERROR_TEXT] = "", text[ERROR_TEXT + 40];
	int r;

	if (!spare || spare->spare || strcmp(spare->group, c->event->group))
		return 0;
	r = dispatch_save_node(&c->deeds.saved, spare);
	if (!r)
		r = request_leave(c->control, c->event->spare, &wish, &request, why);
	if (r == -EIO || r == -ENOMEM || (!r && !request.denied))
		return r;
	snprintf(text, sizeof text, "the spare stays in its group: %.350s", request.denied ? request.reason : why);
	return tell(c->control, c->event, SEVERITY_NOTICE, c->now, text);
}

static int tell_short(struct control *control, struct planned *event, int64_t now)
{
	return tell(control, event, SEVERITY_WARNING, now, "it can't begin: too few servers of its group would be left and no spare is free; add one"
		    " (`repave alloc`, or make another server a spare), or plan it with --force");
}

static int do_deeds(struct carrying *c, unsigned deeds)
{
	struct control *control = c->control;
	struct planned *event = c->event;
	struct node *node = fleet_get(control->fleet, event->node);
	int r = node ? dispatch_save_node(&c->deeds.saved, node) : 0;

	if (!r && node && deeds & PLANNED_TAKE_SPARE)
		r = take_spare(c, node);
	if (!r && node && deeds & PLANNED_SET_ASIDE)
		r = set_aside(control, event, node, c->now);
	if (!r && node && deeds & PLANNED_THROW_OUT)
		r = throw_out(control, node, c->now);
	if (!r && node && deeds & PLANNED_CLEAR)
		r = clear(control, node, c->now);
	if (!r && deeds & PLANNED_TELL_SHORT)
		r = tell_short(control, event, c->now);
	if (!r && deeds & PLANNED_TELL_MISSED)
		r = tell(control, event, SEVERITY_WARNING, c->now, "its window is over, and it couldn't begin");
	if (!r && deeds & PLANNED_RELEASE_SPARE)
		r = release_spare(c);
	/* Set aside it was; how it returns is told by its life. */
	if (!r && event->request && event->step == PLANNED_RETURNING)
		r = journal_follow(control, event->request, JOURNAL_DONE, 0);
	return r;
}

/* ------------------------------------------------------------------ one look */

/* What is done and that it was become durable together, or neither, and it is tried again. */
static int advance(struct carrying *c, unsigned deeds, enum planned_step before)
{
	int r = deeds_begin(&c->deeds, c->control);

	if (r < 0)
		return r;
	if (c->event->step != before)
		r = tell(c->control, c->event, SEVERITY_INFO, c->now, planned_step_name(c->event->step));
	if (!r)
		r = do_deeds(c, deeds);
	if (!r && deeds & PLANNED_NEXT)
		r = planned_next(c->event, c->now);
	if (!r)
		r = people_store(c->control);
	return deeds_end(&c->deeds, r);
}

/* It goes on without: told once. */
static int go_without_spare(struct carrying *c)
{
	char text[ERROR_TEXT + 40];
	int r;

	c->event->spare[0] = 0;
	if (c->event->told)
		return 0;
	c->event->told = true;
	snprintf(text, sizeof text, "the spare can't be taken: %.350s", c->why);
	r = store_begin(c->control->store);
	if (r < 0)
		return r;
	r = tell(c->control, c->event, SEVERITY_WARNING, c->now, text);
	if (!r)
		r = people_store(c->control);
	if (!r)
		return store_commit(c->control->store);
	store_rollback(c->control->store);
	return r;
}

static void look(struct control *control, struct planned *event, int64_t now)
{
	const struct planned was = *event;
	struct carrying carrying = { .control = control, .event = event, .now = now };
	struct planned_view view;
	unsigned deeds;
	int r;

	/* What is far away isn't worth counting servers. */
	if (event->step >= PLANNED_OVER ||
	    (event->step == PLANNED_WAITING && !event->cancelled && now < planned_begins(event, people_start_time(control, event))))
		return;
	observe(control, event, now, &view);
	deeds = planned_look(event, &view);
	if (!deeds && event->step == was.step)
		return;
	r = advance(&carrying, deeds, was.step);
	if (r < 0 && carrying.why[0])
		r = go_without_spare(&carrying);
	if (r < 0) {
		*event = was;
		log_error(r, "planned event %llu waits", (unsigned long long)event->id);
	}
}

static double users_of(struct control *control, const char *group)
{
	double users = 0;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *node = fleet_node(control->fleet, i);
		struct balancer_view view;

		if (strcmp(node->group, group) || balancer_look(control, node->id, &view) < 0)
			continue;
		users += (node->live ? node->live->figures.users : 0) + (double)(view.known ? view.sessions : 0);
	}
	return users;
}

void people_expect_group(struct control *control, const struct group *group, int64_t now, struct seen_group *seen)
{
	double users;

	/* Users are counted only where somebody asks for them. */
	if (!people_expect(control, group->name, 0, now, &users, &seen->expected_at, &seen->expected_until))
		return;
	if (people_expect(control, group->name, users_of(control, group->name), now, &users, &seen->expected_at, &seen->expected_until))
		seen->expected_users = users;
}

/* A share is of the users that there are when it begins; one that is over goes. */
static void look_at_hints(struct control *control, int64_t now)
{
	struct people *people = control->people;
	bool changed = false;

	for (size_t i = 0; i < people->hint_count;) {
		struct hint *hint = &people->hints[i];

		if (hint->until <= now) {
			memmove(hint, hint + 1, (--people->hint_count - i) * sizeof *hint);
			changed = true;
			continue;
		}
		if (hint->relative && hint->base < 0 && hint->at <= now) {
			hint->base = users_of(control, hint->group);
			changed = true;
		}
		i++;
	}
	if (changed)
		people_store(control);
}

void people_round(struct control *control, int64_t now)
{
	struct people *people = control->people;

	if (!people)
		return;
	for (size_t i = 0; i < people->event_count; i++)
		look(control, &people->events[i], now);
	look_at_hints(control, now);
	user_request_round(control, now);
}
