/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a node's power is controlled, between an operator's words, the store and a job; the password sealed in between. */
#ifndef CONTROL_POWER_SETTINGS_H
#define CONTROL_POWER_SETTINGS_H

#include "control/power-record.h"
#include "control/sealed.h"
#include "control/store.h"

/* Stores what the call's body says, see power_config_parse. 0; -EINVAL with a sentence; -EIO; -ENOMEM. */
int power_settings_store(struct store *store, const struct sealing_key *key, const char *node, const json_t *body, int64_t now,
			 char ret_error[ERROR_TEXT]);
/* What a job needs: a config to release, and the password added to `ret_password`, which the caller wipes. 0; -ENOENT (no settings); -ENOKEY or
 * -EBADMSG (the password can't be opened); -EIO; with a sentence. */
int power_settings_load(struct store *store, const struct sealing_key *key, const char *node, struct power_config *ret_config,
			struct buffer *ret_password, char ret_error[ERROR_TEXT]);
/* A new reference: null without settings; NULL on error. */
json_t *power_settings_describe(struct store *store, const char *node);

#endif
