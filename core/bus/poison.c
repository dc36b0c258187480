/* SPDX-License-Identifier: Apache-2.0
 *
 * Knowing an event again, leaving it out, and saying so.
 */
#include "bus/poison.h"
#include "base/crash.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/os.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_BYTES 4096u /* of an event's bytes, so many tell it from others */

/* ---- what an event and a timer are known by ---- */

static uint64_t name_id(const struct intern *names, uint32_t id, uint64_t seed)
{
	return hash_u64(seed ^ hash_bytes(intern_name(names, id), intern_len(names, id)));
}

/* Of what a detector said there are no bytes yet. */
static uint64_t said_id(const struct share *s, uint32_t item)
{
	const struct items *t = s->items;
	const struct tw_event *ev = t->ev[item];
	const struct tw_str *who = ev->kind == TW_ALERT ? &ev->alert.detector : &ev->score.detector;
	double score = ev->kind == TW_ALERT ? ev->alert.score : ev->score.score;
	uint64_t bits;

	memcpy(&bits, &score, sizeof bits);
	bits = hash_u64(bits ^ ev->kind) ^ hash_bytes(who->s ? who->s : "", who->s ? who->len : 0);
	bits = name_id(s->instance->intern, t->symbol[item], bits);
	return name_id(s->instance->intern, t->account[item], bits);
}

/* Without its number, which it does not have for good before it is on the tape. */
static uint64_t event_id(const struct share *s, uint32_t item)
{
	const struct tw_event *ev = s->items->ev[item];
	unsigned char bytes[ID_BYTES];
	size_t n = ev->raw_len < ID_BYTES ? ev->raw_len : ID_BYTES;

	if (!ev->raw || n < 32)
		return said_id(s, item);
	memcpy(bytes, ev->raw, n);
	event_stamp(bytes, 0);
	return hash_bytes(bytes, n);
}

static uint64_t timer_id(const struct share *s)
{
	uint64_t id = name_id(s->instance->intern, s->timer_slot->symbol, 1);

	return name_id(s->instance->intern, s->timer_slot->account, id);
}

static const char *source_of(const struct instance *in, const struct tw_event *ev)
{
	const struct graph *g = in->graph;

	return ev->source < g->n ? g->nodes[ev->source].name : ev->source == g->n ? "@clock" : "?";
}

void poison_about(const struct call *c, struct call_about *ret)
{
	const struct share *s = (const struct share *)(const void *)((const char *)c - offsetof(struct share, call));
	uint32_t i = s->first + s->ctx.i, item;

	if (!s->items)
		return;
	if (!s->timer_slot && i >= s->n_subset)
		return;
	item = s->timer_slot ? s->at_now : s->desk->at[i];
	ret->seq = s->items->ev[item]->seq;
	ret->source = source_of(s->instance, s->items->ev[item]);
	ret->timer = s->timer_slot != NULL;
	ret->ts = ret->timer ? s->timer_due : s->items->ev[item]->ts;
	ret->id = ret->timer ? timer_id(s) : event_id(s, item);
}

/* ---- leaving out ---- */

enum verdict { HARMLESS, KNOWN, FOUND };

/* The list is short and almost never matches in ts. What has an identity belongs to one key, so to one shard: nobody
 * else looks for this entry at the same time. */
static enum verdict judge(const struct poison *p, bool timer, int64_t ts, uint64_t seq,
			  uint64_t (*id)(const struct share *, uint32_t), const struct share *s, uint32_t item)
{
	uint32_t low = 0, high = p->n;
	uint64_t mine = 0;
	bool have = false;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (p->list[mid].ts < ts)
			low = mid + 1;
		else
			high = mid;
	}
	for (uint32_t pass = 0; pass < 2; pass++) { /* what is settled goes first */
		for (uint32_t i = low; i < p->n && p->list[i].ts == ts; i++) {
			struct poison_entry *e = &p->list[i];
			uint64_t of = atomic_load_explicit(&e->seq, memory_order_relaxed);
			if (e->timer != timer || of != (pass ? 0 : seq))
				continue;
			if (!have)
				mine = id(s, item);
			have = true;
			if (e->id != mine)
				continue;
			if (pass == 0)
				return KNOWN;
			atomic_store_explicit(&e->seq, seq, memory_order_relaxed);
			return FOUND;
		}
	}
	return HARMLESS;
}

static void note(struct share *s, uint32_t item, int64_t ts, uint64_t id, bool timer)
{
	struct voice *v = s->voice;

	if (!batch_grow((void **)&v->failures, &v->cap_failures, v->n_failures + 1, sizeof *v->failures)) {
		v->memory_out = true;
		return;
	}
	v->failures[v->n_failures++] = (struct failure){ .ev = s->items->ev[item],
							 .instance = s->instance->number,
							 .origin = s->items->origin[item],
							 .at = item,
							 .code = FAILURE_POISON,
							 .ts = ts,
							 .id = id,
							 .timer = timer };
}

void poison_strain(struct share *s)
{
	struct desk *d = s->desk;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n_subset; i++) {
		const struct tw_event *ev = d->evs[i];
		uint32_t item = d->at[i];
		enum verdict v = judge(s->instance->poison, false, ev->ts, ev->seq, event_id, s, item);
		if (v == FOUND)
			note(s, item, ev->ts, event_id(s, item), false);
		if (v != HARMLESS)
			continue;
		d->evs[kept] = ev;
		d->states[kept] = d->states[i];
		d->slots[kept] = d->slots[i];
		d->seen[kept] = d->seen[i];
		d->at[kept++] = item;
	}
	s->n_subset = kept;
}

static uint64_t timer_id_of(const struct share *s, uint32_t item)
{
	(void)item;
	return timer_id(s);
}

bool poison_timer(struct share *s)
{
	uint64_t seq = s->items->ev[s->at_now]->seq;
	enum verdict v = judge(s->instance->poison, true, s->timer_due, seq, timer_id_of, s, s->at_now);

	if (v == FOUND)
		note(s, s->at_now, s->timer_due, timer_id(s), true);
	return v != HARMLESS;
}

/* ---- the dead letter ---- */

struct dead_letter poison_letter(const struct instance *in, const struct failure *f, struct poison_text *t)
{
	const char *what = f->timer ? "a timer at event" : "event";

	(void)snprintf(t->where, sizeof t->where, "%s %" PRId64 " %016" PRIx64, f->timer ? "timer" : "event", f->ts,
		       f->id);
	(void)snprintf(t->detail, sizeof t->detail,
		       "%s %" PRIu64 " of source '%s' has killed plugin '%s' twice: it is not shown to detector '%s'",
		       what, f->ev->seq, source_of(in, f->ev), in->node->plugin->name, in->node->name);
	log_error(in->node->name, "%s any more and everything goes on; `tapewatch tape cat --dead` shows it",
		  t->detail);
	return (struct dead_letter){ .wall = os->wall(),
				     .seq = f->ev->seq,
				     .source = { .s = in->node->name, .len = (uint32_t)strlen(in->node->name) },
				     .reason = { .s = "poison", .len = 6 },
				     .where = { .s = t->where, .len = (uint32_t)strlen(t->where) },
				     .detail = { .s = t->detail, .len = (uint32_t)strlen(t->detail) },
				     .raw = { .s = (const char *)f->ev->raw, .len = f->ev->raw ? f->ev->raw_len : 0 } };
}

/* ---- loading ---- */

static struct instance *named(struct instance *list, uint32_t n, const char *name, size_t len)
{
	for (uint32_t i = 0; i < n; i++)
		if (strlen(list[i].node->name) == len && !memcmp(list[i].node->name, name, len))
			return &list[i];
	return NULL;
}

static int32_t add(struct instance *in, const struct poison_entry *e)
{
	struct poison *p = in->poison ? in->poison : calloc(1, sizeof *p);

	if (!p)
		return TW_E_FATAL;
	in->poison = p;
	if (p->n == POISON_MAX) {
		log_error(in->node->name, "more than %u events that kill it: those beyond are shown to it", POISON_MAX);
		return TW_OK;
	}
	if (!batch_grow((void **)&p->list, &p->cap, p->n + 1, sizeof *p->list))
		return TW_E_FATAL;
	p->list[p->n].ts = e->ts;
	p->list[p->n].id = e->id;
	p->list[p->n].timer = e->timer;
	atomic_init(&p->list[p->n].seq, e->seq);
	p->n++;
	return TW_OK;
}

/* A source may refuse rows with any word it likes, but not in the name of a detector that is not there under its own.
 */
static int32_t from_letter(struct instance *list, uint32_t n, const struct dead_letter *d)
{
	struct poison_entry e = { 0 };
	struct instance *in;
	char where[64], word[8];

	if (d->reason.len != 6 || memcmp(d->reason.s, "poison", 6) != 0 || d->where.len >= sizeof where || !d->seq)
		return TW_OK;
	in = named(list, n, d->source.s ? d->source.s : "", d->source.len);
	memcpy(where, d->where.s ? d->where.s : "", d->where.len);
	where[d->where.len] = '\0';
	if (!in || sscanf(where, "%7s %" SCNd64 " %" SCNx64, word, &e.ts, &e.id) != 3)
		return TW_OK;
	e.timer = strcmp(word, "timer") == 0;
	atomic_init(&e.seq, d->seq);
	return add(in, &e);
}

static int32_t read_letters(struct instance *list, uint32_t n, struct store *log, struct tw_err *e)
{
	struct log_reader *r = NULL;
	struct block b = { 0 };
	int32_t rc = log_reader_open(&r, log, LOG_DEAD, 1, e);

	while (rc == TW_OK && (rc = log_reader_next(r, &b, e)) == TW_OK) {
		struct dead_letter d;
		size_t at = 0;
		while (rc == TW_OK && dead_record(&b, &at, &d))
			if (from_letter(list, n, &d) < 0)
				rc = err_set(e, TW_E_FATAL, "memory is out");
	}
	log_reader_close(r);
	return rc < 0 ? rc : TW_OK;
}

static bool same_death(const struct death *a, const struct death *b)
{
	return a->timer == b->timer && a->ts == b->ts && a->id == b->id && strcmp(a->instance, b->instance) == 0;
}

static uint32_t settled(const struct poison *p, const struct death *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; p && i < p->n; i++)
		n += p->list[i].timer == d->timer && p->list[i].ts == d->ts && p->list[i].id == d->id;
	return n;
}

static int32_t weigh(struct instance *in, const struct death *deaths, uint32_t n, uint32_t first)
{
	const struct death *d = &deaths[first];
	struct poison_entry e = { .ts = d->ts, .id = d->id, .timer = d->timer };
	uint32_t died = 0, done = settled(in->poison, d);

	for (uint32_t i = 0; i < n; i++)
		died += same_death(&deaths[i], d);
	if (died % 2 && died / 2 >= done)
		log_warn(in->node->name,
			 "an earlier run died in it on %s %" PRIu64 "; when that happens once more it is set aside",
			 d->timer ? "a timer at event" : "event", d->seq);
	for (; done < died / 2; done++)
		if (add(in, &e) < 0)
			return TW_E_FATAL;
	/* From now on one by one, even if there is nothing to leave out yet. */
	if (!in->poison && !(in->poison = calloc(1, sizeof *in->poison)))
		return TW_E_FATAL;
	return TW_OK;
}

static int by_ts(const void *a, const void *b)
{
	const struct poison_entry *x = a, *y = b;

	return x->ts < y->ts ? -1 : x->ts > y->ts;
}

int32_t poison_load(struct instance *list, uint32_t n, struct store *log, const struct death *deaths, uint32_t n_deaths,
		    struct tw_err *e)
{
	int32_t rc = log ? read_letters(list, n, log, e) : TW_OK;

	for (uint32_t i = 0; i < n_deaths && rc == TW_OK; i++) {
		struct instance *in = named(list, n, deaths[i].instance, strlen(deaths[i].instance));
		bool first = in != NULL;
		for (uint32_t k = 0; k < i && first; k++)
			first = !same_death(&deaths[k], &deaths[i]);
		if (first && weigh(in, deaths, n_deaths, i) < 0)
			rc = err_set(e, TW_E_FATAL, "memory is out");
	}
	if (n_deaths)
		CRASH_POINT("poison.loaded");
	for (uint32_t i = 0; i < n; i++)
		if (list[i].poison && list[i].poison->n)
			qsort(list[i].poison->list, list[i].poison->n, sizeof *list[i].poison->list, by_ts);
	return rc;
}

void poison_free(struct instance *in)
{
	if (in->poison)
		free(in->poison->list);
	free(in->poison);
	in->poison = NULL;
}
