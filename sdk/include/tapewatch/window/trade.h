/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/window/trade.h - of trades and equity: volume-weighted average price, returns, drawdown.
 *
 *   end = tw_tumbling_end(ev->ts, TW_DAY);                    a session: any number that changes with it
 *   far = fabs(price - tw_vwap_price(w, end)) > limit;        judge first (NaN before the session's first trade),
 *   tw_vwap_push(w, end, price, size);                        push afterwards
 *
 *   uint32_t size = tw_vwap_last_size(n);                     of the last n trades: bytes of state, 16 n
 *   far = fabs(price - tw_vwap_last_price(w)) > limit;        judge first,
 *   tw_vwap_last_push(w, n, price, size);                     push afterwards
 *
 *   lost = tw_drawdown_of(w, equity);                         judge first,
 *   tw_drawdown_push(w, equity);                              push afterwards
 *
 * VWAP = sum of price x volume / sum of volume, in the unit of the price (Berkowitz, Logue & Noser 1988). A trade whose
 * price or volume is not tw_usable(), or whose volume is below 0, changes nothing and returns 0, else 1; one with volume 0
 * has no weight. Warm-up: volume above 0.
 */
#ifndef TAPEWATCH_WINDOW_TRADE_H
#define TAPEWATCH_WINDOW_TRADE_H

#include <tapewatch/window/sums.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- of a session -------------------------------------------------------------------------------------------------*/
struct tw_vwap {
	double price, volume;
	int64_t session;
	uint64_t trades;
};

/* A session other than that of the trade before begins anew. A mean that is moved, not a quotient of two large sums. */
static inline int tw_vwap_push(struct tw_vwap *w, int64_t session, double price, double volume)
{
	if (!tw_usable(price) || !tw_usable(volume) || volume < 0)
		return 0;
	if (session != w->session) {
		w->session = session;
		w->volume = 0;
		w->trades = 0;
	}
	w->trades++;
	if (volume > 0) {
		double share = volume / (w->volume + volume);
		w->price = w->volume > 0 ? w->price + (price - w->price) * share : price;
		w->volume += volume;
	}
	return 1;
}

static inline double tw_vwap_price(const struct tw_vwap *w, int64_t session)
{
	return w->volume > 0 && w->session == session ? w->price : TW_NONE;
}

/* ---- of the last n trades -------------------------------------------------------------------------------------------
 * Sums relative to an anchor, made anew after every n pushes and whenever what is left is so little that the rounding of
 * what has gone would show; see sums.h.
 */
struct tw_vwap_last { /* followed by n trades */
	double anchor, value, volume; /* sums of volume x (price - anchor), of volume */
	double spread;                /* sum of volume x abs(price - anchor) */
	double made_volume, made_spread;
	uint32_t n, at;
	uint64_t reserved;
};

static inline uint32_t tw_vwap_last_size(uint32_t window)
{
	return tw_align16(sizeof(struct tw_vwap_last) + 2 * (uint64_t)window * sizeof(double));
}

static inline double *tw_vwap_last_trades(struct tw_vwap_last *w)
{
	return (double *)(void *)(w + 1);
}

static inline void tw_vwap_last_add(struct tw_vwap_last *w, double price, double volume)
{
	double d = volume * (price - w->anchor);

	w->value += d;
	w->spread += fabs(d);
	w->volume += volume;
}

TW_RARE void tw_vwap_last_make(struct tw_vwap_last *w)
{
	const double *v = tw_vwap_last_trades(w);
	uint32_t i, newest = (w->at ? w->at : w->n) - 1;

	w->anchor = v[2 * newest];
	w->value = w->volume = w->spread = 0;
	for (i = 0; i < w->n; i++)
		tw_vwap_last_add(w, v[2 * i], v[2 * i + 1]);
	w->made_volume = w->volume;
	w->made_spread = w->spread;
}

static inline int tw_vwap_last_push(struct tw_vwap_last *w, uint32_t window, double price, double volume)
{
	double *v = tw_vwap_last_trades(w) + 2 * (uint64_t)w->at, d;

	if (!tw_usable(price) || !tw_usable(volume) || volume < 0)
		return 0;
	if (w->n == window) {
		d = v[1] * (v[0] - w->anchor);
		w->value -= d;
		w->spread -= fabs(d);
		w->volume -= v[1];
	} else if (!w->n++) {
		w->anchor = price;
	}
	v[0] = price;
	v[1] = volume;
	tw_vwap_last_add(w, price, volume);
	if (++w->at == window) {
		w->at = 0;
		tw_vwap_last_make(w);
	}
	return 1;
}

static inline double tw_vwap_last_price(struct tw_vwap_last *w)
{
	if (!w->n)
		return TW_NONE;
	if (w->volume < TW_SUMS_LOST * w->made_volume || w->spread < TW_SUMS_LOST * w->made_spread)
		tw_vwap_last_make(w);
	return w->volume > 0 ? w->anchor + w->value / w->volume : TW_NONE;
}

/* ---- returns ------------------------------------------------------------------------------------------------------*/

/* x / before - 1; none unless both are above 0, or when that is beyond tw_usable(). */
static inline double tw_return(double before, double x)
{
	double r = (x - before) / before;

	return before > 0 && x > 0 && tw_usable(r) ? r : TW_NONE;
}

/* log(x / before), good for the smallest changes too; none unless both are above 0. */
static inline double tw_log_return(double before, double x)
{
	double r;

	if (!(before > 0 && x > 0 && tw_usable(before) && tw_usable(x)))
		return TW_NONE;
	r = (x - before) / before;
	return fabs(r) < 0.5 ? log1p(r) : log(x) - log(before);
}

/* ---- drawdown -------------------------------------------------------------------------------------------------------
 * How far below its highest value so far something is, in its own unit; as a share where that highest is above 0.
 */
struct tw_drawdown {
	double peak, worst, worst_share; /* worst: the largest so far */
	uint64_t n;
};

/* Of x, were it pushed; 0 at a new peak, none before the first value. */
static inline double tw_drawdown_of(const struct tw_drawdown *w, double x)
{
	return !w->n || !tw_usable(x) ? TW_NONE : x < w->peak ? w->peak - x : 0;
}

static inline double tw_drawdown_share(const struct tw_drawdown *w, double x)
{
	return !w->n || !tw_usable(x) || !(w->peak > 0) ? TW_NONE : x < w->peak ? (w->peak - x) / w->peak : 0;
}

static inline int tw_drawdown_push(struct tw_drawdown *w, double x)
{
	double d;

	if (!tw_usable(x))
		return 0;
	if (!w->n++ || x > w->peak)
		w->peak = x;
	d = w->peak - x;
	if (d > w->worst)
		w->worst = d;
	if (w->peak > 0 && d / w->peak > w->worst_share)
		w->worst_share = d / w->peak;
	return 1;
}

#ifdef __cplusplus
}
#endif
#endif
