/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention of the alert log: its oldest blocks go in one transaction, with the number of the first record that is
 * kept.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/os.h"
#include "state/store_impl.h"
#include <string.h>

#define MAX_BLOCKS    4096u                      /* in one transaction */
#define MAX_SLACK     (60 * INT64_C(1000000000)) /* blocks get older than they need to by so much at most, see below */
#define FIRST_KEY     "alerts" /* in the state's meta table: number of the first record that is kept */
#define FIRST_KEY_LEN 6

int32_t alerts_first(const struct file *f, MDB_txn *txn, uint64_t *ret, struct tw_err *err)
{
	const void *data;
	size_t len;
	int32_t rc = sealed_get(f, txn, DB_META, FIRST_KEY, FIRST_KEY_LEN, &data, &len, err);

	if (rc == TW_AGAIN) {
		*ret = 1;
		return TW_OK;
	}
	if (rc == TW_OK && len != sizeof *ret)
		rc = err_set(err, STORE_E_DAMAGED, "%s: the number of its first record is not one; restore a copy",
			     f->name);
	if (rc == TW_OK)
		memcpy(ret, data, sizeof *ret);
	return rc;
}

uint64_t store_first_alert(struct store *s)
{
	MDB_txn *txn = NULL;
	uint64_t first = 1;

	if (s->state.env && file_read(s, &s->state, &txn, NULL) == TW_OK) {
		if (alerts_first(&s->state, txn, &first, NULL) != TW_OK)
			first = 1;
		file_unread_end(s, txn);
	}
	return first;
}

static bool too_old(const struct block_head *h, int64_t now, int64_t age)
{
	int64_t written = h->wall ? (int64_t)h->wall * 1000000000 : h->max_ts, old;

	return !__builtin_sub_overflow(now, written, &old) && old > age;
}

/* Is the oldest block due? A little later than it could be, so that many go in one transaction. */
static int32_t alerts_due(struct store *s, const struct retention *r, int64_t now, struct block_head *oldest, bool *due,
			  struct tw_err *err)
{
	int64_t slack = r->alert_age / 16 < MAX_SLACK ? r->alert_age / 16 : MAX_SLACK;
	MDB_txn *txn = NULL;
	MDB_cursor *cur = NULL;
	MDB_val key, val;
	int32_t ret = file_read(s, &s->state, &txn, err);
	int rc;

	*due = false;
	if (ret != TW_OK)
		return ret;
	rc = mdb_cursor_open(txn, s->state.db[DB_ALERTS], &cur);
	if (rc == 0)
		rc = mdb_cursor_get(cur, &key, &val, MDB_FIRST);
	if (rc == 0) {
		ret = block_look(&s->state, &key, &val, LOG_ALERTS, oldest, err);
		*due = ret == TW_OK && too_old(oldest, now, r->alert_age + slack);
	} else if (rc != MDB_NOTFOUND) {
		ret = file_fail(&s->state, rc, 0, "reading", err);
	}
	if (cur)
		mdb_cursor_close(cur);
	file_unread_end(s, txn);
	return ret;
}

static int32_t drop_blocks(struct store *s, MDB_txn *txn, const struct retention *r, uint64_t passed, int64_t now,
			   uint64_t *first, struct tw_err *err)
{
	const struct file *f = &s->state;
	MDB_cursor *cur = NULL;
	MDB_val key, val;
	int rc = mdb_cursor_open(txn, f->db[DB_ALERTS], &cur);
	int32_t ret = TW_OK;

	if (rc == 0)
		rc = mdb_cursor_get(cur, &key, &val, MDB_FIRST);
	for (uint32_t n = 0; rc == 0 && n < MAX_BLOCKS; n++) {
		struct block_head h;

		ret = block_look(f, &key, &val, LOG_ALERTS, &h, err);
		if (ret != TW_OK || h.first + h.count - 1 > passed || !too_old(&h, now, r->alert_age))
			break;
		*first = h.first + h.count;
		rc = mdb_cursor_del(cur, 0);
		if (rc == 0)
			rc = mdb_cursor_get(cur, &key, &val, MDB_FIRST);
	}
	if (cur)
		mdb_cursor_close(cur);
	if (ret == TW_OK && rc && rc != MDB_NOTFOUND)
		ret = file_fail(f, rc, 0, "dropping old alerts", err);
	return ret;
}

static int32_t give_up_alerts(struct store *s, const struct retention *r, uint64_t passed, int64_t now,
			      struct tw_err *err)
{
	struct state_head h = s->state_head;
	const struct file *f = &s->state;
	MDB_txn *txn = NULL;
	uint64_t first = 0;
	int rc = mdb_txn_begin(f->env, NULL, 0, &txn);
	int32_t ret = rc ? file_fail(f, rc, 0, "dropping old alerts", err) : TW_OK;

	if (ret == TW_OK)
		ret = drop_blocks(s, txn, r, passed, now, &first, err);
	if (ret == TW_OK && first) {
		rc = sealed_put(txn, f->db[DB_META], FIRST_KEY, FIRST_KEY_LEN, &first, sizeof first, NULL, NULL);
		if (rc == 0)
			rc = state_head_put(f, txn, &h);
		if (rc == 0) {
			CRASH_POINT("retain.alerts_before_commit");
			rc = mdb_txn_commit(txn);
			txn = NULL;
			CRASH_POINT("retain.alerts_after_commit");
		}
		ret = rc ? file_fail(f, rc, 0, "dropping old alerts", err) : TW_AGAIN;
	}
	if (txn)
		mdb_txn_abort(txn);
	if (ret == TW_AGAIN)
		s->state_head = h;
	return ret;
}

int32_t retain_alerts(struct store *s, const struct retention *r, uint64_t passed, bool *held, struct tw_err *err)
{
	int64_t now = os->wall();
	struct block_head oldest = { 0 };
	bool due = false;
	int32_t rc = alerts_due(s, r, now, &oldest, &due, err);

	if (rc != TW_OK || !due)
		return rc;
	if (oldest.first + oldest.count - 1 > passed) {
		*held = true;
		return TW_OK;
	}
	return give_up_alerts(s, r, passed, now, err);
}
