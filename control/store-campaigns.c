// SPDX-License-Identifier: GPL-2.0-or-later
/* Campaigns and exemptions, in SQLite. */
#include "control/store-campaigns.h"

#include <errno.h>

#include "control/store-sqlite.h"

static int prune(struct store *store, const char *sql, unsigned keep)
{
	sqlite3_stmt *forget;
	int r = sql_prepare(store, sql, &forget);

	if (r < 0)
		return r;
	sqlite3_bind_int64(forget, 1, keep);
	return sql_finish(store, forget, "forget what is old");
}

int store_put_campaign(struct store *store, struct campaign *campaign)
{
	json_t *state = campaign_format(campaign);
	sqlite3_stmt *put;
	int r = state ? sql_prepare(store, "INSERT INTO campaigns (id, ended, state) VALUES (?1, ?2, ?3)"
					   " ON CONFLICT (id) DO UPDATE SET ended=?2, state=?3", &put) : -ENOMEM;

	if (!r) {
		if (campaign->id)
			sqlite3_bind_int64(put, 1, (sqlite3_int64)campaign->id);
		sqlite3_bind_int64(put, 2, campaign->ended);
		sql_bind_json(put, 3, state);
		r = sql_finish(store, put, "store a campaign");
	}
	json_decref(state);
	if (r < 0 || campaign->id)
		return r;
	campaign->id = (uint64_t)sqlite3_last_insert_rowid(store->db);
	return prune(store, "DELETE FROM campaigns WHERE id <= (SELECT max(id) FROM campaigns) - ?1", CAMPAIGNS_KEPT);
}

int store_each_campaign(struct store *store, uint64_t id, unsigned most, int (*each)(void *context, struct campaign *campaign), void *context)
{
	int step = SQLITE_ROW;
	sqlite3_stmt *rows;
	int r = sql_prepare(store, "SELECT id, state FROM campaigns WHERE ?1 = 0 OR id = ?1 ORDER BY id DESC LIMIT ?2", &rows);

	if (r < 0)
		return r;
	sqlite3_bind_int64(rows, 1, (sqlite3_int64)id);
	sqlite3_bind_int64(rows, 2, most);
	while (!r && (step = sqlite3_step(rows)) == SQLITE_ROW) {
		json_t *state = sql_json(rows, 1);
		struct campaign campaign = { 0 };

		r = state ? campaign_read(state, &campaign) : -EINVAL;
		json_decref(state);
		campaign.id = (uint64_t)sqlite3_column_int64(rows, 0);
		r = r == -EINVAL ? store_damaged(store, "a campaign makes no sense") : r ? r : each(context, &campaign);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(rows);
	return r;
}

int store_put_exemption(struct store *store, struct exemption *exemption)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT INTO exemptions (id, node, who, reason, since, until, ended) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
				   " ON CONFLICT (id) DO UPDATE SET until=?6, ended=?7", &put);

	if (r < 0)
		return r;
	if (exemption->id)
		sqlite3_bind_int64(put, 1, (sqlite3_int64)exemption->id);
	sql_bind_text(put, 2, exemption->node);
	sql_bind_text(put, 3, exemption->by);
	sql_bind_text(put, 4, exemption->reason);
	sqlite3_bind_int64(put, 5, exemption->since);
	sqlite3_bind_int64(put, 6, exemption->until);
	sqlite3_bind_int64(put, 7, exemption->ended);
	r = sql_finish(store, put, "store an exemption");
	if (r < 0 || exemption->id)
		return r;
	exemption->id = (uint64_t)sqlite3_last_insert_rowid(store->db);
	return prune(store, "DELETE FROM exemptions WHERE ended > 0 AND id <= (SELECT max(id) FROM exemptions) - ?1", EXEMPTIONS_KEPT);
}

static int read_exemption(sqlite3_stmt *row, struct exemption *exemption)
{
	exemption->id = (uint64_t)sqlite3_column_int64(row, 0);
	exemption->since = sqlite3_column_int64(row, 4);
	exemption->until = sqlite3_column_int64(row, 5);
	exemption->ended = sqlite3_column_int64(row, 6);
	if (sql_text(row, 1, exemption->node, sizeof exemption->node - 1) < 0 || sql_text(row, 2, exemption->by, sizeof exemption->by - 1) < 0)
		return -EIO;
	return sql_text(row, 3, exemption->reason, sizeof exemption->reason - 1);
}

int store_each_exemption(struct store *store, bool open, unsigned most, int (*each)(void *context, const struct exemption *exemption),
			 void *context)
{
	int step = SQLITE_ROW;
	sqlite3_stmt *rows;
	int r = sql_prepare(store, "SELECT id, node, who, reason, since, until, ended FROM exemptions WHERE ?1 = 0 OR ended = 0"
				   " ORDER BY id DESC LIMIT ?2", &rows);

	if (r < 0)
		return r;
	sqlite3_bind_int(rows, 1, open);
	sqlite3_bind_int64(rows, 2, most);
	while (!r && (step = sqlite3_step(rows)) == SQLITE_ROW) {
		struct exemption exemption = { 0 };

		r = read_exemption(rows, &exemption);
		r = r < 0 ? store_damaged(store, "an exemption makes no sense") : each(context, &exemption);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(rows);
	return r;
}
