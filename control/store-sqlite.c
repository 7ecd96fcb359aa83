// SPDX-License-Identifier: GPL-2.0-or-later
/* The store in one SQLite file. WAL, so that readers never wait; synchronous FULL, so that a commit survives a power cut. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "common/json.h"
#include "common/log.h"
#include "control/store-sqlite.h"

int sql_run(struct store *store, const char *sql, const char *what)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sql_fail(store, what);
}

int store_open(const char *path, bool create, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof *store);
	mode_t before;
	int r;

	if (!store || !(store->path = strdup(path))) {
		free(store);
		return -ENOMEM;
	}
	/* SQLite gives its files 0644 less the umask; assignments may hold secrets. */
	before = umask(0077);
	r = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0), NULL);
	if (r != SQLITE_OK) {
		r = log_error(-ENOENT, "can't open the database %s (%s)", path, sqlite3_errmsg(store->db));
		goto out;
	}
	sqlite3_busy_timeout(store->db, 5000);
	/* Checkpoints are for store_checkpoint, which goes by the size of the log: it must shrink again, or there is one each second, whose
	 * syncs keep commits waiting. By itself SQLite makes one only when nobody else did for long. */
	r = sql_run(store, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=20000;"
		    " PRAGMA journal_size_limit=0",
		    "be opened");
	if (!r)
		r = schema_prepare(store);
out:
	umask(before);
	if (r < 0) {
		store_close(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	sqlite3_close_v2(store->db);
	free(store->path);
	free(store);
}

int store_begin(struct store *store)
{
	int r;

	if (store->depth) {
		store->depth++;
		return 0;
	}
	r = sql_run(store, "BEGIN IMMEDIATE", "begin a change");
	store->depth = r == 0;
	store->is_doomed = false;
	return r;
}

/* When a file system gives up its journal, Linux's ext4 tells one fsync that waits just then that all is well, though nothing was written: one
 * acknowledged change in five such faults was lost. Whatever begins a change of the journal is refused from then on; removing an attribute
 * that isn't there begins one and changes nothing, in 2 µs. 0 or -EIO. */
static int sql_durable(struct store *store)
{
	if (!removexattr(store->path, "user.repave.none") || (errno != EROFS && errno != EIO && errno != ESHUTDOWN))
		return 0;
	return sql_fail(store, "make a change durable");
}

int store_commit(struct store *store)
{
	const struct audit_entry *audit = store->audit;
	int r = store->is_doomed ? -EIO : 0;

	if (store->depth > 1) {
		store->depth--;
		return r;
	}
	store->audit = NULL;
	if (audit && !r)
		r = store_add_audit(store, audit);
	if (!r)
		r = sql_run(store, "COMMIT", "make a change durable");
	if (!r)
		r = sql_durable(store);
	if (r < 0) {
		store->audit = audit;
		store_rollback(store);
	}
	store->depth = 0;
	return r;
}

void store_rollback(struct store *store)
{
	if (store->depth > 1) {
		store->depth--;
		store->is_doomed = true;
		return;
	}
	sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	store->depth = 0;
}

void store_attach_audit(struct store *store, const struct audit_entry *entry)
{
	store->audit = entry;
}

bool store_audit_attached(const struct store *store)
{
	return store->audit != NULL;
}

/* Binds JSON text and frees it through SQLite. */
void sql_bind_json(sqlite3_stmt *statement, int at, const json_t *value)
{
	sqlite3_bind_text(statement, at, json_format(value), -1, free);
}

void sql_bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT);
}

int sql_finish(struct store *store, sqlite3_stmt *statement, const char *what)
{
	bool wrap = store->audit && !store->depth;
	int r = wrap ? store_begin(store) : 0;

	if (!r)
		r = sqlite3_step(statement) == SQLITE_DONE ? 0 : sql_fail(store, what);
	/* Of this statement, not of the audit entry's. */
	store->changed = sqlite3_changes(store->db);
	sqlite3_finalize(statement);
	if (wrap && !r) {
		int changed = store->changed;

		r = store_commit(store);
		store->changed = changed;
		return r;
	}
	if (wrap && store->depth)
		store_rollback(store);
	return r || store->depth ? r : sql_durable(store);
}

int sql_prepare(struct store *store, const char *sql, sqlite3_stmt **ret_statement)
{
	return sqlite3_prepare_v2(store->db, sql, -1, ret_statement, NULL) == SQLITE_OK ? 0 : sql_fail(store, "run a statement");
}

/* As the columns from `first` on. */
static void bind_identity(sqlite3_stmt *put, int first, const struct identity *identity)
{
	sql_bind_text(put, first, identity->key);
	sqlite3_bind_int64(put, first + 1, identity->issued);
	sql_bind_text(put, first + 2, identity->way);
	sql_bind_text(put, first + 3, identity->serial);
	sql_bind_json(put, first + 4, identity->macs);
	sql_bind_text(put, first + 5, identity->agent_key);
	sql_bind_text(put, first + 6, identity->agent_nonce);
}

int store_put_node(struct store *store, const struct node *node)
{
	json_t *assignment = assignment_format(&node->assignment), *starts = starts_format(&node->starts);
	sqlite3_stmt *put;
	int r = assignment && starts ? 0 : -ENOMEM;

	if (!r)
		r = sql_prepare(store,
			    "INSERT INTO nodes (id, enrolled, address, stage1_version, inventory, slots, assignment, starts, key, issued,"
			    " way, serial, macs, agent_key, agent_nonce)"
			    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT (id) DO UPDATE SET"
			    " address = ?3, stage1_version = ?4, inventory = ?5, slots = ?6, assignment = ?7, starts = ?8, key = ?9,"
			    " issued = ?10, way = ?11, serial = ?12, macs = ?13, agent_key = ?14, agent_nonce = ?15",
			    &put);
	if (!r) {
		sql_bind_text(put, 1, node->id);
		sqlite3_bind_int64(put, 2, node->enrolled);
		sql_bind_text(put, 3, node->address);
		sql_bind_text(put, 4, node->stage1_version);
		sql_bind_json(put, 5, node->inventory);
		sql_bind_json(put, 6, node->slots);
		sql_bind_json(put, 7, assignment);
		sql_bind_json(put, 8, starts);
		bind_identity(put, 9, &node->identity);
		r = sql_finish(store, put, "store a node");
	}
	json_decref(assignment);
	json_decref(starts);
	return r;
}

int store_remove_node(struct store *store, const char *node_id)
{
	static const char *const statements[] = { "DELETE FROM boots WHERE node = ?1", "DELETE FROM channels WHERE node = ?1",
						  "DELETE FROM logs WHERE node = ?1",
						  "DELETE FROM orders WHERE node = ?1", "DELETE FROM power WHERE node = ?1",
						  "DELETE FROM power_jobs WHERE node = ?1", "DELETE FROM restarts WHERE node = ?1",
						  "DELETE FROM memories WHERE kind = 'node' AND name = ?1", "DELETE FROM nodes WHERE id = ?1" };
	sqlite3_stmt *remove;
	int r = 0;

	for (size_t i = 0; !r && i < sizeof statements / sizeof statements[0]; i++) {
		r = sql_prepare(store, statements[i], &remove);
		if (r < 0)
			return r;
		sql_bind_text(remove, 1, node_id);
		r = sql_finish(store, remove, "forget a node");
	}
	return r;
}

static int prune_boots(struct store *store, const char *node_id, unsigned keep)
{
	sqlite3_stmt *prune;
	int r = sql_prepare(store,
			"DELETE FROM boots WHERE node = ?1 AND sequence NOT IN"
			" (SELECT sequence FROM boots WHERE node = ?1 ORDER BY sequence DESC LIMIT ?2)",
			&prune);

	if (r < 0)
		return r;
	sql_bind_text(prune, 1, node_id);
	sqlite3_bind_int64(prune, 2, keep);
	return sql_finish(store, prune, "forget old boots");
}

int store_put_boot(struct store *store, const char *node_id, const struct boot *boot, unsigned keep)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store,
			"INSERT INTO boots (node, nonce, started, updated, assignment, os_target, app_target, event, stage, error,"
			" stages, images) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
			" ON CONFLICT (node, nonce) DO UPDATE SET updated = ?4, assignment = ?5, os_target = ?6,"
			" app_target = ?7, event = ?8, stage = ?9, error = ?10, stages = ?11, images = ?12",
			&put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, node_id);
	sql_bind_text(put, 2, boot->nonce);
	sqlite3_bind_int64(put, 3, boot->started);
	sqlite3_bind_int64(put, 4, boot->updated);
	sqlite3_bind_int64(put, 5, (sqlite3_int64)boot->assignment);
	sql_bind_text(put, 6, boot->os_target);
	sql_bind_text(put, 7, boot->app_target);
	sql_bind_text(put, 8, boot_event_name(boot->event));
	sql_bind_text(put, 9, boot->stage);
	sql_bind_text(put, 10, boot->error);
	sql_bind_json(put, 11, boot->stages);
	sql_bind_json(put, 12, boot->images);
	r = sql_finish(store, put, "store a boot");
	return r < 0 ? r : prune_boots(store, node_id, keep);
}

int store_count_starts(struct store *store, const char *node_id, uint64_t assignment, uint64_t *ret_count)
{
	sqlite3_stmt *count;
	/* Whatever the way it was started. */
	int r = sql_prepare(store, "SELECT COUNT(*) FROM boots WHERE node = ?1 AND assignment = ?2 AND event NOT IN ('progress', 'failed')",
			&count);

	if (r < 0)
		return r;
	sql_bind_text(count, 1, node_id);
	sqlite3_bind_int64(count, 2, (sqlite3_int64)assignment);
	if (sqlite3_step(count) == SQLITE_ROW)
		*ret_count = (uint64_t)sqlite3_column_int64(count, 0);
	else
		r = sql_fail(store, "be read");
	sqlite3_finalize(count);
	return r;
}

int store_put_setting(struct store *store, const char *name, const json_t *value)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, value ? "INSERT INTO settings VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2" :
				       "DELETE FROM settings WHERE name = ?1", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, name);
	if (value)
		sql_bind_json(put, 2, value);
	return sql_finish(store, put, "store a setting");
}

json_t *sql_json(sqlite3_stmt *row, int column)
{
	const void *text = sqlite3_column_text(row, column);
	char why[160];

	return json_parse(text, (size_t)sqlite3_column_bytes(row, column), why);
}

/* Copies a text column that must fit. 0 or -EIO. */
int sql_text(sqlite3_stmt *row, int column, char *ret_text, size_t most)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	if (!text || strlen(text) > most)
		return -EIO;
	strcpy(ret_text, text);
	return 0;
}

int store_get_setting(struct store *store, const char *name, json_t **ret_value)
{
	sqlite3_stmt *get;
	int r = sql_prepare(store, "SELECT value FROM settings WHERE name = ?1", &get);

	if (r < 0)
		return r;
	*ret_value = NULL;
	sql_bind_text(get, 1, name);
	switch (sqlite3_step(get)) {
	case SQLITE_ROW:
		*ret_value = sql_json(get, 0);
		if (!*ret_value)
			r = store_damaged(store, "a setting makes no sense");
		break;
	case SQLITE_DONE:
		break;
	default:
		r = sql_fail(store, "be read");
	}
	sqlite3_finalize(get);
	return r;
}

/* Its columns from `first` on; keeps what it has of `macs` on error. */
static int identity_of_row(sqlite3_stmt *row, int first, struct identity *identity)
{
	json_t *macs = sql_json(row, first + 4);

	identity->issued = sqlite3_column_int64(row, first + 1);
	if (!json_is_array(macs) || sql_text(row, first, identity->key, DIGEST_TEXT) < 0 ||
	    sql_text(row, first + 2, identity->way, WAY_MOST) < 0 || sql_text(row, first + 3, identity->serial, DMI_TEXT_MOST) < 0 ||
	    sql_text(row, first + 5, identity->agent_key, DIGEST_TEXT) < 0 ||
	    sql_text(row, first + 6, identity->agent_nonce, NONCE_SIZE) < 0) {
		json_decref(macs);
		return -EIO;
	}
	json_decref(identity->macs);
	identity->macs = macs;
	return 0;
}

/* Its columns from `first` on. */
static int life_of_row(sqlite3_stmt *row, int first, struct node *node)
{
	char state[16], before[16];

	if (sql_text(row, first, state, sizeof state - 1) < 0 || life_parse(state, &node->life.state) < 0 ||
	    sql_text(row, first + 1, before, sizeof before - 1) < 0 || life_parse(before, &node->life.before) < 0)
		return -EIO;
	node->life_since = sqlite3_column_int64(row, first + 2);
	if (!node->life_since)
		node->life_since = node->enrolled;
	return sql_text(row, first + 3, node->life_reason, LIFE_REASON_MOST);
}

static struct node *node_of_row(sqlite3_stmt *row)
{
	char id[NODE_ID_SIZE + 1];
	struct node *node = NULL;
	json_t *assignment = sql_json(row, 6), *starts = sql_json(row, 7);

	if (sql_text(row, 0, id, NODE_ID_SIZE) < 0 || !node_id_valid(id) || !(node = node_new(id)))
		goto damaged;
	node->enrolled = sqlite3_column_int64(row, 1);
	if (identity_of_row(row, 8, &node->identity) < 0 || life_of_row(row, 15, node) < 0)
		goto damaged;
	json_decref(node->inventory);
	json_decref(node->slots);
	node->inventory = sql_json(row, 4);
	node->slots = sql_json(row, 5);
	assignment_release(&node->assignment);
	if (sql_text(row, 2, node->address, ADDRESS_MOST) < 0 ||
	    sql_text(row, 3, node->stage1_version, STAGE1_VERSION_MOST) < 0 || !node->inventory || !node->slots ||
	    assignment_parse(assignment, &node->assignment) < 0 || starts_parse(starts, &node->starts) < 0)
		goto damaged;
	json_decref(assignment);
	json_decref(starts);
	return node;
damaged:
	json_decref(assignment);
	json_decref(starts);
	node_free(node);
	return NULL;
}

int store_each_node(struct store *store, int (*each)(void *context, struct node *node), void *context)
{
	sqlite3_stmt *all;
	int step, r = sql_prepare(store,
			      "SELECT id, enrolled, address, stage1_version, inventory, slots, assignment, starts,"
			      " key, issued, way, serial, macs, agent_key, agent_nonce, life, life_before, life_since, life_reason"
			      " FROM nodes ORDER BY id",
			      &all);

	if (r < 0)
		return r;
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW) {
		struct node *node = node_of_row(all);

		r = node ? each(context, node) : store_damaged(store, "a node makes no sense");
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	return r;
}

static int boot_of_row(sqlite3_stmt *row, struct boot *ret_boot)
{
	struct boot *boot = ret_boot;
	char event[16];

	*boot = (struct boot){ .started = sqlite3_column_int64(row, 1),
			       .updated = sqlite3_column_int64(row, 2),
			       .assignment = (uint64_t)sqlite3_column_int64(row, 3),
			       .stages = sql_json(row, 9),
			       .images = sql_json(row, 10) };
	if (sql_text(row, 0, boot->nonce, NONCE_SIZE) < 0 || sql_text(row, 4, boot->os_target, TARGET_PATH_MOST) < 0 ||
	    sql_text(row, 5, boot->app_target, TARGET_PATH_MOST) < 0 || sql_text(row, 6, event, sizeof event - 1) < 0 ||
	    boot_event_parse(event, &boot->event) < 0 || sql_text(row, 7, boot->stage, STAGE_NAME_MOST) < 0 ||
	    sql_text(row, 8, boot->error, REPORT_ERROR_MOST) < 0 || !boot->stages || !boot->images) {
		boot_release(boot);
		return -EIO;
	}
	return 0;
}

int store_each_boot(struct store *store, const char *node_id, unsigned most,
		    int (*each)(void *context, struct boot *boot), void *context)
{
	sqlite3_stmt *all;
	int step, r = sql_prepare(store,
			      "SELECT nonce, started, updated, assignment, os_target, app_target, event, stage, error, stages,"
			      " images FROM boots WHERE node = ?1 ORDER BY sequence DESC LIMIT ?2",
			      &all);

	if (r < 0)
		return r;
	sql_bind_text(all, 1, node_id);
	sqlite3_bind_int64(all, 2, most);
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW) {
		struct boot boot;

		r = boot_of_row(all, &boot) < 0 ? store_damaged(store, "a boot makes no sense") : each(context, &boot);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	return r;
}
