/* SPDX-License-Identifier: Apache-2.0
 *
 * The console sink: its line, its colours, and what it does to hostile texts.
 */
#include "sink_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* 2026-01-02 03:04:05.678 UTC: 20455 days after 1970-01-01 */
#define TS ((INT64_C(20455) * 86400 + 3 * 3600 + 4 * 60 + 5) * 1000000000 + 678000000)

enum { AUTO, ALWAYS, NEVER };

/* What the sink prints for one record; free() it. */
static char *printed(const struct tw_event *ev, int64_t colour)
{
	struct sink_kit k;
	char folder[64], path[96];

	sink_kit_folder(folder);
	snprintf(path, sizeof path, "%s/out", folder);
	sink_kit_load(&k, PLUGIN_DIR, "console");
	sink_kit_int(&k, "colour", colour);
	int saved = sink_kit_redirect(path);
	int32_t opened = sink_kit_open(&k), rc = sink_kit_write(&k, ev, 1);
	sink_kit_flush(&k);
	sink_kit_close(&k);
	sink_kit_restore(saved);
	assert_int_equal(opened, TW_OK);
	assert_int_equal(rc, TW_OK);
	assert_int_equal(k.done, 1);
	char *out = sink_kit_read(path, NULL);
	sink_kit_free(&k);
	sink_kit_remove(folder);
	assert_non_null(out);
	return out;
}

static void check_line(const struct tw_event *ev, int64_t colour, const char *expected)
{
	char *out = printed(ev, colour);
	assert_string_equal(out, expected);
	free(out);
}

static void a_line_has_time_severity_detector_subject_and_reason(void **state)
{
	(void)state;
	struct tw_event ev = sink_kit_alert(TS, 7, "EURUSD", "price 1.2 is 7.1 deviations above 1.1");
	check_line(&ev, NEVER,
		   "2026-01-02 03:04:05.678  high      spikes  EURUSD  price 1.2 is 7.1 deviations above 1.1\n");
}

static void symbol_and_account_are_both_shown(void **state)
{
	(void)state;
	struct tw_event ev = sink_kit_alert(TS, 7, "EURUSD", "r");
	ev.alert.account = sink_kit_str("17");
	check_line(&ev, NEVER, "2026-01-02 03:04:05.678  high      spikes  EURUSD 17  r\n");
}

static void an_alert_about_nobody_has_a_dash(void **state)
{
	(void)state;
	struct tw_event ev = sink_kit_alert(TS, 7, NULL, "r");
	check_line(&ev, NEVER, "2026-01-02 03:04:05.678  high      spikes  -  r\n");
}

static void times_before_1970_round_down(void **state)
{
	(void)state;
	struct tw_event ev = sink_kit_alert(-1, 7, "S", "r");
	check_line(&ev, NEVER, "1969-12-31 23:59:59.999  high      spikes  S  r\n");
}

static void auto_does_not_colour_a_file(void **state)
{
	(void)state;
	struct tw_event ev = sink_kit_alert(TS, 7, "S", "r");
	char *out = printed(&ev, AUTO);
	assert_null(strchr(out, 0x1b));
	free(out);
}

static void always_colours_the_severity_and_ends_the_colour(void **state)
{
	(void)state;
	struct tw_event ev = sink_kit_alert(TS, 7, "S", "r");
	check_line(&ev, ALWAYS, "2026-01-02 03:04:05.678  \x1b[31mhigh    \x1b[0m  spikes  S  r\n");
}

static void control_characters_are_escaped_in_every_text(void **state)
{
	(void)state;
	struct tw_event ev = sink_kit_alert(TS, 7, "A\x1b[2J", "two\nlines\x7f");
	ev.alert.detector = sink_kit_str("d\r");
	ev.alert.account = (struct tw_str){ "n\0l", 3, 0 };
	check_line(&ev, NEVER, "2026-01-02 03:04:05.678  high      d\\x0d  A\\x1b[2J n\\x00l  two\\x0alines\\x7f\n");
}

static void c1_controls_and_bidirectional_overrides_are_escaped(void **state)
{
	(void)state;
	struct tw_event ev = sink_kit_alert(TS, 7,
					    "\xc2\x9b"
					    "2J",
					    "\xe2\x80\xae"
					    "abc");
	check_line(&ev, NEVER,
		   "2026-01-02 03:04:05.678  high      spikes  \\xc2\\x9b2J  \\xe2\\x80\\xae"
		   "abc\n");
}

static void invalid_utf8_is_escaped_and_valid_utf8_is_kept(void **state)
{
	(void)state;
	struct tw_event ev = sink_kit_alert(TS, 7, "\xff\xc0\xaf\xed\xa0\x80", "\xe2\x82\xac \xf0\x9f\x93\x88");
	check_line(&ev, NEVER,
		   "2026-01-02 03:04:05.678  high      spikes  \\xff\\xc0\\xaf\\xed\\xa0\\x80  \xe2\x82\xac "
		   "\xf0\x9f\x93\x88\n");
}

static void a_huge_reason_is_cut_and_still_one_line(void **state)
{
	(void)state;
	char reason[20001];
	memset(reason, 'x', sizeof reason - 1);
	reason[sizeof reason - 1] = '\0';
	struct tw_event ev = sink_kit_alert(TS, 7, "S", reason);
	char *out = printed(&ev, NEVER);
	size_t len = strlen(out);
	assert_true(len > 1000 && len < 5000);
	assert_ptr_equal(strchr(out, '\n'), out + len - 1);
	free(out);
}

static void a_score_shows_its_number_and_names(void **state)
{
	(void)state;
	struct tw_event ev = { .kind = TW_SCORE, .ts = TS };
	ev.score.detector = sink_kit_str("mean");
	ev.score.symbol = 1;
	ev.score.score = 1.25;
	check_line(&ev, NEVER, "2026-01-02 03:04:05.678  score     mean  EURUSD  1.25\n");
}

static void a_full_output_asks_for_another_try(void **state)
{
	(void)state;
	struct sink_kit k;
	struct tw_event ev = sink_kit_alert(TS, 7, "S", "r");
	sink_kit_load(&k, PLUGIN_DIR, "console");
	int saved = sink_kit_redirect("/dev/full");
	sink_kit_open(&k);
	int32_t rc = sink_kit_write(&k, &ev, 1);
	sink_kit_close(&k);
	sink_kit_restore(saved);
	assert_int_equal(rc, TW_AGAIN);
	assert_int_equal(k.done, 0);
	assert_non_null(strstr(k.err.msg, "No space left"));
	sink_kit_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_time_severity_detector_subject_and_reason),
		cmocka_unit_test(symbol_and_account_are_both_shown),
		cmocka_unit_test(an_alert_about_nobody_has_a_dash),
		cmocka_unit_test(times_before_1970_round_down),
		cmocka_unit_test(auto_does_not_colour_a_file),
		cmocka_unit_test(always_colours_the_severity_and_ends_the_colour),
		cmocka_unit_test(control_characters_are_escaped_in_every_text),
		cmocka_unit_test(c1_controls_and_bidirectional_overrides_are_escaped),
		cmocka_unit_test(invalid_utf8_is_escaped_and_valid_utf8_is_kept),
		cmocka_unit_test(a_huge_reason_is_cut_and_still_one_line),
		cmocka_unit_test(a_score_shows_its_number_and_names),
		cmocka_unit_test(a_full_output_asks_for_another_try),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
