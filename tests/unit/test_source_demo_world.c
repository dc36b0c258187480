/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated world: does the market look like one, and is each label true to what the events show? Everything here
 * is computed from the events alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "source_kit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND      INT64_C(1000000000)
#define MINUTE      (60 * SECOND)
#define SEEDS       3
#define MAX_SYMBOLS 16

struct tick {
	int64_t ts;
	double mid, spread;
};

struct fill {
	int64_t ts;
	double size;
	uint32_t account, counterparty;
};

struct label {
	int64_t ts, from, to;
	uint32_t symbol, account;
	char category[24];
};

struct series {
	uint32_t id;
	struct tick *ticks;
	struct fill *fills;
	size_t n_ticks, n_fills, cap_ticks, cap_fills;
};

struct world {
	struct source_kit kit;
	struct series series[MAX_SYMBOLS];
	struct tw_deal *deals;
	int64_t *closed;
	struct label labels[128];
	size_t n_series, n_deals, cap_deals, n_labels;
};

static struct world *worlds[SEEDS];

static void *room(void *list, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return list;
	*cap = *cap ? 2 * *cap : 1024;
	list = realloc(list, *cap * size);
	assert_non_null(list);
	return list;
}

static struct series *series_of(struct world *w, uint32_t id)
{
	for (size_t i = 0; i < w->n_series; i++)
		if (w->series[i].id == id)
			return &w->series[i];
	assert_true(w->n_series < MAX_SYMBOLS);
	w->series[w->n_series].id = id;
	return &w->series[w->n_series++];
}

static void see(void *arg, const struct tw_event *ev)
{
	struct world *w = arg;
	struct series *s;

	switch (ev->kind) {
	case TW_QUOTE:
		s = series_of(w, ev->quote.symbol);
		s->ticks = room(s->ticks, s->n_ticks, &s->cap_ticks, sizeof *s->ticks);
		s->ticks[s->n_ticks++] =
			(struct tick){ ev->ts, (ev->quote.bid + ev->quote.ask) / 2, ev->quote.ask - ev->quote.bid };
		break;
	case TW_TRADE:
		s = series_of(w, ev->trade.symbol);
		s->fills = room(s->fills, s->n_fills, &s->cap_fills, sizeof *s->fills);
		s->fills[s->n_fills++] =
			(struct fill){ ev->ts, ev->trade.size, ev->trade.account, ev->trade.counterparty };
		break;
	case TW_DEAL: {
		size_t cap = w->cap_deals;

		w->closed = room(w->closed, w->n_deals, &cap, sizeof *w->closed);
		w->deals = room(w->deals, w->n_deals, &w->cap_deals, sizeof *w->deals);
		w->closed[w->n_deals] = ev->ts;
		w->deals[w->n_deals++] = ev->deal;
		break;
	}
	case TW_LABEL: {
		struct label *l = &w->labels[w->n_labels++];

		assert_true(w->n_labels < sizeof w->labels / sizeof *w->labels);
		assert_true(kit_text_is(ev->label.verdict, "abuse"));
		assert_true(kit_text_is(ev->label.author, "demo"));
		*l = (struct label){ ev->ts, ev->label.from, ev->label.to, ev->label.symbol, ev->label.account, "" };
		snprintf(l->category, sizeof l->category, "%.*s", (int)ev->label.category.len, ev->label.category.s);
		break;
	}
	default:
		break;
	}
}

static int simulate(void **state)
{
	for (int i = 0; i < SEEDS; i++) {
		struct world *w = worlds[i] = calloc(1, sizeof *w);
		char yaml[32];

		if (!w)
			return -1;
		snprintf(yaml, sizeof yaml, "seed: %d\n", 101 + i);
		source_kit_load(&w->kit, PLUGIN_DIR, "demo", yaml);
		w->kit.count_only = true;
		w->kit.each = see;
		w->kit.arg = w;
		if (source_kit_all(&w->kit, 4096) != TW_DONE)
			return -1;
	}
	(void)state;
	return 0;
}

static int forget(void **state)
{
	for (int i = 0; i < SEEDS; i++) {
		for (size_t j = 0; j < worlds[i]->n_series; j++) {
			free(worlds[i]->series[j].ticks);
			free(worlds[i]->series[j].fills);
		}
		free(worlds[i]->deals);
		free(worlds[i]->closed);
		source_kit_free(&worlds[i]->kit);
		free(worlds[i]);
	}
	(void)state;
	return 0;
}

/* For every label of a category, or of all: each(world, label); how many there were. */
static size_t for_labels(const char *category, void (*each)(struct world *, const struct label *))
{
	size_t n = 0;

	for (int i = 0; i < SEEDS; i++)
		for (size_t j = 0; j < worlds[i]->n_labels; j++)
			if (!category || !strcmp(worlds[i]->labels[j].category, category)) {
				each(worlds[i], &worlds[i]->labels[j]);
				n++;
			}
	return n;
}

/* ---- the market ---- */
/* Log returns from minute to minute, minutes without a quote left out. */
static size_t minute_returns(const struct series *s, double **ret)
{
	double *r = calloc(s->n_ticks + 1, sizeof *r), last = 0;
	size_t n = 0;

	assert_non_null(r);
	for (size_t i = 0; i + 1 < s->n_ticks; i++) {
		if (s->ticks[i].ts / MINUTE == s->ticks[i + 1].ts / MINUTE)
			continue;
		if (last > 0)
			r[n++] = log(s->ticks[i].mid / last);
		last = s->ticks[i].mid;
	}
	*ret = r;
	return n;
}

static void returns_have_fat_tails_and_cluster(void **state)
{
	for (int i = 0; i < SEEDS; i++)
		for (size_t j = 0; j < worlds[i]->n_series; j++) {
			double *r, m2 = 0, m4 = 0, mean = 0, c0 = 0, c1 = 0;
			size_t n = minute_returns(&worlds[i]->series[j], &r);

			assert_true(n > 300);
			for (size_t k = 0; k < n; k++) {
				m2 += r[k] * r[k];
				m4 += r[k] * r[k] * r[k] * r[k];
				mean += fabs(r[k]) / (double)n;
			}
			assert_true(m4 * (double)n / (m2 * m2) > 3.2);
			for (size_t k = 0; k < n; k++)
				c0 += (fabs(r[k]) - mean) * (fabs(r[k]) - mean);
			for (size_t k = 1; k < n; k++)
				c1 += (fabs(r[k]) - mean) * (fabs(r[k - 1]) - mean);
			assert_true(c1 / c0 > 0.05);
			free(r);
		}
	(void)state;
}

static void the_spread_is_never_nothing_and_widens_with_volatility(void **state)
{
	for (int i = 0; i < SEEDS; i++)
		for (size_t j = 0; j < worlds[i]->n_series; j++) {
			const struct series *s = &worlds[i]->series[j];
			double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0, n = 0;

			/* blocks of 500 quotes: mean spread against mean size of the step */
			for (size_t k = 1; k + 500 < s->n_ticks; k += 500, n++) {
				double spread = 0, step = 0;

				for (size_t m = k; m < k + 500; m++) {
					assert_true(s->ticks[m].spread > 0);
					spread += s->ticks[m].spread;
					step += fabs(s->ticks[m].mid - s->ticks[m - 1].mid);
				}
				sx += step;
				sy += spread;
				sxx += step * step;
				syy += spread * spread;
				sxy += step * spread;
			}
			assert_true((n * sxy - sx * sy) / sqrt((n * sxx - sx * sx) * (n * syy - sy * sy)) > 0.4);
		}
	(void)state;
}

static void shares_are_quoted_in_their_session_only(void **state)
{
	for (int i = 0; i < SEEDS; i++)
		for (size_t j = 0; j < worlds[i]->n_series; j++) {
			const struct series *s = &worlds[i]->series[j];

			if (strcmp(source_kit_name(&worlds[i]->kit, s->id), "AAPL"))
				continue;
			for (size_t k = 0; k < s->n_ticks; k++)
				assert_in_range(s->ticks[k].ts / MINUTE % 1440, 14 * 60 + 30, 21 * 60 - 1);
		}
	(void)state;
}

static void deals_make_money_by_their_prices(void **state)
{
	for (int i = 0; i < SEEDS; i++)
		for (size_t j = 0; j < worlds[i]->n_deals; j++) {
			const struct tw_deal *d = &worlds[i]->deals[j];
			double move = (d->close_price - d->open_price) * (d->side == TW_BUY ? 1 : -1);

			assert_true(d->open_ts < worlds[i]->closed[j]);
			assert_true(d->size >= 0.01 - 1e-12);
			assert_true(fabs(move) < 1e-12 || fabs(d->profit) < 0.011 || (move > 0) == (d->profit > 0));
		}
	(void)state;
}

/* ---- the labels ---- */
static void check_times(struct world *w, const struct label *l)
{
	assert_true(l->from < l->to);
	assert_true(l->ts >= l->to);
	assert_true(l->ts <= l->to + 60 * SECOND);
	assert_true(l->symbol);
	for (size_t i = 0; i < w->n_labels; i++) {
		const struct label *o = &w->labels[i];

		assert_true(o == l || o->symbol != l->symbol || o->from > l->to || l->from > o->to);
	}
}

static void labels_come_after_the_fact_and_do_not_overlap(void **state)
{
	assert_true(for_labels(NULL, check_times) > 20 * SEEDS);
	(void)state;
}

/* The return of the jump is at least five of the standard deviations of the 256 returns before, and four fifths of it
 * are undone at the end. Volatility of a tick is estimated, so 8 sigmas may look like somewhat less. */
static void check_spike(struct world *w, const struct label *l)
{
	const struct series *s = series_of(w, l->symbol);
	size_t at = 0, end;
	double sum = 0, squares = 0, r, deviation;

	while (s->ticks[at].ts < l->from)
		at++;
	assert_true(at > 257);
	for (size_t i = at - 256; i < at; i++) {
		r = s->ticks[i].mid / s->ticks[i - 1].mid - 1;
		sum += r;
		squares += r * r;
	}
	deviation = sqrt((squares - sum * sum / 256) / 255);
	r = s->ticks[at].mid / s->ticks[at - 1].mid - 1;
	assert_true(fabs(r) / deviation > 5);
	for (end = at; s->ticks[end].ts < l->to; end++)
		;
	assert_true(l->to - l->from < 10 * SECOND);
	assert_true(end - at >= 3);
	/* between the two the price walks on, so allow for that */
	assert_true(fabs(s->ticks[end].mid / s->ticks[at - 1].mid - 1) <
		    0.2 * fabs(r) + 4 * deviation * sqrt((double)(end - at)));
}

static void a_spike_jumps_and_reverts(void **state)
{
	assert_true(for_labels("price_spike", check_spike) >= 4 * SEEDS);
	(void)state;
}

static void check_burst(struct world *w, const struct label *l)
{
	const struct series *s = series_of(w, l->symbol);
	double before = 0, during = 0;

	for (size_t i = 0; i < s->n_fills; i++) {
		if (s->fills[i].ts >= l->from - 600 * SECOND && s->fills[i].ts < l->from)
			before += s->fills[i].size / 600;
		if (s->fills[i].ts >= l->from && s->fills[i].ts < l->to)
			during += s->fills[i].size * 1e9 / (double)(l->to - l->from);
	}
	assert_true(during > 10 * before);
	assert_in_range(l->to - l->from, 30 * SECOND, 90 * SECOND);
}

static void a_burst_has_many_times_the_volume(void **state)
{
	assert_true(for_labels("volume_burst", check_burst) >= 3 * SEEDS);
	(void)state;
}

static void check_silence(struct world *w, const struct label *l)
{
	const struct series *s = series_of(w, l->symbol);
	size_t before = 0, after = 0;

	for (size_t i = 0; i < s->n_ticks; i++) {
		assert_false(s->ticks[i].ts >= l->from && s->ticks[i].ts < l->to);
		before += s->ticks[i].ts >= l->from - MINUTE && s->ticks[i].ts < l->from;
		after += s->ticks[i].ts >= l->to && s->ticks[i].ts < l->to + MINUTE;
	}
	for (size_t i = 0; i < s->n_fills; i++)
		assert_false(s->fills[i].ts >= l->from && s->fills[i].ts < l->to);
	assert_true(before > 5);
	assert_true(after > 5);
	assert_in_range(l->to - l->from, 180 * SECOND, 601 * SECOND);
}

static void a_silence_is_silent_between_quotes(void **state)
{
	assert_true(for_labels("feed_silence", check_silence) >= 2 * SEEDS);
	(void)state;
}

static void check_wash(struct world *w, const struct label *l)
{
	const struct series *s = series_of(w, l->symbol);
	size_t n = 0;

	assert_true(l->account);
	for (size_t i = 0; i < s->n_fills; i++)
		n += s->fills[i].ts >= l->from && s->fills[i].ts <= l->to && s->fills[i].account == l->account &&
		     s->fills[i].counterparty == l->account;
	assert_in_range(n, 6, 21); /* one more may be an accident */
	assert_true(l->to - l->from <= 30 * SECOND);
}

static void wash_trades_have_one_account_on_both_sides(void **state)
{
	assert_true(for_labels("wash_trades", check_wash) >= 3 * SEEDS);
	(void)state;
}

/* 5 to 8 deals one after the other, each with twice the lots of the one before, which lost. */
static void check_run(struct world *w, const struct label *l)
{
	const struct tw_deal *last = NULL;
	size_t n = 0;
	int64_t closed = 0;

	for (size_t i = 0; i < w->n_deals; i++) {
		const struct tw_deal *d = &w->deals[i];

		if (d->account != l->account || d->symbol != l->symbol || d->open_ts < l->from || w->closed[i] > l->to)
			continue;
		if (last) {
			assert_true(last->profit < 0);
			assert_true(fabs(d->size - 2 * last->size) < 1e-9);
			assert_true(d->open_ts > closed);
		} else {
			assert_int_equal(d->open_ts, l->from);
		}
		last = d;
		closed = w->closed[i];
		n++;
	}
	assert_in_range(n, 5, 8);
}

static void a_martingale_run_doubles_after_each_loss(void **state)
{
	assert_true(for_labels("martingale_run", check_run) >= 2 * SEEDS);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_have_fat_tails_and_cluster),
		cmocka_unit_test(the_spread_is_never_nothing_and_widens_with_volatility),
		cmocka_unit_test(shares_are_quoted_in_their_session_only),
		cmocka_unit_test(deals_make_money_by_their_prices),
		cmocka_unit_test(labels_come_after_the_fact_and_do_not_overlap),
		cmocka_unit_test(a_spike_jumps_and_reverts),
		cmocka_unit_test(a_burst_has_many_times_the_volume),
		cmocka_unit_test(a_silence_is_silent_between_quotes),
		cmocka_unit_test(wash_trades_have_one_account_on_both_sides),
		cmocka_unit_test(a_martingale_run_doubles_after_each_loss),
	};
	return cmocka_run_group_tests(tests, simulate, forget);
}
