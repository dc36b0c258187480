/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/window/indicator.h - what traders watch: RSI, ATR, MACD and Bollinger bands, with the values of TA-Lib.
 *
 * An indicator includes the newest value by definition, so here one pushes first and looks at the indicator, or compares
 * x with what it was before the push:
 *
 *   tw_rsi_push_wilder(rsi, 14, x);     if (tw_rsi_value(rsi, 14, 1) > 70) ...
 *   band = tw_bollinger(w, 20, 2);      judge first: is x outside?  Then tw_window_push(w, 20, x)
 *   tr = tw_true_range(atr, h, l);      judge first: tr > 3 * tw_atr_value(atr, 14)?  Then tw_atr_push(atr, 14, h, l, c)
 *   tw_macd_push(m, 12, 26, 9, x);      if (tw_macd_ready(m, 26, 9) && m->line > m->signal) ...
 *
 * Start-up. TA-Lib's: the first average is a plain mean over a whole period, then the recursion begins; that is Wilder's
 * way, too. pandas' ewm(adjust=False) begins with the first value instead, so the two differ in the beginning and agree
 * to a part in 10^4 only after some five periods. Where both are asked for, feed the pandas way with ewma.h.
 *
 *   first value after    RSI n + 1 values    ATR n + 1 bars    MACD slow + signal - 1 values    Bollinger n values
 *
 * Before that: NaN. Values that are not tw_usable() must not be pushed into RSI; ATR and MACD refuse them (0, else 1).
 * 1 <= every period.
 */
#ifndef TAPEWATCH_WINDOW_INDICATOR_H
#define TAPEWATCH_WINDOW_INDICATOR_H

#include <tapewatch/window/sums.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- relative strength index -----------------------------------------------------------------------------------
 * 100 x gains / (gains + losses) over the last n changes, the newest included. Simple: plain sums of n changes
 * (Cutler), where gains - losses is newest - oldest, so that one sum of absolute changes is all there is to keep.
 * Wilder (1978): the first n changes averaged, then avg = (avg (n - 1) + change) / n.
 */
struct tw_rsi { /* simple: followed by n + 1 values */
	double sum, made; /* simple: of absolute changes; what it was when it was made */
	double up, down;  /* Wilder: averages */
	double newest;
	uint32_t n, at; /* values seen, up to period + 1 */
};

static inline uint32_t tw_rsi_size(uint32_t period, int wilder)
{
	return tw_align16(sizeof(struct tw_rsi) + (wilder ? 0 : (uint64_t)period + 1) * sizeof(double));
}

static inline double *tw_rsi_values(struct tw_rsi *w)
{
	return (double *)(void *)(w + 1);
}

TW_RARE void tw_rsi_make(struct tw_rsi *w)
{
	const double *v = tw_rsi_values(w);
	uint32_t i, j = w->at < w->n ? w->at : 0; /* of the oldest */

	w->sum = 0;
	for (i = 1; i < w->n; i++) {
		uint32_t k = j + 1 < w->n ? j + 1 : 0;
		w->sum += fabs(v[k] - v[j]);
		j = k;
	}
	w->made = w->sum;
}

static inline void tw_rsi_push(struct tw_rsi *w, uint32_t period, double x)
{
	double *v = tw_rsi_values(w);

	if (w->n == period + 1) {
		double next = v[w->at < period ? w->at + 1 : 0];
		w->sum += fabs(x - w->newest) - fabs(next - v[w->at]);
	} else if (w->n++) {
		w->sum += fabs(x - w->newest);
	}
	v[w->at] = w->newest = x;
	if (++w->at == period + 1) {
		w->at = 0;
		tw_rsi_make(w);
	} else if (w->sum < TW_SUMS_LOST * w->made) {
		tw_rsi_make(w);
	}
}

static inline void tw_rsi_push_wilder(struct tw_rsi *w, uint32_t period, double x)
{
	double d = x - w->newest, up = d > 0 ? d : 0, down = d < 0 ? -d : 0;
	uint32_t had = w->n;

	w->newest = x;
	if (had <= period)
		w->n++;
	if (had == 0)
		return;
	if (had <= period) { /* the first average is a plain one */
		w->up += (up - w->up) / had;
		w->down += (down - w->down) / had;
	} else {
		w->up += (up - w->up) / period;
		w->down += (down - w->down) / period;
	}
	if (w->up < 1e-290) /* so that nothing fades for ever through ever smaller numbers */
		w->up = 0;
	if (w->down < 1e-290)
		w->down = 0;
}

static inline int tw_rsi_ready(const struct tw_rsi *w, uint32_t period)
{
	return w->n == period + 1;
}

/* gains - losses and gains + losses, once ready; the index is 50 (1 + difference / total). */
static inline void tw_rsi_parts(struct tw_rsi *w, int wilder, double *difference, double *total)
{
	if (wilder) {
		*difference = w->up - w->down;
		*total = w->up + w->down;
	} else {
		*difference = w->newest - tw_rsi_values(w)[w->at];
		*total = w->sum;
	}
}

static inline double tw_rsi_index(double difference, double total)
{
	double r = 50 * (1 + difference / total);

	return r > 100 ? 100 : r < 0 ? 0 : r;
}

/* The index, from 0 to 100. None before period + 1 values, and none where no value differed: nothing to divide (TA-Lib
 * says 0 there). */
static inline double tw_rsi_value(struct tw_rsi *w, uint32_t period, int wilder)
{
	double difference, total;

	if (!tw_rsi_ready(w, period))
		return TW_NONE;
	tw_rsi_parts(w, wilder, &difference, &total);
	return total > 0 ? tw_rsi_index(difference, total) : TW_NONE;
}

/* ---- average true range -------------------------------------------------------------------------------------------
 * True range: the largest of high - low, abs(high - close before), abs(low - close before). Its average as Wilder (1978)
 * took it: of the first n plain, then avg = (avg (n - 1) + range) / n. The first bar has no close before it and only
 * gives its close. In the unit of the price.
 */
struct tw_atr {
	double close, average;
	uint32_t n, reserved; /* bars seen, up to period + 1 */
};

/* Of a bar with this high and low against the close before; none for the first. */
static inline double tw_true_range(const struct tw_atr *w, double high, double low)
{
	double top, bottom;

	if (!w->n || !tw_usable(high) || !tw_usable(low))
		return TW_NONE;
	top = high > w->close ? high : w->close;
	bottom = low < w->close ? low : w->close;
	return top - bottom;
}

static inline int tw_atr_push(struct tw_atr *w, uint32_t period, double high, double low, double close)
{
	double range = tw_true_range(w, high, low);
	uint32_t had = w->n;

	if (!tw_usable(high) || !tw_usable(low) || !tw_usable(close) || high < low)
		return 0;
	w->close = close;
	if (had <= period)
		w->n++;
	if (had)
		w->average = tw_faded(w->average + (range - w->average) / (had < period ? had : period));
	return 1;
}

static inline double tw_atr_value(const struct tw_atr *w, uint32_t period)
{
	return w->n > period ? w->average : TW_NONE;
}

/* ---- moving average convergence and divergence ----------------------------------------------------------------------
 * Appel (1979): line = EMA(fast) - EMA(slow), signal = EMA(line), histogram = line - signal; usual periods 12, 26, 9. An
 * EMA of n weighs the newest with 2 / (n + 1) and begins with a plain mean. As in TA-Lib both averages have their first
 * value together, at the slow-th price: the fast one begins with the mean of the last `fast` prices then. fast <= slow.
 */
struct tw_macd {
	double fast, slow, line, signal;
	uint32_t n, reserved; /* values seen, up to slow + signal - 1 */
};

static inline int tw_macd_push(struct tw_macd *w, uint32_t fast, uint32_t slow, uint32_t signal, double x)
{
	uint32_t had = w->n;

	if (!tw_usable(x))
		return 0;
	if (had < slow + signal - 1)
		w->n++;
	if (had < slow) { /* plain means */
		w->slow += (x - w->slow) / (had + 1);
		if (had >= slow - fast)
			w->fast += (x - w->fast) / (had - (slow - fast) + 1);
		if (had + 1 < slow)
			return 1;
	} else {
		w->slow += (x - w->slow) * (2.0 / (slow + 1.0));
		w->fast += (x - w->fast) * (2.0 / (fast + 1.0));
	}
	w->line = w->fast - w->slow;
	if (had < slow + signal - 1)
		w->signal += (w->line - w->signal) / (w->n - slow + 1);
	else
		w->signal += (w->line - w->signal) * (2.0 / (signal + 1.0));
	return 1;
}

static inline int tw_macd_ready(const struct tw_macd *w, uint32_t slow, uint32_t signal)
{
	return w->n == slow + signal - 1;
}

static inline double tw_macd_histogram(const struct tw_macd *w)
{
	return w->line - w->signal;
}

/* ---- Bollinger bands --------------------------------------------------------------------------------------------------
 * Bollinger on Bollinger Bands (2001): mean of the last n +- width x their standard deviation, that of a population, which
 * divides by n. Of the values in the window: push x before to have it in the bands as charts do, afterwards to judge it.
 */
struct tw_bands {
	double lower, middle, upper;
};

static inline struct tw_bands tw_bollinger(struct tw_window *w, uint32_t window, double width)
{
	struct tw_bands b = { TW_NONE, TW_NONE, TW_NONE };
	struct tw_spread d;
	double reach;

	if (w->n == window) {
		d = tw_window_judge(w, 0);
		reach = width * sqrt(d.squares / w->n);
		b.middle = -d.distance;
		b.lower = b.middle - reach;
		b.upper = b.middle + reach;
	}
	return b;
}

#ifdef __cplusplus
}
#endif
#endif
