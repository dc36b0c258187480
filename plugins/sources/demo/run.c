/* SPDX-License-Identifier: Apache-2.0
 *
 * A martingale run: the account closes what it has, then trades one symbol with a lot that doubles after every loss,
 * until it has doubled often enough; the last trade ends as it ends.
 */
#include "world.h"

#define PATIENCE (6 * MINUTE)  /* how long a trade may refuse to lose  */
#define LIMIT    (50 * MINUTE) /* of the whole run                     */

static void finish(struct world *w, struct account *a, int64_t closed)
{
	a->run->to = closed;
	a->run->label_at = closed + 5 * SECOND + random_below(&a->random, 55) * SECOND;
	a->losses = 0;
	a->next = w->now + MINUTE;
}

static void step_open(struct world *w, struct account *a)
{
	struct abuse *r = a->run;
	uint32_t side = r->rate < 0 && r->done % 2 ? (a->bias == TW_BUY ? TW_SELL : TW_BUY) : a->bias;
	struct position *p;

	if (!(r->strength > 0)) /* hundredths, so that the doubles are exact */
		r->strength = .01 * (double)(1 + random_below(&a->random, 20));
	p = position_open(w, a, r->symbol, side, r->strength * (double)(UINT64_C(1) << r->done), 0, 0,
			  (15 + (int64_t)random_below(&a->random, 105)) * SECOND);
	if (p && r->done == 0)
		r->from = p->open_ts; /* the label begins where the behaviour does */
}

void run_second(struct world *w, struct account *a)
{
	struct abuse *r = a->run;
	const struct symbol *s = &w->symbols[r->symbol];
	struct position *p = a->positions;
	bool last = r->done == r->steps;

	if (r->hold == 0) { /* the beginning */
		r->hold = w->now;
		for (uint32_t i = a->n_positions; i-- > 0;)
			if (market_trades(w, &w->symbols[a->positions[i].symbol]))
				position_close(w, a, &a->positions[i], 0);
		a->n_positions = 0; /* what could not be closed is forgotten with the account's earlier life */
		a->copy.ticket = 0;
		a->run_next = w->now + 10 * SECOND;
	}
	if (!market_trades(w, s))
		return;
	if (!a->n_positions) {
		if (w->now >= a->run_next)
			step_open(w, a);
		return;
	}
	bool hurry = w->now - r->hold > LIMIT || w->now - p->due > PATIENCE;

	if (w->now < p->due || (!last && !hurry && position_profit(w, p) >= 0))
		return;
	position_close(w, a, p, last ? 0 : 2 / s->points);
	a->run_next = w->now + (3 + (int64_t)random_below(&a->random, 37)) * SECOND;
	if (last)
		finish(w, a, w->now + SECOND);
	else
		r->done++;
}
