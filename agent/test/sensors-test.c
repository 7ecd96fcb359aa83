/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/login.h"
#include "agent/sensors.h"

static void test_a_finding_is_news_once(void **state)
{
	static struct findings findings;

	(void)state;
	memset(&findings, 0, sizeof(findings));
	assert_int_equal(finding_note(&findings, "file", "/usr/bin/ls"), FINDING_NEW);
	assert_int_equal(finding_note(&findings, "file", "/usr/bin/ls"), FINDING_KNOWN);
	assert_int_equal(finding_note(&findings, "setuid", "/usr/bin/ls"), FINDING_NEW);
	assert_true(finding_known(&findings, "setuid", "/usr/bin/ls"));
	assert_false(finding_known(&findings, "set", "uid/usr/bin/ls"));
}

static void test_a_flood_of_findings_is_told_as_one(void **state)
{
	static struct findings findings;
	char subject[16];
	unsigned full = 0, known = 0;

	(void)state;
	memset(&findings, 0, sizeof(findings));
	for (unsigned i = 0; i < FINDINGS_MOST + 100; i++) {
		enum finding_news news;

		snprintf(subject, sizeof(subject), "%u", i);
		news = finding_note(&findings, "file", subject);
		full += news == FINDING_FULL;
		known += news == FINDING_KNOWN;
	}
	assert_int_equal(full, 1);
	assert_int_equal(known, 99);
}

static void test_system_files_in_the_upper_layer(void **state)
{
	static const char *const bad[] = { "/usr/bin/ls", "/usr/lib/repave/agent", "/etc/passwd-", "/etc/ssh/sshd_config", "/home/anna/.ssh/rc",
					   "/etc/ld.so.preload", "/etc/systemd/system/x.service", "/etc/rc", "/lib/modules/x.ko", "/bin/sh",
					   "/root/.ssh/rc", "/root/.ssh/authorized_keys2", "/root/.profile", "/var/spool/cron/root", "/boot/vmlinuz",
					   "/etc/hostname/x", "/app/x" };
	static const char *const good[] = { "/etc/hostname", "/etc/resolv.conf", "/etc/machine-id", "/root/.ssh/authorized_keys",
					    "/root/.ash_history", "/var/log/x", "/var/lib/x", "/tmp/x", "/home/x", "/home/x/y", "/usrlocal", "/rootkit",
					    /* watched apart */ "/etc/passwd", "/etc/group", "/etc/shadow", "/home/anna/.ssh/authorized_keys" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!upper_is_finding(bad[i]))
			fail_msg("%s", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (upper_is_finding(good[i]))
			fail_msg("%s", good[i]);
}

static struct net_socket listening(uint8_t first, uint16_t port, uint8_t socket_state)
{
	return (struct net_socket){ .local = { [10] = 0xff, [11] = 0xff, [12] = first, [15] = first != 0 }, .local_port = port,
				    .state = socket_state };
}

static void test_ports_that_nobody_declared(void **state)
{
	const struct port_set ports = { { 8080 }, 1 };
	struct net_socket socket = listening(0, 4444, SOCKET_LISTEN);

	(void)state;
	assert_true(listener_is_finding(&socket, false, &ports));
	socket.state = SOCKET_ESTABLISHED;
	assert_false(listener_is_finding(&socket, false, &ports));
	socket = listening(0, 8080, SOCKET_LISTEN);
	assert_false(listener_is_finding(&socket, false, &ports));
	socket = listening(0, 22, SOCKET_LISTEN);
	assert_false(listener_is_finding(&socket, false, &ports));
	socket = listening(127, 4444, SOCKET_LISTEN);
	assert_false(listener_is_finding(&socket, false, &ports));
	/* ssh is TCP; a DHCP client is UDP; a query for a name leaves an ephemeral port open for a moment. */
	socket = listening(0, 22, SOCKET_CLOSED);
	assert_true(listener_is_finding(&socket, true, &ports));
	socket = listening(0, 68, SOCKET_CLOSED);
	assert_false(listener_is_finding(&socket, true, &ports));
	socket = listening(0, 40000, SOCKET_CLOSED);
	assert_false(listener_is_finding(&socket, true, &ports));
}

static void test_modes_and_modules(void **state)
{
	struct buffer list = { 0 };
	char name[64];

	(void)state;
	assert_true(mode_gives_rights(S_IFREG | 04755));
	assert_true(mode_gives_rights(S_IFREG | 02755));
	assert_true(mode_gives_rights(S_IFREG | 04000));
	assert_false(mode_gives_rights(S_IFREG | 02644));
	assert_false(mode_gives_rights(S_IFDIR | 04755));
	assert_false(mode_gives_rights(S_IFREG | 0755));
	assert_int_equal(module_parse("ext4 983040 1 - Live 0x0000000000000000\n", name), 0);
	assert_string_equal(name, "ext4");
	assert_int_not_equal(module_parse("\n", name), 0);
	assert_int_equal(buffer_printf(&list, "ext4\nvirtio_net\n"), 0);
	assert_true(list_has(&list, "virtio_net"));
	assert_true(list_has(&list, "ext4"));
	assert_false(list_has(&list, "virtio"));
	assert_false(list_has(&list, "ext4\nvirtio_net"));
	buffer_release(&list);
	assert_false(list_has(&list, "ext4"));
}

/* ------------------------------------------------------------------ log-ins */
/* Lines as the two servers wrote them, in the forms in which the two log daemons pass them on. */
#define BUSYBOX "Nov 21 17:35:07 ssh: "
#define JOURNAL "<38>Nov 21 17:35:07 sshd[4711]: "

static struct login_event parsed(const char *line)
{
	struct login_event event;

	login_parse(line, &event);
	return event;
}

static void test_log_lines_of_dropbear(void **state)
{
	struct login_event event;

	(void)state;
	event = parsed(BUSYBOX "[6613] Nov 21 17:34:32 Pubkey auth succeeded for 'root' with ssh-ed25519 key SHA256:yJ44v4wQ+3lz from 10.0.2.2:55200");
	assert_int_equal(event.kind, LOGIN_ACCEPTED);
	assert_true(event.by_key);
	assert_string_equal(event.user, "root");
	assert_string_equal(event.from, "10.0.2.2");
	event = parsed(BUSYBOX "[6613] Nov 21 17:34:32 Password auth succeeded for 'root' from fe80::1:55200");
	assert_int_equal(event.kind, LOGIN_ACCEPTED);
	assert_false(event.by_key);
	assert_string_equal(event.from, "fe80::1");
	event = parsed(BUSYBOX "[6618] Nov  1 17:34:32 Exit before auth from <10.0.2.2:55216>: (user 'root', 0 fails): Exited normally");
	assert_int_equal(event.kind, LOGIN_FAILED);
	assert_string_equal(event.from, "10.0.2.2");
	event = parsed(BUSYBOX "[6629] Nov 21 17:34:32 Login attempt for nonexistent user");
	assert_int_equal(event.kind, LOGIN_STRANGER);
	assert_int_equal(event.process, 6629);
	event = parsed(BUSYBOX "[6629] Nov 21 17:34:32 Child connection from 10.0.2.2:55226");
	assert_int_equal(event.kind, LOGIN_CONNECTED);
	/* Whoever only asks whether the port is open hasn't failed to log in. */
	assert_int_equal(parsed(BUSYBOX "[6727] Nov 21 17:34:37 Exit before auth from <10.0.2.2:40828>: Exited normally").kind, LOGIN_NONE);
	assert_int_equal(parsed(BUSYBOX "[6642] Nov 21 17:34:35 Exit (root) from <10.0.2.2:40810>: Disconnect received").kind, LOGIN_NONE);
}

static void test_log_lines_of_openssh(void **state)
{
	struct login_event event;

	(void)state;
	event = parsed(JOURNAL "Accepted publickey for root from 10.0.2.2 port 56114 ssh2: ED25519 SHA256:yJ44v4wQ");
	assert_int_equal(event.kind, LOGIN_ACCEPTED);
	assert_true(event.by_key);
	assert_string_equal(event.from, "10.0.2.2");
	assert_false(parsed(JOURNAL "Accepted password for root from 10.0.2.2 port 56114 ssh2").by_key);
	event = parsed(JOURNAL "Connection closed by authenticating user root 10.0.2.2 port 56126 [preauth]");
	assert_int_equal(event.kind, LOGIN_FAILED);
	assert_string_equal(event.user, "root");
	event = parsed(JOURNAL "Connection closed by invalid user admin fe80::1 port 56132 [preauth]");
	assert_int_equal(event.kind, LOGIN_FAILED);
	assert_string_equal(event.from, "fe80::1");
	event = parsed(JOURNAL "Failed password for invalid user x from 10.0.2.2 port 1 ssh2");
	assert_string_equal(event.user, "x");
	/* Counted by the line above it. */
	assert_int_equal(parsed(JOURNAL "Invalid user admin from 10.0.2.2 port 56132").kind, LOGIN_NONE);
	assert_int_equal(parsed(JOURNAL "Disconnected from user root 10.0.2.2 port 56114").kind, LOGIN_NONE);
	assert_int_equal(parsed(JOURNAL "Connection closed by 10.0.2.2 port 48058").kind, LOGIN_NONE);
}

static void test_log_lines_that_others_write(void **state)
{
	(void)state;
	/* An application can't pass for the ssh server by what it logs. */
	assert_int_equal(parsed("<14>Nov 21 17:35:07 web[5]: sshd[1]: Accepted password for root from 10.0.2.2 port 1 ssh2").kind, LOGIN_NONE);
	assert_int_equal(parsed("Nov 21 17:35:07 app: ssh: [1] a b c Bad password attempt for 'x' from 1.2.3.4:5").kind, LOGIN_NONE);
	assert_int_equal(parsed("Nov 21 17:35:07 notssh: Accepted password for root from 10.0.2.2 port 1 ssh2").kind, LOGIN_NONE);
	assert_int_equal(parsed("").kind, LOGIN_NONE);
	assert_int_equal(parsed(": ").kind, LOGIN_NONE);
	assert_int_equal(parsed(BUSYBOX "[1]").kind, LOGIN_NONE);
	assert_string_equal(parsed(JOURNAL "Accepted password for a\x1b[2Jb from evil;rm port 1 ssh2").user, "a?[2Jb");
}

static bool note(struct login_watch *watch, const char *line, int64_t now, char *text)
{
	struct login_event event = parsed(line);

	return login_note(watch, &event, now, text);
}

static void test_guessing_is_told_once_and_again_at_ten_times_as_much(void **state)
{
	static const char line[] = JOURNAL "Connection closed by authenticating user root 10.0.2.2 port 56126 [preauth]";
	static struct login_watch watch;
	char text[LOGIN_TEXT];
	unsigned told = 0;

	(void)state;
	memset(&watch, 0, sizeof(watch));
	for (int i = 1; i <= 49; i++) {
		bool alarm = note(&watch, line, 1000 + i, text);

		told += alarm;
		assert_int_equal(alarm, i == 5);
	}
	assert_true(note(&watch, line, 1050, text));
	assert_string_equal(text, "50 failed log-ins from 10.0.2.2, the last as root");
	assert_int_equal(told, 1);
	/* Quiet for long: counted from the beginning. */
	assert_false(note(&watch, line, 1050 + LOGIN_SECONDS + 1, text));
}

static void test_log_in_after_failures_from_the_same_address(void **state)
{
	static const char wrong[] = JOURNAL "Connection closed by authenticating user root 10.0.2.2 port 56126 [preauth]";
	static const char right[] = JOURNAL "Accepted publickey for root from 10.0.2.2 port 56114 ssh2: ED25519 SHA256:x";
	static struct login_watch watch;
	char text[LOGIN_TEXT];

	(void)state;
	memset(&watch, 0, sizeof(watch));
	assert_false(note(&watch, right, 1, text));
	for (int i = 0; i < 2; i++)
		note(&watch, wrong, 2, text);
	assert_false(note(&watch, right, 3, text));
	for (int i = 0; i < 3; i++)
		note(&watch, wrong, 4, text);
	assert_true(note(&watch, right, 5, text));
	assert_string_equal(text, "root logged in from 10.0.2.2 after 3 failures from there");
	assert_true(note(&watch, JOURNAL "Accepted password for root from 10.9.9.9 port 5 ssh2", 6, text));
	assert_string_equal(text, "root logged in from 10.9.9.9 without a key");
}

static void test_strangers_of_dropbear_have_an_address(void **state)
{
	static struct login_watch watch;
	char text[LOGIN_TEXT] = "";

	(void)state;
	memset(&watch, 0, sizeof(watch));
	for (int i = 0; i < 5; i++) {
		char line[128];

		snprintf(line, sizeof(line), BUSYBOX "[%d] Nov 21 17:34:32 Child connection from 10.0.2.2:5%d", 100 + i, i);
		assert_false(note(&watch, line, 10, text));
		snprintf(line, sizeof(line), BUSYBOX "[%d] Nov 21 17:34:32 Login attempt for nonexistent user", 100 + i);
		assert_int_equal(note(&watch, line, 10, text), i == 4);
	}
	assert_string_equal(text, "5 failed log-ins from 10.0.2.2, the last as a user that doesn't exist");
}

static void test_guessing_from_many_addresses_does_not_hide_one(void **state)
{
	static struct login_watch watch;
	char text[LOGIN_TEXT], line[128];
	bool told = false;

	(void)state;
	memset(&watch, 0, sizeof(watch));
	for (int i = 0; i < 600; i++) {
		/* Fifty addresses in turn between two tries of the one. */
		snprintf(line, sizeof(line), JOURNAL "Connection closed by invalid user x 10.1.0.%d port 1 [preauth]", i % 51);
		told |= note(&watch, line, i, text) && i % 51 == 7;
	}
	assert_true(told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_finding_is_news_once),
		cmocka_unit_test(test_a_flood_of_findings_is_told_as_one),
		cmocka_unit_test(test_system_files_in_the_upper_layer),
		cmocka_unit_test(test_ports_that_nobody_declared),
		cmocka_unit_test(test_modes_and_modules),
		cmocka_unit_test(test_log_lines_of_dropbear),
		cmocka_unit_test(test_log_lines_of_openssh),
		cmocka_unit_test(test_log_lines_that_others_write),
		cmocka_unit_test(test_guessing_is_told_once_and_again_at_ten_times_as_much),
		cmocka_unit_test(test_log_in_after_failures_from_the_same_address),
		cmocka_unit_test(test_strangers_of_dropbear_have_an_address),
		cmocka_unit_test(test_guessing_from_many_addresses_does_not_hide_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
