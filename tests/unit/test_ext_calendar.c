/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions against what the exchanges published, and against the time zones of the C library.
 */
#include "ext/ext.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/ext.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define DAY    (86400 * SECOND)

static struct ext *ext;
static const struct tw_calendar *cal;

static int setup(void **state)
{
	(void)state;
	ext = ext_new(NULL, PLUGIN_DETECTOR, "test", "t");
	cal = ext ? ext_find(ext, "calendar/1") : NULL;
	return cal ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	ext_free(ext);
	return 0;
}

static const struct tw_venue *venue(const char *name, const char *file)
{
	struct tw_err e = { 0 };
	const struct tw_venue *v = cal->venue(cal, name, file, &e);

	if (!v)
		fail_msg("%s", e.msg);
	return v;
}

/* Local time of a zone to ns, by the C library. */
static int64_t local(const char *zone, int y, int m, int d, int hour, int minute)
{
	struct tm tm = {
		.tm_year = y - 1900, .tm_mon = m - 1, .tm_mday = d, .tm_hour = hour, .tm_min = minute, .tm_isdst = -1
	};

	setenv("TZ", zone, 1);
	tzset();
	return (int64_t)mktime(&tm) * SECOND;
}

/* "0103" of 3 January */
static bool in_list(const char *list, int m, int d)
{
	char word[32];

	(void)snprintf(word, sizeof word, "%02d%02d", m, d);
	return list && strstr(list, word) != NULL;
}

struct year {
	int year, sessions;
	const char *closed, *early;
};

/* https://www.nyse.com/markets/hours-calendars and its press releases, year by year */
static const struct year nyse[] = {
	{ 2015, 252, "0101 0119 0216 0403 0525 0703 0907 1126 1225", "1127 1224" },
	{ 2016, 252, "0101 0118 0215 0325 0530 0704 0905 1124 1226", "1125" },
	{ 2017, 251, "0102 0116 0220 0414 0529 0704 0904 1123 1225", "0703 1124" },
	{ 2018, 251, "0101 0115 0219 0330 0528 0704 0903 1122 1205 1225", "0703 1123 1224" },
	{ 2019, 252, "0101 0121 0218 0419 0527 0704 0902 1128 1225", "0703 1129 1224" },
	{ 2020, 253, "0101 0120 0217 0410 0525 0703 0907 1126 1225", "1127 1224" },
	{ 2021, 252, "0101 0118 0215 0402 0531 0705 0906 1125 1224", "1126" },
	{ 2022, 251, "0117 0221 0415 0530 0620 0704 0905 1124 1226", "1125" },
	{ 2023, 250, "0102 0116 0220 0407 0529 0619 0704 0904 1123 1225", "0703 1124" },
	{ 2024, 252, "0101 0115 0219 0329 0527 0619 0704 0902 1128 1225", "0703 1129 1224" },
	{ 2025, 250, "0101 0109 0120 0217 0418 0526 0619 0704 0901 1127 1225", "0703 1128 1224" },
	{ 2026, 251, "0101 0119 0216 0403 0525 0619 0703 0907 1126 1225", "1127 1224" },
};

/* https://www.gov.uk/bank-holidays and the London Stock Exchange's notices of half days */
static const struct year lse[] = {
	{ 2020, 254, "0101 0410 0413 0508 0525 0831 1225 1228", "1224 1231" },
	{ 2022, 250, "0103 0415 0418 0502 0602 0603 0829 0919 1226 1227", "1223 1230" },
	{ 2023, 251, "0102 0407 0410 0501 0508 0529 0828 1225 1226", "1222 1229" },
};

struct exchange {
	const char *name, *zone;
	int open[2], close[2], early[2];
};

static void check_year(const struct exchange *x, const struct year *y)
{
	const struct tw_venue *v = venue(x->name, NULL);
	int sessions = 0;

	for (int64_t noon = local("UTC", y->year, 1, 1, 12, 0); noon < local("UTC", y->year + 1, 1, 1, 12, 0);
	     noon += DAY) {
		time_t t = (time_t)(noon / SECOND);
		struct tm tm;
		int64_t open, close, start = 0, end = 0;
		bool trades, early;
		gmtime_r(&t, &tm);
		trades = tm.tm_wday > 0 && tm.tm_wday < 6 && !in_list(y->closed, tm.tm_mon + 1, tm.tm_mday);
		early = in_list(y->early, tm.tm_mon + 1, tm.tm_mday);
		open = local(x->zone, y->year, tm.tm_mon + 1, tm.tm_mday, x->open[0], x->open[1]);
		close = local(x->zone, y->year, tm.tm_mon + 1, tm.tm_mday, early ? x->early[0] : x->close[0],
			      early ? x->early[1] : x->close[1]);
		if (cal->is_open(v, open) != trades)
			fail_msg("%s is %s on %04d-%02d-%02d", x->name, trades ? "closed" : "open", y->year,
				 tm.tm_mon + 1, tm.tm_mday);
		if (!trades)
			continue;
		sessions++;
		assert_int_equal(cal->session(v, open, &start, &end), TW_OK);
		assert_int_equal(start, open);
		if (end != close)
			fail_msg("%s closes %" PRId64 " s off on %04d-%02d-%02d", x->name, (end - close) / SECOND,
				 y->year, tm.tm_mon + 1, tm.tm_mday);
		assert_int_equal(cal->is_open(v, open - 1), 0);
		assert_int_equal(cal->is_open(v, close - 1), 1);
		assert_int_equal(cal->is_open(v, close), 0);
		assert_int_equal(cal->next_close(v, open), close);
		assert_int_equal(cal->next_open(v, open - 1), open);
	}
	assert_int_equal(sessions, y->sessions);
}

static void new_york_trades_as_published(void **state)
{
	const struct exchange x = { "XNYS", "America/New_York", { 9, 30 }, { 16, 0 }, { 13, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof nyse / sizeof *nyse; i++)
		check_year(&x, &nyse[i]);
}

static void london_trades_as_published(void **state)
{
	const struct exchange x = { "XLON", "Europe/London", { 8, 0 }, { 16, 30 }, { 12, 30 } };

	(void)state;
	for (size_t i = 0; i < sizeof lse / sizeof *lse; i++)
		check_year(&x, &lse[i]);
}

static void the_week_of_fx_is_that_of_new_york(void **state)
{
	const struct tw_venue *v = venue("FX", NULL);
	/* every Sunday of the years that the library's zones know */
	int64_t sunday = local("UTC", 1990, 1, 7, 12, 0);

	(void)state;
	for (int i = 0; i < 52 * 45; i++, sunday += 7 * DAY) {
		time_t t = (time_t)(sunday / SECOND), f = t + 5 * 86400;
		struct tm a, b;
		int64_t open, close, start = 0, end = 0;
		gmtime_r(&t, &a);
		gmtime_r(&f, &b);
		open = local("America/New_York", a.tm_year + 1900, a.tm_mon + 1, a.tm_mday, 17, 0);
		close = local("America/New_York", b.tm_year + 1900, b.tm_mon + 1, b.tm_mday, 17, 0);
		assert_int_equal(cal->session(v, open, &start, &end), TW_OK);
		assert_int_equal(start, open);
		assert_int_equal(end, close);
		assert_int_equal(cal->session(v, close, &start, &end), TW_AGAIN);
		assert_int_equal(cal->is_open(v, open - 1), 0);
	}
}

static void london_keeps_its_summers(void **state)
{
	const struct tw_venue *v = venue("XLON", NULL);

	(void)state;
	for (int64_t ts = local("UTC", 1990, 1, 2, 12, 0); ts < local("UTC", 2037, 1, 1, 0, 0); ts += DAY) {
		int64_t start, end;
		struct tm tm;
		time_t t;
		if (cal->session(v, ts, &start, &end) != TW_OK)
			continue;
		setenv("TZ", "Europe/London", 1);
		tzset();
		t = (time_t)(start / SECOND);
		localtime_r(&t, &tm);
		assert_int_equal(tm.tm_hour * 60 + tm.tm_min, 8 * 60);
	}
}

static void crypto_never_closes(void **state)
{
	const struct tw_venue *v = venue("CRYPTO", NULL);
	int64_t ts = local("UTC", 2024, 2, 29, 13, 0), start, end;

	(void)state;
	assert_int_equal(cal->is_open(v, ts), 1);
	assert_int_equal(cal->session(v, ts, &start, &end), TW_OK);
	assert_int_equal(start, local("UTC", 2024, 2, 29, 0, 0));
	assert_int_equal(end, local("UTC", 2024, 3, 1, 0, 0));
}

static void put_file(char path[64], const char *text)
{
	int fd;

	(void)snprintf(path, 64, "/tmp/tapewatch-calendar-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void a_file_adds_holidays_early_closes_and_sessions(void **state)
{
	const struct tw_venue *v;
	int64_t start = 0, end = 0;
	char path[64];

	(void)state;
	/* Holi; a short day; Diwali's hour of Muhurat trading on a Sunday */
	put_file(path,
		 "# by the moon\n2026-03-03,closed,Holi\n2026-03-04, 12:00 # short\n\n2026-11-08,18:00-19:00\r\n");
	v = venue("XNSE", path);
	unlink(path);
	assert_int_equal(cal->is_open(v, local("Asia/Kolkata", 2026, 3, 2, 10, 0)), 1);
	assert_int_equal(cal->is_open(v, local("Asia/Kolkata", 2026, 3, 3, 10, 0)), 0);
	assert_int_equal(cal->session(v, local("Asia/Kolkata", 2026, 3, 4, 10, 0), &start, &end), TW_OK);
	assert_int_equal(start, local("Asia/Kolkata", 2026, 3, 4, 9, 15));
	assert_int_equal(end, local("Asia/Kolkata", 2026, 3, 4, 12, 0));
	assert_int_equal(cal->session(v, local("Asia/Kolkata", 2026, 11, 8, 18, 30), &start, &end), TW_OK);
	assert_int_equal(start, local("Asia/Kolkata", 2026, 11, 8, 18, 0));
	assert_int_equal(cal->is_open(v, local("Asia/Kolkata", 2026, 1, 26, 10, 0)), 0);
}

static void a_mistake_in_a_file_is_named_by_its_line(void **state)
{
	static const char *const wrong[] = { "2026-02-30,closed",      "2026-03-03",
					     "2026-03-03,clsed",       "2026-03-03,25:00",
					     "2026-03-03,12:00-11:00", "1980-01-01,closed" };

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct tw_err e = { 0 };
		char path[64], text[64];
		(void)snprintf(text, sizeof text, "# first\n%s\n", wrong[i]);
		put_file(path, text);
		assert_null(cal->venue(cal, "XNSE", path, &e));
		unlink(path);
		assert_non_null(strstr(e.msg, ":2: "));
	}
}

static void overlapping_sessions_are_refused(void **state)
{
	struct tw_err e = { 0 };
	char path[64];

	(void)state;
	put_file(path, "2026-03-03,10:00-11:00\n");
	assert_null(cal->venue(cal, "XNSE", path, &e));
	unlink(path);
	assert_non_null(strstr(e.msg, "overlap"));
}

static void outside_of_the_table_is_said(void **state)
{
	const struct tw_venue *v = venue("XNYS", NULL);
	int64_t start, end;

	(void)state;
	assert_int_equal(cal->session(v, local("UTC", 1985, 1, 1, 0, 0), &start, &end), TW_E_DATA);
	assert_int_equal(cal->session(v, local("UTC", 2061, 1, 5, 0, 0), &start, &end), TW_E_DATA);
	assert_int_equal(cal->next_open(v, INT64_MAX), INT64_MAX);
	assert_null(cal->venue(cal, "XXXX", NULL, NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(new_york_trades_as_published),
		TEST(london_trades_as_published),
		TEST(the_week_of_fx_is_that_of_new_york),
		TEST(london_keeps_its_summers),
		TEST(crypto_never_closes),
		TEST(a_file_adds_holidays_early_closes_and_sessions),
		TEST(a_mistake_in_a_file_is_named_by_its_line),
		TEST(overlapping_sessions_are_refused),
		TEST(outside_of_the_table_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
