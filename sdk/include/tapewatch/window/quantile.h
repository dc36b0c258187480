/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/window/quantile.h - exact median, quantiles and median absolute deviation of the last n values.
 *
 *   uint32_t size = tw_sorted_size(n);                        bytes of state: 16 n
 *   if (tw_usable(x)) {
 *           if (w->n == n)                                    warm: judge first,
 *                   above = x > tw_sorted_quantile(w, n, 0.99);
 *           tw_sorted_push(w, n, x);                          push afterwards
 *   }
 *
 * The values are kept twice, as they came and in order. A push costs a pass over both for n <= 64, and two searches and a
 * memmove beyond, which up to some thousand values is faster than any tree. For longer memories see digest.h.
 *
 * Quantiles are those of numpy, R and pandas' rolling().quantile(interpolation="linear"): Hyndman & Fan (1996), type 7.
 * Warm-up: 1 value. Values beyond tw_usable() must not be pushed.
 */
#ifndef TAPEWATCH_WINDOW_QUANTILE_H
#define TAPEWATCH_WINDOW_QUANTILE_H

#include <tapewatch/window/base.h>

#ifdef __cplusplus
extern "C" {
#endif

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

/* Of the last n values; none before the first. */
static inline double tw_sorted_quantile(struct tw_sorted *w, uint32_t window, double q)
{
	return w->n && q >= 0 && q <= 1 ? tw_quantile(tw_sorted_order(w, window), w->n, q) : TW_NONE;
}

static inline double tw_sorted_median(struct tw_sorted *w, uint32_t window)
{
	return w->n ? tw_median(tw_sorted_order(w, window), w->n) : TW_NONE;
}

#ifdef __cplusplus
}
#endif
#endif
