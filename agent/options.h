/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H

#include <stdbool.h>

#include "agent/places.h"

struct options {
	struct places places;
	const char *node; /* NULL: of the kernel command line */
	bool print, help;
};

/* 0; -EINVAL after a line that says what is wrong. */
int options_parse(int argc, char **argv, struct options *ret_options);
extern const char usage_text[];

#endif
