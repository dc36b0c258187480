/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of the venues: clocks, hours, holidays and early closes.
 *
 *   New York: 15 U.S.C. 260a (since 2007 second Sunday of March to first of November; before, first of April to last of
 *             October), NYSE Rule 7.2
 *   London:   Directive 2000/84/EC as kept in law; before 1996 summer ended on the fourth Sunday of October.
 *             https://www.gov.uk/bank-holidays
 */
#include "ext/venue.h"
#include <string.h>

#define CLOSED   (-1)
#define AT(h, m) ((h)*60 + (m))
#define N(list)  (sizeof(list) / sizeof *(list))

enum { SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY };

/* ---- dates; the algorithm is Howard Hinnant's, https://howardhinnant.github.io/date_algorithms.html ---- */

int64_t venue_day(int year, int month, int day)
{
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void venue_date(int64_t z, int *year, int *month, int *ret_day)
{
	int64_t era, of_era, y, of_year, m;

	z += 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	of_era = z - era * 146097;
	y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * y + y / 4 - y / 100);
	m = (5 * of_year + 2) / 153;
	*ret_day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = (int)(y + era * 400 + (*month <= 2));
}

bool venue_date_ok(int year, int month, int day)
{
	int y, m, d;

	if (month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	venue_date(venue_day(year, month, day), &y, &m, &d);
	return m == month && d == day;
}

int venue_weekday(int64_t day)
{
	return (int)(((day + 4) % 7 + 7) % 7);
}

/* The nth such weekday of a month, from 1. */
static int64_t nth(int year, int month, int weekday, int n)
{
	int64_t first = venue_day(year, month, 1);

	return first + (weekday - venue_weekday(first) + 7) % 7 + 7 * (n - 1);
}

static int64_t last(int year, int month, int weekday)
{
	int64_t end = (month == 12 ? venue_day(year + 1, 1, 1) : venue_day(year, month + 1, 1)) - 1;

	return end - (venue_weekday(end) - weekday + 7) % 7;
}

/* The anonymous Gregorian algorithm (Meeus, Astronomical Algorithms, chapter 8). */
static int64_t easter(int year)
{
	int a = year % 19, b = year / 100, c = year % 100, d = b / 4, e = b % 4, f = (b + 8) / 25, g = (b - f + 1) / 3;
	int h = (19 * a + b - d - g + 15) % 30, i = c / 4, k = c % 4, l = (32 + 2 * e + 2 * i - h - k) % 7;
	int m = (a + 11 * h + 22 * l) / 451, n = h + l - 7 * m + 114;

	return venue_day(year, n / 31, n % 31 + 1);
}

static int64_t good_friday(int year)
{
	return easter(year) - 2;
}

/* ---- clocks ---- */

static bool summer(int64_t day, int64_t from, int64_t to)
{
	return day >= from && day < to; /* by noon of the day it has changed */
}

int venue_offset(enum zone zone, int64_t day)
{
	int y, m, d;

	venue_date(day, &y, &m, &d);
	switch (zone) {
	case ZONE_NEW_YORK:
		if (y >= 2007)
			return summer(day, nth(y, 3, SUNDAY, 2), nth(y, 11, SUNDAY, 1)) ? -240 : -300;
		return summer(day, nth(y, 4, SUNDAY, 1), last(y, 10, SUNDAY)) ? -240 : -300;
	case ZONE_LONDON:
		return summer(day, last(y, 3, SUNDAY), y >= 1996 ? last(y, 10, SUNDAY) : nth(y, 10, SUNDAY, 4)) ? 60
														: 0;
	case ZONE_KOLKATA:
		return 330;
	default:
		return 0;
	}
}

/* ---- special days ---- */

struct date {
	int16_t year;
	int8_t month, day;
};

static bool listed(const struct date *list, size_t n, int64_t day)
{
	for (size_t i = 0; i < n; i++)
		if (venue_day(list[i].year, list[i].month, list[i].day) == day)
			return true;
	return false;
}

/* Saturday counts on Friday, Sunday on Monday. */
static int64_t nearest_weekday(int64_t day)
{
	int w = venue_weekday(day);

	return w == SATURDAY ? day - 1 : w == SUNDAY ? day + 1 : day;
}

static bool new_york_holiday(int64_t day, int y)
{
	static const struct date mourning[] = { { 1994, 4, 27 },  { 2001, 9, 11 }, { 2001, 9, 12 }, { 2001, 9, 13 },
						{ 2001, 9, 14 },  { 2004, 6, 11 }, { 2007, 1, 2 },  { 2012, 10, 29 },
						{ 2012, 10, 30 }, { 2018, 12, 5 }, { 2025, 1, 9 } };
	int64_t new_year = venue_day(y, 1, 1);

	if (venue_weekday(new_year) == SUNDAY)
		new_year++;
	/* On a Saturday it is not made up for: the Friday before is of the year that ends (Rule 7.2) */
	return day == new_year || (y >= 1998 && day == nth(y, 1, MONDAY, 3)) || day == nth(y, 2, MONDAY, 3) ||
	       day == good_friday(y) || day == last(y, 5, MONDAY) ||
	       (y >= 2022 && day == nearest_weekday(venue_day(y, 6, 19))) ||
	       day == nearest_weekday(venue_day(y, 7, 4)) || day == nth(y, 9, MONDAY, 1) ||
	       day == nth(y, 11, THURSDAY, 4) || day == nearest_weekday(venue_day(y, 12, 25)) ||
	       listed(mourning, N(mourning), day);
}

static int new_york(int64_t day)
{
	int y, m, d, w = venue_weekday(day);
	bool early;

	venue_date(day, &y, &m, &d);
	if (new_york_holiday(day, y))
		return CLOSED;
	early = (m == 11 && day == nth(y, 11, THURSDAY, 4) + 1) || (m == 12 && d == 24 && w >= MONDAY && w <= THURSDAY);
	/* Before 2013 it was the Friday behind a holiday on Thursday, and not the Wednesday before it */
	if (m == 7 && d == 3 && w >= MONDAY && w <= THURSDAY)
		early = y >= 2013 || w != WEDNESDAY;
	if (m == 7 && d == 5 && w == FRIDAY)
		early = y < 2013;
	return early ? AT(13, 0) : 0;
}

static bool london_holiday(int64_t day, int y)
{
	static const struct date moved_or_added[] = { { 1995, 5, 8 }, { 1999, 12, 31 }, { 2002, 6, 3 },
						      { 2002, 6, 4 }, { 2011, 4, 29 },  { 2012, 6, 4 },
						      { 2012, 6, 5 }, { 2020, 5, 8 },   { 2022, 6, 2 },
						      { 2022, 6, 3 }, { 2022, 9, 19 },  { 2023, 5, 8 } };
	bool early_may_moved = y == 1995 || y == 2020, spring_moved = y == 2002 || y == 2012 || y == 2022;
	int64_t new_year = venue_day(y, 1, 1), christmas = venue_day(y, 12, 25), boxing = christmas + 1;
	int w = venue_weekday(new_year);

	new_year += w == SATURDAY ? 2 : w == SUNDAY ? 1 : 0;
	w = venue_weekday(christmas);
	christmas += w == SATURDAY || w == SUNDAY ? 27 - 25 : 0;
	w = venue_weekday(boxing);
	boxing += w == SATURDAY || w == SUNDAY ? 28 - 26 : 0;
	return day == new_year || day == good_friday(y) || day == easter(y) + 1 ||
	       (!early_may_moved && day == nth(y, 5, MONDAY, 1)) || (!spring_moved && day == last(y, 5, MONDAY)) ||
	       day == last(y, 8, MONDAY) || day == christmas || day == boxing ||
	       listed(moved_or_added, N(moved_or_added), day);
}

static int64_t weekday_before(int64_t day)
{
	int w = venue_weekday(day);

	return w == SATURDAY ? day - 1 : w == SUNDAY ? day - 2 : day;
}

static int london(int64_t day)
{
	int y, m, d;

	venue_date(day, &y, &m, &d);
	if (london_holiday(day, y))
		return CLOSED;
	return day == weekday_before(venue_day(y, 12, 24)) || day == weekday_before(venue_day(y, 12, 31)) ? AT(12, 30)
													  : 0;
}

static int india(int64_t day)
{
	static const struct {
		int month, day;
	} fixed[] = { { 1, 26 }, { 5, 1 }, { 8, 15 }, { 10, 2 }, { 12, 25 } };
	int y, m, d;

	venue_date(day, &y, &m, &d);
	for (size_t i = 0; i < N(fixed); i++)
		if (m == fixed[i].month && d == fixed[i].day)
			return CLOSED;
	return day == good_friday(y) ? CLOSED : 0;
}

/* ---- venues ---- */

#define DAY_OF(o, c)                                                                                                   \
	{                                                                                                              \
		o, c                                                                                                   \
	}
#define WEEKDAYS(o, c)                                                                                                 \
	{                                                                                                              \
		{ 0, 0 }, DAY_OF(o, c), DAY_OF(o, c), DAY_OF(o, c), DAY_OF(o, c), DAY_OF(o, c),                        \
		{                                                                                                      \
			0, 0                                                                                           \
		}                                                                                                      \
	}
#define WHOLE DAY_OF(0, MINUTES_OF_DAY)

static const struct venue_rule rules[] = {
	{ "FX",
	  ZONE_NEW_YORK,
	  { DAY_OF(AT(17, 0), MINUTES_OF_DAY), WHOLE, WHOLE, WHOLE, WHOLE, DAY_OF(0, AT(17, 0)), { 0, 0 } },
	  true,
	  NULL },
	{ "CRYPTO", ZONE_UTC, { WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, WHOLE }, false, NULL },
	{ "XNYS", ZONE_NEW_YORK, WEEKDAYS(AT(9, 30), AT(16, 0)), false, new_york },
	{ "XNAS", ZONE_NEW_YORK, WEEKDAYS(AT(9, 30), AT(16, 0)), false, new_york },
	{ "XLON", ZONE_LONDON, WEEKDAYS(AT(8, 0), AT(16, 30)), false, london },
	{ "XNSE", ZONE_KOLKATA, WEEKDAYS(AT(9, 15), AT(15, 30)), false, india },
};

const struct venue_rule *venue_rule(const char *name)
{
	for (size_t i = 0; i < N(rules); i++)
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	return NULL;
}

const char *venue_names(void)
{
	return "FX, CRYPTO, XNYS, XNAS, XLON, XNSE";
}
