/* SPDX-License-Identifier: Apache-2.0
 *
 * What a seed is: the items of its sources, and a configuration in which real detectors find something in them.
 */
#include "sim.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/push.h>

/* ---- items ---- */

static void text_of(char out[48], const char *what, uint32_t number)
{
	/* every third is longer than what the intern table compares as two words */
	(void)snprintf(out, 48, number % 3 == 2 ? "%s-with-a-rather-long-name-%u" : "%s%u", what, number);
}

static int32_t offer_event(const struct item *i, uint32_t number, struct tw_writer *w)
{
	char symbol[48], account[48], other[48], id[24];
	struct tw_str s, a, o, n;

	text_of(symbol, "S", i->symbol);
	text_of(account, "A", i->account);
	text_of(other, "A", i->other);
	(void)snprintf(id, sizeof id, "%u", number);
	s = tw_textz(symbol), a = tw_textz(account), o = tw_textz(other), n = tw_textz(id);
	switch (i->kind) {
	case TW_QUOTE:
		return tw_push_quote(w, i->ts, s, i->a, i->a + 0.01, i->b, TW_NONE);
	case TW_TRADE:
		return tw_push_trade(w, i->ts, s, i->a, i->b, i->other % 2 ? TW_BUY : TW_SELL, a, o, n);
	case TW_BAR:
		return tw_push_bar(w, i->ts, s, SECOND, i->a, i->a + 1, i->a - 1, i->a, i->b, 7);
	case TW_ORDER:
		return tw_push_order(w, i->ts, s, a, tw_textz("new"), TW_BUY, i->a, i->b, i->b, n);
	case TW_DEAL: {
		struct tw_deal_in d = { .account = a,
					.symbol = s,
					.ticket = n,
					.side = TW_BUY,
					.open_ts = i->ts - SECOND,
					.size = i->b,
					.open_price = i->a,
					.close_price = i->a - 1,
					.stop_loss = TW_NONE,
					.take_profit = TW_NONE,
					.commission = TW_NONE,
					.swap = TW_NONE,
					.profit = number % 3 ? -i->b : i->b };
		return tw_push_deal(w, i->ts, &d);
	}
	case TW_ACCOUNT:
		return tw_push_account(w, i->ts, a, tw_textz("snapshot"), TW_NONE, i->a, i->b, TW_NONE, TW_NONE,
				       tw_textz("USD"), tw_none, tw_none);
	default:
		return tw_push_news(w, i->ts, tw_textz("wire"), n, tw_textz("headline"), s, tw_none, tw_textz("high"),
				    tw_textz("something happened"), TW_NONE, TW_NONE, TW_NONE);
	}
}

int32_t item_offer(const struct plan_source *s, uint32_t index, struct tw_writer *w)
{
	const struct item *i = &s->items[index];
	struct buf bytes = { 0 };
	char where[32];
	int32_t rc;

	(void)snprintf(where, sizeof where, "%s:%u", s->name, index);
	w->where = where;
	w->raw = where;
	w->raw_len = strlen(where);
	switch (i->what) {
	case ITEM_REJECT:
		rc = w->reject(w, "bad_row", where, "this row is no event", where, strlen(where));
		break;
	case ITEM_SKIP:
		w->skip(w, 1);
		rc = TW_OK;
		break;
	default:
		if (!i->as_msgpack) {
			rc = offer_event(i, index, w);
			break;
		}
		item_bytes(s, index, &bytes);
		rc = w->push(w, bytes.data, bytes.len);
		buf_free(&bytes);
	}
	w->where = NULL;
	w->raw = NULL;
	w->raw_len = 0;
	return i->what == ITEM_BAD && rc == TW_E_DATA ? TW_OK : rc;
}

/* A writer that keeps the bytes. */
struct capture {
	struct tw_writer w;
	struct buf *out;
};

static int32_t capture_put(struct tw_writer *w, uint32_t bit, int64_t ts, const union tw_num *num,
			   const struct tw_str *str)
{
	struct buf *out = ((struct capture *)(void *)w)->out;
	const struct kind *kind = kind_of(bit);

	out->len = 0;
	out->len = event_put(must(buf_reserve(out, event_bound(kind, str))), kind, ts, num, str);
	return TW_OK;
}

void item_bytes(const struct plan_source *s, uint32_t index, struct buf *out)
{
	struct capture c = { .w = { .struct_size = sizeof c.w, .put = capture_put }, .out = out };

	calm_begin();
	(void)offer_event(&s->items[index], index, &c.w);
	calm_end();
}

/* ---- sources ---- */

struct market {
	uint32_t symbols, accounts;
	double price[32];
	int64_t tick; /* times are multiples of it: ties, when it is large */
	int64_t span; /* of a source, from its first event to its last */
	double bad, reject, skip;
};

static uint32_t draw_kind(struct rng *r)
{
	static const uint32_t kinds[] = { TW_QUOTE, TW_QUOTE, TW_QUOTE, TW_TRADE, TW_TRADE,   TW_TRADE,
					  TW_DEAL,  TW_DEAL,  TW_BAR,   TW_ORDER, TW_ACCOUNT, TW_NEWS };
	return kinds[rng_below(r, sizeof kinds / sizeof *kinds)];
}

static void draw_item(struct rng *r, struct market *m, struct item *i)
{
	double *price;

	i->symbol = (uint16_t)rng_below(r, m->symbols);
	i->account = (uint16_t)rng_below(r, m->accounts);
	i->other = rng_chance(r, 0.4) ? i->account : (uint16_t)rng_below(r, m->accounts);
	i->kind = draw_kind(r);
	price = &m->price[i->symbol];
	*price *= 1 + ((double)rng_below(r, 2001) - 1000) * 1e-6;
	i->a = *price * (rng_chance(r, 0.06) ? 1.2 : 1);
	i->b = (double)(1u << rng_below(r, 6)) / 8;
	i->as_msgpack = rng_chance(r, 0.2);
	i->what = ITEM_EVENT;
	if (rng_chance(r, m->bad)) {
		i->what = ITEM_BAD;
		i->kind = TW_QUOTE;
		i->a = (double)INFINITY;
		i->as_msgpack = false;
	} else if (rng_chance(r, m->reject)) {
		i->what = ITEM_REJECT;
	} else if (rng_chance(r, m->skip)) {
		i->what = ITEM_SKIP;
	}
}

static void draw_source(struct rng *r, struct market *m, struct plan *p, uint32_t number, uint32_t n)
{
	struct plan_source *s = &p->sources[number];
	int64_t step = m->span / (n ? n : 1) + 1, at = rng_below(r, 1000) * MS;
	bool late = rng_chance(r, 0.3);

	(void)snprintf(s->name, sizeof s->name, "s%u", number);
	s->n = n;
	s->items = must(calloc(n ? n : 1, sizeof *s->items));
	for (uint32_t i = 0; i < n; i++) {
		struct item *it = &s->items[i];
		draw_item(r, m, it);
		if (!rng_chance(r, 0.3)) /* bursts */
			at += (int64_t)(rng_next(r) % (uint64_t)(2 * step));
		it->arrives = at;
		it->ts = p->begin + at;
		if (late && rng_chance(r, 0.1))
			it->ts -= rng_below(r, 3000) * MS;
		it->ts -= it->ts % m->tick;
		s->n_events += it->what == ITEM_EVENT;
		s->n_skipped += it->what == ITEM_SKIP;
		s->n_dead += it->what == ITEM_BAD || it->what == ITEM_REJECT;
	}
}

static void draw_sources(struct rng *r, struct plan *p)
{
	static const int64_t ticks[] = { 1, MS, 250 * MS, SECOND };
	struct market m = { .symbols = rng_between(r, 1, 12), .accounts = rng_between(r, 1, 6) };
	uint32_t nature = rng_below(r, 4), total = rng_between(r, 30, 330);

	for (uint32_t i = 0; i < 32; i++)
		m.price[i] = 50 + 10 * (double)i;
	m.tick = ticks[rng_below(r, 4)];
	m.span = (int64_t)rng_between(r, 2, 60) * SECOND;
	m.bad = rng_chance(r, 0.5) ? 0.03 : 0;
	m.reject = rng_chance(r, 0.5) ? rng_chance(r, 0.2) ? 0.5 : 0.05 : 0;
	m.skip = rng_chance(r, 0.3) ? 0.05 : 0;
	p->flood = rng_chance(r, 0.015);
	p->n_sources = p->flood ? MAX_SOURCES : rng_between(r, 1, MAX_SOURCES);
	for (uint32_t i = 0; i < p->n_sources; i++) {
		bool finite = nature < 2 || (nature == 2 && rng_chance(r, 0.5));
		uint32_t n = rng_chance(r, 0.03) ? 0 : 1 + total / p->n_sources;
		if (p->flood) {
			m.reject = 0.93;
			n = rng_between(r, 1000, 4000);
		}
		p->sources[i].finite = finite;
		p->any_live |= !finite;
		p->any_finite |= finite;
		draw_source(r, &m, p, i, n);
	}
}

/* ---- configuration ---- */

static void line(struct plan *p, const char *fmt, ...) TW_PRINTF(2, 3);
static void line(struct plan *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (buf_addf(&p->yaml, "%s", text) != 0)
		must(NULL);
}

/* What every detector may have. */
static void line_common(struct rng *r, struct plan *p, bool free_key)
{
	static const char *const keys[] = { "symbol", "account", "'account,symbol'", "none" };
	static const char *const quiet[] = { "3 events", "1s", "500ms", "10 events" };

	if (free_key && rng_chance(r, 0.5))
		line(p, ", key: %s", keys[rng_below(r, 4)]);
	if (rng_chance(r, 0.6))
		line(p, ", max_keys: %u", rng_between(r, 1, 10));
	if (rng_chance(r, 0.4))
		line(p, ", ttl: %ums", rng_between(r, 100, 8000));
	if (rng_chance(r, 0.3))
		line(p, ", cooldown: %s", quiet[rng_below(r, 4)]);
	if (rng_chance(r, 0.2))
		line(p, ", warmup: %s", quiet[rng_below(r, 4)]);
	if (rng_chance(r, 0.15))
		line(p, ", where: {symbol: ['S*', '!S1']}");
	line(p, ", max_errors: 1000000}\n");
}

static void draw_inputs(struct rng *r, struct plan *p, uint32_t before)
{
	uint32_t emitter = rng_below(r, before ? before : 1);

	if (before && rng_chance(r, 0.45)) { /* behind another detector, maybe with the sources too */
		line(p, rng_chance(r, 0.5) ? "inputs: [%s]" : "inputs: ['*', %s]", p->detectors[emitter].name);
		return;
	}
	if (rng_chance(r, 0.7))
		line(p, "inputs: ['*']");
	else
		line(p, "inputs: [s%u]", rng_below(r, p->n_sources));
}

static void draw_detector(struct rng *r, struct plan *p, uint32_t n)
{
	struct plan_detector *d = &p->detectors[n];
	static const char *const fields[] = { "value", "price", "size", "return" };
	uint32_t which = n == 0 ? 0 : rng_below(r, 8);

	(void)snprintf(d->name, sizeof d->name, "d%u", n);
	d->scores = rng_chance(r, 0.5);
	line(p, "  %s: {", d->name);
	draw_inputs(r, p, n);
	switch (which) {
	case 0: /* the one that misses nothing is always there */
	case 1:
		line(p, ", plugin: trace, every: %u, emit: %s", rng_between(r, 1, 12), d->scores ? "true" : "false");
		if (rng_chance(r, 0.6))
			line(p, ", gap: %ums", rng_between(r, 50, 4000));
		if (rng_chance(r, 0.3))
			line(p, ", fail: %u", rng_between(r, 5, 60));
		line_common(r, p, true);
		break;
	case 2:
	case 3:
		line(p, ", plugin: zscore, fields: [%s], window: %u, threshold: 1.%u, method: %s, emit: %s",
		     fields[rng_below(r, 4)], rng_between(r, 2, 12), rng_below(r, 10),
		     rng_chance(r, 0.3) ? "robust" : "classic", d->scores ? "true" : "false");
		line_common(r, p, true);
		break;
	case 4:
		line(p, ", plugin: moving_average, window: %u, threshold_pct: 0.%u, emit: %s", rng_between(r, 1, 10),
		     rng_between(r, 1, 9), d->scores ? "true" : "false");
		line_common(r, p, true);
		break;
	case 5:
		line(p, ", plugin: rate, window: %ums, k: 1, history: %u, min_history: 2, forget: 20s, emit: %s",
		     rng_between(r, 200, 3000), rng_between(r, 2, 20), d->scores ? "true" : "false");
		line_common(r, p, true);
		break;
	case 6:
		line(p, ", plugin: martingale, pairs: 3, min_pairs: 1, steps: 1, emit: %s",
		     d->scores ? "true" : "false");
		line_common(r, p, false);
		break;
	default:
		d->scores = false;
		line(p, ", plugin: wash_trade, window: 5s, fills: 2");
		line_common(r, p, false);
	}
}

static void draw_sink(struct rng *r, struct plan *p, uint32_t n)
{
	struct plan_sink *k = &p->sinks[n];
	bool some = rng_chance(r, 0.3), any = false;

	(void)snprintf(k->name, sizeof k->name, "k%u", n);
	k->kind = (enum sink_kind)rng_below(r, 3);
	k->scores = k->kind != SINK_KEEPER && rng_chance(r, 0.4); /* scores have no id to know them by */
	k->refuses = rng_chance(r, 0.3) ? rng_between(r, 2, 30) : 0;
	line(p, "  %s: {plugin: sim_sink, number: %u, kinds: %s, inputs: ", k->name, n,
	     k->scores ? "[alert, score]" : "[alert]");
	for (uint32_t i = 0; some && i < p->n_detectors; i++)
		any |= k->only[i] = rng_chance(r, 0.5);
	if (!any) {
		line(p, "['*']}\n");
		return;
	}
	for (uint32_t i = 0, first = 1; i < p->n_detectors; i++) {
		if (!k->only[i])
			continue;
		line(p, "%s%s", first ? "[" : ", ", p->detectors[i].name);
		first = 0;
	}
	line(p, "]}\n");
}

void plan_make(struct plan *p, uint64_t seed)
{
	struct rng r = { .at = hash_u64(seed + UINT64_C(0x706c616e)) };

	*p = (struct plan){ .begin = (int64_t)1767225600 * SECOND + rng_below(&r, 86400) * SECOND };
	draw_sources(&r, p);
	line(p, "sources:\n");
	for (uint32_t i = 0; i < p->n_sources; i++)
		line(p, "  s%u: {plugin: sim_source, number: %u, max_bad: 1000000, retries: 1000000}\n", i, i);
	p->n_detectors = rng_between(&r, 1, 6);
	line(p, "detectors:\n");
	for (uint32_t i = 0; i < p->n_detectors; i++)
		draw_detector(&r, p, i);
	p->n_sinks = rng_below(&r, MAX_SINKS + 1);
	if (p->n_sinks)
		line(p, "sinks:\n");
	for (uint32_t i = 0; i < p->n_sinks; i++)
		draw_sink(&r, p, i);
	line(p, "host: {checkpoint: %ums, max_names: 1000}\n", 100u << rng_below(&r, 7));
}

void plan_free(struct plan *p)
{
	for (uint32_t i = 0; i < p->n_sources; i++)
		free(p->sources[i].items);
	buf_free(&p->yaml);
	*p = (struct plan){ 0 };
}
