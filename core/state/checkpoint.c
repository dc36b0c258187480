/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints: the detectors' state as of a sequence number, values under (space, key).
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/os.h"
#include "state/store_impl.h"
#include <string.h>

struct value_key { /* big-endian, so that LMDB's order is the order of the numbers */
	uint32_t space, key;
};

static struct value_key key_of(uint32_t space, uint32_t key)
{
	return (struct value_key){ __builtin_bswap32(space), __builtin_bswap32(key) };
}

static int32_t check(const struct store *s, const struct checkpoint *c, struct tw_err *err)
{
	if (s->mode != STORE_WRITE)
		return err_set(err, TW_E_FATAL, "%s was opened for reading", s->dir);
	if (c->seq > s->state_head.complete || c->seq < s->state_head.checkpoint_seq)
		return err_set(err, TW_E_FATAL,
			       "a checkpoint as of event %" PRIu64 " is not possible: the last one is as of %" PRIu64
			       " and the alert log is complete through %" PRIu64,
			       c->seq, s->state_head.checkpoint_seq, s->state_head.complete);
	for (uint64_t i = 0; i < c->n; i++)
		if (c->values[i].data && c->values[i].len > VALUE_MAX)
			return err_set(err, TW_E_FATAL, "a checkpoint value has %u bytes, at most %u fit",
				       c->values[i].len, VALUE_MAX);
	return TW_OK;
}

static int put_values(const struct file *f, MDB_txn *txn, const struct checkpoint *c, struct state_head *h,
		      uint64_t *bytes)
{
	int rc = 0;

	for (uint64_t i = 0; i < c->n && rc == 0; i++) {
		const struct state_value *v = &c->values[i];
		struct value_key key = key_of(v->space, v->key);

		if (v->data)
			rc = sealed_put(txn, f->db[DB_VALUES], &key, sizeof key, v->data, v->len, &h->n_values,
					&h->values_sum);
		else
			rc = sealed_del(txn, f->db[DB_VALUES], &key, sizeof key, &h->n_values, &h->values_sum);
		*bytes += v->len + 64;
	}
	return rc;
}

int32_t store_commit_checkpoint(struct store *s, const struct checkpoint *c, struct tw_err *err)
{
	const char *note = c->note ? c->note : "";
	struct state_head h = s->state_head;
	const struct file *f = &s->state;
	MDB_txn *txn = NULL;
	uint64_t bytes = 0;
	int32_t ret = check(s, c, err);
	int rc;

	if (ret != TW_OK)
		return ret;
	h.has_checkpoint = 1;
	h.checkpoint_seq = c->seq;
	h.checkpoint_wall = os->wall();
	rc = mdb_txn_begin(f->env, NULL, 0, &txn);
	if (rc == 0 && c->whole) {
		rc = mdb_drop(txn, f->db[DB_VALUES], 0);
		h.n_values = h.values_sum = 0;
	}
	if (rc == 0)
		rc = put_values(f, txn, c, &h, &bytes);
	if (rc == 0)
		rc = sealed_put(txn, f->db[DB_META], "note", 4, note, strlen(note), NULL, NULL);
	if (rc == 0)
		rc = state_head_put(f, txn, &h);
	if (rc == 0) {
		CRASH_POINT("checkpoint.before_commit");
		rc = mdb_txn_commit(txn);
		txn = NULL;
		CRASH_POINT("checkpoint.after_commit");
	}
	if (txn)
		mdb_txn_abort(txn);
	if (rc)
		return file_fail(f, rc, bytes, "writing a checkpoint", err);
	s->state_head = h;
	return store_sync_due(s, err);
}

struct reading {
	const struct file *file;
	int32_t (*each)(void *arg, const struct state_value *, struct tw_err *);
	void *arg;
};

static int32_t give(void *arg, const void *key, size_t klen, const void *data, size_t len, struct tw_err *err)
{
	struct reading *r = arg;
	struct state_value v;
	struct value_key k;

	if (klen != sizeof k)
		return err_set(err, STORE_E_DAMAGED, "%s: a checkpoint value has a key of %zu bytes", r->file->name,
			       klen);
	memcpy(&k, key, sizeof k);
	v = (struct state_value){ __builtin_bswap32(k.space), __builtin_bswap32(k.key), data, (uint32_t)len };
	return r->each(r->arg, &v, err);
}

int32_t store_read_checkpoint(struct store *s, uint64_t *ret_seq, struct buf *ret_note,
			      int32_t (*each)(void *arg, const struct state_value *, struct tw_err *), void *arg,
			      struct tw_err *err)
{
	struct reading r = { &s->state, each, arg };
	struct state_head h;
	MDB_txn *txn = NULL;
	const void *note = NULL;
	size_t len = 0;
	int32_t rc;

	if (!s->state.env)
		return TW_AGAIN;
	rc = file_read(s, &s->state, &txn, err);
	if (rc != TW_OK)
		return rc;
	rc = state_head_read(&s->state, txn, &h, err);
	if (rc == TW_OK && !h.has_checkpoint)
		rc = TW_AGAIN;
	if (rc == TW_OK) {
		rc = sealed_get(&s->state, txn, DB_META, "note", 4, &note, &len, err);
		if (rc == TW_AGAIN)
			rc = err_set(err, STORE_E_DAMAGED, "%s: the note of the checkpoint is missing", s->state.name);
	}
	if (rc == TW_OK)
		rc = sealed_each(&s->state, txn, DB_VALUES, h.n_values, h.values_sum, each ? give : NULL, &r, err);
	if (rc == TW_OK && ret_note) {
		/* Terminated, but the NUL is not counted. */
		if (buf_add(ret_note, note, len) < 0 || buf_add(ret_note, "", 1) < 0)
			rc = err_set(err, TW_E_IO, "out of memory");
		else
			ret_note->len--;
	}
	if (rc == TW_OK && ret_seq)
		*ret_seq = h.checkpoint_seq;
	file_unread_end(s, txn);
	return rc;
}

int32_t store_checkpoint_value(struct store *s, uint32_t space, uint32_t key, uint64_t *ret_seq, struct buf *ret,
			       struct tw_err *err)
{
	struct value_key k = key_of(space, key);
	struct state_head h;
	MDB_txn *txn = NULL;
	const void *data;
	size_t len;
	int32_t rc;

	if (!s->state.env)
		return TW_AGAIN;
	rc = file_read(s, &s->state, &txn, err);
	if (rc != TW_OK)
		return rc;
	rc = state_head_read(&s->state, txn, &h, err);
	if (rc == TW_OK && !h.has_checkpoint)
		rc = TW_AGAIN;
	if (rc == TW_OK)
		rc = sealed_get(&s->state, txn, DB_VALUES, &k, sizeof k, &data, &len, err);
	if (rc == TW_OK && buf_add(ret, data, len) < 0)
		rc = err_set(err, TW_E_IO, "out of memory");
	if (rc == TW_OK)
		*ret_seq = h.checkpoint_seq;
	file_unread_end(s, txn);
	return rc;
}
