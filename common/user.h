/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users of a server: accounts without rights of their own, that log in by ssh and see C:, D: and their part of H: only. Pure.
 *
 * An assignment has them as {"name": "anna", "uid": 20001, "keys": ["ssh-ed25519 AAAA… anna@desk"]}. One with `"privileged": true` may
 * ask for another OS; that is the control unit's to know, and isn't handed over. Stage 1 hands the rest over as lines:
 *
 *   user anna 20001
 *   key ssh-ed25519 AAAA… anna@desk
 */
#ifndef COMMON_USER_H
#define COMMON_USER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"

#define USER_NAME_MOST 31u
#define USERS_MOST 64u
#define USER_KEYS_MOST 16u
#define USER_KEY_SIZE_MOST 4096u
/* Below are the OSes' own accounts, above nobody's and those that systemd gives away. */
#define USER_ID_LEAST 10000u
#define USER_ID_MOST 59999u
#define USER_ERROR 160

/* A lower-case letter, then lower-case letters, digits, '-' or '_', 31 at most; no name that Debian or an image of ours has for an account
 * or a group. */
bool user_name_ok(const char *name);
bool user_id_ok(uint64_t uid);
/* One line of an OpenSSH public key file, with no options before the type: the type is one of OpenSSH's, and the base64 behind it says the
 * same; a comment of printable ASCII may follow. */
bool user_key_ok(const char *line);

/* A list of users as above: members, names, numbers and keys, and that no name and no number is there twice. 0, or -EINVAL with a
 * sentence. */
int user_list_check(const json_t *list, char ret_error[USER_ERROR]);
/* Appends the lines of a list that user_list_check accepted. 0 or -ENOMEM. */
int user_list_format(const json_t *list, struct buffer *ret_lines);

#endif
