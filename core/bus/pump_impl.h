/* SPDX-License-Identifier: Apache-2.0
 *
 * Between pump.c (the loop) and writer.c (what a source pushes into).
 */
#ifndef BUS_PUMP_IMPL_H
#define BUS_PUMP_IMPL_H

#include "base/callctx.h"
#include "bus/pump.h"
#include "ext/kv.h"

struct pump {
	struct ring full, free;
	const struct graph_node *node;
	const struct tw_source *source;
	struct call call; /* while the plugin runs */
	struct tw_host host;
	struct ext *ext;
	struct tw_writer writer;
	struct bell bell, *wake;
	struct chunk chunks[CHUNKS], *current;
	bool finite, open, over, ending, giving_up, resumed, memory_out, ended, starved, cut;

	struct tw_pos pos;   /* of the last mark */
	uint64_t since_mark; /* events and dead letters pushed after it */
	uint64_t drop;       /* so many come again and are recorded already */
	uint64_t good, bad;  /* rows, for max_bad */
	uint64_t skipped_now;
	struct buf foreign;

	int32_t pause_ms, attempts;
	int64_t not_before; /* monotonic */
	_Atomic bool stop, failed, ack_new;
	pthread_mutex_t ack_lock, wake_lock; /* of what follows */
	struct tw_pos ack_pos;
	bool may_wake;
	_Atomic uint64_t events, dead, skipped, done_units, total_units;
};

void pump_writer_init(struct pump *);

#endif
