/* SPDX-License-Identifier: Apache-2.0
 *
 * Who judges: detector instances, and shards, which are the instances' states for a part of all keys. Keys fall into
 * 1024 buckets by their texts and buckets into shards; a shard is judged by one thread at a time, which needs nothing
 * but the shard, the batch and a desk to work at. There are a few shards per worker, so that a worker that is done
 * early can help.
 */
#ifndef BUS_SHARD_H
#define BUS_SHARD_H

#include "base/callctx.h"
#include "bus/batch.h"
#include "bus/timers.h"
#include "ext/ext.h"
#include "graph/graph.h"
#include <stdatomic.h>

#define CALL_EVENTS 256u /* events a plugin gets at once, at most */
#define MAX_SAID 1024u   /* alerts and scores of one detector about one event or timer */

/* What is known about names and a list of globs, by interned number: 0 nothing yet, 1 passes, 2 does not. */
struct pass {
	_Atomic uint8_t *known;
	uint32_t n;
};

/* A detector of the configuration. While a level is judged, workers only read it. */
struct instance {
	const struct graph *graph;
	const struct graph_node *node;
	const struct tw_detector *detector;
	struct intern *intern;
	struct tw_host host;
	struct ext *ext;
	uint32_t number, keyspace;
	uint32_t home;     /* without a key: the shard that has its one state; else UINT32_MAX */
	uint32_t kinds;    /* it wants, of anybody */
	uint16_t *allowed; /* kinds by number of the node they come from */
	struct pass symbol_pass, account_pass;
	bool heard;        /* somebody listens to its scores */
	bool measured;     /* add up how long it takes */
	int64_t now;       /* event time, for timers: the highest ts of what it has been shown */
	/* errors within a minute of event time, counted in the order of events */
	int64_t error_minute;
	uint64_t errors_now;
	uint32_t cut;      /* failed for good on this item of the level being put in order; else UINT32_MAX */
	bool quarantined;
	bool absent; /* in this batch: it has not joined yet, or others are warmed */
	struct poison *poison; /* what it is not shown, see poison.h; NULL: it has never killed anybody */
	uint64_t alerts, errors;
};

/* Where one thread gathers what it hands to a plugin. */
struct desk {
	const struct tw_event *evs[CALL_EVENTS];
	void *states[CALL_EVENTS];
	struct slot *slots[CALL_EVENTS];
	uint64_t seen[CALL_EVENTS];
	uint32_t at[CALL_EVENTS]; /* item of each */
};

/* One instance's part of a shard. */
struct share {
	struct tw_ctx ctx; /* first: host calls come back with it */
	struct call call;  /* while the plugin runs */
	struct instance *instance;
	struct table table;
	struct timers timers;
	/* while it is judged */
	const struct items *items;
	struct voice *voice;
	struct desk *desk;
	uint32_t n_subset, first;   /* on the desk; first: the one that is ctx.i = 0 */
	uint32_t looked;            /* timers have been looked at before this item */
	uint32_t at_now;            /* item that moved time, inside a timer */
	struct slot *timer_slot;
	int64_t timer_due;
	uint32_t said_at, said;     /* how often about this item, or timer */
	/* metrics */
	uint64_t events, scores, quiet, warming, unkeyed, timer_errors;
	uint64_t busy_ns;
	uint64_t counters[32];
};

struct shard {
	_Alignas(64) _Atomic uint32_t claimed; /* round in which a thread took it last, see crew.h */
	uint32_t number;
	struct share *shares; /* by instance */
};

/* Instances of the graph's detectors, with their plugins open. */
/* keyspace_of: by number of the detector. */
int32_t instances_new(const struct graph *, struct services *, struct intern *, const uint32_t *keyspace_of,
                      uint32_t n_shards, struct instance **ret, uint32_t *ret_n, struct tw_err *);
void instances_free(struct instance *, uint32_t n);
/* Room for all names there are now, so that workers need not make any. */
bool instance_names(struct instance *);

int32_t shard_init(struct shard *, uint32_t number, struct instance *, uint32_t n_instances);
void shard_free(struct shard *, uint32_t n_instances);
/* Forget all states of an instance. */
void share_clear(struct share *);

/* Judge what of these items is the shard's, with the detectors of a level. [worker] */
void shard_judge(struct shard *, struct desk *, struct instance *, uint32_t n_instances, uint32_t level,
                 const struct items *, struct voice *);

/* ---- between worker.c and calls.c ---- */
extern const struct tw_host shard_host; /* what a detector may call */

#endif
