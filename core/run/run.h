/* SPDX-License-Identifier: Apache-2.0
 *
 * Running a planned graph: open the store, catch up, start a thread for every loop, and wait in libev for the end or a
 * signal. SIGINT and SIGTERM drain: sources stop, what they brought is judged, recorded and delivered. A second one
 * ends the process at once; the store is sound at any moment. SIGHUP reloads the configuration, see reload.h.
 */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include "graph/graph.h"
#include "state/store.h"

struct run_options {
	const struct graph *graph;
	const char *dir;       /* of the store */
	const char *recording; /* replay this tape instead of opening sources; NULL: run */
	const char *const *config; /* files and folders of the graph, for a reload; n_config 0: it cannot be reloaded */
	uint32_t n_config;
	bool no_tape, rebuild;
	bool whole;            /* of a recording: see pipeline.h */
	bool takeover;         /* ask the process that has the store to stop, and go on in its place */
	bool scratch;          /* dir goes when the run is over: nothing is forced to the disk */
	bool progress;         /* a bar on stderr, if the run has an end */
	uint32_t batch;        /* 0: as configured */
	uint32_t workers;      /* threads that judge; 0: as configured */
	uint64_t until;        /* replay: the last event that is judged; 0: all of the tape */
	bool measure;          /* how long each detector takes */
};

struct run_detector {
	char *name;
	uint64_t events, alerts, quiet, warming, scores, unkeyed, errors;
	uint64_t busy_ns; /* with run_options.measure, see struct detector_stats */
	const char *const *counter_names; /* of the plugin, NULL-terminated, or NULL */
	uint64_t counters[32];
	bool quarantined;
};

struct run_summary {
	uint64_t events, alerts, dead, skipped;
	double seconds;
	uint64_t peak_memory; /* bytes of resident memory */
	struct run_detector *detectors; /* of every configuration there was, by name */
	uint32_t n_detectors;
	bool source_failed, sink_failed, interrupted;
};

/* A reload that is asked for before there is anything to reload waits until there is. For whoever prepares a run that
 * can be reloaded; run_graph() does it, too. [control] */
void run_hold_reloads(void);

/* Run to the end. Returns TW_OK, or a negative code of plugin.h or store.h with a sentence in e; sources and sinks that
 * gave up are in the summary. [control] */
int32_t run_graph(const struct run_options *, struct run_summary *ret, struct tw_err *e);
void run_summary_free(struct run_summary *);
/* The closing lines for people. */
void run_summary_print(const struct run_summary *, FILE *);

#endif
