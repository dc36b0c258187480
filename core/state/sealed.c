/* SPDX-License-Identifier: Apache-2.0
 *
 * Small values under a key, each behind a checksum of key and value: heads, positions, cursors, checkpoint values.
 * LMDB has no checksums of its own, and a wrong value must never pass for a right one.
 */
#include "base/err.h"
#include "state/store_impl.h"
#include <string.h>
#include <xxhash.h>

static uint64_t seal_of(const void *key, size_t klen, const void *data, size_t len)
{
	return XXH3_64bits_withSeed(data, len, XXH3_64bits(key, klen));
}

/* Take an earlier value under the key out of the books. */
static int forget(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, uint64_t *n, uint64_t *sum)
{
	MDB_val old;
	uint64_t seal;
	int rc = mdb_get(txn, dbi, key, &old);

	if (rc == 0) {
		if (old.mv_size < sizeof seal)
			return MDB_CORRUPTED;
		memcpy(&seal, old.mv_data, sizeof seal);
		*n -= 1;
		*sum -= seal;
	}
	return rc;
}

int sealed_put(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t klen, const void *data, size_t len, uint64_t *n,
	       uint64_t *sum)
{
	MDB_val k = { klen, (void *)(uintptr_t)key }, v = { sizeof(uint64_t) + len, NULL };
	uint64_t seal = seal_of(key, klen, data, len);
	int rc = n ? forget(txn, dbi, &k, n, sum) : 0;

	if (rc && rc != MDB_NOTFOUND)
		return rc;
	rc = mdb_put(txn, dbi, &k, &v, MDB_RESERVE);
	if (rc)
		return rc;
	memcpy(v.mv_data, &seal, sizeof seal);
	if (len)
		memcpy((unsigned char *)v.mv_data + sizeof seal, data, len);
	if (n) {
		*n += 1;
		*sum += seal;
	}
	return 0;
}

int sealed_del(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t klen, uint64_t *n, uint64_t *sum)
{
	MDB_val k = { klen, (void *)(uintptr_t)key };
	int rc = forget(txn, dbi, &k, n, sum);

	if (rc == 0)
		rc = mdb_del(txn, dbi, &k, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int32_t damaged(const struct file *f, const char *what, struct tw_err *err)
{
	return err_set(err, STORE_E_DAMAGED,
		       "%s: %s: the file was changed or the disk is failing; restore a copy or run `tapewatch tape "
		       "verify`",
		       f->name, what);
}

static int32_t unseal(const struct file *f, const MDB_val *k, const MDB_val *v, const void **data, size_t *len,
		      uint64_t *ret_seal, struct tw_err *err)
{
	uint64_t seal;
	const unsigned char *p = v->mv_data;

	if (v->mv_size < sizeof seal)
		return damaged(f, "a value is cut short", err);
	memcpy(&seal, p, sizeof seal);
	if (v->mv_size - sizeof seal > VALUE_MAX ||
	    seal != seal_of(k->mv_data, k->mv_size, p + sizeof seal, v->mv_size - sizeof seal))
		return damaged(f, "the checksum of a value differs", err);
	*data = p + sizeof seal;
	*len = v->mv_size - sizeof seal;
	*ret_seal = seal;
	return TW_OK;
}

int32_t sealed_get(const struct file *f, MDB_txn *txn, int db, const void *key, size_t klen, const void **data,
		   size_t *len, struct tw_err *err)
{
	MDB_val k = { klen, (void *)(uintptr_t)key }, v;
	uint64_t seal;
	int rc = mdb_get(txn, f->db[db], &k, &v);

	if (rc == MDB_NOTFOUND)
		return TW_AGAIN;
	if (rc)
		return file_fail(f, rc, 0, "reading", err);
	return unseal(f, &k, &v, data, len, &seal, err);
}

int32_t sealed_each(const struct file *f, MDB_txn *txn, int db, uint64_t n, uint64_t sum,
		    int32_t (*each)(void *arg, const void *key, size_t klen, const void *data, size_t len,
				    struct tw_err *),
		    void *arg, struct tw_err *err)
{
	MDB_cursor *cur = NULL;
	MDB_val k, v, last = { 0, NULL };
	int rc = mdb_cursor_open(txn, f->db[db], &cur);
	int32_t ret = TW_OK;

	if (rc)
		return file_fail(f, rc, 0, "reading", err);
	while (ret == TW_OK && (rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) == 0) {
		const void *data;
		size_t len;
		uint64_t seal;

		ret = unseal(f, &k, &v, &data, &len, &seal, err);
		if (ret == TW_OK && last.mv_data && mdb_cmp(txn, f->db[db], &last, &k) >= 0)
			ret = damaged(f, "keys are out of order", err);
		if (ret == TW_OK && each)
			ret = each(arg, k.mv_data, k.mv_size, data, len, err);
		if (ret == TW_OK) {
			n--;
			sum -= seal;
			last = k;
		}
	}
	if (ret == TW_OK && rc != MDB_NOTFOUND)
		ret = file_fail(f, rc, 0, "reading", err);
	if (ret == TW_OK && (n || sum))
		ret = damaged(f, "a table has not the values that were written", err);
	mdb_cursor_close(cur);
	return ret;
}

int segment_head_put(const struct file *f, MDB_txn *txn, struct segment_head *h)
{
	h->txn = mdb_txn_id(txn);
	return sealed_put(txn, f->db[DB_META], "head", 4, h, sizeof *h, NULL, NULL);
}

int state_head_put(const struct file *f, MDB_txn *txn, struct state_head *h)
{
	h->txn = mdb_txn_id(txn);
	return sealed_put(txn, f->db[DB_META], "head", 4, h, sizeof *h, NULL, NULL);
}

/* The transaction's number shows a head that a wrong page number brought back from an earlier commit. */
static int32_t head_read(const struct file *f, MDB_txn *txn, uint32_t magic, const void **ret, size_t size,
			 struct tw_err *err)
{
	const void *data;
	size_t len = 0;
	uint32_t word[2];
	int32_t rc = sealed_get(f, txn, DB_META, "head", 4, &data, &len, err);

	if (rc == TW_AGAIN)
		return damaged(f, "its head is missing", err);
	if (rc != TW_OK)
		return rc;
	if (len < sizeof word)
		return damaged(f, "its head is cut short", err);
	memcpy(word, data, sizeof word);
	if (word[0] != magic)
		return err_set(err, STORE_E_DAMAGED, "%s is not the kind of file that was expected here", f->name);
	if (word[1] > STORE_FORMAT)
		return err_set(err, STORE_E_DAMAGED,
			       "%s was written by a newer tapewatch (format %u, this one knows %u): use that version",
			       f->name, word[1], STORE_FORMAT);
	if (len != size)
		return damaged(f, "its head has another size than expected", err);
	*ret = data;
	return TW_OK;
}

int32_t segment_head_read(const struct file *f, MDB_txn *txn, struct segment_head *ret, struct tw_err *err)
{
	struct segment_head h;
	const void *data;
	int32_t rc = head_read(f, txn, SEGMENT_MAGIC, &data, sizeof h, err);

	if (rc != TW_OK)
		return rc;
	memcpy(&h, data, sizeof h);
	if (h.txn != mdb_txn_id(txn))
		return damaged(f, "its head is of another commit", err);
	*ret = h;
	return TW_OK;
}

int32_t state_head_read(const struct file *f, MDB_txn *txn, struct state_head *ret, struct tw_err *err)
{
	struct state_head h;
	const void *data;
	int32_t rc = head_read(f, txn, STATE_MAGIC, &data, sizeof h, err);

	if (rc != TW_OK)
		return rc;
	memcpy(&h, data, sizeof h);
	if (h.txn != mdb_txn_id(txn))
		return damaged(f, "its head is of another commit", err);
	*ret = h;
	return TW_OK;
}
