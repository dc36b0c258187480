/* SPDX-License-Identifier: Apache-2.0
 *
 * Small values of sources. They lie in the table of positions under "SOURCE\0NAME" - no name holds a NUL - so they are
 * in the same transaction, under the same checksum, and go on into each segment as positions do.
 */
#include "base/err.h"
#include "state/store_impl.h"
#include <stdlib.h>
#include <string.h>
#include <tapewatch/ext/kv.h>

_Static_assert(MAX_NAME + 1 + TW_KV_NAME <= 511, "an LMDB key");

bool values_room(struct source_value **list, uint32_t *cap, uint32_t n)
{
	uint32_t more = *cap ? *cap * 2 : 16;
	struct source_value *grown;

	if (n < *cap)
		return true;
	grown = realloc(*list, more * sizeof *grown);
	if (!grown)
		return false;
	*list = grown;
	*cap = more;
	return true;
}

int32_t values_check(const struct tape_commit *c, struct tw_err *err)
{
	for (uint32_t i = 0; i < c->n_values; i++) {
		const struct source_value *v = &c->values[i];

		if (!v->source[0] || strlen(v->source) > MAX_NAME || !v->name[0] || strlen(v->name) > TW_KV_NAME ||
		    v->len > TW_KV_VALUE)
			return err_set(err, TW_E_FATAL,
				       "a value '%.40s' of source '%.40s' has %" PRIu64 " bytes, at most %u fit",
				       v->name, v->source, v->len, TW_KV_VALUE);
	}
	return TW_OK;
}

int values_put(const struct tape_commit *c, MDB_txn *txn, MDB_dbi positions, struct segment_head *h)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->n_values && rc == 0; i++) {
		const struct source_value *v = &c->values[i];
		char key[MAX_NAME + 1 + TW_KV_NAME];
		size_t source = strlen(v->source) + 1, name = strlen(v->name);

		memcpy(key, v->source, source);
		memcpy(key + source, v->name, name);
		rc = v->data ? sealed_put(txn, positions, key, source + name, v->data, v->len, &h->n_positions,
					  &h->positions_sum)
			     : sealed_del(txn, positions, key, source + name, &h->n_positions, &h->positions_sum);
	}
	return rc;
}

struct choice {
	const char *source;
	size_t len; /* with its NUL */
	int32_t (*each)(void *arg, const struct source_value *, struct tw_err *);
	void *arg;
};

static int32_t choose(void *arg, const void *key, size_t klen, const void *data, size_t len, struct tw_err *err)
{
	const struct choice *c = arg;
	char name[TW_KV_NAME + 1];

	if (klen <= c->len || klen - c->len > TW_KV_NAME || memcmp(key, c->source, c->len) != 0)
		return TW_OK;
	memcpy(name, (const char *)key + c->len, klen - c->len);
	name[klen - c->len] = '\0';
	return c->each(c->arg, &(struct source_value){ c->source, name, data, len }, err);
}

int32_t store_values(struct store *s, const char *source,
		     int32_t (*each)(void *arg, const struct source_value *, struct tw_err *), void *arg,
		     struct tw_err *err)
{
	struct choice c = { source, strlen(source) + 1, each, arg };
	struct segment_head head;
	struct segment *g;
	MDB_txn *txn = NULL;
	int32_t rc = segment_last(s, &g, err);

	if (rc != TW_OK)
		return rc == TW_AGAIN ? TW_OK : rc;
	rc = file_read(s, &g->file, &txn, err);
	if (rc == TW_OK) {
		rc = segment_head_read(&g->file, txn, &head, err);
		if (rc == TW_OK)
			rc = sealed_each(&g->file, txn, DB_POSITIONS, head.n_positions, head.positions_sum, choose, &c,
					 err);
		file_unread_end(s, txn);
	}
	segment_unref(s, g);
	return rc;
}
