/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of repaved. */
#ifndef CONTROL_OPTIONS_H
#define CONTROL_OPTIONS_H

#include "control/renewal.h"

struct options {
	const char *state, *repository, *address, *root, *online_keys, *notify; /* point into argv; NULL when not given */
	unsigned port, repository_port, operator_port; /* operator_port 0: none */
	char metrics_address[64]; /* numeric */
	unsigned metrics_port; /* 0: none */
	struct renewal_policy renewal;
};

/* 0 to go on, or the exit status + 1, after --help or one line that says what is wrong. */
int options_parse(int argc, char *argv[], struct options *ret_options);

#endif
