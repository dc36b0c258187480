/* SPDX-License-Identifier: Apache-2.0
 *
 * The economic calendar. A release moves the symbols of its currency over some seconds and makes them livelier for
 * some minutes; it is no abuse, and a good detector keeps quiet.
 */
#include "world.h"

struct release {
	const char *title, *currency, *impact;
	int minute;             /* of the day, UTC */
	double typical, spread; /* value and standard deviation of its surprise */
	double chance;          /* that it comes on a weekday */
};

static const struct release releases[] = {
	{ "Trade Balance", "JPY", "low", 23 * 60 + 50, -320, 90, .4 },
	{ "Retail Sales m/m", "AUD", "medium", 30, .3, .4, .3 },
	{ "GDP m/m", "GBP", "medium", 7 * 60, .2, .15, .4 },
	{ "German Manufacturing PMI", "EUR", "medium", 8 * 60 + 30, 47.5, .8, .5 },
	{ "CPI Flash Estimate y/y", "EUR", "high", 10 * 60, 2.2, .12, .3 },
	{ "Employment Change", "CAD", "medium", 13 * 60 + 30, 18, 15, .3 },
	{ "Unemployment Claims", "USD", "medium", 13 * 60 + 30, 221, 9, .5 },
	{ "Core CPI m/m", "USD", "high", 13 * 60 + 30, .3, .08, .3 },
	{ "ISM Services PMI", "USD", "high", 15 * 60, 52.3, 1.1, .4 },
	{ "Crude Oil Inventories", "USD", "low", 15 * 60 + 30, -1.2, 3, .5 },
	{ "FOMC Statement", "USD", "high", 19 * 60, 4.25, .02, .12 },
};

const char *news_currency(const struct news *n)
{
	return n->release->currency;
}

void news_day(struct world *w, int64_t day)
{
	int64_t start = w->o.start + day * DAY, minute = start / MINUTE % 1440;
	struct random r;

	random_seed(&r, (uint64_t)w->o.seed, STREAM_NEWS, (uint64_t)day);
	w->n_news = w->next_news = 0;
	for (uint32_t i = 0; i < sizeof releases / sizeof *releases; i++) {
		const struct release *k = &releases[i];
		bool comes = random_unit(&r) < k->chance;
		struct news n = { .release = k };

		n.surprise = random_normal(&r);
		n.forecast = k->typical + .5 * k->spread * random_normal(&r);
		n.previous = k->typical + k->spread * random_normal(&r);
		n.actual = n.forecast + n.surprise * k->spread;
		n.ts = start + (k->minute - minute + (k->minute < minute ? 1440 : 0)) * MINUTE;
		if (!comes || !session_open(SESSION_FX, n.ts) || w->n_news == MAX_NEWS)
			continue;
		uint32_t at = w->n_news++; /* in the order of time */

		for (; at > 0 && w->news[at - 1].ts > n.ts; at--)
			w->news[at] = w->news[at - 1];
		w->news[at] = n;
	}
}

static double round_value(double v)
{
	int64_t n = (int64_t)(v * 100 + (v < 0 ? -.5 : .5));

	return (double)n / 100;
}

void news_second(struct world *w)
{
	while (w->next_news < w->n_news && w->news[w->next_news].ts < w->now + SECOND) {
		struct news *n = &w->news[w->next_news++];
		const struct release *k = n->release;
		double size = n->surprise < 0 ? -n->surprise : n->surprise;
		double weight = k->impact[0] == 'h' ? .8 : k->impact[0] == 'm' ? .4 : .1;
		struct out *o = world_add(w, TW_NEWS, n->ts);

		n->number = (uint32_t)++w->news_number;
		if (o) {
			o->text[0] = k->impact;
			o->text[1] = k->currency;
			o->text[2] = k->title;
			o->v[0] = round_value(n->actual);
			o->v[1] = round_value(n->forecast);
			o->v[2] = round_value(n->previous);
			o->id = w->news_number;
		}
		for (uint32_t i = 0; i < w->n_symbols; i++) {
			struct symbol *s = &w->symbols[i];
			bool base = s->in.base && !strcmp(s->in.base, k->currency),
			     quote = !strcmp(s->in.quote, k->currency);

			if (!base && !quote)
				continue;
			s->shock_goal += weight * (1 + .4 * size);
			if (s->shock_goal > 1.8)
				s->shock_goal = 1.8;
			s->drift += (base ? 1 : -1) * weight * n->surprise * 12 * s->sigma * s->level;
		}
		account_news(w, n);
	}
}
