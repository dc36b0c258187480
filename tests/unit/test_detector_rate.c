/* SPDX-License-Identifier: Apache-2.0
 *
 * rate: counts per window against a plain list of the counts before, and silence while it lasts.
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
#define SECOND 1000000000LL
#define MINUTE (60 * SECOND)
#define START  (1700000000LL * SECOND / MINUTE * MINUTE)

static struct detector_kit kit;
static struct tw_event *events;
static uint32_t n_events;

static void load(const char *const *options)
{
	detector_kit_load(&kit, PLUGIN_DIR, "rate", options);
	events = calloc(1000000, sizeof *events);
	assert_non_null(events);
	n_events = 0;
}

static void unload(void)
{
	free(events);
	detector_kit_free(&kit);
}

static double uniform(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (double)(*seed >> 11) * 0x1p-53;
}

static int by_time(const void *a, const void *b)
{
	const struct tw_event *x = a, *y = b;
	return (x->ts > y->ts) - (x->ts < y->ts);
}

/* count events of a symbol, evenly spread over minute m since START */
static void minute(const char *symbol, int64_t m, uint32_t count)
{
	uint32_t id = detector_kit_name(&kit, symbol);

	for (uint32_t i = 0; i < count; i++)
		events[n_events++] = kit_quote(START + m * MINUTE + (i * MINUTE) / count, id, 1, 2);
}

/* the clock, each minute from one to another: judged by nobody, but time passes */
static void clocks(int64_t from, int64_t to)
{
	for (int64_t m = from; m <= to; m++)
		events[n_events++] =
			(struct tw_event){ .struct_size = sizeof *events, .kind = TW_CLOCK, .ts = START + m * MINUTE };
}

static void feed(void)
{
	qsort(events, n_events, sizeof *events, by_time);
	assert_int_equal(detector_kit_feed(&kit, events, n_events, 64), TW_OK);
}

static uint32_t alerts_of(const char *type)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < kit.n_alerts; i++)
		n += !strcmp(kit.alerts[i].type, type);
	return n;
}

/* What the documentation says, window by window, over the counts of all of them. */
struct judgement {
	int64_t minute;
	const char *type;
	double score;
};

static uint32_t plain_judgement(const uint32_t *count, uint32_t n, double k, struct judgement *out)
{
	static double learned[32768];
	uint32_t n_learned = 0, m = 0;
	int silent = 0;

	for (uint32_t i = 1; i < n; i++) { /* the first window is not complete */
		uint32_t h = n_learned < 60 ? n_learned : 60;
		const double *v = learned + n_learned - h;
		long double mean = 0, squares = 0, sd;
		for (uint32_t j = 0; j < h; j++)
			mean += v[j];
		mean /= h ? h : 1;
		for (uint32_t j = 0; j < h; j++)
			squares += (v[j] - mean) * (v[j] - mean);
		sd = h > 1 ? sqrtl(squares / (h - 1)) : 0;
		if (count[i])
			silent = 0;
		if (h >= 10 && !count[i] && mean - k * sd > 0) {
			if (!silent)
				out[m++] = (struct judgement){ i + 1, "silence", (double)(mean / (sd > 1 ? sd : 1)) };
			silent = 1;
		} else if (h >= 10 && sd > 0 && fabsl(count[i] - mean) > k * sd) {
			out[m++] = (struct judgement){ i + 1, count[i] > mean ? "rate_high" : "rate_low",
						       (double)(fabsl(count[i] - mean) / sd) };
		} else {
			learned[n_learned++] = count[i];
		}
	}
	return m;
}

static void counts_are_judged_against_those_learned(void **state)
{
	enum { N = 2000 };
	uint32_t count[N], m;
	struct judgement want[N];
	uint64_t seed = 42;

	(void)state;
	load(OPTIONS("k", "3"));
	for (uint32_t i = 0; i < N; i++) {
		count[i] = 40 + (uint32_t)(20 * uniform(&seed));
		if (i % 97 == 96)
			count[i] = 120;
		if (i % 131 == 130)
			count[i] = 5;
		if (i % 400 > 390)
			count[i] = 0;
		minute("A", i, count[i]);
	}
	clocks(N, N);
	feed();
	m = plain_judgement(count, N, 3, want);
	assert_true(m > 30);
	assert_int_equal(kit.n_alerts, m);
	for (uint32_t i = 0; i < m; i++) {
		assert_string_equal(kit.alerts[i].type, want[i].type);
		assert_int_equal(kit.alerts[i].ts, START + want[i].minute * MINUTE);
		assert_true(fabs(kit.alerts[i].finding.score - want[i].score) < 1e-9 * want[i].score);
		assert_int_equal(kit.alerts[i].event, KIT_NO_EVENT);
	}
	unload();
}

static void a_feed_that_stops_is_reported_while_it_is_silent(void **state)
{
	(void)state;
	load(NULL);
	for (int64_t m = 0; m < 30; m++)
		minute("A", m, 60 + (uint32_t)(m % 3));
	for (int64_t m = 0; m < 60; m++)
		minute("B", m, 60 + (uint32_t)(m % 3));
	feed(); /* B only goes on to minute 60 */
	assert_int_equal(kit.n_alerts, 1);
	assert_string_equal(kit.alerts[0].key, "A");
	assert_string_equal(kit.alerts[0].type, "silence");
	assert_int_equal(kit.alerts[0].ts, START + 31 * MINUTE);
	assert_true(kit.alerts[0].finding.value == 0);
	assert_string_equal(kit.alerts[0].text,
			    "no events in a window of 60 s, 60.9677 s since the last one; expected 61.0345 and "
			    "at least 57.7425 (mean - 4 x 0.823 of the last 29 windows)");
	unload();
}

static void the_clock_alone_shows_a_silence(void **state)
{
	(void)state;
	load(NULL);
	for (int64_t m = 0; m < 20; m++)
		minute("A", m, 10 + (uint32_t)(m % 2));
	clocks(20, 25);
	feed();
	assert_int_equal(alerts_of("silence"), 1);
	assert_int_equal(kit.n_alerts, 1);
	unload();
}

static void every_window_of_a_silence_is_reported_when_asked(void **state)
{
	(void)state;
	load(OPTIONS("repeat", "true"));
	for (int64_t m = 0; m < 20; m++)
		minute("A", m, 10 + (uint32_t)(m % 2));
	clocks(20, 30);
	feed();
	assert_int_equal(alerts_of("silence"), 10);
	assert_int_equal(kit.alerts[9].ts, START + 30 * MINUTE);
	unload();
}

static void an_outage_does_not_make_itself_normal(void **state)
{
	(void)state;
	load(NULL);
	for (int64_t m = 0; m < 600; m++)
		if ((m < 100 || m >= 300) && (m < 400 || m >= 500))
			minute("A", m, 20 + (uint32_t)(m % 4));
	clocks(0, 600);
	feed();
	assert_int_equal(kit.n_alerts, 2);
	assert_int_equal(alerts_of("silence"), 2);
	assert_int_equal(kit.alerts[0].ts, START + 101 * MINUTE);
	assert_int_equal(kit.alerts[1].ts, START + 401 * MINUTE);
	assert_int_equal(detector_kit_counter(&kit, "warming"), 10);
	unload();
}

static void a_weekend_stops_the_timer_and_learning_starts_over(void **state)
{
	(void)state;
	load(NULL);
	for (int64_t m = 0; m < 60; m++)
		minute("A", m, 20 + (uint32_t)(m % 4));
	clocks(60, 60 + 2 * 1440);
	for (int64_t m = 0; m < 60; m++)
		minute("A", 60 + 2 * 1440 + m, 200 + (uint32_t)(m % 4));
	feed();
	assert_int_equal(kit.n_alerts, 1); /* the silence; ten times the rate afterwards is not compared with before */
	assert_int_equal(detector_kit_counter(&kit, "forgotten"), 1);
	assert_int_equal(detector_kit_counter(&kit, "warming"), 20);
	unload();
}

static void a_new_level_is_accepted_after_a_while(void **state)
{
	(void)state;
	load(OPTIONS("adapt", "30"));
	for (int64_t m = 0; m < 300; m++)
		minute("A", m, (m < 100 ? 20 : 90) + (uint32_t)(m % 4));
	clocks(300, 300);
	feed();
	assert_int_equal(alerts_of("rate_high"), 30);
	assert_int_equal(kit.n_alerts, 30);
	assert_int_equal(detector_kit_counter(&kit, "adapted"), 1);
	unload();
}

static void the_window_in_which_a_key_shows_up_is_not_compared(void **state)
{
	uint32_t id;

	(void)state;
	load(NULL);
	id = detector_kit_name(&kit, "A");
	events[n_events++] = kit_quote(START + 59 * SECOND, id, 1, 2); /* a minute with one event */
	for (int64_t m = 1; m < 40; m++)
		minute("A", m, 30 + (uint32_t)(m % 2));
	feed();
	assert_int_equal(kit.n_alerts, 0);
	assert_int_equal(detector_kit_counter(&kit, "warming"), 10);
	unload();
}

static void a_silence_can_be_named_without_learning(void **state)
{
	(void)state;
	load(OPTIONS("silence", "5m"));
	minute("A", 0, 1);
	clocks(1, 20);
	feed();
	assert_int_equal(kit.n_alerts, 1);
	assert_string_equal(kit.alerts[0].type, "silence");
	assert_int_equal(kit.alerts[0].ts, START + 5 * MINUTE);
	assert_string_equal(kit.alerts[0].text, "no events for 300 s (silence is 300 s)");
	unload();
}

static void a_feed_that_is_always_the_same_still_has_a_finite_silence(void **state)
{
	(void)state;
	load(NULL);
	for (int64_t m = 0; m < 30; m++)
		minute("A", m, 60);
	minute("A", 30, 61);
	clocks(31, 40);
	feed();
	assert_int_equal(kit.n_alerts, 1);
	assert_string_equal(kit.alerts[0].type, "silence");
	assert_true(isfinite(kit.alerts[0].finding.score));
	assert_int_equal(detector_kit_counter(&kit, "flat"), 20); /* 61 is no alert: there is no deviation yet */
	unload();
}

static void one_side_alone_is_reported_when_asked(void **state)
{
	static const char *const sides[] = { "upper", "lower" };

	(void)state;
	for (uint32_t s = 0; s < 2; s++) {
		load(OPTIONS("sided", sides[s]));
		for (int64_t m = 0; m < 40; m++)
			minute("A", m, m == 30 ? 300 : m == 35 ? 1 : 50 + (uint32_t)(m % 3));
		clocks(40, 50);
		feed();
		assert_int_equal(alerts_of("rate_high"), s ? 0 : 1);
		assert_int_equal(alerts_of("rate_low"), s ? 1 : 0);
		assert_int_equal(alerts_of("silence"), s ? 1 : 0);
		unload();
	}
}

/* Windows of a silence are not looked at one by one: whatever the gaps, the answer is that of a list of all of them. */
static void long_gaps_change_nothing_of_what_is_said(void **state)
{
	enum { N = 20000 };
	static uint32_t count[N];
	static struct judgement want[N];
	static const char *const ks[] = { "0.5", "1", "2", "3" };
	uint64_t seed = 7;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t m, at = 0;
		load(OPTIONS("k", ks[i], "adapt", "100000", "forget", "30d"));
		memset(count, 0, sizeof count);
		while (at < N) { /* busy for a while, then silent for up to half a day */
			uint32_t busy = 1 + (uint32_t)(40 * uniform(&seed)), rest = (uint32_t)(700 * uniform(&seed));
			for (; busy && at < N; busy--, at++)
				count[at] = 1 + (uint32_t)(9 * uniform(&seed));
			at += uniform(&seed) < 0.5 ? rest : rest % 5;
		}
		for (uint32_t k = 0; k < N; k++)
			if (count[k])
				minute("A", k, count[k]);
		clocks(0, N);
		feed();
		m = plain_judgement(count, N, strtod(ks[i], NULL), want);
		assert_true(m > 10);
		assert_int_equal(kit.n_alerts, m);
		for (uint32_t k = 0; k < m; k++) {
			assert_string_equal(kit.alerts[k].type, want[k].type);
			assert_int_equal(kit.alerts[k].ts, START + want[k].minute * MINUTE);
			assert_true(fabs(kit.alerts[k].finding.score - want[k].score) < 1e-9 * want[k].score);
		}
		unload();
	}
}

static void late_events_count_in_the_open_window(void **state)
{
	(void)state;
	load(OPTIONS("emit", "true"));
	for (int64_t m = 0; m < 30; m++)
		minute("A", m, 50 + (uint32_t)(m % 3));
	clocks(30, 31);
	feed();
	n_events = 0;
	minute("A", 10, 7); /* 20 minutes late */
	assert_int_equal(detector_kit_feed(&kit, events, n_events, 7), TW_OK);
	assert_int_equal(kit.n_alerts, 1);
	n_events = 0;
	clocks(32, 32);
	feed();
	assert_int_equal(kit.n_alerts, 2);
	assert_string_equal(kit.alerts[1].type, "rate_low");
	assert_true(kit.alerts[1].finding.value == 7);
	assert_int_equal(kit.n_scores, 21); /* windows 11 to 30 were judged with what was learned, and the last two */
	unload();
}

static void times_at_the_ends_of_time_do_no_harm(void **state)
{
	static const int64_t times[] = { INT64_MIN, -1, 0, 1, INT64_MAX - 1, INT64_MAX };
	uint32_t id;

	(void)state;
	load(OPTIONS("forget", "10m"));
	id = detector_kit_name(&kit, "A");
	for (uint32_t i = 0; i < 6; i++)
		events[n_events++] = kit_quote(times[i], id, 1, 2);
	for (uint32_t i = 0; i < 6; i++)
		events[n_events++] = kit_quote(times[5 - i], id, 1, 2);
	assert_int_equal(detector_kit_feed(&kit, events, n_events, 3), TW_OK);
	unload();
}

static void refuse(const char *const *options, const char *words)
{
	assert_int_equal(detector_kit_check(&kit, PLUGIN_DIR, "rate", options), TW_E_CONFIG);
	assert_non_null(strstr(kit.err.msg, words));
	detector_kit_free(&kit);
}

static void a_wrong_configuration_is_refused_with_a_sentence(void **state)
{
	(void)state;
	refuse(OPTIONS("min_history", "61"), "min_history: 61 is more than history, which is 60");
	refuse(OPTIONS("window", "1ms"), "forget: a silence would last 86400000 windows");
	refuse(OPTIONS("silence", "2d"), "silence: longer than forget");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_judged_against_those_learned),
		cmocka_unit_test(a_feed_that_stops_is_reported_while_it_is_silent),
		cmocka_unit_test(the_clock_alone_shows_a_silence),
		cmocka_unit_test(every_window_of_a_silence_is_reported_when_asked),
		cmocka_unit_test(an_outage_does_not_make_itself_normal),
		cmocka_unit_test(a_weekend_stops_the_timer_and_learning_starts_over),
		cmocka_unit_test(a_new_level_is_accepted_after_a_while),
		cmocka_unit_test(the_window_in_which_a_key_shows_up_is_not_compared),
		cmocka_unit_test(a_silence_can_be_named_without_learning),
		cmocka_unit_test(a_feed_that_is_always_the_same_still_has_a_finite_silence),
		cmocka_unit_test(one_side_alone_is_reported_when_asked),
		cmocka_unit_test(long_gaps_change_nothing_of_what_is_said),
		cmocka_unit_test(late_events_count_in_the_open_window),
		cmocka_unit_test(times_at_the_ends_of_time_do_no_harm),
		cmocka_unit_test(a_wrong_configuration_is_refused_with_a_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
