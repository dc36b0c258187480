/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys to dense numbers. One field: an array indexed by the interned number. Two: open addressing with tombstone-free
 * deletion (backward shift).
 */
#include "state/keyspace.h"
#include "base/hash.h"
#include "event/event.h"
#include <stdlib.h>
#include <string.h>

static bool grow(void **p, uint32_t *cap, uint32_t need, size_t size)
{
	uint32_t cap_new = *cap ? *cap : 64;
	void *q;

	if (need <= *cap)
		return true;
	while (cap_new < need) {
		if (cap_new > UINT32_MAX / 2)
			return false;
		cap_new *= 2;
	}
	q = realloc(*p, (size_t)cap_new * size);
	if (!q)
		return false;
	memset((char *)q + (size_t)*cap * size, 0, (size_t)(cap_new - *cap) * size);
	*p = q;
	*cap = cap_new;
	return true;
}

int32_t keyspace_init(struct keyspace *k, uint32_t fields, uint32_t max_keys, int64_t ttl, uint32_t level,
		      const struct intern *names, uint32_t n_shards)
{
	*k = (struct keyspace){ .fields = fields,
				.max_keys = max_keys ? max_keys : 1,
				.ttl = ttl,
				.level = level,
				.names = names,
				.n_shards = fields ? n_shards : 1 };
	k->shards = calloc(k->n_shards, sizeof *k->shards);
	return k->shards ? TW_OK : TW_E_FATAL;
}

void keyspace_free(struct keyspace *k)
{
	for (uint32_t i = 0; k->shards && i < k->n_shards; i++) {
		free(k->shards[i].id);
		free(k->shards[i].free);
	}
	free(k->shards);
	free(k->keys);
	free(k->free_ids);
	free(k->direct);
	free(k->hash_key);
	free(k->hash_id);
	free(k->dirty);
	*k = (struct keyspace){ 0 };
}

/* ---- buckets and places ---- */

static uint64_t hash_name(const struct keyspace *k, uint32_t name)
{
	return k->names ? hash_bytes(intern_name(k->names, name), intern_len(k->names, name)) : hash_u64(name);
}

/* By the texts: what a key is called is the same in every run. */
static uint16_t bucket_of(const struct keyspace *k, uint32_t symbol, uint32_t account)
{
	uint64_t h = k->fields & 1 ? hash_name(k, symbol) : 0;

	if (k->fields & 2)
		h = hash_u64(h) ^ hash_name(k, account);
	return (uint16_t)(hash_u64(h) % KEY_BUCKETS);
}

/* A place among the keys of the shard; 0: memory is out. */
static uint32_t take_place(struct keyspace *k, uint32_t shard, uint32_t id)
{
	struct places *p = &k->shards[shard];
	uint32_t place = p->n_free ? p->free[p->n_free - 1] : p->n + 1;

	if (!grow((void **)&p->id, &p->cap_id, place + 1, sizeof *p->id))
		return 0;
	if (p->n_free)
		p->n_free--;
	else
		p->n = place;
	p->id[place] = id;
	return place;
}

static uint64_t pair(uint32_t symbol, uint32_t account)
{
	return (uint64_t)symbol << 32 | account;
}

static uint32_t hash_find(const struct keyspace *k, uint64_t key)
{
	if (!k->hash_cap)
		return 0;
	for (uint32_t at = (uint32_t)hash_u64(key) & (k->hash_cap - 1);; at = (at + 1) & (k->hash_cap - 1)) {
		if (k->hash_id[at] == 0)
			return 0;
		if (k->hash_key[at] == key)
			return k->hash_id[at];
	}
}

static void hash_put(struct keyspace *k, uint64_t key, uint32_t id)
{
	uint32_t at = (uint32_t)hash_u64(key) & (k->hash_cap - 1);
	while (k->hash_id[at])
		at = (at + 1) & (k->hash_cap - 1);
	k->hash_key[at] = key;
	k->hash_id[at] = id;
}

static bool hash_room(struct keyspace *k)
{
	uint32_t cap = k->hash_cap ? k->hash_cap * 2 : 1024;
	uint64_t *keys = k->hash_key;
	uint32_t *ids = k->hash_id, old = k->hash_cap;

	if (k->live * 2 < k->hash_cap)
		return true;
	if (!cap)
		return false;
	k->hash_key = calloc(cap, sizeof *k->hash_key);
	k->hash_id = calloc(cap, sizeof *k->hash_id);
	if (!k->hash_key || !k->hash_id) {
		free(k->hash_key);
		free(k->hash_id);
		k->hash_key = keys;
		k->hash_id = ids;
		return false;
	}
	k->hash_cap = cap;
	for (uint32_t i = 0; i < old; i++)
		if (ids[i])
			hash_put(k, keys[i], ids[i]);
	free(keys);
	free(ids);
	return true;
}

static void hash_drop(struct keyspace *k, uint64_t key)
{
	uint32_t mask = k->hash_cap - 1, at = (uint32_t)hash_u64(key) & mask, hole;

	while (k->hash_key[at] != key || !k->hash_id[at])
		at = (at + 1) & mask;
	hole = at;
	for (;;) { /* move back whatever could no longer be reached over the hole */
		at = (at + 1) & mask;
		if (!k->hash_id[at])
			break;
		uint32_t home = (uint32_t)hash_u64(k->hash_key[at]) & mask;
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			k->hash_key[hole] = k->hash_key[at];
			k->hash_id[hole] = k->hash_id[at];
			hole = at;
		}
	}
	k->hash_id[hole] = 0;
}

static uint32_t find(const struct keyspace *k, uint32_t symbol, uint32_t account)
{
	uint32_t name;

	if (k->fields == 3)
		return hash_find(k, pair(symbol, account));
	name = k->fields == 1 ? symbol : k->fields == 2 ? account : 0;
	return name < k->n_direct ? k->direct[name] : 0;
}

static bool link_key(struct keyspace *k, uint32_t symbol, uint32_t account, uint32_t id)
{
	uint32_t name;

	if (k->fields == 3) {
		if (!hash_room(k))
			return false;
		hash_put(k, pair(symbol, account), id);
		return true;
	}
	name = k->fields == 1 ? symbol : k->fields == 2 ? account : 0;
	if (!grow((void **)&k->direct, &k->n_direct, name + 1, sizeof *k->direct))
		return false;
	k->direct[name] = id;
	return true;
}

static void mark_dirty(struct keyspace *k, uint32_t id)
{
	if (k->keys[id].dirty)
		return;
	if (!grow((void **)&k->dirty, &k->cap_dirty, k->n_dirty + 1, sizeof *k->dirty)) {
		k->failed = true;
		return;
	}
	k->keys[id].dirty = true;
	k->dirty[k->n_dirty++] = id;
}

static void tell_gone(struct keyspace *k, uint32_t at, struct key *key)
{
	struct gone *g = k->gone;

	key->lost = true;
	if (!g)
		return;
	if (!grow((void **)&g->list, &g->cap, g->n + 1, sizeof *g->list)) {
		k->failed = true;
		return;
	}
	g->list[g->n++] = (struct forgotten){ at, key_shard(k, key), key->place };
}

static void forget(struct keyspace *k, uint32_t id, uint32_t at)
{
	struct key *key = &k->keys[id];
	struct places *p = &k->shards[key_shard(k, key)];

	if (!grow((void **)&k->free_ids, &k->cap_free, k->n_free + 1, sizeof *k->free_ids) ||
	    !grow((void **)&p->free, &p->cap_free, p->n_free + 1, sizeof *p->free)) {
		k->failed = true;
		return;
	}
	if (k->fields == 3)
		hash_drop(k, pair(key->symbol, key->account));
	else
		k->direct[k->fields == 1 ? key->symbol : k->fields == 2 ? key->account : 0] = 0;
	mark_dirty(k, id);
	tell_gone(k, at, key);
	p->free[p->n_free++] = key->place;
	p->id[key->place] = 0;
	key->live = false;
	key->symbol = key->account = key->place = 0;
	k->free_ids[k->n_free++] = id;
	k->live--;
	k->evicted++;
}

struct age {
	int64_t last_ts;
	uint32_t symbol, account, id;
};

/* Oldest first; interned numbers come from the order of first sight, so ties are settled the same way every time. */
static int by_age(const void *a, const void *b)
{
	const struct age *x = a, *y = b;
	if (x->last_ts != y->last_ts)
		return x->last_ts < y->last_ts ? -1 : 1;
	if (x->symbol != y->symbol)
		return x->symbol < y->symbol ? -1 : 1;
	return x->account < y->account ? -1 : x->account > y->account;
}

static void make_room(struct keyspace *k, uint32_t at)
{
	uint32_t n = 0, drop = k->max_keys / 8 ? k->max_keys / 8 : 1;
	struct age *ages = malloc(((size_t)k->live + 1) * sizeof *ages);

	if (!ages) {
		k->failed = true;
		return;
	}
	for (uint32_t id = 1; id <= k->n; id++)
		if (k->keys[id].live)
			ages[n++] = (struct age){ k->keys[id].last_ts, k->keys[id].symbol, k->keys[id].account, id };
	qsort(ages, n, sizeof *ages, by_age);
	for (uint32_t i = 0; i < drop && i < n; i++)
		forget(k, ages[i].id, at);
	free(ages);
}

/* What belongs to the key under this id: its place, and the way to find it. */
static bool settle(struct keyspace *k, uint32_t id, struct key *key)
{
	key->bucket = bucket_of(k, key->symbol, key->account);
	if (!grow((void **)&k->keys, &k->cap, id + 1, sizeof *k->keys) || !link_key(k, key->symbol, key->account, id))
		return false;
	key->place = take_place(k, key_shard(k, key), id);
	if (!key->place)
		return false;
	key->lost = k->keys[id].lost;
	key->dirty = k->keys[id].dirty;
	k->keys[id] = *key;
	k->live++;
	return true;
}

static uint32_t add_key(struct keyspace *k, uint32_t symbol, uint32_t account, int64_t ts, uint32_t at)
{
	struct key key = { .symbol = symbol, .account = account, .last_ts = ts, .live = true };
	uint32_t id;

	if (k->live >= k->max_keys && !k->restoring)
		make_room(k, at);
	id = k->n_free ? k->free_ids[k->n_free - 1] : k->n + 1;
	if (!settle(k, id, &key)) {
		k->failed = true;
		return 0;
	}
	if (k->n_free)
		k->n_free--;
	else
		k->n = id;
	mark_dirty(k, id);
	return id;
}

uint32_t keyspace_touch(struct keyspace *k, uint32_t symbol, uint32_t account, int64_t ts, uint32_t at)
{
	uint32_t id;
	struct key *key;

	if (!(k->fields & 1)) /* the rest of the event is not part of the key */
		symbol = 0;
	else if (!symbol)
		return 0;
	if (!(k->fields & 2))
		account = 0;
	else if (!account)
		return 0;
	id = find(k, symbol, account);
	if (!id)
		return add_key(k, symbol, account, ts, at);
	key = &k->keys[id];
	if (k->ttl && ts > key->last_ts && (uint64_t)ts - (uint64_t)key->last_ts > (uint64_t)k->ttl) {
		k->expired++;
		tell_gone(k, at, key);
	}
	if (ts > key->last_ts)
		key->last_ts = ts;
	if (!key->dirty)
		mark_dirty(k, id);
	return id;
}

void keyspace_value(const struct keyspace *k, uint32_t id, unsigned char out[KEY_VALUE_BYTES])
{
	memcpy(out, &k->keys[id].last_ts, 8);
	memcpy(out + 8, &k->keys[id].symbol, 4);
	memcpy(out + 12, &k->keys[id].account, 4);
}

int32_t keyspace_restore(struct keyspace *k, uint32_t id, const unsigned char *value, uint32_t len, uint32_t max_name)
{
	struct key key = { .live = true };

	if (len != KEY_VALUE_BYTES || id == 0 || id > 1u << 30)
		return TW_E_DATA;
	memcpy(&key.last_ts, value, 8);
	memcpy(&key.symbol, value + 8, 4);
	memcpy(&key.account, value + 12, 4);
	if (key.symbol > max_name || key.account > max_name)
		return TW_E_DATA;
	if (!(k->fields & 1))
		key.symbol = 0;
	if (!(k->fields & 2))
		key.account = 0;
	if ((id < k->cap && k->keys[id].live) || !settle(k, id, &key))
		return TW_E_DATA;
	if (id > k->n)
		k->n = id;
	return TW_OK;
}

int32_t keyspace_restored(struct keyspace *k)
{
	for (uint32_t id = k->n; id >= 1; id--)
		if (!k->keys[id].live) {
			if (!grow((void **)&k->free_ids, &k->cap_free, k->n_free + 1, sizeof *k->free_ids))
				return TW_E_FATAL;
			k->free_ids[k->n_free++] = id;
		}
	while (k->live > k->max_keys && !k->failed)
		make_room(k, 0);
	return k->failed ? TW_E_FATAL : TW_OK;
}
