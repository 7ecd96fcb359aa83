/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people have done with servers and groups: a server joins, leaves, or goes from one group to another, held to what the group allows. Each
 * wish is one request in the journal, which says what became of it. All within control_enter, each in one transaction. */
#ifndef CONTROL_REQUESTS_H
#define CONTROL_REQUESTS_H

#include "control/control.h"
#include "control/restart.h"
#include "control/store-journal.h"

/* Texts are borrowed. */
struct wish {
	const char *by;               /* the journal's origin: "operator NAME", "plan", "user NAME" */
	const char *reason;           /* "" without */
	enum restart_urgency urgency; /* of who leaves */
	bool forced;                  /* by a person, beyond the group's maximum or below its minimum */
};

/* What became of it so far. */
struct request {
	uint64_t id;                       /* in the journal */
	const char *action;                /* "add", "remove", "move"; static */
	char node[NODE_ID_SIZE + 1];       /* "": nobody */
	char group[GROUP_NAME_MOST + 1];
	uint64_t restart;                  /* that carries it out; 0: done at once, or denied */
	bool denied;
	const char *denial;                /* "sla_max", "sla_min", "no_resource"; static; "" unless denied */
	char reason[ERROR_TEXT];           /* of the denial, a sentence */
};

/* All: 0, also when it is denied; -ENOENT, -ENOTUNIQ, -EEXIST, -EINVAL, -EMEDIUMTYPE, -EBUSY for a wish that can't be, with a sentence and without a
 * request; -EIO, -ENOMEM. */

/* The named node (id), or with NULL the spare that peers_choose_spare has, joins the group. */
int request_join(struct control *control, const char *node, const char *group, const struct wish *wish, struct request *ret_request,
	      char ret_error[ERROR_TEXT]);
/* The node (id) becomes a spare once its users have left. */
int request_leave(struct control *control, const char *node, const struct wish *wish, struct request *ret_request, char ret_error[ERROR_TEXT]);
/* The node (id) goes to the group once its users have left, by a restart. */
int request_move(struct control *control, const char *node, const char *group, const struct wish *wish, struct request *ret_request,
	      char ret_error[ERROR_TEXT]);

/* Servers that serve the group or will, besides one (NULL: all). */
unsigned request_count(const struct control *control, const char *group, const struct node *besides);

#endif
