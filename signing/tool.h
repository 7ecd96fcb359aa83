/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a program of Debian's and waits for its end. */
#ifndef SIGNING_TOOL_H
#define SIGNING_TOOL_H

/* Runs `words` (ended by NULL), found on the PATH. With SOURCE_DATE_EPOCH in the environment the program sees that time, so that what
 * it writes is the same each time. 0; else what it said is logged and -ENOENT (it isn't installed), -EIO (it failed) or
 * another -errno is returned. */
int tool_run(const char *const words[]);

#endif
