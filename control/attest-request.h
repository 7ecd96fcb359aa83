/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nodes and agents send to prove what they run: bodies of "attest" and "quote" of docs/protocol.md. Pure. */
#ifndef CONTROL_ATTEST_REQUEST_H
#define CONTROL_ATTEST_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "control/names.h"
#include "control/tpm-crypto.h"
#include "control/tpm-log.h"

#define QUOTE_BODY_MOST (512u * 1024)
#define SESSION_SIZE 32u             /* hexadecimal digits */

struct attest_request {
	struct buffer certificate;   /* of the endorsement key; empty without */
	struct tpm_public ek, ak;
};

struct quote_request {
	char session[SESSION_SIZE + 1];
	struct buffer activated;     /* empty for an agent */
	struct buffer quote;         /* TPMS_ATTEST: what was signed */
	struct tpm_quote parsed;
	struct tpm_signature signature;
	uint8_t values[PCRS][TPM_DIGEST];
	struct buffer log;           /* the firmware's; empty without */
	json_t *events;              /* owned; NULL: none */
};

/* Each: 0 (the caller releases); -EINVAL with a sentence; -ENOMEM. `by_agent`: of a system that runs. */
int attest_request_parse(const void *body, size_t size, struct attest_request *ret_request, char ret_error[ERROR_TEXT]);
void attest_request_release(struct attest_request *request);
int quote_request_parse(const void *body, size_t size, bool by_agent, struct quote_request *ret_request, char ret_error[ERROR_TEXT]);
void quote_request_release(struct quote_request *request);
/* The agent's first call: {"format": 1}. 0 or -EINVAL with a sentence. */
int attest_begin_parse(const void *body, size_t size, char ret_error[ERROR_TEXT]);

#endif
