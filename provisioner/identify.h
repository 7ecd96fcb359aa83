/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which server this is, by what its firmware and kernel tell. */
#ifndef PROVISIONER_IDENTIFY_H
#define PROVISIONER_IDENTIFY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "provisioner/blockdev.h"
#include "provisioner/sentence.h"

#define MACS_MOST 16
#define IDENTITY_DISKS_MOST 32

struct identity {
	char uuid[37];       /* lower case: of the DMI table, else derived from the first MAC */
	bool derived;        /* the latter */
	char serial[65];
	char vendor[65];
	char product[65];
	char macs[MACS_MOST][18];
	unsigned mac_count;
	uint64_t memory_bytes;
	unsigned cpus;
	bool uefi;
	struct blockdev disks[IDENTITY_DISKS_MOST];
	unsigned disk_count;
};

/* Reads it below `sys` ("/sys"). 0, or -ENODEV with a sentence when there is neither a UUID nor a MAC. */
int identify(const char *sys, struct identity *ret_identity, char ret_error[SENTENCE]);
/* The "inventory" of docs/protocol.md. A new reference, or NULL. */
json_t *identity_json(const struct identity *identity);

#endif
