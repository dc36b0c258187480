/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker runs detectors over a batch, level by level, to completion: state look-up, the call into the plugin once a
 * batch, timers, and the list of what was said. It neither blocks nor allocates per event.
 */
#ifndef BUS_WORKER_H
#define BUS_WORKER_H

#include "bus/timers.h"
#include "event/event.h"
#include "graph/graph.h"
#include "state/keyspace.h"

#define BATCH_EVENTS 256u
#define MAX_OUTS 65536u /* what detectors may say about one batch */

/* The events one level looks at, in order. */
struct items {
	uint32_t n, cap;
	const struct tw_event **ev;
	uint32_t *symbol, *account; /* interned, 0 = absent */
	uint32_t **key;             /* [keyspace][item] */
	uint32_t n_keyspaces;
};

/* Something a detector said: an alert or a score. Sorted by seq, instance, due, names of the key, ordinal. */
struct out {
	uint64_t seq;
	uint32_t instance, ordinal; /* instance: number of the detector; ordinal: set by outs_order() */
	int64_t due;                /* of a timer; INT64_MAX when said about an event */
	uint32_t n;                 /* in order of saying */
	uint32_t symbol, account;
	bool logged;                /* goes to the alert log */
	struct tw_event *ev;
};

struct outs {
	struct out *list;
	uint32_t n, cap;
	struct arena arena; /* events and their texts, until the batch is finished */
};

/* One detector instance as a worker sees it. */
struct instance {
	struct tw_ctx ctx; /* first: host calls come back with it */
	struct worker *worker;
	const struct graph_node *node;
	const struct tw_detector *detector;
	struct tw_host host;
	uint32_t number, keyspace, kinds;
	uint16_t *allowed;      /* kinds by number of the node they come from */
	uint8_t *symbol_pass, *account_pass; /* where: 0 unknown, 1 passes, 2 does not; by interned number */
	uint32_t symbol_known, account_known;
	bool heard;             /* somebody listens to its scores */
	struct table table;
	struct timers timers;
	int64_t now;            /* event time, for timers */
	/* the sub-batch being judged */
	uint32_t n_subset;
	const struct tw_event *evs[BATCH_EVENTS];
	void *states[BATCH_EVENTS];
	struct slot *slots[BATCH_EVENTS];
	uint64_t seen[BATCH_EVENTS];
	uint32_t at[BATCH_EVENTS]; /* item of each */
	struct slot *timer_slot;
	int64_t timer_due;
	/* errors within a minute of event time */
	int64_t error_minute;
	uint64_t errors_now;
	bool quarantined;
	/* metrics */
	uint64_t events, alerts, scores, quiet, warming, unkeyed, errors;
	uint64_t counters[32];
};

/* An event a detector failed on. */
struct failure {
	const struct tw_event *ev;
	const struct instance *instance;
	int32_t code;
};

struct worker {
	const struct graph *graph;
	struct intern *intern;
	struct keyspace *keyspaces;
	uint32_t n_keyspaces;
	struct instance *instances;
	uint32_t n_instances;
	struct outs outs;
	const struct items *items; /* of the level being judged */
	uint64_t seq_now;          /* seq of the event that moves time */
	struct failure *failures;
	uint32_t n_failures;
	bool memory_out;
};

/* keyspaces are the pipeline's, shared. TW_OK or TW_E_*. */
int32_t worker_init(struct worker *, const struct graph *, struct intern *, struct keyspace *, uint32_t n_keyspaces,
                    struct tw_err *);
void worker_free(struct worker *);

/* Judge the items with the detectors of a level; what they say is added to outs. */
void worker_run(struct worker *, uint32_t level, const struct items *);
/* Put what was said from index `from` on in order and number it. */
void outs_order(struct outs *, uint32_t from, const struct intern *);

/* ---- between worker.c and calls.c ---- */
void instance_calls(struct instance *); /* fill in host: what a detector may call */

#endif
