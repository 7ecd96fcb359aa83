/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report on reimages for an auditor: what is judged, and how it is written. Pure; control/campaign-view.h collects it.
 *
 *   {"format": 1, "report": "reimage", "made": "2026-11-22T22:00:00Z", "audit": 4711, "since": null, "totals": {…}, "nodes": [{…}]}
 *
 * `audit` is the number of the newest entry of the audit log when it was made: a later entry can't have influenced it. */
#ifndef CONTROL_REPORT_H
#define CONTROL_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"

enum report_verdict {
	REPORT_WITHIN,           /* its policy */
	REPORT_OVERDUE,
	REPORT_EXEMPT,           /* overdue, and exempt */
	REPORT_UNLIMITED,        /* nobody said how old it may become */
	REPORT_UNKNOWN,          /* nobody knows when it was reimaged last */
	REPORT_VERDICTS
};

struct report_facts {
	int64_t now, reimaged;   /* seconds since 1970; 0: never, or not known */
	double limit;            /* seconds after which it must be reimaged again; 0: none */
	int64_t deadline;        /* a campaign that means it wants it reimaged since `ordered` by then; 0: none */
	int64_t ordered;
	bool exempt;
	bool is_off;             /* a spare that doesn't run: nothing on it grows old */
};

enum report_verdict report_judge(const struct report_facts *facts);
/* "within", "overdue", "exempt", "no limit", "unknown". */
const char *report_verdict_name(enum report_verdict verdict);

/* "2026-11-22T22:00:00Z"; "" for 0. */
void report_time(int64_t seconds, char ret_text[32]);

/* Adds the report as comma-separated values (RFC 4180), one line a node, a line of names before it, and comments with # that say what the JSON says
 * of the whole. No field is a formula to a spreadsheet. 0 or -ENOMEM. */
int report_format_csv(const json_t *report, struct buffer *ret_text);
/* Adds it as JSON, sorted, with line ends. The same. */
int report_format_json(const json_t *report, struct buffer *ret_text);

#endif
