/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking after a store: what its segments hold, and whether all of it is still what was written.
 */
#include "base/err.h"
#include "event/event.h"
#include "state/store_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t store_segments(struct store *s, struct segment_info *ret, uint32_t max)
{
	struct segment *g = NULL, *next;
	uint32_t n = 0;

	/* Lets a reader notice new ones. */
	if (segment_last(s, &g, NULL) == TW_OK)
		segment_unref(s, g);
	if (segment_find(s, LOG_TAPE, 0, &g, NULL) != TW_OK)
		return 0;
	while (n < max) {
		struct segment_head h;

		if (segment_head_now(s, g, &h, NULL) == TW_OK) {
			struct segment_info *i = &ret[n++];

			memset(i, 0, sizeof *i);
			i->number = h.number;
			snprintf(i->path, sizeof i->path, "%s", g->file.path);
			i->first = h.first;
			i->last = h.last;
			i->events = h.events;
			i->bytes = h.bytes;
			i->dead = h.dead_last + 1 - h.dead_first;
			i->from = h.events ? h.min_ts : 0;
			i->to = h.events ? h.max_ts : 0;
			i->schema = h.schema;
		}
		if (segment_after(s, g, &next, NULL) != TW_OK)
			break;
		segment_unref(s, g);
		g = next;
	}
	segment_unref(s, g);
	return n;
}

static int32_t wrong(const struct file *f, const char *what, uint64_t found, uint64_t expected, struct tw_err *err)
{
	return err_set(err, STORE_E_DAMAGED,
		       "%s: %s: found %" PRIu64 ", expected %" PRIu64 ": the file was changed or the disk is failing; "
		       "restore a copy",
		       f->name, what, found, expected);
}

struct tally {
	uint64_t next; /* number that the next block must have */
	uint64_t records, blocks, bytes;
	bool whole; /* to the first block of the log, not only the last ones */
};

static int32_t check_records(const struct file *f, const struct block_head *h, const unsigned char *bytes,
			     struct tw_err *err)
{
	struct block b = { h->first, h->count, bytes, h->len };
	struct dead_letter dead;
	const unsigned char *event;
	uint64_t n = 0;
	uint16_t source;
	size_t at = 0, len;

	for (;;) {
		if (h->kind == LOG_DEAD   ? !dead_record(&b, &at, &dead)
		    : h->kind == LOG_TAPE ? !tape_record(&b, &at, &source, &event, &len)
					  : !alert_record(&b, &at, &event, &len))
			break;
		if (h->kind == LOG_TAPE && event_seq(event) != h->first + n)
			return wrong(f, "the number of an event", event_seq(event), h->first + n, err);
		n++;
	}
	if (at != h->len || n != h->count)
		return wrong(f, "records of a block", n, h->count, err);
	return TW_OK;
}

/* Every block of a log in one file, or the last one only. */
static int32_t check_log(const struct file *f, MDB_txn *txn, int db, enum log_kind kind, struct tally *t,
			 struct tw_err *err)
{
	MDB_cursor *cur = NULL;
	MDB_val key, val;
	int rc = mdb_cursor_open(txn, f->db[db], &cur);
	int32_t ret = TW_OK;

	if (rc)
		return file_fail(f, rc, 0, "reading", err);
	rc = mdb_cursor_get(cur, &key, &val, t->whole ? MDB_FIRST : MDB_LAST);
	while (rc == 0 && ret == TW_OK) {
		const unsigned char *bytes = (const unsigned char *)val.mv_data + sizeof(struct block_head);
		struct block_head h;

		ret = block_look(f, &key, &val, kind, &h, err);
		if (ret == TW_OK && t->whole && h.first != t->next)
			ret = wrong(f, "the number of a block", h.first, t->next, err);
		if (ret == TW_OK)
			ret = block_check(f, &h, bytes, err);
		if (ret == TW_OK)
			ret = check_records(f, &h, bytes, err);
		if (ret == TW_OK) {
			t->next = h.first + h.count;
			t->records += h.count;
			t->bytes += h.len;
			t->blocks++;
			rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT);
		}
	}
	mdb_cursor_close(cur);
	if (ret == TW_OK && rc != MDB_NOTFOUND)
		return file_fail(f, rc, 0, "reading", err);
	return ret;
}

static int32_t check_segment(struct child *c, const struct file *f, bool whole, struct segment_head *h,
			     struct tw_err *err)
{
	struct tally events = { .whole = whole }, dead = { .whole = whole };
	MDB_txn *txn = NULL;
	int32_t ret;
	int rc = mdb_txn_begin(f->env, NULL, MDB_RDONLY, &txn);

	if (rc)
		return file_fail(f, rc, 0, "reading", err);
	ret = segment_head_read(f, txn, h, err);
	if (ret != TW_OK)
		goto out;
	events.next = h->first;
	dead.next = h->dead_first;
	ret = check_log(f, txn, DB_EVENTS, LOG_TAPE, &events, err);
	if (ret == TW_OK)
		ret = check_log(f, txn, DB_DEAD, LOG_DEAD, &dead, err);
	if (ret == TW_OK)
		ret = sealed_each(f, txn, DB_SOURCES, h->n_sources, h->sources_sum, NULL, NULL, err);
	if (ret == TW_OK)
		ret = sealed_each(f, txn, DB_POSITIONS, h->n_positions, h->positions_sum, NULL, NULL, err);
	if (ret != TW_OK)
		goto out;
	if (!h->unrecorded && events.next != h->last + 1)
		ret = wrong(f, "its last event", events.next - 1, h->last, err);
	else if (dead.next != h->dead_last + 1)
		ret = wrong(f, "its last dead letter", dead.next - 1, h->dead_last, err);
	else if (whole && (events.records != h->events || events.blocks != h->blocks))
		ret = wrong(f, "events", events.records, h->events, err);
	else if (whole && events.bytes + dead.bytes != h->bytes)
		ret = wrong(f, "bytes", events.bytes + dead.bytes, h->bytes, err);
	else if (whole)
		child_say(c,
			  "%s: %" PRIu64 " events in %" PRIu64 " blocks, %" PRIu64 " dead letters, %" PRIu64
			  " bytes: good\n",
			  f->name, events.records, events.blocks, dead.records, h->bytes);
out:
	mdb_txn_abort(txn);
	return ret;
}

static int32_t check_state(struct child *c, const struct file *f, bool whole, struct tw_err *err)
{
	struct tally alerts = { .whole = whole, .next = 1 };
	struct state_head h;
	MDB_txn *txn = NULL;
	uint64_t first;
	int32_t ret;
	int rc = mdb_txn_begin(f->env, NULL, MDB_RDONLY, &txn);

	if (rc)
		return file_fail(f, rc, 0, "reading", err);
	ret = state_head_read(f, txn, &h, err);
	if (ret == TW_OK)
		ret = alerts_first(f, txn, &alerts.next, err);
	first = alerts.next;
	if (ret == TW_OK)
		ret = check_log(f, txn, DB_ALERTS, LOG_ALERTS, &alerts, err);
	if (ret == TW_OK)
		ret = sealed_each(f, txn, DB_CURSORS, h.n_cursors, h.cursors_sum, NULL, NULL, err);
	if (ret == TW_OK && whole)
		ret = sealed_each(f, txn, DB_VALUES, h.n_values, h.values_sum, NULL, NULL, err);
	if (ret == TW_OK && alerts.next != h.last_alert + 1)
		ret = wrong(f, "the last record of the alert log", alerts.next - 1, h.last_alert, err);
	if (ret == TW_OK && whole)
		child_say(c, "%s: %" PRIu64 " records in the alert log, %" PRIu64 " checkpoint values: good\n", f->name,
			  h.last_alert + 1 - first, h.n_values);
	mdb_txn_abort(txn);
	return ret;
}

struct job {
	const char *dir;
	bool whole;
};

static int32_t check_all(struct child *c, void *arg, struct tw_err *err)
{
	const struct job *job = arg;
	struct segment_head h = { 0 }, now;
	struct segment *g = NULL, *next = NULL;
	struct store *s = NULL;
	uint64_t last = 0, dead_last = 0, complete;
	uint32_t number = 0;
	int32_t rc;

	child_at(c, job->dir);
	rc = store_open_as(&s, job->dir, STORE_READ, NULL, true, err);
	if (rc != TW_OK)
		return rc;
	if (s->state.env) {
		child_at(c, s->state.name);
		rc = job->whole ? file_walk(&s->state, err) : TW_OK;
		if (rc == TW_OK)
			rc = check_state(c, &s->state, job->whole, err);
	}
	if (rc == TW_OK)
		rc = job->whole ? segment_find(s, LOG_TAPE, 0, &g, err) : segment_last(s, &g, err);
	for (bool first = true; rc == TW_OK; first = false) {
		child_at(c, g->file.name);
		rc = job->whole ? file_walk(&g->file, err) : TW_OK;
		if (rc == TW_OK)
			rc = check_segment(c, &g->file, job->whole, &h, err);
		first |= h.number != number + 1; /* those between were given up by retention meanwhile */
		if (rc == TW_OK && !first && h.first != last + 1)
			rc = wrong(&g->file, "its first event", h.first, last + 1, err);
		if (rc == TW_OK && !first && h.dead_first != dead_last + 1)
			rc = wrong(&g->file, "its first dead letter", h.dead_first, dead_last + 1, err);
		if (rc == TW_OK)
			rc = segment_after(s, g, &next, err);
		/* A live writer may have added to it before it went on to the next one: then once more. */
		if (rc == TW_OK)
			rc = segment_head_now(s, g, &now, err);
		if (rc == TW_OK && (now.last != h.last || now.dead_last != h.dead_last)) {
			segment_unref(s, next);
			rc = check_segment(c, &g->file, job->whole, &h, err);
			if (rc == TW_OK)
				rc = segment_after(s, g, &next, err);
		}
		number = h.number;
		last = h.last;
		dead_last = h.dead_last;
		segment_unref(s, g);
		g = next;
	}
	if (rc == TW_AGAIN) {
		/* In this order: what the alert log is complete through is on the tape by then. */
		complete = store_complete(s);
		last = store_last_seq(s);
		rc = s->state.env && complete > last
			     ? wrong(&s->state, "alerts are complete through an event beyond the tape's end", complete,
				     last, err)
			     : TW_OK;
	}
	store_close(s);
	return rc;
}

int32_t store_verify(const char *dir, struct buf *ret_report, struct tw_err *err)
{
	struct job job = { dir, true };

	return child_run(check_all, &job, ret_report, err);
}

int32_t store_check_quick(const char *dir, struct tw_err *err)
{
	struct job job = { dir, false };

	return child_run(check_all, &job, NULL, err);
}
