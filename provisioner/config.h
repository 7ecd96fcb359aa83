/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stage 1's own configuration: /etc/repave/ of the initramfs, and where the command line overrides it. */
#ifndef PROVISIONER_CONFIG_H
#define PROVISIONER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "provisioner/sentence.h"

#define HOSTS_MOST 8u /* of the medium, and as many of the lease */

struct config {
	char host[256];           /* the control unit that is asked now, as it stands in a URL (IPv6 in brackets) */
	char hosts[2 * HOSTS_MOST][256]; /* all its addresses, in the order in which they are tried */
	unsigned host_count, host_now;
	unsigned lease_hosts;     /* so many of them, the first ones, are the lease's */
	unsigned port;
	unsigned repository_port;
	uint64_t slot_c_mib;
	uint64_t slot_d_mib;
	int64_t build_time;       /* seconds since 1970: the clock is never before it; not before the CA's certificate begins */
	unsigned boot_tries;      /* starts of one system that may end unhealthy before the last good one boots */
	unsigned health_seconds;  /* a started system must be healthy by then */
	unsigned watchdog_seconds; /* of a kernel that hangs, until the hardware resets it; 0: never */
	bool ram_slots;           /* C: and D: in RAM, and the disk isn't looked at */
	bool unreachable_boot;    /* with no control unit: the last good system boots; else it is waited for */
	unsigned unreachable_seconds; /* how long all addresses are tried before that */
	unsigned grace_seconds;   /* how long its metadata may have expired then */
	bool restart_on_corruption; /* dm-verity: restart at once instead of panic */
	bool tpm_floor;           /* metadata older than what a TPM's counter remembers are refused */
	bool reset_without_kexec; /* where the kernel refuses kexec, the firmware starts the system */
	int64_t ca_end;           /* the fleet's CA certificate ends */
	char ntp[256];            /* NTP servers, with commas between them; may be empty */
	char proxy[256];          /* "http://host[:port]" that all requests go through; may be empty */
	char version[65];
	char ca_file[512];
	struct buffer root;       /* trusted root.json */
	char token[257];          /* join token, empty without one; never to be shown */
};

/* Reads `folder`/config.json, ca.pem, root.json, the token (`token_file` may be absent) and the overrides in `words` (kernel
 * command line, SMBIOS; see settings.h).
 * 0 or -errno with a sentence. The caller calls config_release. */
int config_load(const char *folder, const char *token_file, const char *words, struct config *ret_config,
		char ret_error[SENTENCE]);
/* What DHCP says (`lease`: repave.cu and repave.ntp) counts where `words` are silent: nobody vouches for it, so its control units
 * come before those of the medium and not instead of them, and what isn't an address is left out. It replaces what an earlier
 * lease said; with other addresses than before, the first is the next. False when it named control units and none was sound. */
bool config_take_lease(struct config *config, const char *words, const char *lease);
/* Goes on to the next address of the control unit. True when all have had their turn. */
bool config_next_host(struct config *config);
void config_release(struct config *config);

#endif
