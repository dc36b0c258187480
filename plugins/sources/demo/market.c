/* SPDX-License-Identifier: Apache-2.0
 *
 * The market: quotes and trades of each symbol.
 *
 * A quote moves the middle price by a step of a contaminated normal distribution (3 % of steps 1.5 times as wide)
 * whose width is the product of the instrument's own, the activity of the minute, and a stochastic volatility:
 * exp(fast + slow + shock), fast and slow being first-order autoregressions with half-lives of five minutes and two
 * hours, shock what news add. That gives clustering in time, fat tails over any horizon, spreads that widen with
 * volatility, and more quotes when more happens. Quotes and trades arrive as one Poisson process whose rate
 * is constant within a second.
 */
#include "world.h"
#include <math.h>
#include <stdlib.h>

#define FAST_KEEP    0.997692 /* 0.5^(1/300), a second   */
#define FAST_SD      0.35
#define SLOW_KEEP    0.994240 /* 0.5^(1/120), a minute   */
#define SLOW_SD      0.40     /* of the whole, half of its variance shared by all symbols */
#define SHARE_TRADES 0.25     /* trades per quote        */
#define SIZE_SD      0.8      /* of log size             */
#define WIDE         1.5
#define WIDE_SHARE   0.03

int market_open(struct world *w)
{
	random_seed(&w->random, (uint64_t)w->o.seed, STREAM_MARKET, 0);
	w->market_slow = random_normal(&w->random);
	w->symbols = calloc(w->n_symbols, sizeof *w->symbols);
	if (!w->symbols)
		return -1;
	for (uint32_t i = 0; i < w->n_symbols; i++) {
		struct symbol *s = &w->symbols[i];
		double seconds;

		instrument_of(i, s->name, &s->in);
		random_seed(&s->random, (uint64_t)w->o.seed, STREAM_SYMBOL, i);
		seconds = s->in.session == SESSION_EQUITY ? 23400 : s->in.session == SESSION_BREAK ? 82800 : 86400;
		s->sigma = s->in.daily / sqrt(seconds * s->in.quotes * w->o.rate);
		s->points = 1;
		for (int d = 0; d < s->in.digits; d++)
			s->points *= 10;
		s->mid = s->in.price * (1 + 2 * s->in.daily * random_normal(&s->random));
		s->average = s->mid;
		s->fast = FAST_SD * random_normal(&s->random);
		s->slow = random_normal(&s->random);
		s->wait = random_exponential(&s->random);
		s->last_side = TW_BUY;
	}
	return 0;
}

void market_sessions(struct world *w)
{
	for (uint32_t i = 0; i < w->n_symbols; i++) {
		struct symbol *s = &w->symbols[i];
		bool open = session_open(s->in.session, w->now);

		if (open && !s->open && s->shown > 0) { /* the gap of a night or a weekend; small after a break */
			double gap = s->in.session == SESSION_BREAK ? .005 : .2;

			s->mid *= 1 + gap * s->in.daily * random_normal(&s->random);
		}
		if (open && !s->open)
			s->opened = w->now;
		s->open = open;
	}
}

bool market_trades(const struct world *w, const struct symbol *s)
{
	if (!s->open || s->opened > w->now - 5 * SECOND || !(s->bid > 0))
		return false;
	return !(s->abuse && s->abuse->kind == FEED_SILENCE);
}

double market_round(const struct symbol *s, double price)
{
	return (double)(int64_t)(price * s->points + .5) / s->points;
}

double market_lot_value(const struct symbol *s)
{
	if (s->in.base && s->in.quote[0] != 'U') /* USDJPY and the like: profit is in the other currency */
		return s->in.contract / s->mid;
	return s->in.contract;
}

/* How far a spike has pushed the price at ts, as part of the price. */
static double spike_offset(const struct abuse *a, int64_t ts)
{
	if (ts < a->from || ts >= a->to)
		return 0;
	if (ts < a->hold)
		return a->offset;
	return a->offset * (double)(a->to - ts) / (double)(a->to - a->hold);
}

static double log_size(struct symbol *s, double median, double step)
{
	double v = median * exact_exp(SIZE_SD * random_normal(&s->random));
	int64_t n = (int64_t)(v / step + .5);

	return (double)(n > 0 ? n : 1) * step;
}

static void quote(struct world *w, struct symbol *s, int64_t ts, bool silent)
{
	const double norm = 1 / sqrt(1 + WIDE_SHARE * (WIDE * WIDE - 1));
	double step = random_normal(&s->random), u = random_unit(&s->random), middle, half, change;
	bool spike = s->abuse && s->abuse->kind == PRICE_SPIKE;
	int64_t bid, ask;
	struct out *o;

	if (u < WIDE_SHARE)
		step *= WIDE;
	s->mid *= 1 + s->sigma * s->level * step * norm + .15 * s->drift;
	s->drift *= .85;
	if (s->mid < s->in.price * .02 || s->mid > s->in.price * 50) /* years of a random walk */
		s->mid = s->in.price;
	middle = s->mid;
	if (spike)
		middle *= 1 + spike_offset(s->abuse, ts);
	half = .5 * s->mid * s->in.spread * (.75 + .25 * s->level) * (.85 + .3 * u);
	bid = (int64_t)((middle - half) * s->points + .5);
	ask = (int64_t)((middle + half) * s->points + .5);
	if (ask <= bid)
		ask = bid + 1;
	s->bid = (double)bid / s->points;
	s->ask = (double)ask / s->points;

	middle = .5 * (s->bid + s->ask);
	change = s->shown > 0 ? middle / s->shown - 1 : 0;
	s->shown = middle;
	if (!spike) {
		if (!(s->variance > 0))
			s->variance = s->sigma * s->sigma * s->level * s->level;
		s->variance += (change * change - s->variance) / 256;
	}
	double bid_size = log_size(s, 2 * s->in.size, s->in.session == SESSION_EQUITY ? 1 : .1);
	double ask_size = log_size(s, 2 * s->in.size, s->in.session == SESSION_EQUITY ? 1 : .1);

	if (silent)
		return;
	o = world_add(w, TW_QUOTE, ts);
	if (!o)
		return;
	o->symbol = (uint32_t)(s - w->symbols) + 1;
	o->v[0] = s->bid;
	o->v[1] = s->ask;
	o->v[2] = bid_size;
	o->v[3] = ask_size;
}

static void trade(struct world *w, struct symbol *s, int64_t ts, bool silent)
{
	double size = s->in.size;
	struct out *o;

	if (random_unit(&s->random) < .35)
		s->last_side = s->last_side == TW_BUY ? TW_SELL : TW_BUY;
	if (s->abuse && s->abuse->kind == VOLUME_BURST && ts >= s->abuse->from && ts < s->abuse->to)
		size *= s->abuse->strength;
	size = log_size(s, size, s->in.session == SESSION_EQUITY ? 1 : .01);
	s->trades++;
	if (silent || !(s->bid > 0))
		return;
	o = world_add(w, TW_TRADE, ts);
	if (!o)
		return;
	o->symbol = (uint32_t)(s - w->symbols) + 1;
	o->side = s->last_side;
	o->v[0] = s->last_side == TW_BUY ? s->ask : s->bid;
	o->v[1] = size;
	o->id = (uint64_t)o->symbol * 1000000000u + s->trades;
}

/* Volatility of this second, and quotes a second. */
static double second_level(struct world *w, struct symbol *s, double common)
{
	double busy = w->curves[s->in.curve][w->now / MINUTE % 1440], keep = sqrt(1 - FAST_KEEP * FAST_KEEP), v, rate;

	s->fast = FAST_KEEP * s->fast + keep * FAST_SD * random_normal(&s->random);
	if (w->now % MINUTE == 0)
		s->slow = SLOW_KEEP * s->slow + sqrt(1 - SLOW_KEEP * SLOW_KEEP) * random_normal(&s->random);
	s->shock_goal *= .9977; /* half of it is gone after five minutes */
	s->shock += .05 * (s->shock_goal - s->shock);
	v = exact_exp(s->fast + SLOW_SD * .70710678 * (s->slow + w->market_slow) - FAST_SD * FAST_SD -
		      SLOW_SD * SLOW_SD + s->shock);
	s->level = v * sqrt(sqrt(busy));
	v = sqrt(v);
	v = v < .6 ? .6 : v > 5 ? 5 : v;
	rate = s->in.quotes * w->o.rate * busy * v;
	s->drift += .3 * s->sigma * s->level * sqrt(rate) * common * (s->in.base && s->in.base[0] == 'U' ? -1 : 1);
	s->average += (s->mid - s->average) / 1800;
	return rate;
}

static void symbol_second(struct world *w, struct symbol *s, double common)
{
	double quotes = second_level(w, s, common), trades = quotes * SHARE_TRADES, at = 0;
	struct abuse *a = s->abuse;
	int64_t forced[3] = { 0, 0, 0 };
	int n_forced = 0;

	if (a && a->kind == VOLUME_BURST)
		trades *= a->rate;
	if (a && a->kind == PRICE_SPIKE) {
		if (!a->started && a->from < w->now + SECOND) {
			a->started = true;
			a->offset = a->strength * sqrt(s->variance);
		}
		quotes += 4; /* a spike is seen, also in a quiet hour */
		forced[0] = a->from;
		forced[1] = a->hold;
		forced[2] = a->to;
	}
	for (;;) {
		double next = at + s->wait / (quotes + trades), f = 2;
		bool is_forced = false;
		int64_t ts = 0;

		while (n_forced < 3 && forced[n_forced] < w->now)
			n_forced++;
		if (n_forced < 3) {
			ts = forced[n_forced];
			f = (double)(ts - w->now) / 1e9;
		}
		if (f < 1 && f < next) {
			n_forced++;
			f = f > at ? f : at;
			s->wait -= (f - at) * (quotes + trades);
			at = f;
			is_forced = true;
		} else {
			if (next >= 1)
				break;
			at = next;
			ts = w->now + (int64_t)(at * 1e6) * 1000; /* whole microseconds, as feeds have them */
			s->wait = random_exponential(&s->random);
		}
		bool silent = a && a->kind == FEED_SILENCE && ts >= a->from && ts < a->to;

		if (is_forced || random_unit(&s->random) * (quotes + trades) < quotes)
			quote(w, s, ts, silent);
		else
			trade(w, s, ts, silent);
		if (w->n_out >= MAX_PENDING)
			break;
	}
	s->wait -= (1 - at) * (quotes + trades);
	if (s->wait < 0)
		s->wait = 0;
}

void market_second(struct world *w)
{
	double common = random_normal(&w->random);

	if (w->now % MINUTE == 0)
		w->market_slow =
			SLOW_KEEP * w->market_slow + sqrt(1 - SLOW_KEEP * SLOW_KEEP) * random_normal(&w->random);
	for (uint32_t i = 0; i < w->n_symbols; i++)
		if (w->symbols[i].open)
			symbol_second(w, &w->symbols[i], common);
}
