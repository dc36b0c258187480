/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivery: one sink as a cursor over the alert log. It reads what is committed, hands over what the sink wants, and
 * moves the cursor once the sink has it safe. A sink that fails is offered the same records again after a pause; while
 * sources are live it is never given up, in a run that ends only after a number of attempts.
 */
#ifndef RUN_DELIVERY_H
#define RUN_DELIVERY_H

#include "ext/ext.h"
#include "graph/graph.h"
#include "state/recorder.h"

struct delivery;

/* start: the record after which delivery begins; known: it is the sink's cursor, so all behind it is for the sink. ends:
 * the run comes to an end by itself, and may not wait for a sink for ever. */
struct delivery *delivery_new(const struct graph *, const struct graph_node *sink, struct store *, struct recorder *,
                              uint64_t start, bool known, bool ends, struct tw_err *);
void delivery_free(struct delivery *);
/* What all instances of the run share. Before the first step. */
void delivery_serve(struct delivery *, struct services *);

/* Up to one batch of records. STEP_DONE: all records are delivered and none will follow. [sink] */
enum step delivery_step(struct delivery *);
struct bell *delivery_bell(struct delivery *);
int32_t delivery_pause_ms(const struct delivery *); /* after STEP_IDLE */
/* Its sink is changed or removed by a reload: deliver what is there, at most until deadline (monotonic), and end. One
 * that is failing ends at once; what it has not delivered waits behind its cursor. [any] */
void delivery_leave(struct delivery *, int64_t deadline);
/* It has ended, for good or ill. Only while its thread stands still. */
bool delivery_over(const struct delivery *);
/* The thread stands still and all cursors are on the disk: go on under another recorder, for the node that is the
 * sink's in another graph. The sink itself stays open as it is. [control] */
void delivery_move(struct delivery *, const struct graph *, const struct graph_node *, struct recorder *);
/* The run is ending: give up after a few attempts instead of never. [any] */
void delivery_hurry(struct delivery *);

struct delivery_stats {
	uint64_t delivered, refused, attempts, cursor;
};
void delivery_stats(const struct delivery *, struct delivery_stats *ret); /* [any] */

#endif
