/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share: the form on disk, the open LMDB files, and the store itself.
 */
#ifndef STATE_STORE_IMPL_H
#define STATE_STORE_IMPL_H

#include "state/store.h"
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#define STORE_FORMAT   1u
#define SEGMENT_MAGIC  0x47535754u /* "TWSG" */
#define STATE_MAGIC    0x54535754u /* "TWST" */
#define BLOCK_MAGIC    0x4b425754u /* "TWBK" */
#define BLOCK_MAX      (256u << 20) /* bytes of one block */
#define SEGMENT_SIZE   (256ull << 20)
#define MAP_SEGMENT    (1ull << 30) /* address space only; see segment_map() */
#define MAP_STATE      (64ull << 30)
#define MAX_SOURCES    65535u
#define MAX_NAME       255u /* bytes of an instance name; an LMDB key holds 511 */
#define MAX_SEGMENT    999999u
#define MAX_OPEN       32u /* segments kept open for readers */
#define DEAD_TEXT      4096u
#define DEAD_RAW       65536u
#define VALUE_MAX      (1u << 30) /* bytes of one checkpoint value */

/* The databases inside each file. */
enum { DB_META, DB_EVENTS, DB_DEAD, DB_SOURCES, DB_POSITIONS, SEGMENT_DBS };
enum { DB_ALERTS = 1, DB_CURSORS, DB_VALUES, STATE_DBS };

/* On disk, native (little-endian) order, no padding. magic and format stay at the front for ever. */
struct segment_head {
	uint32_t magic, format, schema, number;
	uint64_t txn;                /* of the commit; see head_read() */
	char tape_id[32];
	int64_t created;             /* wall clock of the first commit */
	uint64_t first, last;        /* events; last = first - 1: none yet */
	uint64_t dead_first, dead_last;
	uint64_t events, blocks, bytes;
	int64_t min_ts, max_ts;
	uint64_t n_sources, sources_sum, n_positions, positions_sum;
	uint32_t unrecorded;         /* the numbers went on, the events were not kept (no_tape) */
	uint32_t reserved;
};

struct state_head {
	uint32_t magic, format, reserved, has_checkpoint;
	uint64_t txn;
	char tape_id[32];
	int64_t created;
	uint64_t complete, last_alert;
	uint64_t n_cursors, cursors_sum;
	uint64_t n_values, values_sum; /* of the checkpoint */
	uint64_t checkpoint_seq;
	int64_t checkpoint_wall;
};

struct block_head {
	uint32_t magic;
	uint16_t version, kind; /* enum log_kind */
	uint64_t first;
	uint32_t count;
	uint32_t wall; /* alert log: when it was written, seconds since 1970; 0: unknown */
	uint64_t len;
	int64_t min_ts, max_ts;
	uint64_t sum; /* XXH3 of all before it, seeded with the XXH3 of the bytes */
};

struct file { /* one LMDB environment */
	char *path;
	char name[200]; /* for people: "tape/000003.tape" */
	bool state;     /* state.lmdb, not a segment */
	bool trusted;   /* in a child that may die: do not try it in a child first */
	MDB_env *env;   /* NULL: closed */
	MDB_dbi db[SEGMENT_DBS];
};

struct segment {
	struct file file;
	uint32_t number, refs;
	uint64_t used;       /* turn of the last use, for closing the one unused longest */
	bool known;          /* first[] is filled */
	uint64_t first[3];   /* number of the first record by log_kind; never changes */
	struct {             /* for retention; read once, when nobody writes it any more */
		bool known, unrecorded;
		uint64_t last, size;
		int64_t sealed;
	} end;
};

struct store {
	char *dir, *tape_dir; /* tape_dir NULL: a single segment file */
	enum store_mode mode;
	struct store_options opt;
	bool bare, trusted;
	int lock_fd;
	char tape_id[33];
	uint64_t map_segment, map_state;
	struct file state; /* env NULL in a bare recording */
	struct state_head state_head;     /* the writer's copy, as last committed */
	struct segment_head head;         /* likewise, of cur */
	struct segment *cur;              /* the writer's segment, with a reference */
	bool map_full;                    /* the last commit met MDB_MAP_FULL, not a full disk */
	int64_t synced, checked;          /* monotonic times */
	char holder[MAX_NAME + 1];        /* the sink that holds retention back, as said in the log at this time: */
	int64_t holder_said;
	int64_t held_since;               /* monotonic; 0: nothing is held */
	bool holder_segments;             /* segments were named */
	struct buf scratch;
	_Atomic uint64_t last_seq, last_alert, complete;
	pthread_rwlock_t map_lock;        /* write side: resizing a map; read side: inside a read transaction */
	pthread_mutex_t mutex;            /* guards all below */
	struct segment **segs;            /* ascending numbers */
	uint32_t n_segs, cap_segs, n_open;
	uint64_t turn;
	char **sources;                   /* MAX_SOURCES, filled up to n_sources, entries never change */
	_Atomic uint32_t n_sources;
	uint32_t kept_sources;            /* of them in the current segment */
};

/* ---- env.c: LMDB files ---- */
/* One sentence for what LMDB said: STORE_FULL or negative. need: bytes that were to be written. */
int32_t file_fail(const struct file *, int rc, uint64_t need, const char *doing, struct tw_err *);
int32_t file_init(struct file *, const char *path, const char *name, bool state);
/* map 0: read only. */
int32_t file_open(struct file *, uint64_t map, bool nosync, bool bare, struct tw_err *);
void file_close(struct file *);
void file_free(struct file *);
/* Make a file under another name, fill it, sync it, move it to its place and sync the folder: it is there as a whole
 * or not at all. */
int32_t file_create(struct file *, const char *dir, uint64_t map,
                    int32_t (*fill)(void *arg, struct file *, MDB_txn *, struct tw_err *), void *arg, struct tw_err *);
/* Begin a read transaction, or renew *txn; end it again by file_unread(), which keeps the handle for the next time. */
int32_t file_read(struct store *, const struct file *, MDB_txn **txn, struct tw_err *);
void file_unread(struct store *, MDB_txn *);
void file_unread_end(struct store *, MDB_txn *);
int32_t file_sync(const struct file *, struct tw_err *);
/* Read every byte that LMDB can reach. In a child: a broken file may kill. */
int32_t file_walk(const struct file *, struct tw_err *);
/* Tests: other map sizes, applied at once to the open files. No transaction may be open. 0: leave as it is. */
int32_t store_set_map(struct store *, uint64_t segment, uint64_t state, struct tw_err *);

/* ---- sealed.c: small values with a checksum over key and value ----
 * n and sum count a table's values and add up their checksums, so that a lost or stale value shows. */
int sealed_put(MDB_txn *, MDB_dbi, const void *key, size_t klen, const void *data, size_t len, uint64_t *n,
               uint64_t *sum);
int sealed_del(MDB_txn *, MDB_dbi, const void *key, size_t klen, uint64_t *n, uint64_t *sum);
/* TW_OK, TW_AGAIN: not there, or negative. *data points into the map. */
int32_t sealed_get(const struct file *, MDB_txn *, int db, const void *key, size_t klen, const void **data,
                   size_t *len, struct tw_err *);
int32_t sealed_each(const struct file *, MDB_txn *, int db, uint64_t n, uint64_t sum,
                    int32_t (*each)(void *arg, const void *key, size_t klen, const void *data, size_t len,
                                    struct tw_err *),
                    void *arg, struct tw_err *);
/* Each commit of a file ends with its head, which gets the number of the transaction. */
int segment_head_put(const struct file *, MDB_txn *, struct segment_head *);
int state_head_put(const struct file *, MDB_txn *, struct state_head *);
int32_t segment_head_read(const struct file *, MDB_txn *, struct segment_head *, struct tw_err *);
int32_t state_head_read(const struct file *, MDB_txn *, struct state_head *, struct tw_err *);

/* ---- block.c ---- */
int block_put(MDB_txn *, MDB_dbi, enum log_kind, const struct block *, int64_t min_ts, int64_t max_ts);
/* Is it the block it says it is, without looking at its bytes? */
int32_t block_look(const struct file *, const MDB_val *key, const MDB_val *val, enum log_kind, struct block_head *,
                   struct tw_err *);
int32_t block_check(const struct file *, const struct block_head *, const unsigned char *bytes, struct tw_err *);
/* The block that holds record n or the first after it. TW_AGAIN: none. */
int32_t block_find(const struct file *, MDB_cursor *, uint64_t n, enum log_kind, MDB_val *key, MDB_val *val,
                   struct tw_err *);

/* ---- segment.c ---- */
int32_t segments_scan(struct store *, struct tw_err *);
int32_t segment_add(struct store *, uint32_t number, const char *path, const char *name, struct segment **ret);
uint64_t segment_map(const struct store *);
int32_t segment_ref(struct store *, struct segment *, struct tw_err *); /* opens it when needed */
void segment_unref(struct store *, struct segment *);
/* Each gives a referenced segment; TW_AGAIN: there is none. In a process that only reads, segment_after() leaves out
 * segments that the writer has given up meanwhile: the number shows it. */
int32_t segment_find(struct store *, enum log_kind, uint64_t from, struct segment **ret, struct tw_err *);
int32_t segment_after(struct store *, const struct segment *, struct segment **ret, struct tw_err *);
int32_t segment_last(struct store *, struct segment **ret, struct tw_err *);
/* What a segment says about itself now. */
int32_t segment_head_now(struct store *, struct segment *, struct segment_head *, struct tw_err *);
int32_t segment_start(struct store *, struct tw_err *); /* the first segment of a new store */
int32_t segment_resume(struct store *, struct tw_err *); /* go on in the last segment */
int32_t segment_roll(struct store *, struct tw_err *);
void segments_free(struct store *);

/* ---- store.c ---- */
int32_t store_open_as(struct store **ret, const char *dir, enum store_mode, const struct store_options *, bool trusted,
                      struct tw_err *);
int32_t store_sync_due(struct store *, struct tw_err *);
int32_t sources_load(struct store *, const struct segment *, struct tw_err *);

/* ---- retain.c ---- */
/* What an interrupted store_retain() left; is the tape there from the checkpoint on? For the writer, after opening. */
int32_t retain_resume(struct store *, struct tw_err *);
/* ---- retain_alerts.c ---- */
/* Records through `passed` may go. TW_AGAIN: some went. *held: the oldest are due and may not. */
int32_t retain_alerts(struct store *, const struct retention *, uint64_t passed, bool *held, struct tw_err *);
/* Number of the first record of the alert log that is kept. */
int32_t alerts_first(const struct file *, MDB_txn *, uint64_t *ret, struct tw_err *);

/* ---- values.c: small values of sources, in the table of their positions ---- */
int32_t values_check(const struct tape_commit *, struct tw_err *);
int values_put(const struct tape_commit *, MDB_txn *, MDB_dbi positions, struct segment_head *);

/* ---- records.c ---- */
int dead_add(struct buf *, const struct dead_letter *);

/* ---- child.c: work that a broken file may kill ---- */
struct child;
typedef int32_t child_fn(struct child *, void *arg, struct tw_err *);
int32_t child_run(child_fn *work, void *arg, struct buf *report, struct tw_err *);
void child_at(struct child *, const char *what); /* named in the error when the child dies */
void child_say(struct child *, const char *fmt, ...) TW_PRINTF(2, 3);

#endif
