/* SPDX-License-Identifier: Apache-2.0
 *
 * Between pipeline.c (the step), sequencer.c (the order), judge.c (levels and what comes of them) and checkpoint.c.
 */
#ifndef BUS_PIPELINE_IMPL_H
#define BUS_PIPELINE_IMPL_H

#include "bus/pipeline.h"

#define MAX_SOURCES_ON_TAPE 65535u
#define EVENT_ROOM 256u /* bytes of a decoded event, at most */

/* One source as the sequencer sees it. */
struct input {
	struct pump *pump;
	const struct graph_node *node;
	uint16_t tape_number;
	bool ended, finite;
	/* place in the current chunk */
	size_t byte;
	uint32_t event, dead;
	bool used_up; /* the chunk goes back once the batch is judged */
	/* recorded with the next commit */
	struct position position;
	bool moved;
};

struct pipeline {
	struct pipeline_options o;
	const struct graph *graph;
	struct intern *intern;
	struct keyspace *keyspaces;
	uint32_t *keyspace_kinds;
	uint32_t n_keyspaces;
	struct worker worker;

	struct input *inputs;
	uint32_t n_inputs;

	struct items base, merged;
	unsigned char *room; /* decoded events of the batch, packed */
	size_t room_used;
	struct arena scratch; /* their details and features */

	uint64_t seq;            /* of the last event */
	uint64_t alert;          /* number of the last record of the alert log */
	uint64_t logged_through; /* alerts up to this seq are in the log already */
	uint64_t batch_seq;      /* events up to here are judged */
	uint64_t handed_seq;     /* without a tape: numbers up to here are used up in the store */
	struct commit *commit;
	int32_t result;
	bool finished;

	/* catching up with the own tape, or replaying a recording */
	struct log_reader *reader;
	uint64_t reader_end; /* last seq to read; UINT64_MAX: to the end */
	struct block block;
	size_t block_at;
	uint32_t *node_of; /* by source number on that tape; graph->n: nobody */
	uint32_t n_node_of;

	int64_t next_clock, next_checkpoint; /* wall; monotonic */
	uint16_t clock_number;
	bool clock_named;
	unsigned char clock_bytes[256];

	uint32_t names_saved; /* interned names that are in a checkpoint */
	bool whole;           /* the next checkpoint replaces everything */
	uint64_t checkpoint_seq;

	_Atomic uint64_t n_events, n_alerts, n_scores, n_dead;
	_Atomic int64_t event_time;
	_Atomic bool catching_up;
};

/* sequencer.c: decode up to o.batch events into base; stops early at the end of a chunk. */
uint32_t sequencer_fill(struct pipeline *);
/* From the tape. Negative: damaged. 0: at the end. */
int32_t sequencer_replay(struct pipeline *);
bool sequencer_ended(const struct pipeline *);
/* Chunks whose last event has been judged go back. Were there any? */
bool sequencer_release(struct pipeline *);
/* The host's clock event into base, if a second has passed. */
bool sequencer_clock(struct pipeline *);
int32_t sequencer_open_tape(struct pipeline *, struct store *, uint64_t from, uint64_t end, struct tw_err *);

/* judge.c: all levels over base; alerts and dead letters into the commit. */
int32_t judge(struct pipeline *, struct tw_err *);
int32_t items_room(struct items *, uint32_t n, uint32_t n_keyspaces);
void items_free(struct items *);
void items_add(struct items *, const struct tw_event *);

/* checkpoint.c */
struct snapshot *checkpoint_take(struct pipeline *);
int32_t checkpoint_restore(struct pipeline *, uint64_t *ret_seq, struct tw_err *);

/* The commit being filled; NULL: all are under way. */
struct commit *pipeline_commit(struct pipeline *);
/* Copy a dead letter into it. */
bool pipeline_dead(struct pipeline *, const struct dead_letter *);

#endif
