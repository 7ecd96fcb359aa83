/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a quote proves about a boot. Pure: from values that the TPM signed, and logs that must lead to them, to a level with a sentence.
 *
 *   PCR 0-3  firmware and what it loads    as at the node's first proof, or as an operator accepted since
 *   PCR 4    images that firmware started  each one of an expected set's
 *   PCR 7    Secure Boot                   on, and the image verified by the expected set's db certificate
 *   PCR 8    Repave's own                  nothing in stage 1; after it what this boot was assigned
 *   PCR 9    initrd, where the set has it
 *   PCR 11   parts of the boot image       the expected set's
 */
#ifndef CONTROL_TPM_JUDGE_H
#define CONTROL_TPM_JUDGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "control/tpm-format.h"
#include "control/tpm-log.h"

/* Those that stage 1 quotes. */
#define PCRS_QUOTED 0x00000bffu

/* LEVEL_NONE: nothing was proved. LEVEL_FAILED: what the TPM says contradicts what was expected. */
enum attest_level { LEVEL_NONE, LEVEL_FAILED, LEVEL_ATTESTED };
/* "unattested", "failed", "attested". */
const char *attest_level_name(enum attest_level level);

#define EXPECTED_IMAGES_MOST 8u
#define EXPECTED_NAME_MOST 64u
#define EXPECTED_DOCUMENT_MOST 8192u
#define EXPECTED_ID 12u              /* hexadecimal digits of the document's SHA-256 */

/* What a boot image measures, as its build computed it. */
struct expected_set {
	char id[EXPECTED_ID + 1];
	char name[EXPECTED_NAME_MOST + 1], version[EXPECTED_NAME_MOST + 1];
	size_t images;
	uint8_t image[EXPECTED_IMAGES_MOST][TPM_DIGEST]; /* Authenticode digests: PCR 4 */
	bool has_initrd;
	uint8_t initrd[TPM_DIGEST];  /* PCR 9 */
	uint8_t parts[TPM_DIGEST];   /* PCR 11 */
	bool rescue_shell;
	struct buffer certificate;   /* DER of the db certificate; owned; not of the document */
};

/* Reads {"format": 1, "name", "version", "pcr4": [hex], "pcr9": hex or null, "pcr11": hex, "rescue_shell"}. 0 (the caller releases); -EINVAL
 * with a sentence. */
int expected_set_parse(const void *document, size_t size, struct expected_set *ret_set, char ret_error[ERROR_TEXT]);
void expected_set_release(struct expected_set *set);

struct judge_input {
	uint32_t pcrs;                      /* that the quote is about */
	uint8_t values[PCRS][TPM_DIGEST];   /* which give the quote's digest */
	const struct firmware_log *log;
	const struct repave_events *events;
	const struct expected_set *sets;
	size_t set_count;
	const struct expected_set *withdrawn; /* that were expected once: for the sentence alone */
	size_t withdrawn_count;
	const json_t *firmware;             /* what PCR 0-3 were when they were accepted; NULL: never yet */
};

struct judgement {
	enum attest_level level;
	int pcr;                            /* that differs; -1: none */
	size_t event;                       /* of the firmware's log, from 1; 0: none */
	char text[ERROR_TEXT];
	const struct expected_set *set;     /* of those given; NULL: none fits */
	json_t *firmware;                   /* PCR 0-3 as they are, for the next time; a new reference; NULL: not reached */
};

/* Whether these values give the digest that the TPM signed. */
bool judge_values(const struct tpm_quote *quote, const uint8_t values[PCRS][TPM_DIGEST]);
/* Stage 1's proof. 0 (the caller gives `firmware` back) or -ENOMEM. */
int judge_boot(const struct judge_input *input, struct judgement *ret_judgement);

/* What a boot was given. */
struct judge_assigned {
	uint64_t number;
	char os[2 * TPM_DIGEST + 1], app[2 * TPM_DIGEST + 1]; /* root hashes; `app` "" without one */
};
/* The proof after the boot: `then` are the values that stage 1 proved, PCR 8 apart. */
void judge_system(const struct judge_input *input, const uint8_t then[PCRS][TPM_DIGEST], const struct judge_assigned *assigned,
		  struct judgement *ret_judgement);

#endif
