/* SPDX-License-Identifier: Apache-2.0
 *
 * Two walks over the tape: what lines there are, then their values.
 */
#include "backtest/series.h"
#include "base/err.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct gathering {
	struct intern *names;
	struct series *list; /* all of them, while gathering */
	uint32_t n, cap;
	uint32_t *of[2]; /* by name: 1 + place in list, for symbols and for accounts */
	uint32_t cap_of[2];
	double *sum; /* of an account's deals, by place in the list */
	bool second; /* walk */
	bool memory_out;
};

struct value {
	uint32_t name;
	bool account, add; /* add: to the sum so far */
	double low, high;
};

/* What an event adds to a line; false: nothing. */
static bool value_of(const struct tw_event *ev, struct value *ret)
{
	struct value v = { .low = (double)NAN };

	switch (ev->kind) {
	case TW_QUOTE:
		v.name = ev->quote.symbol;
		v.low = v.high = (ev->quote.bid + ev->quote.ask) / 2;
		break;
	case TW_TRADE:
		v.name = ev->trade.symbol;
		v.low = v.high = ev->trade.price;
		break;
	case TW_BAR:
		v.name = ev->bar.symbol;
		v.low = isfinite(ev->bar.low) ? ev->bar.low : ev->bar.close;
		v.high = isfinite(ev->bar.high) ? ev->bar.high : ev->bar.close;
		break;
	case TW_SCORE:
		v.name = ev->score.symbol ? ev->score.symbol : ev->score.account;
		v.account = !ev->score.symbol;
		v.low = v.high = ev->score.score;
		break;
	case TW_DEAL:
		v.name = ev->deal.account;
		v.account = v.add = true;
		v.low = v.high = ev->deal.profit;
		break;
	case TW_ACCOUNT:
		v.name = ev->account.event == TW_SNAPSHOT ? ev->account.account : 0;
		v.account = true;
		v.low = v.high = ev->account.equity;
		break;
	default:
		return false;
	}
	*ret = v;
	return v.name && isfinite(v.low) && isfinite(v.high);
}

/* NULL: memory is out, or there are too many names. */
static struct series *line_of(struct gathering *g, const struct value *v)
{
	uint32_t **of = &g->of[v->account], *cap = &g->cap_of[v->account];

	if (v->name >= *cap) {
		uint32_t more = *cap ? *cap : 256;
		uint32_t *p;
		while (more <= v->name)
			more *= 2;
		p = v->name < SERIES_NAMES * 2 ? realloc(*of, more * sizeof *p) : NULL;
		if (!p)
			return NULL;
		memset(p + *cap, 0, (more - *cap) * sizeof *p);
		*of = p;
		*cap = more;
	}
	if ((*of)[v->name])
		return &g->list[(*of)[v->name] - 1];
	if (g->second || g->n == SERIES_NAMES)
		return NULL;
	if (g->n == g->cap) {
		uint32_t more = g->cap ? 2 * g->cap : 64;
		struct series *p = realloc(g->list, more * sizeof *p);
		if (!p) {
			g->memory_out = true;
			return NULL;
		}
		g->list = p;
		g->cap = more;
	}
	g->list[g->n] = (struct series){ .name = v->name, .account = v->account };
	(*of)[v->name] = ++g->n;
	return &g->list[g->n - 1];
}

static void count(struct series *s, int64_t ts)
{
	if (!s->events++ || ts < s->from)
		s->from = ts;
	if (s->events == 1 || ts > s->to)
		s->to = ts;
}

static void draw(struct series *s, int64_t ts, double low, double high)
{
	uint64_t width = (uint64_t)(s->to - s->from) / SERIES_COLUMNS + 1, column;

	if (!s->low)
		return;
	if (s->points) {
		if (s->n == s->events)
			return;
		s->at[s->n] = ts;
		s->low[s->n] = low;
		s->high[s->n++] = high;
		return;
	}
	column = (uint64_t)(ts - s->from) / width;
	if (column >= SERIES_COLUMNS)
		return;
	if (!(s->low[column] <= low))
		s->low[column] = low;
	if (!(s->high[column] >= high))
		s->high[column] = high;
}

static void one_event(struct gathering *g, const struct tw_event *ev)
{
	struct value v;
	struct series *s;

	if (!value_of(ev, &v))
		return;
	s = line_of(g, &v);
	if (!s)
		return;
	if (!g->second) {
		count(s, ev->ts);
		return;
	}
	if (v.add) {
		double *sum = &g->sum[s - g->list];
		*sum += v.low;
		v.low = v.high = *sum;
	}
	draw(s, ev->ts, v.low, v.high);
}

static int32_t walk(struct gathering *g, const char *tape, struct tw_err *e)
{
	struct log_reader *reader = NULL;
	struct arena scratch = { 0 };
	struct store *s = NULL;
	struct block b;
	int32_t rc = store_open(&s, tape, STORE_READ, NULL, e);

	if (rc == TW_OK)
		rc = log_reader_open(&reader, s, LOG_TAPE, 1, e);
	while (rc == TW_OK && !g->memory_out && (rc = log_reader_next(reader, &b, e)) == TW_OK) {
		const unsigned char *event;
		struct tw_event ev;
		size_t at = 0, len;
		uint16_t source;
		arena_reset(&scratch);
		while (tape_record(&b, &at, &source, &event, &len))
			if (event_decode(&ev, event, len, g->names, &scratch) == len)
				one_event(g, &ev);
	}
	log_reader_close(reader);
	store_close(s);
	arena_free(&scratch);
	if (g->memory_out)
		return err_set(e, TW_E_FATAL, "memory is out");
	return rc == TW_AGAIN ? TW_OK : rc;
}

static int by_interest(const void *x, const void *y, void *names)
{
	const struct series *a = *(struct series *const *)x, *b = *(struct series *const *)y;

	if (a->alerts != b->alerts)
		return a->alerts > b->alerts ? -1 : 1;
	if (a->events != b->events)
		return a->events > b->events ? -1 : 1;
	return strcmp(intern_name(names, a->name), intern_name(names, b->name));
}

/* Room for what will be drawn. */
static bool make_room(struct series *s)
{
	uint32_t n;

	s->points = s->events <= SERIES_POINTS;
	n = s->points ? (uint32_t)s->events : SERIES_COLUMNS;
	s->low = malloc(n * sizeof *s->low);
	s->high = malloc(n * sizeof *s->high);
	s->at = s->points ? malloc(n * sizeof *s->at) : NULL;
	if (!s->low || !s->high || (s->points && !s->at))
		return false;
	for (uint32_t i = 0; i < n; i++)
		s->low[i] = s->high[i] = (double)NAN;
	s->n = s->points ? 0 : n;
	return true;
}

static int32_t choose(struct gathering *g, const struct result *r, struct series ***order, uint32_t *n,
		      struct tw_err *e)
{
	struct series **list = malloc((g->n + 1) * sizeof *list);

	g->sum = calloc(g->n + 1, sizeof *g->sum);
	if (!list || !g->sum) {
		free(list);
		return err_set(e, TW_E_FATAL, "memory is out");
	}
	for (uint32_t i = 0; i < r->n_alerts; i++) {
		uint32_t ids[2] = { r->alerts[i].symbol, r->alerts[i].account };
		for (int k = 0; k < 2; k++)
			if (ids[k] && ids[k] < g->cap_of[k] && g->of[k][ids[k]])
				g->list[g->of[k][ids[k]] - 1].alerts++;
	}
	for (uint32_t i = 0; i < g->n; i++)
		list[i] = &g->list[i];
	qsort_r(list, g->n, sizeof *list, by_interest, g->names);
	*n = g->n < SERIES_MAX ? g->n : SERIES_MAX;
	*order = list;
	for (uint32_t i = 0; i < *n; i++)
		if (!make_room(list[i]))
			return err_set(e, TW_E_FATAL, "memory is out");
	return TW_OK;
}

int32_t series_read(struct series_list *ret, const char *tape, const struct result *r, struct intern *names,
		    struct tw_err *e)
{
	struct gathering g = { .names = names };
	struct series **order = NULL, *chosen = NULL;
	uint32_t n = 0;
	int32_t rc = walk(&g, tape, e);

	if (rc == TW_OK)
		rc = choose(&g, r, &order, &n, e);
	g.second = true;
	if (rc == TW_OK)
		rc = walk(&g, tape, e);
	if (rc == TW_OK && !(chosen = malloc((n + 1) * sizeof *chosen)))
		rc = err_set(e, TW_E_FATAL, "memory is out");
	for (uint32_t i = 0; i < n && rc == TW_OK; i++) {
		chosen[i] = *order[i];
		order[i]->low = order[i]->high = NULL;
		order[i]->at = NULL;
	}
	for (uint32_t i = 0; i < g.n; i++) {
		free(g.list[i].low);
		free(g.list[i].high);
		free(g.list[i].at);
	}
	free(g.list);
	free(g.of[0]);
	free(g.of[1]);
	free(g.sum);
	free(order);
	if (rc < 0)
		return rc;
	*ret = (struct series_list){ .list = chosen, .n = n, .left_out = g.n - n };
	return TW_OK;
}

void series_free(struct series_list *l)
{
	for (uint32_t i = 0; i < l->n; i++) {
		free(l->list[i].low);
		free(l->list[i].high);
		free(l->list[i].at);
	}
	free(l->list);
	*l = (struct series_list){ 0 };
}
