/* SPDX-License-Identifier: Apache-2.0
 *
 * The recorder is the one writer of the store. The pipeline hands it commits - events, what they caused, and now and
 * then a checkpoint - and it makes them durable in that order, as many at once as are waiting. Nothing is visible to a
 * sink, and nothing is acknowledged to a source, before its commit has returned.
 */
#ifndef STATE_RECORDER_H
#define STATE_RECORDER_H

#include "base/bell.h"
#include "base/ring.h"
#include "state/store.h"

#define COMMITS 16u                /* under way; a power of two */
#define COMMIT_BYTES (512u * 1024u) /* of events or alerts, after which a commit is handed over; a block fits the cache */
#define COMMIT_DEAD 4096u

/* Values of a checkpoint, copied out of the live state at a batch boundary. */
struct snapshot {
	uint64_t seq;
	bool whole;
	struct buf note;
	struct buf bytes;
	struct state_value *values; /* data: offsets into bytes until the recorder turns them into pointers */
	uint64_t n, cap;
	int64_t stall; /* ns that judging stood still for it */
};

struct commit {
	uint64_t first_seq;
	uint32_t n_events;
	struct buf events;
	uint64_t first_alert;
	uint32_t n_alerts;
	struct buf alerts;
	uint64_t complete; /* every event through here has been judged */
	struct position *positions; /* by number of the source; source NULL: unchanged */
	uint32_t n_positions;
	struct dead_letter *dead;
	uint32_t n_dead, cap_dead; /* cap_dead: 0 means COMMIT_DEAD */
	struct source_value *values; /* of sources, put before the marks in positions; their bytes are in texts */
	uint32_t n_values, cap_values;
	uint64_t value_bytes;
	struct arena texts;
	struct snapshot *snapshot; /* NULL: none; the recorder frees it */
	bool last;                 /* nothing comes after it */
};

struct recorder;
/* A sink for which the limits of retention are reached holds the sources back, until it has caught up. [any] */
bool recorder_held(const struct recorder *);

/* wake: rung when a commit has come back or more has become durable. store NULL: commits vanish (benchmarks). */
struct recorder *recorder_new(struct store *, uint32_t n_sources, struct bell *wake);
void recorder_free(struct recorder *);

/* What may be given up, and when; cursors are left out, the recorder knows its sinks. ends: the run ends by itself, so
 * sources do not wait for a sink that has given up. Before the first step. */
void recorder_retention(struct recorder *, const struct retention *, bool ends);

/* Called on the recorder's thread for each position that has become durable; index: as in commit.positions. Set it
 * before the first step. */
void recorder_on_durable(struct recorder *, void (*durable)(void *arg, uint32_t index, const struct position *), void *arg);

/* The pipeline's side. */
struct commit *recorder_take(struct recorder *); /* an empty commit, or NULL: all are under way, wait for the bell */
void recorder_hand(struct recorder *, struct commit *);
bool recorder_idle(const struct recorder *);     /* nothing waits: handing over now costs no delay */

/* All that was handed over is durable, its checkpoint too; taken: the caller holds a commit. */
bool recorder_at_rest(const struct recorder *, bool taken);

/* One group of commits. STEP_DONE after the last one and the last cursors. [recorder] */
enum step recorder_step(struct recorder *);
struct bell *recorder_bell(struct recorder *);
int32_t recorder_result(const struct recorder *); /* TW_OK, or what store.h said when it failed */

/* The last commit is durable: no record will follow. [any] */
bool recorder_last_durable(const struct recorder *);
/* Durable so far. [any] */
uint64_t recorder_durable_seq(const struct recorder *);
uint64_t recorder_durable_alert(const struct recorder *);

struct recorder_stats {
	uint64_t commits; /* durable */
	uint32_t waiting; /* handed over, not durable */
};
void recorder_stats(const struct recorder *, struct recorder_stats *ret); /* [any] */

/* Sinks: register before the first step; then move the cursor. recorder_sink() returns the number of the sink. */
/* It has given up and will not fetch anything: [sink] */
void recorder_sink_gone(struct recorder *, uint32_t sink);
uint32_t recorder_sink(struct recorder *, const char *name, struct bell *wake, uint64_t start);
void recorder_cursor(struct recorder *, uint32_t sink, uint64_t record); /* [sink] */
/* A record that a sink refused for good. Copied. [sink] */
int32_t recorder_refused(struct recorder *, const struct dead_letter *);
/* Some of those are not durable yet. [any] */
bool recorder_refused_waits(const struct recorder *);
/* No sink will move its cursor any more: the recorder may finish. [any] */
void recorder_sinks_done(struct recorder *);

void snapshot_free(struct snapshot *);
/* Append a value; data NULL deletes it. false: memory is out. */
bool snapshot_add(struct snapshot *, uint32_t space, uint32_t key, const void *data, uint32_t len);

#endif
