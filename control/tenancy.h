/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose data a server holds: the keys of its disk, per account and server, and what must happen before another account gets the server.
 *
 *   the server's tenant is …           and its group's account is …      then
 *   nobody                             A                                 A becomes its tenant; H: stays
 *   A                                  A                                 it boots
 *   A                                  none                              it boots, without H:; its tenant stays
 *   A                                  B                                 it is cleared (control/sanitizing.h), then B becomes its tenant
 *
 * All of these within control_lock. */
#ifndef CONTROL_TENANCY_H
#define CONTROL_TENANCY_H

#include "control/control.h"
#include "control/sanitizing.h"

/* A node asks what to boot. 0: it may be told; with `ret_order` not NULL it must be cleared first (a new reference to the member "sanitize", and in
 * `ret_why` the sentence to wait with). -errno. */
int tenancy_asked(struct control *control, const struct node *node, const struct boot_request *request, int64_t now, json_t **ret_order,
		  char ret_why[ERROR_TEXT]);
/* Adds what an answer with an assignment says of H:, the key included. 0 or -errno. */
int tenancy_add_home(struct control *control, const struct node *node, const struct boot_request *request, int64_t now, json_t *answer);
/* Whether this stage 1 can do what the node's group wants of its C: and D:; else a sentence to wait with. */
bool tenancy_admits(const struct control *control, const struct node *node, const struct boot_request *request, char ret_why[ERROR_TEXT]);
/* Adds what an answer with an assignment says of C: and D: at rest, the key included. 0 or -errno. */
int tenancy_add_disk(struct control *control, const struct node *node, const struct boot_request *request, int64_t now, json_t *answer);
/* Stage 1 says that it has cleared the server. 0; -ESTALE when that isn't what is ordered; -EACCES with a sentence when its TPM must prove who says
 * so, and doesn't; -EIO. */
int tenancy_cleared(struct control *control, const struct node *node, const struct cleared *cleared, int64_t now, char ret_error[ERROR_TEXT]);
/* An operator orders it, for the node's next start. 0; -EEXIST with a sentence; -errno. */
int tenancy_order(struct control *control, const struct node *node, const char *by, int64_t now, struct sanitizing *ret_sanitizing,
		  char ret_error[ERROR_TEXT]);

#endif
