/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tpm-node DEVICE COMMAND …: what a node does with its TPM, one thing at a time, for a test against a software TPM.
 *
 *   identify                     prints the body of POST …/attest
 *   prove TASK LOG EVENTS        from files: the control unit's answer, the firmware's log, our events; prints the body of POST …/quote
 *   extend PCR HEX               64 digits
 *   floor                        prints "VALUE made" or "VALUE kept"
 *   raise VALUE STEPS            prints what it got to
 *   remove                       the counter
 *
 * 0; 1 with a sentence; 3 without a TPM. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attest-tpm.h"
#include "common/file.h"

static int identify(struct tpm *tpm)
{
	char *body;
	int r = attest_identify(tpm, &body);

	if (r == 0)
		puts(body);
	free(body);
	return r;
}

static int prove(struct tpm *tpm, char **files)
{
	struct buffer task_text = { 0 }, log = { 0 }, events_text = { 0 };
	struct attest_task task;
	json_t *events = NULL;
	char *body = NULL;
	int r = file_load(files[0], ATTEST_ANSWER_MOST, &task_text);

	attest_firmware_log(files[1], &log);
	if (r == 0)
		r = file_load(files[2], ATTEST_EVENTS_MOST, &events_text);
	if (r == 0)
		events = attest_parse_events(events_text.data, events_text.size);
	if (r == 0)
		r = attest_task_parse(task_text.data, task_text.size, strstr((char *)task_text.data, "credential") != NULL, &task, tpm->error);
	if (r == 0)
		r = events != NULL ? attest_prove(tpm, &task, &log, events, &body) : -EBADMSG;
	if (r == 0)
		puts(body);
	free(body);
	json_decref(events);
	buffer_release(&task_text);
	buffer_release(&log);
	buffer_release(&events_text);
	return r;
}

static int floor_value(struct tpm *tpm)
{
	uint64_t value;
	bool made;
	int r = tpm_floor(tpm, &value, &made);

	if (r == 0)
		printf("%" PRIu64 " %s\n", value, made ? "made" : "kept");
	return r;
}

static int raise_floor(struct tpm *tpm, char **numbers)
{
	uint64_t value;
	int r = tpm_floor_raise(tpm, strtoull(numbers[0], NULL, 10), (unsigned)strtoul(numbers[1], NULL, 10), &value);

	if (r == 0)
		printf("%" PRIu64 "\n", value);
	return r;
}

static int extend(struct tpm *tpm, char **words)
{
	uint8_t digest[TPM_DIGEST];
	int r = hex_parse(words[1], digest, sizeof(digest));

	return r < 0 ? r : tpm_extend(tpm, (unsigned)strtoul(words[0], NULL, 10), digest);
}

int main(int argc, char **argv)
{
	struct tpm tpm;
	int r;

	if (argc < 3)
		return 2;
	r = tpm_open(argv[1], &tpm);
	if (r == 0)
		r = strcmp(argv[2], "identify") == 0 ? identify(&tpm) :
		    strcmp(argv[2], "prove") == 0 && argc == 6 ? prove(&tpm, argv + 3) :
		    strcmp(argv[2], "extend") == 0 && argc == 5 ? extend(&tpm, argv + 3) :
		    strcmp(argv[2], "floor") == 0 ? floor_value(&tpm) :
		    strcmp(argv[2], "raise") == 0 && argc == 5 ? raise_floor(&tpm, argv + 3) :
		    strcmp(argv[2], "remove") == 0 ? tpm_floor_remove(&tpm) : -EINVAL;
	else if (r == -ENOENT)
		return 3;
	if (r < 0)
		printf("%s (%s)\n", tpm.error, strerror(-r));
	tpm_close(&tpm);
	return r < 0;
}
