/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fleets that the tests of decisions draw. */
#ifndef CONTROL_TEST_DECIDE_FLEET_H
#define CONTROL_TEST_DECIDE_FLEET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/decide.h"

#define NOW 1800000000

/* Rules in JSON; the test fails when they are refused. The caller releases. */
struct rule_list parse_rules(const char *text);
/* The index of a rule by its name. */
size_t find_rule(const struct rule_list *rules, const char *name);

/* Figure 4: AP1 and AP2, each on OS1 and OS2, a server each; two spares. */
struct fig4 {
	struct seen_group groups[4];
	struct seen_node nodes[6];
	struct cooling cooling[4];
	struct snapshot seen;
	struct decisions out;
};

extern struct rule_list matrix; /* the shipped one */
extern const struct policy reference;

void draw_fig4(struct fig4 *f);
void ask(struct fig4 *f);
/* The one decision; the test fails when there isn't one exactly. */
const struct decision *only(struct fig4 *f);

int run_with_matrix(const struct CMUnitTest *tests, size_t count);

#endif
