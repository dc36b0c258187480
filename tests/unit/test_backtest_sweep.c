/* SPDX-License-Identifier: Apache-2.0
 *
 * Sweeps as they are written, comparison of alerts, prefixes and times of labels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backtest/causality.h"
#include "backtest/compare.h"
#include "backtest/sweep.h"
#include <string.h>
#include <tapewatch/push.h>

static void values_are(const char *text, const char *const *expected, uint32_t n)
{
	struct sweep s = { 0 };
	struct tw_err e = { 0 };

	assert_int_equal(sweep_add(&s, text, &e), TW_OK);
	assert_int_equal(s.axes[0].n, n);
	for (uint32_t i = 0; i < n; i++)
		assert_string_equal(s.axes[0].values[i], expected[i]);
	sweep_free(&s);
}

static void a_range_is_added_up_in_decimals(void **state)
{
	static const char *const halves[] = { "2", "2.5", "3" };
	static const char *const tenths[] = { "0", "0.1", "0.2", "0.3" };
	static const char *const below[] = { "-1", "-0.5", "0", "0.5" };

	(void)state;
	values_are("threshold=2..3:0.5", halves, 3);
	values_are("x=0..0.3:0.1", tenths, 4); /* 0.1 + 0.2 is not 0.3 in binary */
	values_are("x=-1..0.5:0.5", below, 4);
}

static void an_end_that_no_step_meets_is_left_out(void **state)
{
	static const char *const two[] = { "1", "4" };

	(void)state;
	values_are("x=1..6:3", two, 2);
}

static void units_stand_behind_the_end_or_everywhere(void **state)
{
	static const char *const minutes[] = { "1m", "3m", "5m" };

	(void)state;
	values_are("cooldown=1m..5m:2m", minutes, 3);
	values_are("cooldown=1..5m:2", minutes, 3);
}

static void lists_and_ranges_mix_in_order(void **state)
{
	static const char *const mixed[] = { "64", "1", "2", "robust" };

	(void)state;
	values_are("a.b=64,1..2,robust", mixed, 4);
}

static void combinations_change_the_last_axis_fastest(void **state)
{
	struct sweep s = { 0 };
	struct tw_err e = { 0 };

	(void)state;
	assert_int_equal(sweep_add(&s, "a=1,2", &e), TW_OK);
	assert_int_equal(sweep_add(&s, "b=x,y,z", &e), TW_OK);
	assert_int_equal(s.runs, 6);
	assert_string_equal(sweep_text(&s, 0), "a=1 b=x");
	assert_string_equal(sweep_text(&s, 1), "a=1 b=y");
	assert_string_equal(sweep_text(&s, 5), "a=2 b=z");
	sweep_free(&s);
}

static void what_is_no_sweep_is_refused(void **state)
{
	static const char *const wrong[] = { "x",
					     "=1",
					     "x=",
					     "x=1..",
					     "x=..2",
					     "x=2..1",
					     "x=1..2:0",
					     "x=1..2:-1",
					     "x=1s..2m",
					     "x=1,",
					     "x=1..100000:0.001",
					     "x=9999999999999999..1" };

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct sweep s = { 0 };
		struct tw_err e = { 0 };
		assert_int_equal(sweep_add(&s, wrong[i], &e), TW_E_CONFIG);
		assert_non_null(strstr(e.msg, "--sweep"));
		sweep_free(&s);
	}
}

/* ---- comparing ---- */

static void alerts_are_paired_by_what_they_are_about(void **state)
{
	struct intern *names = intern_new(100);
	uint32_t d = intern_id(names, "far", 3), x = intern_id(names, "X", 1), t = intern_id(names, "up", 2);
	struct found before[] = {
		{ .ts = 1, .detector = d, .symbol = x, .type = t, .score = 5 },
		{ .ts = 2, .detector = d, .symbol = x, .type = t, .score = 5 },
		{ .ts = 3, .detector = d, .symbol = x, .type = t, .score = 5 },
	};
	struct found after[] = {
		{ .ts = 3, .detector = d, .symbol = x, .type = t, .score = 5 },
		{ .ts = 2, .detector = d, .symbol = x, .type = t, .score = 6 },
		{ .ts = 1, .detector = d, .symbol = x, .score = 5 },
	};
	const struct result a = { .alerts = before, .n_alerts = 3 }, b = { .alerts = after, .n_alerts = 3 };
	struct changes c;

	(void)state;
	assert_int_equal(compare_results(&c, &a, &b, names, NULL), TW_OK);
	assert_int_equal(c.same, 1);
	assert_int_equal(c.n, 3);
	assert_int_equal(c.kinds[CHANGE_CHANGES], 1);
	assert_ptr_equal(c.list[0].after, &after[2]); /* no type sorts before "up" */
	assert_ptr_equal(c.list[1].before, &before[0]);
	assert_ptr_equal(c.list[2].after, &after[1]);
	changes_free(&c);
	intern_free(names);
}

/* ---- prefixes ---- */

static struct found said(uint64_t seq, uint64_t digest)
{
	return (struct found){ .seq = seq, .digest = digest };
}

static void a_prefix_has_the_alerts_up_to_its_end(void **state)
{
	struct found all[] = { said(3, 30), said(3, 31), said(8, 80) };
	const struct result whole = { .alerts = all, .n_alerts = 3 };
	const struct result two = { .alerts = all, .n_alerts = 2 }, one = { .alerts = all, .n_alerts = 1 };
	struct causality_fault f;

	(void)state;
	assert_true(causality_check(&whole, &two, 5, &f));
	assert_false(causality_check(&whole, &two, 8, &f)); /* the one of 8 is missing */
	assert_ptr_equal(f.whole, &all[2]);
	assert_null(f.prefix);
	assert_int_equal(f.wrong, 1);
	assert_false(causality_check(&whole, &one, 3, &f));
	assert_ptr_equal(f.whole, &all[1]);
}

static void another_alert_at_the_same_event_is_a_fault(void **state)
{
	struct found all[] = { said(3, 30), said(8, 80) }, other[] = { said(3, 30), said(8, 81) },
		     early[] = { said(2, 20), said(3, 30), said(8, 80) };
	const struct result whole = { .alerts = all, .n_alerts = 2 };
	const struct result changed = { .alerts = other, .n_alerts = 2 }, more = { .alerts = early, .n_alerts = 3 };
	struct causality_fault f;

	(void)state;
	assert_false(causality_check(&whole, &changed, 9, &f));
	assert_int_equal(f.wrong, 1);
	assert_ptr_equal(f.whole, &all[1]);
	assert_ptr_equal(f.prefix, &other[1]);
	assert_false(causality_check(&whole, &more, 9, &f));
	assert_int_equal(f.wrong, 1);
	assert_null(f.whole);
	assert_ptr_equal(f.prefix, &early[0]);
}

static void prefixes_are_those_of_the_seed_and_each_is_another(void **state)
{
	struct found all[] = { said(77, 1) };
	const struct result whole = { .alerts = all, .n_alerts = 1 };
	uint64_t a[20], b[20], c[20];
	bool at_alert = false, differ = false;

	(void)state;
	assert_int_equal(causality_prefixes(a, 20, 1000, 1, &whole), 20);
	assert_int_equal(causality_prefixes(b, 20, 1000, 1, &whole), 20);
	assert_int_equal(causality_prefixes(c, 20, 1000, 2, &whole), 20);
	for (int i = 0; i < 20; i++) {
		assert_true(a[i] >= 1 && a[i] < 1000 && (!i || a[i] > a[i - 1]));
		assert_int_equal(a[i], b[i]);
		at_alert |= a[i] == 77;
		differ |= a[i] != c[i];
	}
	assert_true(at_alert && differ);
	assert_int_equal(causality_prefixes(a, 20, 3, 1, &whole), 2); /* there are no more */
	assert_int_equal(causality_prefixes(a, 20, 1, 1, &whole), 0);
}

/* ---- times of labels ---- */

static int64_t time_of(const char *text, bool end)
{
	int64_t ts = -1;

	return label_time(tw_textz(text), end, &ts) ? ts : -1;
}

static void times_are_read_in_all_their_forms(void **state)
{
	const int64_t noon = INT64_C(1767614400000000000); /* 2026-01-05T12:00:00Z */

	(void)state;
	assert_int_equal(time_of("2026-01-05T12:00:00Z", false), noon);
	assert_int_equal(time_of(" 2026-01-05 12:00 ", false), noon);
	assert_int_equal(time_of("2026/01/05 14:00:00.000+02:00", false), noon);
	assert_int_equal(time_of("2026-01-05 12:00:00.25", false), noon + 250000000);
	assert_int_equal(time_of("1767614400", false), noon);
	assert_int_equal(time_of("1767614400.5", false), noon + 500000000);
	assert_int_equal(time_of("1767614400000", false), noon);
	assert_int_equal(time_of("1767614400000000", false), noon);
	assert_int_equal(time_of("1767614400000000000", false), noon);
}

static void a_date_alone_is_its_whole_day(void **state)
{
	const int64_t day = INT64_C(86400000000000);

	(void)state;
	assert_int_equal(time_of("1970-01-02", false), day);
	assert_int_equal(time_of("1970-01-02", true), 2 * day - 1);
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",    "soon", "2026-02-30", "2026-13-01", "2026-01-05T25:00", "2026-01-05x", "2026-01-05T12:00:00 CET",
		"1e9", "-5"
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(time_of(wrong[i], false), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_is_added_up_in_decimals),
		cmocka_unit_test(an_end_that_no_step_meets_is_left_out),
		cmocka_unit_test(units_stand_behind_the_end_or_everywhere),
		cmocka_unit_test(lists_and_ranges_mix_in_order),
		cmocka_unit_test(combinations_change_the_last_axis_fastest),
		cmocka_unit_test(what_is_no_sweep_is_refused),
		cmocka_unit_test(alerts_are_paired_by_what_they_are_about),
		cmocka_unit_test(a_prefix_has_the_alerts_up_to_its_end),
		cmocka_unit_test(another_alert_at_the_same_event_is_a_fault),
		cmocka_unit_test(prefixes_are_those_of_the_seed_and_each_is_another),
		cmocka_unit_test(times_are_read_in_all_their_forms),
		cmocka_unit_test(a_date_alone_is_its_whole_day),
		cmocka_unit_test(what_is_no_time_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
