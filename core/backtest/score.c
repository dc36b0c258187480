/* SPDX-License-Identifier: Apache-2.0
 *
 * Matching alerts with labels, and what is counted of it.
 */
#include "backtest/score.h"
#include "base/err.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOTHING ((double)NAN)

/* ---- matching ---- */

static bool same_subject(const struct label *l, uint32_t symbol, uint32_t account)
{
	return (!l->symbol || !symbol || l->symbol == symbol) && (!l->account || !account || l->account == account);
}

bool score_inside(const struct matching *m, int64_t ts, uint32_t symbol, uint32_t account,
		  const struct label_visitor *visitor)
{
	const struct labels *l = m->labels;
	uint32_t lo = 0, hi = l ? l->n : 0;
	bool inside = false;

	while (lo < hi) { /* the first label that begins too late */
		uint32_t mid = lo + (hi - lo) / 2;
		if (l->list[mid].from - m->tolerance <= ts)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo-- > 0) {
		const struct label *one = &l->list[lo];
		if (ts - one->from > l->longest + m->tolerance)
			break;
		if (ts - one->to > m->tolerance || !same_subject(one, symbol, account))
			continue;
		if (!visitor)
			return true;
		inside = true;
		visitor->hit(visitor->arg, lo);
	}
	return inside;
}

/* ---- one detector's alerts ---- */

struct mine { /* an alert of the detector in question */
	const struct found *f;
	bool inside;
};

struct tally {
	const struct matching *m;
	struct mine *list;
	uint32_t n;
	int64_t *first; /* by label: the earliest alert inside - from; INT64_MAX: none */
	bool *own;      /* by label: recall is about it */
	int64_t ts;     /* of the alert being matched */
};

static void note_hit(void *arg, uint32_t label)
{
	struct tally *t = arg;
	int64_t delay = t->ts - t->m->labels->list[label].from;

	if (delay < t->first[label])
		t->first[label] = delay;
}

static int by_subject(const void *x, const void *y)
{
	const struct found *a = ((const struct mine *)x)->f, *b = ((const struct mine *)y)->f;

	if (a->detector != b->detector)
		return a->detector < b->detector ? -1 : 1;
	if (a->symbol != b->symbol)
		return a->symbol < b->symbol ? -1 : 1;
	if (a->account != b->account)
		return a->account < b->account ? -1 : 1;
	if (a->ts != b->ts)
		return a->ts < b->ts ? -1 : 1;
	return a < b ? -1 : a > b;
}

static bool same_line(const struct found *a, const struct found *b)
{
	return a->detector == b->detector && a->symbol == b->symbol && a->account == b->account;
}

static void count_alerts(struct tally *t, struct metrics *ret)
{
	const struct label_visitor v = { note_hit, t };
	int64_t start = 0;
	bool right = false;

	qsort(t->list, t->n, sizeof *t->list, by_subject);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct found *f = t->list[i].f;
		t->ts = f->ts;
		t->list[i].inside = score_inside(t->m, f->ts, f->symbol, f->account, &v);
		if (!i || !same_line(f, t->list[i - 1].f) || f->ts - start > t->m->episode) {
			ret->episodes++;
			start = f->ts;
			right = false;
		}
		ret->inside += t->list[i].inside;
		ret->right += t->list[i].inside && !right;
		right |= t->list[i].inside;
	}
	ret->alerts = t->n;
}

static int by_value(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return a < b ? -1 : a > b;
}

static double ratio(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : NOTHING;
}

/* Labels found, and how fast. Uses up first[]. */
static void count_labels(struct tally *t, struct metrics *ret)
{
	uint32_t n = t->m->labels->n, found = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (!t->own[i])
			continue;
		ret->labels++;
		if (t->first[i] != INT64_MAX)
			t->first[found++] = t->first[i];
	}
	ret->found = found;
	if (found) {
		uint32_t below = (found - 1) / 2, above = found / 2;
		qsort(t->first, found, sizeof *t->first, by_value);
		ret->delay = ((double)t->first[below] + (double)t->first[above]) / 2e9;
	}
	ret->recall = ratio(found, ret->labels);
}

/* ---- the area under precision and recall ---- */

static double rank_of(double score)
{
	return isnan(score) ? -(double)INFINITY : score;
}

static int by_score(const void *x, const void *y)
{
	double a = rank_of(((const struct mine *)x)->f->score), b = rank_of(((const struct mine *)y)->f->score);

	return a > b ? -1 : a < b;
}

static void count_new(void *arg, uint32_t label)
{
	struct tally *t = arg;

	if (t->own[label] && t->first[label] == INT64_MAX)
		t->first[label] = 0;
	else
		return;
	t->ts++; /* labels found so far */
}

/* Threshold after threshold from the highest score down. */
static double area_of_alerts(struct tally *t, uint64_t labels)
{
	const struct label_visitor v = { count_new, t };
	uint64_t inside = 0;
	int64_t before = 0;
	double area = 0;

	if (!labels)
		return NOTHING;
	for (uint32_t i = 0; i < t->m->labels->n; i++)
		t->first[i] = INT64_MAX;
	t->ts = 0;
	qsort(t->list, t->n, sizeof *t->list, by_score);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct found *f = t->list[i].f;
		inside += t->list[i].inside;
		if (t->list[i].inside)
			(void)score_inside(t->m, f->ts, f->symbol, f->account, &v);
		if (i + 1 < t->n && by_score(&t->list[i], &t->list[i + 1]) == 0)
			continue;
		area += (double)(t->ts - before) / (double)labels * ((double)inside / (double)(i + 1));
		before = t->ts;
	}
	return area;
}

static int by_emitted(const void *x, const void *y)
{
	double a = rank_of(((const struct emitted *)x)->score), b = rank_of(((const struct emitted *)y)->score);

	return a > b ? -1 : a < b;
}

double score_average_precision(struct emitted *s, uint64_t n)
{
	uint64_t hits = 0, so_far = 0, before = 0;
	double area = 0;

	for (uint64_t i = 0; i < n; i++)
		hits += s[i].hit;
	if (!hits)
		return NOTHING;
	qsort(s, n, sizeof *s, by_emitted);
	for (uint64_t i = 0; i < n; i++) {
		so_far += s[i].hit;
		if (i + 1 < n && by_emitted(&s[i], &s[i + 1]) == 0)
			continue;
		area += (double)(so_far - before) / (double)hits * ((double)so_far / (double)(i + 1));
		before = so_far;
	}
	return area;
}

/* false: memory is out. *n 0: it emitted none. */
static bool area_of_scores(const struct result *r, uint32_t detector, uint64_t *n, double *ret)
{
	struct emitted *own;

	*n = 0;
	for (uint32_t i = 0; i < r->n_scores; i++)
		*n += r->scores[i].detector == detector;
	if (!*n)
		return true;
	own = malloc(*n * sizeof *own);
	if (!own)
		return false;
	*n = 0;
	for (uint32_t i = 0; i < r->n_scores; i++)
		if (r->scores[i].detector == detector)
			own[(*n)++] = r->scores[i];
	*ret = score_average_precision(own, *n);
	free(own);
	return true;
}

/* ---- all of it ---- */

static bool is_own(const struct label *l, const uint32_t *targets, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (l->category == targets[i])
			return true;
	return !n;
}

static bool against_labels(struct tally *t, const struct result *r, uint32_t detector, struct metrics *ret)
{
	uint64_t n_scores = 0;
	double p, q;

	count_labels(t, ret);
	ret->precision = p = ratio(ret->right, ret->episodes);
	ret->precision_alerts = ratio(ret->inside, ret->alerts);
	q = ret->recall;
	if (ret->labels)
		ret->f1 = isnan(p) || p + q <= 0 ? 0 : 2 * p * q / (p + q);
	if (detector && !area_of_scores(r, detector, &n_scores, &ret->auc))
		return false;
	ret->auc_of = n_scores ? AUC_SCORES : AUC_ALERTS;
	if (!n_scores)
		ret->auc = detector ? area_of_alerts(t, ret->labels) : NOTHING;
	if (isnan(ret->auc))
		ret->auc_of = AUC_NONE;
	return true;
}

int32_t score_metrics(const struct result *r, const struct matching *m, uint32_t detector, const uint32_t *targets,
		      uint32_t n_targets, struct metrics *ret, struct tw_err *e)
{
	struct metrics sum = { .precision = NOTHING,
			       .precision_alerts = NOTHING,
			       .recall = NOTHING,
			       .f1 = NOTHING,
			       .delay = NOTHING,
			       .auc = NOTHING };
	uint32_t n_labels = m->labels ? m->labels->n : 0;
	struct tally t = { .m = m };
	bool ok = false;

	t.list = malloc((r->n_alerts ? r->n_alerts : 1) * sizeof *t.list);
	t.first = malloc((n_labels ? n_labels : 1) * sizeof *t.first);
	t.own = malloc((n_labels ? n_labels : 1) * sizeof *t.own);
	if (!t.list || !t.first || !t.own)
		goto out;
	for (uint32_t i = 0; i < n_labels; i++) {
		t.first[i] = INT64_MAX;
		t.own[i] = is_own(&m->labels->list[i], targets, n_targets);
	}
	for (uint32_t i = 0; i < r->n_alerts; i++)
		if (!detector || r->alerts[i].detector == detector)
			t.list[t.n++] = (struct mine){ .f = &r->alerts[i] };
	count_alerts(&t, &sum);
	ok = !m->labels || against_labels(&t, r, detector, &sum);
out:
	free(t.list);
	free(t.first);
	free(t.own);
	if (!ok)
		return err_set(e, TW_E_FATAL, "memory is out");
	*ret = sum;
	return TW_OK;
}
