/* SPDX-License-Identifier: Apache-2.0
 *
 * A keyspace gives each key - a symbol, an account or a pair - a dense number, in order of first sight, and decides
 * when a key is forgotten. It is driven by one thread in sequence order, so its decisions do not depend on how many
 * workers there are or how events are batched. Detectors with the same key fields, max_keys, ttl and level share one.
 *
 * Forgetting: with ttl, when a key comes back after more than ttl of event time; with max_keys, when a new key would
 * be one too many: then the eighth of the keys (at least one) that has not been seen for longest goes.
 */
#ifndef STATE_KEYSPACE_H
#define STATE_KEYSPACE_H

#include "base/buf.h"
#include <stdbool.h>

struct key {
	uint32_t symbol, account; /* interned; 0 in a free entry of a keyed space */
	int64_t last_ts;
	bool live, dirty;
};

/* Key `id` is forgotten before item `at` of the batch is judged. */
struct forgotten {
	uint32_t at, id;
};

struct keyspace {
	uint32_t fields; /* enum key_field of graph.h: 1 symbol, 2 account */
	uint32_t level, max_keys;
	int64_t ttl;

	struct key *keys; /* by id; id 0 is not a key */
	uint32_t n, cap, live; /* n: highest id given out */
	uint32_t *free_ids, n_free, cap_free;
	uint32_t *direct, n_direct; /* one field: id by interned number */
	uint64_t *hash_key;         /* two fields: open addressing */
	uint32_t *hash_id, hash_cap;

	struct forgotten *gone; /* in this batch */
	uint32_t n_gone, cap_gone;
	uint32_t *dirty, n_dirty, cap_dirty; /* ids changed or freed since the last checkpoint */
	uint64_t evicted, expired;           /* metrics */
	bool failed;                         /* memory ran out */
};

void keyspace_init(struct keyspace *, uint32_t fields, uint32_t max_keys, int64_t ttl, uint32_t level);
void keyspace_free(struct keyspace *);

/* The id of the key of item `at` of this batch, seen at ts. 0 when a field it needs is absent, or memory is out. */
uint32_t keyspace_touch(struct keyspace *, uint32_t symbol, uint32_t account, int64_t ts, uint32_t at);

/* A new batch begins: nothing is forgotten in it yet. */
static inline void keyspace_begin(struct keyspace *k)
{
	k->n_gone = 0;
}

/* Checkpoints: the bytes of an entry (KEY_VALUE_BYTES), and putting one back under its old id. */
#define KEY_VALUE_BYTES 16u
void keyspace_value(const struct keyspace *, uint32_t id, unsigned char out[KEY_VALUE_BYTES]);
int32_t keyspace_restore(struct keyspace *, uint32_t id, const unsigned char *value, uint32_t len, uint32_t max_name);
/* After the last restore: ids that were not restored are free. */
int32_t keyspace_restored(struct keyspace *);

#endif
