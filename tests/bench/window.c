/* SPDX-License-Identifier: Apache-2.0
 *
 * What a value costs each statistic of tapewatch/window.h: ns to push it, and ns to judge and push it, for one state
 * that stays in the cache; medians of interleaved runs over the same walk of prices in cents.
 *
 *   window
 */
#include <stdio.h>
#include <stdlib.h>
#include <tapewatch/window.h>
#include <time.h>

enum { VALUES = 1 << 15, RUNS = 21 };

static double price[VALUES], size_of[VALUES];
static int64_t ts[VALUES];
static _Alignas(64) unsigned char state[TW_STATE_MAX];
static volatile double kept; /* what was judged is looked at */

static uint64_t seed = 1;

static double uniform(void) /* xorshift */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (double)(seed >> 11) * 0x1p-53;
}

/* One loop for each, so that the compiler sees what it sees in a detector. `n` is not a constant for it. */
#define LOOP(name, expression)                                                                                         \
	static double name(void *at, uint32_t n)                                                                       \
	{                                                                                                              \
		double sum = 0;                                                                                        \
		(void)at;                                                                                              \
		for (uint32_t i = 0; i < VALUES; i++) {                                                                \
			double x = price[i];                                                                           \
			(void)x;                                                                                       \
			expression;                                                                                    \
		}                                                                                                      \
		(void)n;                                                                                               \
		return sum;                                                                                            \
	}

LOOP(window_push, tw_window_push(at, n, x))
LOOP(window_both, sum += tw_window_judge(at, x).squares; tw_window_push(at, n, x))
LOOP(ring_push, (void)tw_ring_push(at, n, x))
LOOP(ring_both, sum += tw_ring_at(at, n, n - 1); (void)tw_ring_push(at, n, x))
LOOP(extremes_push, (void)tw_extremes_push(at, n, x))
LOOP(extremes_both, sum += tw_extremes_max(at, n) - tw_extremes_min(at, n); (void)tw_extremes_push(at, n, x))
LOOP(sorted_push, tw_sorted_push(at, n, x))
LOOP(sorted_both, sum += tw_sorted_quantile(at, n, 0.95); tw_sorted_push(at, n, x))
LOOP(ewma_push, tw_ewma_push(at, 0.05, x))
LOOP(ewma_both, sum += ((struct tw_ewma *)at)->variance; tw_ewma_push(at, 0.05, x))
LOOP(ewm_push, (void)tw_ewm_push(at, 0.95, x))
LOOP(ewm_both, sum += tw_ewm_variance(at, 1); (void)tw_ewm_push(at, 0.95, x))
LOOP(ewm_at_push, (void)tw_ewm_push_at(at, ts[i], 60000000000, x))
LOOP(ewm_at_both, sum += tw_ewm_variance(at, 1); (void)tw_ewm_push_at(at, ts[i], 60000000000, x))
LOOP(pair_push, (void)tw_pair_push(at, n, x, size_of[i]))
LOOP(pair_both, sum += tw_pair_correlation(at); (void)tw_pair_push(at, n, x, size_of[i]))
LOOP(tumbling_push, struct tw_tumbling c; sum += tw_tumbling_push(at, ts[i], 1000000000, 1, &c))
LOOP(sliding_push, sum += tw_sliding_push(at, n, 1000000000, ts[i], x))
LOOP(sliding_both, tw_sliding_advance(at, n, 1000000000, ts[i]); sum += (double)((struct tw_sliding *)at)->count;
     (void)tw_sliding_push(at, n, 1000000000, ts[i], x))
LOOP(p2_push, (void)tw_p2_push(at, 0.95, x))
LOOP(p2_both, sum += tw_p2_value(at, 0.95); (void)tw_p2_push(at, 0.95, x))
LOOP(digest_push, (void)tw_digest_push(at, n, x))
LOOP(digest_both, sum += tw_digest_quantile(at, n, 0.95); (void)tw_digest_push(at, n, x))
LOOP(hll_push, (void)tw_hll_push(at, n, tw_hash_u64((uint64_t)(size_of[i] * 1e6))))
LOOP(hll_both, sum += tw_hll_count(at, n); (void)tw_hll_push(at, n, tw_hash_u64((uint64_t)(size_of[i] * 1e6))))
LOOP(rsi_push, tw_rsi_push(at, n, x))
LOOP(rsi_both, tw_rsi_push(at, n, x); sum += tw_rsi_value(at, n, 0))
LOOP(wilder_push, tw_rsi_push_wilder(at, n, x))
LOOP(wilder_both, tw_rsi_push_wilder(at, n, x); sum += tw_rsi_value(at, n, 1))
LOOP(atr_push, (void)tw_atr_push(at, n, x + 1, x - 1, x))
LOOP(atr_both, (void)tw_atr_push(at, n, x + 1, x - 1, x); sum += tw_atr_value(at, n))
LOOP(macd_push, (void)tw_macd_push(at, 12, 26, n, x))
LOOP(macd_both, (void)tw_macd_push(at, 12, 26, n, x); sum += tw_macd_histogram(at))
LOOP(bollinger_both, sum += tw_bollinger(at, n, 2).upper; tw_window_push(at, n, x))
LOOP(vwap_push, (void)tw_vwap_push(at, 1, x, size_of[i]))
LOOP(vwap_both, sum += tw_vwap_price(at, 1); (void)tw_vwap_push(at, 1, x, size_of[i]))
LOOP(vwap_last_push, (void)tw_vwap_last_push(at, n, x, size_of[i]))
LOOP(vwap_last_both, sum += tw_vwap_last_price(at); (void)tw_vwap_last_push(at, n, x, size_of[i]))
LOOP(drawdown_push, (void)tw_drawdown_push(at, x))
LOOP(drawdown_both, sum += tw_drawdown_share(at, x); (void)tw_drawdown_push(at, x))
LOOP(log_return, sum += tw_log_return(price[i ? i - 1 : 0], x))

static uint32_t rsi_size(uint32_t n)
{
	return tw_rsi_size(n, 0);
}

static const struct row {
	const char *name;
	double (*push)(void *, uint32_t), (*both)(void *, uint32_t);
	uint32_t (*size)(uint32_t);
	uint32_t n, bytes;
} rows[] = {
	{ "tw_window", window_push, window_both, tw_window_size, 30, 0 },
	{ "tw_window", window_push, window_both, tw_window_size, 1000, 0 },
	{ "tw_ring", ring_push, ring_both, tw_ring_size, 30, 0 },
	{ "tw_extremes", extremes_push, extremes_both, tw_extremes_size, 30, 0 },
	{ "tw_extremes", extremes_push, extremes_both, tw_extremes_size, 1000, 0 },
	{ "tw_sorted", sorted_push, sorted_both, tw_sorted_size, 30, 0 },
	{ "tw_sorted", sorted_push, sorted_both, tw_sorted_size, 500, 0 },
	{ "tw_ewma", ewma_push, ewma_both, NULL, 0, sizeof(struct tw_ewma) },
	{ "tw_ewm", ewm_push, ewm_both, NULL, 0, sizeof(struct tw_ewm) },
	{ "tw_ewm by time", ewm_at_push, ewm_at_both, NULL, 0, sizeof(struct tw_ewm) },
	{ "tw_pair", pair_push, pair_both, tw_pair_size, 30, 0 },
	{ "tw_tumbling", tumbling_push, NULL, NULL, 0, sizeof(struct tw_tumbling) },
	{ "tw_sliding", sliding_push, sliding_both, tw_sliding_size, 60, 0 },
	{ "tw_p2", p2_push, p2_both, NULL, 0, sizeof(struct tw_p2) },
	{ "tw_digest", digest_push, digest_both, tw_digest_size, 100, 0 },
	{ "tw_hll", hll_push, hll_both, tw_hll_size, 10, 0 },
	{ "tw_rsi simple", rsi_push, rsi_both, rsi_size, 14, 0 },
	{ "tw_rsi Wilder", wilder_push, wilder_both, NULL, 14, sizeof(struct tw_rsi) },
	{ "tw_atr", atr_push, atr_both, NULL, 14, sizeof(struct tw_atr) },
	{ "tw_macd 12 26", macd_push, macd_both, NULL, 9, sizeof(struct tw_macd) },
	{ "tw_bollinger", window_push, bollinger_both, tw_window_size, 20, 0 },
	{ "tw_vwap", vwap_push, vwap_both, NULL, 0, sizeof(struct tw_vwap) },
	{ "tw_vwap_last", vwap_last_push, vwap_last_both, tw_vwap_last_size, 30, 0 },
	{ "tw_drawdown", drawdown_push, drawdown_both, NULL, 0, sizeof(struct tw_drawdown) },
	{ "tw_log_return", log_return, NULL, NULL, 0, 0 },
};

enum { ROWS = sizeof rows / sizeof *rows };

static double ns_of(double (*loop)(void *, uint32_t), uint32_t n)
{
	struct timespec a, b;

	if (!loop)
		return 0;
	memset(state, 0, sizeof state);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	kept = loop(state, n);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / VALUES;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(void)
{
	static double push[ROWS][RUNS], both[ROWS][RUNS];
	double level = 10000;

	for (int i = 0; i < VALUES; i++) {
		level += (int)(7 * uniform()) - 3;
		price[i] = level / 100;
		size_of[i] = 1 + (int)(100 * uniform());
		ts[i] = 1700000000000000000 + i * 50000000LL;
	}
	for (int run = 0; run < RUNS; run++)
		for (int i = 0; i < ROWS; i++) {
			push[i][run] = ns_of(rows[i].push, rows[i].n);
			both[i][run] = ns_of(rows[i].both, rows[i].n);
		}
	printf("%-16s %6s %8s %10s %16s\n", "statistic", "n", "state", "push", "judge and push");
	for (int i = 0; i < ROWS; i++) {
		qsort(push[i], RUNS, sizeof(double), by_size);
		qsort(both[i], RUNS, sizeof(double), by_size);
		printf("%-16s %6u %6u B %7.1f ns ", rows[i].name, (unsigned)rows[i].n,
		       (unsigned)(rows[i].size ? rows[i].size(rows[i].n) : rows[i].bytes), push[i][RUNS / 2]);
		if (rows[i].both)
			printf("%13.1f ns\n", both[i][RUNS / 2]);
		else
			printf("%16s\n", "-");
	}
	printf("(%d values, medians of %d runs)\n", VALUES, RUNS);
	return 0;
}
