/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rule matrix: which measured values lead to which action. Pure.
 *
 * A rule is a name, conditions that must all hold, and an action:
 *
 *   {"rule": "too many users", "when": ["users_per_server > users_high"], "do": "add"}
 *   {"rule": "nights are for reports", "when": ["group = web", "hour >= 22"], "do": "move", "to": "reports", "cool_down": "10m"}
 *
 * A condition is MEASURE OPERATOR VALUE, or ATTRIBUTE = TEXT or ATTRIBUTE != TEXT with "none" for what has none. A value is a number
 * with or without a unit (s, m, h, d, %, ms), or the name of one of the group's limits, so that one matrix serves groups that differ.
 * Rules stand in the order in which they win. */
#ifndef CONTROL_RULES_H
#define CONTROL_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/names.h"
#include "control/restart.h"

#define RULES_MOST 64u
#define RULE_NAME_MOST 47u
#define RULE_CONDITIONS_MOST 8u
#define RULE_TEXT_MOST IMAGE_SPEC_MOST

/* What is measured. Those of a node first, then those of a group, then those of the fleet. */
enum measure {
	MEASURE_UP,               /* seconds since it served first in this boot, by the control unit's clock */
	MEASURE_AGE,              /* the same and the node's jitter: servers that were started together don't fall due together */
	MEASURE_USERS,            /* of the node; unknown when nobody can tell */
	MEASURE_LOAD,             /* per processor */
	MEASURE_RESPONSE,         /* milliseconds */
	MEASURE_ALARMS,           /* security alarms that nothing was done about yet */
	MEASURE_CUTS,             /* times that its power was cut for alarms, within a day */
	MEASURE_FAILED,           /* 1: the monitor gave it up */
	MEASURE_RETRIES,          /* restarts since it failed */
	MEASURE_GROUPED,          /* 1: it belongs to a group */
	MEASURE_DUE,              /* seconds until it must be reimaged by a campaign; unknown without one, and when it was */
	MEASURE_SERVERS,          /* of the group: those that serve, or are on the way to it */
	MEASURE_MISSING,          /* of the group: servers below its minimum */
	MEASURE_GROUP_USERS,
	MEASURE_USERS_PER_SERVER,
	MEASURE_USERS_SOON,       /* per server, as trend and expectations have it when another one could serve */
	MEASURE_USERS_MOST,       /* per server, the most of the last minutes: that nobody is sent home for a moment's quiet */
	MEASURE_USERS_TREND,      /* of the group, a minute */
	MEASURE_GROUP_LOAD,       /* mean per processor */
	MEASURE_LOAD_MOST,        /* the same, the most of the last minutes */
	MEASURE_GROUP_RESPONSE,   /* mean, milliseconds */
	MEASURE_OTHERS_USERS,     /* per server, of all other groups */
	MEASURE_OTHERS_LOAD,      /* mean per processor, of all other groups */
	MEASURE_FLEET_USERS,      /* of the fleet */
	MEASURE_FLEET_LOAD,       /* mean per processor */
	MEASURE_SPARES,           /* free ones */
	MEASURE_HOUR,             /* of the day, local time of the group, 0 to 23.99 */
	MEASURES
};
#define MEASURE_FIRST_OF_GROUP MEASURE_SERVERS

/* What is told apart by its name. */
enum attribute {
	ATTRIBUTE_GROUP,
	ATTRIBUTE_OS,             /* of the group; "minimal" is any version, "minimal@3" that one */
	ATTRIBUTE_APP,
	ATTRIBUTE_ACCOUNT,
	ATTRIBUTE_SITE,           /* of the node, or where the group is served */
	ATTRIBUTE_RACK,           /* of the node */
	ATTRIBUTES
};

/* What is known of a node or group. */
struct facts {
	double values[MEASURES];        /* NAN: unknown */
	const char *texts[ATTRIBUTES];  /* borrowed; NULL or "": none */
};

/* Limits that a group has. */
enum limit {
	LIMIT_FIRST,              /* seconds: reimaged when it has no users */
	LIMIT_SECOND,             /* users are asked to leave */
	LIMIT_USERS_HIGH, LIMIT_USERS_LOW, /* per server */
	LIMIT_LOAD_HIGH, LIMIT_LOAD_LOW,   /* per processor */
	LIMIT_RESPONSE_HIGH,      /* milliseconds */
	LIMITS
};

enum rule_action {
	RULE_REIMAGE,    /* users first, the same images */
	RULE_CUT,        /* power off at once, the same images */
	RULE_QUARANTINE, /* out of service until a person has looked */
	RULE_REPLACE,    /* fenced by its power, and a spare does its work */
	RULE_RETRY,      /* a failed server: its power, once more */
	RULE_ADD,        /* one server more for the group */
	RULE_REMOVE,     /* one less: it becomes a spare */
	RULE_MOVE,       /* one less: it gets the work of another group. A decision to add is one too when no spare is free */
	RULE_ACTIONS
};

enum rule_operator { RULE_LESS, RULE_LESS_OR_EQUAL, RULE_EQUAL, RULE_GREATER_OR_EQUAL, RULE_GREATER, RULE_UNEQUAL };

struct condition {
	bool by_text;            /* then attribute and text count, else: */
	enum measure measure;
	enum rule_operator operator;
	bool by_limit;
	enum limit limit;        /* with by_limit */
	double value;            /* else */
	enum attribute attribute;
	char text[RULE_TEXT_MOST + 1];
};

struct rule {
	char name[RULE_NAME_MOST + 1];
	struct condition when[RULE_CONDITIONS_MOST];
	unsigned conditions;
	enum rule_action action;
	enum restart_urgency urgency;
	bool hard;               /* goes on though the group falls below its minimum, and outside of its windows */
	char to[RULE_TEXT_MOST + 1]; /* RULE_MOVE, RULE_ADD: the group that gets the server; "": the one whose conditions hold */
	uint32_t cool_down;      /* seconds in which this rule doesn't do it again to the same node or group */
};

struct rule_list {
	struct rule *items;      /* owned */
	size_t count;
};

/* The shipped matrix, in JSON. */
extern const char rules_default[];

/* Reads a list of rules. 0 (the caller releases); -EINVAL with a sentence that names the rule and what is wrong; -ENOMEM. */
int rule_list_parse(const json_t *list, struct rule_list *ret_list, char ret_error[ERROR_TEXT]);
void rule_list_release(struct rule_list *list);
/* One condition. 0 or -EINVAL with a sentence. */
int condition_parse(const char *text, struct condition *ret_condition, char ret_error[ERROR_TEXT]);

bool rule_is_for_nodes(const struct rule *rule);
const char *rule_action_name(enum rule_action action);
const char *measure_name(enum measure measure);
const char *attribute_name(enum attribute attribute);
const char *limit_name(enum limit limit);

/* Whether a condition over a measure holds of such a value. */
bool condition_compare(const struct condition *condition, double value, const double limits[LIMITS]);
/* Whether all conditions hold, of which none does for what nobody knows. `limits` by limit; one of 0 is none: nothing is above or
 * below it. */
bool rule_holds(const struct rule *rule, const struct facts *facts, const double limits[LIMITS]);
/* The conditions with the values in the place of names, for people: "up is 31 min (>= second 30 min)". At most ERROR_TEXT bytes. */
void rule_explain(const struct rule *rule, const struct facts *facts, const double limits[LIMITS], char ret_text[ERROR_TEXT]);

#endif
