/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's calls about campaigns, exemptions and the report on reimages; as those of control/operator-identity.h. */
#ifndef CONTROL_OPERATOR_CAMPAIGNS_H
#define CONTROL_OPERATOR_CAMPAIGNS_H

#include "control/control.h"

void operator_list_campaigns(struct control *control, struct http_answer *answer);
/* One by its number, or "current": the one that runs, else the newest. */
void operator_show_campaign(struct control *control, const char *id, int64_t now, struct http_answer *answer);
/* What would become of one (a null body: what will become without). */
void operator_plan_reimages(struct control *control, const json_t *body, int64_t now, struct http_answer *answer);
void operator_start_campaign(struct control *control, const json_t *body, const char *by, int64_t now, struct http_answer *answer);
/* Stops it or goes on with it. */
void operator_change_campaign(struct control *control, const char *id, const json_t *body, const char *by, int64_t now, struct http_answer *answer);
void operator_list_exemptions(struct control *control, const struct http_call *call, struct http_answer *answer);
void operator_exempt(struct control *control, const char *node, const json_t *body, const char *by, int64_t now, struct http_answer *answer);
void operator_end_exemption(struct control *control, const char *node, const char *by, int64_t now, struct http_answer *answer);
/* Arguments format=json|csv and since=SECONDS: the report, signed. */
void operator_report_reimages(struct control *control, const struct http_call *call, int64_t now, struct http_answer *answer);
void operator_show_report_key(struct control *control, struct http_answer *answer);

#endif
