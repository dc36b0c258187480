/* SPDX-License-Identifier: Apache-2.0
 *
 * Two sorted lists side by side.
 */
#include "backtest/compare.h"
#include "base/err.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const change_names[CHANGE_KINDS] = { "appears", "disappears", "changes" };

struct keyed {
	const struct found *f;
	const struct intern *names; /* qsort() hands nothing on */
};

static int by_name(const struct intern *names, uint32_t a, uint32_t b)
{
	return a == b ? 0 : strcmp(intern_name(names, a), intern_name(names, b));
}

static int by_key(const struct keyed *x, const struct keyed *y)
{
	const struct found *a = x->f, *b = y->f;
	int c;

	if (a->ts != b->ts)
		return a->ts < b->ts ? -1 : 1;
	c = by_name(x->names, a->detector, b->detector);
	c = c ? c : by_name(x->names, a->symbol, b->symbol);
	c = c ? c : by_name(x->names, a->account, b->account);
	return c ? c : by_name(x->names, a->type, b->type);
}

/* Several with the same key: in the order in which they were raised. */
static int by_key_then_place(const void *x, const void *y)
{
	const struct keyed *a = x, *b = y;
	int c = by_key(a, b);

	return c ? c : a->f < b->f ? -1 : a->f > b->f;
}

static struct keyed *sorted(const struct result *r, const struct intern *names)
{
	struct keyed *list = malloc((r->n_alerts ? r->n_alerts : 1) * sizeof *list);

	for (uint32_t i = 0; list && i < r->n_alerts; i++)
		list[i] = (struct keyed){ &r->alerts[i], names };
	if (list)
		qsort(list, r->n_alerts, sizeof *list, by_key_then_place);
	return list;
}

static bool same_number(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* Not the threshold and the sentence that names it: with another threshold they differ in every alert. */
static bool same_judgement(const struct found *x, const struct found *y)
{
	return x->severity == y->severity && same_number(x->score, y->score) && same_number(x->value, y->value) &&
	       same_number(x->expected, y->expected) && same_number(x->p_value, y->p_value);
}

static void note(struct changes *c, enum change_kind kind, const struct found *before, const struct found *after)
{
	c->list[c->n++] = (struct change){ .kind = kind, .before = before, .after = after };
	c->kinds[kind]++;
}

int32_t compare_results(struct changes *ret, const struct result *before, const struct result *after,
			const struct intern *names, struct tw_err *e)
{
	struct keyed *a = sorted(before, names), *b = sorted(after, names);
	struct changes c = { 0 };
	uint32_t i = 0, k = 0;

	c.list = malloc(((size_t)before->n_alerts + after->n_alerts + 1) * sizeof *c.list);
	if (!a || !b || !c.list) {
		free(a);
		free(b);
		free(c.list);
		return err_set(e, TW_E_FATAL, "memory is out");
	}
	while (i < before->n_alerts || k < after->n_alerts) {
		int order = i == before->n_alerts ? 1 : k == after->n_alerts ? -1 : by_key(&a[i], &b[k]);
		if (order < 0) {
			note(&c, CHANGE_DISAPPEARS, a[i++].f, NULL);
		} else if (order > 0) {
			note(&c, CHANGE_APPEARS, NULL, b[k++].f);
		} else {
			if (same_judgement(a[i].f, b[k].f))
				c.same++;
			else
				note(&c, CHANGE_CHANGES, a[i].f, b[k].f);
			i++;
			k++;
		}
	}
	free(a);
	free(b);
	*ret = c;
	return TW_OK;
}

void changes_free(struct changes *c)
{
	free(c->list);
	*c = (struct changes){ 0 };
}
