/* SPDX-License-Identifier: Apache-2.0
 *
 * One way to judge the data: a configuration, what the command line changes in it, and where the events come from. Each
 * is run by the engine of `tapewatch run` in a child process of its own, so that no run can learn from another and
 * several go on at once. Sinks are left out; sources are read to their end, or a recording takes their place.
 */
#ifndef BACKTEST_VARIANT_H
#define BACKTEST_VARIANT_H

#include "config/edit.h"
#include "graph/graph.h"
#include "run/run.h"

struct variant {
	const char *const *paths; /* files and folders of configuration */
	uint32_t n_paths;
	const struct config_edit *edits; /* in this order */
	uint32_t n_edits;
	const char *recording; /* a store or tape; NULL: the sources */
	uint64_t until;        /* of the recording: the last event; 0: all */
	uint32_t batch, workers;
	bool progress;
};

/* A variant's plan. report and plugins are the caller's. */
struct variant_plan {
	struct config config;
	struct graph graph;
};
/* Mistakes go to r. TW_OK, TW_E_CONFIG when there were any, or TW_E_FATAL. Free it whatever was returned. */
int32_t variant_plan(struct variant_plan *, const struct variant *, struct plugins *, struct report *r);
void variant_plan_free(struct variant_plan *);

struct outcome_detector {
	char name[65];
	uint64_t events, alerts, busy_ns, quiet, warming, errors;
	bool quarantined;
};

/* What a child leaves in shared memory. */
struct outcome {
	int32_t rc; /* of run_graph(); meaningful once done */
	bool done, source_failed, interrupted;
	struct tw_err err;
	uint64_t events, alerts, dead, skipped;
	double seconds;
	uint32_t n_detectors;
	struct outcome_detector detectors[GRAPH_MAX_NODES];
};
struct outcome *outcome_new(void); /* NULL: memory is out */
void outcome_free(struct outcome *);

/* In the child: plan, run into the new folder dir, fill in the outcome. */
void variant_run(const struct variant *, const char *dir, struct plugins *, struct outcome *);

#endif
