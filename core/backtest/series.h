/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines to draw: what was paid for each symbol, and what each account has made, from a tape of any length in bounded
 * memory. Of a long line each column of the picture keeps the lowest and the highest value, so no spike is lost; a
 * short one keeps its points.
 *
 *   symbol    mid of quotes, price of trades, close of bars (columns: from low to high), value of plain series
 *   account   sum of profit of its deals since the beginning; equity where snapshots tell it
 */
#ifndef BACKTEST_SERIES_H
#define BACKTEST_SERIES_H

#include "backtest/result.h"

#define SERIES_COLUMNS 1000u
#define SERIES_POINTS 1500u  /* up to so many events are kept as points */
#define SERIES_MAX 24u       /* lines: those with most alerts, then most events */
#define SERIES_NAMES 100000u /* symbols and accounts that are looked at */

struct series {
	uint32_t name; /* in the intern table */
	bool account;
	uint64_t events, alerts;
	int64_t from, to;
	uint32_t n;    /* points, or columns */
	bool points;   /* at[] is set; else columns of equal width from `from` to `to`, NaN where there is nothing */
	int64_t *at;
	double *low, *high;
};

struct series_list {
	struct series *list;
	uint32_t n;
	uint64_t left_out; /* lines that are not drawn */
};

/* TW_OK, or negative with a sentence. */
int32_t series_read(struct series_list *, const char *tape, const struct result *, struct intern *names,
                    struct tw_err *);
void series_free(struct series_list *);

#endif
