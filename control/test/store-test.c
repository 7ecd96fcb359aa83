// SPDX-License-Identifier: GPL-2.0-or-later
/* The store: migrations of real databases, backups, damage, and what must be in one transaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>

#include "common/file.h"
#include "common/json.h"
#include "control/fleet.h"
#include "control/store-power.h"

#define NODE_1 "5e70a7e0-0000-4000-8000-000000000001"

struct fixture {
	char folder[32], path[48], backup[48];
	struct store *store;
};

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .folder = "/tmp/store-test-XXXXXX" };
	if (!mkdtemp(f.folder))
		return -1;
	snprintf(f.path, sizeof f.path, "%s/repave.db", f.folder);
	snprintf(f.backup, sizeof f.backup, "%s/backup", f.folder);
	*state = &f;
	return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
	(void)info;
	(void)type;
	(void)where;
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	return nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* A database that a repaved of that version made. */
static void load_old(const struct fixture *f, int version)
{
	struct buffer sql = { 0 };
	char path[64];

	snprintf(path, sizeof path, "control/test/data/schema-%d.sql", version);
	assert_int_equal(file_load(path, 1 << 20, &sql), 0);
	run_sql(f->path, (const char *)sql.data);
	buffer_release(&sql);
}

static int64_t number_of(const char *path, const char *sql)
{
	sqlite3_stmt *query;
	int64_t number;
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &query, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(query), SQLITE_ROW);
	number = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	sqlite3_close(db);
	return number;
}

/* How many backups; the name of the last one that the folder lists. */
static unsigned count_backups(const struct fixture *f, char ret_path[384])
{
	DIR *folder = opendir(f->backup);
	const struct dirent *entry;
	unsigned count = 0;

	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(ret_path, 384, "%s/%s", f->backup, entry->d_name);
		count++;
	}
	if (folder)
		closedir(folder);
	return count;
}

static void check_migrated(struct fixture *f, int version)
{
	struct fleet *fleet = NULL;
	const struct node *node;
	char why[ERROR_TEXT], backup[384];
	json_t *boots = NULL;

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	assert_int_equal(fleet_load(f->store, &fleet), 0);
	assert_int_equal(fleet_count(fleet), 3);
	assert_int_equal(fleet_find(fleet, "web1", &node, why), 0);
	assert_string_equal(node->id, NODE_1);
	assert_string_equal(json_get_string(node->inventory, "serial"), "S1");
	assert_string_equal(node->assignment.app_target, "app/web/debian/1.22.img.zst");
	assert_string_equal(node->identity.key, ""); /* it has to enrol */
	assert_int_equal(fleet_boots(fleet, node, &boots), 0);
	assert_int_equal(json_array_size(boots), 2);
	assert_non_null(fleet_default(fleet));
	if (version == 2)
		assert_int_equal(node->starts.ways[START_KEXEC].arrived, 1);
	json_decref(boots);
	fleet_free(fleet);
	/* The old one is kept, as it was. */
	assert_int_equal(count_backups(f, backup), 1);
	assert_int_equal(number_of(backup, "PRAGMA user_version"), version);
	assert_int_equal(number_of(backup, "SELECT COUNT(*) FROM boots"), 6);
}

static void test_database_of_schema_1_is_brought_up_to_date(void **state)
{
	load_old(*state, 1);
	check_migrated(*state, 1);
}

static json_t *logs_of(const struct fixture *f)
{
	json_t *list = NULL;

	assert_int_equal(store_list_logs(f->store, NODE_1, &list), 0);
	return list;
}

static void add_log(const struct fixture *f, unsigned boot, size_t size, int64_t now)
{
	struct node_log log = { .kind = LOG_BOOT };
	char *text = calloc(1, size + 1);

	snprintf(log.nonce, sizeof log.nonce, "%032x", boot);
	memset(text, 'x', size);
	log.text = json_string(text);
	assert_int_equal(store_add_log(f->store, NODE_1, &log, now), 0);
	node_log_release(&log);
	free(text);
}

static void test_node_that_never_stops_talking_keeps_its_newest_words(void **state)
{
	struct fixture *f = *state;
	json_t *list;

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	for (unsigned boot = 0; boot < 9; boot++)
		add_log(f, boot, 50000, 1000 + boot);
	list = logs_of(f);
	assert_int_equal(json_array_size(list), LOGS_BYTES_KEPT / 50000);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 4), "time")), 1008);
	json_decref(list);
	for (unsigned boot = 10; boot < 110; boot++)
		add_log(f, boot, 10, 2000 + boot);
	list = logs_of(f);
	assert_int_equal(json_array_size(list), LOGS_KEPT);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "time")), 2000 + 110 - LOGS_KEPT);
	json_decref(list);
	add_log(f, 200, 10, 3000 + LOGS_SECONDS_KEPT);
	list = logs_of(f);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
}

static void test_log_that_is_sent_again_replaces_itself(void **state)
{
	struct fixture *f = *state;
	json_t *list;

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	add_log(f, 1, 10, 1000);
	add_log(f, 1, 20, 1001);
	list = logs_of(f);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(json_string_length(json_object_get(json_array_get(list, 0), "text")), 20);
	json_decref(list);
}

static void test_database_of_schema_2_is_brought_up_to_date(void **state)
{
	load_old(*state, 2);
	check_migrated(*state, 2);
}

static void test_migration_that_fails_leaves_the_old_database(void **state)
{
	struct fixture *f = *state;

	load_old(f, 1);
	run_sql(f->path, "CREATE TABLE events (other TEXT)"); /* the last table but one that the migration makes */
	assert_int_equal(store_open(f->path, true, &f->store), -EIO);
	assert_int_equal(number_of(f->path, "PRAGMA user_version"), 1);
	assert_int_equal(number_of(f->path, "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('tokens', 'audit')"), 0);
	assert_int_equal(number_of(f->path, "SELECT COUNT(*) FROM pragma_table_info('nodes') WHERE name IN ('starts', 'key')"), 0);
	run_sql(f->path, "DROP TABLE events");
	assert_int_equal(store_open(f->path, true, &f->store), 0); /* and can be repeated */
}

static void test_no_migration_without_a_backup(void **state)
{
	struct fixture *f = *state;
	int fd;

	load_old(f, 2);
	fd = open(f->backup, O_CREAT | O_WRONLY, 0600); /* a file where the folder should be */
	assert_true(fd >= 0);
	close(fd);
	assert_true(store_open(f->path, true, &f->store) < 0);
	assert_int_equal(number_of(f->path, "PRAGMA user_version"), 2);
}

static void test_database_of_a_newer_version_is_left_alone(void **state)
{
	struct fixture *f = *state;

	load_old(f, 2);
	run_sql(f->path, "PRAGMA user_version=8");
	assert_int_equal(store_open(f->path, true, &f->store), -EPROTO);
	assert_int_equal(number_of(f->path, "PRAGMA user_version"), 8);
}

/* Runs store_open with stderr in a file, and gives what it said. */
static int open_and_listen(struct fixture *f, char ret_said[1024])
{
	char path[64];
	int before = dup(STDERR_FILENO), fd, r;
	ssize_t size;

	snprintf(path, sizeof path, "%s/said", f->folder);
	fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
	assert_true(fd >= 0 && before >= 0);
	dup2(fd, STDERR_FILENO);
	r = store_open(f->path, true, &f->store);
	dup2(before, STDERR_FILENO);
	size = pread(fd, ret_said, 1023, 0);
	ret_said[size < 0 ? 0 : size] = 0;
	close(fd);
	close(before);
	return r;
}

static void damage(const struct fixture *f, off_t from, size_t size)
{
	uint8_t junk[4096];
	int fd = open(f->path, O_WRONLY);

	memset(junk, 0xa5, sizeof junk);
	assert_true(fd >= 0 && size <= sizeof junk);
	assert_int_equal(pwrite(fd, junk, size, from), (ssize_t)size);
	close(fd);
}

static void remove_beside(const char *path, const char *suffix)
{
	char beside[64];

	snprintf(beside, sizeof beside, "%s%s", path, suffix);
	unlink(beside);
}

static int count_open(void *context, const struct power_job *job)
{
	*(unsigned *)context += job->ended == 0;
	return 0;
}

static void test_power_jobs_are_bounded_and_open_ones_found(void **state)
{
	struct fixture *f = *state;
	struct power_job job = { .node = "5e70a7e0-0000-4000-8000-000000000001", .action = POWER_RESET }, found;
	struct node *node = node_new(job.node);
	uint64_t newest = 0;
	unsigned open = 0;

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	assert_non_null(node);
	assert_int_equal(store_put_node(f->store, node), 0);
	for (job.number = 1; job.number <= 25; job.number++) {
		job.ended = job.number < 24;
		assert_int_equal(store_put_power_job(f->store, &job, 20), 0);
	}
	assert_int_equal(store_get_power_job(f->store, 5, &found), -ENOENT);
	assert_int_equal(store_get_power_job(f->store, 6, &found), 0);
	assert_int_equal(store_each_open_power_job(f->store, count_open, &open), 0);
	assert_int_equal(open, 2);
	assert_int_equal(store_newest_power_job(f->store, &newest), 0);
	assert_int_equal(newest, 25);
	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(store_remove_node(f->store, job.node), 0);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(store_get_power_job(f->store, 25, &found), -ENOENT);
	node_free(node);
}

static void test_damaged_database_names_the_backup(void **state)
{
	static const struct {
		off_t from;
		size_t size;
	} damages[] = { { 0, 100 }, { 100, 200 }, { 4096, 4096 }, { 3 * 4096, 1000 } };
	struct fixture *f = *state;
	char backup[384], said[1024];

	load_old(f, 2);
	assert_int_equal(store_open(f->path, true, &f->store), 0);
	store_close(f->store);
	f->store = NULL;
	assert_int_equal(count_backups(f, backup), 1);
	assert_int_equal(unlink(backup), 0); /* that of the old schema */
	assert_int_equal(store_backup(f->path, "daily", 999), 0);
	assert_int_equal(count_backups(f, backup), 1);
	for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
		damage(f, damages[i].from, damages[i].size);
		assert_true(open_and_listen(f, said) < 0);
		assert_non_null(strstr(said, "is damaged"));
		assert_non_null(strstr(said, backup));
		assert_null(strchr(strchr(said, '\n') + 1, '\n')); /* one line */
		/* What it says to do helps. */
		remove_beside(f->path, "-wal");
		remove_beside(f->path, "-shm");
		assert_int_equal(rename(backup, f->path), 0);
		assert_int_equal(store_backup(f->path, "daily", 1000 + (int64_t)i), 0);
		assert_int_equal(store_open(f->path, true, &f->store), 0);
		store_close(f->store);
		f->store = NULL;
		assert_int_equal(count_backups(f, backup), 1);
	}
}

static void test_only_the_newest_backups_stay(void **state)
{
	struct fixture *f = *state;
	char last[384];

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	assert_int_equal(store_backup_time(f->path), 0);
	for (int64_t i = 0; i < 10; i++)
		assert_int_equal(store_backup(f->path, "daily", 1000000000 + i * 86400), 0);
	assert_int_equal(count_backups(f, last), BACKUPS_KEPT);
	assert_int_equal(store_backup_time(f->path), 1000000000 + 9 * 86400);
}

static void test_backup_beside_a_writer_is_whole(void **state)
{
	struct fixture *f = *state;
	struct token token = { .id = "00000001", .hash = "h1" };
	char backup[384];

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	assert_int_equal(store_add_token(f->store, &token), 0);
	assert_int_equal(store_begin(f->store), 0);
	strcpy(token.id, "00000002");
	strcpy(token.hash, "h2");
	assert_int_equal(store_add_token(f->store, &token), 0);
	assert_int_equal(store_backup(f->path, "daily", 1000000000), 0);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(count_backups(f, backup), 1);
	assert_int_equal(number_of(backup, "SELECT COUNT(*) FROM tokens"), 1);
	assert_int_equal(number_of(backup, "PRAGMA user_version"), 7);
}

/* ------------------------------------------------------------------ audit log and events */

static const struct audit_entry entry = { 1000, "anna", "admin", "192.0.2.1", "POST", "/v1/tokens", "make a join token", 200 };

static void test_change_and_its_audit_entry_are_one(void **state)
{
	struct fixture *f = *state;
	struct token token = { .id = "00000001", .hash = "h1" };

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	store_attach_audit(f->store, &entry);
	assert_int_equal(store_add_token(f->store, &token), 0);
	assert_false(store_audit_attached(f->store));
	assert_int_equal(number_of(f->path, "SELECT COUNT(*) FROM audit"), 1);
	/* A change that fails leaves none, and the entry still waits. */
	store_attach_audit(f->store, &entry);
	assert_int_equal(store_add_token(f->store, &token), -EIO);
	assert_true(store_audit_attached(f->store));
	assert_int_equal(number_of(f->path, "SELECT COUNT(*) FROM audit"), 1);
	/* Several statements, one entry. */
	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(store_use_token(f->store, "00000001"), 0);
	assert_int_equal(store_use_token(f->store, "00000001"), 0);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(number_of(f->path, "SELECT COUNT(*) FROM audit"), 2);
	assert_int_equal(number_of(f->path, "SELECT used FROM tokens"), 2);
}

static void test_change_whose_audit_entry_fails_is_undone(void **state)
{
	struct fixture *f = *state;
	struct token token = { .id = "00000001", .hash = "h1" };

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	run_sql(f->path, "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full'); END");
	store_attach_audit(f->store, &entry);
	assert_int_equal(store_add_token(f->store, &token), -EIO);
	assert_int_equal(number_of(f->path, "SELECT COUNT(*) FROM tokens"), 0);
}

static void test_audit_log_cannot_be_changed(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db;

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	assert_int_equal(store_add_audit(f->store, &entry), 0);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_not_equal(sqlite3_exec(db, "DELETE FROM audit", NULL, NULL, NULL), SQLITE_OK);
	assert_int_not_equal(sqlite3_exec(db, "UPDATE audit SET who = 'nobody'", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(number_of(f->path, "SELECT COUNT(*) FROM audit WHERE who = 'anna'"), 1);
}

static void test_events_are_bounded(void **state)
{
	struct event event = { 1000, NODE_1, SEVERITY_ALARM, "clone", "a clone", NULL };
	struct fixture *f = *state;

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(store_add_event(f->store, &event), 0);
	run_sql(f->path, "INSERT INTO events VALUES (100004, 1, '', 0, 'x', 'x', '{}')");
	assert_int_equal(store_add_event(f->store, &event), 0);
	assert_int_equal(number_of(f->path, "SELECT MIN(sequence) FROM events"), 6);
	assert_int_equal(number_of(f->path, "SELECT MAX(sequence) FROM events"), EVENTS_KEPT + 5);
}

/* The log would take the disk otherwise. */
static void test_checkpoint_moves_the_log_into_the_database(void **state)
{
	struct event event = { 1000, NODE_1, SEVERITY_ALARM, "clone", "a clone", NULL };
	struct fixture *f = *state;
	struct stat before, after;

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	assert_int_equal(stat(f->path, &before), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(store_add_event(f->store, &event), 0);
	assert_int_equal(store_checkpoint(f->path), 0);
	assert_int_equal(stat(f->path, &after), 0);
	assert_true(after.st_size > before.st_size);
}

static void test_empty_database_with_backups_is_damaged(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	assert_int_equal(store_backup(f->path, "daily", 1000000000), 0);
	store_close(f->store);
	f->store = NULL;
	assert_int_equal(truncate(f->path, 0), 0);
	assert_int_equal(store_open(f->path, true, &f->store), -EBADMSG);
	assert_null(f->store);
}

/* What no SQLite finds. */
static void test_flipped_bit_in_a_text_is_damage(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	assert_int_equal(store_check(f->store), 0);
	assert_int_equal(store_trouble(f->store), STORE_SOUND);
	run_sql(f->path, "INSERT INTO settings VALUES ('enrol', '{\"enrol\": \"tokenz')");
	assert_int_equal(store_check(f->store), -EIO);
	assert_int_equal(store_trouble(f->store), STORE_DAMAGED);
	store_try(f->store);
	assert_int_equal(store_trouble(f->store), STORE_DAMAGED);
}

/* A clock that was ahead must not push out the backups that were made since. */
static void test_backups_of_the_future_are_put_before_new_ones(void **state)
{
	struct fixture *f = *state;
	char last[384];

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	for (int64_t i = 0; i < 7; i++)
		assert_int_equal(store_backup(f->path, "daily", 1000000000 + i * 86400), 0);
	assert_int_equal(store_backup(f->path, "daily", 2000000000), 0);
	assert_int_equal(store_backup(f->path, "daily", 1000000000 + 7 * 86400), 0);
	assert_int_equal(store_backup_time(f->path), 1000000000 + 7 * 86400);
	assert_int_equal(count_backups(f, last), BACKUPS_KEPT);
}

static size_t count_list(struct fixture *f, int64_t after, unsigned most, const char *node, enum severity least, int64_t *first)
{
	struct store_filter filter = { after, most, node, least };
	json_t *list = NULL;
	size_t count;

	assert_int_equal(store_list(f->store, STORE_EVENTS, &filter, &list), 0);
	count = json_array_size(list);
	*first = json_integer_value(json_object_get(json_array_get(list, 0), "sequence"));
	json_decref(list);
	return count;
}

static void test_follower_misses_nothing_in_a_burst(void **state)
{
	struct event event = { 1000, NODE_1, SEVERITY_INFO, "x", "x", NULL };
	struct fixture *f = *state;
	int64_t first;

	assert_int_equal(store_open(f->path, true, &f->store), 0);
	for (int i = 0; i < 10; i++) {
		event.severity = i % 2 ? SEVERITY_ALARM : SEVERITY_INFO;
		event.node = i < 5 ? "" : NODE_1;
		assert_int_equal(store_add_event(f->store, &event), 0);
	}
	assert_int_equal(count_list(f, -1, 3, "", SEVERITY_INFO, &first), 3); /* the last three */
	assert_int_equal(first, 8);
	assert_int_equal(count_list(f, 2, 3, "", SEVERITY_INFO, &first), 3); /* the next three */
	assert_int_equal(first, 3);
	assert_int_equal(count_list(f, 0, 100, NODE_1, SEVERITY_WARNING, &first), 3);
	assert_int_equal(count_list(f, 10, 100, "", SEVERITY_INFO, &first), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_database_of_schema_1_is_brought_up_to_date),
		TEST(test_database_of_schema_2_is_brought_up_to_date),
		TEST(test_node_that_never_stops_talking_keeps_its_newest_words),
		TEST(test_log_that_is_sent_again_replaces_itself),
		TEST(test_migration_that_fails_leaves_the_old_database),
		TEST(test_no_migration_without_a_backup),
		TEST(test_database_of_a_newer_version_is_left_alone),
		TEST(test_power_jobs_are_bounded_and_open_ones_found),
		TEST(test_damaged_database_names_the_backup),
		TEST(test_only_the_newest_backups_stay),
		TEST(test_backup_beside_a_writer_is_whole),
		TEST(test_change_and_its_audit_entry_are_one),
		TEST(test_change_whose_audit_entry_fails_is_undone),
		TEST(test_audit_log_cannot_be_changed),
		TEST(test_events_are_bounded),
		TEST(test_checkpoint_moves_the_log_into_the_database),
		TEST(test_empty_database_with_backups_is_damaged),
		TEST(test_flipped_bit_in_a_text_is_damage),
		TEST(test_backups_of_the_future_are_put_before_new_ones),
		TEST(test_follower_misses_nothing_in_a_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
