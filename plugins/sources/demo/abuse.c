/* SPDX-License-Identifier: Apache-2.0
 *
 * The abuses of a day: when, on which symbol, how strong, and the labels that tell afterwards.
 *
 * The schedule is drawn from a stream of its own for each day. Two abuses never meet on one symbol, nor come within
 * ten minutes of each other there. None begins in the first 45 minutes of the world, so that a detector has something
 * to learn from, nor within a quarter of an hour of a session's opening. A label comes 5 to 60 s after the end.
 */
#include "world.h"
#include <math.h>
#include <stdio.h>

#define QUIET     (45 * MINUTE) /* at the beginning of the world */
#define APART     (10 * MINUTE)
#define RUN_LIMIT (60 * MINUTE)
#define LABEL_LAG (60 * SECOND)

const char *const abuse_names[ABUSE_KINDS] = { "price_spike", "volume_burst", "feed_silence", "wash_trades",
					       "martingale_run" };
static const int a_day[ABUSE_KINDS] = { 8, 5, 4, 5, 4 };

/* Is the symbol open from a quarter of an hour before until five minutes after? */
static bool in_session(const struct symbol *s, const struct abuse *a)
{
	for (int64_t t = a->from - 15 * MINUTE; t <= a->to + 5 * MINUTE; t += MINUTE)
		if (!session_open(s->in.session, t))
			return false;
	return true;
}

static bool fits(const struct world *w, const struct abuse *a, int64_t day_end)
{
	const struct symbol *s = &w->symbols[a->symbol];

	if (a->from < w->o.start + QUIET || a->to + 2 * LABEL_LAG > day_end || a->to + 2 * LABEL_LAG > w->end)
		return false;
	/* without a calendar of sessions nobody can tell a feed that fails from a market that closes */
	if (a->kind == FEED_SILENCE && s->in.session != SESSION_FX)
		return false;
	if (w->curves[s->in.curve][a->from / MINUTE % 1440] < .5) /* not in the dead of its night */
		return false;
	for (uint32_t i = 0; i < w->n_abuses; i++) {
		const struct abuse *b = &w->abuses[i];

		if (b->symbol == a->symbol && a->from < b->to + APART && b->from < a->to + APART)
			return false;
	}
	return in_session(s, a);
}

static void draw(struct world *w, struct random *r, enum abuse_kind kind, int64_t day_start, struct abuse *a)
{
	double length = 0;

	*a = (struct abuse){ .kind = kind };
	a->symbol = random_below(r, w->n_symbols);
	a->account = random_next(r);
	/* whole seconds and a part of it */
	a->from = day_start + (int64_t)random_below(r, 86400) * SECOND + (int64_t)random_below(r, 999) * 1000000;
	switch (kind) {
	case PRICE_SPIKE:
		a->strength = random_range(r, 8, 15) * (random_unit(r) < .5 ? -1 : 1);
		a->hold = a->from + (int64_t)(random_range(r, .4, 1.5) * 1e3) * 1000000;
		a->to = a->hold + (int64_t)(random_range(r, 1.5, 4) * 1e3) * 1000000;
		snprintf(a->comment, sizeof a->comment,
			 "the price jumps by %.1f standard deviations of its ticks and reverts", a->strength);
		return;
	case VOLUME_BURST: /* the volume a second is the product: 20 to 160 times */
		a->rate = random_range(r, 8, 20);
		a->strength = random_range(r, 2.5, 8);
		length = random_range(r, 40, 80);
		snprintf(a->comment, sizeof a->comment, "%.1f times as many trades, %.1f times as large", a->rate,
			 a->strength);
		break;
	case FEED_SILENCE:
		length = random_range(r, 180, 600);
		snprintf(a->comment, sizeof a->comment, "no quotes and trades for %.0f s", length);
		break;
	case WASH_TRADES:
		length = random_range(r, 20, 30);
		a->steps = 6 + random_below(r, MAX_WASH - 5);
		a->strength = random_range(r, 1, 4);
		for (uint32_t i = 0; i < a->steps; i++) /* at uneven distances */
			a->at[i] = a->from + (int64_t)((i + .8 * random_unit(r)) * length / a->steps * 1e3) * 1000000;
		a->from = a->at[0];
		a->to = a->at[a->steps - 1];
		snprintf(a->comment, sizeof a->comment, "%u trades of the account with itself", a->steps);
		return;
	case MARTINGALE_RUN:
		a->steps = 4 + random_below(r, 4);
		a->rate = random_unit(r) < .7 ? 1 : -1; /* -1: it also changes sides after every loss */
		a->to = a->from + RUN_LIMIT;            /* reserved; the run itself tells when it is over */
		snprintf(a->comment, sizeof a->comment, "%u losses in a row, the lot doubled after each", a->steps);
		return;
	case ABUSE_KINDS:
		break;
	}
	a->to = a->from + (int64_t)(length * 1e3) * 1000000;
}

void abuse_day(struct world *w, int64_t day)
{
	int64_t start = w->o.start + day * DAY;
	struct random r;

	w->n_abuses = 0;
	for (uint32_t i = 0; i < w->n_symbols; i++)
		w->symbols[i].abuse = NULL;
	for (uint32_t i = 0; i < w->n_accounts; i++)
		w->accounts[i].run = NULL;
	if (!w->o.abuses)
		return;
	random_seed(&r, (uint64_t)w->o.seed, STREAM_ABUSE, (uint64_t)day);
	/* the long ones first, while there is room */
	for (int k = ABUSE_KINDS - 1; k >= 0; k--)
		for (int n = 0; n < a_day[k]; n++)
			for (int tries = 0; tries < 60; tries++) {
				struct abuse a;

				draw(w, &r, (enum abuse_kind)k, start, &a);
				if (!fits(w, &a, start + DAY))
					continue;
				a.label_at =
					k == MARTINGALE_RUN ? 0 : a.to + 5 * SECOND + random_below(&r, 55) * SECOND;
				w->abuses[w->n_abuses++] = a;
				break;
			}
}

static void wash(struct world *w, struct abuse *a)
{
	struct symbol *s = &w->symbols[a->symbol];

	if (!w->n_accounts)
		a->cancelled = true;
	for (; !a->cancelled && a->done < a->steps && a->at[a->done] < w->now + SECOND; a->done++) {
		struct account *who = &w->accounts[a->account % w->n_accounts];
		bool buy = random_unit(&who->random) < .5;
		struct out *o = world_add(w, TW_TRADE, a->at[a->done]);
		double size = s->in.size * a->strength * random_range(&who->random, .9, 1.1);

		if (!o)
			return;
		o->symbol = a->symbol + 1;
		o->side = buy ? TW_BUY : TW_SELL;
		o->account = o->counterparty = (uint32_t)(who - w->accounts) + 1;
		o->v[0] = buy ? s->ask : s->bid;
		o->v[1] = s->in.session == SESSION_EQUITY ? (double)(int64_t)(size + 1)
							  : (double)(int64_t)(size * 100 + 1) / 100;
		o->id = UINT64_C(600000000000) + ++who->tickets + (uint64_t)o->account * 1000000;
	}
}

static void run_start(struct world *w, struct abuse *a)
{
	a->started = true;
	/* the account that was drawn, or the next one that is not in a run already */
	for (uint32_t i = 0; i < w->n_accounts; i++) {
		struct account *who = &w->accounts[(a->account + i) % w->n_accounts];

		if (who->run && !who->run->label_at)
			continue;
		a->account = (uint64_t)(who - w->accounts);
		who->run = a;
		who->run_next = a->from;
		return;
	}
	a->cancelled = true;
}

void abuse_second(struct world *w)
{
	for (uint32_t i = 0; i < w->n_abuses; i++) {
		struct abuse *a = &w->abuses[i];
		struct symbol *s = &w->symbols[a->symbol];

		if (a->from >= w->now + SECOND)
			continue;
		if (a->to < w->now) {
			if (s->abuse == a)
				s->abuse = NULL;
			continue;
		}
		if (a->kind == MARTINGALE_RUN) {
			if (!a->started)
				run_start(w, a);
			continue;
		}
		s->abuse = a;
		if (a->kind == WASH_TRADES)
			wash(w, a);
	}
}

void abuse_labels(struct world *w)
{
	for (uint32_t i = 0; i < w->n_abuses; i++) {
		struct abuse *a = &w->abuses[i];

		if (a->cancelled || !a->label_at || a->label_at >= w->now + SECOND || a->label_at < w->now)
			continue;
		struct out *o = world_add(w, TW_LABEL, a->label_at);

		if (!o)
			return;
		o->symbol = a->symbol + 1;
		if (a->kind == WASH_TRADES || a->kind == MARTINGALE_RUN)
			o->account = (uint32_t)(a->account % w->n_accounts) + 1;
		o->from = a->from;
		o->to = a->to;
		o->text[0] = abuse_names[a->kind];
		o->text[1] = a->comment;
	}
}
