/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/window/sums.h - mean, sum and deviation of the last n values, with removal that does not drift.
 *
 *   uint32_t size = tw_window_size(n);                        bytes of state
 *   if (tw_usable(x)) {
 *           if (w->n == n)                                    warm: judge first,
 *                   z = tw_window_judge(w, x).distance / tw_window_deviation(w, 1);
 *           tw_window_push(w, n, x);                          push afterwards
 *   }
 *
 * Why not Welford's recurrence with the oldest value taken out again (Welford 1962, Technometrics 4(3); updating and
 * downdating in Chan, Golub & LeVeque 1983, The American Statistician 37(3))? Adding is stable, taking out is not: a
 * value of 1e9 that leaves a window of values near 1 leaves its rounding behind for ever. Here the two sums are kept
 * relative to an anchor inside the window (the "shifted data" of Chan et al.), a value leaves by the same rounding by
 * which it came, and the sums are made anew from the values after every n pushes, so that a push still costs the same
 * however long the window is and no error is older than n pushes. pandas' rolling().std() does the former.
 *
 * Warm-up: tw_window_mean() needs 1 value, tw_window_deviation() 2. Values beyond tw_usable() must not be pushed.
 */
#ifndef TAPEWATCH_WINDOW_SUMS_H
#define TAPEWATCH_WINDOW_SUMS_H

#include <tapewatch/window/base.h>

#ifdef __cplusplus
extern "C" {
#endif

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

static inline double tw_window_sum(struct tw_window *w)
{
	return w->n ? w->n * tw_window_mean(w) : 0;
}

#ifdef __cplusplus
}
#endif
#endif
