/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores of a backtest, on cases worked out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backtest/score.h"
#include <math.h>
#include <string.h>

#define S INT64_C(1000000000)

/* Three labels: symbol 1 from 100 to 200, symbol 2 from 150 to 160, everybody from 1000 to 1100. */
static struct label list[] = {
	{ 100 * S, 200 * S, 1, 0, 7 },
	{ 150 * S, 160 * S, 2, 0, 8 },
	{ 1000 * S, 1100 * S, 0, 0, 7 },
};
static const struct labels labels = { .list = list, .n = 3, .cap = 3, .longest = 100 * S };

static void near(double found, double expected)
{
	assert_true(fabs(found - expected) <= 1e-12);
}

static struct found alert(uint32_t detector, uint32_t symbol, int64_t ts, double score)
{
	return (struct found){ .detector = detector, .symbol = symbol, .ts = ts * S, .score = score };
}

static struct metrics metrics_of(struct found *alerts, uint32_t n, int64_t tolerance, uint32_t detector)
{
	const struct result r = { .alerts = alerts, .n_alerts = n };
	const struct matching m = { .labels = &labels, .tolerance = tolerance * S, .episode = 300 * S };
	struct metrics ret;

	assert_int_equal(score_metrics(&r, &m, detector, NULL, 0, &ret, NULL), TW_OK);
	return ret;
}

static void an_alert_finds_the_labels_it_is_inside_of(void **state)
{
	struct found alerts[] = { alert(1, 1, 130, 5), alert(1, 3, 1050, 4), alert(1, 3, 500, 3) };
	struct metrics m = metrics_of(alerts, 3, 0, 1);

	(void)state;
	assert_int_equal(m.labels, 3);
	assert_int_equal(m.found, 2);
	assert_int_equal(m.inside, 2);
	near(m.precision_alerts, 2.0 / 3);
	near(m.recall, 2.0 / 3);
	near(m.delay, 40); /* of 30 and 50 */
}

static void both_ends_of_a_label_are_inside_and_the_next_moment_is_not(void **state)
{
	struct found alerts[] = { alert(1, 2, 150, 1), alert(1, 2, 160, 1), alert(1, 2, 161, 1), alert(1, 2, 149, 1) };

	(void)state;
	assert_int_equal(metrics_of(alerts, 4, 0, 1).inside, 2);
	assert_int_equal(metrics_of(alerts, 4, 1, 1).inside, 4);
}

static void an_early_alert_within_the_tolerance_has_a_negative_delay(void **state)
{
	struct found alerts[] = { alert(1, 1, 90, 1) };

	(void)state;
	near(metrics_of(alerts, 1, 10, 1).delay, -10);
	assert_true(isnan(metrics_of(alerts, 1, 9, 1).delay));
}

static void another_symbol_is_outside_and_no_symbol_is_everybody(void **state)
{
	struct found alerts[] = { alert(1, 3, 155, 1), alert(1, 0, 155, 1) };
	struct metrics m = metrics_of(alerts, 2, 0, 1);

	(void)state;
	assert_int_equal(m.inside, 1);
	assert_int_equal(m.found, 2); /* an alert that names nobody is about both of them */
}

static void an_episode_is_counted_from_its_first_alert(void **state)
{
	/* 0 and 300 are one episode, 301 begins the next although 300 is near; another symbol has its own */
	struct found alerts[] = { alert(1, 1, 2000, 1), alert(1, 1, 2300, 1), alert(1, 1, 2301, 1),
				  alert(1, 2, 2301, 1) };

	(void)state;
	assert_int_equal(metrics_of(alerts, 4, 0, 1).episodes, 3);
}

static void an_episode_is_right_once_however_often_it_hits(void **state)
{
	struct found alerts[] = { alert(1, 1, 90, 1), alert(1, 1, 110, 1), alert(1, 1, 120, 1), alert(1, 1, 5000, 1) };
	struct metrics m = metrics_of(alerts, 4, 0, 1);

	(void)state;
	assert_int_equal(m.episodes, 2);
	assert_int_equal(m.right, 1);
	near(m.precision, 0.5);
	near(m.f1, 2 * 0.5 * (1.0 / 3) / (0.5 + 1.0 / 3));
}

static void the_area_counts_what_is_never_found(void **state)
{
	/* by score: 9 wrong; 8 finds one of 3 at precision 1/2; 7 (twice) finds another at 2/4 */
	struct found alerts[] = { alert(1, 9, 500, 9), alert(1, 1, 150, 8), alert(1, 9, 1000, 7), alert(1, 9, 600, 7) };
	struct metrics m = metrics_of(alerts, 4, 0, 1);

	(void)state;
	assert_int_equal(m.auc_of, AUC_ALERTS);
	near(m.auc, 1.0 / 3 * 0.5 + 1.0 / 3 * 0.5);
}

static void a_second_alert_on_a_found_label_adds_no_recall(void **state)
{
	struct found alerts[] = { alert(1, 1, 150, 8), alert(1, 1, 151, 7), alert(1, 9, 500, 6) };

	(void)state;
	near(metrics_of(alerts, 3, 0, 1).auc, 1.0 / 3);
}

static void a_score_that_is_no_number_is_the_lowest(void **state)
{
	struct found alerts[] = { alert(1, 1, 150, (double)NAN), alert(1, 9, 500, -1e300) };

	(void)state;
	near(metrics_of(alerts, 2, 0, 1).auc, 1.0 / 3 * 0.5);
}

static void a_target_narrows_recall_but_not_precision(void **state)
{
	struct found alerts[] = { alert(1, 2, 155, 1) }; /* finds the label of category 8 */
	const struct result r = { .alerts = alerts, .n_alerts = 1 };
	const struct matching m = { .labels = &labels, .episode = 300 * S };
	uint32_t seven = 7;
	struct metrics ret;

	(void)state;
	assert_int_equal(score_metrics(&r, &m, 1, &seven, 1, &ret, NULL), TW_OK);
	assert_int_equal(ret.labels, 2);
	assert_int_equal(ret.found, 0);
	near(ret.precision, 1);
	near(ret.f1, 0);
}

static void without_alerts_nothing_is_found(void **state)
{
	struct metrics m = metrics_of(NULL, 0, 0, 1);

	(void)state;
	assert_true(isnan(m.precision));
	near(m.recall, 0);
	near(m.f1, 0);
	near(m.auc, 0);
}

static void all_together_is_detector_nought(void **state)
{
	struct found alerts[] = { alert(1, 1, 150, 1), alert(2, 2, 155, 1) };

	(void)state;
	assert_int_equal(metrics_of(alerts, 2, 0, 1).found, 1);
	assert_int_equal(metrics_of(alerts, 2, 0, 0).found, 2);
	assert_int_equal(metrics_of(alerts, 2, 0, 0).alerts, 2);
}

static void average_precision_of_the_textbook(void **state)
{
	/* the example of scikit-learn's average_precision_score: y = 0 0 1 1, scores .1 .4 .35 .8 gives 0.8333 */
	struct emitted s[] = { { 0.1, 1, false }, { 0.4, 1, false }, { 0.35, 1, true }, { 0.8, 1, true } };

	(void)state;
	near(score_average_precision(s, 4), 0.5 * 1 + 0.5 * (2.0 / 3));
}

static void equal_scores_are_one_threshold(void **state)
{
	struct emitted s[] = { { 1, 1, true }, { 1, 1, false }, { 1, 1, false }, { 1, 1, false } };

	(void)state;
	near(score_average_precision(s, 4), 0.25);
	assert_true(isnan(score_average_precision(s + 1, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alert_finds_the_labels_it_is_inside_of),
		cmocka_unit_test(both_ends_of_a_label_are_inside_and_the_next_moment_is_not),
		cmocka_unit_test(an_early_alert_within_the_tolerance_has_a_negative_delay),
		cmocka_unit_test(another_symbol_is_outside_and_no_symbol_is_everybody),
		cmocka_unit_test(an_episode_is_counted_from_its_first_alert),
		cmocka_unit_test(an_episode_is_right_once_however_often_it_hits),
		cmocka_unit_test(the_area_counts_what_is_never_found),
		cmocka_unit_test(a_second_alert_on_a_found_label_adds_no_recall),
		cmocka_unit_test(a_score_that_is_no_number_is_the_lowest),
		cmocka_unit_test(a_target_narrows_recall_but_not_precision),
		cmocka_unit_test(without_alerts_nothing_is_found),
		cmocka_unit_test(all_together_is_detector_nought),
		cmocka_unit_test(average_precision_of_the_textbook),
		cmocka_unit_test(equal_scores_are_one_threshold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
