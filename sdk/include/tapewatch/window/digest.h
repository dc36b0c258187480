/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/window/digest.h - quantiles of everything seen, in bounded memory: P-square for one quantile, a t-digest for
 * all of them. They do not forget; for the last n values there is quantile.h.
 *
 *   struct tw_p2: 88 bytes, one quantile q
 *           above = x > tw_p2_value(w, 0.99);                 judge first,
 *           tw_p2_push(w, 0.99, x);                           push afterwards
 *
 *   uint32_t size = tw_digest_size(100);                      t-digest: about 24 bytes x compression
 *           above = x > tw_digest_quantile(w, 100, 0.999);    judge first,
 *           p = 1 - tw_digest_share(w, 100, x);               or as the share of values below
 *           tw_digest_push(w, 100, x);                        push afterwards
 *
 * P-square (Jain & Chlamtac 1985, Communications of the ACM 28(10)): five markers moved along parabolas. Cheap and small,
 * good where values come in no particular order; no bound on its error, and a change of level misleads it for long.
 *
 * t-digest (Dunning & Ertl 2019, arXiv 1902.04023; the merging form, scale function k1): clusters of neighbouring values,
 * small at both ends. With s = pi / compression its ranks are usually good to s (sqrt(q (1 - q)) + s), where many values
 * are equal or the level moves to twice that (tests/e2e/test_window_oracles.py); while there are few values it is exact.
 *
 * Why not a DDSketch (Masson, Rim & Lee 2019)? It is good to, say, 1 % of the value, so all prices of an instrument would
 * fall into one bucket; it needs a second table for negative numbers; and its memory follows the range of the data. A
 * digest takes any sign, offset and unit, and its size is known beforehand, as that of a key's state must be.
 *
 * Results use only + - x / and square roots, so every machine has the same ones. Looking changes nothing. Pushing what is
 * not tw_usable() changes nothing and returns 0, else 1. Warm-up: 1 value, before that NaN.
 */
#ifndef TAPEWATCH_WINDOW_DIGEST_H
#define TAPEWATCH_WINDOW_DIGEST_H

#include <tapewatch/window/quantile.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- P-square -----------------------------------------------------------------------------------------------------*/
struct tw_p2 {
	double height[5]; /* smallest, between, the quantile, between, largest */
	double place[5];  /* how many values are up to here */
	uint64_t n;
};

static inline double tw_p2_parabola(const struct tw_p2 *w, int i, double d)
{
	const double *h = w->height, *p = w->place;

	return h[i] + d / (p[i + 1] - p[i - 1]) *
			      ((p[i] - p[i - 1] + d) * ((h[i + 1] - h[i]) / (p[i + 1] - p[i])) +
			       (p[i + 1] - p[i] - d) * ((h[i] - h[i - 1]) / (p[i] - p[i - 1])));
}

/* 0 < q < 1, the same each time. */
static inline int tw_p2_push(struct tw_p2 *w, double q, double x)
{
	double *h = w->height, *p = w->place, share[3];
	int i, k;

	if (!tw_usable(x))
		return 0;
	if (w->n < 5) {
		for (i = (int)w->n; i > 0 && h[i - 1] > x; i--)
			h[i] = h[i - 1];
		h[i] = x;
		p[w->n] = (double)(w->n + 1);
		w->n++;
		return 1;
	}
	w->n++;
	if (x < h[0])
		h[0] = x;
	if (x > h[4])
		h[4] = x;
	for (k = 1; k < 4 && x >= h[k]; k++)
		;
	for (; k < 5; k++)
		p[k]++;
	share[0] = q / 2;
	share[1] = q;
	share[2] = (1 + q) / 2;
	for (i = 1; i < 4; i++) {
		double d = 1 + (double)(w->n - 1) * share[i - 1] - p[i], to;
		if (d >= 1 && p[i + 1] - p[i] > 1)
			d = 1;
		else if (d <= -1 && p[i - 1] - p[i] < -1)
			d = -1;
		else
			continue;
		to = tw_p2_parabola(w, i, d);
		if (!(h[i - 1] < to && to < h[i + 1])) {
			k = d > 0 ? i + 1 : i - 1;
			to = h[i] + d * ((h[k] - h[i]) / (p[k] - p[i]));
		}
		h[i] = to;
		p[i] += d;
	}
	return 1;
}

/* Exact, with interpolation, up to 5 values. */
static inline double tw_p2_value(const struct tw_p2 *w, double q)
{
	if (!w->n)
		return TW_NONE;
	return w->n <= 5 ? tw_quantile(w->height, (uint32_t)w->n, q) : w->height[2];
}

/* ---- t-digest -----------------------------------------------------------------------------------------------------
 * Clusters in ascending order, and new values waiting in ascending order until there are as many as the compression;
 * then both are merged into new clusters, from the left, each as large as it may be. Two neighbours together are larger
 * than one may be, so there are never more clusters than the compression.
 */
#define TW_DIGEST_MIN 20u
#define TW_DIGEST_MAX 500u /* of the compression; 100 is usual */

struct tw_cluster {
	double mean, weight;
};

struct tw_digest { /* followed by compression + 2 clusters, and as many waiting values as the compression */
	double min, max;
	double weight;      /* of all clusters; waiting values are not in it */
	uint32_t n, waiting;
};

static inline uint32_t tw_digest_size(uint32_t compression)
{
	return tw_align16(sizeof(struct tw_digest) + (uint64_t)(compression + 2) * sizeof(struct tw_cluster) +
			  (uint64_t)compression * sizeof(double));
}

static inline struct tw_cluster *tw_digest_clusters(const struct tw_digest *w)
{
	return (struct tw_cluster *)(uintptr_t)(w + 1);
}

static inline double *tw_digest_waiting(const struct tw_digest *w, uint32_t compression)
{
	return (double *)(void *)(tw_digest_clusters(w) + compression + 2);
}

static inline double tw_digest_count(const struct tw_digest *w)
{
	return w->weight + w->waiting;
}

/* Up to which share of all values a cluster may reach that begins at q: one step of k1 = c / (2 pi) asin(2 q - 1). With
 * the sine and cosine of 2 pi / c at hand it takes no more than a square root. */
static inline double tw_digest_reach(double q, double sine, double cosine)
{
	double s = 2 * q - 1, r = (1 - s) * (1 + s);

	if (s >= cosine)
		return 1;
	return 0.5 * (s * cosine + sqrt(r > 0 ? r : 0) * sine + 1);
}

/* Clusters and waiting values as one ascending series. */
struct tw_digest_walk {
	const struct tw_cluster *c, *c_end;
	const double *v, *v_end;
};

static inline int tw_digest_next(struct tw_digest_walk *walk, struct tw_cluster *ret)
{
	if (walk->c < walk->c_end && (walk->v == walk->v_end || walk->c->mean <= *walk->v)) {
		*ret = *walk->c++;
		return 1;
	}
	if (walk->v == walk->v_end)
		return 0;
	ret->mean = *walk->v++;
	ret->weight = 1;
	return 1;
}

static inline struct tw_digest_walk tw_digest_begin(const struct tw_digest *w, uint32_t compression)
{
	struct tw_digest_walk walk;

	walk.c = tw_digest_clusters(w);
	walk.c_end = walk.c + w->n;
	walk.v = tw_digest_waiting(w, compression);
	walk.v_end = walk.v + w->waiting;
	return walk;
}

TW_RARE void tw_digest_merge(struct tw_digest *w, uint32_t compression)
{
	struct tw_cluster old[TW_DIGEST_MAX + 2], *out = tw_digest_clusters(w), next, now;
	struct tw_digest_walk walk = tw_digest_begin(w, compression);
	double all = tw_digest_count(w), before = 0, reach;
	double a = 6.28318530717958647693 / compression, a2 = a * a; /* at most 0.32, so series are short */
	double sine = a * (1 - a2 / 6 * (1 - a2 / 20 * (1 - a2 / 42 * (1 - a2 / 72))));
	double cosine = 1 - a2 / 2 * (1 - a2 / 12 * (1 - a2 / 30 * (1 - a2 / 56)));
	uint32_t n = 0;

	memcpy(old, out, w->n * sizeof *old);
	walk.c = old;
	walk.c_end = old + w->n;
	if (!tw_digest_next(&walk, &now))
		return;
	reach = all * tw_digest_reach(0, sine, cosine);
	while (tw_digest_next(&walk, &next)) {
		if (before + now.weight + next.weight <= reach || n > compression) {
			now.weight += next.weight;
			now.mean += (next.mean - now.mean) * (next.weight / now.weight);
		} else {
			out[n++] = now;
			before += now.weight;
			reach = all * tw_digest_reach(before / all, sine, cosine);
			now = next;
		}
	}
	out[n++] = now;
	w->n = n;
	w->weight = all;
	w->waiting = 0;
}

/* TW_DIGEST_MIN <= compression <= TW_DIGEST_MAX, the same each time. */
static inline int tw_digest_push(struct tw_digest *w, uint32_t compression, double x)
{
	double *v = tw_digest_waiting(w, compression);
	uint32_t to;

	if (!tw_usable(x))
		return 0;
	if (!w->n && !w->waiting)
		w->min = w->max = x;
	w->min = x < w->min ? x : w->min;
	w->max = x > w->max ? x : w->max;
	to = tw_rank(v, w->waiting, x);
	memmove(v + to + 1, v + to, (w->waiting - to) * sizeof *v);
	v[to] = x;
	if (++w->waiting == compression)
		tw_digest_merge(w, compression);
	return 1;
}

/* Quantile 0 <= q <= 1. A cluster's mean stands in the middle of its ranks, with straight lines between, and the smallest
 * and largest at the ends; so while all clusters hold one value, this is the quantile of quantile.h. */
static inline double tw_digest_quantile(const struct tw_digest *w, uint32_t compression, double q)
{
	struct tw_digest_walk walk = tw_digest_begin(w, compression);
	double all = tw_digest_count(w), want = q * (all - 1) + 0.5, before = 0, place = 0.5, value = w->min;
	struct tw_cluster c;

	if (!(all > 0 && q >= 0 && q <= 1))
		return TW_NONE;
	if (want <= 0.5 || want >= all - 0.5) /* a waiting value may stand before the cluster that holds the smallest */
		return want <= 0.5 ? w->min : w->max;
	while (tw_digest_next(&walk, &c)) {
		double middle = before + c.weight / 2;
		if (want <= middle)
			return middle > place ? value + (c.mean - value) * ((want - place) / (middle - place)) : c.mean;
		before += c.weight;
		place = middle;
		value = c.mean;
	}
	return all - 0.5 > place ? value + (w->max - value) * ((want - place) / (all - 0.5 - place)) : w->max;
}

/* The share of values below x, equal ones counted half; the inverse of the above. */
static inline double tw_digest_share(const struct tw_digest *w, uint32_t compression, double x)
{
	struct tw_digest_walk walk = tw_digest_begin(w, compression);
	double all = tw_digest_count(w), before = 0, place = 0, value = w->min, low = 0, high;
	struct tw_cluster c;
	int met = 0;

	if (!(all > 0) || x != x)
		return TW_NONE;
	if (x < w->min)
		return 0;
	if (x > w->max)
		return 1;
	while (tw_digest_next(&walk, &c)) {
		double middle = before + c.weight / 2;
		if (c.mean == x) { /* from the first such cluster's beginning to the last one's end */
			low = met ? low : before;
			met = 1;
		} else if (c.mean > x) {
			if (met)
				break;
			return (place + (middle - place) * ((x - value) / (c.mean - value))) / all;
		}
		before += c.weight;
		place = middle;
		value = c.mean;
	}
	high = before;
	if (met)
		return 0.5 * (low + high) / all;
	return (place + (all - place) * ((x - value) / (w->max - value))) / all;
}

#ifdef __cplusplus
}
#endif
#endif
