/* SPDX-License-Identifier: Apache-2.0
 *
 * How good was a detector? Alerts against labels, by these rules:
 *
 *   inside     An alert is inside a label when label.from - tolerance <= alert.ts <= label.to + tolerance, and symbol
 *              and account are equal as far as both name one. A label that names neither is about everybody. Nothing is
 *              point-adjusted: one alert inside a label finds the label and no more than that.
 *   precision  Of alerts: those inside a label / all. Of episodes: the first alert of a detector on a symbol and account
 *              begins an episode, and those that follow within `episode` of that beginning belong to it; an episode is
 *              right when one of its alerts is inside a label. A label of any category makes an alert right.
 *   recall     Labels with at least one alert inside / all labels; of the categories that are the detector's target,
 *              when it has one.
 *   F1         Harmonic mean of the precision of episodes and recall: a detector that repeats itself is neither
 *              rewarded nor punished for that.
 *   delay      First alert inside a label - label.from, in seconds: the median over the labels found. Negative when an
 *              alert came before the label, which a tolerance allows.
 *   PR-AUC     Average precision, sum over thresholds of (R_n - R_n-1) P_n, as scikit-learn's average_precision_score:
 *              no interpolation, equal scores are one threshold. Over the score events, when the detector emitted any:
 *              each is a sample, positive when inside a label. Else over its alerts: P_n = alerts inside / alerts with
 *              at least that score, R_n = labels those alerts find / all labels, so what is never found costs area.
 *              Scores that are no number count as the lowest.
 */
#ifndef BACKTEST_SCORE_H
#define BACKTEST_SCORE_H

#include "backtest/result.h"

enum auc_of { AUC_NONE, AUC_ALERTS, AUC_SCORES };

struct metrics {
	uint64_t alerts, inside;   /* precision of alerts = inside / alerts */
	uint64_t episodes, right;  /* of episodes */
	uint64_t labels, found;    /* recall */
	double precision, precision_alerts, recall, f1, delay, auc; /* NaN: not defined */
	enum auc_of auc_of;
};

/* Is a moment inside a label? hit: called for each such label, or NULL. */
struct label_visitor {
	void (*hit)(void *arg, uint32_t label);
	void *arg;
};
bool score_inside(const struct matching *, int64_t ts, uint32_t symbol, uint32_t account, const struct label_visitor *);

/* detector 0: all of them together. targets: categories that its recall is about; n_targets 0: every one. Without
 * labels only alerts and episodes are counted. TW_OK or TW_E_FATAL. */
int32_t score_metrics(const struct result *, const struct matching *, uint32_t detector, const uint32_t *targets,
                      uint32_t n_targets, struct metrics *ret, struct tw_err *);

/* Average precision of n samples; sorts them. NaN when none is a hit. */
double score_average_precision(struct emitted *, uint64_t n);

#endif
