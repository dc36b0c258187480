/* SPDX-License-Identifier: Apache-2.0
 *
 * Every statistic of tapewatch/window.h as a filter, so that others can be asked about the same numbers: rows of
 * doubles come in as bytes, and after each row the statistic's values go out as bytes.
 *
 *   window_cli [--restore] STATISTIC [NUMBER...] < rows > values
 *
 * With --restore the state is moved to other memory between any two rows and what it leaves is overwritten, which must
 * change nothing. Without a statistic: their names, how many numbers each takes, columns in, columns out. This file is
 * C11 and C++17 at once, as detectors may be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tapewatch/window.h>

enum { MAX = 8 };

struct statistic {
	const char *name;
	int numbers, in, out;
	uint32_t (*size)(const double *o);
	void (*step)(void *state, const double *o, const double *x, double *y);
};

static uint32_t u(double x)
{
	return (uint32_t)x;
}

static uint32_t window_size(const double *o)
{
	return tw_window_size(u(o[0]));
}

static void window_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_window *w = (struct tw_window *)state;

	if (tw_usable(x[0]))
		tw_window_push(w, u(o[0]), x[0]);
	y[0] = w->n ? tw_window_mean(w) : TW_NONE;
	y[1] = tw_window_sum(w);
	y[2] = tw_window_deviation(w, 1);
	y[3] = tw_window_deviation(w, 0);
}

static uint32_t ring_size(const double *o)
{
	return tw_ring_size(u(o[0]));
}

static void ring_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_ring *w = (struct tw_ring *)state;
	uint32_t n = u(o[0]);

	(void)tw_ring_push(w, n, x[0]);
	y[0] = tw_ring_at(w, n, 0);
	y[1] = tw_ring_at(w, n, n / 2);
	y[2] = tw_ring_at(w, n, n - 1);
	y[3] = tw_ring_at(w, n, n);
}

static uint32_t extremes_size(const double *o)
{
	return tw_extremes_size(u(o[0]));
}

static void extremes_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_extremes *w = (struct tw_extremes *)state;

	(void)tw_extremes_push(w, u(o[0]), x[0]);
	y[0] = tw_extremes_min(w, u(o[0]));
	y[1] = tw_extremes_max(w, u(o[0]));
}

static uint32_t sorted_size(const double *o)
{
	return tw_sorted_size(u(o[0]));
}

static void sorted_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_sorted *w = (struct tw_sorted *)state;
	uint32_t n = u(o[0]);

	if (tw_usable(x[0]))
		tw_sorted_push(w, n, x[0]);
	y[0] = tw_sorted_quantile(w, n, o[1]);
	y[1] = tw_sorted_median(w, n);
	y[2] = w->n ? tw_mad(tw_sorted_order(w, n), w->n, y[1]) : TW_NONE;
}

static uint32_t ewma_size(const double *o)
{
	(void)o;
	return sizeof(struct tw_ewma);
}

static void ewma_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_ewma *w = (struct tw_ewma *)state;

	if (tw_usable(x[0]))
		tw_ewma_push(w, o[0], x[0]);
	y[0] = w->n ? w->mean : TW_NONE;
	y[1] = w->n ? w->variance : TW_NONE;
	y[2] = w->variance * tw_ewma_unbias(w, o[0]);
}

static uint32_t ewm_size(const double *o)
{
	(void)o;
	return sizeof(struct tw_ewm);
}

static void ewm_values(const struct tw_ewm *w, double *y)
{
	y[0] = tw_ewm_mean(w);
	y[1] = tw_ewm_variance(w, 0);
	y[2] = tw_ewm_variance(w, 1);
}

static void ewm_step(void *state, const double *o, const double *x, double *y)
{
	(void)tw_ewm_push((struct tw_ewm *)state, 1 - o[0], x[0]);
	ewm_values((struct tw_ewm *)state, y);
}

static void ewm_at_step(void *state, const double *o, const double *x, double *y)
{
	(void)tw_ewm_push_at((struct tw_ewm *)state, (int64_t)x[0], (int64_t)o[0], x[1]);
	ewm_values((struct tw_ewm *)state, y);
}

static uint32_t pair_size(const double *o)
{
	return tw_pair_size(u(o[0]));
}

static void pair_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_pair *w = (struct tw_pair *)state;

	(void)tw_pair_push(w, u(o[0]), x[0], x[1]);
	y[0] = tw_pair_covariance(w, 1);
	y[1] = tw_pair_correlation(w);
	y[2] = tw_pair_beta(w);
	y[3] = tw_pair_mean_x(w);
	y[4] = tw_pair_mean_y(w);
}

static uint32_t rsi_size(const double *o)
{
	return tw_rsi_size(u(o[0]), o[1] != 0);
}

static void rsi_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_rsi *w = (struct tw_rsi *)state;

	if (tw_usable(x[0])) {
		if (o[1] != 0)
			tw_rsi_push_wilder(w, u(o[0]), x[0]);
		else
			tw_rsi_push(w, u(o[0]), x[0]);
	}
	y[0] = tw_rsi_value(w, u(o[0]), o[1] != 0);
}

static uint32_t atr_size(const double *o)
{
	(void)o;
	return sizeof(struct tw_atr);
}

static void atr_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_atr *w = (struct tw_atr *)state;

	y[1] = tw_true_range(w, x[0], x[1]);
	(void)tw_atr_push(w, u(o[0]), x[0], x[1], x[2]);
	y[0] = tw_atr_value(w, u(o[0]));
}

static uint32_t macd_size(const double *o)
{
	(void)o;
	return sizeof(struct tw_macd);
}

static void macd_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_macd *w = (struct tw_macd *)state;
	int ready;

	(void)tw_macd_push(w, u(o[0]), u(o[1]), u(o[2]), x[0]);
	ready = tw_macd_ready(w, u(o[1]), u(o[2]));
	y[0] = ready ? w->line : TW_NONE;
	y[1] = ready ? w->signal : TW_NONE;
	y[2] = ready ? tw_macd_histogram(w) : TW_NONE;
}

static void bollinger_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_window *w = (struct tw_window *)state;
	struct tw_bands b;

	if (tw_usable(x[0]))
		tw_window_push(w, u(o[0]), x[0]);
	b = tw_bollinger(w, u(o[0]), o[1]);
	y[0] = b.lower;
	y[1] = b.middle;
	y[2] = b.upper;
}

static uint32_t vwap_size(const double *o)
{
	(void)o;
	return sizeof(struct tw_vwap);
}

static void vwap_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_vwap *w = (struct tw_vwap *)state;

	(void)o;
	(void)tw_vwap_push(w, (int64_t)x[0], x[1], x[2]);
	y[0] = tw_vwap_price(w, (int64_t)x[0]);
	y[1] = w->volume;
}

static uint32_t vwap_last_size(const double *o)
{
	return tw_vwap_last_size(u(o[0]));
}

static void vwap_last_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_vwap_last *w = (struct tw_vwap_last *)state;

	(void)tw_vwap_last_push(w, u(o[0]), x[0], x[1]);
	y[0] = tw_vwap_last_price(w);
}

static uint32_t returns_size(const double *o)
{
	(void)o;
	return 16;
}

static void returns_step(void *state, const double *o, const double *x, double *y)
{
	double *before = (double *)state;

	(void)o;
	y[0] = tw_return(*before, x[0]);
	y[1] = tw_log_return(*before, x[0]);
	*before = x[0];
}

static uint32_t drawdown_size(const double *o)
{
	(void)o;
	return sizeof(struct tw_drawdown);
}

static void drawdown_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_drawdown *w = (struct tw_drawdown *)state;

	(void)o;
	(void)tw_drawdown_push(w, x[0]);
	y[0] = tw_drawdown_of(w, x[0]);
	y[1] = tw_drawdown_share(w, x[0]);
	y[2] = w->worst;
	y[3] = w->worst_share;
}

static uint32_t p2_size(const double *o)
{
	(void)o;
	return sizeof(struct tw_p2);
}

static void p2_step(void *state, const double *o, const double *x, double *y)
{
	(void)tw_p2_push((struct tw_p2 *)state, o[0], x[0]);
	y[0] = tw_p2_value((struct tw_p2 *)state, o[0]);
}

static uint32_t digest_size(const double *o)
{
	return tw_digest_size(u(o[0]));
}

static void digest_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_digest *w = (struct tw_digest *)state;

	(void)tw_digest_push(w, u(o[0]), x[0]);
	y[0] = tw_digest_quantile(w, u(o[0]), o[1]);
	y[1] = tw_digest_share(w, u(o[0]), x[0]);
}

static uint32_t hll_size(const double *o)
{
	return tw_hll_size(u(o[0]));
}

static void hll_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_hll *w = (struct tw_hll *)state;

	y[1] = tw_hll_push(w, u(o[0]), tw_hash_double(x[0]));
	y[0] = tw_hll_count(w, u(o[0]));
}

static uint32_t tumbling_size(const double *o)
{
	(void)o;
	return sizeof(struct tw_tumbling);
}

static void tumbling_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_tumbling *w = (struct tw_tumbling *)state, closed;
	int said;

	closed.end = 0;
	closed.count = 0;
	said = tw_tumbling_push(w, (int64_t)x[0], (int64_t)o[0], 1, &closed);
	y[0] = said;
	y[1] = (double)closed.end;
	y[2] = (double)closed.count;
	y[3] = said == TW_CLOSED ? (double)tw_tumbling_skipped(&closed, w, (int64_t)o[0]) : 0;
}

static uint32_t sliding_size(const double *o)
{
	return tw_sliding_size(u(o[0]));
}

static void sliding_step(void *state, const double *o, const double *x, double *y)
{
	struct tw_sliding *w = (struct tw_sliding *)state;

	y[0] = tw_sliding_push(w, u(o[0]), (int64_t)o[1], (int64_t)x[0], x[1]);
	y[1] = (double)w->count;
	y[2] = w->sum;
}

static const struct statistic statistics[] = {
	{ "window", 1, 1, 4, window_size, window_step },
	{ "ring", 1, 1, 4, ring_size, ring_step },
	{ "extremes", 1, 1, 2, extremes_size, extremes_step },
	{ "sorted", 2, 1, 3, sorted_size, sorted_step },
	{ "ewma", 1, 1, 3, ewma_size, ewma_step },
	{ "ewm", 1, 1, 3, ewm_size, ewm_step },
	{ "ewm_at", 1, 2, 3, ewm_size, ewm_at_step },
	{ "pair", 1, 2, 5, pair_size, pair_step },
	{ "rsi", 2, 1, 1, rsi_size, rsi_step },
	{ "atr", 1, 3, 2, atr_size, atr_step },
	{ "macd", 3, 1, 3, macd_size, macd_step },
	{ "bollinger", 2, 1, 3, window_size, bollinger_step },
	{ "vwap", 0, 3, 2, vwap_size, vwap_step },
	{ "vwap_last", 1, 2, 1, vwap_last_size, vwap_last_step },
	{ "returns", 0, 1, 2, returns_size, returns_step },
	{ "drawdown", 0, 1, 4, drawdown_size, drawdown_step },
	{ "p2", 1, 1, 1, p2_size, p2_step },
	{ "digest", 2, 1, 2, digest_size, digest_step },
	{ "hll", 1, 1, 2, hll_size, hll_step },
	{ "tumbling", 1, 1, 4, tumbling_size, tumbling_step },
	{ "sliding", 2, 2, 3, sliding_size, sliding_step },
};

/* Exactly as large as asked for, so that a sanitizer sees what reaches beyond. */
static void *room(uint32_t size)
{
	void *p = malloc(size);

	if (!p) {
		fprintf(stderr, "window_cli: no memory for %u bytes of state\n", (unsigned)size);
		exit(2);
	}
	return p;
}

static int filter(const struct statistic *s, const double *o, int restore)
{
	uint32_t size = tw_align16(s->size(o));
	void *state = room(size);
	double x[MAX], y[MAX];

	memset(state, 0, size);
	while (fread(x, sizeof *x, (size_t)s->in, stdin) == (size_t)s->in) {
		s->step(state, o, x, y);
		if (fwrite(y, sizeof *y, (size_t)s->out, stdout) != (size_t)s->out)
			break;
		if (restore) {
			void *other = room(size);
			memcpy(other, state, size);
			memset(state, 0xa5, size);
			free(state);
			state = other;
		}
	}
	free(state);
	if (ferror(stdin) || fflush(stdout)) {
		fprintf(stderr, "window_cli: cannot read all rows or write all values\n");
		return 2;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int restore = argc > 1 && !strcmp(argv[1], "--restore"), at = 1 + restore, i;
	size_t k, n = sizeof statistics / sizeof *statistics;
	double o[MAX];

	if (at >= argc) {
		for (k = 0; k < n; k++)
			printf("%s %d %d %d\n", statistics[k].name, statistics[k].numbers, statistics[k].in,
			       statistics[k].out);
		return 0;
	}
	for (k = 0; k < n && strcmp(statistics[k].name, argv[at]); k++)
		;
	if (k == n || argc - at - 1 != statistics[k].numbers) {
		fprintf(stderr, "window_cli: there is no statistic '%s' that takes %d numbers\n", argv[at],
			argc - at - 1);
		return 2;
	}
	for (i = 0; i < statistics[k].numbers; i++)
		o[i] = strtod(argv[at + 1 + i], NULL);
	return filter(&statistics[k], o, restore);
}
