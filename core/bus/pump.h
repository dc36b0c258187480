/* SPDX-License-Identifier: Apache-2.0
 *
 * A pump runs one source: polls it when the sequencer has given a chunk back, checks and encodes what it pushes, and
 * opens it again with a pause when the outside world failed.
 */
#ifndef BUS_PUMP_H
#define BUS_PUMP_H

#include "base/bell.h"
#include "bus/chunk.h"
#include "base/ring.h"
#include "event/event.h"
#include "ext/ext.h"
#include "graph/graph.h"

struct pump;

/* resume may be NULL; after: so many events and dead letters behind it are recorded already and are dropped when they
 * come again. wake: rung when there is something for the sequencer. */
struct pump *pump_new(const struct graph_node *, const struct tw_pos *resume, uint64_t after, struct bell *wake);
void pump_free(struct pump *);

/* What all instances of the run share; and the values its last mark stands beside. Before the first step. */
void pump_serve(struct pump *, struct services *);
struct kv *pump_values(struct pump *);

/* One poll. STEP_IDLE: no chunk is free or nothing came; STEP_DONE, STEP_FAILED: for good. [source] */
enum step pump_step(struct pump *, int32_t timeout_ms);
/* Stop polling: the next step says STEP_DONE. [any] */
void pump_stop(struct pump *);
bool pump_stopping(const struct pump *); /* it has been told to [any] */
struct bell *pump_bell(struct pump *); /* rung when a chunk has come back */
/* How long the owner of the thread should sleep when a step was idle. */
int32_t pump_pause_ms(const struct pump *);

bool pump_finite(const struct pump *);
bool pump_failed(const struct pump *); /* [any] */
const char *pump_name(const struct pump *);

/* The sequencer's side. */
struct chunk *pump_peek(struct pump *);      /* the oldest full chunk; NULL: none now */
void pump_give_back(struct pump *);          /* done with it */
bool pump_ended(struct pump *);              /* nothing will come any more */
bool pump_cut(const struct pump *);          /* it has ended because it was stopped, before its own end */
bool pump_starved(const struct pump *);      /* it has ended because memory was out */
/* Everything through pos is on the disk: the source is told on its own thread. */
void pump_ack(struct pump *, const struct tw_pos *);

struct pump_stats {
	uint64_t events, dead, skipped, waiting, done, total; /* waiting: full chunks; done of total: the source's own progress */
};
void pump_stats(const struct pump *, struct pump_stats *ret); /* [any] */

#endif
