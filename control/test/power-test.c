// SPDX-License-Identifier: GPL-2.0-or-later
/* Power control without a BMC: what BMCs say, the order of commands, and secrets at rest. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/json.h"
#include "control/power-driver.h"
#include "control/power-text.h"
#include "control/sealed.h"

#define NODE "5e70a7e0-0000-4000-8000-000000000001"

/* ------------------------------------------------------------------ what BMCs say */

static int failure(const char *said, char error[ERROR_TEXT])
{
	return ipmi_failure_parse(said, strlen(said), error);
}

static void test_only_the_whole_line_is_a_state(void **state)
{
	enum power_state found;

	(void)state;
	assert_int_equal(ipmi_state_parse("Chassis Power is on\n", 20, &found), 0);
	assert_int_equal(found, POWER_STATE_ON);
	assert_int_equal(ipmi_state_parse("Chassis Power is off\n", 21, &found), 0);
	assert_int_equal(found, POWER_STATE_OFF);
	assert_int_equal(ipmi_state_parse("Chassis Power is on\nx", 21, &found), -EBADMSG);
	assert_int_equal(ipmi_state_parse("Chassis Power is on", 19, &found), -EBADMSG);
	assert_int_equal(ipmi_state_parse("", 0, &found), -EBADMSG);
}

static void test_wrong_password_is_told_from_a_bmc_that_is_gone(void **state)
{
	char error[ERROR_TEXT];

	(void)state;
	assert_int_equal(failure("> RAKP 2 HMAC is invalid\nError: Unable to establish IPMI v2 / RMCP+ session\n", error), -EACCES);
	assert_int_equal(failure("RAKP 2 message indicates an error : unauthorized name\n", error), -EACCES);
	assert_int_equal(failure("Get Auth Capabilities error\nError: Unable to establish IPMI v2 / RMCP+ session\n", error), -ETIMEDOUT);
	assert_int_equal(failure("Error in open session response message : invalid authentication algorithm\n", error), -EPROTONOSUPPORT);
	assert_int_equal(failure("Set Chassis Power Control to Reset failed: Invalid data field in request\n", error), -EOPNOTSUPP);
	assert_int_equal(failure("something\nelse \x1b[31m\n\n", error), -EIO);
	assert_non_null(strstr(error, "else ?[31m"));
}

static void test_path_to_another_host_is_none(void **state)
{
	static const char *const bad[] = { "//evil/x", "https://evil/x", "x", "/a b", "/a?b", "/a\\u000ab", "" };
	struct redfish_path sessions, systems;
	char text[200], error[ERROR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(text, sizeof text, "{\"Systems\":{\"@odata.id\":\"%s\"}}", bad[i]);
		assert_int_equal(redfish_root_parse(text, strlen(text), &sessions, &systems, error), -EBADMSG);
	}
	strcpy(text, "{\"Systems\":{\"@odata.id\":\"/redfish/v1/Systems\"}}");
	assert_int_equal(redfish_root_parse(text, strlen(text), &sessions, &systems, error), 0);
	assert_string_equal(systems.text, "/redfish/v1/Systems");
	assert_string_equal(sessions.text, "");
}

static void test_system_on_its_way_is_neither_on_nor_off(void **state)
{
	static const char text[] = "{\"PowerState\":\"PoweringOn\",\"Actions\":{\"#ComputerSystem.Reset\":{\"target\":\"/r\","
				   "\"ResetType@Redfish.AllowableValues\":[\"On\",\"PowerCycle\",\"Nmi\",3]}}}";
	struct redfish_system system;
	char error[ERROR_TEXT];

	(void)state;
	assert_int_equal(redfish_system_parse(text, sizeof text - 1, &system, error), 0);
	assert_int_equal(system.state, POWER_STATE_UNKNOWN);
	assert_int_equal(system.allowed, REDFISH_ON | REDFISH_POWER_CYCLE);
	assert_string_equal(system.reset.text, "/r");
	assert_int_equal(redfish_system_parse("{}", 2, &system, error), -EBADMSG);
}

/* ------------------------------------------------------------------ the order of commands */

/* A BMC that answers as it was told to: a letter for each call, in order. */
struct played {
	const char *answers;     /* to looks: 1 on, 0 off, ? unknown, T no answer, A refused; to commands: y done, n can't, t no answer, r refused */
	char calls[64];          /* l look; O on, F off, R reset, S shutdown */
};
static struct played played;

static char answer(char call)
{
	size_t size = strlen(played.calls);

	assert_true(size + 1 < sizeof played.calls && played.answers[0]);
	played.calls[size] = call;
	return *played.answers++;
}

static int played_open(struct power_work *work, void **ret_line)
{
	*ret_line = work;
	return 0;
}

static void played_close(void *line)
{
	(void)line;
}

static int played_look(void *line, enum power_state *ret_state)
{
	char said = answer('l');

	(void)line;
	if (said == 'T' || said == 'A')
		return said == 'T' ? -ETIMEDOUT : -EACCES;
	*ret_state = said == '1' ? POWER_STATE_ON : said == '0' ? POWER_STATE_OFF : POWER_STATE_UNKNOWN;
	return 0;
}

static int played_command(void *line, enum power_command command)
{
	(void)line;
	switch (answer("OFRS"[command])) {
	case 'y': return 0;
	case 'n': return -EOPNOTSUPP;
	case 't': return -ETIMEDOUT;
	}
	return -EACCES;
}

static int play(enum power_action action, const char *answers, unsigned seconds, bool *ret_commanded)
{
	static const struct power_driver driver = { played_open, played_look, played_command, played_close };
	const struct power_config config = { .timeout = seconds };
	const atomic_bool ending = false;
	struct power_work work = { .config = &config, .ending = &ending, .deadline = power_clock() + 1000 * (int64_t)seconds };
	enum power_state state;
	int r;

	played = (struct played){ .answers = answers };
	r = power_carry_out(&driver, &work, action, &state);
	if (ret_commanded)
		*ret_commanded = work.commanded;
	return r;
}

static void test_what_is_so_already_gets_no_command(void **state)
{
	bool commanded = true;

	(void)state;
	assert_int_equal(play(POWER_ON, "1", 5, &commanded), 0);
	assert_string_equal(played.calls, "l");
	assert_false(commanded);
	assert_int_equal(play(POWER_OFF, "0", 5, NULL), 0);
	assert_string_equal(played.calls, "l");
}

static void test_off_means_the_bmc_says_off(void **state)
{
	(void)state;
	assert_int_equal(play(POWER_OFF, "1y110", 5, NULL), 0);
	assert_string_equal(played.calls, "lFlll");
	assert_int_equal(play(POWER_OFF, "1y1111", 1, NULL), -ETIMEDOUT);
}

static void test_lost_answer_is_made_up_for_by_a_look(void **state)
{
	(void)state;
	assert_int_equal(play(POWER_OFF, "1t0", 5, NULL), 0);
	assert_int_equal(play(POWER_ON, "0yT1", 5, NULL), 0);
}

static void test_lost_answer_to_a_reset_is_not(void **state)
{
	bool commanded = false;

	(void)state;
	assert_int_equal(play(POWER_RESET, "1t", 5, &commanded), -ETIMEDOUT);
	assert_string_equal(played.calls, "lR");
	assert_true(commanded);
}

static void test_reset_without_reset_is_off_and_on(void **state)
{
	(void)state;
	assert_int_equal(play(POWER_RESET, "1ny0y1", 10, NULL), 0);
	assert_string_equal(played.calls, "lRFlOl");
}

static void test_reset_of_what_is_off_is_on(void **state)
{
	(void)state;
	assert_int_equal(play(POWER_RESET, "0y1", 5, NULL), 0);
	assert_string_equal(played.calls, "lOl");
}

static void test_refused_password_ends_at_once(void **state)
{
	(void)state;
	assert_int_equal(play(POWER_OFF, "A", 5, NULL), -EACCES);
	assert_int_equal(play(POWER_OFF, "1r", 5, NULL), -EACCES);
	assert_int_equal(play(POWER_OFF, "1yA", 5, NULL), -EACCES);
	assert_string_equal(played.calls, "lFl");
}

/* ------------------------------------------------------------------ secrets at rest */

static void make_key(struct sealing_key *ret_key, char ret_path[64])
{
	int fd;

	strcpy(ret_path, "/tmp/sealing-key-XXXXXX");
	fd = mkstemp(ret_path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(sealing_key_make(ret_path), 0);
	assert_int_equal(sealing_key_load(ret_path, ret_key), 0);
}

static void test_sealed_secret_opens_for_its_purpose_only(void **state)
{
	struct buffer sealed = { 0 }, secret = { 0 };
	struct sealing_key key;
	char path[64], *text;

	(void)state;
	make_key(&key, path);
	unlink(path);
	assert_int_equal(sealed_close(&key, "one", "geheim", &sealed), 0);
	text = (char *)sealed.data;
	assert_null(strstr(text, "geheim"));
	assert_int_equal(sealed_open(&key, "two", text, &secret), -EBADMSG);
	assert_int_equal(sealed_open(&key, "one", text, &secret), 0);
	assert_string_equal((char *)secret.data, "geheim");
	buffer_release(&secret);
	buffer_release(&sealed);
}

static void test_changed_sealed_text_never_opens(void **state)
{
	struct buffer sealed = { 0 }, secret = { 0 };
	struct sealing_key key;
	char path[64];

	(void)state;
	make_key(&key, path);
	unlink(path);
	assert_int_equal(sealed_close(&key, "one", "geheim", &sealed), 0);
	for (size_t i = 0; i < sealed.size; i++) {
		uint8_t before = sealed.data[i];

		sealed.data[i] = before == 'A' ? 'B' : 'A';
		assert_int_not_equal(sealed_open(&key, "one", (char *)sealed.data, &secret), 0);
		sealed.data[i] = 0;
		assert_int_not_equal(sealed_open(&key, "one", (char *)sealed.data, &secret), 0);
		sealed.data[i] = before;
	}
	assert_int_equal(secret.size, 0);
	buffer_release(&sealed);
}

static void test_another_key_is_named_as_the_cause(void **state)
{
	struct buffer sealed = { 0 }, secret = { 0 };
	struct sealing_key one, two;
	char path[64];

	(void)state;
	make_key(&one, path);
	unlink(path);
	make_key(&two, path);
	unlink(path);
	assert_int_equal(sealed_close(&one, "x", "geheim", &sealed), 0);
	assert_int_equal(sealed_open(&two, "x", (char *)sealed.data, &secret), -ENOKEY);
	buffer_release(&sealed);
}

static void test_key_that_others_may_read_is_refused(void **state)
{
	struct sealing_key key;
	struct stat info;
	char path[64];

	(void)state;
	make_key(&key, path);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(sealing_key_load(path, &key), -EACCES);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 20), 0);
	assert_int_equal(sealing_key_load(path, &key), -EINVAL);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_whole_line_is_a_state),
		cmocka_unit_test(test_wrong_password_is_told_from_a_bmc_that_is_gone),
		cmocka_unit_test(test_path_to_another_host_is_none),
		cmocka_unit_test(test_system_on_its_way_is_neither_on_nor_off),
		cmocka_unit_test(test_what_is_so_already_gets_no_command),
		cmocka_unit_test(test_off_means_the_bmc_says_off),
		cmocka_unit_test(test_lost_answer_is_made_up_for_by_a_look),
		cmocka_unit_test(test_lost_answer_to_a_reset_is_not),
		cmocka_unit_test(test_reset_without_reset_is_off_and_on),
		cmocka_unit_test(test_reset_of_what_is_off_is_on),
		cmocka_unit_test(test_refused_password_ends_at_once),
		cmocka_unit_test(test_sealed_secret_opens_for_its_purpose_only),
		cmocka_unit_test(test_changed_sealed_text_never_opens),
		cmocka_unit_test(test_another_key_is_named_as_the_cause),
		cmocka_unit_test(test_key_that_others_may_read_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
