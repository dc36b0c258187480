/* SPDX-License-Identifier: Apache-2.0
 *
 * The windows of tapewatch/window.h against plain arithmetic: every statistic made anew from the values, in long
 * double.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <tapewatch/window.h>

#include <cmocka.h>

enum { MAX = 1200 };

static uint64_t seed;

static double uniform(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (double)(seed >> 11) * 0x1p-53;
}

static int reset(void **state)
{
	(void)state;
	seed = 88172645463325252u;
	return 0;
}

static void *zeroed(uint32_t size)
{
	void *p = aligned_alloc(16, size);
	assert_non_null(p);
	memset(p, 0, size);
	return p;
}

/* Mean and squared deviations of n values, in two passes. */
static void plain(const double *v, uint32_t n, long double *mean, long double *squares)
{
	*mean = *squares = 0;
	for (uint32_t i = 0; i < n; i++)
		*mean += v[i];
	*mean /= n;
	for (uint32_t i = 0; i < n; i++)
		*squares += (v[i] - *mean) * (v[i] - *mean);
}

static void assert_near(double got, long double want, double relative, double absolute)
{
	if (!(fabsl(got - want) <= relative * fabsl(want) + absolute))
		fail_msg("got %.17g, expected %.17Lg", got, want);
}

/* Push a series and compare after every value. */
static void compare_window(uint32_t window, const double *v, uint32_t n, double relative, double absolute)
{
	struct tw_window *w = zeroed(tw_window_size(window));

	for (uint32_t i = 0; i < n; i++) {
		uint32_t m = i + 1 < window ? i + 1 : window;
		long double mean, squares;
		struct tw_spread got;
		tw_window_push(w, window, v[i]);
		plain(v + i + 1 - m, m, &mean, &squares);
		got = tw_window_judge(w, 17);
		assert_near(got.squares, squares, relative, absolute);
		assert_near(got.distance, 17 - mean, relative, absolute + 1e-15 * (double)fabsl(mean));
		assert_near(tw_window_mean(w), mean, 1e-14, absolute);
		if (m > 1)
			assert_near(tw_window_deviation(w, 1), sqrtl(squares / (m - 1)), relative, sqrt(absolute));
	}
	free(w);
}

static void a_window_has_mean_and_deviation_of_its_last_values(void **state)
{
	static const uint32_t windows[] = { 1, 2, 3, 7, 30, 64, 1000 };
	double v[3000];

	(void)state;
	for (uint32_t i = 0; i < 3000; i++)
		v[i] = 100 + 3 * uniform() - (i > 1500 ? 40 : 0);
	for (uint32_t i = 0; i < sizeof windows / sizeof *windows; i++)
		compare_window(windows[i], v, 3000, 1e-11, 1e-13);
}

static void a_random_walk_of_prices_keeps_its_deviation(void **state)
{
	double v[20000];

	(void)state;
	v[0] = 1.3;
	for (uint32_t i = 1; i < 20000; i++)
		v[i] = v[i - 1] + (uniform() - 0.5) * 1e-5;
	compare_window(30, v, 20000, 1e-9, 0);
}

static void a_window_of_equal_values_has_no_spread_at_all(void **state)
{
	static const double levels[] = { 1.1, 1e9 + 0.1, -7e-12, 0.1, 1e150 };
	struct tw_window *w = zeroed(tw_window_size(30));

	(void)state;
	for (uint32_t l = 0; l < sizeof levels / sizeof *levels; l++)
		for (uint32_t i = 0; i < 200; i++) {
			tw_window_push(w, 30, levels[l]);
			if (i >= 29) {
				assert_true(tw_window_judge(w, levels[l]).squares == 0);
				assert_true(tw_window_judge(w, levels[l]).distance == 0);
			}
		}
	free(w);
}

static void a_jump_of_level_and_back_leaves_no_trace(void **state)
{
	static const uint32_t windows[] = { 2, 5, 20, 30, 100 };

	(void)state;
	for (uint32_t k = 0; k < sizeof windows / sizeof *windows; k++) {
		uint32_t window = windows[k];
		struct tw_window *w = zeroed(tw_window_size(window));
		double last[MAX];
		for (uint32_t i = 0; i < 1000;
		     i++) { /* 1, then 1e9 for some, then 1 again, the height of steps apart */
			double x = (i / 97 % 2 ? 1e9 : 1) + (uniform() - 0.5) * 1e-3;
			long double mean, squares;
			last[i] = x;
			tw_window_push(w, window, x);
			if (i + 1 < window)
				continue;
			plain(last + i + 1 - window, window, &mean, &squares);
			/* at 1e9 a value itself is only good to 1e-7 */
			assert_near(tw_window_judge(w, x).squares, squares, 1e-6, 0);
			assert_near(tw_window_judge(w, x).distance, x - mean, 1e-6, 1e-15 * (double)fabsl(mean));
		}
		free(w);
	}
}

/* 1e9 +- 1, at several scales; with TAPEWATCH_LONG_TESTS set 1e9 values through each window. */
static void sums_do_not_drift(void **state)
{
	static const double scales[] = { 1, 1e-9, 1e12 };
	uint64_t n = getenv("TAPEWATCH_LONG_TESTS") ? 1000000000u : 20000000u / 6;
	uint32_t windows[] = { 30, 1000 };

	(void)state;
	for (uint32_t k = 0; k < 2; k++)
		for (uint32_t j = 0; j < 3; j++) {
			uint32_t window = windows[k];
			struct tw_window *w = zeroed(tw_window_size(window));
			for (uint64_t i = 0; i < n; i++) {
				double x = (1e9 + 2 * uniform() - 1) * scales[j];
				tw_window_push(w, window, x);
				if (i % 99991 == 0 && i > window) {
					long double mean, squares;
					plain(tw_window_values(w), window, &mean, &squares);
					assert_near(tw_window_deviation(w, 1), sqrtl(squares / (window - 1)), 1e-9, 0);
					assert_near(tw_window_mean(w), mean, 1e-15, 0);
				}
			}
			free(w);
		}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double plain_quantile(const double *s, uint32_t n, double q)
{
	double pos = q * (n - 1);
	uint32_t low = (uint32_t)floor(pos), high = (uint32_t)ceil(pos);
	return (double)((long double)s[low] + ((long double)s[high] - s[low]) * (pos - low));
}

static double plain_median(double *v, uint32_t n)
{
	qsort(v, n, sizeof *v, ascending);
	return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

static void a_sorted_window_is_in_order_after_every_push(void **state)
{
	static const uint32_t windows[] = { 1, 2, 3, 4, 5, 15, 30, 31, 63, 64, 65, 100, 501 };

	(void)state;
	for (uint32_t k = 0; k < sizeof windows / sizeof *windows; k++) {
		uint32_t window = windows[k];
		struct tw_sorted *w = zeroed(tw_sorted_size(window));
		double all[3000], want[MAX];
		for (uint32_t i = 0; i < 3000; i++) {
			uint32_t n = i + 1 < window ? i + 1 : window;
			/* many ties, both signs, and now and then something far out */
			all[i] = floor(20 * uniform()) - 10 + (i % 37 ? 0 : 1e6 * (uniform() - 0.5));
			tw_sorted_push(w, window, all[i]);
			memcpy(want, all + i + 1 - n, n * sizeof *want);
			qsort(want, n, sizeof *want, ascending);
			assert_int_equal(w->n, n);
			for (uint32_t j = 0; j < n; j++)
				assert_true(tw_sorted_order(w, window)[j] == want[j]);
		}
		free(w);
	}
}

static void quantiles_and_medians_are_those_of_the_sorted_values(void **state)
{
	static const double qs[] = { 0, 0.05, 0.25, 0.5, 0.75, 0.95, 1 };

	(void)state;
	for (uint32_t n = 1; n < 70; n++)
		for (uint32_t round = 0; round < 20; round++) {
			double v[70], copy[70], median;
			for (uint32_t i = 0; i < n; i++)
				v[i] = round & 1 ? floor(5 * uniform()) : uniform();
			median = plain_median(v, n);
			assert_true(tw_median(v, n) == median);
			for (uint32_t i = 0; i < sizeof qs / sizeof *qs; i++)
				assert_near(tw_quantile(v, n, qs[i]), plain_quantile(v, n, qs[i]), 1e-15, 1e-15);
			for (uint32_t i = 0; i < n; i++)
				copy[i] = fabs(v[i] - median);
			assert_true(tw_mad(v, n, median) == plain_median(copy, n));
		}
}

/* gains and losses of the last n changes, up to v[i] */
static void plain_changes(const double *v, uint32_t i, uint32_t n, long double *gains, long double *losses)
{
	*gains = *losses = 0;
	for (uint32_t j = i + 1 - n; j <= i; j++) {
		long double d = (long double)v[j] - v[j - 1];
		if (d > 0)
			*gains += d;
		else
			*losses -= d;
	}
}

static void the_simple_index_is_gains_over_gains_and_losses(void **state)
{
	static const uint32_t periods[] = { 2, 3, 14, 100 };

	(void)state;
	for (uint32_t k = 0; k < 4; k++) {
		uint32_t period = periods[k];
		struct tw_rsi *w = zeroed(tw_rsi_size(period, 0));
		double v[3000];
		for (uint32_t i = 0; i < 3000; i++) {
			double difference, total;
			long double gains, losses;
			/* a walk, with a stretch of another world and a flat stretch in it */
			v[i] = i == 0 ? 100 : i / 500 == 4 ? v[i - 1] : v[i - 1] + uniform() - 0.5;
			v[i] += i == 700 ? 1e9 : i == 710 ? -1e9 : 0;
			tw_rsi_push(w, period, v[i]);
			assert_int_equal(tw_rsi_ready(w, period), i >= period);
			if (i < period)
				continue;
			tw_rsi_parts(w, 0, &difference, &total);
			plain_changes(v, i, period, &gains, &losses);
			assert_near(total, gains + losses, 1e-7, 0);
			assert_near(difference, gains - losses, 1e-7, 1e-7 * (double)(gains + losses));
			if (gains + losses > 0)
				assert_near(tw_rsi_index(difference, total), 100 * gains / (gains + losses), 0, 1e-5);
		}
		free(w);
	}
}

static void the_wilder_index_smooths_as_wilder_did(void **state)
{
	struct tw_rsi *w = zeroed(tw_rsi_size(14, 1));
	double v[2000];
	long double up = 0, down = 0;

	(void)state;
	for (uint32_t i = 0; i < 2000; i++) {
		double difference, total;
		v[i] = i ? v[i - 1] + uniform() - 0.5 : 50;
		tw_rsi_push_wilder(w, 14, v[i]);
		if (i == 14) {
			plain_changes(v, i, 14, &up, &down);
			up /= 14;
			down /= 14;
		} else if (i > 14) {
			long double d = (long double)v[i] - v[i - 1];
			up = (up * 13 + (d > 0 ? d : 0)) / 14;
			down = (down * 13 + (d < 0 ? -d : 0)) / 14;
		}
		assert_int_equal(tw_rsi_ready(w, 14), i >= 14);
		if (i < 14)
			continue;
		tw_rsi_parts(w, 1, &difference, &total);
		assert_near(tw_rsi_index(difference, total), 100 - 100 / (1 + up / down), 1e-9, 0);
	}
	free(w);
}

static void an_index_stays_between_0_and_100(void **state)
{
	(void)state;
	assert_true(tw_rsi_index(3, 3) == 100);
	assert_true(tw_rsi_index(-3, 3) == 0);
	assert_true(tw_rsi_index(3.0000001, 3) == 100);
	assert_true(tw_rsi_index(-3.0000001, 3) == 0);
	assert_true(tw_rsi_index(0, 3) == 50);
}

static void the_weighted_mean_is_the_sum_of_fading_weights(void **state)
{
	struct tw_ewma w = { 0 };
	double v[50];

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		long double mean, weight = 1, variance = 0;
		v[i] = 10 * uniform();
		tw_ewma_push(&w, 0.2, v[i]);
		mean = 0; /* v[0] has what is left of the weights */
		for (uint32_t j = i; j > 0; j--, weight *= 0.8L)
			mean += weight * 0.2L * v[j];
		mean += weight * v[0];
		assert_near(w.mean, mean, 1e-13, 0);
		weight = 1;
		for (uint32_t j = i; j > 0; j--, weight *= 0.8L)
			variance += weight * 0.2L * (v[j] - mean) * (v[j] - mean);
		variance += weight * (v[0] - mean) * (v[0] - mean);
		assert_near(w.variance, variance, 1e-12, 1e-12);
	}
}

static void stretches_of_time_are_aligned_to_their_width(void **state)
{
	(void)state;
	assert_int_equal(tw_tumbling_end(0, 60), 60);
	assert_int_equal(tw_tumbling_end(59, 60), 60);
	assert_int_equal(tw_tumbling_end(60, 60), 120);
	assert_int_equal(tw_tumbling_end(-1, 60), 0);
	assert_int_equal(tw_tumbling_end(-60, 60), 0);
	assert_int_equal(tw_tumbling_end(-61, 60), -60);
	assert_int_equal(tw_tumbling_end(INT64_MIN, 60), -9223372036854775800);
	assert_int_equal(tw_tumbling_end(INT64_MAX, 60), INT64_MAX);
	assert_int_equal(tw_tumbling_end(INT64_MAX - 6, 60), INT64_MAX);
}

static void only_plain_numbers_are_usable(void **state)
{
	(void)state;
	assert_true(tw_usable(0));
	assert_true(tw_usable(-1e150));
	assert_false(tw_usable((double)NAN));
	assert_false(tw_usable((double)INFINITY));
	assert_false(tw_usable(-(double)INFINITY));
	assert_false(tw_usable(1.1e150));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_window_has_mean_and_deviation_of_its_last_values, reset),
		cmocka_unit_test_setup(a_random_walk_of_prices_keeps_its_deviation, reset),
		cmocka_unit_test_setup(a_window_of_equal_values_has_no_spread_at_all, reset),
		cmocka_unit_test_setup(a_jump_of_level_and_back_leaves_no_trace, reset),
		cmocka_unit_test_setup(sums_do_not_drift, reset),
		cmocka_unit_test_setup(a_sorted_window_is_in_order_after_every_push, reset),
		cmocka_unit_test_setup(quantiles_and_medians_are_those_of_the_sorted_values, reset),
		cmocka_unit_test_setup(the_simple_index_is_gains_over_gains_and_losses, reset),
		cmocka_unit_test_setup(the_wilder_index_smooths_as_wilder_did, reset),
		cmocka_unit_test_setup(an_index_stays_between_0_and_100, reset),
		cmocka_unit_test_setup(the_weighted_mean_is_the_sum_of_fading_weights, reset),
		cmocka_unit_test_setup(stretches_of_time_are_aligned_to_their_width, reset),
		cmocka_unit_test_setup(only_plain_numbers_are_usable, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
