/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline: the sequencer, which gives every event its place in the one order, and the workers behind it. Bytes go
 * forward only: chunk -> decoded batch -> detectors -> commit for the recorder.
 *
 * Order. Finite sources are merged by event time (equal times by their order in the configuration); live ones are taken
 * as they arrive. Everything behind the sequencer is a function of that order.
 *
 * Workers. Keys are dealt to shards; one thread - the pipeline's - may judge them all, or others may help it. Then the
 * next batch is filled, and the alerts of the last one encoded, while they judge. Results do not depend on it. Events may
 * be in a commit before they are judged; `complete` says how far that has come.
 *
 * After a start the pipeline first judges what the tape holds behind the last checkpoint; alerts that are logged already
 * come out again and are dropped.
 */
#ifndef BUS_PIPELINE_H
#define BUS_PIPELINE_H

#include "bus/pump.h"
#include "state/recorder.h"

struct pipeline;
struct death;

struct pipeline_options {
	const struct graph *graph;
	struct store *store;       /* where alerts and state go; also the tape, unless replaying */
	struct recorder *recorder;
	struct store *recording;   /* replay: read events from here, not from sources; NULL otherwise */
	struct bell *bell;         /* the pipeline's own */
	struct services *services; /* for the detectors; may be NULL */
	uint32_t batch;            /* 1..BATCH_MAX; 0: as suits the number of workers */
	uint32_t workers;          /* 1..MAX_WORKERS threads that judge, the pipeline's own among them */
	const struct death *deaths; /* of earlier runs on this store, see poison.h */
	uint32_t n_deaths;
	bool record;               /* put events on the tape */
	bool rebuild;              /* ignore the checkpoint */
	bool whole;                /* replay: detectors that joined later are judged from the first event on, too */
	bool figures;              /* somebody will ask pipeline_detector_now() */
	bool live;                 /* some source is live: clock events enter once a second */
	uint64_t until;            /* of a recording: the last event; 0: to its end */
	bool measure;              /* how long each detector takes: two looks at the clock per detector and batch */
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

/* ---- one pipeline in the place of another, see handoff.c ---- */
/* Stop at the boundary of a batch, once what stopped sources brought is judged, or at the deadline (monotonic): hand
 * over a last commit with a checkpoint and say STEP_DONE. Sources that have not been stopped go on being polled; what
 * they bring waits in their chunks. Not while it is catching up with the tape. [any] */
void pipeline_pause(struct pipeline *, int64_t deadline);
/* It stands still, and its recorder has ended. Nothing came of its successor: go on with another recorder. [control] */
void pipeline_go_on(struct pipeline *, struct recorder *);
/* A source of it that was stopped is polled by another pump, from its recorded position. [control] */
int32_t pipeline_replace(struct pipeline *, uint32_t source, struct pump *, struct tw_err *);
/* A new pipeline, restored from the checkpoint of one that stands still: go on with its clock. [control] */
void pipeline_follow(struct pipeline *, const struct pipeline *before);
/* In the place of pipeline_add(): the source goes on where that one is, in the middle of a chunk, too. [control] */
void pipeline_adopt(struct pipeline *, const struct pipeline *before, uint32_t source, const struct graph_node *);

struct pipeline_stats {
	uint64_t events, alerts, scores, dead, seq;
	int64_t event_time;
	bool catching_up;
};
void pipeline_stats(const struct pipeline *, struct pipeline_stats *ret); /* [any] */

/* The other threads that judge: numbers from 1 below the number of workers. They may be fewer, even none, and start and
 * end when they like: what they do not judge the pipeline does. */
struct worker;
struct worker *pipeline_worker(struct pipeline *, uint32_t number);
struct bell *pipeline_worker_bell(struct pipeline *);

/* For the closing table and metrics; only when the pipeline stands still. */
struct detector_stats {
	uint64_t events, alerts, scores, quiet, warming, unkeyed, errors;
	uint64_t busy_ns; /* processor time in the worker, finding the states of its keys included; 0 unless measured */
	uint64_t counters[32]; /* of the plugin */
	bool quarantined;
};
void pipeline_detector(const struct pipeline *, uint32_t detector, struct detector_stats *ret);
/* The same while it works, at most a quarter of a second old; zeros without the option figures. [any] */
void pipeline_detector_now(const struct pipeline *, uint32_t detector, struct detector_stats *ret);
const struct intern *pipeline_names(const struct pipeline *);

#endif
