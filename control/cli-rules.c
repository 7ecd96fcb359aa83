// SPDX-License-Identifier: GPL-2.0-or-later
/* rules show, check, explain, dry-run. Rules are looked at here, with the fleet as the control unit sees it. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "control/cli.h"
#include "control/fleet-file.h"
#include "control/snapshot-text.h"

#define NODE_PREFIX_LEAST 4u

/* ------------------------------------------------------------------ the file */

/* The rules of a fleet file, for the caller to release. CLI_OK or CLI_FAILED, with the cause printed. */
static int read_rules(const char *file, struct rule_list *ret_rules)
{
	json_t *fleet = NULL, *lines = json_object(), *given;
	struct buffer text = { 0 };
	char why[ERROR_TEXT] = "";
	int r = file_load_any(file, FLEET_FILE_MOST, &text), status = CLI_FAILED;

	if (r < 0) {
		log_error(r, "can't read %s", file);
		goto out;
	}
	r = lines ? fleet_file_parse(text.data ? (const char *)text.data : "", text.size, &fleet, lines, why) : -ENOMEM;
	if (!r)
		r = fleet_file_check(fleet, lines, why);
	if (r < 0) {
		fprintf(stderr, "repave: %s: %s\n", file, why[0] ? why : strerror(-r));
		goto out;
	}
	given = json_object_get(fleet, "rules");
	if (!given) {
		fprintf(stderr, "repave: %s has no \"rules\"; the shipped ones apply then: `repave rules show`\n", file);
		goto out;
	}
	given = json_is_null(given) ? json_loads(rules_default, 0, NULL) : json_incref(given);
	status = rule_list_parse(given, ret_rules, why) < 0 ? CLI_FAILED : CLI_OK;
	json_decref(given);
out:
	json_decref(lines);
	json_decref(fleet);
	buffer_release(&text);
	return status;
}

int cli_rules_check(const struct cli *cli, int argc, char *argv[])
{
	struct rule_list rules;
	int r;

	if (argc != 1)
		return cli_usage(cli, "want the name of a file");
	r = read_rules(argv[0], &rules);
	if (r != CLI_OK)
		return r;
	printf("%zu rule(s) are good.\n", rules.count);
	rule_list_release(&rules);
	return CLI_OK;
}

/* ------------------------------------------------------------------ the fleet */

/* CLI_OK with a snapshot to release. */
static int fetch(const struct cli *cli, struct fleet_snapshot *ret_snapshot)
{
	char why[ERROR_TEXT] = "";
	json_t *answer = NULL;
	int r = cli_call(cli, "GET", "/v1/snapshot", NULL, &answer);

	if (r != CLI_OK)
		return r;
	r = snapshot_parse(answer, ret_snapshot, why);
	json_decref(answer);
	if (r < 0)
		fprintf(stderr, "repave: the control unit's answer can't be read: %s; is it of another version?\n", why[0] ? why : strerror(-r));
	return r < 0 ? CLI_FAILED : CLI_OK;
}

static void add_rule(struct cli_table *table, const json_t *rule)
{
	const json_t *when = json_object_get(rule, "when"), *one;
	struct buffer conditions = { 0 };
	size_t i;

	json_array_foreach(json_iterable(when), i, one)
		buffer_printf(&conditions, "%s%s", i ? " and " : "", json_string_value(one));
	cli_table_add(table, (const char *const[]){ cli_text(rule, "rule"), conditions.data ? (const char *)conditions.data : "", cli_text(rule, "do"),
						    cli_text(rule, "urgency"), json_is_true(json_object_get(rule, "hard")) ? "hard" : "-",
						    cli_text(rule, "cool_down") });
	buffer_release(&conditions);
}

int cli_rules_show(const struct cli *cli, int argc, char *argv[])
{
	struct cli_table table = { .columns = 6 };
	struct fleet_snapshot snapshot;
	const json_t *rule;
	size_t i;
	int r;

	if (argc)
		return cli_usage(cli, "unknown argument \"%s\"", argv[0]);
	r = fetch(cli, &snapshot);
	if (r != CLI_OK)
		return r;
	if (cli->json) {
		r = cli_print_json(snapshot.rules_given);
	} else {
		cli_table_add(&table, (const char *const[]){ "RULE", "WHEN", "DO", "URGENCY", "", "COOL-DOWN" });
		json_array_foreach(snapshot.rules_given, i, rule)
			add_rule(&table, rule);
		cli_table_print(&table);
	}
	fleet_snapshot_release(&snapshot);
	return r;
}

/* ------------------------------------------------------------------ what would be decided */

static void print_decision(const struct snapshot *seen, const struct decision *d)
{
	const struct rule *rule = &seen->rules->items[d->rule];

	printf("%-6s  %-10s  %-16s  %-16s  rule %s: %s%s%s\n", verdict_name(d->verdict), rule_action_name(d->action),
	       d->node == DECIDE_NOBODY ? "-" : snapshot_node_name(seen, d->node), d->group == DECIDE_NOBODY ? "-" : seen->groups[d->group].name,
	       rule->name, d->reason, d->spare == DECIDE_NOBODY ? "" : "; spare ", snapshot_node_name(seen, d->spare));
}

static int print_decisions(const struct cli *cli, const struct snapshot *seen, const struct decisions *out)
{
	json_t *list;
	int r;

	if (cli->json) {
		list = decisions_format(seen, out);
		r = cli_print_json(list);
		json_decref(list);
		return r;
	}
	for (size_t i = 0; i < out->count; i++)
		print_decision(seen, &out->items[i]);
	if (!out->count)
		puts("Nothing would be decided.");
	return CLI_OK;
}

int cli_rules_dry_run(const struct cli *cli, int argc, char *argv[])
{
	struct decisions out = { 0 };
	struct fleet_snapshot snapshot;
	struct rule_list rules;
	int r;

	if (argc != 1)
		return cli_usage(cli, "want the name of a file");
	r = read_rules(argv[0], &rules);
	if (r != CLI_OK)
		return r;
	r = fetch(cli, &snapshot);
	if (r != CLI_OK) {
		rule_list_release(&rules);
		return r;
	}
	/* Cool-downs are of the rules that are in force. */
	snapshot.seen.cooling_count = 0;
	snapshot.seen.rules = &rules;
	r = decide(&snapshot.seen, &out) < 0 ? CLI_FAILED : print_decisions(cli, &snapshot.seen, &out);
	decisions_release(&out);
	rule_list_release(&rules);
	fleet_snapshot_release(&snapshot);
	return r;
}

static int find_node(const struct snapshot *seen, const char *text, size_t *ret_node)
{
	size_t found = 0;

	for (size_t i = 0; i < seen->node_count; i++) {
		const struct seen_node *node = &seen->nodes[i];

		if (!strcmp(node->name, text) || !strcmp(node->id, text)) {
			*ret_node = i;
			return CLI_OK;
		}
		if (strlen(text) >= NODE_PREFIX_LEAST && !strncmp(node->id, text, strlen(text))) {
			*ret_node = i;
			found++;
		}
	}
	if (found == 1)
		return CLI_OK;
	fprintf(stderr, found ? "repave: several nodes have an id that begins with \"%s\"; `repave nodes` lists them\n" :
		"repave: no node \"%s\" is of a group or a spare, and of others nothing is decided; `repave nodes` lists all, `repave apply` gives them a place\n",
		text);
	return CLI_FAILED;
}

static const double *limits_of(const struct snapshot *seen, size_t node)
{
	static const double none[LIMITS];

	return seen->nodes[node].group == DECIDE_NOBODY ? none : seen->groups[seen->nodes[node].group].policy.limits;
}

/* A rule holds, and of those that hold the first that can act decides. */
static void print_rules(const struct snapshot *seen, size_t node, const struct facts *facts)
{
	char text[ERROR_TEXT];

	for (size_t i = 0; i < seen->rules->count; i++) {
		const struct rule *rule = &seen->rules->items[i];

		rule_explain(rule, facts, limits_of(seen, node), text);
		printf("  %-16s %-10s  %-8s  %s\n", rule->name, rule_action_name(rule->action),
		       rule_holds(rule, facts, limits_of(seen, node)) ? "HOLDS" : "-", text);
	}
}

static void print_outcome(const struct snapshot *seen, size_t node, const struct decisions *out)
{
	size_t group = seen->nodes[node].group, count = 0;

	for (size_t i = 0; i < out->count; i++) {
		const struct decision *d = &out->items[i];

		if (d->node != node && d->spare != node && (group == DECIDE_NOBODY || d->node != DECIDE_NOBODY || d->group != group))
			continue;
		print_decision(seen, d);
		count++;
	}
	if (!count)
		printf("Nothing would be decided about it%s.\n", seen->nodes[node].busy ? ": a restart is under way" :
		       seen->nodes[node].exempt ? ": it is excepted from plans" : "");
}

static json_t *describe_rules(const struct snapshot *seen, size_t node, const struct facts *facts)
{
	json_t *list = json_array();
	char text[ERROR_TEXT];

	for (size_t i = 0; i < seen->rules->count; i++) {
		const struct rule *rule = &seen->rules->items[i];

		rule_explain(rule, facts, limits_of(seen, node), text);
		json_array_append_new(list, json_pack("{ss ss sb ss}", "rule", rule->name, "action", rule_action_name(rule->action), "holds",
						      rule_holds(rule, facts, limits_of(seen, node)), "text", text));
	}
	return list;
}

static int print_explained(const struct cli *cli, const struct snapshot *seen, size_t node, const struct facts *facts,
			   const struct decisions *out)
{
	const struct seen_node *n = &seen->nodes[node];
	json_t *all;
	int r;

	if (cli->json) {
		all = json_pack("{ss so so}", "node", n->id, "rules", describe_rules(seen, node, facts), "decisions", decisions_format(seen, out));
		r = cli_print_json(all);
		json_decref(all);
		return r;
	}
	printf("%s, %s, %s%s\n", snapshot_node_name(seen, node), life_name(n->life), n->group == DECIDE_NOBODY ? "of no group" : "of group ",
	       n->group == DECIDE_NOBODY ? "" : seen->groups[n->group].name);
	print_rules(seen, node, facts);
	print_outcome(seen, node, out);
	return CLI_OK;
}

int cli_rules_explain(const struct cli *cli, int argc, char *argv[])
{
	struct fleet_snapshot snapshot;
	struct decisions out = { 0 };
	struct facts facts;
	size_t node;
	int r;

	if (argc != 1)
		return cli_usage(cli, "want a node");
	r = fetch(cli, &snapshot);
	if (r != CLI_OK)
		return r;
	r = find_node(&snapshot.seen, argv[0], &node);
	if (r == CLI_OK)
		r = decide_measure(&snapshot.seen, node, &facts) < 0 || decide(&snapshot.seen, &out) < 0 ? CLI_FAILED : CLI_OK;
	if (r == CLI_OK)
		r = print_explained(cli, &snapshot.seen, node, &facts, &out);
	decisions_release(&out);
	fleet_snapshot_release(&snapshot);
	return r;
}
