/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/window/ewma.h - mean and variance in which the past fades, by count or by time. No window to keep.
 *
 *   struct tw_ewma (24 bytes of state), the recursion, pandas ewm(adjust=False):
 *           weight = tw_weight_of_halflife(50);               once, in open()
 *           if (tw_usable(x)) {
 *                   if (w->n >= warm)                         judge first,
 *                           z = (x - w->mean) / sqrt(w->variance);
 *                   tw_ewma_push(w, weight, x);               push afterwards
 *           }
 *
 *   struct tw_ewm (48 bytes), weights that add up, pandas ewm(adjust=True):
 *           z = (x - w->mean) / sqrt(tw_ewm_variance(w, 1));  judge first,
 *           tw_ewm_push(w, 1 - weight, x);                    push afterwards; or, by time, with half-life in ns,
 *           tw_ewm_push_at(w, ts, halflife, x);
 *
 * Which one? Both forget alike; they differ in the beginning, where the recursion gives the first value all the weight
 * that a long past would have had, and tw_ewm() as much as any other. After some half-lives they are the same. Use the
 * second for short series and wherever events come at uneven times.
 *
 * Bias: both `variance` and tw_ewm_variance(w, 0) divide by the sum of weights, as pandas' var(bias=True). pandas'
 * default, bias=False, multiplies by W^2 / (W^2 - Q), W and Q being the sums of the weights and of their squares:
 * tw_ewm_variance(w, 1), and tw_ewma_unbias() for the recursion.
 *
 * Weighted update: West 1979 (Communications of the ACM 22(9)); Finch 2009, "Incremental calculation of weighted mean and
 * variance". Warm-up: 1 value, 2 for a variance without bias.
 */
#ifndef TAPEWATCH_WINDOW_EWMA_H
#define TAPEWATCH_WINDOW_EWMA_H

#include <tapewatch/window/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Weight of the newest value (alpha), from: after how many values the weight of one has halved; the span n that traders
 * mean by "EMA of n"; pandas' centre of mass. */
static inline double tw_weight_of_halflife(double values)
{
	return -expm1(-0.69314718055994530942 / values);
}

static inline double tw_weight_of_span(double n)
{
	return 2 / (n + 1);
}

static inline double tw_weight_of_com(double com)
{
	return 1 / (1 + com);
}

/* ---- the recursion ------------------------------------------------------------------------------------------------*/
struct tw_ewma {
	double mean, variance;
	uint64_t n;
};

static inline void tw_ewma_push(struct tw_ewma *w, double weight, double x)
{
	double d = w->n++ ? x - w->mean : 0;

	w->mean = w->n == 1 ? x : w->mean + weight * d;
	w->variance = tw_faded((1 - weight) * (w->variance + weight * d * d));
}

/* What to multiply `variance` by so that it has no bias; none before the second value. */
static inline double tw_ewma_unbias(const struct tw_ewma *w, double weight)
{
	double b = (1 - weight) * (1 - weight), first, squares;

	if (w->n < 2 || !(weight > 0 && weight < 1))
		return TW_NONE;
	first = pow(b, (double)(w->n - 1));
	squares = first + weight * weight * (1 - first) / (1 - b);
	return 1 / (1 - squares);
}

/* ---- weights that add up ------------------------------------------------------------------------------------------*/
struct tw_ewm {
	double mean, deviations;   /* weighted sum of squared deviations */
	double weights, squares;   /* sum of weights, and of their squares */
	int64_t last;              /* by time: of the latest value */
	uint64_t n;
};

/* A value of weight `own` after everything before has been multiplied by `keep`. */
static inline void tw_ewm_take(struct tw_ewm *w, double keep, double own, double x)
{
	double before = tw_faded(w->weights * keep), d = x - w->mean, share;

	w->weights = before + own;
	share = own / w->weights;
	w->squares = tw_faded(w->squares * keep * keep) + own * own;
	w->deviations = tw_faded(w->deviations * keep + before * share * d * d);
	w->mean = before > 0 ? w->mean + share * d : x;
	w->n++;
}

/* By count: keep = 1 - weight, from 0 to 1. */
static inline int tw_ewm_push(struct tw_ewm *w, double keep, double x)
{
	if (!tw_usable(x))
		return 0;
	tw_ewm_take(w, keep, 1, x);
	return 1;
}

/* By time: a value `halflife` ago counts half. A late one, with a ts before the latest, counts as little as it would if it
 * had come in time; one so late that its weight is nothing changes nothing. halflife > 0, in the unit of ts. */
static inline int tw_ewm_push_at(struct tw_ewm *w, int64_t ts, int64_t halflife, double x)
{
	double age, fade;

	if (!tw_usable(x))
		return 0;
	age = w->n ? (double)ts - (double)w->last : 0;
	if (age > -9e15 && age < 9e15 && w->n) /* in whole numbers where doubles would round */
		age = (double)(int64_t)((uint64_t)ts - (uint64_t)w->last);
	fade = tw_faded(exp2(-fabs(age) / (double)halflife));
	if (age < 0) {
		if (fade > 0)
			tw_ewm_take(w, 1, fade, x);
		return 1;
	}
	tw_ewm_take(w, fade, 1, x);
	w->last = ts;
	return 1;
}

static inline double tw_ewm_mean(const struct tw_ewm *w)
{
	return w->n ? w->mean : TW_NONE;
}

/* unbiased: 1 for pandas' bias=False, where a single value has no variance; 0 for bias=True. */
static inline double tw_ewm_variance(const struct tw_ewm *w, int unbiased)
{
	double divisor;

	if (!w->n)
		return TW_NONE;
	divisor = unbiased ? w->weights - w->squares / w->weights : w->weights;
	return w->n > 1 && divisor > 1e-15 * w->weights ? w->deviations / divisor : unbiased ? TW_NONE : 0;
}

#ifdef __cplusplus
}
#endif
#endif
