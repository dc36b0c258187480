/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts and labels are kept in a compact form and matched when a result is asked for.
 */
#include "run/evaluate.h"
#include "event/event.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EPISODE (300 * INT64_C(1000000000))
#define GRACE   (60 * INT64_C(1000000000))

struct stretch {
	int64_t from, to;
	uint32_t symbol, account, kind;
};

struct raised {
	int64_t ts;
	uint32_t symbol, account, detector, number; /* number: in the order of arrival */
};

struct evaluation {
	struct intern *subjects, *detectors, *kinds;
	struct stretch *labels; /* by from */
	struct raised *alerts;  /* as they came */
	uint32_t n_labels, cap_labels, n_alerts, cap_alerts;
	int64_t grace, longest;                      /* longest: of all labels */
	uint16_t declared[EVALUATION_DETECTORS + 1]; /* bit k - 1: kind k is one of its own */
	uint64_t dropped;
};

/* What is known of one detector: cells and delays by kind. */
struct score {
	struct evaluation_row row;
	struct evaluation_cell cells[EVALUATION_KINDS + 1];
	uint32_t own; /* bits of its own kinds */
};

struct evaluation *evaluation_new(void)
{
	struct evaluation *e = calloc(1, sizeof *e);

	if (!e)
		return NULL;
	e->grace = GRACE;
	e->subjects = intern_new(EVALUATION_SUBJECTS);
	e->detectors = intern_new(EVALUATION_DETECTORS);
	e->kinds = intern_new(EVALUATION_KINDS);
	if (!e->subjects || !e->detectors || !e->kinds) {
		evaluation_free(e);
		return NULL;
	}
	return e;
}

void evaluation_free(struct evaluation *e)
{
	if (!e)
		return;
	intern_free(e->subjects);
	intern_free(e->detectors);
	intern_free(e->kinds);
	free(e->labels);
	free(e->alerts);
	free(e);
}

void evaluation_grace(struct evaluation *e, int64_t ns)
{
	e->grace = ns;
}

/* Room for one more; false when the limit is reached or memory is out. */
static bool grow(void **list, uint32_t n, uint32_t *cap, uint32_t limit, size_t size)
{
	uint32_t more = *cap ? 2 * *cap : 64;
	void *p;

	if (n < *cap)
		return true;
	if (more > limit)
		more = limit;
	if (n >= more)
		return false;
	p = realloc(*list, more * size);
	if (!p)
		return false;
	*list = p;
	*cap = more;
	return true;
}

/* false: there is a text but no room for it. */
static bool name_id(struct intern *in, struct tw_str s, uint32_t *ret)
{
	*ret = s.s && s.len ? intern_id(in, s.s, s.len) : 0;
	return *ret || !s.s || !s.len;
}

void evaluation_label(struct evaluation *e, const struct tw_event *ev, struct tw_str symbol, struct tw_str account)
{
	const struct tw_label *l = &ev->label;
	struct stretch s = { .from = l->from, .to = l->to };
	void *list = e->labels;
	uint32_t at;

	if (l->from <= 0 || l->to < l->from || l->verdict.len != 5 || memcmp(l->verdict.s, "abuse", 5) ||
	    !l->category.len)
		return;
	if (!name_id(e->subjects, symbol, &s.symbol) || !name_id(e->subjects, account, &s.account) ||
	    !name_id(e->kinds, l->category, &s.kind) ||
	    !grow(&list, e->n_labels, &e->cap_labels, EVALUATION_LABELS, sizeof *e->labels)) {
		e->dropped++;
		return;
	}
	e->labels = list;
	for (at = e->n_labels++; at > 0 && e->labels[at - 1].from > s.from; at--)
		e->labels[at] = e->labels[at - 1];
	e->labels[at] = s;
	if (s.to - s.from > e->longest)
		e->longest = s.to - s.from;
}

void evaluation_alert(struct evaluation *e, const struct tw_event *ev)
{
	const struct tw_alert *a = &ev->alert;
	struct raised r = { .ts = ev->ts, .number = e->n_alerts };
	void *list = e->alerts;

	if (ev->ts < 0 || !name_id(e->subjects, a->symbol, &r.symbol) ||
	    !name_id(e->subjects, a->account, &r.account) || !name_id(e->detectors, a->detector, &r.detector) ||
	    !r.detector || !grow(&list, e->n_alerts, &e->cap_alerts, EVALUATION_ALERTS, sizeof *e->alerts)) {
		e->dropped++;
		return;
	}
	e->alerts = list;
	e->alerts[e->n_alerts++] = r;
}

void evaluation_target(struct evaluation *e, const char *detector, const char *kind)
{
	uint32_t d = intern_id(e->detectors, detector, strlen(detector));
	uint32_t k = intern_id(e->kinds, kind, strlen(kind));

	if (d && k)
		e->declared[d] = (uint16_t)(e->declared[d] | 1u << (k - 1));
	else
		e->dropped++;
}

uint64_t evaluation_dropped(const struct evaluation *e)
{
	return e->dropped;
}

static bool same_subject(const struct stretch *l, const struct raised *a)
{
	bool symbol = l->symbol && a->symbol, account = l->account && a->account;

	if (!symbol && !account)
		return false;
	return (!symbol || l->symbol == a->symbol) && (!account || l->account == a->account);
}

/* Mark in first[] when each label was first hit; true if one was. */
static bool match(const struct evaluation *e, const struct raised *a, int64_t *first)
{
	uint32_t lo = 0, hi = e->n_labels;
	bool hit = false;

	while (lo < hi) { /* the first label that begins after the alert */
		uint32_t mid = lo + (hi - lo) / 2;

		if (e->labels[mid].from <= a->ts)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo-- > 0) {
		const struct stretch *l = &e->labels[lo];

		if (a->ts - l->from > e->longest + e->grace)
			break;
		if (a->ts - l->to > e->grace || !same_subject(l, a))
			continue;
		hit = true;
		if (first[lo] < 0 || a->ts - l->from < first[lo])
			first[lo] = a->ts - l->from;
	}
	return hit;
}

static int by_subject(const void *x, const void *y)
{
	const struct raised *a = x, *b = y;

	if (a->symbol != b->symbol)
		return a->symbol < b->symbol ? -1 : 1;
	if (a->account != b->account)
		return a->account < b->account ? -1 : 1;
	if (a->ts != b->ts)
		return a->ts < b->ts ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static int by_value(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return a < b ? -1 : a > b;
}

static double median_seconds(int64_t *v, uint32_t n)
{
	uint32_t low = (n - 1) / 2, high = n / 2;

	if (!n)
		return (double)NAN;
	qsort(v, n, sizeof *v, by_value);
	return ((double)v[low] + (double)v[high]) / 2e9;
}

/* Labels of the kinds in bits: how many, how many found, how fast. delays has room for all of them. */
static void count(const struct evaluation *e, const int64_t *first, uint32_t bits, int64_t *delays,
		  struct evaluation_cell *ret)
{
	uint32_t found = 0;

	*ret = (struct evaluation_cell){ 0 };
	for (uint32_t i = 0; i < e->n_labels; i++) {
		if (!(bits >> (e->labels[i].kind - 1) & 1))
			continue;
		ret->labelled++;
		if (first[i] >= 0)
			delays[found++] = first[i];
	}
	ret->found = found;
	ret->delay = median_seconds(delays, found);
}

static uint32_t own_kinds(const struct evaluation *e, uint32_t detector, const struct score *s)
{
	const char *name = intern_name(e->detectors, detector);
	uint32_t n = intern_count(e->kinds), best = 0;

	if (e->declared[detector])
		return e->declared[detector];
	for (uint32_t k = 1; k <= n; k++) {
		const char *kind = intern_name(e->kinds, k);
		size_t len = strlen(kind);

		if (!strncmp(name, kind, len) && (!name[len] || name[len] == '_'))
			return 1u << (k - 1);
	}
	for (uint32_t k = 1; k <= n; k++) /* shares compared by their products, which are exact */
		if (s->cells[k].found && (!best || s->cells[k].found * s->cells[best].labelled >
							   s->cells[best].found * s->cells[k].labelled))
			best = k;
	return best ? 1u << (best - 1) : 0;
}

static bool score(const struct evaluation *e, uint32_t detector, struct score *ret)
{
	struct score s = { 0 };
	struct evaluation_cell own;
	size_t labels = e->n_labels ? e->n_labels : 1;
	int64_t *first = malloc(labels * sizeof *first), *delays = malloc(labels * sizeof *delays), start = 0;
	struct raised *mine = malloc((e->n_alerts ? e->n_alerts : 1) * sizeof *mine);
	uint32_t n = 0;
	bool ok = false, right = false;

	if (!first || !delays || !mine)
		goto out;
	for (uint32_t i = 0; i < e->n_labels; i++)
		first[i] = -1;
	for (uint32_t i = 0; i < e->n_alerts; i++)
		if (e->alerts[i].detector == detector)
			mine[n++] = e->alerts[i];
	qsort(mine, n, sizeof *mine, by_subject);
	s.row.alerts = n;
	for (uint32_t i = 0; i < n; i++) {
		bool hit = match(e, &mine[i], first);

		if (!i || mine[i].symbol != mine[i - 1].symbol || mine[i].account != mine[i - 1].account ||
		    mine[i].ts - start > EPISODE) {
			s.row.episodes++;
			start = mine[i].ts;
			right = false;
		}
		s.row.hits += hit;
		s.row.right += hit && !right;
		right |= hit;
	}
	for (uint32_t k = 1; k <= intern_count(e->kinds); k++)
		count(e, first, 1u << (k - 1), delays, &s.cells[k]);
	s.own = own_kinds(e, detector, &s);
	count(e, first, s.own, delays, &own);
	s.row.labelled = own.labelled;
	s.row.found = own.found;
	s.row.delay = own.delay;
	*ret = s;
	ok = true;
out:
	free(first);
	free(delays);
	free(mine);
	return ok;
}

bool evaluation_row(const struct evaluation *e, const char *detector, struct evaluation_row *ret)
{
	uint32_t d = intern_find(e->detectors, detector, strlen(detector));
	struct score s;

	if (!d || !score(e, d, &s))
		return false;
	*ret = s.row;
	return true;
}

bool evaluation_cell(const struct evaluation *e, const char *detector, const char *kind, struct evaluation_cell *ret)
{
	uint32_t d = intern_find(e->detectors, detector, strlen(detector));
	uint32_t k = intern_find(e->kinds, kind, strlen(kind));
	struct score s;

	if (!d || !k || !score(e, d, &s))
		return false;
	*ret = s.cells[k];
	return true;
}

/* ---- the table ---- */
static uint32_t width_of(const char *text, uint32_t least)
{
	size_t n = strlen(text);

	return n > least ? (uint32_t)n : least;
}

static void share(char out[16], uint64_t part, uint64_t whole)
{
	if (whole)
		snprintf(out, 16, "%.2f", (double)part / (double)whole);
	else
		snprintf(out, 16, "-");
}

/* Green for good, yellow for so-so, red for bad; nothing for what is not a share. */
static const char *tint(bool colour, uint64_t part, uint64_t whole)
{
	if (!colour || !whole)
		return "";
	return part * 10 >= whole * 8 ? "\033[32m" : part * 2 >= whole ? "\033[33m" : "\033[31m";
}

/* Ids of a table in the order of their names: 1.. in order[], returns how many. */
static uint32_t by_name(const struct intern *in, uint32_t *order)
{
	uint32_t n = intern_count(in);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = i;

		for (; at > 0 && strcmp(intern_name(in, order[at - 1]), intern_name(in, i + 1)) > 0; at--)
			order[at] = order[at - 1];
		order[at] = i + 1;
	}
	return n;
}

static void print_row(const struct evaluation *e, FILE *f, bool colour, uint32_t detector, uint32_t first_width)
{
	uint32_t kinds[EVALUATION_KINDS], n = by_name(e->kinds, kinds);
	const char *off = colour ? "\033[0m" : "";
	char text[48];
	struct score s;

	fprintf(f, "%-*s", (int)first_width, intern_name(e->detectors, detector));
	if (!score(e, detector, &s)) {
		fprintf(f, "  no memory to evaluate\n");
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = kinds[i];
		const struct evaluation_cell *c = &s.cells[k];
		bool own = s.own >> (k - 1) & 1;

		snprintf(text, sizeof text, "%" PRIu64 "/%" PRIu64, c->found, c->labelled);
		if (!own && !c->found)
			snprintf(text, sizeof text, ".");
		fprintf(f, "  %s%*s%s", own ? tint(colour, c->found, c->labelled) : "",
			(int)width_of(intern_name(e->kinds, k), 7), text, own ? off : "");
	}
	fprintf(f, "  %6" PRIu64 "  %8" PRIu64, s.row.alerts, s.row.episodes);
	share(text, s.row.right, s.row.episodes);
	fprintf(f, "  %s%9s%s", tint(colour, s.row.right, s.row.episodes), text, off);
	share(text, s.row.found, s.row.labelled);
	fprintf(f, "  %s%6s%s", tint(colour, s.row.found, s.row.labelled), text, off);
	if (isnan(s.row.delay))
		fprintf(f, "  %8s\n", "-");
	else
		fprintf(f, "  %6.1f s\n", s.row.delay);
}

void evaluation_print(const struct evaluation *e, FILE *f, bool colour)
{
	uint32_t detectors[EVALUATION_DETECTORS], n = by_name(e->detectors, detectors);
	uint32_t kinds[EVALUATION_KINDS], n_kinds = by_name(e->kinds, kinds), first_width = width_of("detector", 0);

	for (uint32_t i = 0; i < n; i++)
		first_width = width_of(intern_name(e->detectors, detectors[i]), first_width);
	fprintf(f, "%s%-*s", colour ? "\033[1m" : "", (int)first_width, "detector");
	for (uint32_t i = 0; i < n_kinds; i++)
		fprintf(f, "  %*s", (int)width_of(intern_name(e->kinds, kinds[i]), 7), intern_name(e->kinds, kinds[i]));
	fprintf(f, "  %6s  %8s  %9s  %6s  %8s%s\n", "alerts", "episodes", "precision", "recall", "delay",
		colour ? "\033[0m" : "");
	for (uint32_t i = 0; i < n; i++)
		print_row(e, f, colour, detectors[i], first_width);
	if (e->dropped)
		fprintf(f, "%" PRIu64 " alerts or labels beyond the limits of the evaluation are not in the table\n",
			e->dropped);
}
