/* SPDX-License-Identifier: Apache-2.0
 *
 * zscore against arithmetic done anew for every value, in long double, over made-up and real series.
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

/* two quotes with a mid of 1.48052 */
#define BID_A 1.48046
#define ASK_A 1.48058
#define BID_B 1.48051
#define ASK_B 1.48053

enum { MAX = 20000 };

static struct detector_kit kit;
static struct tw_event events[MAX];
static struct kit_expected expected[MAX];
static double series[MAX];

static double uniform(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (double)(*seed >> 11) * 0x1p-53;
}

/* A walk with a jump now and then. */
static void make_series(uint32_t n)
{
	uint64_t seed = 4711;
	double level = 100;

	for (uint32_t i = 0; i < n; i++) {
		level += uniform(&seed) - 0.5;
		series[i] = level + (i % 211 == 210 ? 30 * (uniform(&seed) - 0.5) : 0);
	}
}

static double z_of(const double *v, uint32_t i, uint32_t window, uint32_t less)
{
	long double mean = 0, squares = 0;

	for (uint32_t j = i - window; j < i; j++)
		mean += v[j];
	mean /= window;
	for (uint32_t j = i - window; j < i; j++)
		squares += (v[j] - mean) * (v[j] - mean);
	return (double)((v[i] - mean) / sqrtl(squares / (window - less)));
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median_of(const double *v, uint32_t n)
{
	double s[1024];

	memcpy(s, v, n * sizeof *s);
	qsort(s, n, sizeof *s, ascending);
	return (s[(n - 1) / 2] + s[n / 2]) / 2;
}

static double robust_of(const double *v, uint32_t i, uint32_t window)
{
	double d[1024], median = median_of(v + i - window, window);

	for (uint32_t j = 0; j < window; j++)
		d[j] = fabs(v[i - window + j] - median);
	return (v[i] - median) / (1.4826 * median_of(d, window));
}

static void feed_values(const double *v, uint32_t n, uint32_t batch)
{
	uint32_t id = detector_kit_name(&kit, "series");

	for (uint32_t i = 0; i < n; i++)
		events[i] = kit_value(i, id, v[i]);
	assert_int_equal(detector_kit_feed(&kit, events, n, batch), TW_OK);
}

static uint32_t expect_z(const double *v, uint32_t n, uint32_t window, double threshold, uint32_t less)
{
	uint32_t m = 0;

	for (uint32_t i = window; i < n; i++) {
		double z = z_of(v, i, window, less);
		if (fabs(z) > threshold)
			expected[m++] = (struct kit_expected){ i, fabs(z), z > 0 ? "value_spike" : "value_drop" };
	}
	return m;
}

static void load(const char *const *options)
{
	detector_kit_load(&kit, PLUGIN_DIR, "zscore", options);
}

static void it_alerts_where_the_values_before_say_so(void **state)
{
	static const uint32_t batches[] = { 1, 7, 256 };
	uint32_t m;

	(void)state;
	make_series(5000);
	for (uint32_t i = 0; i < 3; i++) {
		load(NULL);
		m = expect_z(series, 5000, 30, 2.5, 1);
		assert_true(m > 20);
		feed_values(series, 5000, batches[i]);
		detector_kit_expect(&kit, expected, m);
		assert_int_equal(detector_kit_counter(&kit, "warming"), 30);
		assert_int_equal(detector_kit_counter(&kit, "flat"), 0);
		detector_kit_free(&kit);
	}
}

static void the_deviation_can_be_that_of_a_population(void **state)
{
	(void)state;
	make_series(3000);
	load(OPTIONS("deviation", "population", "window", "10", "threshold", "4"));
	feed_values(series, 3000, 256);
	detector_kit_expect(&kit, expected, expect_z(series, 3000, 10, 4, 0));
	detector_kit_free(&kit);
}

static void the_robust_score_is_made_of_medians(void **state)
{
	uint32_t m = 0;

	(void)state;
	make_series(3000);
	load(OPTIONS("method", "robust", "window", "101", "threshold", "3.5"));
	feed_values(series, 3000, 256);
	for (uint32_t i = 101; i < 3000; i++) {
		double z = robust_of(series, i, 101);
		if (fabs(z) > 3.5)
			expected[m++] = (struct kit_expected){ i, fabs(z), z > 0 ? "value_spike" : "value_drop" };
	}
	assert_true(m > 5);
	detector_kit_expect(&kit, expected, m);
	detector_kit_free(&kit);
}

/* 40 equal values of 50 make the median distance 0; q05 and q95 are then -3 and 6, see below. */
static void a_robust_score_of_mostly_equal_values_uses_the_wider_quantiles(void **state)
{
	double v[51];

	(void)state;
	for (uint32_t i = 0; i < 50; i++)
		v[i] = i % 10 == 3 ? -3 : i % 10 == 7 ? 6 : 0;
	v[50] = 20;
	load(OPTIONS("method", "robust", "window", "50"));
	feed_values(v, 51, 1);
	detector_kit_expect(&kit, &(struct kit_expected){ 50, 20 / (9 / 3.29), NULL }, 1);
	detector_kit_free(&kit);
}

static void one_side_alone_alerts_when_asked(void **state)
{
	static const char *const sides[] = { "upper", "lower" };

	(void)state;
	make_series(3000);
	for (uint32_t s = 0; s < 2; s++) {
		uint32_t m = expect_z(series, 3000, 30, 2.5, 1), k = 0;
		for (uint32_t i = 0; i < m; i++)
			if (!strcmp(expected[i].type, s ? "value_drop" : "value_spike"))
				expected[k++] = expected[i];
		assert_true(k > 0 && k < m);
		load(OPTIONS("sided", sides[s]));
		feed_values(series, 3000, 64);
		detector_kit_expect(&kit, expected, k);
		detector_kit_free(&kit);
	}
}

/* With itself in its window of 30 no value could be further out than 29/sqrt(30) = 5.3. */
static void a_value_is_not_part_of_its_own_baseline(void **state)
{
	double v[31];

	(void)state;
	for (uint32_t i = 0; i < 30; i++)
		v[i] = i & 1 ? 2 : 1;
	v[30] = 1000;
	load(NULL);
	feed_values(v, 31, 31);
	detector_kit_expect(&kit, &(struct kit_expected){ 30, 998.5 / sqrt(7.5 / 29), "value_spike" }, 1);
	detector_kit_free(&kit);
}

static void a_window_without_spread_gives_no_score(void **state)
{
	double v[40];

	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		v[i] = i == 35 ? 7 : 5;
	load(OPTIONS("threshold", "0.1"));
	feed_values(v, 36, 10);
	assert_int_equal(kit.n_alerts, 0);
	assert_int_equal(detector_kit_counter(&kit, "flat"), 6);
	detector_kit_free(&kit);
}

/* The mids of these quotes are the same to a person; in binary they differ in the last place. */
static void rounding_in_the_last_place_is_no_spread(void **state)
{
	uint32_t id;

	(void)state;
	load(OPTIONS("fields", "price"));
	assert_true(0.5 * (BID_A + ASK_A) != 0.5 * (BID_B + ASK_B));
	id = detector_kit_name(&kit, "EUR/USD");
	for (uint32_t i = 0; i < 31; i++)
		events[i] = i == 30 ? kit_quote(i, id, 1.4, 1.5)
			    : i & 1 ? kit_quote(i, id, BID_A, ASK_A)
				    : kit_quote(i, id, BID_B, ASK_B);
	assert_int_equal(detector_kit_feed(&kit, events, 31, 16), TW_OK);
	assert_int_equal(kit.n_alerts, 0);
	assert_int_equal(detector_kit_counter(&kit, "flat"), 1);
	detector_kit_free(&kit);
}

static void absent_values_are_neither_judged_nor_kept(void **state)
{
	uint32_t m, n = 0;
	static double holes[MAX];

	(void)state;
	make_series(2000);
	m = expect_z(series, 2000, 30, 2.5, 1);
	for (uint32_t i = 0, k = 0; i < 2000; i++) {
		if (i % 3 == 0)
			holes[n++] = i % 2 ? NAN : i % 5 ? INFINITY : 1e200;
		if (k < m && expected[k].event == i)
			expected[k++].event = n;
		holes[n++] = series[i];
	}
	load(NULL);
	feed_values(holes, n, 100);
	detector_kit_expect(&kit, expected, m);
	assert_int_equal(detector_kit_counter(&kit, "absent"), n - 2000);
	detector_kit_free(&kit);
}

static void keys_do_not_mix(void **state)
{
	uint32_t a, b, m;

	(void)state;
	make_series(1000);
	load(NULL);
	a = detector_kit_name(&kit, "A");
	b = detector_kit_name(&kit, "B");
	for (uint32_t i = 0; i < 1000; i++) {
		events[2 * i] = kit_value(i, a, series[i]);
		events[2 * i + 1] = kit_value(i, b, -1000 * series[999 - i]);
	}
	assert_int_equal(detector_kit_feed(&kit, events, 2000, 256), TW_OK);
	m = expect_z(series, 1000, 30, 2.5, 1);
	for (uint32_t i = 0; i < m; i++)
		expected[i].event *= 2;
	for (uint32_t i = 0; i < kit.n_alerts;)
		if (strcmp(kit.alerts[i].key, "A"))
			memmove(&kit.alerts[i], &kit.alerts[i + 1], (--kit.n_alerts - i) * sizeof *kit.alerts);
		else
			i++;
	detector_kit_expect(&kit, expected, m);
	detector_kit_free(&kit);
}

static void returns_are_judged_as_returns(void **state)
{
	static double returns[MAX], logs[MAX];
	uint32_t id, m = 0;

	(void)state;
	make_series(2000);
	load(OPTIONS("fields", "return,log_return"));
	id = detector_kit_name(&kit, "X");
	for (uint32_t i = 0; i < 2000; i++) {
		events[i] = kit_trade(i, id, series[i], 1);
		if (i) {
			returns[i - 1] = series[i] / series[i - 1] - 1;
			logs[i - 1] = log(series[i] / series[i - 1]);
		}
	}
	assert_int_equal(detector_kit_feed(&kit, events, 2000, 256), TW_OK);
	for (uint32_t i = 31; i < 2000; i++) {
		double z = z_of(returns, i - 1, 30, 1), l = z_of(logs, i - 1, 30, 1);
		if (fabs(z) > 2.5)
			expected[m++] = (struct kit_expected){ i, fabs(z), z > 0 ? "return_spike" : "return_drop" };
		if (fabs(l) > 2.5)
			expected[m++] = (struct kit_expected){ i, fabs(l), l > 0 ? "return_spike" : "return_drop" };
	}
	assert_true(m > 10);
	detector_kit_expect(&kit, expected, m);
	assert_int_equal(detector_kit_counter(&kit, "absent"), 2); /* the first price has no return */
	detector_kit_free(&kit);
}

static void every_judged_event_gives_a_score_when_asked(void **state)
{
	(void)state;
	make_series(200);
	load(OPTIONS("emit", "true"));
	feed_values(series, 200, 16);
	assert_int_equal(kit.n_scores, 170);
	for (uint32_t i = 0; i < 170; i++) {
		assert_int_equal(kit.scores[i].event, i + 30);
		assert_true(fabs(kit.scores[i].score.score - fabs(z_of(series, i + 30, 30, 1))) < 1e-9);
	}
	detector_kit_free(&kit);
}

static void several_fields_give_one_score_with_features(void **state)
{
	uint32_t id;

	(void)state;
	make_series(100);
	load(OPTIONS("emit", "true", "fields", "price,spread"));
	id = detector_kit_name(&kit, "X");
	for (uint32_t i = 0; i < 100; i++)
		events[i] = kit_quote(i, id, series[i], series[i] + 0.25 * (1 + (i * i) % 5));
	assert_int_equal(detector_kit_feed(&kit, events, 100, 16), TW_OK);
	assert_int_equal(kit.n_scores, 70);
	for (uint32_t i = 0; i < 70; i++) {
		const struct kit_score *s = &kit.scores[i];
		assert_int_equal(s->n_features, 2);
		assert_true(s->score.score == fmax(s->features[0], s->features[1]));
	}
	detector_kit_free(&kit);
}

static void deals_can_be_judged_by_account(void **state)
{
	uint32_t account, symbols[2];

	(void)state;
	load(OPTIONS("fields", "profit", "window", "10"));
	kit.key = "account";
	account = detector_kit_name(&kit, "A02");
	symbols[0] = detector_kit_name(&kit, "EURUSD");
	symbols[1] = detector_kit_name(&kit, "XAUUSD");
	for (uint32_t i = 0; i < 11; i++) {
		events[i] = (struct tw_event){ .struct_size = sizeof events[i], .kind = TW_DEAL, .ts = i };
		events[i].deal.account = account;
		events[i].deal.symbol = symbols[i & 1];
		events[i].deal.profit = i == 10 ? -51 : i & 1 ? 1 : -1;
	}
	assert_int_equal(detector_kit_feed(&kit, events, 11, 4), TW_OK);
	detector_kit_expect(&kit, &(struct kit_expected){ 10, 51 / sqrt(10.0 / 9), "profit_drop" }, 1);
	assert_string_equal(kit.alerts[0].key, "A02");
	assert_string_equal(kit.alerts[0].text,
			    "A02 EURUSD profit -51 is 48.4 standard deviations below its mean 0 of the "
			    "last 10 (threshold 2.5)");
	detector_kit_free(&kit);
}

static void the_sentence_names_the_numbers(void **state)
{
	uint32_t id;

	(void)state;
	load(NULL);
	id = detector_kit_name(&kit, "EUR/USD");
	for (uint32_t i = 0; i < 31; i++) {
		double mid = i == 30 ? 1.38727 : i & 1 ? 1.38662 : 1.38638;
		events[i] = kit_quote(i, id, mid - 0.00003, mid + 0.00003);
	}
	assert_int_equal(detector_kit_feed(&kit, events, 31, 31), TW_OK);
	assert_int_equal(kit.n_alerts, 1);
	assert_string_equal(kit.alerts[0].text,
			    "EUR/USD price 1.38727 is 6.31 standard deviations above its mean 1.3865 of "
			    "the last 30 (threshold 2.5)");
	assert_string_equal(kit.alerts[0].type, "price_spike");
	assert_true(fabs(kit.alerts[0].finding.value - 1.38727) < 1e-12);
	assert_true(fabs(kit.alerts[0].finding.expected - 1.3865) < 1e-12);
	assert_true(kit.alerts[0].finding.threshold == 2.5);
	detector_kit_free(&kit);
}

static void refuse(const char *const *options, const char *words)
{
	assert_int_equal(detector_kit_check(&kit, PLUGIN_DIR, "zscore", options), TW_E_CONFIG);
	assert_non_null(strstr(kit.err.msg, words));
	detector_kit_free(&kit);
}

static void a_wrong_configuration_is_refused_with_a_sentence(void **state)
{
	(void)state;
	refuse(OPTIONS("fields", "prise"), "fields: unknown field 'prise'; expected value, price");
	refuse(OPTIONS("fields", "bid,ask,open,high,low"), "fields: 5 names; expected 1 to 4");
	refuse(OPTIONS("fields", "bid,bid"), "fields: 'bid' is there twice");
	refuse(OPTIONS("method", "robust", "window", "1002"), "window: 1002 is too large for method robust");
	refuse(OPTIONS("fields", "bid,ask", "window", "8000"), "choose a smaller window or fewer fields");
}

static void real_closes_alert_where_plain_arithmetic_says_so(void **state)
{
	static const char *const files[] = { "equities_daily/GME.csv", "fx_bars/ejtrader_USDCHF_D1.csv" };

	(void)state;
	for (uint32_t f = 0; f < 2; f++) {
		double *v;
		int64_t n;
		uint32_t m;
		load(NULL);
		n = detector_kit_column(&kit, detector_kit_data(&kit, SOURCE_DIR, files[f]), ',', 4, &v);
		assert_in_range(n, 2000, MAX);
		m = expect_z(v, (uint32_t)n, 30, 2.5, 1);
		assert_true(m > 100);
		feed_values(v, (uint32_t)n, 256);
		detector_kit_expect(&kit, expected, m);
		detector_kit_free(&kit);
	}
}

static void real_ticks_alert_where_plain_arithmetic_says_so(void **state)
{
	static const char file[] = "fx_ticks/fxdata_USDSGD_20150115_0800-1200.csv";
	double *bid, *ask;
	int64_t n;
	uint32_t id, m = 0;

	(void)state;
	load(OPTIONS("window", "200", "threshold", "4", "fields", "price"));
	n = detector_kit_column(&kit, detector_kit_data(&kit, SOURCE_DIR, file), ',', 1, &bid);
	assert_int_equal(detector_kit_column(&kit, detector_kit_data(&kit, SOURCE_DIR, file), ',', 2, &ask), n);
	assert_in_range(n, 10000, MAX);
	id = detector_kit_name(&kit, "USD/SGD");
	for (uint32_t i = 0; i < n; i++) {
		events[i] = kit_quote(i, id, bid[i], ask[i]);
		series[i] = (bid[i] + ask[i]) / 2;
	}
	for (uint32_t i = 200; i < n; i++) {
		double z = z_of(series, i, 200, 1);
		if (fabs(z) > 4)
			expected[m++] = (struct kit_expected){ i, fabs(z), NULL };
	}
	assert_true(m > 50);
	assert_int_equal(detector_kit_feed(&kit, events, (uint32_t)n, 256), TW_OK);
	detector_kit_expect(&kit, expected, m);
	detector_kit_free(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_alerts_where_the_values_before_say_so),
		cmocka_unit_test(the_deviation_can_be_that_of_a_population),
		cmocka_unit_test(the_robust_score_is_made_of_medians),
		cmocka_unit_test(a_robust_score_of_mostly_equal_values_uses_the_wider_quantiles),
		cmocka_unit_test(one_side_alone_alerts_when_asked),
		cmocka_unit_test(a_value_is_not_part_of_its_own_baseline),
		cmocka_unit_test(a_window_without_spread_gives_no_score),
		cmocka_unit_test(rounding_in_the_last_place_is_no_spread),
		cmocka_unit_test(absent_values_are_neither_judged_nor_kept),
		cmocka_unit_test(keys_do_not_mix),
		cmocka_unit_test(returns_are_judged_as_returns),
		cmocka_unit_test(every_judged_event_gives_a_score_when_asked),
		cmocka_unit_test(several_fields_give_one_score_with_features),
		cmocka_unit_test(deals_can_be_judged_by_account),
		cmocka_unit_test(the_sentence_names_the_numbers),
		cmocka_unit_test(a_wrong_configuration_is_refused_with_a_sentence),
		cmocka_unit_test(real_closes_alert_where_plain_arithmetic_says_so),
		cmocka_unit_test(real_ticks_alert_where_plain_arithmetic_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
