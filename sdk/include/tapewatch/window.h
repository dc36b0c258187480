/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/window.h - for detectors: statistics of the last N values, as plain data that can live in keyed state.
 *
 * Nothing here allocates. A window is a small header with its values right behind it, so a detector asks for
 * tw_window_size(n) bytes of state and finds the window there; zero-filled bytes are an empty window. The functions
 * take n each time, because it is an option of the detector and not part of the state.
 *
 *   tw_window   mean and deviation, without drift      tw_sorted   quantiles, median, median absolute deviation
 *   tw_rsi      relative strength index                tw_ewma     exponentially weighted mean and variance
 *   tw_tumbling counting per stretch of time
 *
 * Judge first, push afterwards: then a value is never part of what it is measured against. Only usable values may be
 * pushed, see tw_usable().
 */
#ifndef TAPEWATCH_WINDOW_H
#define TAPEWATCH_WINDOW_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* For the function that judges an event, and for what it needs only now and then: compilers guess otherwise, and a call
 * for each event costs a fifth of a small detector. */
#define TW_HOT static inline __attribute__((always_inline))
#define TW_RARE static __attribute__((noinline, unused))

#define TW_STATE_MAX 65536u /* bytes of state the host gives a key, see plugin.h */

/* Neither NaN nor infinite, and small enough that the squares of 100,000 of them still have a sum. */
static inline int tw_usable(double x)
{
	return fabs(x) <= 1e150;
}

static inline uint32_t tw_align16(uint64_t bytes)
{
	return (uint32_t)((bytes + 15) & ~(uint64_t)15);
}

/* ---- sums that do not drift ------------------------------------------------------------------------------------
 * Sums of (x - anchor) and of its square, where anchor is a value that was in the window. They are made anew from the
 * values after every n pushes, and at once when so much less is left of the squares than there was that the rounding of
 * then would show; whatever has left the window since was in it when they were made, so there is no higher peak to
 * remember. A window of equal values has exactly 0 squares.
 */
struct tw_sums {
	double anchor, s1, s2;
	double made; /* s2 when the sums were made */
};

#define TW_SUMS_LOST 1e-7 /* of what was made */

static inline void tw_sums_start(struct tw_sums *s, double anchor)
{
	s->anchor = anchor;
	s->s1 = s->s2 = s->made = 0;
}

static inline void tw_sums_add(struct tw_sums *s, double x)
{
	double d = x - s->anchor;

	s->s1 += d;
	s->s2 += d * d;
}

static inline void tw_sums_swap(struct tw_sums *s, double out, double in)
{
	double a = out - s->anchor, b = in - s->anchor;

	s->s1 += b - a;
	s->s2 += b * b - a * a;
}

/* Make the sums from n values. */
static inline void tw_sums_make(struct tw_sums *s, double anchor, const double *v, uint32_t n)
{
	double a1 = 0, a2 = 0, b1 = 0, b2 = 0; /* two of each: additions do not wait for each other */
	uint32_t i;

	for (i = 0; i + 1 < n; i += 2) {
		double d = v[i] - anchor, e = v[i + 1] - anchor;
		a1 += d;
		a2 += d * d;
		b1 += e;
		b2 += e * e;
	}
	if (i < n) {
		double d = v[i] - anchor;
		a1 += d;
		a2 += d * d;
	}
	s->anchor = anchor;
	s->s1 = a1 + b1;
	s->s2 = s->made = a2 + b2;
}

/* ---- mean and deviation of the last n --------------------------------------------------------------------------*/
struct tw_window { /* followed by n values */
	struct tw_sums sums;
	uint32_t n, at; /* how many there are; where the next one goes */
	uint64_t reserved;
};

/* A value against the window: how far from the mean, and the sum of squared deviations of the window. */
struct tw_spread {
	double distance, squares;
};

static inline uint32_t tw_window_size(uint32_t window)
{
	return tw_align16(sizeof(struct tw_window) + (uint64_t)window * sizeof(double));
}

static inline double *tw_window_values(struct tw_window *w)
{
	return (double *)(void *)(w + 1);
}

static inline double tw_window_newest(struct tw_window *w)
{
	return tw_window_values(w)[(w->at ? w->at : w->n) - 1];
}

TW_RARE void tw_window_make(struct tw_window *w)
{
	tw_sums_make(&w->sums, tw_window_newest(w), tw_window_values(w), w->n);
}

static inline void tw_window_push(struct tw_window *w, uint32_t window, double x)
{
	double *v = tw_window_values(w);

	if (w->n == window) {
		tw_sums_swap(&w->sums, v[w->at], x);
	} else {
		if (!w->n++)
			tw_sums_start(&w->sums, x);
		tw_sums_add(&w->sums, x);
	}
	v[w->at] = x;
	if (++w->at == window) {
		w->at = 0;
		tw_window_make(w);
	}
}

/* The window must not be empty. */
static inline struct tw_spread tw_window_judge(struct tw_window *w, double x)
{
	struct tw_sums *s = &w->sums;
	struct tw_spread r;
	double mean = s->s1 / w->n;

	r.squares = s->s2 - s->s1 * mean;
	if (r.squares < TW_SUMS_LOST * s->made) {
		tw_window_make(w);
		mean = s->s1 / w->n;
		r.squares = s->s2 - s->s1 * mean;
		if (r.squares < 0)
			r.squares = 0;
	}
	r.distance = x - s->anchor - mean;
	return r;
}

static inline double tw_window_mean(struct tw_window *w)
{
	return -tw_window_judge(w, 0).distance;
}

/* Standard deviation: less = 1 for that of a sample (n - 1), 0 for that of a population. 0 for less than 2 values. */
static inline double tw_window_deviation(struct tw_window *w, uint32_t less)
{
	return w->n < 2 ? 0 : sqrt(tw_window_judge(w, 0).squares / (w->n - less));
}

/* ---- the last n in order ---------------------------------------------------------------------------------------*/
struct tw_sorted { /* followed by n values as they came, then n in ascending order */
	uint32_t n, at;
	uint64_t reserved;
};

static inline uint32_t tw_sorted_size(uint32_t window)
{
	return tw_align16(sizeof(struct tw_sorted) + 2 * (uint64_t)window * sizeof(double));
}

static inline double *tw_sorted_values(struct tw_sorted *w)
{
	return (double *)(void *)(w + 1);
}

/* Ascending. */
static inline double *tw_sorted_order(struct tw_sorted *w, uint32_t window)
{
	return tw_sorted_values(w) + window;
}

/* How many of n ascending values are less than x. */
static inline uint32_t tw_rank(const double *s, uint32_t n, double x)
{
	const double *p = s;

	if (!n)
		return 0;
	while (n > 1) {
		uint32_t half = n / 2;
		p = p[half - 1] < x ? p + half : p;
		n -= half;
	}
	return (uint32_t)(p - s) + (uint32_t)(*p < x);
}

/* Replace one value by another in up to 64 ascending ones. A pass over all of them is faster than finding the two places,
 * since there is nothing to guess: between the places every new value is the middle one of `in` and two neighbours. */
static inline void tw_order_swap_small(double *s, uint32_t n, double out, double in)
{
	uint32_t i;
	double here;

	if (in > out) {
		i = 0;
#ifdef __SSE2__
		for (; i + 2 < n; i += 2) {
			__m128d h = _mm_loadu_pd(s + i), low = _mm_cmplt_pd(h, _mm_set1_pd(out));
			__m128d x = _mm_or_pd(_mm_and_pd(low, h), _mm_andnot_pd(low, _mm_set1_pd(in)));
			_mm_storeu_pd(s + i, _mm_max_pd(h, _mm_min_pd(_mm_loadu_pd(s + i + 1), x)));
		}
#endif
		for (here = s[i]; i + 1 < n; i++) {
			double next = s[i + 1], x = here < out ? here : in;
			x = next < x ? next : x;
			s[i] = here > x ? here : x;
			here = next;
		}
		s[i] = here < out || here > in ? here : in;
	} else if (in < out) {
		i = n - 1;
#ifdef __SSE2__
		for (; i > 1; i -= 2) {
			__m128d h = _mm_loadu_pd(s + i - 1), high = _mm_cmpgt_pd(h, _mm_set1_pd(out));
			__m128d x = _mm_or_pd(_mm_and_pd(high, h), _mm_andnot_pd(high, _mm_set1_pd(in)));
			_mm_storeu_pd(s + i - 1, _mm_min_pd(h, _mm_max_pd(_mm_loadu_pd(s + i - 2), x)));
		}
#endif
		for (here = s[i]; i > 0; i--) {
			double next = s[i - 1], x = here > out ? here : in;
			x = next > x ? next : x;
			s[i] = here < x ? here : x;
			here = next;
		}
		s[0] = here > out || here < in ? here : in;
	}
}

static inline void tw_order_swap(double *s, uint32_t n, double out, double in)
{
	uint32_t from, to;

	if (n <= 64) {
		tw_order_swap_small(s, n, out, in);
		return;
	}
	from = tw_rank(s, n, out);
	to = tw_rank(s, n, in);
	if (to > from) {
		memmove(s + from, s + from + 1, (to - from - 1) * sizeof *s);
		s[to - 1] = in;
	} else {
		memmove(s + to + 1, s + to, (from - to) * sizeof *s);
		s[to] = in;
	}
}

static inline void tw_sorted_push(struct tw_sorted *w, uint32_t window, double x)
{
	double *v = tw_sorted_values(w), *s = tw_sorted_order(w, window);

	if (w->n == window) {
		tw_order_swap(s, window, v[w->at], x);
	} else {
		uint32_t to = tw_rank(s, w->n, x);
		memmove(s + to + 1, s + to, (w->n - to) * sizeof *s);
		s[to] = x;
		w->n++;
	}
	v[w->at] = x;
	if (++w->at == window)
		w->at = 0;
}

/* The quantile q of n ascending values, n > 0, by linear interpolation between the two nearest ("type 7", the default
 * of numpy and R). */
static inline double tw_quantile(const double *s, uint32_t n, double q)
{
	double pos = q * (n - 1), t;
	uint32_t i = (uint32_t)pos;

	if (i + 1 >= n)
		return s[n - 1];
	t = pos - i;
	/* from the nearer end, so that the result never leaves [s[i], s[i + 1]] */
	return t < 0.5 ? s[i] + (s[i + 1] - s[i]) * t : s[i + 1] - (s[i + 1] - s[i]) * (1 - t);
}

static inline double tw_median(const double *s, uint32_t n)
{
	return n & 1 ? s[n / 2] : 0.5 * (s[n / 2 - 1] + s[n / 2]);
}

/* The median of the distances from median, from the middle outwards. Times 1.4826 it estimates a normal deviation. */
static inline double tw_mad(const double *s, uint32_t n, double median)
{
	uint32_t left = (n - 1) / 2 + 1, right = left, i; /* taken: [left, right) */
	double last = 0, before = 0;

	for (i = 0; i <= n / 2; i++) {
		double l = left > 0 ? median - s[left - 1] : (double)INFINITY;
		double r = right < n ? s[right] - median : (double)INFINITY;
		before = last;
		if (l <= r) {
			last = l;
			left--;
		} else {
			last = r;
			right++;
		}
	}
	return n & 1 ? last : 0.5 * (before + last);
}

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

/* ---- exponentially weighted ------------------------------------------------------------------------------------*/
struct tw_ewma {
	double mean, variance;
	uint64_t n;
};

static inline void tw_ewma_push(struct tw_ewma *w, double weight, double x)
{
	double d = w->n++ ? x - w->mean : 0;

	w->mean = w->n == 1 ? x : w->mean + weight * d;
	w->variance = (1 - weight) * (w->variance + weight * d * d);
}

/* ---- counting per stretch of time ------------------------------------------------------------------------------
 * Stretches are aligned to multiples of width since 1970, so that they do not depend on when counting began.
 */
struct tw_tumbling {
	int64_t end; /* of the stretch being counted; it does not belong to it */
	uint64_t count;
};

/* The end of the stretch that holds ts; INT64_MAX where that is later than time goes. */
static inline int64_t tw_tumbling_end(int64_t ts, int64_t width)
{
	int64_t in = ts % width;

	if (in < 0)
		in += width;
	return ts > INT64_MAX - (width - in) ? INT64_MAX : ts + (width - in);
}

#ifdef __cplusplus
}
#endif
#endif
