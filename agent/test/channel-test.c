/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/channel.h"
#include "agent/http-answer.h"
#include "agent/http.h"
#include "agent/report.h"
#include "common/json.h"

#define NOW 1000000
#define BOOT "00000000-0000-4000-8000-000000000001"

static struct channel channel;
static struct control_answer answer;

static int reset(void **state)
{
	(void)state;
	channel_init(&channel, BOOT, 12.5);
	return 0;
}

static int parse(const char *text)
{
	char error[160];

	return control_answer_parse(text, strlen(text), &answer, error);
}

/* A status goes out, and this comes back. */
static void exchange(const char *text)
{
	channel_status_begin(&channel);
	assert_int_equal(parse(text), 0);
	channel_status_answered(&channel, &answer);
}

static void order(uint64_t number, int64_t expires, const char *action)
{
	char text[300];

	snprintf(text, sizeof(text), "{\"format\":1,\"acknowledged\":0,\"interval\":5,\"orders\":[{\"order\":%u,\"expires\":%d,\"action\":\"%s\"}]}",
		 (unsigned)number, (int)expires, action);
	exchange(text);
}

/* What the next status says of an order: "done: text", or "" when it says nothing. */
static const char *told(uint64_t number)
{
	static char text[300];

	channel_status_begin(&channel);
	text[0] = '\0';
	for (size_t i = 0; i < RESULTS_MOST; i++)
		if (channel.outcomes[i].in_flight && channel.outcomes[i].number == number)
			snprintf(text, sizeof(text), "%s: %s", order_result_name(channel.outcomes[i].result), channel.outcomes[i].text);
	return text;
}

#define NOTHING "{\"format\":1,\"acknowledged\":0,\"interval\":5,\"orders\":[]}"

/* ------------------------------------------------------------------ alarms */
static void test_alarms_stay_until_they_are_acknowledged(void **state)
{
	uint64_t first;
	char text[160];

	(void)state;
	for (int i = 0; i < 40; i++)
		channel_alarm(&channel, NOW, "file", "/usr/bin/ls");
	first = channel.alarms[0].sequence;
	assert_int_equal(channel_status_begin(&channel), ALARMS_IN_STATUS);
	channel_status_failed(&channel);
	assert_int_equal(channel_status_begin(&channel), ALARMS_IN_STATUS);
	snprintf(text, sizeof(text), "{\"format\":1,\"acknowledged\":%u,\"interval\":5}", (unsigned)first + 31);
	exchange(text);
	assert_int_equal(channel_status_begin(&channel), 8);
	/* An old answer, or a false one, takes nothing away that wasn't acknowledged. */
	exchange(NOTHING);
	assert_int_equal(channel.alarm_count, 8);
}

static void test_flood_of_alarms_keeps_the_first_and_counts_the_rest(void **state)
{
	char text[16];

	(void)state;
	for (unsigned i = 0; i < ALARMS_MOST + 5; i++) {
		snprintf(text, sizeof(text), "%u", i);
		channel_alarm(&channel, NOW, "file", text);
	}
	assert_int_equal(channel.alarm_count, ALARMS_MOST);
	assert_int_equal(channel.alarms_lost, 5);
	assert_string_equal(channel.alarms[channel.alarm_first].text, "0");
}

static void test_agent_that_starts_again_does_not_use_acknowledged_numbers(void **state)
{
	uint64_t before;

	(void)state;
	channel_alarm(&channel, NOW, "file", "a");
	channel_alarm(&channel, NOW, "file", "b");
	before = channel.alarm_sequence;
	channel_init(&channel, BOOT, 13);
	channel_alarm(&channel, NOW, "file", "c");
	assert_true(channel.alarms[0].sequence > before);
}

static void test_bytes_that_json_does_not_take(void **state)
{
	static struct measures measures;
	char error[160], *text;
	json_t *json;

	(void)state;
	memset(&measures, 0, sizeof(measures));
	strcpy(measures.disks[0].mount.place, "/\xff\xfe");
	measures.disk_count = 1;
	strcpy(measures.users[0].name, "\xc3(");
	measures.user_count = 1;
	channel_alarm(&channel, NOW, "fi\xffle", "/usr/\x01\xff\"\\");
	text = status_format(&channel, channel_status_begin(&channel), &measures, NULL, "");
	assert_non_null(text);
	json = json_parse(text, strlen(text), error);
	assert_non_null(json);
	assert_string_equal(json_get_string(json_array_get(json_get_array(json, "alarms"), 0), "text"), "/usr/??\"\\");
	json_decref(json);
	free(text);
}

static void test_fullest_status_fits_its_bound(void **state)
{
	static struct measures measures;
	char long_text[300], *text;

	(void)state;
	memset(&measures, 0, sizeof(measures));
	memset(long_text, '"', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	for (unsigned i = 0; i < ALARMS_MOST; i++)
		channel_alarm(&channel, INT64_MAX, long_text, long_text);
	for (unsigned i = 0; i < RESULTS_MOST; i++)
		channel_end_order(&channel, INT64_MAX - i, RESULT_REFUSED, long_text);
	measures.disk_count = DISKS_MOST;
	measures.interface_count = INTERFACES_MOST;
	measures.user_count = USERS_MOST;
	for (unsigned i = 0; i < DISKS_MOST; i++)
		memset(measures.disks[i].mount.place, '"', sizeof(measures.disks[i].mount.place) - 1);
	for (unsigned i = 0; i < USERS_MOST; i++) {
		memset(measures.users[i].name, '"', sizeof(measures.users[i].name) - 1);
		memset(measures.users[i].from, '"', sizeof(measures.users[i].from) - 1);
		memset(measures.users[i].terminal, '"', sizeof(measures.users[i].terminal) - 1);
	}
	for (unsigned i = 0; i < INTERFACES_MOST; i++)
		measures.interfaces[i] = (struct interface){ "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"", INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX };
	text = status_format(&channel, channel_status_begin(&channel), &measures, NULL, "");
	assert_non_null(text);
	assert_true(strlen(text) < STATUS_BYTES_MOST);
	free(text);
}

/* ------------------------------------------------------------------ orders */
static void test_order_that_comes_twice_is_done_once(void **state)
{
	struct order got;

	(void)state;
	order(7, NOW + 60, "drain");
	order(7, NOW + 60, "drain");
	assert_true(channel_begin_order(&channel, NOW, &got));
	assert_int_equal(got.number, 7);
	assert_int_equal(got.action, ACTION_DRAIN);
	order(7, NOW + 60, "drain");
	assert_false(channel_begin_order(&channel, NOW, &got));
	channel_end_order(&channel, 7, RESULT_DONE, "drains");
	assert_true(channel_has_news(&channel));
	assert_string_equal(told(7), "done: drains");
	/* The answer was lost on the way: the order comes again, and is answered again, and not done. */
	channel_status_failed(&channel);
	order(7, NOW + 60, "drain");
	assert_false(channel_begin_order(&channel, NOW, &got));
	assert_string_equal(told(7), "done: drains");
	exchange(NOTHING);
	assert_true(channel_was_told(&channel, 7));
	assert_string_equal(told(7), "");
	/* The control unit lost it after that. */
	order(7, NOW + 60, "drain");
	assert_false(channel_begin_order(&channel, NOW, &got));
	assert_string_equal(told(7), "done: drains");
}

static void test_expired_orders_are_refused(void **state)
{
	struct order got;

	(void)state;
	order(3, NOW, "reboot");
	assert_false(channel_begin_order(&channel, NOW, &got));
	assert_string_equal(told(3), "refused: it expired 0 s ago by this server's clock");
	/* One that expires while another is carried out. */
	order(4, NOW + 60, "drain");
	order(5, NOW + 5, "reboot");
	assert_true(channel_begin_order(&channel, NOW, &got));
	assert_false(channel_begin_order(&channel, NOW + 10, &got));
	channel_end_order(&channel, 4, RESULT_DONE, "");
	assert_false(channel_begin_order(&channel, NOW + 10, &got));
	assert_string_equal(told(5), "refused: it expired 5 s ago by this server's clock");
}

static void test_order_of_another_boot_is_refused(void **state)
{
	struct order got;

	(void)state;
	exchange("{\"format\":1,\"acknowledged\":0,\"interval\":5,\"orders\":[{\"order\":1,\"expires\":2000000,\"action\":\"reboot\","
		 "\"boot_id\":\"00000000-0000-4000-8000-000000000002\"},{\"order\":2,\"expires\":2000000,\"action\":\"drain\","
		 "\"boot_id\":\"" BOOT "\"}]}");
	assert_true(channel_begin_order(&channel, NOW, &got));
	assert_int_equal(got.number, 2);
	assert_string_equal(told(1), "refused: it is for another boot of this server");
}

static void test_agent_killed_while_it_obeys_does_not_begin_again(void **state)
{
	struct order got;
	char *kept;

	(void)state;
	order(8, NOW + 60, "drain");
	assert_true(channel_begin_order(&channel, NOW, &got));
	channel_end_order(&channel, 8, RESULT_DONE, "drains");
	order(9, NOW + 60, "reboot");
	assert_true(channel_begin_order(&channel, NOW, &got));
	kept = channel_state_format(&channel);
	channel_init(&channel, BOOT, 20);
	assert_int_equal(channel_state_parse(&channel, kept, strlen(kept)), 0);
	free(kept);
	order(8, NOW + 60, "drain");
	assert_string_equal(told(8), "done: drains");
	order(9, NOW + 60, "reboot");
	assert_false(channel_begin_order(&channel, NOW, &got));
	assert_string_equal(told(9), "failed: it isn't a new one, and how it ended isn't known");
	order(10, NOW + 60, "drain");
	assert_true(channel_begin_order(&channel, NOW, &got));
}

static void test_state_file_that_is_not_sound_changes_nothing(void **state)
{
	static const char *const bad[] = { "", "{}", "[]", "{\"format\":2,\"begun\":1,\"ended\":[]}", "{\"format\":1,\"begun\":-1,\"ended\":[]}",
					   "{\"format\":1,\"begun\":5,\"ended\":[{\"order\":1,\"result\":\"x\",\"text\":\"\"}]}",
					   "{\"format\":1,\"begun\":5,\"ended\":[{\"order\":0,\"result\":\"done\",\"text\":\"\"}]}" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(channel_state_parse(&channel, bad[i], strlen(bad[i])), -EINVAL);
		assert_int_equal(channel.begun, 0);
		assert_false(channel_has_news(&channel));
	}
}

static void test_flood_of_orders_is_taken_in_pieces(void **state)
{
	struct order got;

	(void)state;
	for (unsigned i = 1; i <= ORDERS_MOST + 4; i++)
		order(i, NOW + 60, "drain");
	for (unsigned i = 1; i <= ORDERS_MOST; i++) {
		assert_true(channel_begin_order(&channel, NOW, &got));
		assert_int_equal(got.number, i);
		channel_end_order(&channel, i, RESULT_DONE, "");
	}
	/* The rest wasn't answered, and comes again. */
	assert_false(channel_begin_order(&channel, NOW, &got));
	order(ORDERS_MOST + 1, NOW + 60, "drain");
	assert_true(channel_begin_order(&channel, NOW, &got));
}

static void test_orders_that_are_not_sound_are_refused_by_name(void **state)
{
	struct order got;

	(void)state;
	exchange("{\"format\":1,\"acknowledged\":0,\"interval\":5,\"orders\":["
		 "{\"order\":1,\"expires\":2000000,\"action\":\"format-disk\"},"
		 "{\"order\":2,\"expires\":2000000,\"action\":\"run\",\"arguments\":{\"name\":\"../sh\"}},"
		 "{\"order\":3,\"expires\":2000000,\"action\":\"run\",\"arguments\":{\"name\":\"x\",\"arguments\":{\"a b\":\"c\"}}},"
		 "{\"order\":4,\"expires\":2000000,\"action\":\"notice\",\"arguments\":{\"text\":\"\"}},"
		 "{\"order\":5,\"expires\":2000000,\"action\":\"notice\",\"arguments\":{\"text\":5}},"
		 "{\"order\":6,\"expires\":2000000,\"action\":\"logout\",\"arguments\":[]},"
		 "{\"order\":7,\"expires\":2000000},"
		 "{\"order\":8,\"expires\":2000000,\"action\":\"evidence\",\"arguments\":{\"bytes\":0,\"seconds\":20}}]}");
	assert_false(channel_begin_order(&channel, NOW, &got));
	assert_string_equal(told(1), "refused: this agent doesn't know the action");
	for (unsigned i = 2; i < 7; i++)
		assert_string_equal(told(i), "refused: its arguments aren't sound");
	assert_string_equal(told(7), "refused: this agent doesn't know the action");
	assert_string_equal(told(8), "refused: its arguments aren't sound");
}

static void test_answers_that_are_not_sound(void **state)
{
	static const char *const bad[] = {
		"", "[]", "null", "{}", "{\"format\":2,\"acknowledged\":0,\"interval\":5}", "{\"format\":1,\"acknowledged\":0,\"interval\":0}",
		"{\"format\":1,\"acknowledged\":0,\"interval\":301}", "{\"format\":1,\"acknowledged\":-1,\"interval\":5}",
		"{\"format\":1,\"interval\":5}", "{\"format\":1,\"acknowledged\":0,\"interval\":5,\"orders\":{}}",
		"{\"format\":1,\"acknowledged\":0,\"interval\":5,\"orders\":[1]}",
		"{\"format\":1,\"acknowledged\":0,\"interval\":5,\"orders\":[{\"order\":0,\"expires\":1,\"action\":\"drain\"}]}",
		"{\"format\":1,\"acknowledged\":0,\"interval\":5,\"orders\":[{\"order\":1,\"action\":\"drain\"}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (parse(bad[i]) != -EINVAL)
			fail_msg("%s", bad[i]);
}

static void test_arguments_that_nobody_declared(void **state)
{
	static const char declared[] = "level low|high\ncount number\nunit word\n";

	(void)state;
	assert_true(argument_allowed(declared, "level", "low"));
	assert_true(argument_allowed(declared, "level", "high"));
	assert_false(argument_allowed(declared, "level", "hig"));
	assert_false(argument_allowed(declared, "level", "low|high"));
	assert_false(argument_allowed(declared, "level", ""));
	assert_true(argument_allowed(declared, "count", "12"));
	assert_false(argument_allowed(declared, "count", "-1"));
	assert_false(argument_allowed(declared, "count", "1234567890123456789"));
	assert_true(argument_allowed(declared, "unit", "nginx.service"));
	assert_false(argument_allowed(declared, "unit", "-x"));
	assert_false(argument_allowed(declared, "unit", "a b"));
	assert_false(argument_allowed(declared, "unit", "$(reboot)"));
	assert_false(argument_allowed(declared, "other", "x"));
	assert_false(argument_allowed(declared, "lev", "low"));
	assert_false(argument_allowed("level", "level", ""));
	assert_false(argument_allowed("", "level", "low"));
}

/* ------------------------------------------------------------------ connection */
static void test_a_fleet_does_not_come_back_in_one_moment(void **state)
{
	(void)state;
	assert_true(channel_wait_ms(1, 5, 0) >= 200);
	assert_true(channel_wait_ms(1, 5, UINT32_MAX) <= 5200);
	assert_true(channel_wait_ms(2, 5, UINT32_MAX) > 9000);
	assert_true(channel_wait_ms(100, 5, UINT32_MAX) <= 60200);
	assert_true(channel_wait_ms(UINT32_MAX, INTERVAL_MOST, UINT32_MAX) <= 60200);
	assert_true(channel_wait_ms(100, 5, 0) < 1000);
}

static void test_addresses_that_are_none(void **state)
{
	static const char *const bad[] = { "", "\n", "10.0.0.1", "10.0.0.1 0", "10.0.0.1 65536", "10.0.0.1 8443 x", "a/b 1", "a 12345.b.c", "a 1 b.c d", "a 1 B.C", "a 1 ", "10.0.0.1 -1",
					   "a 1\na 1\na 1\na 1\na 1\na 1\na 1\na 1\na 1\n" };
	struct address addresses[ADDRESSES_MOST];
	size_t count;

	(void)state;
	assert_int_equal(addresses_parse("10.0.0.1 8443\nfe80::1%eth0 8443\n", addresses, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(addresses[1].host, "fe80::1%eth0");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (addresses_parse(bad[i], addresses, &count) != -EINVAL)
			fail_msg("%s", bad[i]);
}

static void test_a_monitor_goes_before_control_units_and_replaces_another(void **state)
{
	static const char *const bad[] = { "", "m 1\nn 2", "10.0.0.9 8443", "10.0.0.9 8443 control.repave.internal", "m 0 m2.monitor.repave.internal", "m 1 x y" };
	const char *own = "10.0.0.1 8443\ncu2 8443\n";
	struct address addresses[ADDRESSES_MOST];
	struct buffer text = { 0 }, again = { 0 };
	char full[ADDRESSES_MOST * 8 + 1] = "";
	size_t count;

	(void)state;
	assert_int_equal(addresses_prefer(own, "10.0.0.9 8453 m1.monitor.repave.internal", &text), 0);
	assert_string_equal((char *)text.data, "10.0.0.9 8453 m1.monitor.repave.internal\n10.0.0.1 8443\ncu2 8443\n");
	assert_int_equal(addresses_parse((char *)text.data, addresses, &count), 0);
	assert_int_equal(count, 3);
	assert_string_equal(addresses[0].name, "m1.monitor.repave.internal");
	assert_string_equal(addresses[1].name, CONTROL_NAME);
	assert_int_equal(addresses_prefer((char *)text.data, "m 1 m2.monitor.repave.internal", &again), 0);
	assert_string_equal((char *)again.data, "m 1 m2.monitor.repave.internal\n10.0.0.1 8443\ncu2 8443\n");
	buffer_release(&again);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(addresses_prefer(own, bad[i], &again), -EINVAL);
	for (size_t i = 0; i < ADDRESSES_MOST; i++)
		strcat(full, "a 1\n");
	assert_int_equal(addresses_prefer(full, "m 1 m2.monitor.repave.internal", &again), 0);
	assert_int_equal(addresses_parse((char *)again.data, addresses, &count), 0);
	assert_int_equal(count, ADDRESSES_MOST);
	buffer_release(&again);
	buffer_release(&text);
}

static int feed(const char *text, struct http_answer *ret_answer)
{
	*ret_answer = (struct http_answer){ 0 };
	return http_answer_feed(ret_answer, text, strlen(text), 100);
}

static void test_http_answers_byte_by_byte(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer:\r\n\r\nhello";
	struct http_answer http = { 0 };

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(text) - 1; i++)
		assert_int_equal(http_answer_feed(&http, text + i, 1, 100), 0);
	assert_int_equal(http_answer_feed(&http, text + sizeof(text) - 2, 1, 100), 1);
	assert_int_equal(http.status, 200);
	assert_string_equal((char *)http.body.data, "hello");
	assert_false(http.close);
	http_answer_release(&http);
	assert_int_equal(feed("HTTP/1.1 204 \r\n\r\n", &http), 1);
	http_answer_release(&http);
	assert_int_equal(feed("HTTP/1.1 503 No\r\nconnection: close\r\nCONTENT-LENGTH: 0\r\n\r\n", &http), 1);
	assert_true(http.close);
	http_answer_release(&http);
	assert_int_equal(feed("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", &http), 1);
	assert_true(http.close);
	http_answer_release(&http);
}

static void test_http_answers_that_smuggle(void **state)
{
	static const char *const bad[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nX: 1\r\n Content-Length: 1\r\n\r\na",
		"HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nX: a\nYY: b\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\rYY: b\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length: 1,1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: \x01\r\nContent-Length: 0\r\n\r\n",
		"\r\n\r\n",
	};
	struct http_answer http;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (feed(bad[i], &http) != -EPROTO)
			fail_msg("%s", bad[i]);
		http_answer_release(&http);
	}
	assert_int_equal(feed("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", &http), -EFBIG);
	http_answer_release(&http);
	assert_int_equal(feed("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", &http), -EPROTO);
	http_answer_release(&http);
}

static void test_http_head_without_end(void **state)
{
	static char text[HTTP_HEAD_MOST + 1];
	struct http_answer http = { 0 };

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(http_answer_feed(&http, text, HTTP_HEAD_MOST, 100), 0);
	assert_int_equal(http_answer_feed(&http, text, 1, 100), -EFBIG);
	http_answer_release(&http);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_alarms_stay_until_they_are_acknowledged, reset),
		cmocka_unit_test_setup(test_flood_of_alarms_keeps_the_first_and_counts_the_rest, reset),
		cmocka_unit_test_setup(test_agent_that_starts_again_does_not_use_acknowledged_numbers, reset),
		cmocka_unit_test_setup(test_bytes_that_json_does_not_take, reset),
		cmocka_unit_test_setup(test_fullest_status_fits_its_bound, reset),
		cmocka_unit_test_setup(test_order_that_comes_twice_is_done_once, reset),
		cmocka_unit_test_setup(test_expired_orders_are_refused, reset),
		cmocka_unit_test_setup(test_order_of_another_boot_is_refused, reset),
		cmocka_unit_test_setup(test_agent_killed_while_it_obeys_does_not_begin_again, reset),
		cmocka_unit_test_setup(test_state_file_that_is_not_sound_changes_nothing, reset),
		cmocka_unit_test_setup(test_flood_of_orders_is_taken_in_pieces, reset),
		cmocka_unit_test_setup(test_orders_that_are_not_sound_are_refused_by_name, reset),
		cmocka_unit_test(test_answers_that_are_not_sound),
		cmocka_unit_test(test_arguments_that_nobody_declared),
		cmocka_unit_test(test_a_fleet_does_not_come_back_in_one_moment),
		cmocka_unit_test(test_addresses_that_are_none),
		cmocka_unit_test(test_a_monitor_goes_before_control_units_and_replaces_another),
		cmocka_unit_test(test_http_answers_byte_by_byte),
		cmocka_unit_test(test_http_answers_that_smuggle),
		cmocka_unit_test(test_http_head_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
