/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What decisions do to nodes, whoever decided. All within control_lock, and but for deed_cut within the caller's transaction: when that fails,
 * memory is as it was after deeds_end. */
#ifndef CONTROL_DEEDS_H
#define CONTROL_DEEDS_H

#include "control/dispatch-deeds.h"
#include "control/dispatch.h"

/* A transaction over store and memory. */
struct deeds {
	struct control *control;
	struct dispatch_saved saved;
	size_t restarts;               /* that were under way before */
};

/* 0 or -EIO. */
int deeds_begin(struct deeds *deeds, struct control *control);
/* Commits, or with `failed` (a negative errno) rolls back. 0 or the error. */
int deeds_end(struct deeds *deeds, int failed);

/* Who wants it, and how. Texts are borrowed; the reason is cut to what a restart keeps. */
struct deed_order {
	const char *by, *reason;
	enum restart_urgency urgency;
	bool forced;                   /* below the group's minimum, too: a person said so */
	double grace;                  /* seconds until users that were asked are thrown out; with URGENCY_NOTIFY only */
};

/* Each: 0 with the restart that carries it out (0: it is done already); -EINVAL, -EEXIST, -ENOENT … with a sentence; -EIO, -ENOMEM. */

/* Reboots, reimages or releases. `to` (or NULL): the group that it joins once its users have left. */
int deed_restart(struct deeds *deeds, struct node *node, enum restart_kind kind, const char *to, const struct deed_order *order,
		 uint64_t *ret_restart, char ret_error[ERROR_TEXT]);
/* A spare joins a group: at once when it runs what the group's users want and worked for nobody since its boot, else by a restart, which
 * switches it on if need be. */
int deed_join(struct deeds *deeds, struct node *spare, const char *group, const struct deed_order *order, uint64_t *ret_restart,
	      char ret_error[ERROR_TEXT]);
int deed_quarantine(struct deeds *deeds, struct node *node, const struct deed_order *order, char ret_error[ERROR_TEXT]);

#endif
