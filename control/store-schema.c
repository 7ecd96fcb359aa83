// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables, and how those of older versions become these. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "control/store-sqlite.h"

#define SCHEMA_VERSION 7

/* As version 2 had them. */
static const char schema_2[] =
	"CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE nodes (id TEXT PRIMARY KEY, enrolled INTEGER NOT NULL, address TEXT NOT NULL,"
	" stage1_version TEXT NOT NULL, inventory TEXT NOT NULL, slots TEXT NOT NULL, assignment TEXT NOT NULL,"
	" starts TEXT NOT NULL DEFAULT '{}');"
	"CREATE TABLE boots (sequence INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL REFERENCES nodes(id),"
	" nonce TEXT NOT NULL, started INTEGER NOT NULL, updated INTEGER NOT NULL, assignment INTEGER NOT NULL,"
	" os_target TEXT NOT NULL, app_target TEXT NOT NULL, event TEXT NOT NULL, stage TEXT NOT NULL,"
	" error TEXT NOT NULL, stages TEXT NOT NULL, images TEXT NOT NULL, UNIQUE (node, nonce));"
	"CREATE INDEX boots_by_node ON boots (node, sequence);";

static const char from_1[] = "ALTER TABLE nodes ADD COLUMN starts TEXT NOT NULL DEFAULT '{}'";

/* A column declared JSON or BOOLEAN is shown as such by store_list. */
static const char from_2[] =
	"ALTER TABLE nodes ADD COLUMN key TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE nodes ADD COLUMN issued INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE nodes ADD COLUMN way TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE nodes ADD COLUMN serial TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE nodes ADD COLUMN macs JSON NOT NULL DEFAULT '[]';"
	"ALTER TABLE nodes ADD COLUMN agent_key TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE nodes ADD COLUMN agent_nonce TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE tokens (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, created INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" revoked INTEGER NOT NULL, uses INTEGER NOT NULL, used INTEGER NOT NULL, note TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE enrolments (id TEXT PRIMARY KEY, key TEXT NOT NULL, serial TEXT NOT NULL, macs JSON NOT NULL,"
	" reason TEXT NOT NULL, address TEXT NOT NULL, since INTEGER NOT NULL, alarm BOOLEAN NOT NULL,"
	" approved BOOLEAN NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE allowed (kind TEXT NOT NULL, value TEXT NOT NULL, note TEXT NOT NULL, created INTEGER NOT NULL,"
	" PRIMARY KEY (kind, value)) WITHOUT ROWID;"
	"CREATE TABLE operators (name TEXT PRIMARY KEY, role TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, created INTEGER NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE TABLE audit (sequence INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, who TEXT NOT NULL,"
	" role TEXT NOT NULL, source TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, what TEXT NOT NULL,"
	" status INTEGER NOT NULL);"
	"CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;"
	"CREATE TRIGGER audit_lasts BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;"
	"CREATE TABLE events (sequence INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, node TEXT NOT NULL,"
	" severity INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, data JSON NOT NULL);"
	"CREATE INDEX events_by_node ON events (node, sequence);";

static const char from_3_channel[] =
	"ALTER TABLE nodes ADD COLUMN life TEXT NOT NULL DEFAULT 'enrolled';"
	"ALTER TABLE nodes ADD COLUMN life_before TEXT NOT NULL DEFAULT 'enrolled';"
	"ALTER TABLE nodes ADD COLUMN life_since INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE nodes ADD COLUMN life_reason TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE channels (node TEXT PRIMARY KEY, boot_id TEXT NOT NULL, alarms INTEGER NOT NULL, lost INTEGER NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE TABLE orders (node TEXT NOT NULL, number INTEGER NOT NULL, action TEXT NOT NULL, arguments JSON NOT NULL,"
	" boot_id TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL, state TEXT NOT NULL, ended INTEGER NOT NULL,"
	" text TEXT NOT NULL, PRIMARY KEY (node, number)) WITHOUT ROWID;"
	"CREATE INDEX orders_by_state ON orders (state);";
/* The password is in `sealed`, as control/sealed.h draws it. */
static const char from_3_power[] =
	"CREATE TABLE power (node TEXT PRIMARY KEY REFERENCES nodes(id), driver TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL,"
	" user TEXT NOT NULL, cipher INTEGER NOT NULL, system TEXT NOT NULL, fingerprint TEXT NOT NULL, ca TEXT NOT NULL,"
	" timeout INTEGER NOT NULL, changed INTEGER NOT NULL, refused INTEGER NOT NULL, sealed TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE power_jobs (job INTEGER PRIMARY KEY, node TEXT NOT NULL REFERENCES nodes(id), action TEXT NOT NULL,"
	" started INTEGER NOT NULL, ended INTEGER NOT NULL, state TEXT NOT NULL, failed BOOLEAN NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX power_jobs_by_node ON power_jobs (node, job);"
	"CREATE INDEX power_jobs_open ON power_jobs (ended) WHERE ended = 0;";

static const char from_3_balancer[] =
	"CREATE TABLE groups (name TEXT PRIMARY KEY, definition JSON NOT NULL, denied BOOLEAN NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE members (node TEXT PRIMARY KEY REFERENCES nodes(id) ON DELETE CASCADE, team TEXT NOT NULL, spare BOOLEAN NOT NULL,"
	" address TEXT NOT NULL, weight INTEGER NOT NULL, want INTEGER NOT NULL) WITHOUT ROWID;";

static const char from_3_restarts[] =
	"CREATE TABLE restarts (id INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,"
	" state JSON NOT NULL);"
	"CREATE INDEX restarts_by_node ON restarts (node, id);"
	"CREATE INDEX restarts_active ON restarts (id) WHERE ended = 0;";
static const char from_3_logs[] =
	"CREATE TABLE logs (sequence INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, time INTEGER NOT NULL,"
	" kind TEXT NOT NULL, nonce TEXT NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX logs_by_node ON logs (node, sequence);";

/* control/relays.h */
static const char from_3_monitors[] =
	"CREATE TABLE monitors (name TEXT PRIMARY KEY, host TEXT NOT NULL, port INTEGER NOT NULL, key TEXT NOT NULL, issued INTEGER NOT NULL,"
	" expires INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE monitored (node TEXT PRIMARY KEY REFERENCES nodes(id) ON DELETE CASCADE,"
	" monitor TEXT NOT NULL REFERENCES monitors(name) ON DELETE CASCADE) WITHOUT ROWID;";

/* control/store-messages.h; `slot` is of a summary: the minute it is about, or 0 for what the spool had no room for. */
static const char from_4_messages[] =
	"CREATE TABLE messages (sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, target TEXT NOT NULL, created INTEGER NOT NULL,"
	" next INTEGER NOT NULL, tries INTEGER NOT NULL, count INTEGER NOT NULL, alarms INTEGER NOT NULL, slot INTEGER, facts JSON NOT NULL,"
	" error TEXT NOT NULL, UNIQUE (target, slot));"
	"CREATE INDEX messages_due ON messages (target, next);";
static const char from_4_places[] =
	"ALTER TABLE members ADD COLUMN site TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE members ADD COLUMN rack TEXT NOT NULL DEFAULT '';";
/* control/journal.h: what was decided; and the snapshots of the rounds in which something was done. */
static const char from_4_journal[] =
	"CREATE TABLE journal (id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, round INTEGER NOT NULL, origin TEXT NOT NULL,"
	" rule TEXT NOT NULL, action TEXT NOT NULL, verdict TEXT NOT NULL, urgency TEXT NOT NULL, node TEXT NOT NULL, team TEXT NOT NULL,"
	" spare TEXT NOT NULL, reason TEXT NOT NULL, data JSON NOT NULL, restart INTEGER NOT NULL, state TEXT NOT NULL, ended INTEGER NOT NULL);"
	"CREATE INDEX journal_by_node ON journal (node, id);"
	"CREATE INDEX journal_by_restart ON journal (restart) WHERE restart <> 0;"
	"CREATE INDEX journal_open ON journal (id) WHERE ended = 0;"
	"CREATE TABLE rounds (id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, snapshot BLOB NOT NULL);";
/* control/store-journal.h: what is learned, beside the journal. */
static const char from_4_memories[] =
	"CREATE TABLE memories (kind TEXT NOT NULL, name TEXT NOT NULL, value JSON NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;";

/* control/alarm.h */
static const char from_4_alarms[] =
	"CREATE TABLE alarms (node TEXT PRIMARY KEY REFERENCES nodes(id) ON DELETE CASCADE, state JSON NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE evidence (restart INTEGER PRIMARY KEY, node TEXT NOT NULL, time INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL);";
/* control/campaign.h */
static const char from_4_campaigns[] =
	"CREATE TABLE campaigns (id INTEGER PRIMARY KEY AUTOINCREMENT, ended INTEGER NOT NULL, state JSON NOT NULL);"
	"CREATE TABLE exemptions (id INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL,"
	" since INTEGER NOT NULL, until INTEGER NOT NULL, ended INTEGER NOT NULL);"
	"CREATE INDEX exemptions_open ON exemptions (id) WHERE ended = 0;";

/* control/store-attest.h */
static const char from_5_attest[] =
	"CREATE TABLE attestations (node TEXT PRIMARY KEY REFERENCES nodes(id) ON DELETE CASCADE, state JSON NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE trusted (kind TEXT NOT NULL, name TEXT NOT NULL, value JSON NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;";
/* control/store-tenancy.h; what a node held outlives it. */
static const char from_5_home[] =
	"CREATE TABLE tenants (node TEXT PRIMARY KEY, account TEXT NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE home_keys (node TEXT NOT NULL, account TEXT NOT NULL, made INTEGER NOT NULL, sealed TEXT NOT NULL,"
	" PRIMARY KEY (node, account)) WITHOUT ROWID;"
	"CREATE TABLE sanitizings (id INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, ended INTEGER NOT NULL, state JSON NOT NULL,"
	" text TEXT NOT NULL, signature TEXT NOT NULL);"
	"CREATE INDEX sanitizings_by_node ON sanitizings (node, id);"
	"CREATE INDEX sanitizings_open ON sanitizings (node) WHERE ended = 0;";
/* control/store-tenancy.h: of C: and D:. */
static const char from_6_rest[] =
	"CREATE TABLE disk_keys (node TEXT NOT NULL, account TEXT NOT NULL, made INTEGER NOT NULL, sealed TEXT NOT NULL,"
	" PRIMARY KEY (node, account)) WITHOUT ROWID;";

/* In this order; each for the databases of those versions. */
static const struct step {
	int first, last;
	const char *sql;
} steps[] = {
	{ 0, 0, schema_2 }, { 1, 1, from_1 }, { 0, 2, from_2 }, { 0, 3, from_3_channel }, { 0, 3, from_3_power },
	{ 0, 3, from_3_balancer }, { 0, 3, from_3_restarts }, { 0, 3, from_3_logs }, { 0, 3, from_3_monitors },
	{ 0, 4, from_4_places }, { 0, 4, from_4_journal }, { 0, 4, from_4_memories }, { 0, 4, from_4_campaigns },
	{ 0, 4, from_4_messages }, { 0, 4, from_4_alarms },
	{ 0, 5, from_5_attest }, { 0, 5, from_5_home },
	{ 0, 6, from_6_rest },
};

static int read_version(struct store *store, int *ret_version)
{
	sqlite3_stmt *query;

	if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &query, NULL) != SQLITE_OK)
		return -EIO;
	*ret_version = sqlite3_step(query) == SQLITE_ROW ? sqlite3_column_int(query, 0) : -1;
	sqlite3_finalize(query);
	return *ret_version < 0 ? -EIO : 0;
}

/* Reads every page, in seconds for gigabytes: damage that is found now costs less than damage that is found later. */
static int check_pages(struct store *store)
{
	const char *said = NULL;
	sqlite3_stmt *check;
	int r = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &check, NULL) == SQLITE_OK ? 0 : -EBADMSG;

	if (!r && sqlite3_step(check) == SQLITE_ROW)
		said = (const char *)sqlite3_column_text(check, 0);
	if (!said || strcmp(said, "ok")) {
		store_tell_damage(store->path, said ? said : sqlite3_errmsg(store->db));
		r = -EBADMSG;
	}
	sqlite3_finalize(check);
	return r;
}

int schema_touch(struct store *store)
{
	char sql[48];

	snprintf(sql, sizeof sql, "PRAGMA user_version=%d", SCHEMA_VERSION);
	return sql_run(store, sql, "note its version");
}

/* One transaction: a power cut leaves the old tables or the new ones. */
static int migrate(struct store *store, int version)
{
	int r = store_begin(store);

	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < sizeof steps / sizeof steps[0]; i++)
		if (version >= steps[i].first && version <= steps[i].last)
			r = sql_run(store, steps[i].sql, "make its tables");
	if (!r)
		r = schema_touch(store);
	if (!r)
		return store_commit(store);
	store_rollback(store);
	return r;
}

/* An empty database is a new one, unless it has backups. */
static int check_new(const struct store *store)
{
	char *backup = store_newest_backup(store->path);

	if (backup)
		store_tell_damage(store->path, "it is empty");
	free(backup);
	return backup ? -EBADMSG : 0;
}

int schema_prepare(struct store *store)
{
	char label[32];
	int version = 0, r = read_version(store, &version);

	if (r < 0) {
		store_tell_damage(store->path, sqlite3_errmsg(store->db));
		return -EBADMSG;
	}
	r = check_pages(store);
	if (!r && version == 0)
		r = check_new(store);
	if (r < 0 || version == SCHEMA_VERSION)
		return r;
	if (version > SCHEMA_VERSION)
		return log_error(-EPROTO, "%s was made by a newer version of repaved (schema %d, this one knows %d); install that one again,"
				 " or put back a backup from before", store->path, version, SCHEMA_VERSION);
	if (version != 0) {
		snprintf(label, sizeof label, "schema-%d", version);
		r = store_backup(store->path, label, time(NULL));
		if (r < 0)
			return r;
	}
	r = migrate(store, version);
	if (!r && version != 0)
		log_info("the database was brought from schema %d to %d; a backup of the old one is in the folder \"backup\"", version,
			 SCHEMA_VERSION);
	return r;
}
