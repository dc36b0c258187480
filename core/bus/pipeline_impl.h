/* SPDX-License-Identifier: Apache-2.0
 *
 * Between pipeline.c (the step), sequencer.c (the order of events), keys.c, judge.c (levels and what comes of them),
 * order.c (the order of what is said) and checkpoint.c.
 */
#ifndef BUS_PIPELINE_IMPL_H
#define BUS_PIPELINE_IMPL_H

#include "bus/crew.h"
#include "bus/joins.h"
#include "bus/pipeline.h"

#define MAX_SOURCES_ON_TAPE 65535u

/* One source as the sequencer sees it. */
struct input {
	struct pump *pump;
	const struct graph_node *node;
	uint16_t tape_number;
	bool ended, finite;
	bool cut; /* ended before its end: what it would have brought next belongs before what others have now */
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
	uint32_t *keyspace_of; /* by detector */
	struct instance *instances;
	uint32_t n_instances;
	struct crew crew;

	struct input *inputs;
	uint32_t n_inputs;

	/* Alone, the first batch goes from one pointer to the next within a step. With several workers one batch may be
	 * judged while the other is filled, or is being put into commits. */
	struct batch batches[2];
	struct batch *filled, *judging, *judged;
	bool ahead;      /* several shards: batches keep copies of their events */
	bool memory_out; /* while filling */

	uint64_t seq;            /* of the last event */
	uint64_t alert;          /* number of the last record of the alert log */
	uint64_t logged_through; /* alerts up to this seq are in the log already */
	uint64_t letters_through; /* so are the dead letters of detectors: they go with the events, not with the alerts */
	uint64_t batch_seq;      /* events up to here are judged */
	uint64_t handed_seq;     /* handed over through here; without a tape: used up in the store */
	struct commit *commit;
	int32_t result;
	bool finished;

	/* detectors that are new, see joins.h */
	struct join *joins; /* by detector */
	bool joins_open;    /* some may not take part yet */
	bool joining;       /* somebody joins with this start, and it is not in the store yet */
	bool warming;       /* the reader is for them alone */
	bool join_handed;   /* the checkpoint that says so is under way */
	uint64_t as_of;     /* of the checkpoint that was restored */
	uint64_t next_cut;
	int64_t warm_began; /* monotonic */

	/* catching up with the own tape, or replaying a recording */
	struct log_reader *reader;
	uint64_t reader_end; /* last seq to read; UINT64_MAX: to the end */
	int64_t catch_up_began; /* monotonic */
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

	struct figures *figures; /* NULL: nobody asks */
	_Atomic bool pause;
	int64_t pause_by; /* monotonic; set before pause is */

	_Atomic uint64_t n_events, n_alerts, n_scores, n_dead;
	_Atomic int64_t event_time;
	_Atomic bool catching_up;
};

/* sequencer.c: decode what is there into the batch, up to o.batch events; without copies only to the end of a chunk. */
uint32_t sequencer_fill(struct pipeline *, struct batch *);
/* From the tape. Negative: damaged. 0: at the end. */
int32_t sequencer_replay(struct pipeline *, struct batch *);
bool sequencer_ended(const struct pipeline *);
/* Chunks that are used up go back: when there are copies of their events, or those are judged. Were there any? */
bool sequencer_release(struct pipeline *);
/* The host's clock event into the batch, if a second has passed. */
bool sequencer_clock(struct pipeline *, struct batch *);
int32_t sequencer_open_tape(struct pipeline *, struct store *, uint64_t from, uint64_t end, struct tw_err *);

/* keys.c: make the keyspaces, once it is known who joins. */
int32_t keys_make(struct pipeline *, uint32_t n_shards);
/* Keys of the keyspaces of this level, item by item. false: memory is out. */
bool keys_find(struct pipeline *, uint32_t level, struct items *);

/* judge.c: begin with the first level, whose keys are found. false: memory is out. */
bool judge_start(struct pipeline *, struct batch *);
/* Level after level. TW_AGAIN: workers are still at it. */
int32_t judge_go_on(struct pipeline *, struct batch *);
/* Alerts and dead letters into the commit. TW_AGAIN: no commit is free, call again. */
int32_t judge_finish(struct pipeline *, struct batch *, struct tw_err *);

/* order.c: what the shards said about the items of b->level goes to b->said. false: memory is out. */
bool said_order(struct pipeline *, struct batch *, const struct items *);

/* checkpoint.c */
struct snapshot *checkpoint_take(struct pipeline *);
int32_t checkpoint_restore(struct pipeline *, uint64_t *ret_seq, struct tw_err *);

/* figures.c: publish what detectors have counted, between two batches; now: even if it was done a moment ago. */
bool figures_new(struct pipeline *);
void figures_free(struct pipeline *);
void figures_publish(struct pipeline *, bool now);

/* handoff.c: has some source been told to stop? */
bool pipeline_stopping(const struct pipeline *);
/* May it stop here? */
bool pipeline_may_pause(const struct pipeline *);

/* The commit being filled; NULL: all are under way. */
struct commit *pipeline_commit(struct pipeline *);
/* The same, with room for more: one that has enough is handed over. */
bool pipeline_room(struct pipeline *);
/* Copy a dead letter into it. must: beyond the usual number too. false: it is full, or memory is out. */
bool pipeline_dead(struct pipeline *, const struct dead_letter *, bool must);
/* Nothing is filled, judged or left to finish: the keyspaces stand where the states do. */
static inline bool pipeline_still(const struct pipeline *p)
{
	return !p->filled && !p->judging && !p->judged;
}
/* The part of an instance that has the states of this key. */
struct share *pipeline_share(struct pipeline *, const struct instance *, const struct key *);

#endif
