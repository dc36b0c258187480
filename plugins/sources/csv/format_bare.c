/* SPDX-License-Identifier: Apache-2.0
 *
 * Files without a header, told by the shape of their first line: TrueFX, HistData, Dukascopy, candles and series. Where
 * two readings are possible, none is taken.
 */
#include "csv.h"

static bool shape(const struct cell *c, const char *pattern) /* '0': a digit, everything else is itself */
{
	size_t n = strlen(pattern);

	if (c->n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (pattern[i] == '0' ? (unsigned char)(c->p[i] - '0') > 9 : c->p[i] != pattern[i])
			return false;
	return true;
}

static bool numbers(const struct number_style *s, const struct cell *c, uint32_t n, double *v, uint32_t max)
{
	if (n > max)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!number_read(s, c[i].p, c[i].n, &v[i]) || isnan(v[i]))
			return false;
	return true;
}

static void set(struct layout *l, uint32_t kind, const enum field *fields)
{
	for (int16_t i = 0; fields[i] != F_NONE; i++)
		l->column[fields[i]] = i;
	l->kind = kind;
	l->header = false;
}

static bool is_candle(const double *v) /* open, high, low, close */
{
	return v[1] >= v[0] && v[1] >= v[3] && v[2] <= v[0] && v[2] <= v[3];
}

static bool is_time(const struct cell *c, unsigned *seen)
{
	struct time_style any = { TIME_AUTO, NULL, NULL };
	int64_t ts;

	return time_read(&any, c->p, c->n, &ts, seen);
}

static bool is_truefx(const struct cell *c, uint32_t n)
{
	return n >= 4 && memchr(c[0].p, '/', c[0].n) && shape(&c[1], "00000000 00:00:00.000");
}

bool layout_bare(struct layout *l, const struct cell *c, uint32_t n, const struct number_style *s)
{
	static const enum field truefx[] = { F_SYMBOL, F_TS, F_BID, F_ASK, F_NONE };
	static const enum field ticks[] = { F_TS, F_BID, F_ASK, F_BID_SIZE, F_ASK_SIZE, F_NONE };
	static const enum field ticks3[] = { F_TS, F_BID, F_ASK, F_NONE };
	static const enum field bars[] = { F_TS, F_OPEN, F_HIGH, F_LOW, F_CLOSE, F_VOLUME, F_NONE };
	static const enum field bars2[] = { F_TS, F_TS2, F_OPEN, F_HIGH, F_LOW, F_CLOSE, F_VOLUME, F_NONE };
	static const enum field stocks[] = { F_SYMBOL, F_OPEN, F_HIGH, F_LOW, F_CLOSE, F_VOLUME, F_TS, F_NONE };
	static const enum field series[] = { F_TS, F_VALUE, F_NONE };
	double v[8] = { 0 };
	unsigned seen;

	if (is_truefx(c, n)) {
		set(l, TW_QUOTE, truefx);
		l->format = FORMAT_TRUEFX;
		l->zone = "UTC";
		return true;
	}
	if (n >= 3 && (shape(&c[0], "00000000 000000000") || shape(&c[0], "00000000 000000")) &&
	    numbers(s, c + 1, n - 1, v, 8)) {
		l->format = FORMAT_HISTDATA;
		l->zone = "EST";
		if (n >= 5 && c[0].n == 15 && is_candle(v))
			set(l, TW_BAR, bars);
		else
			set(l, TW_QUOTE, ticks3);
		return true;
	}
	if (n == 7 && shape(&c[6], "0000000000000") && !number_read(s, c[0].p, c[0].n, v) &&
	    numbers(s, c + 1, 5, v, 8)) {
		set(l, TW_BAR, stocks);
		return true;
	}
	if (n >= 6 && (shape(&c[1], "00:00") || shape(&c[1], "00:00:00")) && is_time(&c[0], &seen) &&
	    numbers(s, c + 2, n - 2, v, 8) && is_candle(v)) {
		set(l, TW_BAR, bars2);
		l->broker_time = true;
		return true;
	}
	if (n < 2 || !is_time(&c[0], &seen) || !numbers(s, c + 1, n - 1, v, 8))
		return false;
	l->zone_needed = (seen & TIME_MONTH_FIRST) != 0;
	if (n == 2) {
		set(l, TW_SCORE, series);
	} else if (n == 3 || (n == 5 && (seen & TIME_FRACTION) && !(seen & TIME_EPOCH))) {
		set(l, TW_QUOTE, n == 3 ? ticks3 : ticks);
		if (shape(&c[0], "0000.00.00 00:00:00.000"))
			l->zone = "UTC"; /* Dukascopy */
	} else if ((n == 6 || n == 7) && is_candle(v)) {
		set(l, TW_BAR, bars);
	} else {
		return false;
	}
	return true;
}
