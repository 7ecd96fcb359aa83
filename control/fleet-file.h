/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fleet as a file that people write: YAML of a strict kind, to and from the JSON of PUT /v1/fleet. Pure.
 *
 *   groups: NAME → {account, os, app, minimum, service: {port, server_port, mode, check, hosts, path, header}}
 *   nodes: list of {node or serial or mac, group or spare, hostname, ssh_authorized_keys, address, weight}
 *   balancer: {sockets, bind, retry_after}
 *   events: list of {node, kind, from, to or when, lead, force, reason}
 *   settings: {enrol, clone_seconds, interval, images}
 *   notify: list of targets of messages, control/messages.h
 *   decisions, rules: as control/decision-settings.h
 */
#ifndef CONTROL_FLEET_FILE_H
#define CONTROL_FLEET_FILE_H

#include <jansson.h>
#include <stddef.h>

#include "control/names.h"

#define FLEET_FILE_MOST (1024u * 1024)
#define FLEET_FILE_DEPTH 8u

/* `lines`, unless NULL, gets the line of each group, rule and node: {"groups/web": 3, "rules/1": 17}.
 * Reads such a file. What isn't in the picture above, what is there twice, anchors, aliases, tags, and words that YAML's versions
 * disagree about (yes, off) are refused with line and column. 0 with a new reference; -EINVAL with a sentence; -ENOMEM. */
int fleet_file_parse(const char *text, size_t size, json_t **ret_fleet, json_t *lines, char ret_error[ERROR_TEXT]);

/* What can be said of groups, rules and decisions without a control unit: -EINVAL with a sentence that begins with the line, where
 * `lines` has it; -ENOMEM. */
int fleet_file_check(const json_t *fleet, const json_t *lines, char ret_error[ERROR_TEXT]);

/* The inverse; the caller frees `*ret_text`. 0 or -ENOMEM. */
int fleet_file_format(const json_t *fleet, char **ret_text);

#endif
