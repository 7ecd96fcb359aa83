// SPDX-License-Identifier: GPL-2.0-or-later
/* fleet [--scene day|fig4] [--servers N] [--groups N] [--hours N] [--seed N] [--tick SECONDS] [--fixed] [--decisions]: a fleet's day, decided by
 * control/decide.c, without machines. To standard output: a line of JSON for each five minutes, with --decisions one for each decision,
 * and one with the sums. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/fleet-model.h"

#define SPARE_SHARE 0.25
#define LINE_SECONDS 300

/* ------------------------------------------------------------------ a day of many servers */

/* Two humps a day, each group at its own hour, and what nobody foresees. */
static double demand_of_day(struct world *w, size_t g)
{
	const struct group *group = &w->group[g];
	double hour = fmod(w->now / 3600 + group->phase, 24), day = exp(-pow((hour - 11) / 2.5, 2)) + 0.8 * exp(-pow((hour - 19) / 2.0, 2));

	return group->peak * (0.08 + 0.92 * fmin(day, 1)) * (1 + 0.02 * (world_chance(w) - 0.5));
}

static void begin_day(struct world *w)
{
	size_t working = (size_t)((double)w->servers * (1 - SPARE_SHARE));

	w->demand = demand_of_day;
	for (size_t g = 0; g < w->groups; g++) {
		struct group *group = &w->group[g];

		snprintf(group->name, sizeof group->name, "g%zu", g);
		group->most = working / w->groups;
		group->peak = (double)group->most * USERS_HIGH * 0.95;
		group->phase = 8 * world_chance(w) - 4;
		w->seen_group[g] = (struct seen_group){
			.name = group->name, .window_open = true, .trend = NAN, .start_s = START_SECONDS + COLD_SECONDS,
			.policy = { .limits = { [LIMIT_FIRST] = 3600, [LIMIT_SECOND] = 7200, [LIMIT_USERS_HIGH] = USERS_HIGH,
						[LIMIT_USERS_LOW] = 0.7 * USERS_HIGH }, .minimum = 2, .pace_share = 0.2, .grace = 600 },
		};
	}
	for (size_t i = 0; i < w->servers; i++) {
		w->node[i].jitter = 0.2 * 3600 * world_chance(w);
		if (i < (w->fixed ? w->group[0].most * w->groups : w->servers / 4))
			world_put(w, i, i % w->groups, 3600 * world_chance(w));
	}
}

/* ------------------------------------------------------------------ figure 4 */

/* Application 2 on OS 1 has its peak from the third to the fourth hour. */
static double demand_of_fig4(struct world *w, size_t g)
{
	double minutes = w->now / 60, up = fmin(fmax((minutes - 180) / 10, 0), 1), down = fmin(fmax((minutes - 240) / 10, 0), 1);

	return 120 + (g == 1 ? 480 * (up - down) : 0);
}

static void begin_fig4(struct world *w)
{
	static const char *const names[] = { "ap1-os1", "ap2-os1", "ap1-os2", "ap2-os2" };

	w->demand = demand_of_fig4;
	w->failures_a_day = w->alarms_a_day = 0;
	for (size_t g = 0; g < w->groups; g++) {
		strcpy(w->group[g].name, names[g]);
		w->group[g].most = g == 1 ? 2 : 1;
		w->seen_group[g] = (struct seen_group){
			.name = names[g], .window_open = true, .trend = NAN, .start_s = START_SECONDS,
			.policy = { .limits = { [LIMIT_FIRST] = 9300, [LIMIT_SECOND] = 18600, [LIMIT_USERS_HIGH] = USERS_HIGH, [LIMIT_USERS_LOW] = 100 },
				    .minimum = 1, .pace = 1, .grace = 600 },
		};
		world_put(w, g, g, 0);
	}
}

/* s3 fails in the second hour, and s1 is attacked in the sixth. */
static void play_fig4(struct world *w)
{
	if (w->now - w->tick < 3600 && w->now >= 3600)
		world_fail(w, 2);
	if (w->now - w->tick < 18400 && w->now >= 18400)
		w->node[0].alarms = 1;
}

/* ------------------------------------------------------------------ figures */

static void count(struct world *w)
{
	double hours = w->tick / 3600;
	size_t *serving = calloc(w->groups, sizeof *serving);

	if (!serving)
		exit(1);
	for (size_t i = 0; i < w->servers; i++) {
		const struct seen_node *n = &w->node[i];

		if (n->group != DECIDE_NOBODY && n->life == LIFE_SERVING)
			serving[n->group]++;
		w->sums.server_hours += n->group != DECIDE_NOBODY ? hours : 0;
		w->sums.powered_hours += !n->off && w->server[i].doing != DOING_REPAIR ? hours : 0;
	}
	for (size_t g = 0; g < w->groups; g++) {
		w->sums.below_minimum += serving[g] < w->seen_group[g].policy.minimum;
		w->sums.user_hours += w->group[g].served * hours;
		w->sums.denied_hours += w->group[g].denied * hours;
		w->sums.static_hours += (double)w->group[g].most * hours;
	}
	free(serving);
}

static void print_line(const struct world *w)
{
	double demand = 0, served = 0, denied = 0;
	size_t serving = 0, powered = 0, steady = 0;

	for (size_t g = 0; g < w->groups; g++) {
		demand += w->group[g].demand;
		served += w->group[g].served;
		denied += w->group[g].denied;
		steady += w->group[g].most;
	}
	for (size_t i = 0; i < w->servers; i++) {
		serving += world_takes_users(w, i);
		powered += !w->node[i].off && w->server[i].doing != DOING_REPAIR;
	}
	printf("{\"hour\": %.4f, \"demand\": %.0f, \"served\": %.0f, \"denied\": %.1f, \"capacity\": %.0f, \"static\": %.0f, \"serving\": %zu, \"powered\": %zu}\n",
	       w->now / 3600, demand, served, denied, (double)serving * USERS_HIGH, (double)steady * USERS_HIGH, serving, powered);
}

/* As the journal keeps it: what can't be done, or waits, is told once, and again after it was otherwise. */
static bool is_news(const struct world *w, const struct decision *d)
{
	size_t whom = d->node == DECIDE_NOBODY ? w->servers + d->group : d->node;
	double *last = &w->told[d->rule * (w->servers + w->groups) + whom], before = *last;

	*last = w->now;
	return d->verdict == VERDICT_DO || d->verdict == VERDICT_HURRY || w->now - before > 1.5 * w->tick;
}

static void tell(const struct world *w, const struct decision *d)
{
	if (!is_news(w, d))
		return;
	printf("{\"at\": %.0f, \"verdict\": \"%s\", \"action\": \"%s\", \"rule\": \"%s\", \"node\": \"%s\", \"spare\": \"%s\", \"group\": \"%s\", \"reason\": \"%s\"}\n",
	       w->now, verdict_name(d->verdict), rule_action_name(d->action), w->rules.items[d->rule].name, d->node == DECIDE_NOBODY ? "" : w->node[d->node].id,
	       d->spare == DECIDE_NOBODY ? "" : w->node[d->spare].id, d->group == DECIDE_NOBODY ? "" : w->seen_group[d->group].name, d->reason);
}

static void print_sums(const struct world *w)
{
	const struct sums *s = &w->sums;

	printf("{\"servers\": %zu, \"groups\": %zu, \"hours\": %.2f, \"rounds\": %zu, \"decisions\": %zu", w->servers, w->groups, w->now / 3600, s->decide_count,
	       s->decisions);
	for (int a = 0; a < RULE_ACTIONS; a++)
		printf(", \"%s\": %zu", rule_action_name((enum rule_action)a), s->by_action[a]);
	printf(", \"later\": %zu, \"denials\": %zu, \"server_hours\": %.0f, \"powered_hours\": %.0f, \"static_hours\": %.0f, \"user_hours\": %.0f, "
	       "\"denied_user_hours\": %.2f, \"thrown_out\": %zu, \"oldest_s\": %.0f, \"below_minimum\": %zu, \"failures\": %zu, \"alarms\": %zu, "
	       "\"decide_mean_ms\": %.3f, \"decide_most_ms\": %.3f}\n", s->later, s->denials, s->server_hours, s->powered_hours, s->static_hours, s->user_hours,
	       s->denied_hours, s->thrown_out, s->age_most, s->below_minimum, s->failures, s->alarms, s->decide_count ? s->decide_sum_ms / (double)s->decide_count : 0,
	       s->decide_most_ms);
}

/* ------------------------------------------------------------------ options */

static double number(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (*end || !(value > 0) || value > 1e7) {
		fprintf(stderr, "fleet: \"%s\" isn't a number above 0; fleet --help tells what is\n", text);
		exit(2);
	}
	return value;
}

static void help(void)
{
	puts("fleet [--scene day|fig4] [--servers N] [--groups N] [--hours N] [--seed N] [--tick SECONDS] [--fixed] [--decisions]\n"
	     "A fleet's day, decided as the control unit decides, without machines; JSON lines to standard output.\n"
	     "--fixed: nothing is decided, and as many servers as the peak needs are on all day.");
	exit(0);
}

/* Whether the scene is figure 4. */
static bool parse_options(int argc, char *argv[], struct world *w, double *ret_hours)
{
	static const struct option options[] = { { "servers", 1, NULL, 's' }, { "groups", 1, NULL, 'g' }, { "hours", 1, NULL, 'h' }, { "seed", 1, NULL, 'r' },
						 { "tick", 1, NULL, 't' }, { "scene", 1, NULL, 'c' }, { "decisions", 0, NULL, 'd' }, { "fixed", 0, NULL, 'f' }, { "help", 0, NULL, '?' }, { 0 } };
	bool fig4 = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == '?' && optopt)
			exit(2);
		if (option == '?')
			help();
		if (option == 'c' && strcmp(optarg, "day") && strcmp(optarg, "fig4")) {
			fprintf(stderr, "fleet: there is no scene \"%s\": day, fig4\n", optarg);
			exit(2);
		}
		if (option == 'c')
			fig4 = !strcmp(optarg, "fig4");
		else if (option == 'd')
			w->tell = tell;
		else if (option == 'f')
			w->fixed = true;
		else if (option == 's')
			w->servers = (size_t)number(optarg);
		else if (option == 'g')
			w->groups = (size_t)number(optarg);
		else if (option == 'h')
			*ret_hours = number(optarg);
		else if (option == 'r')
			w->random = (uint64_t)number(optarg);
		else
			w->tick = number(optarg);
	}
	if (fig4) {
		w->servers = 6;
		w->groups = 4;
	}
	if (!w->groups || w->servers < 4 * w->groups / 3) {
		fprintf(stderr, "fleet: fewer servers than groups need\n");
		exit(2);
	}
	return fig4;
}

int main(int argc, char *argv[])
{
	struct world w = { .servers = 1000, .groups = 20, .tick = 5, .random = 1, .failures_a_day = 0.05, .alarms_a_day = 0.02 };
	double hours = 0, line = 0;
	bool fig4 = parse_options(argc, argv, &w, &hours);
	int r = world_init(&w);

	if (hours == 0)
		hours = fig4 ? 7 : 24;
	if (r == 0)
		(fig4 ? begin_fig4 : begin_day)(&w);
	while (r == 0 && w.now < hours * 3600) {
		if (fig4)
			play_fig4(&w);
		r = world_turn(&w);
		if (r < 0)
			break;
		count(&w);
		if (w.now >= line) {
			print_line(&w);
			line += LINE_SECONDS;
		}
	}
	if (r == 0)
		print_sums(&w);
	else
		fprintf(stderr, "fleet: out of memory\n");
	world_release(&w);
	return r < 0;
}
