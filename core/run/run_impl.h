/* SPDX-License-Identifier: Apache-2.0
 *
 * Between run.c (a run from its beginning to its end), machine.c (what is built from one configuration), control.c
 * (libev, signals) and reload.c (one machine in the place of another). All of it belongs to the control thread.
 */
#ifndef RUN_RUN_IMPL_H
#define RUN_RUN_IMPL_H

#include "bus/crew.h"
#include "bus/pipeline.h"
#include "run/death.h"
#include "run/delivery.h"
#include "run/loop.h"
#include "run/plan.h"
#include "run/progress.h"
#include "run/reload.h"
#include "run/run.h"
#include <ev.h>

struct run;

/* A source or a sink with its thread. One that a reload does not touch moves on to the next machine as it is, and
 * holds the plan whose options it was opened with. */
struct run_source {
	struct pump *pump;
	struct loop loop;
	struct plan *plan;
};
struct run_sink {
	struct delivery *delivery;
	struct loop loop;
	struct plan *plan;
};

/* What is built from one configuration, on the store that all machines of a run share. */
struct machine {
	struct run *run;
	struct plan *plan;
	struct recorder *recorder;
	struct pipeline *pipeline;
	struct run_source **sources; /* by number in the graph; none when a recording is replayed */
	struct run_sink **sinks;
	struct pump **pumps; /* of the sources, for the progress bar */
	uint32_t n_sources, n_sinks;
	struct loop pipeline_loop, recorder_loop;
	struct loop worker_loops[MAX_WORKERS];
	uint32_t n_workers; /* beside the pipeline's own thread */
	bool recorder_told; /* that the sinks have come to their end */
	struct progress *progress;
};

struct run {
	const struct run_options *o;
	struct store *store, *recording;
	struct machine *machine;
	struct bell bell; /* the pipeline's, of every machine */
	struct services *services;
	struct endpoint *endpoint; /* NULL: none is configured */
	struct ev_loop *ev;
	ev_async wake;
	ev_signal sigint, sigterm, sighup;
	ev_timer tick, beat;
	struct reload reload;
	struct run_summary *summary;
	struct death *deaths; /* of earlier runs on this store */
	uint32_t n_deaths;
	bool settled; /* the whole store was read, after a death that may have come of it */
	bool stopping, failed;
	int signals;
	int64_t started;
};

/* ---- machine.c ---- */
/* from: the machine that stands still and whose place it will take; NULL at the start. What the plans have in common
 * goes over, but belongs to both until one of them is freed. NULL with a sentence in e: from is as it was. */
struct machine *machine_new(struct run *, struct plan *, struct machine *from, struct tw_err *);
/* Free what the other machine (or NULL) does not have, too. Its threads have ended. */
void machine_free(struct machine *, const struct machine *other);
/* Nothing came of its successor: make it ready to start again. */
int32_t machine_revive(struct machine *, struct tw_err *);
/* Start every thread that does not run. */
int32_t machine_start(struct machine *, struct tw_err *);
/* The pipeline has ended, or will not go on: those who help it end, too. */
void machine_dismiss(struct machine *);
void machine_join(struct machine *);
bool machine_sinks_over(const struct machine *);
bool machine_over(const struct machine *);
bool machine_has_source(const struct machine *, const struct run_source *);

/* ---- control.c ---- */
/* Start the machine and wait for the end. */
int32_t run_control(struct run *, struct tw_err *);
/* Sources stop; what they brought is judged, recorded and delivered. */
void run_stop(struct run *);
/* Something broke that nothing can go on without: end every loop after its current step. */
void run_abandon(struct run *);

/* ---- run.c ---- */
/* Between the end of the control loop and that of run_graph(): a store that is being closed is not interrupted, and a
 * run that has come to its end did not die of a signal. */
void run_hold_signals(void);

/* ---- summary.c ---- */
/* Add what a machine did. next: the one in its place, NULL when it was the last. */
void run_summary_add(struct run_summary *, const struct machine *, const struct machine *next);

#endif
