/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands as the TCG's specification draws them; answers that are cut, or say more than they hold. Against a TPM: tpm-works. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/attest.h"
#include "common/json.h"

static void test_commands_are_as_specified(void **state)
{
	static const uint8_t extend[] = {
		0x80, 0x02, 0, 0, 0, 65, 0, 0, 1, 0x82, 0, 0, 0, 8, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x0b,
		7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	};
	static const uint8_t read[] = { 0x80, 0x01, 0, 0, 0, 20, 0, 0, 1, 0x7e, 0, 0, 0, 1, 0, 0x0b, 3, 0x01, 0x81, 0x80 };
	uint8_t digest[TPM_DIGEST];
	struct tpm_message command;

	(void)state;
	memset(digest, 7, sizeof(digest));
	tpm_command_pcr_extend(&command, 8, digest);
	assert_int_equal(command.size, sizeof(extend));
	assert_memory_equal(command.data, extend, sizeof(extend));
	tpm_command_pcr_read(&command, 1u << 0 | 1u << 8 | 1u << 15 | 1u << 23);
	assert_int_equal(command.size, sizeof(read));
	assert_memory_equal(command.data, read, sizeof(read));
}

static void test_too_much_is_marked(void **state)
{
	static uint8_t nonce[TPM_MESSAGE_MOST];
	struct tpm_message command;

	(void)state;
	tpm_command_quote(&command, 1, nonce, sizeof(nonce), 1);
	assert_true(command.full);
	assert_true(command.size <= sizeof(command.data));
}

static void put_size(uint8_t *answer, size_t size)
{
	answer[4] = (uint8_t)(size >> 8);
	answer[5] = (uint8_t)size;
}

/* Each byte of these is needed. */
static void test_cut_answers_are_refused(void **state)
{
	static const uint8_t pcr[] = {
		0x80, 0x01, 0, 0, 0, 62, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0x0b, 3, 0, 1, 0, 0, 0, 0, 1, 0, 32,
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	};
	static const uint8_t data[] = { 0x80, 0x02, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 10, 0, 8, 0, 0, 0, 0, 0, 0, 0, 5 };
	uint8_t values[TPM_PCRS][TPM_DIGEST], copy[sizeof(pcr)];
	struct tpm_answer answer;
	struct tpm_bytes bytes;
	uint32_t mask;

	(void)state;
	assert_int_equal(tpm_answer_parse(pcr, sizeof(pcr), &answer), 0);
	assert_int_equal(tpm_answer_pcrs(&answer, &mask, values), 0);
	assert_int_equal(mask, 1u << 8);
	assert_int_equal(values[8][31], 1);
	for (size_t size = 0; size < sizeof(pcr); size++) {
		memcpy(copy, pcr, size);
		if (size >= 6)
			put_size(copy, size);
		if (tpm_answer_parse(copy, size, &answer) == 0)
			assert_int_equal(tpm_answer_pcrs(&answer, &mask, values), -EBADMSG);
	}
	assert_int_equal(tpm_answer_parse(data, sizeof(data), &answer), 0);
	assert_int_equal(tpm_answer_nv_read(&answer, &bytes), 0);
	assert_int_equal(bytes.size, 8);
	for (size_t size = 10; size < sizeof(data); size++) {
		memcpy(copy, data, size);
		put_size(copy, size);
		assert_int_equal(tpm_answer_parse(copy, size, &answer), 0);
		assert_int_equal(tpm_answer_nv_read(&answer, &bytes), -EBADMSG);
	}
}

static void test_results(void **state)
{
	(void)state;
	assert_true(tpm_result_is_absent(0x18b));
	assert_true(tpm_result_is_absent(0x28b));
	assert_false(tpm_result_is_absent(0x10b));
	assert_true(tpm_result_is_denied(0x98e));
	assert_true(tpm_result_is_denied(0x9a2));
	assert_true(tpm_result_is_again(0x922));
	assert_false(tpm_result_is_again(0x921));
}

static void test_only_a_counter_counts(void **state)
{
	(void)state;
	assert_true(tpm_index_is_counter(&(struct tpm_index){ 0x02040014, 8 }));
	assert_true(tpm_index_is_counter(&(struct tpm_index){ 0x22040014, 8 }));
	assert_false(tpm_index_is_counter(&(struct tpm_index){ 0x22040004, 8 })); /* an ordinary one */
	assert_false(tpm_index_is_counter(&(struct tpm_index){ 0x26040014, 8 })); /* orderly: it jumps after a power cut */
	assert_false(tpm_index_is_counter(&(struct tpm_index){ 0x22040014, 16 }));
}

static void test_certificate_in_a_larger_index(void **state)
{
	uint8_t index[600] = { 0x30, 0x82, 0x01, 0x00 };

	(void)state;
	assert_int_equal(tpm_certificate_size(index, sizeof(index)), 260);
	assert_int_equal(tpm_certificate_size(index, 260), 260);
	assert_int_equal(tpm_certificate_size(index, 259), 0);
	memset(index, 0xff, sizeof(index));
	assert_int_equal(tpm_certificate_size(index, sizeof(index)), 0);
}

#define SESSION "\"session\":\"00112233445566778899aabbccddeeff\""
#define NONCE "\"nonce\":\"AAECAwQFBgcICQoLDA0ODw==\""

static int task(const char *text, bool with_credential, struct attest_task *ret_task)
{
	char error[ATTEST_TEXT];

	return attest_task_parse(text, strlen(text), with_credential, ret_task, error);
}

static void test_what_the_control_unit_wants(void **state)
{
	static const char *const bad[] = {
		"", "[]", "{\"format\":2," SESSION "," NONCE ",\"pcrs\":[0]}", "{\"format\":1,\"session\":\"0011\"," NONCE ",\"pcrs\":[0]}",
		"{\"format\":1," SESSION ",\"nonce\":\"AAEC\",\"pcrs\":[0]}", "{\"format\":1," SESSION "," NONCE ",\"pcrs\":[]}",
		"{\"format\":1," SESSION "," NONCE ",\"pcrs\":[24]}", "{\"format\":1," SESSION "," NONCE ",\"pcrs\":[-1]}",
		"{\"format\":1," SESSION "," NONCE ",\"pcrs\":[8,8]}", "{\"format\":1," SESSION "," NONCE ",\"pcrs\":{\"8\":1}}",
	};
	struct attest_task found;

	(void)state;
	assert_int_equal(task("{\"format\":1," SESSION "," NONCE ",\"pcrs\":[0,8]}", false, &found), 0);
	assert_int_equal(found.mask, 0x101);
	assert_int_equal(found.nonce.size, 16);
	assert_int_equal(found.credential.size, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(task(bad[i], false, &found), -EINVAL);
	/* A size that isn't its own would have the TPM read on in what follows. */
	assert_int_equal(task("{\"format\":1," SESSION "," NONCE ",\"pcrs\":[0],\"credential\":\"AAH/\",\"secret\":\"AAH/\"}", true, &found), 0);
	assert_int_equal(task("{\"format\":1," SESSION "," NONCE ",\"pcrs\":[0],\"credential\":\"AAL/\",\"secret\":\"AAH/\"}", true, &found), -EINVAL);
	assert_int_equal(task("{\"format\":1," SESSION "," NONCE ",\"pcrs\":[0]}", true, &found), -EINVAL);
}

static void test_verdict_is_printable(void **state)
{
	static const char text[] = "{\"attested\":false,\"text\":\"PCR 4: \\u001b[2Jforeign \\u00e4\"}";
	struct attest_verdict verdict;

	(void)state;
	assert_int_equal(attest_verdict_parse(text, strlen(text), &verdict), 0);
	assert_false(verdict.attested);
	assert_string_equal(verdict.text, "PCR 4: ?[2Jforeign ??");
	assert_int_equal(attest_verdict_parse("{\"attested\":1}", 14, &verdict), -EINVAL);
}

static void test_events_are_numbered(void **state)
{
	uint8_t digest[TPM_DIGEST] = { 0xab };
	json_t *events = json_array(), *again;
	char *text;

	(void)state;
	assert_int_equal(attest_add_event(events, digest, "repave.assignment", "42"), 0);
	assert_int_equal(attest_add_event(events, digest, "repave.os", "\"x\""), 0);
	assert_int_equal(attest_add_event(events, digest, "repave.cmdline", "\xff"), -ENOMEM);
	text = json_format(events);
	assert_non_null(strstr(text, "{\"content\":{\"data\":\"42\",\"type\":\"repave.assignment\"},\"content_type\":\"repave\",\"digests\":[{\"digest\":\"ab0000"));
	assert_non_null(strstr(text, "\"pcr\":8,\"recnum\":1}"));
	again = attest_parse_events(text, strlen(text));
	assert_true(json_equal(events, again));
	assert_null(attest_parse_events("{}", 2));
	assert_null(attest_parse_events("[1]", 3));
	free(text);
	json_decref(events);
	json_decref(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_are_as_specified),   cmocka_unit_test(test_too_much_is_marked),
		cmocka_unit_test(test_cut_answers_are_refused),     cmocka_unit_test(test_results),
		cmocka_unit_test(test_only_a_counter_counts),       cmocka_unit_test(test_certificate_in_a_larger_index),
		cmocka_unit_test(test_what_the_control_unit_wants), cmocka_unit_test(test_verdict_is_printable),
		cmocka_unit_test(test_events_are_numbered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
