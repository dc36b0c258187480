/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite: alerts into a table of a SQLite file.
 *
 * The host delivers at least once: after a crash it offers again what was not confirmed. The id of an alert is the same
 * every time, so it is the primary key, and an alert that is there already is left alone. Nothing is lost either,
 * because flush() says yes only after COMMIT has reached the disk.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <tapewatch/plugin.h>

struct sqlite {
	const char *path; /* option */
	sqlite3 *db;
	sqlite3_stmt *insert;
};

static const struct tw_option options[] = {
	TW_STRING(struct sqlite, path, TW_REQUIRED, "the file; made when it is not there, with the table `alerts`"),
	TW_END,
};

static const char schema[] =
	"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	"CREATE TABLE IF NOT EXISTS alerts (id TEXT PRIMARY KEY, ts INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" detector TEXT NOT NULL, symbol TEXT, account TEXT, type TEXT NOT NULL, severity INTEGER NOT NULL,"
	" score REAL, value REAL, expected REAL, threshold REAL, reason TEXT NOT NULL) WITHOUT ROWID;";
static const char insert[] = "INSERT OR IGNORE INTO alerts VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)";

/* Which of the host's answers fits: wait, try again with a new connection, or give up on this record. */
static int32_t fail(const struct sqlite *s, int rc, const char *doing, struct tw_err *e)
{
	snprintf(e->msg, sizeof e->msg, "%s: %s: %s", s->path, doing,
		 s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return TW_AGAIN; /* another program is writing */
	case SQLITE_TOOBIG:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return e->code = TW_E_DATA;
	case SQLITE_CANTOPEN:
	case SQLITE_NOTADB:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return e->code = TW_E_CONFIG;
	default:
		return e->code = TW_E_IO;
	}
}

static void sink_close(void *self)
{
	struct sqlite *s = self;

	sqlite3_finalize(s->insert);
	sqlite3_close(s->db); /* what is not committed is undone */
	s->insert = NULL;
	s->db = NULL;
}

static int32_t sink_open(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct sqlite *s = self;
	int32_t result;
	int rc = sqlite3_open(s->path, &s->db);

	(void)host;
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, schema, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(s->db, insert, -1, &s->insert, NULL);
	if (rc == SQLITE_OK)
		return TW_OK;
	result = fail(s, rc, "cannot be opened", e);
	sink_close(s);
	if (result == TW_AGAIN) /* not an answer to open() */
		result = e->code = TW_E_IO;
	return result;
}

static void bind_text(sqlite3_stmt *st, int i, struct tw_str s)
{
	sqlite3_bind_text(st, i, s.s, (int)s.len, SQLITE_STATIC); /* NULL when absent */
}

static int32_t sink_write(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			  struct tw_err *e)
{
	struct sqlite *s = self;

	*done = 0;
	if (sqlite3_get_autocommit(s->db)) {
		int rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
		if (rc != SQLITE_OK)
			return fail(s, rc, "no transaction", e);
	}
	for (; *done < n; ++*done) {
		const struct tw_event *ev = records[*done];
		const struct tw_alert *a = &ev->alert;
		int rc;
		if (ev->kind != TW_ALERT)
			continue;
		bind_text(s->insert, 1, a->id);
		sqlite3_bind_int64(s->insert, 2, ev->ts);
		sqlite3_bind_int64(s->insert, 3, (sqlite3_int64)ev->seq);
		bind_text(s->insert, 4, a->detector);
		bind_text(s->insert, 5, a->symbol);
		bind_text(s->insert, 6, a->account);
		bind_text(s->insert, 7, a->type);
		sqlite3_bind_int(s->insert, 8, (int)a->severity);
		sqlite3_bind_double(s->insert, 9, a->score); /* NaN becomes NULL */
		sqlite3_bind_double(s->insert, 10, a->value);
		sqlite3_bind_double(s->insert, 11, a->expected);
		sqlite3_bind_double(s->insert, 12, a->threshold);
		bind_text(s->insert, 13, a->reason);
		rc = sqlite3_step(s->insert);
		sqlite3_reset(s->insert);
		if (rc != SQLITE_DONE)
			return fail(s, rc, "an alert could not be written", e);
	}
	return TW_OK;
}

static int32_t sink_flush(void *self, struct tw_err *e)
{
	struct sqlite *s = self;
	int rc;

	if (sqlite3_get_autocommit(s->db))
		return TW_OK;
	rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	return rc == SQLITE_OK ? TW_OK : fail(s, rc, "COMMIT", e);
}

TW_SINK(.name = "sqlite", .version = "1.0.0", .summary = "alerts into a table of a SQLite file", .options = options,
	.self_size = sizeof(struct sqlite), .open = sink_open, .write = sink_write, .flush = sink_flush,
	.close = sink_close)
