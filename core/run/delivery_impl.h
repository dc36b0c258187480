/* SPDX-License-Identifier: Apache-2.0
 *
 * Between delivery.c (the step) and place.c (where delivery goes on, and what is written down about records that the
 * sink will not get). All of it belongs to the sink's thread.
 */
#ifndef RUN_DELIVERY_IMPL_H
#define RUN_DELIVERY_IMPL_H

#include "base/callctx.h"
#include "run/delivery.h"
#include <stdatomic.h>

#define BATCH_RECORDS 256u

struct delivery {
	const struct graph *graph;
	const struct graph_node *node;
	const struct tw_sink *sink;
	struct call call; /* while the plugin runs */
	void *self;       /* of the node it was opened for; after a reload node is another one */
	struct recorder *recorder;
	struct store *store;
	struct tw_host host;
	struct ext *ext;
	struct bell bell;
	struct log_reader *reader;
	struct intern *names; /* the sink's own: scores name symbols by number */
	struct arena scratch;
	uint32_t number;
	bool open, ended, failed;
	bool ends; /* the run comes to an end by itself */
	uint64_t first_kept; /* of the alert log, when delivery began; 0: it has a cursor, so that all before was for it */

	struct block block;
	size_t at;
	uint64_t record; /* the last one looked at */
	/* decoded, not yet accepted */
	const struct tw_event *pending[BATCH_RECORDS];
	uint64_t numbers[BATCH_RECORDS]; /* their records */
	unsigned char *room;
	uint32_t n, accepted;

	/* dead letters of records behind the cursor, of earlier runs too */
	uint64_t *letters;
	uint32_t n_letters, cap_letters;
	bool letters_read;

	int32_t attempts, pause_ms;
	int64_t not_before;
	_Atomic bool hurry;
	_Atomic int64_t leave_by; /* 0: stays */
	_Atomic uint64_t delivered, refused, all_attempts, cursor;
};

/* ---- place.c ---- */
/* After open(): go on behind the cursor that the sink keeps with its data. TW_OK; TW_AGAIN or TW_E_IO: try later;
 * otherwise it cannot go on. */
int32_t place_open(struct delivery *, struct tw_err *);
/* Before flush(): hand the cursor to a sink that keeps it. TW_AGAIN with an empty sentence: not yet. */
int32_t place_mark(struct delivery *, uint64_t record, struct tw_err *);
/* Records from the next one up to before `first` are given up: say so and go on there. TW_AGAIN: not yet. */
int32_t place_skip(struct delivery *, uint64_t first, struct tw_err *);
/* A dead letter about a record, once, however often it is offered again. TW_AGAIN: not yet. */
int32_t place_letter(struct delivery *, uint64_t record, struct dead_letter *, struct tw_err *);
/* The cursor has moved. */
void place_passed(struct delivery *);

#endif
