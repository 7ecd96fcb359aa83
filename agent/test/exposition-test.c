/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of the metrics, and what is asked for them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/exposition.h"

static struct measures full(void)
{
	struct measures m = { .uptime = 50175.25, .load = { 0.5, 0.25, 0.125 }, .busy = 0.75, .cpus = 2, .memory = { 1 << 20, 1 << 19, 0, 0 },
			      .pressure = { [2] = { 12.5, 3 } }, .has_pressure = { [2] = true }, .disk_count = 1, .interface_count = 1,
			      .user_count = 3, .has_application = true, .connections = 7, .peers = 5,
			      .health = { HEALTH_GOOD, 1.5, "" }, .c = { .verity = 'V' }, .d = { .verity = 'C' } };

	strcpy(m.disks[0].mount.place, "/a\"b\\c\n\x1b");
	m.disks[0].size = 4096;
	strcpy(m.interfaces[0].name, "eth0");
	m.interfaces[0].received = UINT64_C(1) << 40;
	return m;
}

static void test_every_measure_is_there(void **state)
{
	static const char *const lines[] = {
		"repave_node_measured_timestamp_seconds 1767225600\n", "repave_node_uptime_seconds 50175.25\n", "repave_node_load5 0.25\n",
		"repave_node_cpu_busy_ratio 0.75\n", "repave_node_memory_available_bytes 524288\n",
		"repave_node_pressure_some_ratio{resource=\"io\"} 0.125\n",
		"repave_node_network_receive_bytes_total{device=\"eth0\"} 1099511627776\n", "repave_node_users 3\n", "repave_node_sessions 7\n",
		"repave_node_session_peers 5\n", "repave_node_healthy 1\n", "repave_node_health_check_seconds 0.0015\n",
		"repave_node_verity_corrupt{slot=\"c\"} 0\n", "repave_node_verity_corrupt{slot=\"d\"} 1\n",
	};
	static char text[EXPOSITION_MOST];
	struct measures m = full();
	size_t size;

	(void)state;
	assert_int_equal(exposition_format(&m, 1767225600, text, sizeof(text), &size), 0);
	assert_int_equal(size, strlen(text));
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_non_null(strstr(text, lines[i]));
	assert_null(strstr(text, "resource=\"cpu\""));
}

static void test_a_mount_cannot_forge_a_line(void **state)
{
	static char text[EXPOSITION_MOST];
	struct measures m = full();
	size_t size;

	(void)state;
	assert_int_equal(exposition_format(&m, 1, text, sizeof(text), &size), 0);
	assert_non_null(strstr(text, "repave_node_disk_size_bytes{mount=\"/a\\\"b\\\\c??\"} 4096\n"));
}

static void test_the_largest_machine_fits(void **state)
{
	static char text[EXPOSITION_MOST];
	struct measures m = full();
	size_t size;

	(void)state;
	m.disk_count = DISKS_MOST;
	m.interface_count = INTERFACES_MOST;
	for (size_t i = 0; i < DISKS_MOST; i++) {
		m.disks[i] = (struct disk_use){ .size = UINT64_MAX, .used = UINT64_MAX };
		memset(m.disks[i].mount.place, '"', sizeof(m.disks[i].mount.place) - 1);
	}
	for (size_t i = 0; i < INTERFACES_MOST; i++) {
		m.interfaces[i] = (struct interface){ .received = UINT64_MAX, .sent = UINT64_MAX, .receive_errors = UINT64_MAX, .send_errors = UINT64_MAX };
		memset(m.interfaces[i].name, '"', sizeof(m.interfaces[i].name) - 1);
	}
	assert_int_equal(exposition_format(&m, 1, text, sizeof(text), &size), 0);
	assert_int_equal(exposition_format(&m, 1, text, size, &size), -ENOSPC);
}

static unsigned asked(const char *request)
{
	return metrics_request(request, strlen(request));
}

static void test_only_get_of_one_path_is_answered(void **state)
{
	char endless[METRICS_REQUEST_MOST];

	(void)state;
	memset(endless, 'a', sizeof(endless));
	assert_int_equal(asked("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
	assert_int_equal(asked("GET /metrics HTTP/1.0\r\n\r\n"), 200);
	assert_int_equal(asked("GET /metrics HTTP/1.1\r\nHost: x\r\n"), 0);
	assert_int_equal(asked("GET /metrics/ HTTP/1.1\r\n\r\n"), 404);
	assert_int_equal(asked("GET / HTTP/1.1\r\n\r\n"), 404);
	assert_int_equal(asked("POST /metrics HTTP/1.1\r\n\r\n"), 405);
	assert_int_equal(asked("GETS /metrics HTTP/1.1\r\n\r\n"), 405);
	assert_int_equal(asked("GET /metrics\r\n\r\n"), 400);
	assert_int_equal(asked("GET /metrics HTTP/2.0\r\n\r\n"), 400);
	assert_int_equal(asked("\r\n\r\n"), 400);
	assert_int_equal(metrics_request(endless, sizeof(endless)), 400);
}

static int address_of(const char *text, uint16_t *ret_port)
{
	struct sockaddr_storage address;
	socklen_t size;

	return metrics_address(text, strlen(text), &address, &size, ret_port);
}

static void test_addresses_are_numeric_with_a_port(void **state)
{
	static const char *const wrong[] = { "", "\n", "9101", ":9101", "0.0.0.0", "0.0.0.0:0", "0.0.0.0:65536", "localhost:9101", "::1:9101", "[::1]", "[:9101",
					     "[]:1", "10.0.0.1:91 01", "0.0.0.0:9101\n0.0.0.0:22" };
	uint16_t port = 0;

	(void)state;
	assert_int_equal(address_of("0.0.0.0:9101\n", &port), 0);
	assert_int_equal(port, 9101);
	assert_int_equal(address_of("[::]:9102", &port), 0);
	assert_int_equal(port, 9102);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(address_of(wrong[i], &port), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_measure_is_there),
		cmocka_unit_test(test_a_mount_cannot_forge_a_line),
		cmocka_unit_test(test_the_largest_machine_fits),
		cmocka_unit_test(test_only_get_of_one_path_is_answered),
		cmocka_unit_test(test_addresses_are_numeric_with_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
