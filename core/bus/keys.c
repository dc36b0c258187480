/* SPDX-License-Identifier: Apache-2.0
 *
 * Keyspaces, and the keys of a batch: each keyspace is asked once for each item, in order, and the items are dealt to
 * the shards that own their keys. On the pipeline's thread, so that workers never look into a keyspace.
 */
#include "bus/pipeline_impl.h"
#include <stdlib.h>
#include <string.h>

/* Detectors that agree on key fields, max_keys, ttl and level, and that joined together, share a keyspace. */
int32_t keys_make(struct pipeline *p, uint32_t n_shards)
{
	const struct graph *g = p->graph;

	p->keyspaces = calloc(g->n_detectors + 1, sizeof *p->keyspaces);
	p->keyspace_kinds = calloc(g->n_detectors + 1, sizeof *p->keyspace_kinds);
	p->keyspace_of = calloc(g->n_detectors + 1, sizeof *p->keyspace_of);
	if (!p->keyspaces || !p->keyspace_kinds || !p->keyspace_of)
		return TW_E_FATAL;
	for (uint32_t i = 0; i < g->n_detectors; i++) {
		const struct graph_node *d = graph_detector(g, i);
		const struct join *j = &p->joins[i];
		uint32_t k = 0;
		for (; k < p->n_keyspaces; k++) {
			const struct keyspace *s = &p->keyspaces[k];
			if (s->fields == (uint32_t)d->key && s->level == d->level && s->ttl == d->detector.ttl &&
			    s->max_keys == (uint32_t)d->detector.max_keys && s->from == j->from && s->group == j->group)
				break;
		}
		if (k == p->n_keyspaces) {
			struct keyspace *s = &p->keyspaces[p->n_keyspaces++];
			if (keyspace_init(s, (uint32_t)d->key, (uint32_t)d->detector.max_keys, d->detector.ttl,
					  d->level, p->intern, n_shards) < 0)
				return TW_E_FATAL;
			s->from = j->from;
			s->group = j->group;
			s->fresh = j->fresh;
		}
		p->keyspace_of[i] = k;
		p->keyspace_kinds[k] |= d->plugin->detector.kinds;
	}
	return TW_OK;
}

static bool lot_room(struct lot *l, uint32_t n, uint32_t groups)
{
	uint32_t cap = l->cap;

	if (!l->start) {
		l->start = calloc(groups + 2, sizeof *l->start);
		l->gone_start = calloc(groups + 2, sizeof *l->gone_start);
	}
	if (!l->start || !l->gone_start)
		return false;
	if (n <= l->cap)
		return true;
	if (!batch_grow((void **)&l->key, &cap, n, sizeof *l->key))
		return false;
	if (groups > 1) {
		cap = l->cap;
		if (!batch_grow((void **)&l->list, &cap, n, sizeof *l->list))
			return false;
		cap = l->cap;
		if (!batch_grow((void **)&l->group, &cap, n, sizeof *l->group))
			return false;
	}
	l->cap = cap;
	return true;
}

/* One group: no lists are needed. */
static void find_alone(struct keyspace *k, uint32_t kinds, const struct items *t, struct lot *l)
{
	uint32_t *key = l->key;

	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t id =
			t->ev[i]->kind & kinds ? keyspace_touch(k, t->symbol[i], t->account[i], t->ev[i]->ts, i) : 0;
		key[i] = id ? k->keys[id].place : 0;
	}
}

/* Several: key and group of each item, then the items of each group one after the other. */
static void find_dealt(struct keyspace *k, uint32_t kinds, const struct items *t, struct lot *l)
{
	uint32_t groups = k->n_shards, next = 0, *start = l->start;

	memset(start, 0, (groups + 2) * sizeof *start);
	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t id, group = groups; /* nobody's */
		l->key[i] = 0;
		if (t->ev[i]->kind & kinds) {
			id = keyspace_touch(k, t->symbol[i], t->account[i], t->ev[i]->ts, i);
			group = id ? key_shard(k, &k->keys[id]) : 0; /* somebody must count those without a key */
			l->key[i] = id ? k->keys[id].place : 0;
		}
		l->group[i] = (uint16_t)group;
		start[group]++;
	}
	for (uint32_t g = 0; g <= groups; g++) { /* counts to first places */
		uint32_t n = start[g];
		start[g] = next;
		next += n;
	}
	for (uint32_t i = 0; i < t->n; i++)
		l->list[start[l->group[i]]++] = (struct own){ t->ev[i], i, l->key[i] };
	for (uint32_t g = groups + 1; g > 0; g--) /* each has moved on to where the next one began */
		start[g] = start[g - 1];
	start[0] = 0;
}

static int by_shard(const void *a, const void *b)
{
	const struct forgotten *x = a, *y = b;

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void deal_gone(struct lot *l, uint32_t groups)
{
	struct gone *g = &l->gone;
	uint32_t next = 0;

	if (groups > 1 && g->n > 1)
		qsort(g->list, g->n, sizeof *g->list, by_shard);
	for (uint32_t s = 0; s <= groups; s++) {
		while (next < g->n && g->list[next].shard < s)
			next++;
		l->gone_start[s] = next;
	}
}

bool keys_find(struct pipeline *p, uint32_t level, struct items *t)
{
	int64_t clock = INT64_MIN;

	for (uint32_t k = 0; k < p->n_keyspaces; k++) {
		struct keyspace *space = &p->keyspaces[k];
		struct lot *l = &t->lots[k];
		if (space->level != level || (p->joins_open && !joins_keyed(p, k, t->ev[0]->seq)))
			continue;
		if (!lot_room(l, t->n, space->n_shards))
			return false;
		keyspace_begin(space, &l->gone);
		l->listed = space->n_shards > 1;
		if (l->listed)
			find_dealt(space, p->keyspace_kinds[k], t, l);
		else
			find_alone(space, p->keyspace_kinds[k], t, l);
		deal_gone(l, space->n_shards);
		if (space->failed)
			return false;
	}
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->ev[i]->ts > clock)
			clock = t->ev[i]->ts;
		t->clock[i] = clock;
	}
	return true;
}
