/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Method and path to an operation. Pure. */
#ifndef CONTROL_ROUTE_H
#define CONTROL_ROUTE_H

#include <stddef.h>

#define ROUTE_ARGUMENT_MOST 64u

struct route {
	const char *method;
	const char *pattern; /* "/v1/nodes/{}/boot": one component at most is an argument */
	int operation;       /* >= 0 */
};

/* The operation whose method and pattern fit, and its argument ("" without one). -ENOENT when no pattern fits the path;
 * -EOPNOTSUPP when one does with another method. */
int route_find(const struct route *routes, size_t count, const char *method, const char *path,
	       char ret_argument[ROUTE_ARGUMENT_MOST + 1]);

#endif
