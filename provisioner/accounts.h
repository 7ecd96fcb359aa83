/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The users of a server (common/user.h) become accounts of its OS, in the RAM overlay, at each boot. */
#ifndef PROVISIONER_ACCOUNTS_H
#define PROVISIONER_ACCOUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/user.h"
#include "provisioner/sentence.h"

#define ACCOUNTS_SIZE_MOST (8u << 20)
/* What each of them gets as shell: it builds what he sees (rootfs/session.c). */
#define ACCOUNT_SHELL "/usr/lib/repave/session"

struct account {
	char name[USER_NAME_MOST + 1];
	uint32_t uid;         /* also of his group */
	struct buffer keys;   /* text of his authorized_keys */
};

struct accounts {
	struct account *items;
	size_t count;
};

/* Parses the lines of common/user.h. Each key gets the options that end forwarding in both ssh servers. 0; -EINVAL with a sentence for
 * whatever isn't exactly so; -ENOMEM. Pure. The caller releases, also after an error. */
int accounts_parse(const void *text, size_t size, struct accounts *ret_accounts, char ret_error[SENTENCE]);
void accounts_release(struct accounts *accounts);

/* Whether a file of lines NAME:…:NUMBER:… (passwd, group) has this name or this number. Pure. */
bool accounts_taken(const char *text, const char *name, uint32_t number);

/* Makes them accounts of the system below `root`: passwd, group, shadow, and /home/NAME/.ssh/authorized_keys, owned by root. Who has the
 * name or number of an account of the OS is left out, with a line on stderr. 0 or -errno with a sentence. */
int accounts_make(const struct accounts *accounts, const char *root, char ret_error[SENTENCE]);

#endif
