/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting per stretch of time: what closes a stretch, where late events go, and the ends of time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <tapewatch/window.h>

#include <cmocka.h>

enum { WIDTH = 60, BUCKETS = 4 };

static struct tw_tumbling closed;

static int push(struct tw_tumbling *w, int64_t ts)
{
	closed.end = -1;
	closed.count = 999;
	return tw_tumbling_push(w, ts, WIDTH, 1, &closed);
}

static void a_stretch_is_closed_by_the_first_event_after_it(void **state)
{
	struct tw_tumbling w = { 0 };

	(void)state;
	assert_int_equal(push(&w, 0), TW_COUNTED);
	assert_int_equal(push(&w, 59), TW_COUNTED);
	assert_int_equal(closed.count, 999);
	assert_int_equal(push(&w, 60), TW_CLOSED);
	assert_int_equal(closed.end, 60);
	assert_int_equal(closed.count, 2);
	assert_int_equal(tw_tumbling_skipped(&closed, &w, WIDTH), 0);
	assert_int_equal(w.end, 120);
	assert_int_equal(w.count, 1);
}

static void stretches_without_events_are_reported_as_a_number(void **state)
{
	struct tw_tumbling w = { 0 };

	(void)state;
	(void)push(&w, 10);
	assert_int_equal(push(&w, 300), TW_CLOSED);
	assert_int_equal(closed.end, 60);
	assert_int_equal(tw_tumbling_skipped(&closed, &w, WIDTH), 4);
}

static void a_late_event_is_refused_and_changes_nothing(void **state)
{
	struct tw_tumbling w = { 0 }, before;

	(void)state;
	(void)push(&w, 100);
	(void)push(&w, 70); /* the same stretch, out of order */
	assert_int_equal(w.count, 2);
	before = w;
	assert_int_equal(push(&w, 59), TW_LATE);
	assert_int_equal(push(&w, INT64_MIN), TW_LATE);
	assert_memory_equal(&w, &before, sizeof w);
	assert_int_equal(closed.count, 999);
}

static void counting_begins_anywhere_even_before_1970(void **state)
{
	struct tw_tumbling w = { 0 };

	(void)state;
	assert_int_equal(push(&w, -1), TW_COUNTED);
	assert_int_equal(w.end, 0);
	assert_int_equal(push(&w, -60), TW_COUNTED);
	assert_int_equal(w.count, 2);
	assert_int_equal(push(&w, -61), TW_LATE);
	assert_int_equal(push(&w, 0), TW_CLOSED);
	assert_int_equal(closed.end, 0);
	assert_int_equal(closed.count, 2);
}

static void the_last_stretch_of_time_takes_all_that_is_left(void **state)
{
	struct tw_tumbling w = { 0 };

	(void)state;
	assert_int_equal(push(&w, INT64_MIN), TW_COUNTED);
	assert_int_equal(push(&w, INT64_MAX - 1), TW_CLOSED);
	assert_int_equal(w.end, INT64_MAX);
	assert_int_equal(push(&w, INT64_MAX), TW_COUNTED);
	assert_int_equal(w.count, 2);
	assert_int_equal(push(&w, 5), TW_LATE);
}

static struct tw_sliding *sliding(void)
{
	struct tw_sliding *w = calloc(1, tw_sliding_size(BUCKETS));
	assert_non_null(w);
	return w;
}

static int slide(struct tw_sliding *w, int64_t ts, double amount)
{
	return tw_sliding_push(w, BUCKETS, WIDTH, ts, amount);
}

static void a_bucket_leaves_when_time_has_passed_it(void **state)
{
	struct tw_sliding *w = sliding();

	(void)state;
	(void)slide(w, 0, 1);
	(void)slide(w, 59, 2);
	(void)slide(w, 60, 4);
	(void)slide(w, 239, 8); /* the fourth bucket: the first is still there */
	assert_int_equal(w->count, 4);
	assert_true(w->sum == 15);
	tw_sliding_advance(w, BUCKETS, WIDTH, 240);
	assert_int_equal(w->count, 2);
	assert_true(w->sum == 12);
	tw_sliding_advance(w, BUCKETS, WIDTH, 100000);
	assert_int_equal(w->count, 0);
	assert_true(w->sum == 0);
	free(w);
}

static void a_late_event_counts_in_its_own_bucket_and_leaves_with_it(void **state)
{
	struct tw_sliding *w = sliding();

	(void)state;
	(void)slide(w, 200, 1);
	assert_int_equal(slide(w, 10, 5), TW_COUNTED);
	assert_int_equal(w->count, 2);
	assert_int_equal(slide(w, -1, 7), TW_LATE);
	assert_int_equal(w->count, 2);
	tw_sliding_advance(w, BUCKETS, WIDTH, 240);
	assert_int_equal(w->count, 1);
	assert_true(w->sum == 1);
	assert_int_equal(slide(w, 10, 5), TW_LATE);
	free(w);
}

static void time_never_goes_back(void **state)
{
	struct tw_sliding *w = sliding();

	(void)state;
	(void)slide(w, 1000, 1);
	tw_sliding_advance(w, BUCKETS, WIDTH, 0);
	assert_int_equal(w->newest, 16);
	assert_int_equal(w->count, 1);
	free(w);
}

static void a_window_spans_the_ends_of_time(void **state)
{
	struct tw_sliding *w = sliding();

	(void)state;
	assert_int_equal(slide(w, INT64_MIN, 1), TW_COUNTED);
	assert_int_equal(slide(w, INT64_MAX, 2), TW_COUNTED);
	assert_int_equal(w->count, 1);
	assert_int_equal(slide(w, INT64_MAX, 2), TW_COUNTED);
	assert_int_equal(w->count, 2);
	assert_int_equal(slide(w, INT64_MIN, 1), TW_LATE);
	assert_int_equal(w->count, 2);
	free(w);
}

static void an_amount_that_is_no_number_counts_as_nothing(void **state)
{
	struct tw_sliding *w = sliding();

	(void)state;
	(void)slide(w, 0, (double)NAN);
	(void)slide(w, 1, (double)INFINITY);
	(void)slide(w, 2, 3);
	assert_int_equal(w->count, 3);
	assert_true(w->sum == 3);
	free(w);
}

static void a_sum_of_amounts_leaves_no_rounding_behind(void **state)
{
	struct tw_sliding *w = sliding();

	(void)state;
	(void)slide(w, 0, 1e17);
	(void)slide(w, 60, 0.5);
	assert_false(w->sum == 0.5);
	tw_sliding_advance(w, BUCKETS, WIDTH, 240);
	assert_true(w->sum == 0.5);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stretch_is_closed_by_the_first_event_after_it),
		cmocka_unit_test(stretches_without_events_are_reported_as_a_number),
		cmocka_unit_test(a_late_event_is_refused_and_changes_nothing),
		cmocka_unit_test(counting_begins_anywhere_even_before_1970),
		cmocka_unit_test(the_last_stretch_of_time_takes_all_that_is_left),
		cmocka_unit_test(a_bucket_leaves_when_time_has_passed_it),
		cmocka_unit_test(a_late_event_counts_in_its_own_bucket_and_leaves_with_it),
		cmocka_unit_test(time_never_goes_back),
		cmocka_unit_test(a_window_spans_the_ends_of_time),
		cmocka_unit_test(an_amount_that_is_no_number_counts_as_nothing),
		cmocka_unit_test(a_sum_of_amounts_leaves_no_rounding_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
