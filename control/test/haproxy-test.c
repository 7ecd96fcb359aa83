/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What HAProxy says, and what it is told. The answers were recorded from HAProxy 2.6.12 and cut to the columns that matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/haproxy-config.h"
#include "control/haproxy-notice.h"
#include "control/haproxy.h"

#define STATES                                                                                                          \
	"1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_port\n"     \
	"2 repave 1 replayed 127.0.0.1 2 %u 1 1 1\n"                                                                  \
	"4 web 2 b 10.0.0.2 2 8 100 100 80\n"                                                                         \
	"4 web 1 a fd00::1 2 0 100 100 80\n\n"
#define STAT                                                                                                            \
	"# pxname,svname,qcur,scur,status,weight,check_status,rtime,\n"                                                \
	"repave,replayed,0,0,no check,1,,0,\nrepave,BACKEND,0,0,UP,1,,,\nport:80,FRONTEND,,0,OPEN,,,,\n"                  \
	"web,a,1,7,UP,100,L7OK,35,\nweb,b,0,%u,%s,100,L4CON,,\nweb,BACKEND,1,7,UP,200,,30,\n\n"

/* HAProxy with servers a (ready) and b (drained). */
static struct haproxy_seen see(bool replayed, unsigned sessions_of_b, const char *status_of_b)
{
	char states[1024], stat[1024], why[ERROR_TEXT];
	struct haproxy_seen seen;

	snprintf(states, sizeof states, STATES, replayed ? 4 : 5);
	snprintf(stat, sizeof stat, STAT, sessions_of_b, status_of_b);
	assert_int_equal(haproxy_parse(states, strlen(states), stat, strlen(stat), &seen, why), 0);
	return seen;
}

static const char backends[][HAPROXY_NAME_MOST + 1] = { "cache", "web" };

/* What is said when these are wanted in backend web. */
static void expect(const struct haproxy_server *wanted, size_t count, struct haproxy_seen seen, const char *said)
{
	struct haproxy_wanted all = { wanted, count, backends + 1, 1 };
	struct haproxy_orders orders;

	assert_int_equal(haproxy_reconcile(&all, &seen, &orders), 0);
	assert_string_equal(orders.lines.data ? (const char *)orders.lines.data : "", said);
	buffer_release(&orders.lines);
	haproxy_seen_release(&seen);
}

static const struct haproxy_server a = { .backend = "web", .name = "a", .address = "fd00::1", .port = 80, .weight = 100 };
static const struct haproxy_server b = { .backend = "web", .name = "b", .address = "10.0.0.2", .port = 80, .weight = 100, .state = BALANCER_DRAIN };

static void test_what_haproxy_says_is_read(void **unused)
{
	struct haproxy_seen seen = see(true, 3, "DRAIN");

	(void)unused;
	assert_int_equal(seen.count, 3);
	assert_true(seen.has_own && seen.replayed);
	assert_string_equal(seen.servers[1].name, "a");
	assert_string_equal(seen.servers[1].address, "fd00::1");
	assert_int_equal(seen.servers[1].state, BALANCER_READY);
	assert_int_equal(seen.servers[1].sessions, 7);
	assert_int_equal(seen.servers[1].queue, 1);
	assert_int_equal(seen.servers[1].response_ms, 35);
	assert_string_equal(seen.servers[1].check, "L7OK");
	assert_int_equal(seen.servers[2].state, BALANCER_DRAIN);
	assert_int_equal(seen.servers[2].sessions, 3);
	assert_int_equal(seen.backend_count, 2);
	haproxy_seen_release(&seen);
	seen = see(false, 0, "DOWN 1/2");
	assert_false(seen.replayed);
	assert_false(seen.servers[2].up);
	haproxy_seen_release(&seen);
}

static void refuse(const char *states, const char *stat)
{
	char why[ERROR_TEXT] = "";
	struct haproxy_seen seen;

	assert_int_equal(haproxy_parse(states, strlen(states), stat, strlen(stat), &seen, why), -EINVAL);
	assert_true(strlen(why) > 10);
}

static void test_what_another_program_says_is_refused(void **unused)
{
	static const char states[] = "1\n# be_name srv_name srv_addr srv_admin_state srv_uweight srv_port\n";
	static const char stat[] = "# pxname,svname,qcur,scur,status,check_status,rtime\n";
	char line[256];

	(void)unused;
	refuse("", stat);
	refuse("HTTP/1.1 400 Bad Request\r\n", stat);
	refuse("2\n# be_name srv_name srv_addr srv_admin_state srv_uweight srv_port\n", stat);
	refuse("1\n# be_name srv_name srv_addr srv_uweight srv_port\n", stat);
	refuse(states, "Unknown command\n");
	refuse(states, "# pxname,svname\n");
	snprintf(line, sizeof line, "%sweb a 10.0.0.1 0 100 99999\n", states);
	refuse(line, stat);
	snprintf(line, sizeof line, "%sweb a 10.0.0.1 0 300 80\n", states);
	refuse(line, stat);
	snprintf(line, sizeof line, "%sweb a 10.0.0.1 0\n", states);
	refuse(line, stat);
	snprintf(line, sizeof line, "%sweb \033[2J 10.0.0.1 0 1 80\n", states);
	refuse(line, stat);
	snprintf(line, sizeof line, "%sweb %070d 10.0.0.1 0 1 80\n", states, 0);
	refuse(line, stat);
	snprintf(line, sizeof line, "%sweb,a,-1,0,UP,,\n", stat);
	snprintf(line, sizeof line, "%s%s", stat, "web,BACKEND,0\n");
	refuse(states, line);
}

static void test_nothing_is_said_when_all_is_well(void **unused)
{
	const struct haproxy_server wanted[] = { a, b };

	(void)unused;
	expect(wanted, 2, see(true, 0, "UP"), "");
}

static void test_a_new_haproxy_is_released_when_it_knows_all(void **unused)
{
	const struct haproxy_server wanted[] = { a, b };

	(void)unused;
	expect(wanted, 2, see(false, 0, "UP"), "set server repave/replayed state ready\n");
}

static void test_a_new_server_gets_its_cookie_before_its_users(void **unused)
{
	struct haproxy_server wanted[] = { a, b, b };

	(void)unused;
	strcpy(wanted[2].name, "c");
	strcpy(wanted[2].address, "fd00::3");
	wanted[2].state = BALANCER_READY;
	expect(wanted, 3, see(true, 0, "UP"), "add server web/c [fd00::3]:80 check inter 1s rise 1 fall 2 weight 100\n"
	       "enable dynamic-cookie backend web\nenable health web/c\nset server web/c state ready\n");
	/* HAProxy 2.6 crashes when it is drained without ever having been ready. */
	wanted[2].state = BALANCER_DRAIN;
	expect(wanted, 3, see(true, 0, "UP"), "add server web/c [fd00::3]:80 check inter 1s rise 1 fall 2 weight 100\n"
	       "enable dynamic-cookie backend web\nenable health web/c\nset server web/c state ready; set server web/c state drain\n");
	wanted[2].state = BALANCER_MAINT;
	expect(wanted, 3, see(true, 0, "UP"), "add server web/c [fd00::3]:80 check inter 1s rise 1 fall 2 weight 100\n"
	       "enable dynamic-cookie backend web\nenable health web/c\n");
}

static void test_cookies_are_made_once_for_many_servers(void **unused)
{
	struct haproxy_server wanted[] = { a, b, b, b };

	(void)unused;
	strcpy(wanted[2].name, "c");
	strcpy(wanted[3].name, "d");
	wanted[2].state = wanted[3].state = BALANCER_READY;
	expect(wanted, 4, see(false, 0, "UP"), "add server web/c 10.0.0.2:80 check inter 1s rise 1 fall 2 weight 100\n"
	       "add server web/d 10.0.0.2:80 check inter 1s rise 1 fall 2 weight 100\nenable dynamic-cookie backend web\n"
	       "enable health web/c\nset server web/c state ready\nenable health web/d\nset server web/d state ready\n"
	       "set server repave/replayed state ready\n");
}

static void test_states_and_weights_follow(void **unused)
{
	struct haproxy_server wanted[] = { a, b };

	(void)unused;
	wanted[0].state = BALANCER_MAINT;
	wanted[1].state = BALANCER_READY;
	wanted[1].weight = 7;
	expect(wanted, 2, see(true, 9, "UP"), "set server web/a state maint; shutdown sessions server web/a\nset server web/b weight 7\nset server web/b state ready\n");
}

/* Sessions that another server can go on with aren't cut in the middle of a request. */
static void test_shared_sessions_end_their_requests(void **unused)
{
	struct haproxy_server wanted[] = { a, b };

	(void)unused;
	wanted[0].state = BALANCER_MAINT;
	wanted[0].shared = true;
	expect(wanted, 2, see(true, 9, "UP"), "set server web/a state maint\n");
}

static void test_a_server_at_another_address_starts_anew(void **unused)
{
	struct haproxy_server wanted[] = { a, b };

	(void)unused;
	strcpy(wanted[1].address, "10.0.0.9");
	expect(wanted, 2, see(true, 9, "UP"), "set server web/b state maint; shutdown sessions server web/b\nset server web/b addr 10.0.0.9 port 80\n"
	       "enable dynamic-cookie backend web\nset server web/b state ready; set server web/b state drain\n");
}

static void test_users_of_an_unwanted_server_may_finish(void **unused)
{
	(void)unused;
	expect(&a, 1, see(true, 3, "UP"), "");                                           /* drained already, and in use */
	expect(&b, 1, see(true, 0, "UP"), "set server web/a state drain\n");             /* seven users */
	expect(&a, 1, see(true, 0, "UP"), "set server web/b state maint; shutdown sessions server web/b\ndel server web/b\n");
	expect(&a, 1, see(true, 3, "DOWN"), "set server web/b state maint; shutdown sessions server web/b\n");           /* of a dead one nobody has any use */
}

static void test_servers_of_other_backends_are_left_alone(void **unused)
{
	struct haproxy_wanted none = { NULL, 0, backends, 1 };
	struct haproxy_seen seen = see(true, 0, "UP");
	struct haproxy_orders orders;

	(void)unused;
	assert_int_equal(haproxy_reconcile(&none, &seen, &orders), 0);
	assert_int_equal(orders.lines.size, 0);
	assert_string_equal(orders.missing, "cache");
	buffer_release(&orders.lines);
	haproxy_seen_release(&seen);
}

static void test_a_server_of_a_missing_backend_is_not_added(void **unused)
{
	struct haproxy_server wanted[] = { a, a, b };
	struct haproxy_wanted all = { wanted, 3, backends, 2 };
	struct haproxy_seen seen = see(true, 0, "UP");
	struct haproxy_orders orders;

	(void)unused;
	strcpy(wanted[0].backend, "cache");
	assert_int_equal(haproxy_reconcile(&all, &seen, &orders), 0);
	assert_int_equal(orders.lines.size, 0);
	assert_string_equal(orders.missing, "cache");
	buffer_release(&orders.lines);
	haproxy_seen_release(&seen);
}

static bool done(const char *command, const char *answer)
{
	char why[ERROR_TEXT];

	return haproxy_done(command, answer, strlen(answer), why);
}

static void test_an_order_that_is_not_obeyed_is_noticed(void **unused)
{
	char why[ERROR_TEXT];

	(void)unused;
	assert_true(done("set server web/a state ready", "\n"));
	assert_true(done("add server web/a 10.0.0.1:80", "New server registered.\n\n"));
	assert_true(done("del server web/a", "Server deleted.\n"));
	assert_true(done("set server web/a addr 10.0.0.1 port 80", "IP changed from '10.0.0.2' to '10.0.0.1'\n\n"));
	assert_false(done("set server web/a state ready", "No such server.\n\n"));
	assert_false(done("set server web/a state ready", "Server deleted.\n"));
	assert_false(done("del server web/a", "Only servers in maintenance mode can be deleted.\n"));
	assert_false(haproxy_done("x", "\033[2Jgone\n", 9, why));
	assert_string_equal(why, "something unreadable");
}

static void test_addresses(void **unused)
{
	char address[INET_TEXT_MOST + 1];
	uint16_t port = 7;

	(void)unused;
	assert_int_equal(haproxy_address_parse("10.0.0.1", address, &port), 0);
	assert_int_equal(port, 7);
	assert_int_equal(haproxy_address_parse("10.0.0.1:8080", address, &port), 0);
	assert_int_equal(port, 8080);
	assert_string_equal(address, "10.0.0.1");
	assert_int_equal(haproxy_address_parse("[FD00:0::1]:81", address, &port), 0);
	assert_string_equal(address, "fd00::1");
	assert_int_equal(port, 81);
	assert_int_equal(haproxy_address_parse("fd00::1", address, &port), 0);
	for (const char *const *bad = (const char *const[]){ "", "local", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:99999", "[fd00::1", "[fd00::1]x",
							     "10.0.0.1 check", "10.0.0.1;x:80", "web1:80", NULL }; *bad; bad++)
		assert_int_equal(haproxy_address_parse(*bad, address, &port), -EINVAL);
}

static void test_sockets(void **unused)
{
	char address[HAPROXY_SOCKET_PATH_MOST + 1];
	uint16_t port;

	(void)unused;
	assert_int_equal(balancer_socket_parse("unix:/run/haproxy/admin.sock", address, &port), 0);
	assert_int_equal(port, 0);
	assert_int_equal(balancer_socket_parse("tcp:[fd00::1]:9999", address, &port), 0);
	assert_int_equal(port, 9999);
	for (const char *const *bad = (const char *const[]){ "", "/run/x", "unix:x", "unix:/a b", "unix:/a\nb", "tcp:10.0.0.1", "tcp:host:80", NULL };
	     *bad; bad++)
		assert_int_equal(balancer_socket_parse(*bad, address, &port), -EINVAL);
}

static void test_socket_path_that_haproxy_refuses_is_refused(void **unused)
{
	char text[128] = "unix:/", address[HAPROXY_SOCKET_PATH_MOST + 1];
	uint16_t port;

	(void)unused;
	memset(text + strlen(text), 'a', 96);
	assert_int_equal(balancer_socket_parse(text, address, &port), 0);
	strcat(text, "a");
	assert_int_equal(balancer_socket_parse(text, address, &port), -EINVAL);
}

static const char *group_text(const char *text, struct group_list *list)
{
	static char why[ERROR_TEXT];
	json_t *object = json_loads(text, 0, NULL);
	int r = group_list_parse(object, list, why);

	assert_non_null(object);
	json_decref(object);
	return r < 0 ? why : NULL;
}

static void test_groups_that_cannot_be_told_apart_are_refused(void **unused)
{
	struct group_list list;

	(void)unused;
	assert_null(group_text("{\"a\": {\"os\": \"x\", \"service\": {\"port\": 80}}, \"b\": {\"os\": \"y@1\", \"service\": {\"port\": 80}}}", &list));
	assert_int_equal(list.count, 2);
	assert_true(group_runs(&list.items[1], "os/y/0.9.img.zst", ""));
	assert_false(group_runs(&list.items[1], "os/yy/1.img.zst", ""));
	assert_false(group_runs(&list.items[1], "os/y/1.img.zst", "app/web/y/1.img.zst"));
	group_list_release(&list);
	assert_non_null(strstr(group_text("{\"a\": {\"os\": \"x\", \"service\": {\"port\": 80}}, \"b\": {\"os\": \"x@1\", \"service\": {\"port\": 80}}}",
					  &list), "tells their clients apart"));
	assert_non_null(strstr(group_text("{\"a\": {\"os\": \"x\", \"service\": {\"port\": 80, \"hosts\": [\"h\", \"i\"]}},"
					  " \"b\": {\"os\": \"x\", \"service\": {\"port\": 80, \"hosts\": [\"i\"]}}}", &list), "tells their clients apart"));
	assert_non_null(strstr(group_text("{\"a\": {\"os\": \"x\", \"service\": {\"port\": 80, \"header\": {\"A\": \"b\\nuse_backend c\"}}}}", &list), "header"));
	assert_non_null(strstr(group_text("{\"a\\nb\": {\"os\": \"x\"}}", &list), "no name of a group"));
}

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define USER(name, uid) "{\"name\": \"" name "\", \"uid\": " uid ", \"keys\": [\"" KEY "\"]}"

static void test_users_and_sessions_of_a_group_are_checked(void **unused)
{
	json_t *own = json_loads("[" USER("anna", "20009") "," USER("carl", "20003") "]", 0, NULL), *all;
	struct group_list list;

	(void)unused;
	assert_null(group_text("{\"a\": {\"os\": \"x\", \"users\": [" USER("anna", "20001") "," USER("bert", "20002") "," USER("dora", "20003") "],"
			       " \"service\": {\"port\": 80, \"sessions\": \"shared\"}}}", &list));
	assert_true(list.items[0].service.shared);
	/* The node's own count first: anna by her name, carl by his number. */
	all = group_users(&list.items[0], own);
	assert_int_equal(json_array_size(all), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(all, 2), "name")), "bert");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(all, 0), "uid")), 20009);
	json_decref(all);
	all = group_users(NULL, NULL);
	assert_int_equal(json_array_size(all), 0);
	json_decref(all);
	json_decref(own);
	group_list_release(&list);
	assert_non_null(strstr(group_text("{\"a\": {\"os\": \"x\", \"users\": [" USER("root", "20001") "]}}", &list), "none of the system's own"));
	assert_non_null(strstr(group_text("{\"a\": {\"os\": \"x\", \"users\": [" USER("anna", "0") "]}}", &list), "uid must be"));
	assert_non_null(strstr(group_text("{\"a\": {\"os\": \"x\", \"service\": {\"port\": 80, \"sessions\": \"yes\"}}}", &list), "sessions"));
	assert_non_null(strstr(group_text("{\"a\": {\"os\": \"x\", \"service\": {\"port\": 80, \"mode\": \"tcp\", \"sessions\": \"shared\"}}}", &list),
			       "tcp"));
}

static void test_the_service_that_asks_for_most_is_tried_first(void **unused)
{
	struct group_list list;
	struct balancer_settings settings;
	struct haproxy_config config = { .groups = &list, .settings = &settings, .socket = "unix:/run/h.sock", .key = "00" };
	char *text;

	(void)unused;
	assert_int_equal(balancer_settings_init(&settings), 0);
	assert_null(group_text("{\"any\": {\"os\": \"x\", \"service\": {\"port\": 80}}, \"host\": {\"os\": \"x\", \"service\": {\"port\": 80,"
			       " \"hosts\": [\"a.b\"]}}, \"both\": {\"os\": \"x\", \"service\": {\"port\": 80, \"hosts\": [\"a.b\"], \"path\": \"/p\"}}}", &list));
	assert_int_equal(haproxy_config_print(&config, &text), 0);
	assert_true(strstr(text, "use_backend both") < strstr(text, "use_backend host"));
	assert_true(strstr(text, "use_backend host") < strstr(text, "use_backend any"));
	assert_null(strstr(text, "user haproxy"));
	free(text);
	group_list_release(&list);
	balancer_settings_release(&settings);
}

static const char *notices_said(const char *answer, const char *name, int64_t end, char ret_text[256])
{
	struct haproxy_notices seen, wanted = { 0 };
	struct buffer lines = { 0 };
	char why[ERROR_TEXT];

	assert_int_equal(haproxy_notices_parse(answer, strlen(answer), &seen, why), 0);
	if (name)
		assert_int_equal(haproxy_notices_add(&wanted, name, end), 0);
	assert_int_equal(haproxy_notices_reconcile(&wanted, &seen, &lines), 0);
	snprintf(ret_text, 256, "%s", lines.size ? (const char *)lines.data : "");
	buffer_release(&lines);
	haproxy_notices_release(&wanted);
	haproxy_notices_release(&seen);
	return ret_text;
}

static void test_notices_are_said_changed_and_taken_back(void **state)
{
	char text[256];

	(void)state;
	assert_string_equal(notices_said("\n", "b", 1700000300, text), "add map /dev/null b 1700000300\n");
	assert_string_equal(notices_said("0x1 b 1700000300\n\n", "b", 1700000300, text), "");
	assert_string_equal(notices_said("0x1 b 1700000300\n0x2 b 5\n\n", "b", 1700000300, text), "");
	assert_string_equal(notices_said("0x1 b soon\n\n", "b", 1700000300, text), "set map /dev/null b 1700000300\n");
	assert_string_equal(notices_said("0x1 a 5\n0x2 c 6\n\n", "b", 7, text),
			    "del map /dev/null a\nadd map /dev/null b 7\ndel map /dev/null c\n");
	assert_string_equal(notices_said("0x1 a 5\n\n", NULL, 0, text), "del map /dev/null a\n");
	/* The configuration was printed by an older control unit. */
	assert_string_equal(notices_said("Unknown map identifier. Please use #<id> or <file>.\n\n", "b", 7, text), "");
}

static void test_a_map_that_would_widen_a_command_is_refused(void **state)
{
	static const char *const answers[] = { "0x1 a;shutdown 5\n", "0x1 a\n", "0x1  5\n", "0x1 @1 5\n", "0x1 a\x01 5\n", "nonsense\n" };
	struct haproxy_notices seen;
	char why[ERROR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
		assert_int_equal(haproxy_notices_parse(answers[i], strlen(answers[i]), &seen, why), -EINVAL);
}

#define TEST(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_haproxy_says_is_read),
		TEST(test_what_another_program_says_is_refused),
		TEST(test_nothing_is_said_when_all_is_well),
		TEST(test_a_new_haproxy_is_released_when_it_knows_all),
		TEST(test_a_new_server_gets_its_cookie_before_its_users),
		TEST(test_cookies_are_made_once_for_many_servers),
		TEST(test_states_and_weights_follow),
		TEST(test_shared_sessions_end_their_requests),
		TEST(test_users_and_sessions_of_a_group_are_checked),
		TEST(test_a_server_at_another_address_starts_anew),
		TEST(test_users_of_an_unwanted_server_may_finish),
		TEST(test_servers_of_other_backends_are_left_alone),
		TEST(test_a_server_of_a_missing_backend_is_not_added),
		TEST(test_an_order_that_is_not_obeyed_is_noticed),
		TEST(test_addresses),
		TEST(test_sockets),
		TEST(test_socket_path_that_haproxy_refuses_is_refused),
		TEST(test_groups_that_cannot_be_told_apart_are_refused),
		TEST(test_the_service_that_asks_for_most_is_tried_first),
		TEST(test_notices_are_said_changed_and_taken_back),
		TEST(test_a_map_that_would_widen_a_command_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
