/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a node and the control unit say to each other about its TPM (docs/protocol.md, "Attestation"), and the log of what Repave
 * measured, in the TCG's Canonical Event Log format (JSON). No I/O. */
#ifndef COMMON_ATTEST_H
#define COMMON_ATTEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/tpm.h"

#define ATTEST_PCR 8u               /* what stage 1 measures */
#define ATTEST_ANSWER_MOST 65536u
#define ATTEST_FIRMWARE_LOG_MOST (256u << 10)
#define ATTEST_EVENTS_MOST 65536u
#define ATTEST_TEXT 256u
#define ATTEST_EVENTS "/run/repave/events.json"

/* ------------------------------------------------------------------ the log */
/* [{"recnum":0,"pcr":8,"digests":[{"hashAlg":"sha256","digest":HEX}],"content_type":"repave","content":{"type":TYPE,"data":TEXT}}, …]
 * Adds one, whose number follows the last one's. 0 or -ENOMEM, also for text that isn't UTF-8. */
int attest_add_event(json_t *events, const uint8_t digest[TPM_DIGEST], const char *type, const char *data);
/* Of a file: a new reference, or NULL for what isn't an array of objects. */
json_t *attest_parse_events(const void *text, size_t size);

/* ------------------------------------------------------------------ what the control unit wants */
struct attest_task {
	char session[33];                    /* 32 hexadecimal digits */
	struct tpm_bytes nonce;              /* 16 to 64 bytes */
	uint32_t mask;                       /* PCRs */
	struct tpm_bytes credential, secret; /* as tpm_command_activate; both empty where none was wanted */
};

/* `with_credential`: it must have one (stage 1), else it must have none. 0 or -EINVAL with a sentence. */
int attest_task_parse(const void *text, size_t size, bool with_credential, struct attest_task *ret_task, char ret_error[ATTEST_TEXT]);

struct attest_verdict {
	bool attested;
	char text[ATTEST_TEXT];  /* printable ASCII */
};

/* 0 or -EINVAL. */
int attest_verdict_parse(const void *text, size_t size, struct attest_verdict *ret_verdict);

/* ------------------------------------------------------------------ what the node says; malloc'd, or NULL when out of memory */
/* Without a certificate `ek_certificate` is empty. */
char *attest_question(const struct buffer *ek_certificate, const struct tpm_bytes *ek_public, const struct tpm_bytes *ak_public);

struct attest_quote {
	const struct attest_task *task;
	const struct tpm_bytes *activated;   /* NULL: none was wanted */
	struct tpm_bytes attest, signature;
	uint8_t values[TPM_PCRS][TPM_DIGEST];
	const struct buffer *firmware_log;   /* may be empty */
	json_t *events;                      /* borrowed */
};
char *attest_answer(const struct attest_quote *quote);

#endif
