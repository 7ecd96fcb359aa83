/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Modules of stage 1's kernel that no device asks for: loaded when there is a use for them, for each costs a boot time. */
#ifndef PROVISIONER_MODULES_H
#define PROVISIONER_MODULES_H

#include <stddef.h>

/* Pure. `*rest` stands in the text of lib/modules/drivers (initramfs/drivers says how that looks): the next file that `word` asks for, and what comes after it
 * in `*rest`. Changes the text; a file with a slash in its name is none. NULL: there is no more. Begin with `*line` NULL. */
char *modules_next(char **rest, char **line, const char *word);

/* Loads all that `word` ("repave:crypt") asks for. What can't be loaded shows in what is missing then. */
void modules_load(const char *word);

#endif
