// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>
#include <sqlite3.h>

#include "common/json.h"
#include "control/fleet.h"
#include "control/handover.h"

#define NODE_1 "5e70a7e0-0000-4000-8000-000000000001"
#define NODE_2 "5e70a7e1-0000-4000-8000-000000000002"
#define NONCE_1 "00000000000000000000000000000001"
#define NONCE_2 "00000000000000000000000000000002"

static struct image all_images[] = {
	{ .kind = IMAGE_OS, .name = "debian", .version = "12.9", .target = "os/debian/12.9.img.zst" },
	{ .kind = IMAGE_OS, .name = "debian", .version = "12.10", .target = "os/debian/12.10.img.zst" },
	{ .kind = IMAGE_OS, .name = "debian", .version = "12.10~rc1", .target = "os/debian/12.10~rc1.img.zst" },
	{ .kind = IMAGE_OS, .name = "minimal", .version = "1", .target = "os/minimal/1.img.zst" },
	{ .kind = IMAGE_APP, .name = "web", .os = "debian", .version = "1.22", .target = "app/web/debian/1.22.img.zst" },
	{ .kind = IMAGE_APP, .name = "cache", .os = "minimal", .version = "7", .target = "app/cache/minimal/7.img.zst" },
};
static const struct image_list images = { all_images, sizeof all_images / sizeof all_images[0] };

/* ------------------------------------------------------------------ a store in a folder of its own */

struct fixture {
	char folder[32];
	char path[48];
	struct store *store;
	struct fleet *fleet;
};

static int open_fleet(struct fixture *f)
{
	return store_open(f->path, true, &f->store) || fleet_load(f->store, &f->fleet);
}

static void close_fleet(struct fixture *f)
{
	fleet_free(f->fleet);
	store_close(f->store);
	f->fleet = NULL;
	f->store = NULL;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	if (!f)
		return -1;
	strcpy(f->folder, "/tmp/fleet-test-XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->path, sizeof f->path, "%s/repave.db", f->folder);
	*state = f;
	return open_fleet(f);
}

static int tear_down(void **state)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	struct fixture *f = *state;
	char path[64];

	close_fleet(f);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
		unlink(path);
	}
	rmdir(f->folder);
	free(f);
	return 0;
}

/* As after an enrolment. */
static struct node *make_known(struct fixture *f, const char *id)
{
	struct node *node = fleet_get(f->fleet, id);

	if (!node)
		assert_int_equal(fleet_add(f->fleet, id, 999, &node), 0);
	return node;
}

/* The answer's assignment number; 0 when the node has to wait. */
static uint64_t ask(struct fixture *f, const char *id, const char *nonce, json_t **ret_answer)
{
	struct boot_request request = { .inventory = json_pack("{ss}", "uuid", id), .slots = json_object() };
	json_t *answer = NULL;
	uint64_t number = 0;

	make_known(f, id);
	strcpy(request.nonce, nonce);
	assert_int_equal(fleet_boot(f->fleet, &images, NULL, id, &request, "127.0.0.1", 1000, &answer), 0);
	boot_request_release(&request);
	assert_string_equal(json_get_string(answer, "nonce"), nonce);
	json_get_u64(answer, "assignment", &number);
	if (ret_answer)
		*ret_answer = answer;
	else
		json_decref(answer);
	return number;
}

static int report(struct fixture *f, const char *id, const char *nonce, uint64_t assignment, enum boot_event event,
		  const char *stage)
{
	struct boot_report parsed = { .assignment = assignment, .event = event, .stages = json_array(), .images = json_array() };
	int r;

	strcpy(parsed.nonce, nonce);
	strcpy(parsed.stage, stage);
	r = fleet_report(f->fleet, id, &parsed, 1001);
	boot_report_release(&parsed);
	return r;
}

static int assign(struct fixture *f, const char *node, const char *json, char error[ERROR_TEXT])
{
	char why[160];
	json_t *change = json_parse(json, strlen(json), why);
	const struct node *found;
	int r;

	assert_non_null(change);
	r = fleet_assign(f->fleet, &images, node, change, &found, error);
	json_decref(change);
	return r;
}

/* ------------------------------------------------------------------ names to targets */

static int resolve(const char *os, const char *app, const char **ret_os, const char **ret_app, char error[ERROR_TEXT])
{
	const struct image *os_image, *app_image;
	int r = resolve_images(&images, os, app, &os_image, &app_image, error);

	if (!r) {
		*ret_os = os_image->target;
		*ret_app = app_image ? app_image->target : NULL;
	}
	return r;
}

static void test_names_stand_for_the_newest_version(void **state)
{
	char error[ERROR_TEXT];
	const char *os, *app;

	(void)state;
	assert_int_equal(resolve("debian", "web", &os, &app, error), 0);
	assert_string_equal(os, "os/debian/12.10.img.zst");
	assert_string_equal(app, "app/web/debian/1.22.img.zst");
	assert_int_equal(resolve("debian@12.9", NULL, &os, &app, error), 0);
	assert_string_equal(os, "os/debian/12.9.img.zst");
	assert_null(app);
}

static void test_application_for_other_os_is_refused(void **state)
{
	char error[ERROR_TEXT] = "";
	const char *os, *app;

	(void)state;
	assert_int_equal(resolve("debian", "cache", &os, &app, error), -EMEDIUMTYPE);
	assert_non_null(strstr(error, "requires OS minimal"));
	assert_int_equal(resolve("minimal", "web@1.22", &os, &app, error), -EMEDIUMTYPE);
}

static void test_unknown_image_is_refused(void **state)
{
	char error[ERROR_TEXT] = "";
	const char *os, *app;

	(void)state;
	assert_int_equal(resolve("beos", NULL, &os, &app, error), -ENOENT);
	assert_non_null(strstr(error, "beos"));
	assert_int_equal(resolve("debian@13", NULL, &os, &app, error), -ENOENT);
	assert_int_equal(resolve("debian", "games", &os, &app, error), -ENOENT);
	assert_int_equal(resolve("web", NULL, &os, &app, error), -ENOENT);
	assert_int_equal(resolve("debian", "minimal", &os, &app, error), -ENOENT);
	assert_int_equal(resolve("../x", NULL, &os, &app, error), -EINVAL);
}

/* ------------------------------------------------------------------ assignments */

static void test_refused_change_changes_nothing(void **state)
{
	struct fixture *f = *state;
	char error[ERROR_TEXT] = "";
	uint64_t number;

	ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\", \"app\": \"web\"}", error), 0);
	number = ask(f, NODE_1, NONCE_1, NULL);
	assert_true(number > 0);
	assert_int_equal(assign(f, NODE_1, "{\"app\": \"cache\"}", error), -EMEDIUMTYPE);
	assert_int_equal(assign(f, NODE_1, "{\"os\": null}", error), -EINVAL);
	assert_int_equal(assign(f, NODE_1, "{\"typo\": 1}", error), -EINVAL);
	assert_int_equal(assign(f, NODE_1, "{\"wipe\": 1}", error), -EINVAL);
	assert_int_equal(assign(f, NODE_1, "{\"config\": {\"hostname\": \"-\"}}", error), -EINVAL);
	assert_int_equal(assign(f, NODE_1, "{\"config\": {\"files\": {\"../x\": \"\"}}}", error), -EINVAL);
	assert_int_equal(assign(f, NODE_1, "{\"config\": {\"files\": {\"x\": 1}}}", error), -EINVAL);
	assert_int_equal(assign(f, NODE_1, "{\"config\": {\"ssh_authorized_keys\": [\"ssh-rsa A\\nssh-rsa B\"]}}", error), -EINVAL);
	assert_int_equal(assign(f, NODE_1, "[]", error), -EINVAL);
	assert_int_equal(assign(f, NODE_2, "{\"os\": \"debian\"}", error), -ENOENT);
	assert_int_equal(ask(f, NODE_1, NONCE_1, NULL), number);
}

static void test_configuration_over_256_kib_is_refused(void **state)
{
	struct assignment assignment;
	char error[ERROR_TEXT] = "", *text = malloc(CONFIG_BYTES_MOST + 2);
	json_t *change;

	(void)state;
	assert_non_null(text);
	memset(text, 'a', CONFIG_BYTES_MOST + 1);
	text[CONFIG_BYTES_MOST + 1] = 0;
	assert_int_equal(assignment_init(&assignment), 0);
	change = json_pack("{sss{s{ss}}}", "os", "debian", "config", "files", "big", text);
	assert_int_equal(assignment_change(&assignment, change, error), -EINVAL);
	assert_string_equal(assignment.os, "");
	json_decref(change);
	/* Not too many bytes, but each takes six in JSON. */
	memset(text, 1, CONFIG_BYTES_MOST - 1);
	text[CONFIG_BYTES_MOST - 1] = 0;
	change = json_pack("{sss{s{ss}}}", "os", "debian", "config", "files", "big", text);
	assert_int_equal(assignment_change(&assignment, change, error), -EINVAL);
	json_decref(change);
	memset(text, 'a', CONFIG_BYTES_MOST);
	text[CONFIG_BYTES_MOST] = 0;
	change = json_pack("{sss{s{ss}}}", "os", "debian", "config", "files", "big", text);
	assert_int_equal(assignment_change(&assignment, change, error), 0);
	json_decref(change);
	assignment_release(&assignment);
	free(text);
}

/* The answer's mirrors and policy as JSON text. */
static void assert_way(struct fixture *f, const char *nonce, const char *verify, const char *wanted)
{
	char text[256];
	json_t *answer;

	assert_true(ask(f, NODE_1, nonce, &answer) > 0);
	assert_string_equal(json_get_string(answer, "verify"), verify);
	assert_true(json_dumpb(json_get_array(answer, "mirrors"), text, sizeof text - 1, JSON_COMPACT) < sizeof text);
	text[json_dumpb(json_get_array(answer, "mirrors"), NULL, 0, JSON_COMPACT)] = 0;
	assert_string_equal(text, wanted);
	json_decref(answer);
}

static void test_mirrors_and_policy_stay_until_they_are_named(void **state)
{
	struct fixture *f = *state;
	char error[ERROR_TEXT] = "";

	ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\"}", error), 0);
	assert_way(f, NONCE_1, "full", "[]");
	assert_int_equal(assign(f, NODE_1, "{\"verify\": \"lazy\", \"mirrors\": [\"http://b/r\", \"http://a:81/r\"]}", error), 0);
	assert_int_equal(assign(f, NODE_1, "{\"app\": \"web\"}", error), 0);
	close_fleet(f);
	assert_int_equal(open_fleet(f), 0);
	assert_way(f, NONCE_1, "lazy", "[\"http://b/r\",\"http://a:81/r\"]");
	assert_int_equal(assign(f, NODE_1, "{\"mirrors\": [\"http://c/r\"]}", error), 0);
	assert_way(f, NONCE_1, "lazy", "[\"http://c/r\"]");
	assert_int_equal(assign(f, NODE_1, "{\"mirrors\": null, \"verify\": null}", error), 0);
	assert_way(f, NONCE_1, "full", "[]");
}

static void assert_h(struct fixture *f, const char *wanted)
{
	json_t *answer;

	assert_true(ask(f, NODE_1, NONCE_1, &answer) > 0);
	assert_string_equal(json_get_string(answer, "h"), wanted);
	json_decref(answer);
}

static void test_home_stays_until_it_is_named(void **state)
{
	struct fixture *f = *state;
	char error[ERROR_TEXT] = "";

	ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\"}", error), 0);
	assert_h(f, "auto");
	assert_int_equal(assign(f, NODE_1, "{\"h\": \"nfs:10.0.0.5:/h/{node}\"}", error), 0);
	assert_int_equal(assign(f, NODE_1, "{\"app\": \"web\"}", error), 0);
	close_fleet(f);
	assert_int_equal(open_fleet(f), 0);
	assert_h(f, "nfs:10.0.0.5:/h/{node}");
	assert_int_equal(assign(f, NODE_1, "{\"h\": null}", error), 0);
	assert_h(f, "auto");
}

static void test_unsound_home_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = { "\"nfs:a:/x,sec=none\"", "\"nfs:a\"", "\"/dev/sda1\"", "\"\"", "1", "{}", "\"nfs:a:/../x\"" };
	struct fixture *f = *state;
	char error[ERROR_TEXT], change[128];

	ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\", \"h\": \"local\"}", error), 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(change, sizeof change, "{\"app\": \"web\", \"h\": %s}", bad[i]);
		error[0] = 0;
		assert_int_equal(assign(f, NODE_1, change, error), -EINVAL);
		assert_non_null(strstr(error, "nfs:SERVER:/PATH"));
	}
	assert_h(f, "local");
}

static void test_unsound_mirror_is_refused_and_not_quoted(void **state)
{
	static const char *const mirrors[] = { "\"http://a/r\"", "[1]", "[\"https://a/r\"]", "[\"http://a/r/\"]", "[\"http://a:0/r\"]",
					       "[\"http://a:65536/r\"]", "[\"http://operator:hunter2@a/r\"]", "[\"http://a/r?k=hunter2\"]",
					       "[\"http://a b/r\"]", "[null]", "{}" };
	struct fixture *f = *state;
	char error[ERROR_TEXT] = "", change[512], *end = change;

	ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\"}", error), 0);
	for (size_t i = 0; i < sizeof mirrors / sizeof mirrors[0]; i++) {
		snprintf(change, sizeof change, "{\"mirrors\": %s}", mirrors[i]);
		error[0] = 0;
		assert_int_equal(assign(f, NODE_1, change, error), -EINVAL);
		assert_non_null(strstr(error, "mirror"));
		assert_null(strstr(error, "hunter2"));
	}
	end += sprintf(end, "{\"mirrors\": [");
	for (unsigned i = 0; i < MIRRORS_MOST + 1; i++)
		end += sprintf(end, "%s\"http://a%u/r\"", i ? "," : "", i);
	strcpy(end, "]}");
	assert_int_equal(assign(f, NODE_1, change, error), -EINVAL);
	assert_non_null(strstr(error, "at most 15"));
	assert_int_equal(assign(f, NODE_1, "{\"verify\": \"none\"}", error), -EINVAL);
	assert_int_equal(assign(f, NODE_1, "{\"verify\": true}", error), -EINVAL);
	assert_way(f, NONCE_1, "full", "[]");
}

static void test_numbers_only_grow(void **state)
{
	struct fixture *f = *state;
	char error[ERROR_TEXT];
	uint64_t first, second;

	ask(f, NODE_1, NONCE_1, NULL);
	ask(f, NODE_2, NONCE_1, NULL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\"}", error), 0);
	first = ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(ask(f, NODE_1, NONCE_2, NULL), first);
	assert_int_equal(assign(f, NODE_2, "{\"os\": \"debian\"}", error), 0);
	second = ask(f, NODE_2, NONCE_1, NULL);
	assert_true(second > first);
	assert_int_equal(assign(f, NODE_1, "{\"config\": {\"hostname\": \"web1\"}}", error), 0);
	assert_true(ask(f, NODE_1, NONCE_1, NULL) > second);
}

static void test_wipe_is_for_one_disk_once(void **state)
{
	struct fixture *f = *state;
	char error[ERROR_TEXT];
	json_t *answer;
	uint64_t number;

	ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\", \"wipe\": true}", error), 0);
	number = ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(report(f, NODE_1, NONCE_1, number, BOOT_PROGRESS, "disk"), 0);
	number = ask(f, NODE_1, NONCE_1, &answer);
	assert_true(json_is_true(json_object_get(answer, "wipe")));
	json_decref(answer);
	assert_int_equal(report(f, NODE_1, NONCE_1, number, BOOT_PROGRESS, "fetch-c"), 0);
	ask(f, NODE_1, NONCE_2, &answer);
	assert_true(json_is_false(json_object_get(answer, "wipe")));
	json_decref(answer);
}

static void test_host_name_in_use_is_refused(void **state)
{
	struct fixture *f = *state;
	char error[ERROR_TEXT] = "";
	const struct node *node;

	ask(f, NODE_1, NONCE_1, NULL);
	ask(f, NODE_2, NONCE_1, NULL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\", \"config\": {\"hostname\": \"web1\"}}", error), 0);
	assert_int_equal(assign(f, NODE_2, "{\"os\": \"debian\", \"config\": {\"hostname\": \"web1\"}}", error), -EEXIST);
	assert_int_equal(fleet_find(f->fleet, "web1", &node, error), 0);
	assert_string_equal(node->id, NODE_1);
	assert_int_equal(fleet_find(f->fleet, "5e70a7e1", &node, error), 0);
	assert_string_equal(node->id, NODE_2);
	assert_int_equal(fleet_find(f->fleet, "5e70a7e", &node, error), -ENOTUNIQ);
	assert_int_equal(fleet_find(f->fleet, "5e7", &node, error), -ENOENT);
	assert_int_equal(fleet_find(f->fleet, "", &node, error), -ENOENT);
}

/* SQLite's own count of what others changed in the file. */
static int changes_seen_by(sqlite3 *db)
{
	sqlite3_stmt *query;
	int version;

	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA data_version", -1, &query, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(query), SQLITE_ROW);
	version = sqlite3_column_int(query, 0);
	sqlite3_finalize(query);
	return version;
}

static void test_burst_of_progress_writes_nothing(void **state)
{
	struct fixture *f = *state;
	struct boot_report parsed = { .event = BOOT_PROGRESS, .nonce = NONCE_1, .stage = "fetch-c", .stages = json_array(),
				      .images = json_array(),
				      .progress = { .slot = "C0", .phase = "fetch", .total = 1000, .rate = 7 } };
	char error[ERROR_TEXT];
	const struct node *node;
	sqlite3 *db;
	int before;

	ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\"}", error), 0);
	parsed.assignment = ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	before = changes_seen_by(db);
	assert_int_equal(fleet_report(f->fleet, NODE_1, &parsed, 1001), 0);
	assert_int_not_equal(changes_seen_by(db), before); /* a new stage */
	before = changes_seen_by(db);
	for (parsed.progress.done = 0; parsed.progress.done < 1000; parsed.progress.done++)
		assert_int_equal(fleet_report(f->fleet, NODE_1, &parsed, 1002 + (int64_t)parsed.progress.done), 0);
	assert_int_equal(changes_seen_by(db), before);
	assert_int_equal(fleet_find(f->fleet, NODE_1, &node, error), 0);
	assert_int_equal(node->progress.done, 999);
	assert_int_equal(node->since, 1001);
	assert_int_equal(node->last_seen, 2001);
	assert_int_equal(progress_seconds_left(&node->progress), 1);
	/* A result is never taken for progress. */
	parsed.event = BOOT_KEXEC;
	assert_int_equal(fleet_report(f->fleet, NODE_1, &parsed, 3000), 0);
	assert_int_not_equal(changes_seen_by(db), before);
	assert_string_equal(node_state(node), "booted");
	sqlite3_close(db);
	boot_report_release(&parsed);
}

static void test_time_left_needs_a_rate(void **state)
{
	struct boot_progress p = { .total = 100 };

	(void)state;
	assert_int_equal(progress_seconds_left(&p), -1);
	p.rate = 30;
	assert_int_equal(progress_seconds_left(&p), 4);
	p.done = 100;
	assert_int_equal(progress_seconds_left(&p), 0);
	p = (struct boot_progress){ .total = INT64_MAX, .rate = 1 };
	assert_int_equal(progress_seconds_left(&p), -1);
}

static void test_hostile_progress_is_refused(void **state)
{
	static const char *const refusals[] = { "1", "[]", "{\"done\":2,\"total\":1}", "{\"done\":-1,\"total\":1}",
						"{\"done\":1.5,\"total\":2}", "{\"phase\":7}", "{\"total\":99999999999999999999}" };
	char body[512], error[ERROR_TEXT];
	struct boot_report report;

	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		snprintf(body, sizeof body, "{\"format\":1,\"nonce\":\"" NONCE_1 "\",\"event\":\"progress\",\"progress\":%s}",
			 refusals[i]);
		assert_int_equal(boot_report_parse(body, strlen(body), &report, error), -EINVAL);
	}
	snprintf(body, sizeof body, "{\"format\":1,\"nonce\":\"" NONCE_1 "\",\"event\":\"progress\",\"progress\":"
		 "{\"slot\":\"C0-and-more\",\"phase\":\"fe\\u001b[2Jtch\",\"done\":1,\"total\":2}}");
	assert_int_equal(boot_report_parse(body, strlen(body), &report, error), 0);
	assert_string_equal(report.progress.slot, "C0");
	assert_string_equal(report.progress.phase, "fe [2Jtch");
	boot_report_release(&report);
}

static void test_report_of_a_stranger_is_refused(void **state)
{
	assert_int_equal(report(*state, NODE_1, NONCE_1, 1, BOOT_KEXEC, "boot"), -ENOENT);
}

static void test_only_the_newest_boots_are_kept(void **state)
{
	struct fixture *f = *state;
	char error[ERROR_TEXT], nonce[NONCE_SIZE + 1];
	const struct node *node;
	json_t *boots;

	ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\"}", error), 0);
	for (unsigned i = 0; i < BOOTS_KEPT + 7; i++) {
		snprintf(nonce, sizeof nonce, "%032x", i);
		ask(f, NODE_1, nonce, NULL);
	}
	assert_int_equal(fleet_find(f->fleet, NODE_1, &node, error), 0);
	assert_int_equal(fleet_boots(f->fleet, node, &boots), 0);
	assert_int_equal(json_array_size(boots), BOOTS_KEPT);
	assert_string_equal(json_get_string(json_array_get(boots, 0), "nonce"), nonce);
	json_decref(boots);
}

/* ------------------------------------------------------------------ the store */

static void test_killed_daemon_forgets_nothing_it_answered(void **state)
{
	struct fixture *f = *state;
	const struct node *node;
	char error[ERROR_TEXT];
	int status;
	pid_t child;

	close_fleet(f);
	child = fork();
	if (child == 0) {
		if (open_fleet(f))
			_exit(1);
		ask(f, NODE_1, NONCE_1, NULL);
		if (assign(f, NODE_1, "{\"os\": \"debian\", \"config\": {\"hostname\": \"web1\", \"files\": {\"a\": \"b\"}}}", error))
			_exit(1);
		report(f, NODE_1, NONCE_1, ask(f, NODE_1, NONCE_1, NULL), BOOT_KEXEC, "boot");
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(open_fleet(f), 0);
	assert_int_equal(fleet_count(f->fleet), 1);
	assert_int_equal(fleet_find(f->fleet, "web1", &node, error), 0);
	assert_string_equal(node_state(node), "booted");
	assert_string_equal(node->assignment.os_target, "os/debian/12.10.img.zst");
	assert_int_equal(ask(f, NODE_1, NONCE_2, NULL), 1);
	assert_int_equal(assign(f, NODE_1, "{\"app\": \"web\"}", error), 0);
	assert_int_equal(ask(f, NODE_1, NONCE_2, NULL), 2);
}

static void test_default_survives_a_restart(void **state)
{
	struct fixture *f = *state;
	char error[ERROR_TEXT];
	json_t *change = json_pack("{ssss}", "os", "debian", "app", "web");

	assert_int_equal(fleet_set_default(f->fleet, &images, change, error), 0);
	json_decref(change);
	close_fleet(f);
	assert_int_equal(open_fleet(f), 0);
	assert_string_equal(fleet_default(f->fleet)->app, "web");
	assert_true(ask(f, NODE_1, NONCE_1, NULL) > 0);
	change = json_null();
	assert_int_equal(fleet_set_default(f->fleet, &images, change, error), 0);
	assert_null(fleet_default(f->fleet));
	assert_int_equal(ask(f, NODE_2, NONCE_1, NULL), 0);
}

/* Before there were mirrors. */
static void test_assignments_of_an_older_database_go_on(void **state)
{
	struct fixture *f = *state;
	char error[ERROR_TEXT];
	sqlite3 *db;
	uint64_t number;

	ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\", \"verify\": \"lazy\"}", error), 0);
	number = ask(f, NODE_1, NONCE_1, NULL);
	close_fleet(f);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE nodes SET assignment = json_remove(assignment, '$.mirrors', '$.verify')", NULL, NULL,
				      NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	sqlite3_close(db);
	assert_int_equal(open_fleet(f), 0);
	assert_int_equal(ask(f, NODE_1, NONCE_2, NULL), number);
	assert_way(f, NONCE_2, "full", "[]");
}

static uint64_t starts_seen(struct fixture *f, const char *nonce)
{
	uint64_t seen = UINT64_MAX;
	json_t *answer;

	ask(f, NODE_1, nonce, &answer);
	assert_int_equal(json_get_u64(answer, "starts_seen", &seen), 0);
	json_decref(answer);
	return seen;
}

/* Else STATE, which root of the OS writes, would be the only witness. */
static void test_starts_that_were_not_reported_are_not_counted(void **state)
{
	struct fixture *f = *state;
	char error[ERROR_TEXT] = "", nonce[NONCE_SIZE + 1];
	uint64_t number;

	ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian@12.9\"}", error), 0);
	number = ask(f, NODE_1, NONCE_1, NULL);
	assert_int_equal(report(f, NODE_1, NONCE_1, number, BOOT_PROGRESS, "fetch-c"), 0);
	assert_int_equal(starts_seen(f, NONCE_2), 0);
	assert_int_equal(report(f, NODE_1, NONCE_2, number, BOOT_FAILED, "boot"), 0);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(nonce, sizeof nonce, "%032x", 16 + i);
		assert_int_equal(starts_seen(f, nonce), i);
		assert_int_equal(report(f, NODE_1, nonce, number, BOOT_KEXEC, "boot"), 0);
	}
	ask(f, NODE_2, NONCE_1, NULL);
	close_fleet(f);
	assert_int_equal(open_fleet(f), 0);
	assert_int_equal(starts_seen(f, NONCE_1), 3);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian@12.10\"}", error), 0);
	assert_int_equal(starts_seen(f, NONCE_2), 0);
}

static void test_file_that_is_no_database_is_refused(void **state)
{
	struct fixture *f = *state;
	FILE *file;

	close_fleet(f);
	file = fopen(f->path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("this is no database. ", file);
	fclose(file);
	assert_int_not_equal(store_open(f->path, true, &f->store), 0);
	assert_null(f->store);
}

static void test_database_is_closed_to_others(void **state)
{
	struct fixture *f = *state;
	struct stat info;

	assert_int_equal(stat(f->path, &info), 0);
	assert_int_equal(info.st_mode & 077, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ------------------------------------------------------------------ starts that were lost */
static void tell_start(struct fixture *f, const char *firmware, unsigned number, const char *wanted)
{
	struct boot_request request = { .inventory = json_pack("{ss ss}", "uuid", NODE_1, "firmware", firmware), .slots = json_object() };
	json_t *answer = NULL;

	make_known(f, NODE_1);
	strcpy(request.nonce, NONCE_1);
	request.last_start = (struct last_start){ .known = number > 0, .way = START_KEXEC, .arrived = false };
	snprintf(request.last_start.nonce, sizeof request.last_start.nonce, "%032x", number);
	assert_int_equal(fleet_boot(f->fleet, &images, NULL, NODE_1, &request, "127.0.0.1", 1000, &answer), 0);
	boot_request_release(&request);
	assert_string_equal(json_get_string(answer, "start"), wanted);
	json_decref(answer);
}

static void test_lost_starts_flip_to_reset_and_outlive_the_daemon(void **state)
{
	struct fixture *f = *state;
	json_t *change = json_pack("{ss}", "os", "debian");
	char why[ERROR_TEXT];

	assert_int_equal(fleet_set_default(f->fleet, &images, change, why), 0);
	json_decref(change);
	tell_start(f, "uefi", 0, "kexec");
	tell_start(f, "uefi", 1, "kexec");
	tell_start(f, "uefi", 1, "kexec");
	close_fleet(f);
	assert_int_equal(open_fleet(f), 0);
	tell_start(f, "uefi", 2, "reset");
	tell_start(f, "bios", 0, "kexec");
}

/* ------------------------------------------------------------------ who boots */

static void test_boot_of_a_stranger_enrols_nobody(void **state)
{
	struct boot_request request = { .nonce = NONCE_1, .inventory = json_pack("{ss}", "uuid", NODE_1), .slots = json_object() };
	struct fixture *f = *state;
	json_t *answer = NULL;

	assert_int_equal(fleet_boot(f->fleet, &images, NULL, NODE_1, &request, "127.0.0.1", 1000, &answer), -ENOENT);
	assert_null(answer);
	assert_int_equal(fleet_count(f->fleet), 0);
	boot_request_release(&request);
}

static void test_another_boot_ends_the_agents_credential(void **state)
{
	struct fixture *f = *state;
	struct node *node = make_known(f, NODE_1);

	ask(f, NODE_1, NONCE_1, NULL);
	strcpy(node->identity.agent_key, "abc");
	strcpy(node->identity.agent_nonce, NONCE_1);
	assert_int_equal(store_put_node(f->store, node), 0);
	ask(f, NODE_1, NONCE_1, NULL); /* the same one, asked again */
	assert_string_equal(node->identity.agent_key, "abc");
	ask(f, NODE_1, NONCE_2, NULL);
	assert_string_equal(node->identity.agent_key, "");
	close_fleet(f);
	assert_int_equal(open_fleet(f), 0);
	assert_string_equal(make_known(f, NODE_1)->identity.agent_key, "");
}

#define USER(name, uid)                                                                                                          \
	"{\"name\": \"" name "\", \"uid\": " uid ", \"keys\": [\"ssh-ed25519 "                                                 \
	"AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\"]}"

static void test_users_of_node_and_group_come_with_the_answer(void **state)
{
	struct fixture *f = *state;
	struct group_list groups;
	char error[ERROR_TEXT];
	json_t *definition = json_loads("{\"web\": {\"os\": \"debian\", \"users\": [" USER("bert", "20002") "," USER("eve", "20001") "]}}", 0, NULL);
	json_t *answer, *users;

	assert_int_equal(group_list_parse(definition, &groups, error), 0);
	json_decref(definition);
	fleet_drafts_adopt(f->fleet, NULL, 0, &groups);
	strcpy(make_known(f, NODE_1)->group, "web");
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\", \"config\": {\"users\": [" USER("root", "20001") "]}}", error), -EINVAL);
	assert_int_equal(assign(f, NODE_1, "{\"os\": \"debian\", \"config\": {\"users\": [" USER("anna", "20001") "]}}", error), 0);
	ask(f, NODE_1, NONCE_1, &answer);
	users = json_get_array(json_object_get(answer, "config"), "users");
	assert_int_equal(json_array_size(users), 2);
	assert_string_equal(json_get_string(json_array_get(users, 0), "name"), "anna");
	assert_string_equal(json_get_string(json_array_get(users, 1), "name"), "bert");
	json_decref(answer);
	/* A node without a group or users of its own lets nobody in. */
	make_known(f, NODE_2);
	assert_int_equal(assign(f, NODE_2, "{\"os\": \"debian\"}", error), 0);
	ask(f, NODE_2, NONCE_2, &answer);
	assert_null(json_object_get(json_object_get(answer, "config"), "users"));
	json_decref(answer);
}

static void test_users_are_handed_over_to_somebody_who_can_go_on(void **state)
{
	struct fixture *f = *state;
	struct control control = { .fleet = f->fleet };
	struct group_list groups;
	char error[ERROR_TEXT] = "";
	json_t *definition = json_loads("{\"own\": {\"os\": \"debian\", \"service\": {\"port\": 80}},"
					" \"web\": {\"os\": \"debian\", \"service\": {\"port\": 81, \"sessions\": \"shared\"}}}", 0, NULL);
	struct node *node = make_known(f, NODE_1), *other = make_known(f, NODE_2);

	assert_int_equal(group_list_parse(definition, &groups, error), 0);
	json_decref(definition);
	fleet_drafts_adopt(f->fleet, NULL, 0, &groups);
	assert_int_equal(handover_check(&control, "5e70a7e9", error), -ENOENT);
	assert_int_equal(handover_check(&control, NODE_1, error), -EINVAL);
	assert_non_null(strstr(error, "in no group"));
	strcpy(node->group, "own");
	assert_int_equal(handover_check(&control, NODE_1, error), -EINVAL);
	assert_non_null(strstr(error, "sessions: shared"));
	strcpy(node->group, "web");
	assert_int_equal(handover_check(&control, NODE_1, error), -EINVAL);
	assert_non_null(strstr(error, "nobody to hand its users over to"));
	strcpy(other->group, "web");
	other->life.state = LIFE_SERVING;
	assert_int_equal(handover_check(&control, NODE_1, error), 0);
	other->balancer_want = BALANCER_DRAIN;
	assert_int_equal(handover_check(&control, NODE_1, error), -EINVAL);
	other->group[0] = 0;
	other->spare = true;
	assert_int_equal(handover_check(&control, NODE_1, error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_boot_of_a_stranger_enrols_nobody),
		TEST(test_another_boot_ends_the_agents_credential),
		cmocka_unit_test(test_names_stand_for_the_newest_version),
		cmocka_unit_test(test_application_for_other_os_is_refused),
		cmocka_unit_test(test_unknown_image_is_refused),
		cmocka_unit_test(test_configuration_over_256_kib_is_refused),
		TEST(test_refused_change_changes_nothing),
		TEST(test_mirrors_and_policy_stay_until_they_are_named),
		TEST(test_home_stays_until_it_is_named),
		TEST(test_unsound_home_is_refused_and_changes_nothing),
		TEST(test_unsound_mirror_is_refused_and_not_quoted),
		TEST(test_numbers_only_grow),
		TEST(test_wipe_is_for_one_disk_once),
		TEST(test_host_name_in_use_is_refused),
		TEST(test_burst_of_progress_writes_nothing),
		cmocka_unit_test(test_time_left_needs_a_rate),
		cmocka_unit_test(test_hostile_progress_is_refused),
		TEST(test_report_of_a_stranger_is_refused),
		TEST(test_lost_starts_flip_to_reset_and_outlive_the_daemon),
		TEST(test_only_the_newest_boots_are_kept),
		TEST(test_killed_daemon_forgets_nothing_it_answered),
		TEST(test_default_survives_a_restart),
		TEST(test_assignments_of_an_older_database_go_on),
		TEST(test_starts_that_were_not_reported_are_not_counted),
		TEST(test_file_that_is_no_database_is_refused),
		TEST(test_database_is_closed_to_others),
		cmocka_unit_test_setup_teardown(test_users_of_node_and_group_come_with_the_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_users_are_handed_over_to_somebody_who_can_go_on, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
