/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a session of a user is made of, as texts: the account, the environment, the command. Pure. */
#ifndef ROOTFS_SESSION_TEXT_H
#define ROOTFS_SESSION_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/user.h"

#define SESSION_VARIABLES_MOST 24

/* How an ssh server starts a login shell. */
struct session_call {
	bool help;
	const char *command; /* behind -c; NULL: a shell to talk to */
};

/* "session", "-session", or "session -c COMMAND"; `--help`. 0 or -EINVAL. */
int session_call_parse(int argc, char *const argv[], struct session_call *ret_call);

/* The name of the user `uid` in /etc/passwd, when its line has this program, `shell`, as his: an account that stage 2 made. 0, -ENOENT, or -EINVAL for a
 * line that isn't sound. */
int session_find_user(const char *passwd, uint32_t uid, const char *shell, char ret_name[USER_NAME_MOST + 1]);

/* A passwd (or group) file for a user's eyes: the OS's own accounts and his, with home and shell as he has them; no other user's. 0 or -ENOMEM. */
int session_passwd(const char *passwd, uint32_t uid, const char *home, const char *shell, struct buffer *ret_text);
int session_group(const char *group, uint32_t uid, struct buffer *ret_text);

/* Of the ssh server's environment what says where the user is and which language he wants; everything else is ours. Borrows from `environment`
 * and `fixed` (NULL-terminated). */
void session_environment(char *const environment[], char *const fixed[], char *ret_environment[SESSION_VARIABLES_MOST + 1]);

/* Whether /run/repave/h/state says that H: is there. */
bool session_home_mounted(const char *state);

#endif
