/* SPDX-License-Identifier: Apache-2.0
 *
 * Committing to the alert log, with the sequence number it is complete through and the cursors of the sinks.
 */
#include "base/crash.h"
#include "base/err.h"
#include "event/event.h"
#include "state/store_impl.h"
#include <string.h>

static int32_t span_of(const struct block *b, int64_t *min_ts, int64_t *max_ts, struct tw_err *err)
{
	const unsigned char *event;
	uint32_t count = 0;
	size_t at = 0, len;

	while (alert_record(b, &at, &event, &len)) {
		int64_t ts = event_ts(event);

		*min_ts = ts < *min_ts ? ts : *min_ts;
		*max_ts = ts > *max_ts ? ts : *max_ts;
		count++;
	}
	if (at != b->len || count != b->count)
		return err_set(err, TW_E_FATAL,
			       "a block of alerts has %u records in %zu of %zu bytes, %u were announced", count, at,
			       b->len, b->count);
	return TW_OK;
}

static int32_t check(const struct store *s, const struct alert_commit *c, uint64_t *last, uint64_t *bytes,
		     struct tw_err *err)
{
	uint64_t next = s->state_head.last_alert + 1;

	if (s->mode != STORE_WRITE)
		return err_set(err, TW_E_FATAL, "%s was opened for reading", s->dir);
	*bytes = 0;
	for (uint32_t i = 0; i < c->n_blocks; i++) {
		const struct block *b = &c->blocks[i];

		if (b->first != next || !b->count || b->len > BLOCK_MAX)
			return err_set(err, TW_E_FATAL,
				       "a block of %u alerts from number %" PRIu64
				       " (%zu bytes) cannot follow %" PRIu64,
				       b->count, b->first, b->len, next - 1);
		next += b->count;
		*bytes += b->len;
	}
	*last = next - 1;
	if (c->complete > s->head.last)
		return err_set(err, TW_E_FATAL,
			       "alerts cannot be complete through event %" PRIu64 ": the tape ends at %" PRIu64,
			       c->complete, s->head.last);
	for (uint32_t i = 0; i < c->n_cursors; i++) {
		const struct cursor *k = &c->cursors[i];

		if (!k->sink[0] || strlen(k->sink) > MAX_NAME || k->record > *last)
			return err_set(err, TW_E_FATAL,
				       "sink '%.40s' cannot have delivered through record %" PRIu64
				       ": the alert log ends at %" PRIu64,
				       k->sink, k->record, *last);
	}
	return TW_OK;
}

int32_t store_commit_alerts(struct store *s, const struct alert_commit *c, struct tw_err *err)
{
	struct state_head h = s->state_head;
	const struct file *f = &s->state;
	uint64_t last = 0, bytes = 0;
	MDB_txn *txn = NULL;
	int32_t bad = check(s, c, &last, &bytes, err);
	int rc;

	if (bad != TW_OK)
		return bad;
	h.last_alert = last;
	if (c->complete > h.complete)
		h.complete = c->complete;
	if (!c->n_blocks && !c->n_cursors && h.complete == s->state_head.complete)
		return store_sync_due(s, err);
	rc = mdb_txn_begin(f->env, NULL, 0, &txn);
	for (uint32_t i = 0; i < c->n_cursors && rc == 0; i++)
		rc = sealed_put(txn, f->db[DB_CURSORS], c->cursors[i].sink, strlen(c->cursors[i].sink),
				&c->cursors[i].record, sizeof(uint64_t), &h.n_cursors, &h.cursors_sum);
	for (uint32_t i = 0; i < c->n_blocks && rc == 0 && bad == TW_OK; i++) {
		int64_t min_ts = INT64_MAX, max_ts = INT64_MIN;

		bad = span_of(&c->blocks[i], &min_ts, &max_ts, err);
		if (bad == TW_OK)
			rc = block_put(txn, f->db[DB_ALERTS], LOG_ALERTS, &c->blocks[i], min_ts, max_ts);
	}
	if (rc == 0 && bad == TW_OK)
		rc = state_head_put(f, txn, &h);
	if (rc == 0 && bad == TW_OK) {
		CRASH_POINT("alerts.before_commit");
		rc = mdb_txn_commit(txn);
		txn = NULL;
		CRASH_POINT("alerts.after_commit");
	}
	if (txn)
		mdb_txn_abort(txn);
	if (rc)
		return file_fail(f, rc, bytes, "writing alerts", err);
	if (bad != TW_OK)
		return bad;
	s->state_head = h;
	atomic_store(&s->last_alert, h.last_alert);
	atomic_store(&s->complete, h.complete);
	return store_sync_due(s, err);
}

int32_t store_cursor(struct store *s, const char *sink, uint64_t *ret, struct tw_err *err)
{
	MDB_txn *txn = NULL;
	const void *data;
	size_t len;
	int32_t rc;

	if (!s->state.env)
		return TW_AGAIN;
	rc = file_read(s, &s->state, &txn, err);
	if (rc != TW_OK)
		return rc;
	rc = sealed_get(&s->state, txn, DB_CURSORS, sink, strlen(sink), &data, &len, err);
	if (rc == TW_OK && len != sizeof *ret)
		rc = err_set(err, STORE_E_DAMAGED, "%s: the cursor of sink %s is not a number", s->state.name, sink);
	if (rc == TW_OK)
		memcpy(ret, data, sizeof *ret);
	file_unread_end(s, txn);
	return rc;
}

struct cursor_walk {
	int32_t (*each)(void *arg, const struct cursor *, struct tw_err *);
	void *arg;
	const struct file *file;
};

static int32_t give_cursor(void *arg, const void *key, size_t klen, const void *data, size_t len, struct tw_err *err)
{
	const struct cursor_walk *w = arg;
	char name[MAX_NAME + 1];
	struct cursor c = { .sink = name };

	if (klen > MAX_NAME || len != sizeof c.record)
		return err_set(err, STORE_E_DAMAGED, "%s: the cursor of a sink is not a number", w->file->name);
	memcpy(name, key, klen);
	name[klen] = '\0';
	memcpy(&c.record, data, sizeof c.record);
	return w->each(w->arg, &c, err);
}

int32_t store_cursors(struct store *s, int32_t (*each)(void *arg, const struct cursor *, struct tw_err *), void *arg,
		      struct tw_err *err)
{
	struct cursor_walk w = { each, arg, &s->state };
	struct state_head h;
	MDB_txn *txn = NULL;
	int32_t rc;

	if (!s->state.env)
		return TW_OK;
	rc = file_read(s, &s->state, &txn, err);
	if (rc != TW_OK)
		return rc;
	rc = state_head_read(&s->state, txn, &h, err);
	if (rc == TW_OK)
		rc = sealed_each(&s->state, txn, DB_CURSORS, h.n_cursors, h.cursors_sum, give_cursor, &w, err);
	file_unread_end(s, txn);
	return rc;
}

int32_t store_move_cursor(struct store *s, const char *sink, const char *to, struct tw_err *err)
{
	struct state_head h = s->state_head;
	const struct file *f = &s->state;
	MDB_txn *txn = NULL;
	uint64_t record;
	int32_t ret;
	int rc;

	if (s->mode != STORE_WRITE)
		return err_set(err, TW_E_FATAL, "%s was opened for reading", s->dir);
	if (to && (!to[0] || strlen(to) > MAX_NAME))
		return err_set(err, TW_E_CONFIG, "a sink's name must have 1 to %u bytes", MAX_NAME);
	ret = store_cursor(s, sink, &record, err);
	if (ret != TW_OK)
		return ret;
	rc = mdb_txn_begin(f->env, NULL, 0, &txn);
	if (rc == 0)
		rc = sealed_del(txn, f->db[DB_CURSORS], sink, strlen(sink), &h.n_cursors, &h.cursors_sum);
	if (rc == 0 && to)
		rc = sealed_put(txn, f->db[DB_CURSORS], to, strlen(to), &record, sizeof record, &h.n_cursors,
				&h.cursors_sum);
	if (rc == 0)
		rc = state_head_put(f, txn, &h);
	if (rc == 0) {
		rc = mdb_txn_commit(txn);
		txn = NULL;
	}
	if (txn)
		mdb_txn_abort(txn);
	if (rc)
		return file_fail(f, rc, 0, "writing a cursor", err);
	s->state_head = h;
	return store_sync_due(s, err);
}
