/* SPDX-License-Identifier: Apache-2.0
 *
 * Times as they stand in labels files.
 */
#include "backtest/labels.h"

#define SECOND INT64_C(1000000000)
#define DAY    (86400 * SECOND)

struct cursor_text {
	const char *s, *end;
};

static bool digits(struct cursor_text *c, int n, int *ret)
{
	int v = 0;

	for (int i = 0; i < n; i++, c->s++) {
		if (c->s == c->end || *c->s < '0' || *c->s > '9')
			return false;
		v = v * 10 + (*c->s - '0');
	}
	*ret = v;
	return true;
}

static bool skip(struct cursor_text *c, char a, char b)
{
	if (c->s == c->end || (*c->s != a && *c->s != b))
		return false;
	c->s++;
	return true;
}

/* Days since 1970-01-01; the year begins in March so that the leap day is its last. */
static bool days_of(int year, int month, int day, int64_t *ret)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int64_t y, m;

	if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 ||
	    day > lengths[month - 1] + (month == 2 && leap))
		return false;
	y = month > 2 ? year : year - 1;
	m = month > 2 ? month - 3 : month + 9;
	*ret = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
	return true;
}

static bool clock_of(struct cursor_text *c, int64_t *ret)
{
	int hour, minute, second = 0, digit;
	int64_t fraction = 0;

	if (!digits(c, 2, &hour) || !skip(c, ':', ':') || !digits(c, 2, &minute))
		return false;
	if (skip(c, ':', ':')) {
		if (!digits(c, 2, &second))
			return false;
		if (skip(c, '.', ',')) {
			if (c->s == c->end || *c->s < '0' || *c->s > '9')
				return false;
			for (int64_t unit = SECOND / 10; unit && c->s < c->end && digits(c, 1, &digit); unit /= 10)
				fraction += unit * digit;
		}
	}
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	*ret = ((int64_t)hour * 3600 + minute * 60 + second) * SECOND + fraction;
	return true;
}

static bool zone_of(struct cursor_text *c, int64_t *ret)
{
	int hour, minute = 0;
	int64_t sign;

	*ret = 0;
	if (c->s == c->end || skip(c, 'Z', 'z'))
		return true;
	sign = *c->s == '-' ? -1 : 1;
	if (!skip(c, '+', '-') || !digits(c, 2, &hour))
		return false;
	(void)skip(c, ':', ':');
	if (c->s < c->end && !digits(c, 2, &minute))
		return false;
	if (hour > 23 || minute > 59)
		return false;
	*ret = sign * ((int64_t)hour * 3600 + minute * 60) * SECOND;
	return true;
}

/* Seconds, or a finer unit: by size, as the csv source does. */
static bool since_1970(struct tw_str t, int64_t *ret)
{
	static const int64_t units[] = { SECOND, 1000000, 1000, 1 };
	int64_t v = 0, unit, fraction = 0, scale;
	size_t i = 0, unit_at;

	for (; i < t.len && t.s[i] >= '0' && t.s[i] <= '9'; i++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, t.s[i] - '0', &v))
			return false;
	if (!i)
		return false;
	unit_at = v < INT64_C(100000000000)         ? 0
		  : v < INT64_C(100000000000000)    ? 1
		  : v < INT64_C(100000000000000000) ? 2
						    : 3;
	unit = units[unit_at];
	scale = unit;
	if (i < t.len && t.s[i] == '.')
		for (i++; i < t.len && t.s[i] >= '0' && t.s[i] <= '9'; i++) {
			scale /= 10;
			fraction += scale * (t.s[i] - '0');
		}
	if (i < t.len || __builtin_mul_overflow(v, unit, &v))
		return false;
	*ret = v + fraction;
	return true;
}

bool label_time(struct tw_str t, bool end, int64_t *ret)
{
	struct cursor_text c;
	int year, month, day;
	int64_t days, clock = end ? DAY - 1 : 0, zone = 0;

	while (t.len && (*t.s == ' ' || *t.s == '\t'))
		t.s++, t.len--;
	while (t.len && (t.s[t.len - 1] == ' ' || t.s[t.len - 1] == '\t'))
		t.len--;
	c = (struct cursor_text){ t.s, t.s + t.len };
	if (t.len < 10 || (t.s[4] != '-' && t.s[4] != '/' && t.s[4] != '.') || t.s[7] != t.s[4])
		return since_1970(t, ret);
	if (!digits(&c, 4, &year) || !skip(&c, t.s[4], t.s[4]) || !digits(&c, 2, &month) || !skip(&c, t.s[4], t.s[4]) ||
	    !digits(&c, 2, &day) || !days_of(year, month, day, &days))
		return false;
	if (c.s < c.end && (!skip(&c, 'T', ' ') || !clock_of(&c, &clock) || !zone_of(&c, &zone) || c.s < c.end))
		return false;
	*ret = days * DAY + clock - zone;
	return true;
}
