/* SPDX-License-Identifier: Apache-2.0
 *
 * Ring, extremes, pairs, fading means, indicators and trades with values worked out by hand; and sums against exact
 * integers over ten million values. Whole series are compared in tests/e2e/test_window_oracles.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <tapewatch/window.h>

#include <cmocka.h>

static const double bad[] = { (double)NAN, (double)INFINITY, -(double)INFINITY, 1e300, -1e151 };

static void *zeroed(uint32_t size)
{
	void *p = calloc(1, size);
	assert_non_null(p);
	return p;
}

static void assert_close(double got, double want)
{
	if (!(fabs(got - want) <= 1e-12 * fabs(want)))
		fail_msg("got %.17g, expected %.17g", got, want);
}

/* Values are multiples of 2^-20 around 2^13, held as integers too: sums and sums of squares of the latter are exact, so
 * after every one of 10^7 pushes there is something to compare with that cannot have drifted. */
static void ten_million_values_leave_no_drift(void **state)
{
	enum { WINDOW = 30 };
	struct tw_window *w = zeroed(tw_window_size(WINDOW));
	int64_t last[WINDOW] = { 0 };
	__int128 s1 = 0, s2 = 0;
	uint64_t seed = 42;

	(void)state;
	for (uint32_t i = 0; i < 10000000; i++) {
		int64_t k, *slot = &last[i % WINDOW];
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		/* drifts up to 2^16 and down again, with noise of 2^-4 and now and then a value of 2^20 */
		k = (int64_t)((i & 0xfffff) < 0x80000 ? i & 0x7ffff : 0x80000 - (i & 0x7ffff)) * 131072 +
		    (int64_t)(seed >> 48);
		if (i % 999983 == 0)
			k += (int64_t)1 << 40;
		s1 += k - *slot;
		s2 += (__int128)k * k - (__int128)*slot * *slot;
		*slot = k;
		tw_window_push(w, WINDOW, (double)k * 0x1p-20);
		if (i + 1 >= WINDOW) {
			long double squares = (long double)(WINDOW * s2 - s1 * s1) / WINDOW * 0x1p-40L;
			struct tw_spread got = tw_window_judge(w, 0);
			if (!(fabsl(got.squares - squares) <= 1e-8L * squares))
				fail_msg("after %u: %.17g, exactly %.17Lg", i + 1, got.squares, squares);
			if (!(fabsl(-got.distance - (long double)s1 / WINDOW * 0x1p-20L) <=
			      1e-9L * sqrtl(squares / WINDOW)))
				fail_msg("after %u: the mean is off", i + 1);
		}
	}
	free(w);
}

static void a_ring_answers_from_the_newest_back(void **state)
{
	struct tw_ring *w = zeroed(tw_ring_size(3));

	(void)state;
	assert_true(isnan(tw_ring_at(w, 3, 0)));
	for (uint32_t i = 1; i <= 5; i++) {
		(void)tw_ring_push(w, 3, i);
		assert_true(tw_ring_at(w, 3, 0) == i);
		assert_int_equal(w->n, i < 3 ? i : 3);
	}
	assert_true(tw_ring_at(w, 3, 1) == 4);
	assert_true(tw_ring_at(w, 3, 2) == 3);
	assert_true(isnan(tw_ring_at(w, 3, 3)));
	assert_true(isnan(tw_ring_at(w, 3, UINT32_MAX)));
	free(w);
}

static void extremes_leave_the_window_with_their_value(void **state)
{
	static const double v[] = { 3, 1, 2, 2, 5, 4, 4, 0 }, low[] = { 3, 1, 1, 1, 2, 2, 4, 0 },
			    high[] = { 3, 3, 3, 2, 5, 5, 5, 4 };
	struct tw_extremes *w = zeroed(tw_extremes_size(3));

	(void)state;
	assert_true(isnan(tw_extremes_min(w, 3)) && isnan(tw_extremes_max(w, 3)));
	for (uint32_t i = 0; i < 8; i++) {
		(void)tw_extremes_push(w, 3, v[i]);
		assert_true(tw_extremes_min(w, 3) == low[i]);
		assert_true(tw_extremes_max(w, 3) == high[i]);
	}
	free(w);
}

static void a_line_has_its_slope_as_beta(void **state)
{
	struct tw_pair *w = zeroed(tw_pair_size(4));

	(void)state;
	assert_true(isnan(tw_pair_correlation(w)) && isnan(tw_pair_mean_x(w)));
	(void)tw_pair_push(w, 4, 77, -5); /* gone at the end */
	assert_true(isnan(tw_pair_beta(w)));
	for (uint32_t i = 1; i <= 4; i++)
		(void)tw_pair_push(w, 4, i, 10 - 3.0 * i);
	assert_close(tw_pair_beta(w), -3);
	assert_close(tw_pair_correlation(w), -1);
	assert_close(tw_pair_covariance(w, 1), -5); /* -3 x variance of 1 2 3 4, which is 5/3 */
	assert_close(tw_pair_covariance(w, 0), -3.75);
	assert_close(tw_pair_mean_x(w), 2.5);
	assert_close(tw_pair_mean_y(w), 2.5);
	for (uint32_t i = 1; i <= 4; i++)
		(void)tw_pair_push(w, 4, 6, i);
	assert_true(isnan(tw_pair_beta(w)) && isnan(tw_pair_correlation(w)));
	assert_true(tw_pair_covariance(w, 1) == 0);
	free(w);
}

/* Whichever of the two it was: what it left in the sums is larger than all that is in the window now. */
static void a_far_value_that_has_left_leaves_no_trace(void **state)
{
	(void)state;
	for (int far_y = 0; far_y < 2; far_y++) {
		struct tw_pair *w = zeroed(tw_pair_size(100));
		for (uint32_t i = 0; i < 350; i++) {
			double x = (i * 37 % 100) * 1e-3, y = 5 - 2 * x, far = i == 150 ? 1e9 : 0;
			(void)tw_pair_push(w, 100, far_y ? x : x + far, far_y ? y + far : y);
			if (i >= 250 && !(fabs(tw_pair_beta(w) + 2) < 1e-9 && tw_pair_correlation(w) < -1 + 1e-9))
				fail_msg("after %u: beta %.17g, correlation %.17g", i, tw_pair_beta(w),
					 tw_pair_correlation(w));
		}
		free(w);
	}
}

static void weights_come_from_what_people_say(void **state)
{
	(void)state;
	assert_close(tw_weight_of_halflife(1), 0.5);
	assert_close(pow(1 - tw_weight_of_halflife(7), 7), 0.5);
	assert_close(tw_weight_of_span(9), 0.2);
	assert_close(tw_weight_of_com(4), 0.2);
}

static void a_value_a_half_life_ago_counts_half(void **state)
{
	struct tw_ewm w = { 0 };

	(void)state;
	assert_true(isnan(tw_ewm_mean(&w)) && isnan(tw_ewm_variance(&w, 0)));
	(void)tw_ewm_push_at(&w, 1000, 10, 3);
	assert_true(tw_ewm_variance(&w, 0) == 0 && isnan(tw_ewm_variance(&w, 1)));
	(void)tw_ewm_push_at(&w, 1010, 10, 6);
	assert_close(tw_ewm_mean(&w), 5);          /* (0.5 x 3 + 6) / 1.5 */
	assert_close(tw_ewm_variance(&w, 0), 2);   /* (0.5 x 4 + 1) / 1.5 */
	assert_close(tw_ewm_variance(&w, 1), 4.5); /* x 2.25 / (2.25 - 1.25) */
	(void)tw_ewm_push_at(&w, 1000, 10, 3);     /* late: half as well, and time does not go back */
	assert_close(tw_ewm_mean(&w), 4.5);
	assert_int_equal(w.last, 1010);
	(void)tw_ewm_push_at(&w, 1020, 10, 4.5);
	assert_close(tw_ewm_mean(&w), 4.5);
}

static void a_value_an_age_ago_is_forgotten(void **state)
{
	struct tw_ewm w = { 0 };

	(void)state;
	(void)tw_ewm_push_at(&w, INT64_MIN, 1, 100);
	(void)tw_ewm_push_at(&w, INT64_MAX, 1, 3);
	assert_true(tw_ewm_mean(&w) == 3 && tw_ewm_variance(&w, 0) == 0);
	(void)tw_ewm_push_at(&w, INT64_MIN, 1, 100);
	assert_true(tw_ewm_mean(&w) == 3);
}

/* Two periods of two: ranges are 3 (gap up from 10), 2, 4 (gap down from 12). */
static void true_ranges_reach_to_the_close_before(void **state)
{
	struct tw_atr w = { 0 };

	(void)state;
	assert_true(isnan(tw_true_range(&w, 11, 9)));
	(void)tw_atr_push(&w, 2, 11, 9, 10);
	assert_true(tw_true_range(&w, 13, 12) == 3);
	(void)tw_atr_push(&w, 2, 13, 12, 12);
	assert_true(isnan(tw_atr_value(&w, 2)));
	(void)tw_atr_push(&w, 2, 13, 11, 12);
	assert_close(tw_atr_value(&w, 2), 2.5);
	(void)tw_atr_push(&w, 2, 9, 8, 8.5);
	assert_close(tw_atr_value(&w, 2), 3.25);
	assert_false(tw_atr_push(&w, 2, 7, 8, 7.5)); /* no bar: high below low */
	assert_close(tw_atr_value(&w, 2), 3.25);
}

/* Periods 1, 2, 2: fast is the value itself; slow is 1.5, then 1.5 + 2/3 (4 - 1.5) = 19/6, then 19/6 + 2/3 (2 - 19/6).
 */
static void the_slow_average_begins_with_a_plain_mean(void **state)
{
	struct tw_macd w = { 0 };

	(void)state;
	(void)tw_macd_push(&w, 1, 2, 2, 1);
	(void)tw_macd_push(&w, 1, 2, 2, 2);
	assert_false(tw_macd_ready(&w, 2, 2));
	(void)tw_macd_push(&w, 1, 2, 2, 4);
	assert_true(tw_macd_ready(&w, 2, 2));
	assert_close(w.line, 5.0 / 6);
	assert_close(w.signal, 2.0 / 3); /* mean of 1/2 and 5/6 */
	assert_close(tw_macd_histogram(&w), 1.0 / 6);
	(void)tw_macd_push(&w, 1, 2, 2, 2);
	assert_close(w.line, -7.0 / 18);
	assert_close(w.signal, 2.0 / 3 + 2.0 / 3 * (-7.0 / 18 - 2.0 / 3));
}

static void bands_need_a_full_window(void **state)
{
	struct tw_window *w = zeroed(tw_window_size(4));
	struct tw_bands b;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(isnan(tw_bollinger(w, 4, 2).upper));
		tw_window_push(w, 4, i & 1 ? 3 : 1);
	}
	b = tw_bollinger(w, 4, 2);
	assert_true(b.lower == 0 && b.middle == 2 && b.upper == 4);
	free(w);
}

static void an_index_without_any_change_does_not_exist(void **state)
{
	struct tw_rsi *w = zeroed(tw_rsi_size(2, 0));

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		assert_true(isnan(tw_rsi_value(w, 2, 0)));
		tw_rsi_push(w, 2, 7);
	}
	tw_rsi_push(w, 2, 8);
	assert_true(tw_rsi_value(w, 2, 0) == 100);
	tw_rsi_push(w, 2, 7);
	assert_true(tw_rsi_value(w, 2, 0) == 50);
	free(w);
}

static void a_session_begins_anew(void **state)
{
	struct tw_vwap w = { 0 };

	(void)state;
	assert_true(isnan(tw_vwap_price(&w, 0)));
	(void)tw_vwap_push(&w, 1, 10, 1);
	(void)tw_vwap_push(&w, 1, 20, 3);
	assert_true(tw_vwap_price(&w, 1) == 17.5);
	assert_true(isnan(tw_vwap_price(&w, 2)));
	(void)tw_vwap_push(&w, 2, 5, 0);
	assert_true(isnan(tw_vwap_price(&w, 2)));
	(void)tw_vwap_push(&w, 2, 6, 2);
	assert_true(tw_vwap_price(&w, 2) == 6);
	assert_false(tw_vwap_push(&w, 3, 6, -1));
	assert_true(tw_vwap_price(&w, 2) == 6);
}

static void a_rolling_price_is_of_the_last_trades(void **state)
{
	struct tw_vwap_last *w = zeroed(tw_vwap_last_size(2));

	(void)state;
	assert_true(isnan(tw_vwap_last_price(w)));
	(void)tw_vwap_last_push(w, 2, 10, 1);
	assert_true(tw_vwap_last_price(w) == 10);
	(void)tw_vwap_last_push(w, 2, 20, 3);
	assert_true(tw_vwap_last_price(w) == 17.5);
	(void)tw_vwap_last_push(w, 2, 40, 1);
	assert_true(tw_vwap_last_price(w) == 25);
	(void)tw_vwap_last_push(w, 2, 1, 0);
	(void)tw_vwap_last_push(w, 2, 1, 0);
	assert_true(isnan(tw_vwap_last_price(w)));
	free(w);
}

static void returns_exist_between_prices(void **state)
{
	(void)state;
	assert_close(tw_return(4, 5), 0.25);
	assert_close(tw_log_return(1, exp(1)), 1);
	assert_close(tw_log_return(1, 1 + 0x1p-50), 0x1p-50);
	assert_true(isnan(tw_return(0, 5)) && isnan(tw_return(5, 0)) && isnan(tw_return(-1, 5)));
	assert_true(isnan(tw_return(5e-324, 1e150)) && isnan(tw_log_return((double)NAN, 1)));
	assert_close(tw_log_return(1e-150, 1e150), 300 * log(10));
}

static void a_drawdown_is_measured_from_the_peak(void **state)
{
	struct tw_drawdown w = { 0 };

	(void)state;
	assert_true(isnan(tw_drawdown_of(&w, 5)));
	(void)tw_drawdown_push(&w, -10);
	assert_true(tw_drawdown_of(&w, -15) == 5 && isnan(tw_drawdown_share(&w, -15)));
	(void)tw_drawdown_push(&w, 100);
	assert_true(tw_drawdown_of(&w, 75) == 25 && tw_drawdown_share(&w, 75) == 0.25);
	assert_true(tw_drawdown_of(&w, 120) == 0);
	(void)tw_drawdown_push(&w, 75);
	(void)tw_drawdown_push(&w, 200);
	(void)tw_drawdown_push(&w, 160);
	assert_true(w.peak == 200 && w.worst == 40 && w.worst_share == 0.25);
}

static void values_that_cannot_be_used_are_refused(void **state)
{
	struct tw_ring *ring = zeroed(tw_ring_size(2));
	struct tw_extremes *extremes = zeroed(tw_extremes_size(2));
	struct tw_pair *pair = zeroed(tw_pair_size(2));
	struct tw_vwap_last *last = zeroed(tw_vwap_last_size(2));
	struct tw_ewm ewm = { 0 };
	struct tw_atr atr = { 0 };
	struct tw_macd macd = { 0 };
	struct tw_vwap vwap = { 0 };
	struct tw_drawdown drawdown = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		double x = bad[i];
		assert_false(tw_ring_push(ring, 2, x) || tw_extremes_push(extremes, 2, x));
		assert_false(tw_pair_push(pair, 2, x, 1) || tw_pair_push(pair, 2, 1, x));
		assert_false(tw_ewm_push(&ewm, 0.5, x) || tw_ewm_push_at(&ewm, 1, 1, x));
		assert_false(tw_atr_push(&atr, 2, x, 1, 1) || tw_atr_push(&atr, 2, 1, x, 1) ||
			     tw_atr_push(&atr, 2, 1, 1, x));
		assert_false(tw_macd_push(&macd, 1, 2, 2, x) || tw_drawdown_push(&drawdown, x));
		assert_false(tw_vwap_push(&vwap, 1, x, 1) || tw_vwap_push(&vwap, 1, 1, x));
		assert_false(tw_vwap_last_push(last, 2, x, 1) || tw_vwap_last_push(last, 2, 1, x));
	}
	assert_int_equal(ring->n + extremes->n + pair->n + last->n + ewm.n + atr.n + macd.n + vwap.trades + drawdown.n,
			 0);
	free(ring);
	free(extremes);
	free(pair);
	free(last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_million_values_leave_no_drift),
		cmocka_unit_test(a_ring_answers_from_the_newest_back),
		cmocka_unit_test(extremes_leave_the_window_with_their_value),
		cmocka_unit_test(a_line_has_its_slope_as_beta),
		cmocka_unit_test(a_far_value_that_has_left_leaves_no_trace),
		cmocka_unit_test(weights_come_from_what_people_say),
		cmocka_unit_test(a_value_a_half_life_ago_counts_half),
		cmocka_unit_test(a_value_an_age_ago_is_forgotten),
		cmocka_unit_test(true_ranges_reach_to_the_close_before),
		cmocka_unit_test(the_slow_average_begins_with_a_plain_mean),
		cmocka_unit_test(bands_need_a_full_window),
		cmocka_unit_test(an_index_without_any_change_does_not_exist),
		cmocka_unit_test(a_session_begins_anew),
		cmocka_unit_test(a_rolling_price_is_of_the_last_trades),
		cmocka_unit_test(returns_exist_between_prices),
		cmocka_unit_test(a_drawdown_is_measured_from_the_peak),
		cmocka_unit_test(values_that_cannot_be_used_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
