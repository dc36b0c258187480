/* SPDX-License-Identifier: Apache-2.0
 *
 * Orders, fills and deals of an account. Prices are those of the last quote before this second: nobody trades on what
 * has not happened yet.
 */
#include "world.h"

static uint64_t ticket(const struct world *w, struct account *a)
{
	return ((uint64_t)(a - w->accounts) + 1) * 1000000 + ++a->tickets;
}

static void order(struct world *w, const struct account *a, int64_t ts, const char *action, const struct symbol *s,
		  uint32_t side, double price, double lots, double remaining, uint64_t id)
{
	struct out *o = world_add(w, TW_ORDER, ts);

	if (!o)
		return;
	o->symbol = (uint32_t)(s - w->symbols) + 1;
	o->account = (uint32_t)(a - w->accounts) + 1;
	o->side = side;
	o->text[0] = action;
	o->v[0] = price;
	o->v[1] = lots;
	o->v[2] = remaining;
	o->id = id;
}

/* The fill on the trade tape. Now and then two orders of one client meet by accident: that is no wash trading. */
static void fill(struct world *w, struct account *a, int64_t ts, const struct symbol *s, uint32_t side, double price,
		 double lots, uint64_t id)
{
	struct out *o = world_add(w, TW_TRADE, ts);
	double u = random_unit(&a->random);

	if (!o)
		return;
	o->symbol = (uint32_t)(s - w->symbols) + 1;
	o->account = (uint32_t)(a - w->accounts) + 1;
	if (u < .004)
		o->counterparty = o->account;
	else if (u < .15) /* inside the house; else the liquidity provider, which is no account */
		o->counterparty = random_below(&a->random, w->n_accounts) + 1;
	o->side = side;
	o->v[0] = price;
	o->v[1] = s->in.session == SESSION_EQUITY ? (double)(int64_t)(lots * 100 + .5) : lots;
	o->id = UINT64_C(800000000000) + id;
}

static int64_t moment(struct world *w, struct account *a)
{
	return w->now + random_below(&a->random, 600) * INT64_C(1000000);
}

static double cents(double v)
{
	return (double)(int64_t)(v * 100 + (v < 0 ? -.5 : .5)) / 100;
}

struct position *position_open(struct world *w, struct account *a, uint32_t symbol, uint32_t side, double lots,
			       double stop, double take, int64_t hold)
{
	const struct symbol *s = &w->symbols[symbol];
	double price = side == TW_BUY ? s->ask : s->bid;
	int64_t ts = moment(w, a), filled = ts + (20 + random_below(&a->random, 180)) * INT64_C(1000000);
	uint64_t id = ticket(w, a);
	struct position *p;

	if (a->n_positions >= MAX_POSITIONS)
		return NULL;
	lots = cents(lots);
	lots = lots < .01 ? .01 : lots > 100 ? 100 : lots;
	order(w, a, ts, "new", s, side, price, lots, lots, id);
	if (random_unit(&a->random) < .01) {
		order(w, a, filled, "reject", s, side, price, lots, lots, id);
		return NULL;
	}
	if (random_unit(&a->random) < .05) { /* a change of mind: a limit order that never fills */
		uint64_t other = ticket(w, a);
		double away = market_round(s, price * (side == TW_BUY ? .999 : 1.001));

		order(w, a, ts, "new", s, side, away, lots, lots, other);
		order(w, a, filled, "cancel", s, side, away, lots, lots, other);
	}
	order(w, a, filled, "fill", s, side, price, lots, 0, id);
	fill(w, a, filled, s, side, price, lots, id);
	if (stop > 0 && random_unit(&a->random) < .3)
		order(w, a, filled + 50000000, "modify", s, side, stop, lots, lots, id);
	p = &a->positions[a->n_positions++];
	*p = (struct position){ .ticket = id,
				.symbol = symbol,
				.side = side,
				.open_ts = filled,
				.due = filled + hold,
				.lots = lots,
				.price = price,
				.stop = stop,
				.take = take };
	return p;
}

double position_profit(const struct world *w, const struct position *p)
{
	const struct symbol *s = &w->symbols[p->symbol];

	return p->side == TW_BUY ? s->bid - p->price : p->price - s->ask;
}

double position_close(struct world *w, struct account *a, struct position *p, double slip)
{
	const struct symbol *s = &w->symbols[p->symbol];
	double move = position_profit(w, p), price, profit;
	int64_t ts = moment(w, a) + 300000000, nights;
	uint32_t side = p->side == TW_BUY ? TW_SELL : TW_BUY;
	struct out *o;

	if (slip > 0 && move > -slip)
		move = -slip;
	price = market_round(s, p->side == TW_BUY ? p->price + move : p->price - move);
	profit = cents((p->side == TW_BUY ? price - p->price : p->price - price) * p->lots * market_lot_value(s));
	if (ts <= p->open_ts)
		ts = p->open_ts + 1000000;
	nights = ts / DAY - p->open_ts / DAY;
	fill(w, a, ts, s, side, price, p->lots, p->ticket);
	o = world_add(w, TW_DEAL, ts);
	if (o) {
		o->symbol = p->symbol + 1;
		o->account = (uint32_t)(a - w->accounts) + 1;
		o->side = p->side;
		o->from = p->open_ts;
		o->id = p->ticket;
		o->v[0] = p->lots;
		o->v[1] = p->price;
		o->v[2] = price;
		o->v[3] = p->stop;
		o->v[4] = p->take;
		o->v[5] = cents(-6 * p->lots);
		o->v[6] = cents(-2.5 * (double)nights * p->lots);
		o->v[7] = profit;
		a->balance = cents(a->balance + profit + o->v[5] + o->v[6]);
	}
	*p = a->positions[--a->n_positions];
	return profit;
}
