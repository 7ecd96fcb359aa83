// SPDX-License-Identifier: GPL-2.0-or-later
/* Restarts of a small fleet with a real store: who waits for whom, and that memory and store say the same whatever fails between.
 * There is an HAProxy in the settings that nobody ever asked: agents' words count. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "control/balancer.h"
#include "control/dispatch.h"
#include "control/lifecycle.h"
#include "control/orders.h"
#include "control/place.h"
#include "control/power.h"
#include "control/store-groups.h"

#define NODE "5e70a7e0-0000-4000-8000-0000000%05x"
#define BOOT "b0070000-0000-4000-8000-0000000%05x"
#define OS_TARGET "os/minimal/1.img"
#define APP_TARGET "app/web/minimal/1.img"
#define NODES_MOST 600u

static struct image all_images[] = {
	{ .kind = IMAGE_OS, .name = "minimal", .version = "1", .target = OS_TARGET },
	{ .kind = IMAGE_APP, .name = "web", .os = "minimal", .version = "1", .target = APP_TARGET },
};
static const struct image_list images = { all_images, sizeof all_images / sizeof all_images[0] };

const struct image_list *__wrap_catalogue_images(const struct catalogue *catalogue);
const struct image_list *__wrap_catalogue_images(const struct catalogue *catalogue)
{
	(void)catalogue;
	return &images;
}

static int64_t wall_jump; /* seconds */

int __real_clock_gettime(clockid_t clock, struct timespec *ret_now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	int r = __real_clock_gettime(clock, ret_now);

	if (clock == CLOCK_REALTIME)
		ret_now->tv_sec += wall_jump;
	return r;
}

struct fixture {
	char folder[40], path[64];
	struct control control;
	struct node *nodes[NODES_MOST];
	size_t count;
};

/* ------------------------------------------------------------------ a fleet */

static void id_of(unsigned number, char ret_id[NODE_ID_SIZE + 1])
{
	snprintf(ret_id, NODE_ID_SIZE + 1, NODE, number);
}

static void hear(struct fixture *f, struct node *node)
{
	if (!node->live)
		node->live = calloc(1, sizeof *node->live);
	node->live->interval = 5;
	node->live->heard_round_ms = f->control.round_ms;
	node->live->figures.health = AGENT_HEALTHY;
}

static void begin_control(struct fixture *f)
{
	struct balancer_settings settings;
	char why[ERROR_TEXT] = "", id[NODE_ID_SIZE + 1];
	json_t *socket = json_pack("{s[s]}", "sockets", "unix:/nowhere/haproxy.sock");

	assert_int_equal(store_open(f->path, true, &f->control.store), 0);
	assert_int_equal(fleet_load(f->control.store, &f->control.fleet), 0);
	assert_int_equal(orders_load(&f->control), 0);
	assert_int_equal(balancer_new(&f->control, &f->control.balancer), 0);
	assert_int_equal(balancer_settings_parse(balancer_settings(f->control.balancer), socket, &settings, why), 0);
	balancer_adopt_settings(f->control.balancer, &settings);
	json_decref(socket);
	assert_int_equal(power_new(&f->control, f->folder, "ipmitool", &f->control.power), 0);
	assert_int_equal(dispatch_new(&f->control, &f->control.dispatch), 0);
	for (unsigned i = 0; i < f->count; i++) {
		id_of(i + 1, id);
		f->nodes[i] = fleet_get(f->control.fleet, id);
		assert_non_null(f->nodes[i]);
	}
}

static void end_control(struct fixture *f)
{
	dispatch_free(f->control.dispatch);
	power_free(f->control.power);
	balancer_free(f->control.balancer);
	fleet_free(f->control.fleet);
	store_close(f->control.store);
}

/* As by kill -9, for whatever isn't in the store. */
static void restart_control(struct fixture *f)
{
	end_control(f);
	begin_control(f);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strcpy(f->folder, "/tmp/dispatch-test-XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->path, sizeof f->path, "%s/repave.db", f->folder);
	pthread_mutex_init(&f->control.lock, NULL);
	pthread_mutex_lock(&f->control.lock);
	f->control.settings.interval = 5;
	f->control.round_ms = 1000000;
	begin_control(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "repave.db", "repave.db-wal", "repave.db-shm", "secret.key" };
	struct fixture *f = *state;
	char path[80];

	end_control(f);
	pthread_mutex_unlock(&f->control.lock);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
		unlink(path);
	}
	rmdir(f->folder);
	free(f);
	return 0;
}

static void store_group(struct fixture *f, unsigned minimum, bool has_service)
{
	json_t *definition = json_pack("{ss ss si s{si}}", "os", "minimal", "app", "web", "minimum", (int)minimum, "service", "port", 80);
	struct group group;
	char why[ERROR_TEXT] = "";

	if (!has_service)
		json_object_del(definition, "service");

	assert_int_equal(group_parse("web", definition, &group, why), 0);
	assert_int_equal(store_put_group(f->control.store, &group), 0);
	group_release(&group);
	json_decref(definition);
}

static void store_node(struct fixture *f, unsigned number, bool spare)
{
	char id[NODE_ID_SIZE + 1];
	struct node *node;

	id_of(number, id);
	assert_int_equal(fleet_add(f->control.fleet, id, 1000, &node), 0);
	strcpy(node->assignment.os, "minimal");
	strcpy(node->assignment.app, "web");
	strcpy(node->identity.agent_key, "an agent's key");
	strcpy(node->group, spare ? "" : "web");
	node->spare = spare;
	node->life.state = spare ? LIFE_SPARE : LIFE_SERVING;
	node->booted_once = true;
	node->boot = (struct boot){ .started = 1000, .updated = 1000, .assignment = 1, .event = BOOT_KEXEC, .stage = "boot", .stages = json_array(),
				    .images = json_array() };
	snprintf(node->boot.nonce, sizeof node->boot.nonce, "%032x", number);
	strcpy(node->boot.os_target, OS_TARGET);
	strcpy(node->boot.app_target, APP_TARGET);
	snprintf(node->channel.boot_id, sizeof node->channel.boot_id, BOOT, number);
	assert_int_equal(store_put_node(f->control.store, node) | store_put_life(f->control.store, node) |
			 store_put_member(f->control.store, node) | store_put_channel(f->control.store, id, &node->channel) |
			 store_put_boot(f->control.store, id, &node->boot, 5), 0);
}

/* So many members of a group with that minimum, then spares, all heard. */
static struct fixture *make(void **state, unsigned members, unsigned spares, unsigned minimum)
{
	struct fixture *f = *state;

	assert_int_equal(store_begin(f->control.store), 0);
	store_group(f, minimum, true);
	for (unsigned i = 1; i <= members + spares; i++)
		store_node(f, i, i > members);
	assert_int_equal(store_commit(f->control.store), 0);
	f->count = members + spares;
	restart_control(f);
	for (size_t i = 0; i < f->count; i++)
		hear(f, f->nodes[i]);
	return f;
}

/* ------------------------------------------------------------------ what is done with it */

static const struct restart_record *begin(struct fixture *f, unsigned index, enum restart_urgency urgency)
{
	struct restart_wish wish = { .kind = RESTART_REBOOT, .urgency = urgency, .limits = restart_limits_default, .by = "test", .reason = "" };
	const struct restart_record *record = NULL;
	char why[ERROR_TEXT] = "";

	wish.limits.drain = 0; /* the HAProxy that isn't there says nothing */
	assert_int_equal(dispatch_begin(&f->control, f->nodes[index]->id, &wish, &record, why), 0);
	return record;
}

static int cancel(struct fixture *f, unsigned index)
{
	const struct restart_record *record;
	char why[ERROR_TEXT] = "";

	return dispatch_cancel(&f->control, f->nodes[index]->id, "test", &record, why);
}

static enum restart_step step_of(const struct fixture *f, unsigned index)
{
	const struct restart_record *record = dispatch_of(&f->control, f->nodes[index]->id);

	return record ? record->restart.step : RESTART_DONE;
}

static void rounds(struct fixture *f, int count)
{
	for (int i = 0; i < count; i++)
		dispatch_round(&f->control);
}

/* What was counted a second ago counts no more. */
static void forget_peers(struct fixture *f)
{
	group_list_find(fleet_groups(f->control.fleet), "web")->peers.at = 0;
}

/* Stage 1 asks, starts the system, and its agent is heard. */
static void come_back(struct fixture *f, unsigned index, unsigned boot)
{
	struct node *node = f->nodes[index];
	char nonce[NONCE_SIZE + 1];

	snprintf(nonce, sizeof nonce, "%032x", boot);
	dispatch_asked(&f->control, node->id, nonce);
	assert_int_equal(lifecycle_asked(&f->control, node, 2000), 0);
	strcpy(node->boot.nonce, nonce);
	node->boot.event = BOOT_KEXEC;
	strcpy(node->identity.agent_key, "its next key");
	hear(f, node);
	snprintf(node->channel.boot_id, sizeof node->channel.boot_id, BOOT, boot);
	assert_int_equal(lifecycle_heard(&f->control, node, 2000), 0);
}

/* While this trigger is there no restart can be stored: as on a full disk, but at that moment. */
static void break_store(struct fixture *f, bool is_broken)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, is_broken ? "CREATE TRIGGER broken BEFORE UPDATE ON restarts BEGIN SELECT RAISE(ABORT, 'broken'); END" :
					   "DROP TRIGGER broken", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* ------------------------------------------------------------------ servers of one group */

static void test_two_servers_restarted_at_once_dont_exclude_each_other(void **state)
{
	struct fixture *f = make(state, 2, 0, 0);

	begin(f, 0, URGENCY_NOTIFY);
	begin(f, 1, URGENCY_NOTIFY);
	rounds(f, 3);
	assert_int_equal(step_of(f, 0), RESTART_AT_RELEASE);
	assert_int_equal(step_of(f, 1), RESTART_AT_REPLACE);
	assert_non_null(strstr(dispatch_of(&f->control, f->nodes[1]->id)->waits, "is being restarted"));
	assert_false(fleet_groups(f->control.fleet)->items[0].denied);
	come_back(f, 0, 100);
	rounds(f, 5);
	assert_int_equal(step_of(f, 0), RESTART_AT_READY); /* until an HAProxy says so */
	forget_peers(f);
	rounds(f, 3);
	assert_int_equal(step_of(f, 1), RESTART_AT_RELEASE);
	assert_false(fleet_groups(f->control.fleet)->items[0].denied);
}

static void test_minimum_of_a_group_without_a_service_is_kept_too(void **state)
{
	struct fixture *f = make(state, 3, 0, 2);

	store_group(f, 2, false);
	restart_control(f);
	for (size_t i = 0; i < f->count; i++)
		hear(f, f->nodes[i]);
	begin(f, 0, URGENCY_WAIT);
	begin(f, 1, URGENCY_WAIT);
	rounds(f, 5);
	assert_int_equal(step_of(f, 0), RESTART_AT_SHUTDOWN);
	assert_int_equal(step_of(f, 1), RESTART_AT_REPLACE);
}

static void test_evict_goes_below_the_minimum_and_says_so(void **state)
{
	struct fixture *f = make(state, 2, 0, 2);
	struct store_filter filter = { .after = -1, .most = 50, .node = f->nodes[0]->id };
	json_t *events = NULL;
	char *text;

	begin(f, 0, URGENCY_WAIT);
	rounds(f, 2);
	assert_int_equal(step_of(f, 0), RESTART_AT_REPLACE);
	assert_int_equal(cancel(f, 0), 0);
	begin(f, 0, URGENCY_EVICT);
	rounds(f, 2);
	assert_int_equal(step_of(f, 0), RESTART_AT_RELEASE);
	assert_int_equal(store_list(f->control.store, STORE_EVENTS, &filter, &events), 0);
	text = json_dumps(events, 0);
	assert_non_null(strstr(text, "fewer servers than its minimum of 2"));
	assert_non_null(strstr(text, "restart-waits"));
	free(text);
	json_decref(events);
}

/* Agents come back for a minute: until then nobody knows who serves. */
static void test_fresh_control_unit_denies_nobody(void **state)
{
	struct fixture *f = make(state, 2, 0, 0);

	f->control.round_ms = 1000;
	restart_control(f);
	hear(f, f->nodes[0]);
	begin(f, 0, URGENCY_WAIT);
	rounds(f, 2);
	assert_int_equal(step_of(f, 0), RESTART_AT_REPLACE);
	hear(f, f->nodes[1]);
	forget_peers(f);
	rounds(f, 3);
	assert_int_equal(step_of(f, 0), RESTART_AT_RELEASE);
	assert_false(fleet_groups(f->control.fleet)->items[0].denied);
}

/* ------------------------------------------------------------------ who is gone */

static void test_users_arent_gone_because_an_haproxy_is(void **state)
{
	struct fixture *f = make(state, 2, 0, 1);

	begin(f, 0, URGENCY_WAIT);
	rounds(f, 10);
	assert_int_equal(step_of(f, 0), RESTART_AT_RELEASE);
	assert_non_null(strstr(dispatch_of(&f->control, f->nodes[0]->id)->waits, "HAProxy"));
}

static void wait_for_silent(struct fixture *f, enum life_state life)
{
	struct node *node = f->nodes[0];

	node->life.state = life;
	node->group[0] = 0; /* no balancer between */
	node->live->figures.users = 3;
	begin(f, 0, URGENCY_WAIT);
	rounds(f, 3);
	assert_int_equal(step_of(f, 0), RESTART_AT_RELEASE);
	f->control.round_ms += 299000;
	rounds(f, 3);
	assert_int_equal(step_of(f, 0), RESTART_AT_RELEASE);
	f->control.round_ms += 2000;
	rounds(f, 3);
	assert_int_equal(step_of(f, 0), RESTART_AT_SHUTDOWN); /* which ends by its limits */
}

static void test_silent_server_in_maintenance_isnt_waited_for_for_ever(void **state)
{
	wait_for_silent(make(state, 1, 0, 0), LIFE_MAINTENANCE);
}

static void test_silent_spare_isnt_waited_for_for_ever(void **state)
{
	struct fixture *f = make(state, 0, 1, 0);

	wait_for_silent(f, LIFE_SPARE);
}

static void test_cancelled_drain_of_a_suspect_server_ends_when_it_is_heard(void **state)
{
	struct fixture *f = make(state, 2, 0, 1);
	struct node *node = f->nodes[0];

	begin(f, 0, URGENCY_WAIT);
	rounds(f, 2);
	assert_int_equal(node->life.state, LIFE_DRAINING);
	assert_int_equal(lifecycle_move(&f->control, node, LIFE_SILENT, 2000, "its agent is silent"), 0);
	assert_int_equal(cancel(f, 0), 0);
	assert_int_equal(node->life.state, LIFE_SUSPECT);
	assert_string_equal(node->life_reason, "its agent is silent");
	restart_control(f);
	node = f->nodes[0];
	hear(f, node);
	lifecycle_heard(&f->control, node, 2001);
	lifecycle_heard(&f->control, node, 2002);
	assert_int_equal(node->life.state, LIFE_SERVING);
	assert_int_equal(node->balancer_want, BALANCER_READY);
	assert_true(orders_outstanding(node, time(NULL) + 3600)); /* its agent is told so, too, however late it is heard */
}

/* ------------------------------------------------------------------ spares */

static void test_spare_is_taken_and_written_down_at_once_or_not_at_all(void **state)
{
	struct fixture *f = make(state, 1, 1, 1);

	begin(f, 0, URGENCY_WAIT);
	f->nodes[1]->boot.os_target[0] = 0; /* it needs a restart first */
	break_store(f, true);
	rounds(f, 3);
	assert_true(f->nodes[1]->spare && !f->nodes[1]->group[0]);
	assert_int_equal(f->nodes[1]->life.state, LIFE_SPARE);
	assert_null(f->nodes[1]->restart);
	assert_int_equal(dispatch_count(&f->control), 1);
	break_store(f, false);
	restart_control(f);
	assert_true(f->nodes[1]->spare);
	for (size_t i = 0; i < f->count; i++)
		hear(f, f->nodes[i]);
	f->nodes[1]->boot.os_target[0] = 0;
	rounds(f, 3);
	assert_string_equal(f->nodes[1]->group, "web");
	restart_control(f);
	assert_string_equal(dispatch_of(&f->control, f->nodes[0]->id)->spare, f->nodes[1]->id);
	assert_string_equal(f->nodes[1]->group, "web");
	assert_int_equal(dispatch_of(&f->control, f->nodes[0]->id)->spare_restart, dispatch_of(&f->control, f->nodes[1]->id)->id);
}

static void test_spare_that_still_boots_goes_back_at_once(void **state)
{
	struct fixture *f = make(state, 1, 1, 1);
	uint64_t prepares;

	f->nodes[1]->boot.os_target[0] = 0;
	begin(f, 0, URGENCY_WAIT);
	rounds(f, 2);
	assert_string_equal(f->nodes[1]->group, "web");
	assert_non_null(f->nodes[1]->restart);
	prepares = f->nodes[1]->restart->id;
	assert_int_equal(cancel(f, 0), 0);
	assert_true(f->nodes[1]->spare && !f->nodes[1]->group[0]);
	assert_int_equal(f->nodes[1]->restart->id, prepares); /* it goes on, and ends as a spare's */
	come_back(f, 1, 100);
	rounds(f, 6);
	assert_null(f->nodes[1]->restart);
	assert_int_equal(f->nodes[1]->life.state, LIFE_SPARE);
}

static void test_spare_that_is_off_isnt_given_up_while_it_starts(void **state)
{
	struct fixture *f = make(state, 1, 1, 1);

	f->control.round_ms += 600000;
	hear(f, f->nodes[0]);
	begin(f, 0, URGENCY_WAIT);
	rounds(f, 3);
	assert_string_equal(f->nodes[1]->group, "web");
	assert_int_equal(f->nodes[1]->life.state, LIFE_REBOOTING);
	group_list_find(fleet_groups(f->control.fleet), "web")->service.offered = false;
	rounds(f, 5);
	assert_int_equal(step_of(f, 1), RESTART_AT_SHUTDOWN); /* nobody is there who would have to leave first */
	lifecycle_watch(&f->control, f->nodes[1], false, 2000);
	assert_int_equal(f->nodes[1]->life.state, LIFE_REBOOTING);
	come_back(f, 1, 100);
	assert_int_equal(f->nodes[1]->life.state, LIFE_SERVING);
}

/* ------------------------------------------------------------------ the store */

static void test_cancel_that_isnt_stored_changes_nothing(void **state)
{
	struct fixture *f = make(state, 2, 0, 1);
	struct node *node = f->nodes[0];
	size_t orders = 0;

	begin(f, 0, URGENCY_WAIT);
	rounds(f, 2);
	break_store(f, true);
	assert_int_equal(cancel(f, 0), -EIO);
	assert_int_equal(step_of(f, 0), RESTART_AT_RELEASE);
	assert_int_equal(node->balancer_want, BALANCER_DRAIN);
	assert_int_equal(node->life.state, LIFE_DRAINING);
	for (const struct order *o = node->orders; o; o = o->next)
		orders++;
	assert_int_equal(orders, 1); /* drain */
	break_store(f, false);
	restart_control(f);
	assert_int_equal(step_of(f, 0), RESTART_AT_RELEASE);
	assert_int_equal(f->nodes[0]->balancer_want, BALANCER_DRAIN);
	assert_int_equal(cancel(f, 0), 0);
	restart_control(f);
	assert_int_equal(dispatch_count(&f->control), 0);
	assert_int_equal(f->nodes[0]->balancer_want, BALANCER_READY);
	assert_int_equal(f->nodes[0]->life.state, LIFE_SERVING);
}

static void test_drain_is_repeated_after_a_restart_of_the_control_unit(void **state)
{
	struct fixture *f = make(state, 2, 0, 1);

	begin(f, 0, URGENCY_WAIT);
	rounds(f, 2);
	assert_int_equal(fleet_want(f->control.fleet, f->nodes[0], BALANCER_READY), 0); /* as in an older copy of the database */
	restart_control(f);
	assert_int_equal(f->nodes[0]->balancer_want, BALANCER_DRAIN);
}

/* ------------------------------------------------------------------ time */

static void test_what_was_left_of_a_limit_is_left_in_the_next_run(void **state)
{
	struct restart_record record = { .clock = 5000000 };

	(void)state;
	record.restart.since = 4990000;
	record.restart.asked = 4995000;
	restart_record_resume(&record, 99000000); /* hours later, or by another clock */
	assert_int_equal(record.restart.since, 98990000);
	assert_int_equal(record.restart.asked, 98995000);
	assert_int_equal(record.restart.noticed, 0);
	restart_record_resume(&record, 1000000);  /* or back */
	assert_int_equal(record.restart.since, 990000);
}

static void test_jump_of_the_wall_clock_throws_nobody_out(void **state)
{
	struct fixture *f = make(state, 2, 0, 1);
	const struct restart_record *record = begin(f, 0, URGENCY_NOTIFY);
	json_t *described;

	rounds(f, 5);
	assert_int_equal(record->restart.step, RESTART_AT_RELEASE);
	assert_true(record->restart.noticed != 0);
	wall_jump = 86400;
	rounds(f, 5);
	assert_int_equal(record->restart.acted, 0);
	wall_jump = -86400;
	rounds(f, 5);
	assert_int_equal(record->restart.acted, 0);
	described = restart_record_describe(record, dispatch_clock(), dispatch_time());
	assert_true(json_number_value(json_object_get(described, "seconds")) < 60);
	json_decref(described);
	/* The control unit's own restart, with another time of day. */
	restart_control(f);
	hear(f, f->nodes[0]);
	rounds(f, 5);
	assert_int_equal(f->nodes[0]->restart->restart.acted, 0);
	wall_jump = 0;
}

static void test_order_that_expired_by_a_jump_is_given_again(void **state)
{
	struct fixture *f = make(state, 2, 0, 1);
	const struct restart_record *record = begin(f, 0, URGENCY_EVICT);
	uint64_t first;

	f->nodes[0]->restart->restart.limits.evict = 0; /* nor who has left */
	for (int i = 0; i < 20 && !(record->restart.step == RESTART_AT_SHUTDOWN && record->restart.acted); i++) {
		hear(f, f->nodes[0]);
		rounds(f, 1);
	}
	first = record->order;
	assert_int_not_equal(first, 0);
	assert_int_equal(record->restart.step, RESTART_AT_SHUTDOWN);
	assert_int_equal(orders_expire(&f->control, f->nodes[0], time(NULL) + 86400), 0);
	rounds(f, 3);
	assert_int_equal(record->restart.step, RESTART_AT_SHUTDOWN);
	assert_true(record->order > first);
}

static void boot_on(struct fixture *f, unsigned boot, enum boot_event event, bool fails)
{
	struct node *node = f->nodes[0];
	char nonce[NONCE_SIZE + 1];

	snprintf(nonce, sizeof nonce, "%032x", boot);
	if (strcmp(nonce, node->boot.nonce)) {
		dispatch_asked(&f->control, node->id, nonce);
		lifecycle_asked(&f->control, node, 2000);
		strcpy(node->boot.nonce, nonce);
	}
	node->boot.event = event;
	rounds(f, 3);
	assert_int_equal(step_of(f, 0), event == BOOT_KEXEC ? RESTART_AT_HEALTHY : RESTART_AT_BOOT);
	assert_int_equal(dispatch_of(&f->control, node->id)->restart.failing != 0, fails);
}

static void test_boot_that_failed_is_seen(void **state)
{
	struct fixture *f = make(state, 2, 0, 1);

	begin(f, 0, URGENCY_EVICT);
	rounds(f, 2);
	boot_on(f, 100, BOOT_PROGRESS, false);
	boot_on(f, 100, BOOT_FAILED, true);
	boot_on(f, 101, BOOT_PROGRESS, true); /* another try isn't a success */
	boot_on(f, 101, BOOT_KEXEC, false);
}

static void test_server_that_asks_again_without_having_started_is_seen(void **state)
{
	struct fixture *f = make(state, 2, 0, 1);

	begin(f, 0, URGENCY_EVICT);
	rounds(f, 2);
	boot_on(f, 100, BOOT_PROGRESS, false);
	boot_on(f, 101, BOOT_PROGRESS, true);
	boot_on(f, 102, BOOT_KEXEC, false);
}

/* ------------------------------------------------------------------ many */

struct prober {
	struct control *control;
	bool is_ending;
	double longest;
};

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Somebody who wants the lock all the time: how long he waits at most. */
static void *probe(void *context)
{
	const struct timespec pause = { 0, 500000 };
	struct prober *p = context;
	bool is_ending = false;

	while (!is_ending) {
		double before = seconds_now(), took;

		pthread_mutex_lock(&p->control->lock);
		took = seconds_now() - before;
		is_ending = p->is_ending;
		p->longest = took > p->longest ? took : p->longest;
		pthread_mutex_unlock(&p->control->lock);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void test_five_hundred_restarts_at_once_leave_the_lock_to_others(void **state)
{
	struct fixture *f = make(state, 500, 0, 100);
	struct prober prober = { .control = &f->control };
	unsigned waiting = 0;
	pthread_t thread;
	double begun;

	for (unsigned i = 0; i < 500; i++)
		begin(f, i, URGENCY_NOTIFY);
	pthread_create(&thread, NULL, probe, &prober);
	begun = seconds_now();
	rounds(f, 2);
	for (unsigned i = 0; i < 500; i++)
		waiting += step_of(f, i) == RESTART_AT_REPLACE;
	print_message("500 restarts, 2 rounds: %.2f s, longest wait for the lock %.1f ms, %u wait for the others\n", seconds_now() - begun,
		      prober.longest * 1000, waiting);
	prober.is_ending = true;
	pthread_mutex_unlock(&f->control.lock);
	pthread_join(thread, NULL);
	pthread_mutex_lock(&f->control.lock);
	assert_int_equal(waiting, 100); /* the minimum */
	assert_true(prober.longest < 3.0); /* a loaded machine; alone it is a few times DISPATCH_HOLD_MS */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_two_servers_restarted_at_once_dont_exclude_each_other),
		TEST(test_minimum_of_a_group_without_a_service_is_kept_too),
		TEST(test_evict_goes_below_the_minimum_and_says_so),
		TEST(test_fresh_control_unit_denies_nobody),
		TEST(test_users_arent_gone_because_an_haproxy_is),
		TEST(test_silent_server_in_maintenance_isnt_waited_for_for_ever),
		TEST(test_silent_spare_isnt_waited_for_for_ever),
		TEST(test_cancelled_drain_of_a_suspect_server_ends_when_it_is_heard),
		TEST(test_spare_is_taken_and_written_down_at_once_or_not_at_all),
		TEST(test_spare_that_still_boots_goes_back_at_once),
		TEST(test_spare_that_is_off_isnt_given_up_while_it_starts),
		TEST(test_cancel_that_isnt_stored_changes_nothing),
		TEST(test_drain_is_repeated_after_a_restart_of_the_control_unit),
		TEST(test_what_was_left_of_a_limit_is_left_in_the_next_run),
		TEST(test_jump_of_the_wall_clock_throws_nobody_out),
		TEST(test_order_that_expired_by_a_jump_is_given_again),
		TEST(test_boot_that_failed_is_seen),
		TEST(test_server_that_asks_again_without_having_started_is_seen),
		TEST(test_five_hundred_restarts_at_once_leave_the_lock_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
