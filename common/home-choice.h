/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a server's H: (user data) comes from, as an assignment says it. Pure.
 *
 *   auto                       the server's own partition, where the application declares a home; else none
 *   local                      the server's own partition
 *   none                       no H:; the application's home is in RAM
 *   nfs:SERVER:/PATH           NFS 4.1 or newer; the same folder for all servers that have it
 *   nfs:SERVER:/PATH/{node}    a folder of the server's own there, named after its id
 */
#ifndef COMMON_HOME_CHOICE_H
#define COMMON_HOME_CHOICE_H

#include <stdbool.h>

#define HOME_CHOICE_MOST 511u /* characters of the whole text */
#define HOME_SERVER_MOST 253u
#define HOME_PATH_MOST 240u

enum home_kind { HOME_AUTO, HOME_LOCAL, HOME_NONE, HOME_NFS };

struct home_choice {
	enum home_kind kind;
	char server[HOME_SERVER_MOST + 1]; /* name, IPv4 address, or IPv6 address without brackets; "" unless NFS */
	char path[HOME_PATH_MOST + 1];     /* absolute, without "/{node}" */
	bool own_folder;
};

/* 0 or -EINVAL. What is accepted needs no quoting, in a mount's options neither: no spaces, commas, "..", control characters. */
int home_choice_parse(const char *text, struct home_choice *ret_choice);

/* Where an application's home may be: below /var/lib, /srv or /home, at most 255 characters. */
bool home_path_ok(const char *path);

#endif
