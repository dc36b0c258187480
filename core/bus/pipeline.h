/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline: the sequencer, which gives every event its place in the one order, and the worker behind it. Bytes go
 * forward only: chunk -> decoded batch -> detectors -> commit for the recorder.
 *
 * Order. Finite sources are merged by event time (equal times by their order in the configuration); live ones are taken
 * as they arrive. Everything behind the sequencer is a function of that order.
 *
 * After a start the pipeline first judges what the tape holds behind the last checkpoint; alerts that are logged already
 * come out again and are dropped.
 */
#ifndef BUS_PIPELINE_H
#define BUS_PIPELINE_H

#include "bus/pump.h"
#include "bus/worker.h"
#include "state/recorder.h"

struct pipeline;

struct pipeline_options {
	const struct graph *graph;
	struct store *store;       /* where alerts and state go; also the tape, unless replaying */
	struct recorder *recorder;
	struct store *recording;   /* replay: read events from here, not from sources; NULL otherwise */
	struct bell *bell;         /* the pipeline's own */
	uint32_t batch;            /* 1..BATCH_EVENTS */
	bool record;               /* put events on the tape */
	bool rebuild;              /* ignore the checkpoint */
	bool live;                 /* some source is live: clock events enter once a second */
};

struct pipeline *pipeline_new(const struct pipeline_options *, struct tw_err *);
void pipeline_free(struct pipeline *);

/* Where a source goes on: its recorded position. TW_AGAIN: from its beginning. */
int32_t pipeline_resume(struct pipeline *, const struct graph_node *source, struct position *ret, struct tw_err *);
/* Add a source's pump, in the order of the configuration. */
int32_t pipeline_add(struct pipeline *, struct pump *, const struct graph_node *source, struct tw_err *);

/* One batch, or what there is. STEP_IDLE: wait for the bell (or a second, when live). STEP_DONE: everything that came
 * has been judged and handed over with a last checkpoint. [worker] */
enum step pipeline_step(struct pipeline *);
/* Why it failed, after STEP_FAILED. */
int32_t pipeline_result(const struct pipeline *);

struct pipeline_stats {
	uint64_t events, alerts, scores, dead, seq;
	int64_t event_time;
	bool catching_up;
};
void pipeline_stats(const struct pipeline *, struct pipeline_stats *ret); /* [any] */
/* For the closing table and metrics; only when the pipeline stands still. */
const struct instance *pipeline_instance(const struct pipeline *, uint32_t detector);
const struct intern *pipeline_names(const struct pipeline *);

#endif
