/* SPDX-License-Identifier: Apache-2.0
 *
 * Times as files write them: epochs in any unit, dates in the usual orders, or a pattern of the operator. Digits are
 * taken as integers all the way, so that nanoseconds survive.
 */
#include "csv.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define NS INT64_C(1000000000)

int64_t time_days(int64_t y, unsigned m, unsigned d)
{
	int64_t era;
	unsigned yoe, doy, doe;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = (unsigned)(y - era * 400);
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + (int64_t)doe - 719468;
}

bool time_valid_date(int64_t y, unsigned m, unsigned d)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return m >= 1 && m <= 12 && d >= 1 && d <= days[m - 1] + (m == 2 && leap ? 1u : 0u);
}

void time_text(char out[64], int64_t ts)
{
	int64_t s = ts / NS - (ts % NS < 0), days = s / 86400 - (s % 86400 < 0);
	int32_t in_day = (int32_t)(s - days * 86400), year, month = 1;

	year = (int32_t)(1970 + days / 366);
	while (time_days(year + 1, 1, 1) <= days)
		year++;
	while (time_days(year, 1, 1) > days)
		year--;
	while (month < 12 && time_days(year, (unsigned)month + 1, 1) <= days)
		month++;
	snprintf(out, 64, "%d-%02d-%02d %02d:%02d:%02d.%09d", year, month,
		 (int)(days - time_days(year, (unsigned)month, 1)) + 1, in_day / 3600, in_day / 60 % 60, in_day % 60,
		 (int)(ts - s * NS));
}

struct scan {
	const char *p, *end;
};

static size_t digits(const struct scan *s)
{
	const char *q = s->p;

	while (q < s->end && (unsigned char)(*q - '0') < 10)
		q++;
	return (size_t)(q - s->p);
}

/* Exactly n digits, n <= 18. */
static uint64_t take(struct scan *s, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v * 10 + (uint64_t)(*s->p++ - '0');
	return v;
}

static bool take_n(struct scan *s, size_t min, size_t max, unsigned *ret)
{
	size_t n = digits(s);

	if (n > max)
		n = max;
	if (n < min)
		return false;
	*ret = (unsigned)take(s, n);
	return true;
}

static bool take_char(struct scan *s, char c)
{
	if (s->p < s->end && *s->p == c) {
		s->p++;
		return true;
	}
	return false;
}

/* Digits behind the mark as ns; what is finer is cut off. */
static bool take_fraction(struct scan *s, int64_t *ns)
{
	size_t n = digits(s), use = n > 9 ? 9 : n;
	uint64_t v;

	if (n == 0)
		return false;
	v = take(s, use);
	s->p += n - use;
	for (; use < 9; use++)
		v *= 10;
	*ns = (int64_t)v;
	return true;
}

struct moment {
	int64_t year;
	unsigned month, day, hour, minute, second;
	int64_t ns;
	bool zoned;
	int32_t offset;
};

static bool finish(const struct time_style *t, const struct moment *m, int64_t *ret)
{
	int64_t s;

	/* int64 ns reach from 1677 to 2262 */
	if (m->year < 1678 || m->year > 2261 || !time_valid_date(m->year, m->month, m->day) || m->hour > 23 ||
	    m->minute > 59 || m->second > 60)
		return false;
	s = time_days(m->year, m->month, m->day) * 86400 + m->hour * 3600 + m->minute * 60 + m->second;
	if (m->zoned)
		s -= m->offset;
	else if (t->zone)
		s = zone_utc(t->zone, s);
	*ret = s * NS + m->ns;
	return true;
}

static bool take_offset(struct scan *s, struct moment *m)
{
	unsigned h, min = 0;
	int sign;

	if (s->p < s->end && (*s->p == 'Z' || *s->p == 'z')) {
		s->p++;
		m->zoned = true;
		return true;
	}
	if (s->end - s->p >= 3 && (strncasecmp(s->p, "UTC", 3) == 0 || strncasecmp(s->p, "GMT", 3) == 0)) {
		s->p += 3;
		m->zoned = true;
		if (s->p == s->end)
			return true;
	}
	if (s->p == s->end || (*s->p != '+' && *s->p != '-'))
		return false;
	sign = *s->p++ == '-' ? -1 : 1;
	if (!take_n(s, 2, 2, &h))
		return false;
	if (take_char(s, ':') || digits(s)) {
		if (!take_n(s, 2, 2, &min))
			return false;
	}
	if (h > 15 || min > 59)
		return false;
	m->zoned = true;
	m->offset = sign * (int32_t)(h * 3600 + min * 60);
	return true;
}

static bool take_clock(struct scan *s, struct moment *m, unsigned *seen)
{
	size_t n = digits(s);

	if (n == 1 || n == 2) {
		m->hour = (unsigned)take(s, n);
		if (!take_char(s, ':') || !take_n(s, 2, 2, &m->minute))
			return false;
		if (take_char(s, ':')) {
			if (!take_n(s, 2, 2, &m->second))
				return false;
			if (take_char(s, '.') || take_char(s, ',')) {
				*seen |= TIME_FRACTION;
				return take_fraction(s, &m->ns);
			}
		}
		return true;
	}
	if (n != 4 && n < 6)
		return false;
	m->hour = (unsigned)take(s, 2);
	m->minute = (unsigned)take(s, 2);
	if (n == 4)
		return true;
	m->second = (unsigned)take(s, 2);
	if (n > 6 || take_char(s, '.')) { /* HistData writes HHMMSSmmm */
		*seen |= TIME_FRACTION;
		return take_fraction(s, &m->ns);
	}
	return true;
}

static bool read_date(const struct time_style *t, const char *p, size_t n, int64_t *ret, unsigned *seen)
{
	struct scan s = { p, p + n };
	struct moment m = { 0 };
	size_t lead = digits(&s);
	unsigned half = 0;

	if (lead == 8 || lead == 14) {
		m.year = (int64_t)take(&s, 4);
		m.month = (unsigned)take(&s, 2);
		m.day = (unsigned)take(&s, 2);
	} else if (lead == 4) {
		char mark;

		m.year = (int64_t)take(&s, 4);
		if (s.p == s.end || !strchr("-./", *s.p) || !*s.p)
			return false;
		mark = *s.p++;
		if (!take_n(&s, 1, 2, &m.month) || !take_char(&s, mark) || !take_n(&s, 1, 2, &m.day))
			return false;
	} else if (lead == 1 || lead == 2) { /* month/day/year: only with slashes, as dots mean day first */
		unsigned year;

		m.month = (unsigned)take(&s, lead);
		if (!take_char(&s, '/') || !take_n(&s, 1, 2, &m.day) || !take_char(&s, '/') || !take_n(&s, 4, 4, &year))
			return false;
		m.year = year;
		*seen |= TIME_MONTH_FIRST;
	} else {
		return false;
	}
	if (s.p < s.end && lead != 14 && (*s.p == ' ' || *s.p == 'T' || *s.p == 't' || *s.p == '_')) {
		s.p++;
		while (s.p < s.end && *s.p == ' ')
			s.p++;
		if (s.p == s.end)
			return false;
		if (!take_clock(&s, &m, seen))
			return false;
	} else if (lead == 14) {
		if (!take_clock(&s, &m, seen))
			return false;
	} else {
		*seen |= TIME_DATE_ONLY;
	}
	while (s.p < s.end && *s.p == ' ')
		s.p++;
	if (s.end - s.p >= 2 && (s.p[1] == 'M' || s.p[1] == 'm')) {
		half = (unsigned char)toupper((unsigned char)*s.p);
		if ((half != 'A' && half != 'P') || m.hour < 1 || m.hour > 12)
			return false;
		m.hour = m.hour % 12 + (half == 'P' ? 12 : 0);
		s.p += 2;
		while (s.p < s.end && *s.p == ' ')
			s.p++;
	}
	if (s.p < s.end && (!take_offset(&s, &m) || s.p != s.end))
		return false;
	if (m.zoned)
		*seen |= TIME_ZONED;
	return finish(t, &m, ret);
}

/* unit: ns of one; 0: from the size of the number. */
static bool read_epoch(const char *p, size_t n, int64_t unit, int64_t *ret, unsigned *seen)
{
	struct scan s = { p, p + n };
	bool negative = n && unit && take_char(&s, '-');
	size_t lead = digits(&s), fraction;
	int64_t whole, v, scale;

	if (lead == 0 || lead > 18 + (unit == 1))
		return false;
	if (lead == 19 && memcmp(s.p, "9223372036854775807", 19) > 0)
		return false;
	whole = (int64_t)take(&s, lead > 18 ? 18 : lead);
	if (lead > 18)
		whole = whole * 10 + (*s.p++ - '0');
	if (!unit)
		unit = lead <= 11 ? NS : lead <= 14 ? 1000000 : lead <= 17 ? 1000 : 1;
	if (__builtin_mul_overflow(whole, unit, &v))
		return false;
	if (s.p < s.end) {
		if (!take_char(&s, '.'))
			return false;
		fraction = digits(&s);
		if (s.p + fraction != s.end)
			return false;
		for (scale = unit / 10; s.p < s.end; scale /= 10)
			if (__builtin_add_overflow(v, (*s.p++ - '0') * scale, &v))
				return false;
	}
	*ret = negative ? -v : v;
	*seen |= TIME_ZONED | TIME_EPOCH;
	return true;
}

static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";

static bool read_pattern(const struct time_style *t, const char *p, size_t n, int64_t *ret, unsigned *seen)
{
	struct scan s = { p, p + n };
	struct moment m = { .year = 1970, .month = 1, .day = 1 };
	unsigned v, half = 0;

	for (const char *f = t->pattern; *f; f++) {
		if (*f != '%') {
			if (!take_char(&s, *f))
				return false;
			continue;
		}
		switch (*++f) {
		case 'Y':
			if (!take_n(&s, 4, 4, &v))
				return false;
			m.year = v;
			break;
		case 'y':
			if (!take_n(&s, 2, 2, &v))
				return false;
			m.year = v + (v < 69 ? 2000 : 1900);
			break;
		case 'm':
			if (!take_n(&s, 1, 2, &m.month))
				return false;
			break;
		case 'b':
			if (s.end - s.p < 3)
				return false;
			for (v = 0; v < 12 && strncasecmp(s.p, months + 3 * v, 3) != 0;)
				v++;
			m.month = v + 1;
			s.p += 3;
			break;
		case 'd':
			if (!take_n(&s, 1, 2, &m.day))
				return false;
			break;
		case 'H':
		case 'I':
			if (!take_n(&s, 1, 2, &m.hour) || (*f == 'I' && (m.hour < 1 || m.hour > 12)))
				return false;
			break;
		case 'M':
			if (!take_n(&s, 2, 2, &m.minute))
				return false;
			break;
		case 'S':
			if (!take_n(&s, 2, 2, &m.second))
				return false;
			break;
		case 'f':
			if (!take_fraction(&s, &m.ns))
				return false;
			break;
		case 'p':
			if (s.end - s.p < 2 || (s.p[1] != 'M' && s.p[1] != 'm'))
				return false;
			half = (unsigned)toupper((unsigned char)*s.p);
			if (half != 'A' && half != 'P')
				return false;
			s.p += 2;
			break;
		case 'z':
			if (!take_offset(&s, &m))
				return false;
			break;
		case '%':
			if (!take_char(&s, '%'))
				return false;
			break;
		default:
			return false;
		}
	}
	if (s.p != s.end)
		return false;
	if (half)
		m.hour = m.hour % 12 + (half == 'P' ? 12 : 0);
	if (m.zoned)
		*seen |= TIME_ZONED;
	return finish(t, &m, ret);
}

const char *time_pattern_fault(const char *pattern)
{
	for (const char *f = pattern; *f; f++)
		if (*f == '%' && (!*++f || !strchr("YymbdHIMSfpz%", *f)))
			return *f ? f : f - 1;
	return NULL;
}

bool time_read(const struct time_style *t, const char *p, size_t n, int64_t *ret, unsigned *seen)
{
	struct scan s = { p, p + n };
	size_t lead;

	*seen = 0;
	switch (t->format) {
	case TIME_UNIX:
		return read_epoch(p, n, NS, ret, seen);
	case TIME_UNIX_MS:
		return read_epoch(p, n, 1000000, ret, seen);
	case TIME_UNIX_US:
		return read_epoch(p, n, 1000, ret, seen);
	case TIME_UNIX_NS:
		return read_epoch(p, n, 1, ret, seen);
	case TIME_PATTERN:
		return read_pattern(t, p, n, ret, seen);
	case TIME_ISO:
		return read_date(t, p, n, ret, seen) && !(*seen & TIME_MONTH_FIRST);
	case TIME_AUTO:
		break;
	}
	lead = digits(&s);
	/* Eight digits alone are a date, fourteen a date and a time; all other bare numbers count from 1970. */
	if (lead == n ? lead != 8 && lead != 14 : lead > 8 && lead != 14 && s.p[lead] == '.')
		return read_epoch(p, n, 0, ret, seen);
	return read_date(t, p, n, ret, seen);
}
