/* SPDX-License-Identifier: Apache-2.0
 *
 * What two configurations say about the same data: alerts of the same detector, symbol, account, time and type are the
 * same alert. It appears, disappears, or changes: its severity, score, value, expected value or
 * p-value is another one.
 */
#ifndef BACKTEST_COMPARE_H
#define BACKTEST_COMPARE_H

#include "backtest/result.h"

enum change_kind { CHANGE_APPEARS, CHANGE_DISAPPEARS, CHANGE_CHANGES, CHANGE_KINDS };
extern const char *const change_names[CHANGE_KINDS];

struct change {
	enum change_kind kind;
	const struct found *before, *after; /* NULL: not there */
};

struct changes {
	struct change *list; /* by time, detector, symbol, account, type */
	uint32_t n;
	uint64_t same, kinds[CHANGE_KINDS];
};

/* Both with the same intern table. TW_OK or TW_E_FATAL. */
int32_t compare_results(struct changes *, const struct result *before, const struct result *after,
                        const struct intern *names, struct tw_err *);
void changes_free(struct changes *);

#endif
