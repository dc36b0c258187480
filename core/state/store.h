/* SPDX-License-Identifier: Apache-2.0
 *
 * The store: everything that outlives the process, and the only room that knows LMDB.
 *
 *   DIR/LOCK             flock of the writing process, with its pid
 *   DIR/state.lmdb       alert log, sink cursors, checkpoints, meta
 *   DIR/tape/NNNNNN.tape a segment: events, dead letters, positions, meta. Copied elsewhere it is still a recording
 *
 * Three logs share one form: blocks of records under the number of their first record, each block with its own header
 * and checksum (XXH3, 64 bits). Records are numbered from 1. The tape's numbers are the events' sequence numbers.
 *
 * Order of durability: store_commit_tape() first, then store_commit_alerts() for what those events caused, then
 * checkpoints as of a sequence number that both have passed. Each is one LMDB transaction; no promise spans two.
 *
 * One thread writes (the recorder); readers of any thread and process are welcome at any time and hold no read
 * transaction longer than one call. Folder 0700, files 0600. Default LMDB flags only, unless sync says otherwise.
 */
#ifndef STATE_STORE_H
#define STATE_STORE_H

#include "base/buf.h"
#include <stdbool.h>
#include <tapewatch/plugin.h>

enum store_mode { STORE_READ, STORE_WRITE };
enum store_sync { SYNC_ALWAYS, SYNC_INTERVAL, SYNC_OFF };

struct store_options {
	enum store_sync sync;
	int64_t sync_interval; /* ns, for SYNC_INTERVAL */
	uint64_t segment_size; /* bytes of events after which a segment rolls; 0: 256 MiB */
	bool no_tape;          /* record positions, dead letters and alerts, but no events */
	uint64_t first;        /* number of the first event of a store that is made now; 0: 1 */
};

/* Results beyond TW_E_*: callers turn them into the exit code 4 or into back-pressure. */
enum {
	STORE_FULL = 100,     /* disk or map full: nothing was written, try again later (not an error: > 0) */
	STORE_E_LOCKED = -100,  /* another process has it */
	STORE_E_DAMAGED = -101, /* what was read is not what was written */
	STORE_E_FATAL = -102    /* a failed fsync: never retried; the process must end */
};

struct store;
/* dir: a store; with STORE_READ also one segment file, or a folder of segments, as a bare recording. */
int32_t store_open(struct store **ret, const char *dir, enum store_mode, const struct store_options *, struct tw_err *);
void store_close(struct store *);
bool store_exists(const char *dir);

const char *store_tape_id(const struct store *); /* 32 hex digits, random, made with the store */
uint64_t store_last_seq(const struct store *);   /* of the last event committed; 0: none */
uint64_t store_last_alert(const struct store *); /* number of the last record of the alert log */
uint64_t store_complete(const struct store *);   /* alerts are complete through this sequence number */

/* ---- tape ----
 * A record of a tape block is u16 source, u16 length (little-endian), then the canonical event with its seq. */
struct block {
	uint64_t first; /* number of the first record */
	uint32_t count;
	const unsigned char *bytes; /* records back to back */
	size_t len;
};

struct position { /* where a source goes on, as of the commit it came with */
	const char *source; /* instance name */
	struct tw_pos pos;  /* the last mark */
	uint64_t after;     /* so many events and dead letters behind that mark are recorded too: they are dropped when the
	                       source offers them again */
	bool marked;        /* false: it has never marked a position; pos means nothing, after counts from its beginning */
};

struct dead_letter {
	int64_t wall; /* when, ns */
	uint64_t seq; /* last event on the tape before it, or the event it is about */
	struct tw_str source, reason, where, detail, raw; /* source: instance; raw at most 64 KiB */
};

/* A small value that a source keeps, committed with its position; see tapewatch/ext/kv.h. */
struct source_value {
	const char *source, *name; /* terminated */
	const void *data;          /* NULL: removed */
	uint64_t len;
};

struct tape_commit {
	const struct block *blocks;
	uint32_t n_blocks;
	const struct position *positions;
	uint32_t n_positions;
	const struct dead_letter *dead;
	uint32_t n_dead;
	const struct source_value *values; /* in the order they were put: later ones replace earlier ones */
	uint32_t n_values;
};

/* Sources are numbered in the segments by first use; the number for a name, made on demand (0..65534). [recorder] */
int32_t store_source(struct store *, const char *name, uint16_t *ret, struct tw_err *);
const char *store_source_name(const struct store *, uint16_t number); /* NULL if unknown */

/* One transaction. TW_OK, STORE_FULL, or negative. Rolls the segment before it when that is due. [recorder] */
int32_t store_commit_tape(struct store *, const struct tape_commit *, struct tw_err *);
/* The recorded position of a source: TW_OK, TW_AGAIN when there is none. [any] */
int32_t store_position(struct store *, const char *source, struct position *ret, struct tw_err *);

/* The values of a source, in the order of their names, as of the commit of its position. [any] */
int32_t store_values(struct store *, const char *source,
                     int32_t (*each)(void *arg, const struct source_value *, struct tw_err *), void *arg, struct tw_err *);

/* ---- alert log ----
 * A record is u32 length (little-endian), then a canonical event of kind alert or score. */
struct cursor { const char *sink; uint64_t record; };
struct alert_commit {
	const struct block *blocks;
	uint32_t n_blocks;
	uint64_t complete;             /* new store_complete(); lower than before: no news */
	const struct cursor *cursors;  /* sinks have delivered through these records */
	uint32_t n_cursors;
};
int32_t store_commit_alerts(struct store *, const struct alert_commit *, struct tw_err *);
int32_t store_cursor(struct store *, const char *sink, uint64_t *ret, struct tw_err *); /* TW_AGAIN: none yet */
/* Every cursor, in order of the names. */
int32_t store_cursors(struct store *, int32_t (*each)(void *arg, const struct cursor *, struct tw_err *), void *arg,
                      struct tw_err *);
/* Give the cursor of a sink another name, or with to NULL forget it. TW_AGAIN: there is none. One transaction. */
int32_t store_move_cursor(struct store *, const char *sink, const char *to, struct tw_err *);
uint64_t store_first_alert(struct store *); /* number of the first record that was not given up yet; 1 when none was */

/* ---- checkpoints ----
 * A checkpoint is a set of values under (space, key); a delta replaces some and deletes some. Each value carries a
 * checksum that is verified when it is read. Meaning is the caller's. */
struct state_value {
	uint32_t space, key;
	const void *data; /* NULL: delete */
	uint32_t len;
};
struct checkpoint {
	uint64_t seq;               /* as of: every event through seq has been judged */
	const char *note;           /* config digest and the like, for people and checks; terminated */
	bool whole;                 /* forget all earlier values first */
	const struct state_value *values;
	uint64_t n;
};
int32_t store_commit_checkpoint(struct store *, const struct checkpoint *, struct tw_err *);
/* TW_AGAIN: there is none. Calls each(arg, value) in order of space and key. */
int32_t store_read_checkpoint(struct store *, uint64_t *ret_seq, struct buf *ret_note,
                              int32_t (*each)(void *arg, const struct state_value *, struct tw_err *), void *arg,
                              struct tw_err *);

/* One value of the newest checkpoint, appended to ret. TW_AGAIN: no such value, or no checkpoint. */
int32_t store_checkpoint_value(struct store *, uint32_t space, uint32_t key, uint64_t *ret_seq, struct buf *ret,
                               struct tw_err *);

/* ---- reading logs ----
 * A reader copies one block at a time and holds nothing between calls. It sees what other processes commit. */
enum log_kind { LOG_TAPE, LOG_ALERTS, LOG_DEAD };
struct log_reader;
/* from: number of the first record wanted. */
int32_t log_reader_open(struct log_reader **ret, struct store *, enum log_kind, uint64_t from, struct tw_err *);
/* TW_OK and a block that holds record `from` or a later one (bytes live until the next call; the block may begin before
 * `from`: skip), TW_AGAIN at the end for now, or negative: STORE_E_DAMAGED names segment and record. */
int32_t log_reader_next(struct log_reader *, struct block *ret, struct tw_err *);
void log_reader_close(struct log_reader *);

/* The first event of the tape, in its order, whose time is ts or later and whose number is at most `last`. TW_AGAIN:
 * there is none. */
int32_t store_find_time(struct store *, int64_t ts, uint64_t last, uint64_t *ret, struct tw_err *);

/* Walk the records of a block: *at starts at 0; false at the end. */
bool tape_record(const struct block *, size_t *at, uint16_t *source, const unsigned char **event, size_t *len);
bool alert_record(const struct block *, size_t *at, const unsigned char **event, size_t *len);
bool dead_record(const struct block *, size_t *at, struct dead_letter *ret);
/* Room for one more behind n values. false: memory is out. */
bool values_room(struct source_value **list, uint32_t *cap, uint32_t n);
/* Append to a block's bytes in the same form. 0, or -1 when memory is out. */
int tape_add(struct buf *, uint16_t source, const unsigned char *event, size_t len);
int alert_add(struct buf *, const unsigned char *event, size_t len);

/* ---- retention ----
 * What is old enough is given up from the old end: segments of the tape that are sealed, that the checkpoint and the
 * alert log have passed and whose alerts every sink has; blocks of the alert log that every sink has. A sink that holds
 * something back beyond its time is named in the log, once and then every hour. A sink that the store knows from earlier
 * runs, and this run does not have, counts until then: instead of holding something back its cursor is forgotten. */
struct retention {
	int64_t tape_age;             /* ns since a segment was sealed; 0: for ever */
	uint64_t tape_bytes;          /* of all segments together: above it the oldest goes whatever its age; 0: no bound */
	int64_t alert_age;            /* ns since a block of alerts was written; 0: for ever */
	int64_t patience;             /* ns; a sink that holds something back for so long is named, see store_holder() */
	bool drop;                    /* what is due goes although a sink does not have it yet */
	const struct cursor *cursors; /* the sinks of this run, as committed */
	uint32_t n_cursors;
};
/* At most one segment and some thousand blocks of alerts. TW_OK: nothing was due; TW_AGAIN: something is gone, there may
 * be more; STORE_FULL; or negative. [recorder] */
int32_t store_retain(struct store *, const struct retention *, struct tw_err *);
/* The sink for which more is held than the limits allow, as of the last store_retain(); NULL: none. [recorder] */
const char *store_holder(const struct store *);

/* ---- looking after it ---- */
struct segment_info {
	uint32_t number;
	char path[4096];
	uint64_t first, last, events, bytes, dead;
	int64_t from, to; /* event time */
	uint32_t schema;
};
uint32_t store_segments(struct store *, struct segment_info *, uint32_t max);
/* Read everything and compare checksums, numbers and order, in a child process so that a broken file cannot take this
 * one down. TW_OK, or STORE_E_DAMAGED with the first fault. [control], before threads start */
int32_t store_verify(const char *dir, struct buf *ret_report, struct tw_err *);
/* The same in a few ms, without the logs' bulk: heads, names, positions, cursors and the last blocks. For the start of a
 * run, where there is one. [control], before threads start */
int32_t store_check_quick(const char *dir, struct tw_err *);

#endif
