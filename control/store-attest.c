// SPDX-License-Identifier: GPL-2.0-or-later
/* What nodes proved, and by what it is judged, in SQLite. */
#include "control/store-attest.h"

#include <errno.h>

#include "control/attest-record.h"
#include "control/store-sqlite.h"

int store_put_attestation(struct store *store, const char *node, const json_t *state)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT OR REPLACE INTO attestations (node, state) VALUES (?1, ?2)", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, node);
	sql_bind_json(put, 2, state);
	return sql_finish(store, put, "store what a node proved");
}

int store_each_attestation(struct store *store, int (*each)(void *context, const char *node, json_t *state), void *context)
{
	char node[NODE_ID_SIZE + 1];
	sqlite3_stmt *all;
	int step = SQLITE_DONE, r = sql_prepare(store, "SELECT node, state FROM attestations ORDER BY node", &all);

	if (r < 0)
		return r;
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW) {
		json_t *state = sql_json(all, 1);

		if (sql_text(all, 0, node, NODE_ID_SIZE) < 0 || !attest_state_valid(state))
			r = store_damaged(store, "what a node proved makes no sense");
		else
			r = each(context, node, state);
		json_decref(state);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	return r;
}

int store_put_trust(struct store *store, const char *kind, const char *name, const json_t *value)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT OR REPLACE INTO trusted (kind, name, value) VALUES (?1, ?2, ?3)", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, kind);
	sql_bind_text(put, 2, name);
	sql_bind_json(put, 3, value);
	return sql_finish(store, put, "store what is trusted of TPMs");
}

int store_remove_trust(struct store *store, const char *kind, const char *name)
{
	sqlite3_stmt *change;
	int r = sql_prepare(store, "DELETE FROM trusted WHERE kind = ?1 AND name = ?2", &change);

	if (r < 0)
		return r;
	sql_bind_text(change, 1, kind);
	sql_bind_text(change, 2, name);
	r = sql_finish(store, change, "forget what was trusted of TPMs");
	return r < 0 ? r : store->changed ? 0 : -ENOENT;
}

int store_each_trust(struct store *store, int (*each)(void *context, const char *kind, const char *name, json_t *value), void *context)
{
	char kind[16], name[DIGEST_TEXT + 1];
	sqlite3_stmt *all;
	int step = SQLITE_DONE, r = sql_prepare(store, "SELECT kind, name, value FROM trusted ORDER BY kind, name", &all);

	if (r < 0)
		return r;
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW) {
		json_t *value = sql_json(all, 2);

		if (sql_text(all, 0, kind, sizeof kind - 1) < 0 || sql_text(all, 1, name, sizeof name - 1) < 0 || !json_is_object(value))
			r = store_damaged(store, "what is trusted of TPMs makes no sense");
		else
			r = each(context, kind, name, value);
		json_decref(value);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	return r;
}
