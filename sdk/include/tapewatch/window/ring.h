/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/window/ring.h - the last n values as they came, and their smallest and largest.
 *
 *   uint32_t size = tw_ring_size(n);                          bytes of state: 8 n
 *   if (w->n == n)                                            warm: judge first,
 *           change = x - tw_ring_at(w, n, n - 1);             against the oldest; 0 is the newest
 *   tw_ring_push(w, n, x);                                    push afterwards
 *
 *   uint32_t size = tw_extremes_size(n);                      bytes of state: 16 n
 *   if (w->n == n)                                            warm: judge first,
 *           breakout = x > tw_extremes_max(w, n);
 *   tw_extremes_push(w, n, x);                                push afterwards
 *
 * Both take n, the same each time, 1 <= n. Pushing what is not tw_usable() changes nothing and returns 0, else 1.
 * Warm-up: 1 value. Where there is no such value the answer is NaN.
 */
#ifndef TAPEWATCH_WINDOW_RING_H
#define TAPEWATCH_WINDOW_RING_H

#include <tapewatch/window/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the last n -------------------------------------------------------------------------------------------------*/
struct tw_ring { /* followed by n values */
	uint32_t n, at; /* how many there are; where the next one goes */
	uint64_t reserved;
};

static inline uint32_t tw_ring_size(uint32_t window)
{
	return tw_align16(sizeof(struct tw_ring) + (uint64_t)window * sizeof(double));
}

static inline double *tw_ring_values(struct tw_ring *w)
{
	return (double *)(void *)(w + 1);
}

static inline int tw_ring_push(struct tw_ring *w, uint32_t window, double x)
{
	if (!tw_usable(x))
		return 0;
	tw_ring_values(w)[w->at] = x;
	w->at = w->at + 1 == window ? 0 : w->at + 1;
	w->n += w->n < window;
	return 1;
}

/* The value that came `back` pushes before the newest, which is 0. */
static inline double tw_ring_at(struct tw_ring *w, uint32_t window, uint32_t back)
{
	if (back >= w->n)
		return TW_NONE;
	return tw_ring_values(w)[w->at > back ? w->at - 1 - back : w->at + window - 1 - back];
}

/* ---- smallest and largest of the last n ---------------------------------------------------------------------------
 * A value that is followed by a smaller one can never again be the smallest. What is left are ascending candidates, the
 * first of which is the smallest; the same for the largest. Each value enters and leaves once, so a push costs the same
 * on average whatever n is (Lemire 2006, "Streaming maximum-minimum filter using no more than three comparisons per
 * element"). Candidates are places in the ring of values.
 */
struct tw_extremes { /* followed by n values, and the candidates for smallest and for largest, n places each */
	uint32_t n, at;
	uint32_t low_at, low_n;   /* first candidate and how many */
	uint32_t high_at, high_n;
	uint64_t reserved;
};

static inline uint32_t tw_extremes_size(uint32_t window)
{
	return tw_align16(sizeof(struct tw_extremes) + (uint64_t)window * (sizeof(double) + 2 * sizeof(uint32_t)));
}

static inline double *tw_extremes_values(struct tw_extremes *w)
{
	return (double *)(void *)(w + 1);
}

static inline uint32_t *tw_extremes_low(struct tw_extremes *w, uint32_t window)
{
	return (uint32_t *)(void *)(tw_extremes_values(w) + window);
}

static inline uint32_t *tw_extremes_high(struct tw_extremes *w, uint32_t window)
{
	return tw_extremes_low(w, window) + window;
}

static inline uint32_t tw_extremes_wrap(uint32_t i, uint32_t window)
{
	return i < window ? i : i - window;
}

static inline int tw_extremes_push(struct tw_extremes *w, uint32_t window, double x)
{
	double *v = tw_extremes_values(w);
	uint32_t *low = tw_extremes_low(w, window), *high = tw_extremes_high(w, window), at = w->at;

	if (!tw_usable(x))
		return 0;
	if (w->n == window) { /* the value at this place leaves; as a candidate it can only be the first */
		if (low[w->low_at] == at) {
			w->low_at = tw_extremes_wrap(w->low_at + 1, window);
			w->low_n--;
		}
		if (high[w->high_at] == at) {
			w->high_at = tw_extremes_wrap(w->high_at + 1, window);
			w->high_n--;
		}
	} else {
		w->n++;
	}
	v[at] = x;
	while (w->low_n && v[low[tw_extremes_wrap(w->low_at + w->low_n - 1, window)]] >= x)
		w->low_n--;
	low[tw_extremes_wrap(w->low_at + w->low_n++, window)] = at;
	while (w->high_n && v[high[tw_extremes_wrap(w->high_at + w->high_n - 1, window)]] <= x)
		w->high_n--;
	high[tw_extremes_wrap(w->high_at + w->high_n++, window)] = at;
	w->at = tw_extremes_wrap(at + 1, window);
	return 1;
}

static inline double tw_extremes_min(struct tw_extremes *w, uint32_t window)
{
	return w->n ? tw_extremes_values(w)[tw_extremes_low(w, window)[w->low_at]] : TW_NONE;
}

static inline double tw_extremes_max(struct tw_extremes *w, uint32_t window)
{
	return w->n ? tw_extremes_values(w)[tw_extremes_high(w, window)[w->high_at]] : TW_NONE;
}

#ifdef __cplusplus
}
#endif
#endif
