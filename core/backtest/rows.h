/* SPDX-License-Identifier: Apache-2.0
 *
 * A row for each detector of a run: how good it was and what it cost.
 */
#ifndef BACKTEST_ROWS_H
#define BACKTEST_ROWS_H

#include "backtest/score.h"
#include "backtest/variant.h"

struct target { /* --target DETECTOR=CATEGORY,... */
	const char *detector;
	uint32_t *categories;
	uint32_t n;
};

struct row {
	const char *detector; /* in the intern table; "" for all of them together */
	struct metrics m;
	uint64_t events, quiet, warming, errors, busy_ns; /* events: those it was shown */
	double ns;            /* processor time per event of the data, so that rows add up; NaN: there are none */
	bool quarantined;
};

struct rows {
	struct row *list;
	uint32_t n;           /* the last one is about all of them, when there are several */
};

int32_t rows_make(struct rows *, const struct result *, const struct outcome *, const struct matching *,
                  const struct target *, uint32_t n_targets, struct intern *names, struct tw_err *);
const struct row *rows_find(const struct rows *, const char *detector); /* NULL: there is none */
void rows_free(struct rows *);

#endif
