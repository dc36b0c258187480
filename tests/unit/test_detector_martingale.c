/* SPDX-License-Identifier: Apache-2.0
 *
 * martingale over deals made by hand, and over many random ones against the definition done the slow way.
 */
#include "detector_kit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPTIONS(...)                                                                                                   \
	(const char *const[])                                                                                          \
	{                                                                                                              \
		__VA_ARGS__ __VA_OPT__(, ) NULL                                                                        \
	}
#define MINUTE 60000000000LL
#define START  1700000000000000000LL

enum { MAX = 5000 };

static struct detector_kit kit;
static struct tw_event events[MAX];
static uint32_t n_events;

static void load(const char *const *options)
{
	detector_kit_load(&kit, PLUGIN_DIR, "martingale", options);
	n_events = 0;
}

/* opened and closed at these minutes */
static struct tw_event *deal(const char *symbol, uint32_t side, double open, double close, double lots, double profit)
{
	struct tw_event *ev = &events[n_events++];

	*ev = (struct tw_event){ .struct_size = sizeof *ev, .kind = TW_DEAL, .seq = n_events };
	ev->ts = START + (int64_t)(close * (double)MINUTE);
	ev->deal = (struct tw_deal){ .account = detector_kit_name(&kit, "A02"),
				     .symbol = detector_kit_name(&kit, symbol),
				     .side = side,
				     .open_ts = START + (int64_t)(open * (double)MINUTE),
				     .size = lots,
				     .profit = profit };
	return ev;
}

static void feed(void)
{
	assert_int_equal(detector_kit_feed(&kit, events, n_events, 5), TW_OK);
}

static void lots_that_grow_after_losses_alert(void **state)
{
	(void)state;
	load(OPTIONS("step", "1000"));
	for (uint32_t i = 0; i < 6; i++) {
		deal("EURUSD", TW_BUY, 10 * i, 10 * i + 4, 0.1, -5);
		deal("EURUSD", TW_SELL, 10 * i + 5, 10 * i + 9, 0.15, 8);
	}
	feed();
	/* pairs 1 to 4 warm up; the median of the 5th and the 6th is 1.5 */
	assert_int_equal(detector_kit_counter(&kit, "warming"), 4);
	assert_int_equal(kit.n_alerts, 2);
	assert_string_equal(kit.alerts[0].type, "martingale_sizing");
	assert_int_equal(kit.alerts[0].event, 9);
	assert_true(fabs(kit.alerts[0].finding.score - 1.5) < 1e-12);
	assert_string_equal(kit.alerts[0].text, "A02 raises lots after losses: to 1.5 x in the median of the last 5 "
						"(threshold 1.3), here from 0.1 to 0.15 EURUSD");
	detector_kit_free(&kit);
}

static void lots_that_grow_after_gains_do_not_alert(void **state)
{
	(void)state;
	load(NULL);
	for (uint32_t i = 0; i < 20; i++)
		deal("EURUSD", TW_BUY, 10 * i, 10 * i + 4, i & 1 ? 0.3 : 0.1, i & 1 ? -5 : 5);
	feed();
	assert_int_equal(kit.n_alerts, 0);
	detector_kit_free(&kit);
}

static void trades_that_overlap_are_no_pair(void **state)
{
	(void)state;
	load(OPTIONS("step", "1000", "min_pairs", "1"));
	for (uint32_t i = 0; i < 10; i++)
		deal("EURUSD", TW_BUY, 10 * i, 10 * i + 11, 0.1 * (1 + i % 2), -5);
	feed();
	assert_int_equal(kit.n_alerts, 0);
	detector_kit_free(&kit);
}

static void pairs_are_made_within_a_symbol(void **state)
{
	(void)state;
	load(OPTIONS("step", "1000", "min_pairs", "1"));
	for (uint32_t i = 0; i < 10; i++)
		deal(i & 1 ? "EURUSD" : "XAUUSD", TW_BUY, 10 * i, 10 * i + 5, i & 1 ? 1 : 0.1, -5);
	feed();
	assert_int_equal(kit.n_alerts, 0); /* each symbol's lots stay the same */
	detector_kit_free(&kit);
}

static void doubling_after_losses_alerts(void **state)
{
	(void)state;
	load(NULL);
	deal("XAUUSD", TW_BUY, 0, 10, 0.01, -1);
	deal("XAUUSD", TW_BUY, 11, 20, 0.02, -2);
	deal("XAUUSD", TW_BUY, 21, 30, 0.04, -4);
	deal("XAUUSD", TW_BUY, 31, 40, 0.08, 9);
	deal("XAUUSD", TW_BUY, 41, 50, 0.16, 9); /* after a gain: the run has ended */
	feed();
	assert_int_equal(kit.n_alerts, 2);
	assert_int_equal(kit.alerts[0].event, 2);
	assert_true(kit.alerts[0].finding.score == 2);
	assert_int_equal(kit.alerts[1].event, 3);
	assert_string_equal(kit.alerts[1].type, "martingale_run");
	assert_true(kit.alerts[1].finding.score == 3 && kit.alerts[1].finding.value == 0.08);
	assert_true(kit.alerts[1].finding.expected == 0.01 && kit.alerts[1].finding.threshold == 2);
	assert_int_equal(kit.alerts[1].finding.evidence_from, 1);
	assert_int_equal(kit.alerts[1].finding.evidence_to, 4);
	assert_string_equal(kit.alerts[1].text,
			    "A02 raised lots in XAUUSD 3 times in a row by 2 x or more, from 0.01 to 0.08 "
			    "within 31 min (alerts from 2)");
	detector_kit_free(&kit);
}

static void a_basket_closed_at_once_alerts_in_whatever_order_it_closes(void **state)
{
	static const char orders[][4] = { "012", "210", "102", "021" };

	(void)state;
	for (uint32_t k = 0; k < 4; k++) {
		load(NULL);
		for (uint32_t i = 0; i < 3; i++) {
			uint32_t leg = (uint32_t)(orders[k][i] - '0');
			deal("XAUUSD", TW_SELL, 10 * leg, 60, 0.01 * (1 << leg), leg == 2 ? 9 : -3);
		}
		feed();
		assert_int_equal(kit.n_alerts, 1);
		assert_int_equal(kit.alerts[0].event, 2);
		assert_string_equal(kit.alerts[0].type, "martingale_run");
		detector_kit_free(&kit);
	}
}

static void a_basket_whose_largest_leg_comes_first_does_not_alert(void **state)
{
	(void)state;
	load(NULL);
	for (uint32_t i = 0; i < 3; i++)
		deal("XAUUSD", TW_SELL, 10 * i, 60, 0.04 / (1 << i), -3);
	feed();
	assert_int_equal(kit.n_alerts, 0);
	detector_kit_free(&kit);
}

static void the_other_direction_breaks_a_run(void **state)
{
	(void)state;
	load(NULL);
	deal("XAUUSD", TW_BUY, 0, 10, 0.01, -1);
	deal("XAUUSD", TW_SELL, 11, 20, 0.02, -2);
	deal("XAUUSD", TW_BUY, 21, 30, 0.04, -4);
	feed();
	assert_int_equal(kit.n_alerts, 0);
	detector_kit_free(&kit);
}

static void a_run_that_takes_too_long_does_not_alert(void **state)
{
	(void)state;
	load(OPTIONS("within", "20m"));
	deal("XAUUSD", TW_BUY, 0, 10, 0.01, -1);
	deal("XAUUSD", TW_BUY, 11, 20, 0.02, -2);
	deal("XAUUSD", TW_BUY, 21, 30, 0.04, -4);
	feed();
	assert_int_equal(kit.n_alerts, 0);
	detector_kit_free(&kit);
}

static void lots_like_006_after_003_count_as_doubled(void **state)
{
	(void)state;
	load(NULL);
	deal("XAUUSD", TW_BUY, 0, 1, 0.7 / 10, -1);
	deal("XAUUSD", TW_BUY, 2, 3, 0.14 * (1 - 1e-15), -1);
	deal("XAUUSD", TW_BUY, 4, 5, 0.28 * (1 - 1e-15), -1);
	feed();
	assert_int_equal(kit.n_alerts, 1);
	detector_kit_free(&kit);
}

static void deals_without_lots_or_opening_time_are_skipped(void **state)
{
	(void)state;
	load(NULL);
	deal("XAUUSD", TW_BUY, 0, 1, NAN, -1);
	deal("XAUUSD", TW_BUY, 0, 1, 0, -1);
	deal("XAUUSD", TW_BUY, 0, 1, -1, -1);
	deal("XAUUSD", TW_BUY, 0, 1, INFINITY, -1);
	deal("XAUUSD", TW_BUY, 5, 1, 1, -1);
	deal("XAUUSD", TW_BUY, 0, 1, 1, -1)->deal.open_ts = 0;
	feed();
	assert_int_equal(kit.n_alerts, 0);
	assert_int_equal(detector_kit_counter(&kit, "absent"), 6);
	detector_kit_free(&kit);
}

/* ---- the slow way ---- */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static const struct tw_event **sort_events(const struct tw_event **list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = n - 1; j > i; j--)
			if (list[j]->deal.open_ts < list[j - 1]->deal.open_ts ||
			    (list[j]->deal.open_ts == list[j - 1]->deal.open_ts &&
			     list[j]->deal.size < list[j - 1]->deal.size)) {
				const struct tw_event *swap = list[j];
				list[j] = list[j - 1];
				list[j - 1] = swap;
			}
	return list;
}

static int raised(const struct tw_event *a, const struct tw_event *b)
{
	return b->deal.size >= 2 * a->deal.size * (1 - 1e-9) &&
	       ((a->deal.profit < 0 && a->ts <= b->deal.open_ts) || a->ts == b->ts);
}

/* Steps of the longest run that the deal at `here` belongs to, first going back, then on. */
static uint32_t run_of(const struct tw_event **list, uint32_t n, uint32_t here)
{
	uint32_t first = here, last = here;

	while (first > 0 && raised(list[first - 1], list[first]) &&
	       list[here]->deal.open_ts - list[first - 1]->deal.open_ts <= 360 * MINUTE)
		first--;
	while (last + 1 < n && raised(list[last], list[last + 1]) &&
	       list[last + 1]->deal.open_ts - list[first]->deal.open_ts <= 360 * MINUTE)
		last++;
	return last - first;
}

static void random_deals_alert_where_the_definition_says_so(void **state)
{
	static const char *const symbols[] = { "EURUSD", "XAUUSD", "USDJPY" };
	double ratios[MAX];
	uint32_t n_ratios = 0, alerts = 0, seen[2] = { 0 };
	double now = 1000;

	(void)state;
	srand(7);
	load(NULL);
	for (uint32_t i = 0; i < 4000; i++) {
		now += rand() % 3 ? rand() % 20 : 0; /* a third closes together with the one before */
		deal(symbols[rand() % 3], TW_BUY + (uint32_t)(rand() % 8 == 0), now - rand() % 30, now,
		     0.01 * (1 << rand() % 5), rand() % 3 ? -1 : 1);
	}
	feed();
	for (uint32_t i = 0; i < 4000; i++) {
		const struct tw_event *d = &events[i], *before = NULL, *list[33];
		uint32_t n = 0, here = 0;
		for (uint32_t j = i < 32 ? 0 : i - 32; j < i; j++)
			if (events[j].deal.symbol == d->deal.symbol && events[j].deal.open_ts <= d->deal.open_ts &&
			    (!before || events[j].deal.open_ts >= before->deal.open_ts))
				before = &events[j];
		if (before && before->ts <= d->deal.open_ts && before->deal.profit < 0) {
			ratios[n_ratios++] = d->deal.size / before->deal.size;
			if (n_ratios >= 5) {
				double s[20], median;
				uint32_t m = n_ratios < 20 ? n_ratios : 20;
				memcpy(s, ratios + n_ratios - m, m * sizeof *s);
				qsort(s, m, sizeof *s, ascending);
				median = (s[(m - 1) / 2] + s[m / 2]) / 2;
				if (median > 1.3 && ratios[n_ratios - 1] > 1) {
					assert_true(alerts < kit.n_alerts);
					assert_int_equal(kit.alerts[alerts].event, i);
					assert_string_equal(kit.alerts[alerts].type, "martingale_sizing");
					assert_true(kit.alerts[alerts++].finding.score == median);
					seen[0]++;
				}
			}
		}
		for (uint32_t j = i < 31 ? 0 : i - 31; j <= i; j++)
			if (events[j].deal.symbol == d->deal.symbol && events[j].deal.side == d->deal.side)
				list[n++] = &events[j];
		sort_events(list, n);
		while (list[here] != d)
			here++;
		if (run_of(list, n, here) >= 2) {
			assert_true(alerts < kit.n_alerts);
			assert_int_equal(kit.alerts[alerts].event, i);
			assert_string_equal(kit.alerts[alerts].type, "martingale_run");
			assert_true(kit.alerts[alerts++].finding.score == run_of(list, n, here));
			seen[1]++;
		}
	}
	assert_int_equal(alerts, kit.n_alerts);
	assert_true(seen[0] > 10 && seen[1] > 10);
	detector_kit_free(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lots_that_grow_after_losses_alert),
		cmocka_unit_test(lots_that_grow_after_gains_do_not_alert),
		cmocka_unit_test(trades_that_overlap_are_no_pair),
		cmocka_unit_test(pairs_are_made_within_a_symbol),
		cmocka_unit_test(doubling_after_losses_alerts),
		cmocka_unit_test(a_basket_closed_at_once_alerts_in_whatever_order_it_closes),
		cmocka_unit_test(a_basket_whose_largest_leg_comes_first_does_not_alert),
		cmocka_unit_test(the_other_direction_breaks_a_run),
		cmocka_unit_test(a_run_that_takes_too_long_does_not_alert),
		cmocka_unit_test(lots_like_006_after_003_count_as_doubled),
		cmocka_unit_test(deals_without_lots_or_opening_time_are_skipped),
		cmocka_unit_test(random_deals_alert_where_the_definition_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
