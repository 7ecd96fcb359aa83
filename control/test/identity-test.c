// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is given an identity: every way in, and every way that must not be one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/identity.h"
#include "control/throttle.h"

#define KEY_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define KEY_2 "2222222222222222222222222222222222222222222222222222222222222222"
#define NOW 1000000

/* A question of a machine with serial S1 and one MAC; its parts are changed by the tests. */
struct asked {
	json_t *macs, *other_macs;
	struct identity known;
	struct enrolment waiting;
	struct enrol_question question;
	struct enrol_decision decision;
};

static int set_up(void **state)
{
	static struct asked asked;

	asked = (struct asked){ .macs = json_pack("[s, s]", "52:54:00:00:00:01", "52:54:00:00:00:02"),
				.other_macs = json_pack("[s]", "52:54:00:00:00:99") };
	strcpy(asked.known.key, KEY_1);
	strcpy(asked.known.way, "token 12345678");
	strcpy(asked.known.serial, "S1");
	asked.known.macs = asked.macs;
	strcpy(asked.waiting.key, KEY_2);
	strcpy(asked.waiting.serial, "S1");
	asked.waiting.macs = asked.macs;
	asked.waiting.since = NOW - 10;
	asked.question = (struct enrol_question){ .known = &asked.known, .key = KEY_2, .machine = { "S1", asked.macs },
						  .last_heard = NOW - 1000, .now = NOW, .clone_seconds = CLONE_SECONDS };
	*state = &asked;
	return 0;
}

static int tear_down(void **state)
{
	struct asked *a = *state;

	json_decref(a->macs);
	json_decref(a->other_macs);
	return 0;
}

static enum enrol_verdict ask(struct asked *a)
{
	enrol_decide(&a->question, &a->decision);
	/* Whoever isn't accepted is told why. */
	assert_true(a->decision.reason[0] || a->decision.verdict <= ENROL_REPLACE);
	assert_false(a->decision.uses_token && (a->question.entry != ENTRY_TOKEN || a->decision.verdict > ENROL_REPLACE));
	return a->decision.verdict;
}

/* ------------------------------------------------------------------ strangers */

static void test_stranger_without_anything_is_refused(void **state)
{
	struct asked *a = *state;

	a->question.known = NULL;
	assert_int_equal(ask(a), ENROL_REFUSE);
	a->known.key[0] = 0; /* a node from before there were identities is one too */
	a->question.known = &a->known;
	assert_int_equal(ask(a), ENROL_REFUSE);
}

static void test_stranger_with_a_token_uses_it(void **state)
{
	struct asked *a = *state;

	a->question.known = NULL;
	a->question.entry = ENTRY_TOKEN;
	assert_int_equal(ask(a), ENROL_ACCEPT);
	assert_true(a->decision.uses_token);
}

static void test_allow_list_needs_no_token_and_spares_one(void **state)
{
	struct asked *a = *state;

	a->question.known = NULL;
	a->question.allowed = true;
	assert_int_equal(ask(a), ENROL_ACCEPT);
	a->question.entry = ENTRY_TOKEN;
	assert_int_equal(ask(a), ENROL_ACCEPT);
	assert_false(a->decision.uses_token);
	assert_string_equal(a->decision.way, "allow list");
}

static void test_policy_approve_makes_a_token_not_enough(void **state)
{
	struct asked *a = *state;

	a->question.known = NULL;
	a->question.policy = ENROL_BY_APPROVAL;
	assert_int_equal(ask(a), ENROL_WAIT);
	assert_false(a->decision.alarm);
	a->question.entry = ENTRY_TOKEN;
	assert_int_equal(ask(a), ENROL_WAIT);
	a->question.waiting = &a->waiting;
	assert_int_equal(ask(a), ENROL_WAIT); /* it waits, and nobody approved yet */
	a->waiting.approved = true;
	assert_int_equal(ask(a), ENROL_ACCEPT);
	assert_string_equal(a->decision.way, "approval");
}

static void test_approval_is_for_one_key_on_one_machine(void **state)
{
	struct asked *a = *state;

	a->question.known = NULL;
	a->question.policy = ENROL_BY_APPROVAL;
	a->question.waiting = &a->waiting;
	a->waiting.approved = true;
	a->question.key = KEY_1;
	assert_int_equal(ask(a), ENROL_WAIT);
	a->question.key = KEY_2;
	a->question.machine.serial = "S2";
	assert_int_equal(ask(a), ENROL_WAIT);
	a->question.machine = (struct machine){ "S1", a->other_macs };
	assert_int_equal(ask(a), ENROL_WAIT);
}

/* ------------------------------------------------------------------ the key that it has */

static void test_lost_answer_is_repeated_without_a_use(void **state)
{
	struct asked *a = *state;

	a->question.key = KEY_1;
	a->question.entry = ENTRY_TOKEN;
	assert_int_equal(ask(a), ENROL_REPEAT);
	assert_false(a->decision.uses_token);
	a->question.entry = ENTRY_OWN_TOKEN; /* used up by this very machine */
	assert_int_equal(ask(a), ENROL_REPEAT);
	a->question.entry = ENTRY_CERTIFICATE;
	assert_int_equal(ask(a), ENROL_REPEAT);
	a->question.entry = ENTRY_NONE; /* an old request, played again, with nothing */
	assert_int_equal(ask(a), ENROL_REFUSE);
}

static void test_who_came_without_a_token_needs_none_again(void **state)
{
	struct asked *a = *state;

	a->question.key = KEY_1;
	strcpy(a->known.way, "approval");
	assert_int_equal(ask(a), ENROL_REPEAT);
	strcpy(a->known.way, "allow list");
	assert_int_equal(ask(a), ENROL_REFUSE); /* it was taken off the list */
	a->question.allowed = true;
	assert_int_equal(ask(a), ENROL_REPEAT);
}

static void test_same_key_on_another_board_is_an_alarm(void **state)
{
	struct asked *a = *state;

	a->question.key = KEY_1;
	a->question.entry = ENTRY_CERTIFICATE;
	a->question.machine.serial = "S2";
	assert_int_equal(ask(a), ENROL_WAIT);
	assert_true(a->decision.alarm);
	assert_non_null(strstr(a->decision.reason, "\"S1\""));
	assert_non_null(strstr(a->decision.reason, "\"S2\""));
}

/* ------------------------------------------------------------------ another key */

static void test_machine_that_fell_silent_is_replaced(void **state)
{
	struct asked *a = *state;

	a->question.entry = ENTRY_TOKEN;
	assert_int_equal(ask(a), ENROL_REPLACE);
	assert_true(a->decision.uses_token);
}

static void test_another_key_needs_a_right_to_enter_too(void **state)
{
	struct asked *a = *state;

	assert_int_equal(ask(a), ENROL_REFUSE);
	a->question.entry = ENTRY_OWN_TOKEN;
	assert_int_equal(ask(a), ENROL_REFUSE);
	a->question.entry = ENTRY_NONE;
	a->question.policy = ENROL_BY_APPROVAL; /* else anybody could take over who is silent */
	assert_int_equal(ask(a), ENROL_WAIT);
	assert_false(a->decision.alarm);
}

static void test_reboot_within_a_minute_waits_without_an_alarm(void **state)
{
	struct asked *a = *state;

	a->question.entry = ENTRY_TOKEN;
	a->question.last_heard = NOW - CLONE_SECONDS;
	assert_int_equal(ask(a), ENROL_WAIT);
	assert_false(a->decision.alarm);
	a->question.waiting = &a->waiting; /* asked again; the former one says nothing more */
	a->waiting.since = NOW - 30;
	assert_int_equal(ask(a), ENROL_WAIT);
	assert_false(a->decision.alarm);
	a->question.now = NOW + 1;
	assert_int_equal(ask(a), ENROL_REPLACE);
}

static void test_clone_beside_the_living_machine_is_an_alarm(void **state)
{
	struct asked *a = *state;

	a->question.entry = ENTRY_TOKEN;
	a->question.waiting = &a->waiting;
	a->question.last_heard = NOW - 5; /* since NOW - 10 it waits: both are there */
	assert_int_equal(ask(a), ENROL_WAIT);
	assert_true(a->decision.alarm);
	assert_non_null(strstr(a->decision.reason, "clone"));
	a->waiting.approved = true;
	assert_int_equal(ask(a), ENROL_REPLACE);
	assert_false(a->decision.uses_token);
}

static void test_clone_on_other_hardware_is_an_alarm_however_silent(void **state)
{
	static const enum entry entries[] = { ENTRY_TOKEN, ENTRY_CERTIFICATE };
	struct asked *a = *state;

	for (size_t i = 0; i < 2; i++) {
		a->question.entry = entries[i];
		a->question.machine = (struct machine){ "S1", a->other_macs };
		assert_int_equal(ask(a), ENROL_WAIT);
		assert_true(a->decision.alarm);
		assert_non_null(strstr(a->decision.reason, "52:54:00:00:00:99"));
		a->question.machine = (struct machine){ "", a->macs };
		assert_int_equal(ask(a), ENROL_WAIT);
		assert_true(a->decision.alarm);
	}
	a->question.entry = ENTRY_NONE;
	a->question.policy = ENROL_BY_APPROVAL;
	assert_int_equal(ask(a), ENROL_WAIT);
	assert_true(a->decision.alarm);
}

static void test_renewal_with_a_new_key_needs_no_silence(void **state)
{
	struct asked *a = *state;

	a->question.entry = ENTRY_CERTIFICATE;
	a->question.last_heard = NOW;
	a->question.waiting = &a->waiting;
	assert_int_equal(ask(a), ENROL_REPLACE);
	a->question.policy = ENROL_BY_APPROVAL;
	assert_int_equal(ask(a), ENROL_REPLACE);
}

static void test_one_new_network_card_is_the_same_machine(void **state)
{
	struct asked *a = *state;
	json_t *one = json_pack("[s, s]", "52:54:00:00:00:77", "52:54:00:00:00:02"), *upper = json_pack("[s]", "52:54:00:00:00:0A");
	json_t *lower = json_pack("[s]", "52:54:00:00:00:0a"), *none = json_array();
	char differs[ERROR_TEXT];

	assert_true(machine_fits(&a->known, &(struct machine){ "S1", one }, differs));
	a->known.macs = upper;
	assert_true(machine_fits(&a->known, &(struct machine){ "S1", lower }, differs));
	assert_false(machine_fits(&a->known, &(struct machine){ "S1", none }, differs));
	a->known.macs = none;
	assert_true(machine_fits(&a->known, &(struct machine){ "S1", none }, differs));
	assert_false(machine_fits(&a->known, &(struct machine){ "S1", one }, differs));
	json_decref(one);
	json_decref(upper);
	json_decref(lower);
	json_decref(none);
}

static void test_sentence_about_a_hostile_machine_stays_short(void **state)
{
	struct asked *a = *state;
	json_t *many = json_array();
	char long_serial[DMI_TEXT_MOST + 1], differs[ERROR_TEXT];

	memset(long_serial, 'x', DMI_TEXT_MOST);
	long_serial[DMI_TEXT_MOST] = 0;
	for (int i = 0; i < 64; i++)
		json_array_append_new(many, json_string("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_false(machine_fits(&a->known, &(struct machine){ "S1", many }, differs));
	assert_true(strlen(differs) < ERROR_TEXT);
	a->question.entry = ENTRY_TOKEN;
	a->question.machine = (struct machine){ long_serial, many };
	assert_int_equal(ask(a), ENROL_WAIT);
	/* Cut within a character it would be no UTF-8, and no JSON could hold it. */
	memset(long_serial, 'x', DMI_TEXT_MOST);
	memcpy(long_serial + 79, "\u00e9\u00e9", 4);
	assert_int_equal(ask(a), ENROL_WAIT);
	for (const char *at = a->decision.reason; *at; at++)
		assert_true(*at >= 0x20 && *at < 0x7f);
	json_decref(many);
}

/* ------------------------------------------------------------------ tokens */

static void test_tokens_end(void **state)
{
	struct token token = { .id = "12345678", .uses = 2, .used = 1, .expires = NOW };
	char why[ERROR_TEXT];

	(void)state;
	assert_true(token_usable(&token, NOW - 1, why));
	assert_false(token_usable(&token, NOW, why));
	assert_non_null(strstr(why, "has expired"));
	token.used = 2;
	assert_false(token_usable(&token, NOW - 1, why));
	assert_non_null(strstr(why, "is used up"));
	token = (struct token){ .revoked = 1 };
	assert_false(token_usable(&token, NOW, why));
	token = (struct token){ .used = 1000000 };
	assert_true(token_usable(&token, INT64_MAX, why));
}

static void test_guessing_tokens_has_to_wait(void **state)
{
	struct throttle *throttle = throttle_new();

	(void)state;
	assert_non_null(throttle);
	for (unsigned i = 0; i < THROTTLE_MOST; i++) {
		assert_int_equal(throttle_wait(throttle, "192.0.2.1", 100), 0);
		throttle_note(throttle, "192.0.2.1", 100);
	}
	assert_int_equal(throttle_wait(throttle, "192.0.2.1", 100), THROTTLE_SECONDS);
	assert_int_equal(throttle_wait(throttle, "192.0.2.1", 159), 1);
	assert_int_equal(throttle_wait(throttle, "192.0.2.1", 160), 0);
	assert_int_equal(throttle_wait(throttle, "192.0.2.2", 100), 0); /* others don't */
	for (unsigned i = 0; i < THROTTLE_MOST; i++)
		throttle_note(throttle, i % 2 ? "2001:db8::1" : "2001:db8::ffff", 200);
	assert_true(throttle_wait(throttle, "2001:db8::2", 200) > 0); /* one host has all of a /64 */
	assert_int_equal(throttle_wait(throttle, "2001:db8:0:1::2", 200), 0);
	throttle_free(throttle);
}

static void test_flood_of_addresses_keeps_the_table_bounded(void **state)
{
	struct throttle *throttle = throttle_new();
	char address[32];

	(void)state;
	assert_non_null(throttle);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(address, sizeof address, "10.0.%u.%u", i / 256, i % 256);
		throttle_note(throttle, address, 100 + i / 1000);
	}
	for (unsigned i = 0; i < THROTTLE_MOST; i++)
		throttle_note(throttle, "192.0.2.1", 105);
	assert_true(throttle_wait(throttle, "192.0.2.1", 105) > 0);
	throttle_free(throttle);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stranger_without_anything_is_refused),
		TEST(test_stranger_with_a_token_uses_it),
		TEST(test_allow_list_needs_no_token_and_spares_one),
		TEST(test_policy_approve_makes_a_token_not_enough),
		TEST(test_approval_is_for_one_key_on_one_machine),
		TEST(test_lost_answer_is_repeated_without_a_use),
		TEST(test_who_came_without_a_token_needs_none_again),
		TEST(test_same_key_on_another_board_is_an_alarm),
		TEST(test_machine_that_fell_silent_is_replaced),
		TEST(test_another_key_needs_a_right_to_enter_too),
		TEST(test_reboot_within_a_minute_waits_without_an_alarm),
		TEST(test_clone_beside_the_living_machine_is_an_alarm),
		TEST(test_clone_on_other_hardware_is_an_alarm_however_silent),
		TEST(test_renewal_with_a_new_key_needs_no_silence),
		TEST(test_one_new_network_card_is_the_same_machine),
		TEST(test_sentence_about_a_hostile_machine_stays_short),
		cmocka_unit_test(test_tokens_end),
		cmocka_unit_test(test_guessing_tokens_has_to_wait),
		cmocka_unit_test(test_flood_of_addresses_keeps_the_table_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
