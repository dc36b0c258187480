/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run said, read back from its store: alerts in the order of the log, and the scores that detectors emitted.
 * What does not fit is counted, never silently left out.
 */
#ifndef BACKTEST_RESULT_H
#define BACKTEST_RESULT_H

#include "backtest/labels.h"

#define RESULT_ALERTS 1000000u
#define RESULT_SCORES 20000000u

struct found { /* an alert; names are numbers in an intern table */
	int64_t ts;
	uint64_t seq, digest; /* digest: of all its bytes but its configuration's */
	double score, value, expected, threshold, p_value;
	uint32_t detector, symbol, account, type, severity;
	uint32_t reason, reason_len; /* in result.reasons */
};

struct emitted { /* a score event */
	double score;
	uint32_t detector;
	bool hit; /* inside a label */
};

struct result {
	struct found *alerts;
	struct emitted *scores;
	uint32_t n_alerts, cap_alerts, n_scores, cap_scores;
	struct buf reasons;
	uint64_t dropped;
};

struct matching { /* when is something inside a label, see score.h */
	const struct labels *labels; /* NULL: there are none */
	int64_t tolerance, episode;
};

/* Read the alert log of the store in dir. TW_OK, or negative with a sentence. */
int32_t result_read(struct result *, const char *dir, const struct matching *, struct intern *names, struct tw_err *);
void result_free(struct result *);

#endif
