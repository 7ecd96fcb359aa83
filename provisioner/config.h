/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stage 1's own configuration: /etc/repave/ of the initramfs, and where the command line overrides it. */
#ifndef PROVISIONER_CONFIG_H
#define PROVISIONER_CONFIG_H

#include <stdint.h>

#include "common/bytes.h"
#include "provisioner/sentence.h"

struct config {
	char host[256];           /* the control unit, as it stands in a URL (IPv6 in brackets) */
	unsigned port;
	unsigned repository_port;
	uint64_t slot_c_mib;
	uint64_t slot_d_mib;
	int64_t build_time;       /* seconds since 1970: the clock is never before it; not before the CA's certificate begins */
	char version[65];
	char ca_file[512];
	struct buffer root;       /* trusted root.json */
	char token[257];          /* join token, empty without one; never to be shown */
};

/* Reads `folder`/config.json, ca.pem, root.json, the token (`token_file` may be absent) and the overrides on `cmdline`.
 * 0 or -errno with a sentence. The caller calls config_release. */
int config_load(const char *folder, const char *token_file, const char *cmdline, struct config *ret_config,
		char ret_error[SENTENCE]);
void config_release(struct config *config);

#endif
