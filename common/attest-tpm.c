/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/attest-tpm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/file.h"

static int out_of_memory(struct tpm *tpm)
{
	snprintf(tpm->error, sizeof(tpm->error), "out of memory");
	return -ENOMEM;
}

int attest_identify(struct tpm *tpm, char **ret_body)
{
	struct buffer certificate = { 0 };
	struct tpm_key ek = { 0 }, ak = { 0 };
	int r = tpm_endorsement(tpm, &ek, &certificate);

	*ret_body = NULL;
	/* One after the other: a small TPM holds three keys. */
	tpm_flush(tpm, &ek);
	if (r == 0)
		r = tpm_attestation_key(tpm, &ak);
	tpm_flush(tpm, &ak);
	if (r == 0) {
		*ret_body = attest_question(&certificate, &ek.public_area, &ak.public_area);
		r = *ret_body != NULL ? 0 : out_of_memory(tpm);
	}
	buffer_release(&certificate);
	return r;
}

static int open_credential(struct tpm *tpm, const struct attest_task *task, const struct tpm_key *ak, struct tpm_bytes *ret_activated)
{
	struct buffer certificate = { 0 };
	struct tpm_key ek = { 0 };
	uint8_t random[16];
	int r = tpm_endorsement(tpm, &ek, &certificate);

	if (r == 0 && getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		snprintf(tpm->error, sizeof(tpm->error), "the kernel gives no random numbers");
		r = -EIO;
	}
	if (r == 0)
		r = tpm_activate(tpm, ak, &ek, random, &task->credential, &task->secret, ret_activated);
	tpm_flush(tpm, &ek);
	buffer_release(&certificate);
	return r;
}

int attest_prove(struct tpm *tpm, const struct attest_task *task, const struct buffer *firmware_log, json_t *events, char **ret_body)
{
	struct attest_quote quote = { .task = task, .firmware_log = firmware_log, .events = events };
	struct tpm_bytes activated = { 0 };
	struct tpm_key ak = { 0 };
	int r = tpm_attestation_key(tpm, &ak);

	*ret_body = NULL;
	if (r == 0 && task->credential.size > 0) {
		r = open_credential(tpm, task, &ak, &activated);
		quote.activated = &activated;
	}
	if (r == 0)
		r = tpm_pcrs(tpm, task->mask, quote.values);
	if (r == 0)
		r = tpm_quote(tpm, &ak, task->nonce.data, task->nonce.size, task->mask, &quote.attest, &quote.signature);
	tpm_flush(tpm, &ak);
	if (r == 0) {
		*ret_body = attest_answer(&quote);
		r = *ret_body != NULL ? 0 : out_of_memory(tpm);
	}
	explicit_bzero(&activated, sizeof(activated));
	return r;
}

void attest_firmware_log(const char *path, struct buffer *ret_log)
{
	if (file_load(path, ATTEST_FIRMWARE_LOG_MOST, ret_log) < 0)
		*ret_log = (struct buffer){ 0 };
}
