/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Points in time as people write them. */
#ifndef CONTROL_MOMENT_H
#define CONTROL_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "control/names.h"

/* "4h" (from now on), "22:00" (the next one), "2026-11-22", "2026-11-22 22:00", "2026-11-22T22:00:00": local time, or with a Z behind it UTC. Seconds
 * since 1970. With `past`, "4h" is that long ago and "22:00" the last one. 0; -EINVAL with a sentence. */
int moment_parse(const char *text, int64_t now, bool past, int64_t *ret_time, char ret_error[ERROR_TEXT]);

#endif
