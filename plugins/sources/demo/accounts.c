/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker's clients: who they are, when they trade and how much. Every account has a style and a stream of random
 * numbers of its own, so the first forty are the same among forty and among ten thousand.
 */
#include "world.h"
#include <math.h>
#include <stdlib.h>

enum rule { RANDOM, TREND, AGAINST, ONE_SIDED, HEDGE, COPY };

struct style {
	const char *name;
	double per_day;           /* decisions to open on a day  */
	double hold, hold_sd;     /* log of minutes              */
	double lots_sd, per_loss; /* log size; factor per loss in a row */
	uint32_t loss_cap, max_open;
	double stop, take; /* basis points, 0: none */
	enum rule rule;
	double news;  /* share opened within 90 s of a release */
	double haste; /* minutes to the next trade after a loss; 0: as usual */
};

static const struct style styles[] = {
	{ "novice", 5, 3.6, 1.0, .35, 1.0, 0, 3, 0, 0, RANDOM, 0, 0 },
	{ "scalper", 30, .5, .6, .35, 1.0, 0, 1, 4, 3, RANDOM, 0, 0 },
	{ "martingale", 8, 3.0, .7, .05, 1.6, 2, 2, 0, 0, ONE_SIDED, 0, 12 }, /* never more than two steps */
	{ "grid", 14, 4.5, .7, .05, 1.0, 0, 8, 0, 14, ONE_SIDED, 0, 0 },
	{ "news", 2, 1.3, .6, .35, 1.0, 0, 2, 25, 40, RANDOM, .85, 0 },
	{ "swing", .9, 8.0, .6, .35, 1.0, 0, 3, 60, 250, TREND, 0, 0 },
	{ "trend", 3, 5.2, .6, .15, 1.0, 0, 2, 18, 70, TREND, 0, 0 },
	{ "disciplined", 4, 4.3, .6, .05, 1.0, 0, 1, 12, 40, AGAINST, 0, 0 },
	{ "revenge", 9, 2.8, .8, .25, 1.20, 3, 2, 0, 0, RANDOM, 0, 4 },
	{ "fast", 60, -1.0, .5, .10, 1.0, 0, 1, 0, 0, AGAINST, 0, 0 },
	{ "hedger", 5, 4.0, .6, .10, 1.0, 0, 4, 0, 0, HEDGE, 0, 0 },
	{ "copy", 0, 0, 0, .02, 1.0, 0, 4, 0, 0, COPY, 0, 0 },
};

/* Who account i is: a mix as a retail broker has it, every style among the first twenty. */
static const unsigned char mix[20] = { 0, 1, 6, 3, 4, 0, 2, 7, 11, 5, 8, 0, 9, 10, 7, 1, 5, 0, 11, 6 };

int accounts_open(struct world *w)
{
	w->accounts = calloc(w->n_accounts ? w->n_accounts : 1, sizeof *w->accounts);
	if (!w->accounts)
		return -1;
	for (uint32_t i = 0; i < w->n_accounts; i++) {
		struct account *a = &w->accounts[i];
		uint32_t number = i + 1;
		static const double leverages[] = { 30, 100, 200, 500 };

		a->name[0] = 'A';
		for (int d = 5; d > 0; d--, number /= 10)
			a->name[d] = (char)('0' + number % 10);
		a->style = &styles[mix[i % 20]];
		random_seed(&a->random, (uint64_t)w->o.seed, STREAM_ACCOUNT, i);
		for (int k = 0; k < 3; k++)
			a->favourites[k] = (uint32_t)(random_next(&a->random) % w->n_symbols);
		a->start_balance = 100 * (double)(int64_t)(50 * exact_exp(1.1 * random_normal(&a->random)) + 5);
		a->lots = a->start_balance / 10000 * .3 * exact_exp(.5 * random_normal(&a->random));
		a->leverage = leverages[random_below(&a->random, 4)];
		a->bias = random_unit(&a->random) < .5 ? TW_BUY : TW_SELL;
		a->prefer = (int64_t)(random_unit(&a->random) < .8 ? random_range(&a->random, 8, 17) * 3600
								   : random_range(&a->random, 0, 24) * 3600);
		a->next = w->o.start + (int64_t)(random_unit(&a->random) * 3600) * SECOND;
		a->snapshot = w->o.start + (int64_t)(i * 90 % 3600) * SECOND + SECOND;
		a->ratio = random_range(&a->random, .2, 2);
		if (a->style->rule == COPY && i > 0) {
			struct account *leader = &w->accounts[random_next(&a->random) % i];

			a->next_follower = leader->first_follower;
			leader->first_follower = i + 1;
		}
	}
	return 0;
}

void account_event(struct world *w, struct account *a, int64_t ts, const char *event, double amount,
		   const char *comment)
{
	double floating = 0, margin = 0;
	struct out *o = world_add(w, TW_ACCOUNT, ts);

	if (!o)
		return;
	for (uint32_t i = 0; i < a->n_positions; i++) {
		const struct position *p = &a->positions[i];
		const struct symbol *s = &w->symbols[p->symbol];

		floating += position_profit(w, p) * p->lots * market_lot_value(s);
		margin += p->lots * market_lot_value(s) * s->mid / a->leverage;
	}
	o->account = (uint32_t)(a - w->accounts) + 1;
	o->text[0] = event;
	o->text[1] = comment;
	o->v[0] = amount;
	o->v[1] = a->balance;
	o->v[2] = (double)(int64_t)((a->balance + floating) * 100) / 100;
	o->v[3] = (double)(int64_t)(margin * 100) / 100;
	o->v[4] = a->leverage;
}

static void deposit(struct world *w, struct account *a, double amount, const char *comment)
{
	a->balance += amount;
	account_event(w, a, w->now + random_below(&a->random, 900) * INT64_C(1000000), "balance", amount, comment);
}

static void snapshot(struct world *w, struct account *a)
{
	double floating = 0;

	for (uint32_t i = 0; i < a->n_positions; i++)
		floating += position_profit(w, &a->positions[i]) * a->positions[i].lots *
			    market_lot_value(&w->symbols[a->positions[i].symbol]);
	a->snapshot += 3600 * SECOND;
	if (a->balance + floating < .1 * a->start_balance && !a->run) { /* stopped out; comes back with fresh money */
		for (uint32_t i = a->n_positions; i-- > 0;)
			if (market_trades(w, &w->symbols[a->positions[i].symbol]))
				position_close(w, a, &a->positions[i], 0);
		if (!a->n_positions)
			deposit(w, a, a->start_balance, "deposit");
	} else if (random_unit(&a->random) < .004) {
		bool out = a->balance > 1.3 * a->start_balance;

		deposit(w, a, (double)(int64_t)(a->start_balance * (out ? -.2 : .25)), out ? "withdrawal" : "deposit");
	}
	account_event(w, a, w->now + INT64_C(950000000), "snapshot", (double)NAN, NULL);
}

/* Awake from three hours before its preferred time until five after. */
static bool awake(const struct account *a, int64_t ts)
{
	int64_t d = (ts / SECOND % 86400 - a->prefer + 86400 + 3 * 3600) % 86400;

	return a->style->rule == COPY || a->style->hold > 7 || d < 8 * 3600;
}

static void plan(struct world *w, struct account *a)
{
	double day = a->style->hold > 7 ? 86400 : 8 * 3600, wait;

	wait = random_exponential(&a->random) * day / (a->style->per_day > 0 ? a->style->per_day : 1);
	if (a->losses && a->style->haste > 0)
		wait = random_exponential(&a->random) * a->style->haste * 60;
	if (wait > 30 * 86400)
		wait = 30 * 86400;
	a->next = w->now + SECOND + (int64_t)(wait * 1e3) * 1000000;
}

void account_news(struct world *w, const struct news *n)
{
	for (uint32_t i = 0; i < w->n_accounts; i++) {
		struct account *a = &w->accounts[i];

		if (a->style->news > 0 && random_unit(&a->random) < a->style->news)
			a->next = n->ts + SECOND + (int64_t)(random_range(&a->random, 1, 80) * 1e3) * 1000000;
	}
}

/* Followers hear of what their leader does some hundred milliseconds to three seconds later. */
static void tell(struct world *w, const struct account *leader, const struct position *p, bool opened)
{
	for (uint32_t f = leader->first_follower; f; f = w->accounts[f - 1].next_follower) {
		struct account *a = &w->accounts[f - 1];
		int64_t due = w->now + SECOND + random_below(&a->random, 2000) * INT64_C(1000000);

		if (opened) {
			a->copy = *p;
			a->copy.due = due;
			continue;
		}
		for (uint32_t i = 0; i < a->n_positions; i++)
			if (a->positions[i].leader == p->ticket)
				a->positions[i].due = due;
	}
}

static void trade_now(struct world *w, struct account *a)
{
	const struct style *y = a->style;
	uint32_t symbol = a->favourites[random_below(&a->random, 3)],
		 side = random_unit(&a->random) < .5 ? TW_BUY : TW_SELL;
	const struct symbol *s = &w->symbols[symbol];
	uint32_t streak = a->losses < y->loss_cap ? a->losses : y->loss_cap;
	double lots = a->lots * exact_exp(y->lots_sd * random_normal(&a->random)), dir, stop = 0, take = 0, hold;
	struct position *p;

	hold = 60 * exact_exp(y->hold + y->hold_sd * random_normal(&a->random));
	if (!market_trades(w, s) || a->n_positions >= y->max_open)
		return;
	if (y->rule == TREND)
		side = s->mid > s->average ? TW_BUY : TW_SELL;
	else if (y->rule == AGAINST)
		side = s->mid > s->average ? TW_SELL : TW_BUY;
	else if (y->rule == ONE_SIDED)
		side = random_unit(&a->random) < .85 ? a->bias : a->bias == TW_BUY ? TW_SELL : TW_BUY;
	else if (y->rule == HEDGE && a->n_positions % 2) { /* the other side of the last position */
		p = &a->positions[a->n_positions - 1];
		symbol = p->symbol;
		side = p->side == TW_BUY ? TW_SELL : TW_BUY;
		lots = p->lots;
		s = &w->symbols[symbol];
		if (!market_trades(w, s))
			return;
	}
	for (uint32_t i = 0; i < streak; i++)
		lots *= y->rule == RANDOM ? 1 + (y->per_loss - 1) * 2 * random_unit(&a->random) : y->per_loss;
	dir = side == TW_BUY ? 1 : -1;
	if (y->stop > 0)
		stop = market_round(s, s->mid * (1 - dir * y->stop / 1e4));
	if (y->take > 0)
		take = market_round(s, s->mid * (1 + dir * y->take / 1e4));
	p = position_open(w, a, symbol, side, lots, stop, take, (int64_t)(hold * 1e3) * 1000000);
	if (p)
		tell(w, a, p, true);
}

static void copy_now(struct world *w, struct account *a)
{
	struct position *p, c = a->copy;

	a->copy.ticket = 0;
	if (a->n_positions >= a->style->max_open || !market_trades(w, &w->symbols[c.symbol]))
		return;
	p = position_open(w, a, c.symbol, c.side, c.lots * a->ratio, c.stop, c.take, 3 * DAY);
	if (p)
		p->leader = c.ticket;
}

static bool wants_out(struct world *w, struct account *a, struct position *p)
{
	const struct symbol *s = &w->symbols[p->symbol];
	double price = p->side == TW_BUY ? s->bid : s->ask, dir = p->side == TW_BUY ? 1 : -1;

	if (p->stop > 0 && dir * (price - p->stop) <= 0)
		return true;
	if (p->take > 0 && dir * (price - p->take) >= 0)
		return true;
	if (a->style == &styles[0] && !p->extended) { /* the novice takes small wins early and sits on losses */
		double profit = dir * (price - p->price);

		if (profit > 0 && w->now - p->open_ts > (p->due - p->open_ts) / 2)
			return true;
		if (profit < 0 && w->now >= p->due) {
			p->due += 2 * (p->due - p->open_ts);
			p->extended = true;
		}
	}
	return w->now >= p->due;
}

static void account_second(struct world *w, struct account *a)
{
	for (uint32_t i = a->n_positions; i-- > 0;) {
		struct position *p = &a->positions[i], was = *p;

		if (!market_trades(w, &w->symbols[p->symbol]) || !wants_out(w, a, p))
			continue;
		a->losses = position_close(w, a, p, 0) < 0 ? a->losses + 1 : 0;
		tell(w, a, &was, false);
		if (a->losses && a->style->haste > 0)
			plan(w, a);
	}
	if (a->copy.ticket && a->copy.due <= w->now)
		copy_now(w, a);
	if (a->next > w->now || a->style->rule == COPY)
		return;
	if (awake(a, w->now) || a->style->news > 0)
		trade_now(w, a);
	plan(w, a);
}

void accounts_second(struct world *w)
{
	for (uint32_t i = 0; i < w->n_accounts; i++) {
		struct account *a = &w->accounts[i];

		if (w->now == w->o.start)
			deposit(w, a, a->start_balance, "deposit");
		if (a->run && !a->run->label_at)
			run_second(w, a);
		else if (a->n_positions || a->next <= w->now || a->copy.ticket)
			account_second(w, a);
		if (a->snapshot <= w->now)
			snapshot(w, a);
	}
}
