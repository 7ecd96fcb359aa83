/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two logs of what was measured, and the values that PCRs have when nothing else was. Pure.
 *
 * The firmware's (TCG PC Client Platform Firmware Profile, crypto-agile), little-endian:
 *   first   pcr(32) type(32)=3 digest(20 bytes) size(32) "Spec ID Event03\0" class(32) minor major errata uintn(8 each)
 *           hashes(32: how many; id(16) size(16)) vendor(8: size, bytes)
 *   others  pcr(32) type(32) digests(32: how many; id(16), digest) size(32) event
 * What an event says counts only where its digest is the digest of just that: nothing else in the log is sealed by PCRs.
 *
 * Repave's own (TCG Canonical Event Log, JSON), all in PCR 8:
 *   [{"recnum": N, "pcr": 8, "digests": [{"hashAlg": "sha256", "digest": "hex"}], "content_type": "repave",
 *     "content": {"type": "repave.os", "data": "..."}}]
 */
#ifndef CONTROL_TPM_LOG_H
#define CONTROL_TPM_LOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/names.h"
#include "control/tpm-format.h"

#define FIRMWARE_LOG_MOST (256u * 1024)
#define PCRS 24u
#define PCR_REPAVE 8u

/* Types of events that are looked into. */
#define EVENT_NO_ACTION 0x00000003u
#define EVENT_SEPARATOR 0x00000004u
#define EVENT_VARIABLE 0x80000001u      /* EV_EFI_VARIABLE_DRIVER_CONFIG: SecureBoot, PK, KEK, db, dbx */
#define EVENT_BOOT_VARIABLE 0x80000002u
#define EVENT_APPLICATION 0x80000003u   /* EV_EFI_BOOT_SERVICES_APPLICATION: an image that the firmware started */
#define EVENT_ACTION 0x80000007u
#define EVENT_BOOT_VARIABLE_2 0x8000000cu
#define EVENT_AUTHORITY 0x800000e0u     /* EV_EFI_VARIABLE_AUTHORITY: what an image's signature was verified with */

struct firmware_event {
	uint32_t pcr, type;
	uint8_t digest[TPM_DIGEST];
	const uint8_t *data;                /* in the log's bytes */
	size_t size;
};

struct firmware_log {
	struct firmware_event *events;      /* without EV_NO_ACTION, which extends nothing; owned */
	size_t count;
	uint8_t locality;                   /* in which PCR 0 began */
};

/* Parses a log, whose bytes must outlive it. 0 (the caller releases); -EINVAL with a sentence; -ENOMEM. */
int firmware_log_parse(const uint8_t *data, size_t size, struct firmware_log *ret_log, char ret_error[ERROR_TEXT]);
void firmware_log_release(struct firmware_log *log);
/* The value of a PCR below PCRS after the log's events. */
void firmware_log_replay(const struct firmware_log *log, uint32_t pcr, uint8_t ret_value[TPM_DIGEST]);
/* "EV_EFI_BOOT_SERVICES_APPLICATION"; a static text, "an event" for what isn't known. */
const char *firmware_event_name(uint32_t type);

/* A variable in an event of PCR 1 or 7: name as ASCII ("?" for other characters), and its value, in the event's bytes. False when it makes no sense. */
#define VARIABLE_NAME_MOST 63u
struct firmware_variable {
	uint8_t owner[16];                  /* GUID */
	char name[VARIABLE_NAME_MOST + 1];
	const uint8_t *value;
	size_t size;
};
bool firmware_variable_parse(const struct firmware_event *event, struct firmware_variable *ret_variable);
/* Whether the event's digest is that of just these bytes. */
bool firmware_event_is(const struct firmware_event *event, const uint8_t *data, size_t size);

/* What Repave measured. */
#define REPAVE_EVENTS_MOST 32u
#define REPAVE_DATA_MOST 4096u
struct repave_events {
	size_t count;
	struct repave_event {
		const char *type, *data;    /* borrowed from the JSON */
	} items[REPAVE_EVENTS_MOST];
	uint8_t value[TPM_DIGEST];          /* of PCR 8 after them */
};

/* Reads the list, which must outlive it, and checks that each digest is its content's. NULL counts as an empty one. 0, or -EINVAL with a sentence. */
int repave_events_parse(const json_t *list, struct repave_events *ret_events, char ret_error[ERROR_TEXT]);
/* What the only event of this type says; NULL when there is none, or more than one. */
const char *repave_event_find(const struct repave_events *events, const char *type);

#endif
