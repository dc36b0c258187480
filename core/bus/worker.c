/* SPDX-License-Identifier: Apache-2.0
 *
 * What a worker does with a shard: pick the items an instance wants, find the states of their keys, and call the plugin
 * once. Instances with timers are called event by event, with the timers that came due in between, so that results do
 * not depend on where a batch ends. It neither blocks nor allocates per event, and what it reads of the pipeline stands
 * still meanwhile.
 */
#include "base/log.h"
#include "base/os.h"
#include "bus/poison.h"
#include "bus/shard.h"
#include <string.h>

/* ---- where: globs against names, each name once ---- */

static bool pass_name(const struct instance *in, struct pass *p, const struct where_names *names, uint32_t id)
{
	uint8_t known = id < p->n ? atomic_load_explicit(&p->known[id], memory_order_relaxed) : 0;

	if (!known) { /* two workers may both find out, and find the same */
		known = where_name(names, intern_name(in->intern, id)) ? 1 : 2;
		if (id < p->n)
			atomic_store_explicit(&p->known[id], known, memory_order_relaxed);
	}
	return known == 1;
}

static bool passes(struct instance *in, uint32_t symbol, uint32_t account)
{
	const struct where *where = &in->node->where;

	if (where->symbol.n && !pass_name(in, &in->symbol_pass, &where->symbol, symbol))
		return false;
	return !where->account.n || pass_name(in, &in->account_pass, &where->account, account);
}

/* ---- calling the plugin ---- */

static void fail(struct share *s, uint32_t n, int32_t code)
{
	struct voice *v = s->voice;
	uint32_t at = s->desk->at[n];

	if (!batch_grow((void **)&v->failures, &v->cap_failures, v->n_failures + 1, sizeof *v->failures)) {
		v->memory_out = true;
		return;
	}
	v->failures[v->n_failures++] = (struct failure){ .ev = s->desk->evs[n],
							 .instance = s->instance->number,
							 .origin = s->items->origin[at],
							 .at = at,
							 .code = code };
}

/* Hand the gathered events over. An event the plugin fails on is left out, the rest goes on; whether it has failed too
 * often is decided when all shards are done. */
static void flush(struct share *s)
{
	struct desk *d = s->desk;
	uint32_t n = s->n_subset;

	s->events += n;
	if (__builtin_expect(s->instance->poison != NULL, 0)) {
		poison_strain(s);
		n = s->n_subset;
	}
	for (s->first = 0; s->first < n;) {
		struct tw_batch b = { sizeof b, n - s->first, d->evs + s->first, d->states + s->first };
		uint32_t bad;
		int32_t rc;
		s->ctx.i = 0;
		rc = CALL(&s->call, s->instance->detector->process(&s->ctx, &b));
		if (rc >= 0)
			break;
		bad = s->first + (s->ctx.i < b.n ? s->ctx.i : b.n - 1);
		fail(s, bad, rc);
		s->first = bad + 1;
	}
	s->n_subset = s->first = 0;
}

/* The first item from `from` to `to` by which event time has come to `due`. The last one has. */
static uint32_t item_when(const int64_t *clock, uint32_t from, uint32_t to, int64_t due)
{
	while (from < to) {
		uint32_t mid = from + (to - from) / 2;
		if (clock[mid] >= due)
			to = mid;
		else
			from = mid + 1;
	}
	return from;
}

static int64_t time_at(const struct share *s, uint32_t item)
{
	return s->items->clock[item] > s->instance->now ? s->items->clock[item] : s->instance->now;
}

/* Timers due by item `to`, each before the item that moves time there. */
static void run_timers(struct share *s, uint32_t to)
{
	while (s->looked <= to && timers_may_be_due(&s->timers, time_at(s, to))) {
		int64_t first = s->timers.heap[0].due, now, due;
		uint32_t at = first <= s->instance->now ? s->looked : item_when(s->items->clock, s->looked, to, first);
		struct slot *slot;

		now = time_at(s, at);
		while ((slot = timers_next(&s->timers, &s->table, now, &due)) != NULL) {
			int32_t rc;
			s->at_now = at;
			s->timer_slot = slot;
			s->timer_due = s->ctx.now = due;
			s->said = 0;
			if (!table_mark(&s->table, slot))
				s->voice->memory_out = true;
			rc = s->instance->poison && poison_timer(s)
				     ? TW_OK
				     : CALL(&s->call, s->instance->detector->timer(&s->ctx, slot_state(slot), due));
			s->timer_slot = NULL;
			if (rc < 0) {
				s->timer_errors++;
				log_error(s->instance->node->name, "its timer failed with %d", rc);
			}
		}
		s->looked = at; /* what they armed may be due at once */
		s->said_at = UINT32_MAX;
	}
}

/* ---- one instance ---- */

/* What the keyspace forgot before item `at` must not be seen by it, and must be seen by those before it. */
static uint32_t drop_forgotten(struct share *s, const struct gone *g, uint32_t next, uint32_t end, uint32_t at)
{
	while (next < end && g->list[next].at <= at) {
		const struct forgotten *f = &g->list[next++];
		flush(s);
		if (s->instance->detector->timer && f->at > 0)
			run_timers(s, f->at - 1);
		table_drop(&s->table, f->place);
	}
	return next;
}

static struct slot *add_slot(struct share *s, uint32_t place, uint32_t item)
{
	const struct items *t = s->items;
	enum key_field key = s->instance->node->key;
	struct slot *slot = table_add(&s->table, place, t->ev[item]->ts);

	if (!slot) {
		s->voice->memory_out = true;
		return NULL;
	}
	slot->symbol = key & KEY_SYMBOL ? t->symbol[item] : 0;
	slot->account = key & KEY_ACCOUNT ? t->account[item] : 0;
	return slot;
}

static void judge_share(struct share *s, uint32_t group)
{
	struct instance *in = s->instance;
	const struct items *t = s->items;
	const struct lot *l = &t->lots[in->keyspace];
	const struct own *list = l->listed ? l->list + l->start[group] : NULL;
	uint32_t n = l->listed ? l->start[group + 1] - l->start[group] : t->n;
	uint32_t gone = l->gone_start[group], gone_end = l->gone_start[group + 1];
	struct desk *d = s->desk;
	bool timed = in->detector->timer != NULL, has_where = in->node->has_where;
	bool stateful = s->table.state_size != 0;

	s->looked = 0;
	s->said_at = UINT32_MAX;
	for (uint32_t j = 0; j < n; j++) {
		uint32_t i = list ? list[j].item : j, key = list ? list[j].key : l->key[j], at;
		const struct tw_event *ev = list ? list[j].ev : t->ev[j];
		struct slot *slot;

		if (__builtin_expect(gone < gone_end, 0))
			gone = drop_forgotten(s, &l->gone, gone, gone_end, i);
		if (timed && timers_may_be_due(&s->timers, time_at(s, i)))
			run_timers(s, i);
		if (!(in->allowed[ev->source] & ev->kind))
			continue;
		if (has_where && !passes(in, t->symbol[i], t->account[i]))
			continue;
		if (__builtin_expect(key == 0, 0)) {
			s->unkeyed++;
			continue;
		}
		slot = table_find(&s->table, key);
		if (__builtin_expect(!slot, 0)) {
			slot = add_slot(s, key, i);
			if (!slot)
				return;
		}
		if (__builtin_expect(!slot->dirty, 0) && !table_mark(&s->table, slot))
			s->voice->memory_out = true;
		at = s->n_subset++;
		d->evs[at] = ev;
		d->slots[at] = slot;
		d->states[at] = stateful ? slot_state(slot) : NULL;
		d->seen[at] = ++slot->seen;
		d->at[at] = i;
		if (timed) {
			s->ctx.now = time_at(s, i);
			flush(s);
			s->looked = i + 1;
		} else if (at + 1 == CALL_EVENTS || __builtin_expect(in->poison != NULL, 0)) {
			flush(s);
		}
	}
	flush(s);
	(void)drop_forgotten(s, &l->gone, gone, gone_end, t->n);
	if (timed)
		run_timers(s, t->n - 1);
}

/* The events come from the core that decoded them: ask for all before the first is needed. */
static void fetch(const struct lot *l, uint32_t group)
{
	const struct own *own = l->list + l->start[group];
	uint32_t n = l->start[group + 1] - l->start[group];

	for (uint32_t i = 0; i < n; i++) {
		__builtin_prefetch(own[i].ev);
		__builtin_prefetch((const char *)own[i].ev + 64);
	}
}

void shard_judge(struct shard *shard, struct desk *desk, struct instance *instances, uint32_t n_instances,
		 uint32_t level, const struct items *items, struct voice *voice)
{
	const struct lot *fetched = NULL;

	for (uint32_t i = 0; i < n_instances; i++) {
		struct instance *in = &instances[i];
		struct share *s = &shard->shares[i];
		const struct lot *l = &items->lots[in->keyspace];
		int64_t began;
		if (in->node->level != level || in->quarantined || in->absent ||
		    (in->home != UINT32_MAX && in->home != shard->number))
			continue;
		if (l->listed && l != fetched)
			fetch(l, shard->number);
		fetched = l;
		s->items = items;
		s->voice = voice;
		s->desk = desk;
		began = in->measured ? os->thread_cpu() : 0;
		judge_share(s, in->home != UINT32_MAX ? 0 : shard->number);
		if (in->measured)
			s->busy_ns += (uint64_t)(os->thread_cpu() - began);
	}
}
