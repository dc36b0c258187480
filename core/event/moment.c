/* SPDX-License-Identifier: Apache-2.0
 *
 * Moments as text.
 */
#include "event/event.h"

#include <string.h>

#define SECOND INT64_C(1000000000)

/* Exactly n digits at *s. */
static bool digits(const char **s, int n, int *ret)
{
	int v = 0;
	for (int i = 0; i < n; i++) {
		char c = (*s)[i];
		if (c < '0' || c > '9')
			return false;
		v = v * 10 + (c - '0');
	}
	*s += n;
	*ret = v;
	return true;
}

static bool skip(const char **s, char c)
{
	if (**s != c)
		return false;
	++*s;
	return true;
}

/* Days since 1970-01-01 of a date that exists; the year begins in March so that the leap day is its last. */
static bool days_of(int year, int month, int day, int64_t *ret)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (year < 1678 || year > 2261 || month < 1 || month > 12 || day < 1 ||
	    day > lengths[month - 1] + (month == 2 && leap))
		return false;
	int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
	*ret = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
	return true;
}

static bool clock_of(const char **s, int64_t *ret)
{
	int hour, minute, second = 0;
	int64_t fraction = 0;

	if (!digits(s, 2, &hour) || !skip(s, ':') || !digits(s, 2, &minute))
		return false;
	if (skip(s, ':')) {
		if (!digits(s, 2, &second))
			return false;
		if (skip(s, '.')) {
			int digit;
			if (**s < '0' || **s > '9')
				return false;
			for (int64_t unit = SECOND / 10; unit && digits(s, 1, &digit); unit /= 10)
				fraction += unit * digit;
		}
	}
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	*ret = ((int64_t)hour * 3600 + minute * 60 + second) * SECOND + fraction;
	return true;
}

static bool zone_of(const char **s, int64_t *ret)
{
	int hour, minute;
	bool east = **s == '+';

	*ret = 0;
	if (!**s || skip(s, 'Z') || skip(s, 'z'))
		return true;
	if (!skip(s, '+') && !skip(s, '-'))
		return false;
	if (!digits(s, 2, &hour) || !skip(s, ':') || !digits(s, 2, &minute) || hour > 23 || minute > 59)
		return false;
	*ret = ((int64_t)hour * 3600 + minute * 60) * SECOND * (east ? 1 : -1);
	return true;
}

int moment_parse(const char *text, int64_t *ret)
{
	const char *s = text;
	int year, month, day;
	int64_t days, clock = 0, zone = 0;

	if (!digits(&s, 4, &year) || !skip(&s, '-') || !digits(&s, 2, &month) || !skip(&s, '-') ||
	    !digits(&s, 2, &day) || !days_of(year, month, day, &days))
		return -1;
	if (*s && ((!skip(&s, 'T') && !skip(&s, ' ')) || !clock_of(&s, &clock) || !zone_of(&s, &zone) || *s))
		return -1;
	*ret = days * 86400 * SECOND + clock - zone;
	return 0;
}
