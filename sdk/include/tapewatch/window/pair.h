/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/window/pair.h - covariance, correlation and beta of two series over the last n pairs.
 *
 *   uint32_t size = tw_pair_size(n);                          bytes of state: 16 n
 *   if (w->n == n)                                            warm: judge first,
 *           expected = my + tw_pair_beta(w) * (x - mx);
 *   tw_pair_push(w, n, x, y);                                 push afterwards
 *
 * Sums relative to an anchor, made anew after every n pushes and whenever cancellation would show, as in sums.h; same
 * results as pandas' rolling(n).cov() and .corr(). For beta push returns: x of the market, y of the instrument.
 *
 * A pair of which one is not tw_usable() changes nothing and returns 0, else 1. Warm-up: 2 pairs; 1 for the means.
 */
#ifndef TAPEWATCH_WINDOW_PAIR_H
#define TAPEWATCH_WINDOW_PAIR_H

#include <tapewatch/window/sums.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tw_pair { /* followed by n pairs */
	struct tw_sums x, y;
	double xy; /* sum of products of what is left of the anchors */
	uint32_t n, at;
};

/* Sums of squared deviations and of their products. */
struct tw_moments {
	double xx, yy, xy;
};

static inline uint32_t tw_pair_size(uint32_t window)
{
	return tw_align16(sizeof(struct tw_pair) + 2 * (uint64_t)window * sizeof(double));
}

static inline double *tw_pair_values(struct tw_pair *w)
{
	return (double *)(void *)(w + 1);
}

TW_RARE void tw_pair_make(struct tw_pair *w)
{
	const double *v = tw_pair_values(w);
	uint32_t i, newest = (w->at ? w->at : w->n) - 1;

	tw_sums_start(&w->x, v[2 * newest]);
	tw_sums_start(&w->y, v[2 * newest + 1]);
	w->xy = 0;
	for (i = 0; i < w->n; i++) {
		tw_sums_add(&w->x, v[2 * i]);
		tw_sums_add(&w->y, v[2 * i + 1]);
		w->xy += (v[2 * i] - w->x.anchor) * (v[2 * i + 1] - w->y.anchor);
	}
	w->x.made = w->x.s2;
	w->y.made = w->y.s2;
}

static inline int tw_pair_push(struct tw_pair *w, uint32_t window, double x, double y)
{
	double *v = tw_pair_values(w) + 2 * (uint64_t)w->at;

	if (!tw_usable(x) || !tw_usable(y))
		return 0;
	if (w->n == window) {
		w->xy += (x - w->x.anchor) * (y - w->y.anchor) - (v[0] - w->x.anchor) * (v[1] - w->y.anchor);
		tw_sums_swap(&w->x, v[0], x);
		tw_sums_swap(&w->y, v[1], y);
	} else {
		if (!w->n++) {
			tw_sums_start(&w->x, x);
			tw_sums_start(&w->y, y);
		}
		tw_sums_add(&w->x, x);
		tw_sums_add(&w->y, y);
		w->xy += (x - w->x.anchor) * (y - w->y.anchor);
	}
	v[0] = x;
	v[1] = y;
	if (++w->at == window) {
		w->at = 0;
		tw_pair_make(w);
	}
	return 1;
}

static inline struct tw_moments tw_pair_sums(const struct tw_pair *w)
{
	struct tw_moments m;

	m.xx = w->x.s2 - w->x.s1 * w->x.s1 / w->n;
	m.yy = w->y.s2 - w->y.s1 * w->y.s1 / w->n;
	m.xy = w->xy - w->x.s1 * w->y.s1 / w->n;
	return m;
}

/* The window must not be empty. */
static inline struct tw_moments tw_pair_judge(struct tw_pair *w)
{
	struct tw_moments m = tw_pair_sums(w);

	if (m.xx < TW_SUMS_LOST * w->x.made || m.yy < TW_SUMS_LOST * w->y.made) {
		tw_pair_make(w);
		m = tw_pair_sums(w);
		m.xx = m.xx > 0 ? m.xx : 0;
		m.yy = m.yy > 0 ? m.yy : 0;
	}
	return m;
}

static inline double tw_pair_mean_x(const struct tw_pair *w)
{
	return w->n ? w->x.anchor + w->x.s1 / w->n : TW_NONE;
}

static inline double tw_pair_mean_y(const struct tw_pair *w)
{
	return w->n ? w->y.anchor + w->y.s1 / w->n : TW_NONE;
}

/* less = 1 for a sample (as pandas), 0 for a population. */
static inline double tw_pair_covariance(struct tw_pair *w, uint32_t less)
{
	return w->n < 2 ? TW_NONE : tw_pair_judge(w).xy / (w->n - less);
}

/* Pearson's, from -1 to 1; none where a series does not move. */
static inline double tw_pair_correlation(struct tw_pair *w)
{
	struct tw_moments m;
	double r;

	if (w->n < 2)
		return TW_NONE;
	m = tw_pair_judge(w);
	if (!(m.xx > 0 && m.yy > 0))
		return TW_NONE;
	r = m.xy / sqrt(m.xx) / sqrt(m.yy); /* their product could be too large or too small */
	return r > 1 ? 1 : r < -1 ? -1 : r;
}

/* Slope of y on x by least squares: covariance / variance of x; none where x does not move. */
static inline double tw_pair_beta(struct tw_pair *w)
{
	struct tw_moments m;

	if (w->n < 2)
		return TW_NONE;
	m = tw_pair_judge(w);
	return m.xx > 0 ? m.xy / m.xx : TW_NONE;
}

#ifdef __cplusplus
}
#endif
#endif
