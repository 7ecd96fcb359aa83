/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/measure.h"
#include "agent/session.h"
#include "agent/tcp.h"

static void test_processors_share_between_two_looks(void **state)
{
	static const char first[] = "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 50 0 50 400 0 0 0 0 0 0\ncpu1 50 0 50 400 0 0 0 0 0 0\nintr 1\n";
	static const char second[] = "cpu  150 0 125 800 25 0 0 0 0 0\ncpu0 1 0 0 0\nctxt 5\n";
	struct cpu_times a, b, none = { 0 };

	(void)state;
	assert_int_equal(measure_cpu(first, &a), 0);
	assert_int_equal(a.count, 2);
	assert_int_equal(measure_cpu(second, &b), 0);
	assert_true(cpu_share(&a, &b) > 0.749 && cpu_share(&a, &b) < 0.751);
	/* Counters that go backwards are no share below 0 or above 1. */
	assert_true(cpu_share(&b, &a) == 0);
	assert_true(cpu_share(&a, &a) == 0);
	assert_true(cpu_share(&none, &a) <= 1);
	assert_int_equal(measure_cpu("cpu  1 2\n", &a), -EINVAL);
	assert_int_equal(measure_cpu("", &a), -EINVAL);
}

static void test_memory_without_swap_or_without_lines(void **state)
{
	struct memory memory;

	(void)state;
	assert_int_equal(measure_memory("MemTotal:        1024 kB\nMemFree: 1 kB\nMemAvailable:    512 kB\n", &memory), 0);
	assert_int_equal(memory.total, 1 << 20);
	assert_int_equal(memory.available, 512 << 10);
	assert_int_equal(memory.swap_total, 0);
	assert_int_equal(measure_memory("MemAvailable: 5 kB\n", &memory), -EINVAL);
	assert_int_equal(measure_memory("MemTotal: 9999999999999999999 kB\n", &memory), -EINVAL);
}

static void test_pressure_of_a_kernel_without_full(void **state)
{
	struct pressure pressure;

	(void)state;
	assert_int_equal(measure_pressure("some avg10=12.50 avg60=1.00 avg300=0.00 total=5\n", &pressure), 0);
	assert_true(pressure.some == 12.5 && pressure.full == 0);
	assert_int_equal(measure_pressure("some avg10=1.00 avg60=0 avg300=0 total=1\nfull avg10=0.25 avg60=0 avg300=0 total=0\n", &pressure), 0);
	assert_true(pressure.full == 0.25);
	assert_int_equal(measure_pressure("", &pressure), -EINVAL);
	assert_int_equal(measure_pressure("some avg10=nan\n", &pressure), -EINVAL);
}

static void test_numbers_that_make_no_sense(void **state)
{
	double load[3], seconds;

	(void)state;
	assert_int_equal(measure_load("0.10 0.20 0.30 1/100 4711\n", load), 0);
	assert_true(load[2] == 0.3);
	assert_int_equal(measure_load("0.10 0.20\n", load), -EINVAL);
	assert_int_equal(measure_load("nan inf 1\n", load), -EINVAL);
	assert_int_equal(measure_uptime("12.34 56.78\n", &seconds), 0);
	assert_int_equal(measure_uptime("-1 2\n", &seconds), -EINVAL);
	assert_int_equal(measure_uptime("inf\n", &seconds), -EINVAL);
}

static void test_interfaces_with_and_without_space_behind_the_colon(void **state)
{
	struct interface interface;

	(void)state;
	assert_int_equal(measure_interface("  eth0: 1000 10 1 0 0 0 0 0 2000 20 2 0 0 0 0 0\n", &interface), 0);
	assert_string_equal(interface.name, "eth0");
	assert_int_equal(interface.received, 1000);
	assert_int_equal(interface.receive_errors, 1);
	assert_int_equal(interface.sent, 2000);
	assert_int_equal(interface.send_errors, 2);
	assert_int_equal(measure_interface("eth1:18446744 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n", &interface), 0);
	assert_int_equal(measure_interface("    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n", &interface), -ENOENT);
	assert_int_equal(measure_interface("Inter-|   Receive   |  Transmit\n", &interface), -ENOENT);
	assert_int_equal(measure_interface("eth0: 1 2 3\n", &interface), -EINVAL);
	assert_int_equal(measure_interface("a-name-that-is-too-long: 1\n", &interface), -EINVAL);
}

static void test_mounts_with_spaces_in_their_names(void **state)
{
	struct mount mount;

	(void)state;
	assert_int_equal(measure_mount("/dev/vda1 /srv/my\\040data\\134x ext4 rw 0 0\n", &mount), 0);
	assert_string_equal(mount.place, "/srv/my data\\x");
	assert_true(mount_counts(&mount));
	assert_int_equal(measure_mount("server:/x /mnt nfs4 rw 0 0\n", &mount), 0);
	assert_false(mount_counts(&mount));
	assert_int_equal(measure_mount("tmpfs /run\n", &mount), -EINVAL);
	assert_int_equal(measure_mount("tmpfs run tmpfs rw 0 0\n", &mount), -EINVAL);
	assert_int_equal(measure_mount("", &mount), -EINVAL);
}

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_root_hash_of_a_command_line_that_is_not_stage_1s(void **state)
{
	char hash[65], value[8];

	(void)state;
	assert_int_equal(cmdline_root_hash("quiet repave.c=ram:5:" HASH ":- panic=10\n", "repave.c", hash), 0);
	assert_string_equal(hash, HASH);
	assert_int_equal(cmdline_root_hash("repave.c=ram:5:" HASH ":-", "repave.d", hash), -ENOENT);
	assert_int_equal(cmdline_root_hash("repave.c=ram:5:" HASH "0:-", "repave.c", hash), -EINVAL);
	assert_int_equal(cmdline_root_hash("repave.c=ram:5", "repave.c", hash), -EINVAL);
	assert_int_equal(cmdline_root_hash("repave.c=ram:5:" HASH ":- repave.c=ram:5:" HASH ":-", "repave.c", hash), -EINVAL);
	assert_int_equal(cmdline_word("xrepave.node=1 repave.node=ab", "repave.node", value, sizeof(value)), 0);
	assert_string_equal(value, "ab");
	assert_int_equal(cmdline_word("repave.node=12345678", "repave.node", value, sizeof(value)), -EINVAL);
}

static void test_verity_status_of_another_target(void **state)
{
	(void)state;
	assert_int_equal(verity_state("V"), 'V');
	assert_int_equal(verity_state("C"), 'C');
	assert_int_equal(verity_state("C -"), 'C');
	assert_int_equal(verity_state("Vx"), 0);
	assert_int_equal(verity_state("A"), 0);
	assert_int_equal(verity_state(""), 0);
}

/* ------------------------------------------------------------------ sockets */
#define TCP_LINE(local, remote, state) "   0: " local " " remote " " state " 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n"

static void test_sockets_of_both_families(void **state)
{
	struct net_socket socket;
	char text[ADDRESS_TEXT];

	(void)state;
	assert_int_equal(net_socket_parse(TCP_LINE("0100007F:1F90", "0202000A:C350", "01"), false, &socket), 0);
	assert_int_equal(socket.local_port, 8080);
	assert_int_equal(socket.inode, 4711);
	assert_int_equal(socket.state, SOCKET_ESTABLISHED);
	assert_string_equal(address_text(socket.remote, text), "10.0.2.2");
	assert_true(address_is_loopback(socket.local));
	assert_false(address_is_loopback(socket.remote));
	assert_int_equal(net_socket_parse(TCP_LINE("00000000000000000000000000000000:0016", "000080FE000000000000000001000000:0000", "0A"), true,
					  &socket), 0);
	assert_int_equal(socket.local_port, 22);
	assert_string_equal(address_text(socket.remote, text), "fe80::1");
	assert_int_equal(net_socket_parse(TCP_LINE("0000000000000000FFFF00000100007F:0016", "00000000000000000000000000000000:0000", "0A"), true,
					  &socket), 0);
	assert_true(address_is_loopback(socket.local));
	assert_int_equal(net_socket_parse("  sl  local_address rem_address   st tx_queue\n", false, &socket), -EINVAL);
	/* Of the other family. */
	assert_int_equal(net_socket_parse(TCP_LINE("0100007F:1F90", "0202000A:C350", "01"), true, &socket), -EINVAL);
	assert_int_equal(net_socket_parse("", false, &socket), -EINVAL);
}

static void add_peer(struct peers *peers, const struct port_set *ports, uint32_t address, uint16_t port)
{
	struct net_socket socket = { .remote = { [10] = 0xff, [11] = 0xff, [12] = 10, [13] = (uint8_t)(address >> 16),
						 [14] = (uint8_t)(address >> 8), [15] = (uint8_t)address },
				     .local_port = port, .state = SOCKET_ESTABLISHED };

	peers_add(peers, &socket, ports);
}

static void test_sessions_are_peers_and_not_connections(void **state)
{
	static struct peers peers;
	struct port_set ports;
	struct net_socket own = { .remote = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 }, .local_port = 8080,
				  .state = SOCKET_ESTABLISHED };

	(void)state;
	memset(&peers, 0, sizeof(peers));
	assert_int_equal(ports_parse("{\"ports\":[8080,6379]}", 21, &ports), 0);
	for (int i = 0; i < 6; i++)
		add_peer(&peers, &ports, 5, 8080);
	add_peer(&peers, &ports, 6, 6379);
	add_peer(&peers, &ports, 7, 22);
	peers_add(&peers, &own, &ports);
	assert_int_equal(peers.connections, 7);
	assert_int_equal(peers.peers, 2);
}

static void test_more_peers_than_can_be_told_apart(void **state)
{
	static struct peers peers;
	struct port_set ports = { { 80 }, 1 };

	(void)state;
	memset(&peers, 0, sizeof(peers));
	for (uint32_t i = 0; i < 100000; i++)
		add_peer(&peers, &ports, i, 80);
	assert_int_equal(peers.connections, 100000);
	assert_int_equal(peers.peers, PEER_SLOTS / 4 * 3);
}

static void test_ports_that_are_none(void **state)
{
	struct port_set ports;

	(void)state;
	assert_int_equal(ports_parse("{\"ports\":[0]}", 13, &ports), -EINVAL);
	assert_int_equal(ports_parse("{\"ports\":[65536]}", 17, &ports), -EINVAL);
	assert_int_equal(ports_parse("{\"ports\":[\"80\"]}", 16, &ports), -EINVAL);
	assert_int_equal(ports_parse("{}", 2, &ports), 0);
	assert_int_equal(ports.count, 0);
	assert_int_equal(ports_parse("[]", 2, &ports), -EINVAL);
	assert_int_equal(ports_parse("", 0, &ports), -EINVAL);
}

/* ------------------------------------------------------------------ sessions */
static void test_process_names_with_brackets(void **state)
{
	struct process process;

	(void)state;
	assert_int_equal(process_parse("12 (a) S 9 (b)) S 1 12 12 34816 12 0\n", &process), 0);
	assert_string_equal(process.name, "a) S 9 (b)");
	assert_int_equal(process.parent, 1);
	assert_int_equal(process.session, 12);
	assert_int_equal(process.terminal, 34816);
	assert_int_equal(process_parse("12 (a S 1 12 12 0\n", &process), -EINVAL);
	assert_int_equal(process_parse(")(", &process), -EINVAL);
	assert_int_equal(process_parse("", &process), -EINVAL);
	assert_int_equal(process_parse("12 (a very long name of a process) S 1 1 1 0\n", &process), 0);
	assert_int_equal(strlen(process.name), 15);
}

static void test_terminals(void **state)
{
	char text[16];

	(void)state;
	assert_string_equal(terminal_text(34816, text), "pts/0");
	assert_string_equal(terminal_text(137 << 8 | 1, text), "pts/257");
	assert_string_equal(terminal_text(4 << 8 | 1, text), "tty1");
	assert_string_equal(terminal_text(4 << 8 | 64, text), "ttyS0");
	assert_string_equal(terminal_text(5 << 8 | 1, text), "console");
	assert_string_equal(terminal_text(200 << 8 | 3, text), "200:3");
}

#define PTS0 34816

static void test_sessions_of_dropbear_sshd_and_the_console(void **state)
{
	/* As they ran: dropbear 2022.83 (100), OpenSSH 9.2 (200), a log-in on a serial line (300). */
	static const struct process processes[] = {
		{ .pid = 1, .name = "init" },
		{ .pid = 100, .parent = 1, .session = 100, .name = "dropbear" },
		{ .pid = 110, .parent = 100, .session = 110, .name = "dropbear" },           /* a command */
		{ .pid = 111, .parent = 110, .session = 110, .name = "sleep" },
		{ .pid = 120, .parent = 100, .session = 120, .name = "dropbear" },           /* a shell */
		{ .pid = 121, .parent = 120, .session = 121, .terminal = PTS0, .name = "sh" },
		{ .pid = 122, .parent = 121, .session = 121, .terminal = PTS0, .name = "vi" },
		{ .pid = 130, .parent = 100, .session = 130, .name = "dropbear" },           /* not logged in yet */
		{ .pid = 200, .parent = 1, .session = 200, .name = "sshd" },
		{ .pid = 210, .parent = 200, .session = 210, .name = "sshd" },
		{ .pid = 211, .parent = 210, .session = 210, .user = 1000, .name = "sshd" },
		{ .pid = 212, .parent = 211, .session = 212, .user = 1000, .terminal = PTS0 + 1, .name = "bash" },
		{ .pid = 300, .parent = 1, .session = 300, .user = 1001, .terminal = 4 << 8 | 64, .name = "sh" },
		{ .pid = 400, .parent = 1, .session = 400, .name = "nginx" },
	};
	const size_t count = sizeof(processes) / sizeof(*processes);
	struct session sessions[2];
	struct session all[8];

	(void)state;
	assert_int_equal(sessions_find(processes, count, all, 8), 4);
	assert_int_equal(all[0].leader, 111);
	assert_int_equal(all[0].gate, 110);
	assert_int_equal(all[0].terminal, 0);
	assert_int_equal(all[1].leader, 121);
	assert_int_equal(all[1].gate, 120);
	assert_int_equal(all[2].leader, 212);
	assert_int_equal(all[2].gate, 210);
	assert_int_equal(all[2].user, 1000);
	assert_int_equal(all[3].leader, 300);
	assert_int_equal(all[3].gate, 0);
	/* More than there is room for. */
	assert_int_equal(sessions_find(processes, count, sessions, 2), 4);
	assert_true(process_descends(processes, count, 122, 120));
	assert_false(process_descends(processes, count, 122, 110));
}

static void test_processes_in_a_circle_come_to_an_end(void **state)
{
	static const struct process processes[] = { { .pid = 5, .parent = 6, .session = 5, .terminal = PTS0, .name = "sshd" },
						    { .pid = 6, .parent = 5, .session = 6, .name = "sshd" } };
	struct session sessions[2];

	(void)state;
	assert_int_equal(sessions_find(processes, 2, sessions, 2), 1);
	assert_false(process_descends(processes, 2, 5, 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_processors_share_between_two_looks),
		cmocka_unit_test(test_memory_without_swap_or_without_lines),
		cmocka_unit_test(test_pressure_of_a_kernel_without_full),
		cmocka_unit_test(test_numbers_that_make_no_sense),
		cmocka_unit_test(test_interfaces_with_and_without_space_behind_the_colon),
		cmocka_unit_test(test_mounts_with_spaces_in_their_names),
		cmocka_unit_test(test_root_hash_of_a_command_line_that_is_not_stage_1s),
		cmocka_unit_test(test_verity_status_of_another_target),
		cmocka_unit_test(test_sockets_of_both_families),
		cmocka_unit_test(test_sessions_are_peers_and_not_connections),
		cmocka_unit_test(test_more_peers_than_can_be_told_apart),
		cmocka_unit_test(test_ports_that_are_none),
		cmocka_unit_test(test_process_names_with_brackets),
		cmocka_unit_test(test_terminals),
		cmocka_unit_test(test_sessions_of_dropbear_sshd_and_the_console),
		cmocka_unit_test(test_processes_in_a_circle_come_to_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
