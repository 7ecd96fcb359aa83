// SPDX-License-Identifier: GPL-2.0-or-later
/* What agents say, orders to them, and what their silence does, with a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>

#include "common/json.h"
#include "control/lifecycle.h"
#include "control/monitor.h"
#include "control/orders.h"

#define NODE "5e70a7e0-0000-4000-8000-000000000001"
#define BOOT_1 "11111111-0000-4000-8000-000000000001"
#define BOOT_2 "22222222-0000-4000-8000-000000000002"
#define NOW 1800000000

struct fixture {
	char folder[32], path[48];
	struct control control;
	struct node *node;
};

static void open_control(struct fixture *f)
{
	assert_int_equal(store_open(f->path, true, &f->control.store), 0);
	assert_int_equal(fleet_load(f->control.store, &f->control.fleet), 0);
	assert_int_equal(orders_load(&f->control), 0);
	f->node = fleet_get(f->control.fleet, NODE);
}

static void close_control(struct fixture *f)
{
	fleet_free(f->control.fleet);
	store_close(f->control.store);
}

static void reopen(struct fixture *f)
{
	close_control(f);
	f->control.round_ms = 0;
	open_control(f);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strcpy(f->folder, "/tmp/channel-test-XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->path, sizeof f->path, "%s/repave.db", f->folder);
	f->control.settings.interval = 5;
	open_control(f);
	assert_int_equal(fleet_add(f->control.fleet, NODE, NOW, &f->node), 0);
	assert_int_equal(store_put_node(f->control.store, f->node), 0);
	strcpy(f->node->channel.boot_id, BOOT_1);
	assert_int_equal(store_put_channel(f->control.store, NODE, &f->node->channel), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "repave.db", "repave.db-wal", "repave.db-shm" };
	struct fixture *f = *state;
	char path[80];

	close_control(f);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
		unlink(path);
	}
	rmdir(f->folder);
	free(f);
	return 0;
}

static int give(struct fixture *f, bool this_boot, int64_t expires, int64_t now, uint64_t *ret_number)
{
	return orders_give(&f->control, NODE, "notice", json_pack("{ss}", "text", "hello"), this_boot, expires, now, ret_number);
}

static uint64_t given(struct fixture *f, bool this_boot, int64_t now)
{
	uint64_t number = 0;

	assert_int_equal(give(f, this_boot, now + 60, now, &number), 0);
	return number;
}

static void check_state(struct fixture *f, uint64_t number, enum order_state wanted)
{
	enum order_state state;
	char text[ERROR_TEXT];

	assert_int_equal(orders_state(&f->control, NODE, number, &state, text), 0);
	assert_string_equal(order_state_name(state), order_state_name(wanted));
}

static size_t send_orders(struct fixture *f, int64_t now)
{
	json_t *sent = orders_send(f->node, now);
	size_t count = json_array_size(sent);

	json_decref(sent);
	return count;
}

static void answer(struct fixture *f, uint64_t number, enum order_result result, int64_t now)
{
	struct order_answer said = { .number = number, .result = result, .text = "said" };

	assert_int_equal(orders_answered(&f->control, f->node, &said, now), 0);
}

/* ------------------------------------------------------------------ orders */

static void test_order_outlives_the_control_unit(void **state)
{
	struct fixture *f = *state;
	uint64_t number = given(f, true, NOW);

	reopen(f);
	check_state(f, number, ORDER_WAITING);
	assert_true(orders_unsent(f->node, NOW));
	assert_int_equal(send_orders(f, NOW), 1);
	check_state(f, number, ORDER_SENT);
	reopen(f);
	assert_int_equal(send_orders(f, NOW), 1); /* again: the agent knows it by its number */
	answer(f, number, ORDER_RESULT_DONE, NOW);
	check_state(f, number, ORDER_DONE);
	reopen(f);
	check_state(f, number, ORDER_DONE);
	assert_false(orders_outstanding(f->node, NOW));
}

static void test_order_for_a_boot_is_void_in_the_next(void **state)
{
	struct fixture *f = *state;
	uint64_t bound = given(f, true, NOW), any = given(f, false, NOW);

	assert_int_equal(orders_of_other_boots(&f->control, f->node, BOOT_1, NOW), 0);
	check_state(f, bound, ORDER_WAITING);
	assert_int_equal(orders_of_other_boots(&f->control, f->node, BOOT_2, NOW), 0);
	check_state(f, bound, ORDER_VOID);
	check_state(f, any, ORDER_WAITING);
}

static void test_order_needs_to_know_which_boot(void **state)
{
	struct fixture *f = *state;
	uint64_t number;

	f->node->channel.boot_id[0] = 0;
	assert_int_equal(give(f, true, NOW + 60, NOW, &number), -EAGAIN);
	assert_int_equal(give(f, false, NOW + 60, NOW, &number), 0);
	assert_int_equal(orders_give(&f->control, "nobody", "notice", NULL, false, NOW + 60, NOW, &number), -ENOENT);
}

static void test_order_expires_when_no_answer_can_come_any_more(void **state)
{
	struct fixture *f = *state;
	uint64_t unsent = given(f, true, NOW), sent;

	assert_int_equal(send_orders(f, NOW + 60), 0); /* too late to be begun */
	assert_int_equal(orders_expire(&f->control, f->node, NOW + 60), 0);
	check_state(f, unsent, ORDER_EXPIRED);
	sent = given(f, true, NOW + 100);
	assert_int_equal(send_orders(f, NOW + 100), 1);
	assert_int_equal(orders_expire(&f->control, f->node, NOW + 160), 0);
	check_state(f, sent, ORDER_SENT);
	assert_int_equal(orders_expire(&f->control, f->node, NOW + 160 + ORDER_LATE_SECONDS), 0);
	check_state(f, sent, ORDER_EXPIRED);
	answer(f, sent, ORDER_RESULT_DONE, NOW + 300); /* it had been done all the same */
	check_state(f, sent, ORDER_DONE);
}

static void test_second_answer_changes_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t number = given(f, true, NOW);

	answer(f, number, ORDER_RESULT_REFUSED, NOW);
	answer(f, number, ORDER_RESULT_DONE, NOW);
	check_state(f, number, ORDER_REFUSED);
	answer(f, 4242, ORDER_RESULT_DONE, NOW); /* nobody asked */
}

static void test_numbers_ascend_when_the_clock_goes_back(void **state)
{
	struct fixture *f = *state;
	uint64_t first = given(f, true, NOW), second = given(f, true, NOW - 100000), third;

	assert_int_equal(first, NOW);
	assert_int_equal(second, first + 1);
	reopen(f);
	third = given(f, true, NOW - 100000);
	assert_int_equal(third, second + 1);
}

static void test_orders_that_nobody_answers_are_bounded(void **state)
{
	struct fixture *f = *state;
	uint64_t number;

	for (unsigned i = 0; i < ORDERS_OUTSTANDING_MOST; i++)
		given(f, true, NOW);
	assert_int_equal(give(f, true, NOW + 60, NOW, &number), -EDQUOT);
	assert_int_equal(send_orders(f, NOW), ORDERS_IN_ANSWER);
}

static void test_old_orders_are_forgotten_and_open_ones_are_not(void **state)
{
	struct fixture *f = *state;
	uint64_t open = given(f, true, NOW);
	json_t *list = NULL;

	for (unsigned i = 0; i < ORDERS_KEPT + 10; i++)
		answer(f, given(f, true, NOW), ORDER_RESULT_DONE, NOW);
	assert_int_equal(orders_list(&f->control, f->node, 0, 1000, &list), 0);
	assert_true(json_array_size(list) <= ORDERS_KEPT + 2);
	json_decref(list);
	check_state(f, open, ORDER_WAITING);
}

/* ------------------------------------------------------------------ silence and health */

/* A status arrives. */
static void hear(struct fixture *f, enum agent_health health)
{
	if (!f->node->live) {
		f->node->live = calloc(1, sizeof *f->node->live);
		f->node->live->interval = 5;
	}
	f->node->live->figures.health = health;
	f->node->live->heard_round_ms = f->control.round_ms;
	assert_int_equal(lifecycle_heard(&f->control, f->node, NOW), 0);
}

static void pass(struct fixture *f, int64_t seconds, bool held_back)
{
	f->control.round_ms += seconds * 1000;
	lifecycle_watch(&f->control, f->node, held_back, NOW);
}

static void check_life(const struct fixture *f, enum life_state wanted)
{
	assert_string_equal(life_name(f->node->life.state), life_name(wanted));
}

static size_t count_events(struct fixture *f, const char *kind, const char *severity)
{
	struct store_filter filter = { .after = 0, .most = 1000, .node = NODE };
	json_t *list = NULL, *event;
	size_t i, count = 0;

	assert_int_equal(store_list(f->control.store, STORE_EVENTS, &filter, &list), 0);
	json_array_foreach(list, i, event)
		count += !strcmp(json_get_string(event, "kind"), kind) && !strcmp(json_get_string(event, "severity"), severity);
	json_decref(list);
	return count;
}

static void test_silence_is_suspected_and_then_a_failure(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(lifecycle_asked(&f->control, f->node, NOW), 0);
	hear(f, AGENT_HEALTHY);
	check_life(f, LIFE_SERVING);
	pass(f, 14, false);
	check_life(f, LIFE_SERVING);
	pass(f, 1, false);
	check_life(f, LIFE_SUSPECT);
	pass(f, 14, false);
	check_life(f, LIFE_SUSPECT);
	pass(f, 1, false);
	check_life(f, LIFE_FAILED);
	assert_int_equal(count_events(f, "life", "warning"), 1);
	assert_int_equal(count_events(f, "life", "alarm"), 1);
	hear(f, AGENT_HEALTHY); /* one status may be a node that dies slowly */
	check_life(f, LIFE_FAILED);
	hear(f, AGENT_HEALTHY);
	check_life(f, LIFE_SERVING);
	reopen(f);
	check_life(f, LIFE_SERVING);
}

static void test_silence_of_many_fails_nobody(void **state)
{
	struct fixture *f = *state;

	lifecycle_asked(&f->control, f->node, NOW);
	hear(f, AGENT_HEALTH_NONE);
	pass(f, 1000, true);
	check_life(f, LIFE_SUSPECT);
	pass(f, 1, false);
	check_life(f, LIFE_FAILED);
}

static void test_status_that_waits_for_its_answer_is_no_silence(void **state)
{
	struct fixture *f = *state;
	struct held *held = (struct held *)f; /* only that there is one counts */

	lifecycle_asked(&f->control, f->node, NOW);
	hear(f, AGENT_HEALTHY);
	f->node->live->held = held;
	pass(f, 1000, false);
	check_life(f, LIFE_SERVING);
	f->node->live->held = NULL;
}

/* One round of the real monitor, whose clock stands nearly still meanwhile. */
static void one_round(struct fixture *f)
{
	struct monitor *monitor = NULL;

	assert_int_equal(monitor_start(&f->control, &monitor), 0);
	usleep(100 * 1000);
	monitor_stop(monitor);
}

static void test_nobody_is_silent_while_the_control_unit_is_too_slow_to_listen(void **state)
{
	struct fixture *f = *state;

	lifecycle_asked(&f->control, f->node, NOW);
	hear(f, AGENT_HEALTHY);
	f->control.round_ms += 100 * 1000;
	f->control.latest_ms = MONITOR_BUSY_MS; /* an answer was so late */
	one_round(f);
	check_life(f, LIFE_SERVING);
	one_round(f); /* all is well again, and the node has its whole time */
	pass(f, 14, false);
	check_life(f, LIFE_SERVING);
	pass(f, 1, false);
	check_life(f, LIFE_SUSPECT);
}

static void test_silence_counts_when_the_control_unit_had_time(void **state)
{
	struct fixture *f = *state;

	lifecycle_asked(&f->control, f->node, NOW);
	hear(f, AGENT_HEALTHY);
	f->control.round_ms += 100 * 1000;
	one_round(f);
	check_life(f, LIFE_FAILED);
}

static void test_boot_request_is_no_silence(void **state)
{
	struct fixture *f = *state;

	lifecycle_asked(&f->control, f->node, NOW);
	hear(f, AGENT_HEALTHY);
	lifecycle_asked(&f->control, f->node, NOW);
	pass(f, 1000, false);
	check_life(f, LIFE_BOOTING);
	assert_int_equal(count_events(f, "life", "warning") + count_events(f, "life", "alarm"), 0);
}

static void test_long_boot_without_an_agent_is_told_once_and_no_failure(void **state)
{
	struct fixture *f = *state;

	lifecycle_asked(&f->control, f->node, NOW - BOOT_LONG_SECONDS + 1);
	pass(f, 1, false);
	assert_int_equal(count_events(f, "boot-slow", "warning"), 0);
	f->node->boot_began--;
	pass(f, 1, false);
	pass(f, 1000, false);
	assert_int_equal(count_events(f, "boot-slow", "warning"), 1);
	check_life(f, LIFE_BOOTING);
}

static void test_agents_have_time_to_come_back_to_a_new_control_unit(void **state)
{
	struct fixture *f = *state;

	lifecycle_asked(&f->control, f->node, NOW);
	hear(f, AGENT_HEALTHY);
	reopen(f);
	pass(f, RETURN_SECONDS + 14, false);
	check_life(f, LIFE_SERVING);
	pass(f, 1, false);
	check_life(f, LIFE_SUSPECT);
}

static void test_unhealthy_three_times_is_suspect(void **state)
{
	struct fixture *f = *state;

	lifecycle_asked(&f->control, f->node, NOW);
	hear(f, AGENT_HEALTHY);
	hear(f, AGENT_UNHEALTHY);
	hear(f, AGENT_UNHEALTHY);
	hear(f, AGENT_HEALTHY);
	hear(f, AGENT_UNHEALTHY);
	hear(f, AGENT_UNHEALTHY);
	check_life(f, LIFE_SERVING);
	hear(f, AGENT_UNHEALTHY);
	check_life(f, LIFE_SUSPECT);
	hear(f, AGENT_HEALTHY);
	hear(f, AGENT_HEALTHY);
	check_life(f, LIFE_SERVING);
}

static void test_boot_that_fails_each_minute_is_one_alarm(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 5; i++) {
		lifecycle_asked(&f->control, f->node, NOW);
		assert_int_equal(lifecycle_move(&f->control, f->node, LIFE_BOOT_FAILED, NOW, "its boot failed in stage disk: full"), 0);
	}
	check_life(f, LIFE_FAILED);
	assert_int_equal(count_events(f, "life", "alarm"), 1);
	lifecycle_asked(&f->control, f->node, NOW);
	lifecycle_move(&f->control, f->node, LIFE_BOOT_FAILED, NOW, "another reason");
	assert_int_equal(count_events(f, "life", "alarm"), 2);
}

/* ------------------------------------------------------------------ statuses */

#define MEASURES                                                                                                          \
	"\"measures\":{\"load\":[1.5,0,0],\"cpu\":{\"count\":2,\"busy\":0.25},\"memory\":{\"total\":8,\"available\":3},"      \
	"\"health\":{\"state\":\"healthy\",\"milliseconds\":1.5},\"user_count\":1,\"unknown\":{\"a\":[1]},"                 \
	"\"users\":[{\"name\":\"\\u001b[2Jroot\",\"process\":7}],\"sessions\":{\"connections\":3,\"peers\":2},"            \
	"\"images\":{\"c\":{\"root_hash\":\"ab\",\"verity\":\"V\"},\"d\":{\"root_hash\":\"cd\",\"verity\":\"C\"}}}"
#define HEAD "{\"format\":1,\"boot_id\":\"" BOOT_1 "\",\"sequence\":5,\"uptime\":7.5,"

static int parse(const char *text, struct agent_status *status)
{
	char why[ERROR_TEXT];

	return agent_status_parse(text, strlen(text), status, why);
}

static void test_user_name_with_control_characters_silences_nobody(void **state)
{
	struct agent_status status;

	(void)state;
	assert_int_equal(parse(HEAD MEASURES "}", &status), 0);
	assert_non_null(strstr(status.measures, "\" [2Jroot\""));
	assert_null(strstr(status.measures, "unknown"));
	assert_int_equal(status.figures.memory_available, 3);
	assert_int_equal(status.figures.connections, 3);
	assert_int_equal(status.figures.health, AGENT_HEALTHY);
	assert_int_equal(status.figures.verity[0], 'V');
	assert_int_equal(status.figures.verity[1], 'C');
	assert_true(status.figures.uptime > 7.4 && status.figures.load > 1.4);
	agent_status_release(&status);
}

static void test_status_of_a_wrong_form_is_refused(void **state)
{
	static const char *const wrong[] = {
		"", "[]", HEAD "\"measures\":{}}", "{\"format\":2}", HEAD "\"measures\":[]}",
		HEAD MEASURES ",\"alarms\":{}}", HEAD MEASURES ",\"alarms\":[{\"sequence\":0,\"time\":1,\"kind\":\"file\",\"text\":\"\"}]}",
		HEAD MEASURES ",\"alarms\":[{\"sequence\":1,\"time\":1,\"kind\":\"FILE\",\"text\":\"\"}]}",
		HEAD MEASURES ",\"answers\":[{\"order\":0,\"result\":\"done\",\"text\":\"\"}]}",
		HEAD MEASURES ",\"answers\":[{\"order\":1,\"result\":\"maybe\",\"text\":\"\"}]}", HEAD MEASURES ",\"alarms_lost\":-1}",
	};
	struct agent_status status;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(parse(wrong[i], &status), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order_outlives_the_control_unit),
		TEST(test_order_for_a_boot_is_void_in_the_next),
		TEST(test_order_needs_to_know_which_boot),
		TEST(test_order_expires_when_no_answer_can_come_any_more),
		TEST(test_second_answer_changes_nothing),
		TEST(test_numbers_ascend_when_the_clock_goes_back),
		TEST(test_orders_that_nobody_answers_are_bounded),
		TEST(test_old_orders_are_forgotten_and_open_ones_are_not),
		TEST(test_silence_is_suspected_and_then_a_failure),
		TEST(test_silence_of_many_fails_nobody),
		TEST(test_status_that_waits_for_its_answer_is_no_silence),
		TEST(test_nobody_is_silent_while_the_control_unit_is_too_slow_to_listen),
		TEST(test_silence_counts_when_the_control_unit_had_time),
		TEST(test_boot_request_is_no_silence),
		TEST(test_long_boot_without_an_agent_is_told_once_and_no_failure),
		TEST(test_agents_have_time_to_come_back_to_a_new_control_unit),
		TEST(test_unhealthy_three_times_is_suspect),
		TEST(test_boot_that_fails_each_minute_is_one_alarm),
		cmocka_unit_test(test_user_name_with_control_characters_silences_nobody),
		cmocka_unit_test(test_status_of_a_wrong_form_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
