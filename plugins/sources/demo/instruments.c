/* SPDX-License-Identifier: Apache-2.0
 *
 * What is traded, when, and how busy each minute of the day is. Hours are UTC and know no daylight saving time.
 */
#include "world.h"
#include <stdio.h>
#include <stdlib.h>

static const struct instrument table[] = {
	{ "EURUSD", "EUR", "USD", SESSION_FX, CURVE_WEST, 5, 1.0842, .0055, 1.60, 5.5e-5, 1.0, 100000 },
	{ "GBPUSD", "GBP", "USD", SESSION_FX, CURVE_WEST, 5, 1.2685, .0060, 1.35, 7.0e-5, 0.8, 100000 },
	{ "USDJPY", "USD", "JPY", SESSION_FX, CURVE_ASIA, 3, 151.24, .0062, 1.45, 6.0e-5, 1.0, 100000 },
	{ "USDCHF", "USD", "CHF", SESSION_FX, CURVE_WEST, 5, 0.8873, .0055, 0.95, 9.0e-5, 0.6, 100000 },
	{ "AUDUSD", "AUD", "USD", SESSION_FX, CURVE_ASIA, 5, 0.6541, .0068, 0.95, 9.5e-5, 0.6, 100000 },
	{ "USDCAD", "USD", "CAD", SESSION_FX, CURVE_WEST, 5, 1.3618, .0052, 0.95, 8.0e-5, 0.6, 100000 },
	{ "XAUUSD", "XAU", "USD", SESSION_BREAK, CURVE_US, 2, 2412.50, .0105, 1.70, 9.0e-5, 0.5, 100 },
	{ "US500", NULL, "USD", SESSION_BREAK, CURVE_US, 2, 5980.25, .0090, 1.55, 7.0e-5, 1.2, 10 },
	{ "GER40", NULL, "EUR", SESSION_BREAK, CURVE_EUROPE, 1, 19420.0, .0100, 1.20, 7.5e-5, 0.8, 10 },
	{ "AAPL", NULL, "USD", SESSION_EQUITY, CURVE_EQUITY, 2, 238.40, .0160, 2.60, 1.3e-4, 120, 100 },
	{ "MSFT", NULL, "USD", SESSION_EQUITY, CURVE_EQUITY, 2, 441.10, .0150, 2.20, 1.3e-4, 90, 100 },
	{ "TSLA", NULL, "USD", SESSION_EQUITY, CURVE_EQUITY, 2, 352.70, .0320, 2.90, 1.8e-4, 100, 100 },
};

#define N_TABLE ((uint32_t)(sizeof table / sizeof *table))

/* Beyond the table: invented shares, each a little different. They do not depend on the seed. */
void instrument_of(uint32_t index, char name[16], struct instrument *ret)
{
	if (index < N_TABLE) {
		*ret = table[index];
		snprintf(name, 16, "%s", ret->name);
		return;
	}
	struct random r;

	random_seed(&r, 0, STREAM_SYMBOL, index);
	*ret = table[N_TABLE - 1 - index % 3];
	ret->price = (double)(int64_t)(100 * random_range(&r, 20, 400)) / 100;
	ret->daily = random_range(&r, .012, .035);
	ret->quotes = random_range(&r, .4, 1.6);
	ret->size = random_range(&r, 40, 200);
	snprintf(name, 16, "EQ%03u", index + 1);
}

bool session_open(enum session s, int64_t ts)
{
	int64_t seconds = ts / SECOND, day = seconds / 86400, minute = seconds % 86400 / 60;
	int64_t weekday = (day + 4) % 7; /* 0: Sunday; 1970-01-01 was a Thursday */

	switch (s) {
	case SESSION_EQUITY:
		return weekday >= 1 && weekday <= 5 && minute >= 14 * 60 + 30 && minute < 21 * 60;
	case SESSION_BREAK:
		if (minute >= 22 * 60 && minute < 23 * 60)
			return false;
		break;
	case SESSION_FX:
		break;
	}
	return (weekday >= 1 && weekday <= 4) || (weekday == 0 && minute >= 22 * 60) ||
	       (weekday == 5 && minute < 22 * 60);
}

static double bump(double hour, double centre, double width)
{
	double d = hour - centre;

	if (d > 12)
		d -= 24;
	if (d < -12)
		d += 24;
	d /= width;
	return exact_exp(-d * d);
}

/* Activity by hour: a floor and the openings of Asia, London and New York; in a share's session the well-known U. */
static double activity(enum curve c, double hour)
{
	double u;

	switch (c) {
	case CURVE_WEST:
		return .35 + .2 * bump(hour, 1.5, 2) + .9 * bump(hour, 8, 2) + 1.2 * bump(hour, 14.2, 2.4);
	case CURVE_ASIA:
		return .40 + .8 * bump(hour, 1, 2.5) + .6 * bump(hour, 8, 2) + 1. * bump(hour, 14.2, 2.4);
	case CURVE_US:
		return .35 + .2 * bump(hour, 1.5, 2) + .5 * bump(hour, 8, 2) + 1.5 * bump(hour, 15, 2.2) +
		       .7 * bump(hour, 20, 1.2);
	case CURVE_EUROPE:
		return .30 + 1.4 * bump(hour, 8, 1.8) + 1. * bump(hour, 15, 2.2);
	case CURVE_EQUITY:
	case CURVES:
		break;
	}
	u = (hour - 17.75) / 3.25; /* -1 at the open, 1 at the close */
	if (u < -1 || u > 1)
		return 0;
	return .6 + 1.5 * u * u * u * u + .5 * bump(hour, 14.5, .5);
}

int curves_make(struct world *w)
{
	w->curves = calloc(CURVES, sizeof *w->curves);
	if (!w->curves)
		return -1;
	for (int c = 0; c < CURVES; c++) {
		double sum = 0;
		int n = 0;

		for (int m = 0; m < 1440; m++) {
			w->curves[c][m] = activity((enum curve)c, m / 60.);
			sum += w->curves[c][m];
			n += w->curves[c][m] > 0;
		}
		for (int m = 0; m < 1440; m++)
			w->curves[c][m] *= n / sum;
	}
	return 0;
}
