/* SPDX-License-Identifier: Apache-2.0
 *
 * Evaluation of alerts against labels, on cases worked out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/evaluate.h"
#include <stdlib.h>
#include <string.h>
#include <tapewatch/push.h>

#define S INT64_C(1000000000)

static int setup(void **state)
{
	*state = evaluation_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	evaluation_free(*state);
	return 0;
}

static void label_as(struct evaluation *e, const char *verdict, const char *kind, const char *symbol,
		     const char *account, int64_t from, int64_t to)
{
	struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_LABEL, .ts = (to + 10) * S };

	ev.label.from = from * S;
	ev.label.to = to * S;
	ev.label.verdict = tw_textz(verdict);
	ev.label.category = tw_textz(kind);
	evaluation_label(e, &ev, tw_textz(symbol), tw_textz(account));
}

static void label(struct evaluation *e, const char *kind, const char *symbol, const char *account, int64_t from,
		  int64_t to)
{
	label_as(e, "abuse", kind, symbol, account, from, to);
}

static void alert(struct evaluation *e, const char *detector, const char *symbol, const char *account, int64_t ts)
{
	struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_ALERT, .ts = ts * S };

	ev.alert.detector = tw_textz(detector);
	ev.alert.symbol = tw_textz(symbol);
	ev.alert.account = tw_textz(account);
	evaluation_alert(e, &ev);
}

static struct evaluation_row row(struct evaluation *e, const char *detector)
{
	struct evaluation_row r;

	assert_true(evaluation_row(e, detector, &r));
	return r;
}

static uint64_t found(struct evaluation *e, const char *detector, const char *kind)
{
	struct evaluation_cell c;

	assert_true(evaluation_cell(e, detector, kind, &c));
	return c.found;
}

static void an_alert_hits_from_the_beginning_until_the_grace_is_over(void **state)
{
	static const struct {
		int64_t ts;
		uint64_t found;
	} cases[] = { { 999, 0 }, { 1000, 1 }, { 1100, 1 }, { 1160, 1 }, { 1161, 0 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct evaluation *e = evaluation_new();

		label(e, "spike", "EURUSD", NULL, 1000, 1100);
		alert(e, "d", "EURUSD", NULL, cases[i].ts);
		assert_int_equal(found(e, "d", "spike"), cases[i].found);
		evaluation_free(e);
	}
	(void)state;
}

static void a_longer_grace_reaches_later_alerts(void **state)
{
	evaluation_grace(*state, 300 * S);
	label(*state, "silence", "EURUSD", NULL, 1000, 1100);
	alert(*state, "d", "EURUSD", NULL, 1400);
	assert_int_equal(found(*state, "d", "silence"), 1);
}

static void subjects_match_as_far_as_both_name_one(void **state)
{
	static const struct {
		const char *label_symbol, *label_account, *symbol, *account;
		uint64_t found;
	} cases[] = {
		{ "EURUSD", NULL, "EURUSD", NULL, 1 }, { "EURUSD", NULL, "GBPUSD", NULL, 0 },
		{ "EURUSD", "A1", "EURUSD", NULL, 1 }, { "EURUSD", "A1", NULL, "A1", 1 },
		{ "EURUSD", "A1", "EURUSD", "A2", 0 }, { "EURUSD", "A1", "GBPUSD", "A1", 0 },
		{ "EURUSD", NULL, NULL, "A1", 0 },     { NULL, "A1", "EURUSD", "A1", 1 },
		{ NULL, NULL, NULL, NULL, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct evaluation *e = evaluation_new();

		label(e, "k", cases[i].label_symbol, cases[i].label_account, 1000, 1100);
		alert(e, "d", cases[i].symbol, cases[i].account, 1050);
		assert_int_equal(found(e, "d", "k"), cases[i].found);
		evaluation_free(e);
	}
	(void)state;
}

static void labels_may_come_after_their_alerts_and_in_any_order(void **state)
{
	alert(*state, "d", "B", NULL, 5010);
	alert(*state, "d", "A", NULL, 1010);
	label(*state, "k", "B", NULL, 5000, 5020);
	label(*state, "k", "A", NULL, 1000, 1020);
	label(*state, "k", "A", NULL, 3000, 3020);
	assert_int_equal(found(*state, "d", "k"), 2);
	assert_int_equal(row(*state, "d").labelled, 3);
}

static void a_short_label_does_not_hide_a_long_one(void **state)
{
	label(*state, "long", "A", NULL, 1000, 9000);
	label(*state, "short", "B", NULL, 8000, 8001);
	alert(*state, "d", "A", NULL, 8900);
	assert_int_equal(found(*state, "d", "long"), 1);
	assert_int_equal(found(*state, "d", "short"), 0);
}

/* Alerts at 0, 299 and 300 s belong to the episode of 0; 301 begins the second. On another subject: a third. */
static void episodes_are_five_minutes_from_their_first_alert(void **state)
{
	alert(*state, "d", "A", NULL, 10000);
	alert(*state, "d", "A", NULL, 10299);
	alert(*state, "d", "A", NULL, 10300);
	alert(*state, "d", "A", NULL, 10301);
	alert(*state, "d", "B", NULL, 10000);
	assert_int_equal(row(*state, "d").alerts, 5);
	assert_int_equal(row(*state, "d").episodes, 3);
}

static void an_episode_is_right_once_when_any_of_its_alerts_hits(void **state)
{
	label(*state, "k", "A", NULL, 10100, 10110);
	alert(*state, "d", "A", NULL, 10000); /* before it: no hit */
	alert(*state, "d", "A", NULL, 10105);
	alert(*state, "d", "A", NULL, 10150);
	alert(*state, "d", "A", NULL, 20000); /* an episode of its own, wrong */
	struct evaluation_row r = row(*state, "d");

	assert_int_equal(r.hits, 2);
	assert_int_equal(r.episodes, 2);
	assert_int_equal(r.right, 1);
}

static void a_hit_of_any_kind_is_precise_but_recall_is_of_the_own_kind(void **state)
{
	label(*state, "price_spike", "A", NULL, 1000, 1010);
	label(*state, "price_spike", "B", NULL, 1000, 1010);
	label(*state, "feed_silence", "A", NULL, 9000, 9100);
	alert(*state, "price_spike", "A", NULL, 1001);
	alert(*state, "price_spike", "A", NULL, 9101); /* the feed comes back with a jump */
	struct evaluation_row r = row(*state, "price_spike");

	assert_int_equal(r.right, 2);
	assert_int_equal(r.episodes, 2);
	assert_int_equal(r.found, 1);
	assert_int_equal(r.labelled, 2);
	assert_int_equal(found(*state, "price_spike", "feed_silence"), 1);
}

/* Own kind by the beginning of the name, although it found all of the other kind. */
static void a_name_that_begins_with_a_kind_is_there_for_it(void **state)
{
	label(*state, "other", "A", NULL, 1000, 1010);
	label(*state, "burst", "A", NULL, 5000, 5010);
	label(*state, "burst", "A", NULL, 8000, 8010);
	alert(*state, "burst_by_size", "A", NULL, 1001);
	alert(*state, "burst_by_size", "A", NULL, 5001);
	assert_int_equal(row(*state, "burst_by_size").labelled, 2);
	assert_int_equal(row(*state, "burst_by_size").found, 1);
}

static void another_name_is_there_for_what_it_finds_best(void **state)
{
	label(*state, "a", "A", NULL, 1000, 1010);
	label(*state, "a", "B", NULL, 1000, 1010);
	label(*state, "b", "A", NULL, 5000, 5010);
	alert(*state, "d", "A", NULL, 1001);
	alert(*state, "d", "A", NULL, 5001);
	/* 1 of 2 against 1 of 1 */
	assert_int_equal(row(*state, "d").labelled, 1);
}

static void a_declared_target_goes_before_everything(void **state)
{
	evaluation_target(*state, "a", "b");
	evaluation_target(*state, "a", "c");
	label(*state, "a", "A", NULL, 1000, 1010);
	label(*state, "b", "A", NULL, 5000, 5010);
	label(*state, "c", "A", NULL, 8000, 8010);
	label(*state, "c", "B", NULL, 8000, 8010);
	alert(*state, "a", "A", NULL, 8001);
	assert_int_equal(row(*state, "a").labelled, 3);
	assert_int_equal(row(*state, "a").found, 1);
}

/* Delays of the first hits 2, 4 and 30 s: the median is 4; with a fourth of 10 s it is (4 + 10) / 2. */
static void the_delay_is_the_median_of_first_hits(void **state)
{
	struct evaluation_cell c;

	for (int i = 0; i < 4; i++)
		label(*state, "k", "A", NULL, 1000 * (i + 1), 1000 * (i + 1) + 20);
	alert(*state, "d", "A", NULL, 1002);
	alert(*state, "d", "A", NULL, 1019);
	alert(*state, "d", "A", NULL, 2030);
	alert(*state, "d", "A", NULL, 3004);
	assert_true(evaluation_cell(*state, "d", "k", &c));
	assert_float_equal(c.delay, 4, 1e-9);
	alert(*state, "d", "A", NULL, 4010);
	assert_true(evaluation_cell(*state, "d", "k", &c));
	assert_float_equal(c.delay, 7, 1e-9);
}

static void other_verdicts_and_labels_without_time_are_passed_over(void **state)
{
	label(*state, "k", "A", NULL, 1000, 1010);
	label_as(*state, "false_alarm", "k", "A", NULL, 2000, 2010);
	label_as(*state, "abuse", "k", "A", NULL, 0, 0);
	label_as(*state, "abuse", "k", "A", NULL, 3000, 2000);
	label_as(*state, "abuse", "", "A", NULL, 3000, 3010);
	alert(*state, "d", "A", NULL, 1001);
	assert_int_equal(row(*state, "d").labelled, 1);
	assert_int_equal(evaluation_dropped(*state), 0);
}

static void what_is_beyond_the_limits_is_counted(void **state)
{
	char name[16];

	for (int i = 0; i < EVALUATION_DETECTORS + 3; i++) {
		snprintf(name, sizeof name, "d%d", i);
		alert(*state, name, "A", NULL, 1000);
	}
	for (int i = 0; i < EVALUATION_KINDS + 2; i++) {
		snprintf(name, sizeof name, "k%d", i);
		label(*state, name, "A", NULL, 1000, 1010);
	}
	assert_int_equal(evaluation_dropped(*state), 5);
}

static void unknown_names_are_no_rows(void **state)
{
	struct evaluation_row r;
	struct evaluation_cell c;

	alert(*state, "d", "A", NULL, 1000);
	assert_false(evaluation_row(*state, "nobody", &r));
	assert_false(evaluation_cell(*state, "d", "nothing", &c));
}

static char *table(struct evaluation *e, bool colour)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	evaluation_print(e, f, colour);
	fclose(f);
	return text;
}

static void the_table_is_aligned_and_in_the_order_of_names(void **state)
{
	label(*state, "wash_trades", "A", "X", 1000, 1010);
	label(*state, "price_spike", "A", NULL, 2000, 2010);
	label(*state, "price_spike", "A", NULL, 4000, 4010);
	alert(*state, "wash_trades", "A", "X", 1005);
	alert(*state, "price_spike", "A", NULL, 2001);
	alert(*state, "price_spike", "B", NULL, 2001);
	char *text = table(*state, false);

	assert_string_equal(text,
			    "detector     price_spike  wash_trades  alerts  episodes  precision  recall     delay\n"
			    "price_spike          1/2            .       2         2       0.50    0.50     1.0 s\n"
			    "wash_trades            .          1/1       1         1       1.00    1.00     5.0 s\n");
	free(text);
}

static void colour_comes_only_when_asked_for(void **state)
{
	label(*state, "k", "A", NULL, 1000, 1010);
	alert(*state, "d", "A", NULL, 1005);
	char *plain = table(*state, false), *coloured = table(*state, true);

	assert_null(strchr(plain, '\033'));
	assert_non_null(strchr(coloured, '\033'));
	free(plain);
	free(coloured);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_alert_hits_from_the_beginning_until_the_grace_is_over),
		T(a_longer_grace_reaches_later_alerts),
		T(subjects_match_as_far_as_both_name_one),
		T(labels_may_come_after_their_alerts_and_in_any_order),
		T(a_short_label_does_not_hide_a_long_one),
		T(episodes_are_five_minutes_from_their_first_alert),
		T(an_episode_is_right_once_when_any_of_its_alerts_hits),
		T(a_hit_of_any_kind_is_precise_but_recall_is_of_the_own_kind),
		T(a_name_that_begins_with_a_kind_is_there_for_it),
		T(another_name_is_there_for_what_it_finds_best),
		T(a_declared_target_goes_before_everything),
		T(the_delay_is_the_median_of_first_hits),
		T(other_verdicts_and_labels_without_time_are_passed_over),
		T(what_is_beyond_the_limits_is_counted),
		T(unknown_names_are_no_rows),
		T(the_table_is_aligned_and_in_the_order_of_names),
		T(colour_comes_only_when_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
