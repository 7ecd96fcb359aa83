// SPDX-License-Identifier: GPL-2.0-or-later
/* Lives: every state and every cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "control/life.h"

#define SAME "."   /* as it was */
#define NO "no"    /* nobody may */

/* One row for each cause, in the order of the states; of a suspect and a failed node that served before. */
static const char *const wanted[LIFE_CAUSES][LIFE_STATES] = {
	[LIFE_ASKED] = { "booting", SAME, "booting", "booting", "booting", SAME, "booting", "booting", SAME, SAME },
	[LIFE_HEALTHY] = { "serving", "serving", SAME, SAME, SAME, SAME, "serving", "serving", SAME, SAME },
	[LIFE_UNHEALTHY] = { "booting", SAME, "suspect", SAME, SAME, SAME, SAME, "suspect", SAME, SAME },
	[LIFE_HEARD] = { "booting", SAME, SAME, SAME, SAME, SAME, "serving", "serving", SAME, SAME },
	[LIFE_SILENT] = { SAME, "suspect", "suspect", "suspect", SAME, SAME, SAME, SAME, SAME, SAME },
	[LIFE_LOST] = { SAME, "failed", "failed", "failed", SAME, SAME, "failed", SAME, SAME, SAME },
	[LIFE_BOOT_FAILED] = { "failed", "failed", "failed", "failed", "failed", SAME, "failed", SAME, SAME, SAME },
	[LIFE_DRAIN] = { NO, NO, "draining", SAME, NO, NO, "draining", NO, NO, NO },
	[LIFE_UNDRAIN] = { NO, SAME, SAME, "serving", NO, NO, SAME, SAME, NO, NO },
	[LIFE_REBOOT] = { "rebooting", "rebooting", "rebooting", "rebooting", SAME, SAME, "rebooting", "rebooting", SAME, SAME },
	[LIFE_OFF] = { SAME, "rebooting", "rebooting", "rebooting", SAME, SAME, "rebooting", "rebooting", SAME, SAME },
	[LIFE_RELEASE] = { "spare", "spare", "spare", "spare", "spare", SAME, "spare", NO, NO, NO },
	[LIFE_TAKE] = { NO, NO, NO, NO, NO, "booting", NO, NO, NO, NO },
	[LIFE_QUARANTINE] = { "quarantined", "quarantined", "quarantined", "quarantined", "quarantined", "quarantined", "quarantined",
			      "quarantined", SAME, "quarantined" },
	[LIFE_MAINTAIN] = { "maintenance", "maintenance", "maintenance", "maintenance", "maintenance", "maintenance", "maintenance",
			    "maintenance", NO, SAME },
	[LIFE_CLEAR] = { NO, NO, NO, NO, NO, NO, NO, "booting", "booting", "booting" },
};

static void test_every_cause_in_every_state(void **state)
{
	(void)state;
	for (unsigned cause = 0; cause < LIFE_CAUSES; cause++) {
		for (unsigned from = 0; from < LIFE_STATES; from++) {
			struct life life = { (enum life_state)from, LIFE_SERVING };
			const char *want = wanted[cause][from];
			int r = life_move(&life, (enum life_cause)cause);

			assert_int_equal(r, strcmp(want, NO) ? 0 : -EINVAL);
			assert_string_equal(life_name(life.state),
					    !strcmp(want, NO) || !strcmp(want, SAME) ? life_name((enum life_state)from) : want);
		}
	}
}

static void move(struct life *life, enum life_cause cause, enum life_state want)
{
	assert_int_equal(life_move(life, cause), 0);
	assert_int_equal(life->state, want);
}

static void test_draining_node_that_was_silent_drains_on(void **state)
{
	struct life life = { LIFE_SERVING, LIFE_SERVING };

	(void)state;
	move(&life, LIFE_DRAIN, LIFE_DRAINING);
	move(&life, LIFE_SILENT, LIFE_SUSPECT);
	move(&life, LIFE_LOST, LIFE_FAILED);
	move(&life, LIFE_UNHEALTHY, LIFE_SUSPECT);
	move(&life, LIFE_HEALTHY, LIFE_DRAINING);
}

static void test_silent_node_whose_drain_is_cancelled_serves_when_it_is_heard(void **state)
{
	struct life life = { LIFE_SERVING, LIFE_SERVING };

	(void)state;
	move(&life, LIFE_DRAIN, LIFE_DRAINING);
	move(&life, LIFE_SILENT, LIFE_SUSPECT);
	move(&life, LIFE_UNDRAIN, LIFE_SUSPECT);
	move(&life, LIFE_LOST, LIFE_FAILED);
	move(&life, LIFE_UNDRAIN, LIFE_FAILED);
	move(&life, LIFE_HEARD, LIFE_SERVING);
}

static void test_boot_that_failed_and_comes_up_all_the_same_serves(void **state)
{
	struct life life = { LIFE_BOOTING, LIFE_BOOTING };

	(void)state;
	move(&life, LIFE_BOOT_FAILED, LIFE_FAILED);
	move(&life, LIFE_HEARD, LIFE_BOOTING);
	move(&life, LIFE_BOOT_FAILED, LIFE_FAILED);
	move(&life, LIFE_HEALTHY, LIFE_SERVING);
}

static void test_ordered_restart_is_no_silence(void **state)
{
	struct life life = { LIFE_SERVING, LIFE_SERVING };

	(void)state;
	move(&life, LIFE_REBOOT, LIFE_REBOOTING);
	move(&life, LIFE_SILENT, LIFE_REBOOTING);
	move(&life, LIFE_LOST, LIFE_REBOOTING);
	move(&life, LIFE_HEALTHY, LIFE_REBOOTING); /* its last status */
	move(&life, LIFE_ASKED, LIFE_BOOTING);
	move(&life, LIFE_HEALTHY, LIFE_SERVING);
}

static void test_quarantine_ends_by_a_person_only(void **state)
{
	struct life life = { LIFE_QUARANTINED, LIFE_SERVING };

	(void)state;
	for (unsigned cause = 0; cause < LIFE_CAUSES; cause++) {
		if (cause == LIFE_CLEAR)
			continue;
		life_move(&life, (enum life_cause)cause);
		assert_int_equal(life.state, LIFE_QUARANTINED);
	}
	move(&life, LIFE_CLEAR, LIFE_BOOTING);
}

static void test_names_are_parsed_back(void **state)
{
	enum life_state parsed;

	(void)state;
	for (unsigned i = 0; i < LIFE_STATES; i++) {
		assert_int_equal(life_parse(life_name((enum life_state)i), &parsed), 0);
		assert_int_equal(parsed, i);
	}
	assert_int_equal(life_parse("", &parsed), -EINVAL);
	assert_int_equal(life_parse("unknown", &parsed), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cause_in_every_state),
		cmocka_unit_test(test_draining_node_that_was_silent_drains_on),
		cmocka_unit_test(test_silent_node_whose_drain_is_cancelled_serves_when_it_is_heard),
		cmocka_unit_test(test_boot_that_failed_and_comes_up_all_the_same_serves),
		cmocka_unit_test(test_ordered_restart_is_no_silence),
		cmocka_unit_test(test_quarantine_ends_by_a_person_only),
		cmocka_unit_test(test_names_are_parsed_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
