/* SPDX-License-Identifier: Apache-2.0
 *
 * The block, the form that all three logs share on disk: a header, then the records back to back, under the number of
 * the first record in big-endian order, so that LMDB's order is the order of the numbers.
 */
#include "base/err.h"
#include "base/os.h"
#include "state/store_impl.h"
#include <string.h>
#include <xxhash.h>

static const char *const kinds[] = { "tape", "alert log", "dead-letter log" };

static uint64_t block_sum(const struct block_head *h, const void *bytes)
{
	return XXH3_64bits_withSeed(h, offsetof(struct block_head, sum), XXH3_64bits(bytes, h->len));
}

int block_put(MDB_txn *txn, MDB_dbi dbi, enum log_kind kind, const struct block *b, int64_t min_ts, int64_t max_ts)
{
	struct block_head h = { .magic = BLOCK_MAGIC,
				.version = STORE_FORMAT,
				.kind = (uint16_t)kind,
				.first = b->first,
				.count = b->count,
				.wall = kind == LOG_ALERTS ? (uint32_t)(os->wall() / 1000000000) : 0,
				.len = b->len,
				.min_ts = min_ts,
				.max_ts = max_ts };
	uint64_t key = __builtin_bswap64(b->first);
	MDB_val k = { sizeof key, &key }, v = { sizeof h + b->len, NULL };
	/* Reserve and copy: the bytes are moved once, into the page that LMDB writes. */
	int rc = mdb_put(txn, dbi, &k, &v, MDB_APPEND | MDB_RESERVE);

	if (rc)
		return rc;
	h.sum = block_sum(&h, b->bytes);
	memcpy(v.mv_data, &h, sizeof h);
	if (b->len)
		memcpy((unsigned char *)v.mv_data + sizeof h, b->bytes, b->len);
	return 0;
}

static int32_t damaged(const struct file *f, enum log_kind kind, uint64_t first, const char *what, struct tw_err *err)
{
	return err_set(err, STORE_E_DAMAGED,
		       "%s, %s, block %" PRIu64 ": %s: the file was changed or the disk is failing; restore a copy or "
		       "run `tapewatch tape verify`",
		       f->name, kinds[kind], first, what);
}

static uint64_t key_number(const MDB_val *key)
{
	uint64_t n;

	memcpy(&n, key->mv_data, sizeof n);
	return __builtin_bswap64(n);
}

int32_t block_look(const struct file *f, const MDB_val *key, const MDB_val *val, enum log_kind kind,
		   struct block_head *ret, struct tw_err *err)
{
	struct block_head h;

	if (key->mv_size != sizeof(uint64_t))
		return damaged(f, kind, 0, "its number is cut short", err);
	if (val->mv_size < sizeof h)
		return damaged(f, kind, key_number(key), "it is cut short", err);
	memcpy(&h, val->mv_data, sizeof h);
	/* The length is compared before the bytes are touched: a wrong one would lead out of the map. */
	if (h.magic != BLOCK_MAGIC || h.version > STORE_FORMAT || h.kind != kind || h.first != key_number(key) ||
	    h.len != val->mv_size - sizeof h || h.len > BLOCK_MAX || !h.count || h.first + h.count < h.first)
		return damaged(f, kind, key_number(key), "its header is wrong", err);
	*ret = h;
	return TW_OK;
}

int32_t block_check(const struct file *f, const struct block_head *h, const unsigned char *bytes, struct tw_err *err)
{
	if (h->sum != block_sum(h, bytes))
		return damaged(f, (enum log_kind)h->kind, h->first, "checksum differs", err);
	return TW_OK;
}

int32_t block_find(const struct file *f, MDB_cursor *cur, uint64_t n, enum log_kind kind, MDB_val *key, MDB_val *val,
		   struct tw_err *err)
{
	uint64_t want = __builtin_bswap64(n);
	struct block_head h;
	int32_t ret;
	int rc;

	*key = (MDB_val){ sizeof want, &want };
	rc = mdb_cursor_get(cur, key, val, MDB_SET_RANGE);
	if (rc && rc != MDB_NOTFOUND)
		return file_fail(f, rc, 0, "reading", err);
	if (rc == 0) {
		ret = block_look(f, key, val, kind, &h, err);
		if (ret != TW_OK || h.first == n)
			return ret;
	}
	/* No block begins with n: the one before may hold it. */
	rc = mdb_cursor_get(cur, key, val, rc ? MDB_LAST : MDB_PREV);
	if (rc && rc != MDB_NOTFOUND)
		return file_fail(f, rc, 0, "reading", err);
	if (rc == 0) {
		ret = block_look(f, key, val, kind, &h, err);
		if (ret != TW_OK || (h.first <= n && n - h.first < h.count))
			return ret;
		rc = mdb_cursor_get(cur, key, val, MDB_NEXT);
	} else {
		rc = mdb_cursor_get(cur, key, val, MDB_FIRST);
	}
	if (rc == MDB_NOTFOUND)
		return TW_AGAIN;
	return rc ? file_fail(f, rc, 0, "reading", err) : TW_OK;
}
