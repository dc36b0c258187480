/* SPDX-License-Identifier: Apache-2.0
 *
 * Which values to try: "threshold=2..6:0.5", "spikes.window=64,128,256", "cooldown=1m..5m:2m", "*.threshold=2,3".
 *
 * [DETECTOR.]OPTION=ITEM,ITEM... where an item is a value, or LO..HI:STEP (STEP: 1 unless given; units as in 5m stand
 * behind all three or behind HI alone). Steps are added as decimals: 2..3:0.1 ends with 3. Without a detector the option
 * must be one that a single detector of the pipeline has; * stands for all that have it. Several sweeps give every
 * combination, the last one changing fastest.
 */
#ifndef BACKTEST_SWEEP_H
#define BACKTEST_SWEEP_H

#include "config/edit.h"
#include "graph/graph.h"

#define SWEEP_RUNS_MAX 1000u
#define SWEEP_AXES_MAX 16u

struct sweep_axis {
	const char *name;        /* as it was given, before the = */
	const char *detector;    /* NULL: none was named */
	const char *option;
	const char **values;
	uint32_t n;
	const char **detectors;  /* bound: which ones */
	uint32_t n_detectors;
};

struct sweep {
	struct arena arena;
	struct sweep_axis axes[SWEEP_AXES_MAX];
	uint32_t n, runs; /* runs: combinations; 0: nothing is swept */
};

/* TW_OK or TW_E_CONFIG with a sentence. */
int32_t sweep_add(struct sweep *, const char *text, struct tw_err *);
int32_t sweep_bind(struct sweep *, const struct graph *, struct tw_err *);
/* The edits of a combination, in the sweep's arena; NULL: memory is out. */
const struct config_edit *sweep_edits(struct sweep *, uint32_t run, uint32_t *n);
const char *sweep_value(const struct sweep *, uint32_t run, uint32_t axis);
/* "threshold=2.5 window=64" */
const char *sweep_text(struct sweep *, uint32_t run);
/* Does an axis change this detector? */
bool sweep_touches(const struct sweep *, const char *detector);
void sweep_free(struct sweep *);

#endif
