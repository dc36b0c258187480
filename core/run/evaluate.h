/* SPDX-License-Identifier: Apache-2.0
 *
 * How good were the alerts? Alerts against labels of stretches of time (verdict "abuse", category the kind of abuse).
 *
 * An alert hits a label when
 *   - its subject matches: symbol and account are equal as far as both name one, and both name at least one of them;
 *   - from <= alert.ts <= to + grace (60 s unless set: a silence is only known to be one a while later).
 * A label is found by a detector when one of its alerts hits it. Recall is found / labelled. The delay is that of the
 * first alert that hits, from the label's beginning; the table shows the median over the labels found.
 *
 * Precision counts episodes, not alerts, or else a detector that repeats itself would judge itself: the first alert of
 * a detector on a subject begins an episode, and those on the same subject up to five minutes after that beginning
 * belong to it. An episode is right when one of its alerts hits a label of any kind, since an alert on a feed that
 * comes back with a jump is no false alarm. Labels may come long after the alerts: nothing is matched before the end.
 *
 * A detector's own kinds, which its recall is about: those declared with evaluation_target(); else the kind whose name
 * is the detector's or begins it ("price_spike", "price_spike_fast"); else the kind of which it found the largest
 * share, the first in case of doubt.
 *
 * Labels about an alert (without a stretch of time) and other verdicts are passed over. Memory is bounded: see the
 * limits; what did not fit is counted and said below the table.
 */
#ifndef RUN_EVALUATE_H
#define RUN_EVALUATE_H

#include <stdbool.h>
#include <stdio.h>
#include <tapewatch/plugin.h>

enum {
	EVALUATION_DETECTORS = 64,
	EVALUATION_KINDS = 16,
	EVALUATION_LABELS = 65536,
	EVALUATION_ALERTS = 262144,
	EVALUATION_SUBJECTS = 16384 /* symbols and accounts */
};

struct evaluation;
struct evaluation *evaluation_new(void); /* NULL when memory is out */
void evaluation_free(struct evaluation *);
void evaluation_grace(struct evaluation *, int64_t ns);

/* symbol and account of a label are numbers in the event, so their texts come beside it. */
void evaluation_label(struct evaluation *, const struct tw_event *label, struct tw_str symbol, struct tw_str account);
void evaluation_alert(struct evaluation *, const struct tw_event *alert);
/* A kind of abuse that this detector is there for; may be called before either is seen. */
void evaluation_target(struct evaluation *, const char *detector, const char *kind);

struct evaluation_row {
	uint64_t alerts, hits;     /* hits: alerts that hit a label of any kind */
	uint64_t episodes, right;  /* precision = right / episodes */
	uint64_t labelled, found;  /* of its own kinds: recall = found / labelled */
	double delay;              /* median, seconds, over the labels of its own kinds found; NaN: none */
};
struct evaluation_cell {
	uint64_t labelled, found;
	double delay; /* median, seconds; NaN: none */
};
/* false: no such detector. */
bool evaluation_row(const struct evaluation *, const char *detector, struct evaluation_row *ret);
bool evaluation_cell(const struct evaluation *, const char *detector, const char *kind, struct evaluation_cell *ret);
uint64_t evaluation_dropped(const struct evaluation *); /* alerts and labels beyond the limits */

/* An aligned table: a row for each detector, a column "found/labelled" for each kind of abuse, then alerts, episodes,
 * precision, and recall and median delay of its own kinds. Rows and columns are in the order of their names. */
void evaluation_print(const struct evaluation *, FILE *, bool colour);

#endif
