/* SPDX-License-Identifier: Apache-2.0
 *
 * A keyspace gives each key - a symbol, an account or a pair - a dense number, in order of first sight, and decides
 * when a key is forgotten. It is driven by one thread in sequence order, so its decisions do not depend on how many
 * workers there are or how events are batched. Detectors with the same key fields, max_keys, ttl and level share one.
 *
 * Forgetting: with ttl, when a key comes back after more than ttl of event time; with max_keys, when a new key would
 * be one too many: then the eighth of the keys (at least one) that has not been seen for longest goes.
 *
 * A key has two numbers. Its id is the same however many shards the keys are dealt to, and goes to the disk. Its place
 * is dense among the keys of its shard, so that the tables of a shard are as long as its keys are many; it may change
 * with every start.
 */
#ifndef STATE_KEYSPACE_H
#define STATE_KEYSPACE_H

#include "base/buf.h"
#include <stdbool.h>

#define KEY_BUCKETS 1024u /* keys fall into buckets by their texts, buckets go to shards */

struct intern;

struct key {
	uint32_t symbol, account; /* interned; 0: no part of the key, or a free entry */
	int64_t last_ts;
	uint32_t place; /* in the tables of its shard; from 1 */
	uint16_t bucket;
	bool live : 1, dirty : 1;
	bool lost : 1; /* forgotten at least once since the last checkpoint */
};

/* The key at `place` of a shard is forgotten before item `at` of the batch is judged. */
struct forgotten {
	uint32_t at, shard, place;
};

struct gone {
	struct forgotten *list;
	uint32_t n, cap;
};

/* Places of one shard. */
struct places {
	uint32_t n;             /* highest one given out */
	uint32_t *id, cap_id;   /* of the key that has it; [0] unused */
	uint32_t *free, n_free, cap_free;
};

struct keyspace {
	uint32_t fields; /* enum key_field of graph.h: 1 symbol, 2 account */
	uint32_t level, max_keys;
	int64_t ttl;
	uint64_t from; /* of use from this event on, for detectors of this group; see bus/joins.h */
	uint32_t group;
	bool fresh;
	const struct intern *names; /* NULL: buckets by number */
	struct places *shards;
	uint32_t n_shards; /* 1 for a space without fields: its one key belongs to nobody in particular */

	struct key *keys; /* by id; id 0 is not a key */
	uint32_t n, cap, live; /* n: highest id given out */
	uint32_t *free_ids, n_free, cap_free;
	uint32_t *direct, n_direct; /* one field: id by interned number */
	uint64_t *hash_key;         /* two fields: open addressing */
	uint32_t *hash_id, hash_cap;

	struct gone *gone; /* of the batch that is being keyed; NULL: nobody wants to know */
	uint32_t *dirty, n_dirty, cap_dirty; /* ids changed or freed since the last checkpoint */
	uint64_t evicted, expired;           /* metrics */
	bool restoring;                      /* keys come back from a checkpoint: max_keys applies at the end */
	bool failed;                         /* memory ran out */
};

/* TW_OK, or TW_E_FATAL when memory is out. */
int32_t keyspace_init(struct keyspace *, uint32_t fields, uint32_t max_keys, int64_t ttl, uint32_t level,
                      const struct intern *, uint32_t n_shards);
void keyspace_free(struct keyspace *);

/* The id of the key of item `at` of this batch, seen at ts. 0 when a field it needs is absent, or memory is out. */
uint32_t keyspace_touch(struct keyspace *, uint32_t symbol, uint32_t account, int64_t ts, uint32_t at);

/* A batch begins; what is forgotten in it goes to this list. */
static inline void keyspace_begin(struct keyspace *k, struct gone *gone)
{
	k->gone = gone;
	gone->n = 0;
}

static inline uint32_t key_shard(const struct keyspace *k, const struct key *key)
{
	return key->bucket * k->n_shards / KEY_BUCKETS;
}

/* Checkpoints: the bytes of an entry (KEY_VALUE_BYTES), and putting one back under its old id. */
#define KEY_VALUE_BYTES 16u
void keyspace_value(const struct keyspace *, uint32_t id, unsigned char out[KEY_VALUE_BYTES]);
int32_t keyspace_restore(struct keyspace *, uint32_t id, const unsigned char *value, uint32_t len, uint32_t max_name);
/* After the last restore: ids that were not restored are free; keys beyond max_keys are forgotten. */
int32_t keyspace_restored(struct keyspace *);

#endif
