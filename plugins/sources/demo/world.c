/* SPDX-License-Identifier: Apache-2.0
 *
 * The clockwork of the simulated world: moves everything on by a second, then hands out what happened in order.
 */
#include "world.h"
#include <stdlib.h>

int world_open(struct world *w, const struct world_options *o)
{
	*w = (struct world){ .o = *o };
	w->now = o->start;
	w->end = o->duration ? o->start + o->duration : INT64_MAX;
	w->n_symbols = (uint32_t)o->symbols;
	w->n_accounts = (uint32_t)o->accounts;
	if (curves_make(w) || market_open(w) || accounts_open(w)) {
		world_close(w);
		return -1;
	}
	return 0;
}

void world_close(struct world *w)
{
	free(w->curves);
	free(w->symbols);
	free(w->accounts);
	free(w->out);
	free(w->order);
	*w = (struct world){ 0 };
}

struct out *world_add(struct world *w, uint32_t kind, int64_t ts)
{
	if (w->n_out == w->cap_out) {
		uint32_t cap = w->cap_out ? 2 * w->cap_out : 256;
		void *p;

		if (w->cap_out >= MAX_PENDING)
			return NULL;
		p = realloc(w->out, cap * sizeof *w->out);
		if (!p)
			return NULL;
		w->out = p;
		p = realloc(w->order, cap * sizeof *w->order);
		if (!p)
			return NULL;
		w->order = p;
		w->cap_out = cap;
	}
	struct out *o = &w->out[w->n_out++];

	memset(o, 0, sizeof *o);
	o->kind = kind;
	o->ts = ts;
	return o;
}

static int earlier(const struct world *w, uint32_t a, uint32_t b)
{
	int64_t at = w->out[a].ts, bt = w->out[b].ts;

	return at != bt ? at < bt : a < b;
}

/* Heapsort: no worst case, no memory, and the same order on every machine. Ties keep the order of creation. */
static void sift(const struct world *w, uint32_t *v, uint32_t at, uint32_t n)
{
	for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
		uint32_t t = v[at];

		if (child + 1 < n && earlier(w, v[child], v[child + 1]))
			child++;
		if (!earlier(w, t, v[child]))
			return;
		v[at] = v[child];
		v[child] = t;
	}
}

static void sort(struct world *w)
{
	uint32_t n = w->n_out, *v = w->order;

	for (uint32_t i = 0; i < n; i++)
		v[i] = i;
	if (n <= 64) { /* an ordinary second */
		for (uint32_t i = 1; i < n; i++) {
			uint32_t j = i;

			for (; j > 0 && earlier(w, i, v[j - 1]); j--)
				v[j] = v[j - 1];
			v[j] = i;
		}
		return;
	}
	for (uint32_t i = n / 2; i-- > 0;)
		sift(w, v, i, n);
	for (uint32_t i = n; i-- > 1;) {
		uint32_t t = v[0];

		v[0] = v[i];
		v[i] = t;
		sift(w, v, 0, i);
	}
}

static void second(struct world *w)
{
	w->n_out = w->at = 0;
	world_add(w, TW_CLOCK, w->now);
	if (w->now < w->end) {
		int64_t day = (w->now - w->o.start) / DAY;

		if ((w->now - w->o.start) % DAY == 0) {
			news_day(w, day);
			abuse_day(w, day);
		}
		abuse_second(w);
		market_sessions(w);
		news_second(w);
		accounts_second(w);
		market_second(w);
		abuse_labels(w);
		sort(w);
	} else if (w->n_out) {
		w->order[0] = 0; /* the last stroke of the clock */
	}
	w->now += SECOND;
}

const struct out *world_peek(struct world *w)
{
	while (w->at == w->n_out) {
		if (w->now > w->end)
			return NULL;
		second(w);
	}
	return &w->out[w->order[w->at]];
}

void world_take(struct world *w)
{
	w->at++;
	w->ordinal++;
}
