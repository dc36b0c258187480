/* SPDX-License-Identifier: Apache-2.0
 *
 * Units, suggestions and globs.
 */
#include "test_config_kit.h"

#define S INT64_C(1000000000)

static void durations_are_exact(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "1ns", 1 },
		{ "250us", 250000 },
		{ "250ms", 250000000 },
		{ "10s", 10 * S },
		{ "10 s", 10 * S },
		{ "5m", 300 * S },
		{ "2h", 7200 * S },
		{ "1d", 86400 * S },
		{ "1w", 604800 * S },
		{ "1h30m", 5400 * S },
		{ "1h 30m", 5400 * S },
		{ "1w2d3h4m5s6ms7us8ns", 604800 * S + 2 * 86400 * S + 3 * 3600 * S + 245 * S + 6007008 },
		{ "1.5s", 1500000000 },
		{ "0.000000001s", 1 },
		{ "1.5h", 5400 * S },
		{ "-2s", -2 * S },
		{ "9223372036854775807ns", INT64_MAX },
		{ "15250w", 604800 * S * 15250 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		int64_t ns = 77;
		assert_int_equal(parse_duration(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
}

static void what_is_no_duration_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"s",
		"5",
		"5x",
		"5 parsecs",
		"1m1h",
		"1s1s",
		"s5",
		"1.5h30m",
		"1.s",
		".5s",
		"0.5ns",
		"1e3s",
		"1S",
		"+5s",
		"--5s",
		"5s ",
		" 5s",
		"5  s",
		"15251w",
		"1h  30m",
		"0x5s",
		"9223372036854775808ns",
		"0.0000000001s",
		"-",
		"inf",
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t ns = 77;
		assert_int_equal(parse_duration(bad[i], &ns), -1);
		assert_int_equal(ns, 77);
	}
}

static void sizes_are_exact(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} good[] = {
		{ "0", 0 },           { "17", 17 },
		{ "17B", 17 },        { "64KiB", 65536 },
		{ "10MB", 10000000 }, { "1GB", 1000000000 },
		{ "2 KB", 2000 },     { "2kB", 2000 },
		{ "1MiB", 1048576 },  { "1GiB", 1073741824 },
		{ "1.5KiB", 1536 },   { "8589934591GiB", INT64_C(9223372035781033984) },
	};
	static const char *const bad[] = {
		"",       "B",           "-1",  "1.5",    "1.5B",          "1TB",       "1k",
		"1MB1KB", "1MiB 512KiB", "1 2", "64KiB ", "8589934592GiB", "1.0001KiB", "KiB"
	};
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		int64_t bytes = 77;
		assert_int_equal(parse_size(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t bytes = 77;
		assert_int_equal(parse_size(bad[i], &bytes), -1);
		assert_int_equal(bytes, 77);
	}
}

static void printed_durations_read_back(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 5 * S, "5s" },
		{ 90 * S, "90s" },
		{ 3600 * S, "1h" },
		{ 5400 * S, "90m" },
		{ 86400 * S, "1d" },
		{ 1500000000, "1500ms" },
		{ 1, "1ns" },
		{ -2 * S, "-2s" },
		{ 14 * 86400 * S, "2w" },
		{ INT64_MAX, "9223372036854775807ns" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char out[32];
		int64_t ns;
		print_duration(out, cases[i].ns);
		assert_string_equal(out, cases[i].text);
		assert_int_equal(parse_duration(out, &ns), 0);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void a_stretch_is_time_or_events(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
		uint64_t events;
	} good[] = {
		{ "0", 0, 0 },           { "5m", 300 * S, 0 }, { "100 events", 0, 100 },
		{ "100events", 0, 100 }, { "1 event", 0, 1 },  { "100ev", 0, 100 },
	};
	static const char *const bad[] = {
		"", "100", "events", "-5m", "-5 events", "1.5 events", "5 evs", "100  events"
	};
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct stretch st = { 7, 7 };
		assert_int_equal(parse_stretch(good[i].text, &st), 0);
		assert_int_equal(st.ns, good[i].ns);
		assert_int_equal(st.events, good[i].events);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct stretch st = { 7, 7 };
		assert_int_equal(parse_stretch(bad[i], &st), -1);
		assert_int_equal(st.ns, 7);
	}
}

static void the_nearest_word_is_found(void **state)
{
	static const char *const words[] = { "window", "threshold", "path", "plugin", "a", "inputs" };
	static const struct {
		const char *word, *found;
	} cases[] = {
		{ "windw", "window" },
		{ "widnow", "window" },
		{ "Window", "window" },
		{ "PATH", "path" },
		{ "treshhold", "threshold" },
		{ "trehsholdd", "threshold" },
		{ "pth", "path" },
		{ "input", "inputs" },
		{ "colour", NULL },
		{ "x", NULL },
		{ "", NULL },
		{ "pluto", NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *found = nearest(cases[i].word, words, 6);
		if (cases[i].found)
			assert_string_equal(found, cases[i].found);
		else
			assert_null(found);
	}
}

static void a_very_long_word_is_near_nothing(void **state)
{
	char word[2000];
	static const char *const words[] = { "window" };
	(void)state;
	memset(word, 'w', sizeof word);
	word[sizeof word - 1] = '\0';
	assert_null(nearest(word, words, 1));
}

static void globs_match(void **state)
{
	static const struct {
		const char *glob, *text;
		bool match;
	} cases[] = {
		{ "EUR*", "EURUSD", true },  { "EUR*", "USDEUR", false },  { "*USD", "EURUSD", true },
		{ "*", "", true },           { "?", "", false },           { "?", "\xc3\xa9", true },
		{ "??", "\xc3\xa9", false }, { "a*b*c", "axxbyyc", true }, { "a*b*c", "axxbyy", false },
		{ "a[b]", "a[b]", true },    { "a[b]", "ab", false },      { "", "", true },
		{ "", "a", false },          { "*a*", "bab", true },       { "a?c", "abc", true },
		{ "**", "x", true },         { "eur*", "EURUSD", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(glob_match(cases[i].glob, cases[i].text), cases[i].match);
	assert_true(glob_is("a*"));
	assert_true(glob_is("a?"));
	assert_false(glob_is("a[b]"));
}

/* The classic way to make a matcher hang: bounded here by the product of the lengths, a million steps. */
static void many_stars_end(void **state)
{
	char glob[1001], text[1001];
	(void)state;
	for (size_t i = 0; i < 1000; i++)
		glob[i] = i % 2 ? 'a' : '*';
	memset(text, 'a', 1000);
	glob[999] = 'b';
	glob[1000] = text[1000] = '\0';
	assert_false(glob_match(glob, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_exact),
		cmocka_unit_test(what_is_no_duration_is_refused),
		cmocka_unit_test(sizes_are_exact),
		cmocka_unit_test(printed_durations_read_back),
		cmocka_unit_test(a_stretch_is_time_or_events),
		cmocka_unit_test(the_nearest_word_is_found),
		cmocka_unit_test(a_very_long_word_is_near_nothing),
		cmocka_unit_test(globs_match),
		cmocka_unit_test(many_stars_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
