// SPDX-License-Identifier: GPL-2.0-or-later
/* Power settings and jobs, in SQLite. */
#include "control/store-power.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/store-sqlite.h"

#define CONFIG_COLUMNS "node, driver, host, port, user, cipher, system, fingerprint, ca, timeout, changed, refused"
#define JOB_COLUMNS "job, node, action, started, ended, state, failed, text"

/* The only row: 0 with it in place, -ENOENT or -EIO with the statement gone. */
static int only_row(struct store *store, sqlite3_stmt *query)
{
	int step = sqlite3_step(query), r;

	if (step == SQLITE_ROW)
		return 0;
	r = step == SQLITE_DONE ? -ENOENT : sql_fail(store, "be read");
	sqlite3_finalize(query);
	return r;
}

int store_put_power(struct store *store, const struct power_config *config, const char *sealed)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT OR REPLACE INTO power (" CONFIG_COLUMNS ", sealed)"
				   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, config->node);
	sql_bind_text(put, 2, power_kind_name(config->kind));
	sql_bind_text(put, 3, config->host);
	sqlite3_bind_int64(put, 4, config->port);
	sql_bind_text(put, 5, config->user);
	sqlite3_bind_int64(put, 6, config->cipher);
	sql_bind_text(put, 7, config->system);
	sql_bind_text(put, 8, config->fingerprint);
	sql_bind_text(put, 9, config->ca ? config->ca : "");
	sqlite3_bind_int64(put, 10, config->timeout);
	sqlite3_bind_int64(put, 11, config->changed);
	sqlite3_bind_int64(put, 12, config->refused);
	sql_bind_text(put, 13, sealed);
	return sql_finish(store, put, "store power settings");
}

static int config_of_row(sqlite3_stmt *row, struct power_config *ret_config, struct buffer *ret_sealed)
{
	struct power_config *config = ret_config;
	const char *ca = (const char *)sqlite3_column_text(row, 8), *sealed = (const char *)sqlite3_column_text(row, 12);
	char kind[16];

	*config = (struct power_config){ .port = (unsigned)sqlite3_column_int(row, 3), .cipher = (unsigned)sqlite3_column_int(row, 5),
					 .timeout = (unsigned)sqlite3_column_int(row, 9), .changed = sqlite3_column_int64(row, 10),
					 .refused = sqlite3_column_int64(row, 11) };
	if (sql_text(row, 0, config->node, NODE_ID_SIZE) < 0 || sql_text(row, 1, kind, sizeof kind - 1) < 0 ||
	    power_kind_parse(kind, &config->kind) < 0 || sql_text(row, 2, config->host, POWER_HOST_MOST) < 0 ||
	    sql_text(row, 4, config->user, POWER_USER_MOST) < 0 || sql_text(row, 6, config->system, POWER_SYSTEM_MOST) < 0 ||
	    sql_text(row, 7, config->fingerprint, POWER_FINGERPRINT) < 0 || !ca || !sealed)
		return -EIO;
	if (buffer_add(ret_sealed, sealed, strlen(sealed)) < 0 || (*ca && !(config->ca = strdup(ca))))
		return -ENOMEM;
	return 0;
}

int store_get_power(struct store *store, const char *node, struct power_config *ret_config, struct buffer *ret_sealed)
{
	sqlite3_stmt *row;
	int r = sql_prepare(store, "SELECT " CONFIG_COLUMNS ", sealed FROM power WHERE node = ?1", &row);

	if (r < 0)
		return r;
	sql_bind_text(row, 1, node);
	r = only_row(store, row);
	if (r < 0)
		return r;
	r = config_of_row(row, ret_config, ret_sealed);
	sqlite3_finalize(row);
	return r < 0 ? store_damaged(store, "a power setting makes no sense") : 0;
}

int store_remove_power(struct store *store, const char *node)
{
	sqlite3_stmt *remove;
	int r = sql_prepare(store, "DELETE FROM power WHERE node = ?1", &remove);

	if (r < 0)
		return r;
	sql_bind_text(remove, 1, node);
	r = sql_finish(store, remove, "forget power settings");
	return r < 0 ? r : store->changed ? 0 : -ENOENT;
}

int store_note_power_refused(struct store *store, const char *node, int64_t when)
{
	sqlite3_stmt *note;
	int r = sql_prepare(store, "UPDATE power SET refused = ?2 WHERE node = ?1", &note);

	if (r < 0)
		return r;
	sql_bind_text(note, 1, node);
	sqlite3_bind_int64(note, 2, when);
	return sql_finish(store, note, "store power settings");
}

static int read_number(struct store *store, const char *sql, uint64_t *ret_number)
{
	sqlite3_stmt *row;
	int r = sql_prepare(store, sql, &row);

	if (!r)
		r = only_row(store, row);
	if (r < 0)
		return r;
	*ret_number = (uint64_t)sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return 0;
}

int store_count_power(struct store *store, uint64_t *ret_count)
{
	return read_number(store, "SELECT COUNT(*) FROM power", ret_count);
}

/* ------------------------------------------------------------------ jobs */

static int prune_jobs(struct store *store, const char *node, unsigned keep)
{
	sqlite3_stmt *prune;
	int r = sql_prepare(store, "DELETE FROM power_jobs WHERE node = ?1 AND job NOT IN"
				   " (SELECT job FROM power_jobs WHERE node = ?1 ORDER BY job DESC LIMIT ?2)", &prune);

	if (r < 0)
		return r;
	sql_bind_text(prune, 1, node);
	sqlite3_bind_int64(prune, 2, keep);
	return sql_finish(store, prune, "forget old power jobs");
}

int store_put_power_job(struct store *store, const struct power_job *job, unsigned keep)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT OR REPLACE INTO power_jobs (" JOB_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", &put);

	if (r < 0)
		return r;
	sqlite3_bind_int64(put, 1, (sqlite3_int64)job->number);
	sql_bind_text(put, 2, job->node);
	sql_bind_text(put, 3, power_action_name(job->action));
	sqlite3_bind_int64(put, 4, job->started);
	sqlite3_bind_int64(put, 5, job->ended);
	sql_bind_text(put, 6, power_state_name(job->state));
	sqlite3_bind_int(put, 7, job->failed);
	sql_bind_text(put, 8, job->text);
	r = sql_finish(store, put, "store a power job");
	return r < 0 ? r : prune_jobs(store, job->node, keep);
}

static int job_of_row(struct store *store, sqlite3_stmt *row, struct power_job *ret_job)
{
	struct power_job *job = ret_job;
	char action[16], state[16];

	*job = (struct power_job){ .number = (uint64_t)sqlite3_column_int64(row, 0), .started = sqlite3_column_int64(row, 3),
				   .ended = sqlite3_column_int64(row, 4), .failed = sqlite3_column_int(row, 6) != 0 };
	if (sql_text(row, 1, job->node, NODE_ID_SIZE) < 0 || sql_text(row, 2, action, sizeof action - 1) < 0 ||
	    power_action_parse(action, &job->action) < 0 || sql_text(row, 5, state, sizeof state - 1) < 0 ||
	    power_state_parse(state, &job->state) < 0 || sql_text(row, 7, job->text, ERROR_TEXT - 1) < 0)
		return store_damaged(store, "a power job makes no sense");
	return 0;
}

static int one_job(struct store *store, sqlite3_stmt *row, struct power_job *ret_job)
{
	int r = only_row(store, row);

	if (r < 0)
		return r;
	r = job_of_row(store, row, ret_job);
	sqlite3_finalize(row);
	return r;
}

int store_get_power_job(struct store *store, uint64_t number, struct power_job *ret_job)
{
	sqlite3_stmt *row;
	int r = sql_prepare(store, "SELECT " JOB_COLUMNS " FROM power_jobs WHERE job = ?1", &row);

	if (r < 0)
		return r;
	sqlite3_bind_int64(row, 1, (sqlite3_int64)number);
	return one_job(store, row, ret_job);
}

int store_last_power_job(struct store *store, const char *node, struct power_job *ret_job)
{
	sqlite3_stmt *row;
	int r = sql_prepare(store, "SELECT " JOB_COLUMNS " FROM power_jobs WHERE node = ?1 ORDER BY job DESC LIMIT 1", &row);

	if (r < 0)
		return r;
	sql_bind_text(row, 1, node);
	return one_job(store, row, ret_job);
}

int store_each_open_power_job(struct store *store, int (*each)(void *context, const struct power_job *job), void *context)
{
	sqlite3_stmt *all;
	int step = SQLITE_ROW, r = sql_prepare(store, "SELECT " JOB_COLUMNS " FROM power_jobs WHERE ended = 0 ORDER BY job", &all);

	if (r < 0)
		return r;
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW) {
		struct power_job job;

		r = job_of_row(store, all, &job);
		if (!r)
			r = each(context, &job);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	return r;
}

int store_newest_power_job(struct store *store, uint64_t *ret_number)
{
	return read_number(store, "SELECT COALESCE(MAX(job), 0) FROM power_jobs", ret_number);
}
