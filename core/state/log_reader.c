/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a log block by block. Each call is one short read transaction: a reader that waits must not keep the writer
 * from using old pages again. What a reader has seen is contiguous, or the gap is an error; an end is an end only if
 * the file says so too.
 */
#include "base/err.h"
#include "state/store_impl.h"
#include <stdlib.h>
#include <string.h>

struct log_reader {
	struct store *store;
	enum log_kind kind;
	uint64_t next;       /* first record wanted */
	bool begun;          /* some record was read: from here on a gap is an error */
	struct segment *seg; /* referenced; NULL: the alert log, or no segment yet */
	const struct file *file;
	MDB_txn *txn; /* reset between calls */
	MDB_cursor *cur;
	struct buf copy;
};

static const int db_of[] = { DB_EVENTS, DB_ALERTS, DB_DEAD };

int32_t log_reader_open(struct log_reader **ret, struct store *s, enum log_kind kind, uint64_t from, struct tw_err *err)
{
	struct log_reader *r = calloc(1, sizeof *r);

	if (!r)
		return err_set(err, TW_E_IO, "out of memory");
	r->store = s;
	r->kind = kind;
	r->next = from ? from : 1;
	if (kind == LOG_ALERTS && s->state.env)
		r->file = &s->state;
	*ret = r;
	return TW_OK;
}

static void leave(struct log_reader *r)
{
	if (r->cur)
		mdb_cursor_close(r->cur);
	if (r->txn)
		mdb_txn_abort(r->txn);
	r->cur = NULL;
	r->txn = NULL;
	if (r->seg) {
		segment_unref(r->store, r->seg);
		r->seg = NULL;
		r->file = NULL;
	}
}

void log_reader_close(struct log_reader *r)
{
	if (!r)
		return;
	leave(r);
	buf_free(&r->copy);
	free(r);
}

static void enter(struct log_reader *r, struct segment *g)
{
	leave(r);
	r->seg = g;
	r->file = &g->file;
}

/* The last record of the log in this file, as of the transaction. */
static int32_t last_of(struct log_reader *r, uint64_t *last, uint64_t *unrecorded_to, struct tw_err *err)
{
	struct segment_head g;
	struct state_head h;
	int32_t rc;

	*unrecorded_to = 0;
	if (r->kind == LOG_ALERTS) {
		rc = state_head_read(r->file, r->txn, &h, err);
		*last = rc == TW_OK ? h.last_alert : 0;
		return rc;
	}
	rc = segment_head_read(r->file, r->txn, &g, err);
	if (rc != TW_OK)
		return rc;
	*last = r->kind == LOG_TAPE ? g.last : g.dead_last;
	if (r->kind == LOG_TAPE && g.unrecorded)
		*unrecorded_to = g.last;
	return rc;
}

static int32_t missing(const struct log_reader *r, uint64_t n, struct tw_err *err)
{
	return err_set(err, STORE_E_DAMAGED,
		       "%s: record %" PRIu64
		       " is missing: the file was changed or the disk is failing; restore a copy or "
		       "run `tapewatch tape verify`",
		       r->file->name, n);
}

/* Retention may have given up the beginning: then begin with what is there. What went after that is an error, for a
 * silent gap in the middle would give wrong answers. */
static int32_t skip_given_up(struct log_reader *r, struct tw_err *err)
{
	uint64_t first;
	int32_t rc;

	if (r->kind != LOG_ALERTS)
		return TW_OK;
	rc = alerts_first(r->file, r->txn, &first, err);
	if (rc != TW_OK || first <= r->next)
		return rc;
	if (r->begun)
		return err_set(err, TW_E_IO,
			       "%s: retention has dropped the records %" PRIu64 " to %" PRIu64
			       " while they were to be read; read again, the log begins with what is there",
			       r->file->name, r->next, first - 1);
	r->next = first;
	return TW_OK;
}

static int32_t take(struct log_reader *r, const MDB_val *key, const MDB_val *val, struct block *ret, struct tw_err *err)
{
	struct block_head h;
	int32_t rc = block_look(r->file, key, val, r->kind, &h, err);

	if (rc != TW_OK)
		return rc;
	if (h.first > r->next)
		rc = skip_given_up(r, err);
	if (rc == TW_OK && h.first > r->next)
		rc = missing(r, r->next, err);
	if (rc != TW_OK)
		return rc;
	r->copy.len = 0;
	if (!buf_reserve(&r->copy, h.len + 1))
		return err_set(err, TW_E_IO, "out of memory for a block of %" PRIu64 " bytes", h.len);
	/* Copy first, check the copy: it is in the cache then, and nobody changes it any more. */
	memcpy(r->copy.data, (const unsigned char *)val->mv_data + sizeof h, h.len);
	rc = block_check(r->file, &h, r->copy.data, err);
	if (rc != TW_OK)
		return rc;
	*ret = (struct block){ h.first, h.count, r->copy.data, h.len };
	r->next = h.first + h.count;
	r->begun = true;
	return TW_OK;
}

/* One look into the current file. */
static int32_t look(struct log_reader *r, struct block *ret, struct tw_err *err)
{
	MDB_val key, val;
	uint64_t last, unrecorded_to;
	int32_t rc = file_read(r->store, r->file, &r->txn, err);
	int lmdb;

	if (rc != TW_OK)
		return rc;
	lmdb = r->cur ? mdb_cursor_renew(r->txn, r->cur)
		      : mdb_cursor_open(r->txn, r->file->db[db_of[r->kind]], &r->cur);
	if (lmdb) {
		rc = file_fail(r->file, lmdb, 0, "reading", err);
		goto out;
	}
	rc = block_find(r->file, r->cur, r->next, r->kind, &key, &val, err);
	if (rc == TW_OK) {
		rc = take(r, &key, &val, ret, err);
	} else if (rc == TW_AGAIN) {
		int32_t head = last_of(r, &last, &unrecorded_to, err);

		if (head == TW_OK)
			head = skip_given_up(r, err);
		if (head != TW_OK)
			rc = head;
		else if (unrecorded_to && r->next <= unrecorded_to)
			r->next = unrecorded_to + 1;
		else if (r->next <= last)
			rc = missing(r, r->next, err);
	}
out:
	file_unread(r->store, r->txn);
	return rc;
}

int32_t log_reader_next(struct log_reader *r, struct block *ret, struct tw_err *err)
{
	struct segment *next = NULL;
	bool looked_again = false;
	int32_t rc;

	if (r->kind == LOG_ALERTS)
		return r->file ? look(r, ret, err) : TW_AGAIN;
	if (!r->seg) {
		rc = segment_find(r->store, r->kind, r->next, &next, err);
		if (rc != TW_OK)
			return rc;
		/* Older segments may have been given up: begin with what is there. */
		if (next->first[r->kind] > r->next)
			r->next = next->first[r->kind];
		enter(r, next);
	}
	for (;;) {
		rc = look(r, ret, err);
		if (rc != TW_AGAIN)
			return rc;
		rc = segment_after(r->store, r->seg, &next, err);
		if (rc != TW_OK)
			return rc;
		if (next->number != r->seg->number + 1) {
			segment_unref(r->store, next);
			return err_set(
				err, TW_E_IO,
				"%s: retention has given up the segments behind it while it was read; read again, "
				"the tape begins with what is there",
				r->file->name);
		}
		if (next->first[r->kind] <= r->next) {
			enter(r, next);
			looked_again = false;
			continue;
		}
		/* More came in between our look and the roll; after that the segment does not change. */
		segment_unref(r->store, next);
		if (looked_again)
			return missing(r, r->next, err);
		looked_again = true;
	}
}
