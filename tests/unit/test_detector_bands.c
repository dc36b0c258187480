/* SPDX-License-Identifier: Apache-2.0
 *
 * iqr, moving_average, volume and technical against arithmetic done anew for every value, over made-up and real series.
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

enum { MAX = 20000 };

static struct detector_kit kit;
static struct tw_event events[MAX];
static struct kit_expected expected[2 * MAX];
static double series[MAX];
static uint32_t n_expected;

static double uniform(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (double)(*seed >> 11) * 0x1p-53;
}

static void make_series(uint32_t n)
{
	uint64_t seed = 815;
	double level = 100;

	for (uint32_t i = 0; i < n; i++) {
		level = fmax(level + uniform(&seed) - 0.5, 20);
		series[i] = level + (i % 211 == 210 ? 30 * (uniform(&seed) - 0.5) : 0);
	}
}

static void expect(uint32_t event, double score, const char *type)
{
	expected[n_expected++] = (struct kit_expected){ event, score, type };
}

static void load(const char *name, const char *const *options)
{
	n_expected = 0;
	detector_kit_load(&kit, PLUGIN_DIR, name, options);
}

static void feed_values(const double *v, uint32_t n, uint32_t batch)
{
	uint32_t id = detector_kit_name(&kit, "series");

	for (uint32_t i = 0; i < n; i++)
		events[i] = kit_value(i, id, v[i]);
	assert_int_equal(detector_kit_feed(&kit, events, n, batch), TW_OK);
}

static void judge_and_free(uint32_t at_least)
{
	assert_true(n_expected >= at_least);
	detector_kit_expect(&kit, expected, n_expected);
	detector_kit_free(&kit);
}

static uint32_t read_column(const char *file, uint32_t column, double **v)
{
	int64_t n = detector_kit_column(&kit, detector_kit_data(&kit, SOURCE_DIR, file), ',', column, v);

	assert_in_range(n, 2000, MAX);
	return (uint32_t)n;
}

/* ---- plain arithmetic over the n values before v[i] ---- */

static double mean_of(const double *v, uint32_t i, uint32_t n)
{
	long double sum = 0;

	for (uint32_t j = i - n; j < i; j++)
		sum += v[j];
	return (double)(sum / n);
}

static double deviation_of(const double *v, uint32_t i, uint32_t n, uint32_t less)
{
	long double mean = 0, squares = 0;

	for (uint32_t j = i - n; j < i; j++)
		mean += v[j];
	mean /= n;
	for (uint32_t j = i - n; j < i; j++)
		squares += (v[j] - mean) * (v[j] - mean);
	return (double)sqrtl(squares / (n - less));
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double quantile_of(const double *v, uint32_t i, uint32_t n, double q)
{
	double s[256], pos = q * (n - 1);
	uint32_t low = (uint32_t)pos;

	memcpy(s, v + i - n, n * sizeof *s);
	qsort(s, n, sizeof *s, ascending);
	return low + 1 < n ? s[low] + (pos - low) * (s[low + 1] - s[low]) : s[n - 1];
}

/* ---- iqr ---- */

static void expect_fences(const double *v, uint32_t n, uint32_t window, double k)
{
	for (uint32_t i = window; i < n; i++) {
		double q1 = quantile_of(v, i, window, 0.25), q3 = quantile_of(v, i, window, 0.75), range = q3 - q1;
		if (range > 0 && v[i] > q3 + k * range)
			expect(i, (v[i] - q3 - k * range) / range, "value_spike");
		else if (range > 0 && v[i] < q1 - k * range)
			expect(i, (q1 - k * range - v[i]) / range, "value_drop");
	}
}

static void values_outside_the_fences_alert(void **state)
{
	static const char *const windows[] = { "4", "30", "64", "65", "200" };

	(void)state;
	make_series(4000);
	for (uint32_t w = 0; w < 5; w++) {
		load("iqr", OPTIONS("window", windows[w]));
		feed_values(series, 4000, 37);
		expect_fences(series, 4000, (uint32_t)atol(windows[w]), 1.5);
		judge_and_free(20);
	}
}

static void real_closes_outside_the_fences_alert(void **state)
{
	double *v;
	uint32_t n;

	(void)state;
	load("iqr", NULL);
	n = read_column("equities_daily/GME.csv", 4, &v);
	feed_values(v, n, 256);
	expect_fences(v, n, 30, 1.5);
	judge_and_free(100);
}

static void fences_without_a_range_between_quartiles_judge_nothing(void **state)
{
	double v[40] = { 0 };

	(void)state;
	v[20] = 3; /* quartiles of the 30 stay 0 */
	v[39] = 50;
	load("iqr", NULL);
	feed_values(v, 40, 40);
	assert_int_equal(detector_kit_counter(&kit, "flat"), 10);
	assert_int_equal(detector_kit_counter(&kit, "warming"), 30);
	judge_and_free(0);
}

static void a_fence_alert_names_fence_and_quartiles(void **state)
{
	double v[6] = { 1, 2, 3, 4, 5, 9 };

	(void)state;
	load("iqr", OPTIONS("window", "5"));
	feed_values(v, 6, 6);
	assert_int_equal(kit.n_alerts, 1);
	assert_string_equal(kit.alerts[0].text,
			    "series value 9 is above the upper fence 7: quartiles of the last 5 are 2 and 4, "
			    "the fence is 1.5 x their distance out");
	assert_true(kit.alerts[0].finding.expected == 3 && kit.alerts[0].finding.threshold == 7);
	expect(5, 1, "value_spike");
	judge_and_free(1);
}

/* ---- moving_average ---- */

static void expect_percent(const double *v, uint32_t n, uint32_t window, double pct)
{
	for (uint32_t i = window; i < n; i++) {
		double mean = mean_of(v, i, window), off = 100 * (v[i] - mean) / fabs(mean);
		if (fabs(off) > pct)
			expect(i, fabs(off) / pct, off > 0 ? "value_spike" : "value_drop");
	}
}

static void values_some_percent_from_the_mean_alert(void **state)
{
	(void)state;
	make_series(4000);
	load("moving_average", NULL);
	feed_values(series, 4000, 100);
	expect_percent(series, 4000, 20, 5);
	judge_and_free(10);
}

static void real_closes_some_percent_from_the_mean_alert(void **state)
{
	double *v;
	uint32_t n;

	(void)state;
	load("moving_average", OPTIONS("window", "50", "threshold_pct", "20"));
	n = read_column("equities_daily/GME.csv", 4, &v);
	feed_values(v, n, 256);
	expect_percent(v, n, 50, 20);
	judge_and_free(100);
}

static void the_running_average_is_emitted_with_its_event_in_it(void **state)
{
	(void)state;
	make_series(500);
	load("moving_average", OPTIONS("emit", "true", "threshold_pct", "1000"));
	feed_values(series, 500, 33);
	assert_int_equal(kit.n_scores, 481);
	for (uint32_t i = 0; i < 481; i++) {
		assert_int_equal(kit.scores[i].event, i + 19);
		assert_true(fabs(kit.scores[i].score.score - mean_of(series, i + 20, 20)) < 1e-11);
	}
	judge_and_free(0);
}

static void a_mean_of_zero_has_no_percent(void **state)
{
	double v[4] = { 1, -1, 7, 8 };

	(void)state;
	load("moving_average", OPTIONS("window", "2"));
	feed_values(v, 3, 3);
	assert_int_equal(detector_kit_counter(&kit, "flat"), 1);
	judge_and_free(0);
}

/* ---- volume ---- */

static void feed_trades(const double *sizes, uint32_t n)
{
	uint32_t id = detector_kit_name(&kit, "GME");

	for (uint32_t i = 0; i < n; i++)
		events[i] = kit_trade(i, id, 1, sizes[i]);
	assert_int_equal(detector_kit_feed(&kit, events, n, 128), TW_OK);
}

static void real_volumes_far_from_the_mean_alert(void **state)
{
	double *v;
	uint32_t n;

	(void)state;
	load("volume", NULL);
	n = read_column("equities_daily/GME.csv", 6, &v);
	feed_trades(v, n);
	for (uint32_t i = 20; i < n; i++) {
		double z = (v[i] - mean_of(v, i, 20)) / deviation_of(v, i, 20, 1);
		if (fabs(z) > 3)
			expect(i, fabs(z), z > 0 ? "volume_spike" : "volume_drop");
	}
	judge_and_free(100);
}

static void changes_of_real_volumes_can_be_judged_instead(void **state)
{
	static double changes[MAX];
	static uint32_t event_of[MAX];
	double *v;
	uint32_t n, m = 0;

	(void)state;
	load("volume", OPTIONS("change", "true"));
	n = read_column("equities_daily/KOSS.csv", 6, &v); /* with days of no volume */
	feed_trades(v, n);
	for (uint32_t i = 1; i < n; i++)
		if (v[i - 1] > 0) {
			event_of[m] = i;
			changes[m++] = (v[i] / v[i - 1] - 1) * 100;
		}
	for (uint32_t i = 20; i < m; i++) {
		double z = (changes[i] - mean_of(changes, i, 20)) / deviation_of(changes, i, 20, 1);
		if (fabs(z) > 3)
			expect(event_of[i], fabs(z), z > 0 ? "volume_spike" : "volume_drop");
	}
	assert_true(m < n - 1);
	assert_int_equal(detector_kit_counter(&kit, "absent"), n - m);
	judge_and_free(100);
}

static void quotes_without_sizes_have_no_volume(void **state)
{
	uint32_t id;

	(void)state;
	load("volume", NULL);
	id = detector_kit_name(&kit, "EUR/USD");
	for (uint32_t i = 0; i < 50; i++)
		events[i] = kit_quote(i, id, 1, 2);
	assert_int_equal(detector_kit_feed(&kit, events, 50, 50), TW_OK);
	assert_int_equal(detector_kit_counter(&kit, "absent"), 50);
	judge_and_free(0);
}

/* ---- technical ---- */

static double index_of(const double *v, uint32_t i, uint32_t n)
{
	long double gains = 0, losses = 0;

	for (uint32_t j = i + 1 - n; j <= i; j++) {
		long double d = (long double)v[j] - v[j - 1];
		gains += d > 0 ? d : 0;
		losses += d < 0 ? -d : 0;
	}
	return (double)(100 * gains / (gains + losses));
}

static void expect_index(uint32_t i, double index, double high, double low)
{
	if (index > high)
		expect(i, fabs(index - 50) / 20, "rsi_overbought");
	else if (index < low)
		expect(i, fabs(index - 50) / 20, "rsi_oversold");
}

static void expect_band(const double *v, uint32_t i, uint32_t n, double width, uint32_t less)
{
	double z = (v[i] - mean_of(v, i, n)) / deviation_of(v, i, n, less);

	if (fabs(z) > width)
		expect(i, fabs(z) - width, z > 0 ? "bollinger_breach_upper" : "bollinger_breach_lower");
}

static void index_and_bands_alert_as_plain_arithmetic_says(void **state)
{
	double *v;
	uint32_t n;

	(void)state;
	load("technical", NULL);
	n = read_column("fx_bars/ejtrader_EURUSD_D1.csv", 4, &v);
	feed_values(v, n, 256);
	for (uint32_t i = 14; i < n; i++) {
		expect_index(i, index_of(v, i, 14), 70, 30);
		if (i >= 20)
			expect_band(v, i, 20, 2, 1);
	}
	judge_and_free(300);
}

static void wilder_smoothing_and_population_bands_are_there_too(void **state)
{
	double up = 0, down = 0;

	(void)state;
	make_series(3000);
	load("technical", OPTIONS("smoothing", "wilder", "rsi_window", "9", "overbought", "80", "oversold", "20",
				  "deviation", "population", "bollinger_window", "50", "bollinger_width", "3"));
	feed_values(series, 3000, 77);
	for (uint32_t i = 1; i < 3000; i++) {
		double d = series[i] - series[i - 1], gain = d > 0 ? d : 0, loss = d < 0 ? -d : 0;
		up = i <= 9 ? up + gain / 9 : (up * 8 + gain) / 9;
		down = i <= 9 ? down + loss / 9 : (down * 8 + loss) / 9;
		if (i >= 9)
			expect_index(i, 100 * up / (up + down), 80, 20);
		if (i >= 50)
			expect_band(series, i, 50, 3, 0);
	}
	judge_and_free(50);
}

static void a_crossing_alerts_once_for_each_stay_beyond(void **state)
{
	double before = 50;

	(void)state;
	make_series(3000);
	load("technical", OPTIONS("bollinger", "false", "signal", "cross"));
	feed_values(series, 3000, 77);
	for (uint32_t i = 14; i < 3000; i++) {
		double index = index_of(series, i, 14);
		if ((index > 70) != (before > 70) || (index < 30) != (before < 30))
			expect_index(i, index, 70, 30);
		before = index;
	}
	judge_and_free(50);
}

static void one_indicator_can_be_switched_off(void **state)
{
	(void)state;
	make_series(1000);
	load("technical", OPTIONS("rsi", "false", "sided", "upper"));
	feed_values(series, 1000, 77);
	for (uint32_t i = 20; i < 1000; i++)
		if (series[i] > mean_of(series, i, 20))
			expect_band(series, i, 20, 2, 1);
	judge_and_free(10);
}

static void prices_that_stand_still_have_no_index_and_no_bands(void **state)
{
	double v[60];

	(void)state;
	for (uint32_t i = 0; i < 60; i++)
		v[i] = i < 3 ? 1e9 * i : 1.1;
	load("technical", NULL);
	feed_values(v, 60, 60);
	/* the last change lies behind both windows from event 23 on */
	for (uint32_t i = 0; i < kit.n_alerts; i++)
		assert_true(kit.alerts[i].event < 17);
	assert_int_equal(detector_kit_counter(&kit, "flat"), (60 - 17) + (60 - 23));
	kit.n_alerts = 0;
	judge_and_free(0);
}

static void technical_alerts_name_their_numbers(void **state)
{
	double v[21];

	(void)state;
	for (uint32_t i = 0; i < 21; i++)
		v[i] = i == 20 ? 110 : i & 1 ? 101 : 99;
	load("technical", NULL);
	feed_values(v, 21, 21);
	/* mean 100, squares 20, so 2 deviations are 2 sqrt(20/19) = 2.052 */
	assert_int_equal(kit.n_alerts, 1);
	assert_string_equal(kit.alerts[0].type, "bollinger_breach_upper");
	assert_non_null(strstr(kit.alerts[0].text, "series value 110 is above the upper Bollinger band 102.05"));
	detector_kit_free(&kit);
}

static void refuse(const char *name, const char *const *options, const char *words)
{
	assert_int_equal(detector_kit_check(&kit, PLUGIN_DIR, name, options), TW_E_CONFIG);
	assert_non_null(strstr(kit.err.msg, words));
	detector_kit_free(&kit);
}

static void wrong_configurations_are_refused_with_a_sentence(void **state)
{
	(void)state;
	refuse("technical", OPTIONS("rsi", "false", "bollinger", "false"), "both off");
	refuse("technical", OPTIONS("oversold", "70"), "oversold: 70 is not below overbought, which is 70");
	refuse("iqr", OPTIONS("fields", "x"), "unknown field 'x'");
	refuse("iqr", OPTIONS("fields", "bid,ask", "window", "4000"), "smaller window");
	refuse("moving_average", OPTIONS("fields", "bid,ask", "window", "8000"), "smaller window");
	refuse("volume", OPTIONS("fields", "size,volume", "window", "8000"), "smaller window");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_outside_the_fences_alert),
		cmocka_unit_test(real_closes_outside_the_fences_alert),
		cmocka_unit_test(fences_without_a_range_between_quartiles_judge_nothing),
		cmocka_unit_test(a_fence_alert_names_fence_and_quartiles),
		cmocka_unit_test(values_some_percent_from_the_mean_alert),
		cmocka_unit_test(real_closes_some_percent_from_the_mean_alert),
		cmocka_unit_test(the_running_average_is_emitted_with_its_event_in_it),
		cmocka_unit_test(a_mean_of_zero_has_no_percent),
		cmocka_unit_test(real_volumes_far_from_the_mean_alert),
		cmocka_unit_test(changes_of_real_volumes_can_be_judged_instead),
		cmocka_unit_test(quotes_without_sizes_have_no_volume),
		cmocka_unit_test(index_and_bands_alert_as_plain_arithmetic_says),
		cmocka_unit_test(wilder_smoothing_and_population_bands_are_there_too),
		cmocka_unit_test(a_crossing_alerts_once_for_each_stay_beyond),
		cmocka_unit_test(one_indicator_can_be_switched_off),
		cmocka_unit_test(prices_that_stand_still_have_no_index_and_no_bands),
		cmocka_unit_test(technical_alerts_name_their_numbers),
		cmocka_unit_test(wrong_configurations_are_refused_with_a_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
