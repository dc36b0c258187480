/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated disk: what a store holds, as of its last transaction. Only sim_store.c changes it, a transaction at a
 * time.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "base/hash.h"
#include "state/store.h"

/* A log: records back to back, in blocks. */
struct disk_block {
	uint64_t first;
	uint32_t count, segment;
	size_t at, len; /* in bytes */
};

struct disk_log {
	struct buf bytes;
	struct disk_block *blocks;
	uint32_t n, cap;
	uint64_t last; /* number of the last record */
};

struct disk_position {
	char source[64];
	struct position at; /* source unused */
};

struct disk_cursor {
	char sink[64];
	uint64_t record;
};

struct disk_value {
	uint64_t key; /* space << 32 | key */
	uint32_t len;
	void *data;
};

struct disk {
	char tape_id[33];
	uint64_t segment_size, segment_bytes;
	uint32_t segments;
	bool no_tape;
	struct disk_log tape, dead, alerts;
	char sources[16][64];
	uint32_t n_sources;
	struct disk_position positions[16];
	uint32_t n_positions;
	struct disk_cursor cursors[16];
	uint32_t n_cursors;
	uint64_t complete;
	bool has_checkpoint;
	uint64_t checkpoint_seq;
	char note[256];
	struct disk_value *values; /* ascending */
	uint32_t n_values, cap_values;
	uint64_t commits;
};

struct disk *disk_new(const char *tape_id, uint64_t segment_size);
void disk_free(struct disk *);
/* The tape with its names and positions, but no dead letters, alerts, cursors and states. */
struct disk *disk_copy_tape(const struct disk *);

/* join: to the last block, if that is of the same segment; blocks need not be those of the commits. */
void log_append(struct disk_log *, const struct block *, uint32_t segment, bool join);
void disk_set(struct disk *, uint32_t space, uint32_t key, const void *data, uint32_t len); /* data NULL: delete */
const struct disk_value *disk_get(const struct disk *, uint32_t space, uint32_t key);
void disk_drop_values(struct disk *);
const struct disk_position *disk_position(const struct disk *, const char *source);
const struct disk_cursor *disk_cursor(const struct disk *, const char *sink);
/* Block i of a log as core/state/store.h speaks of it. */
struct block disk_block(const struct disk_log *, uint32_t i);

/* A simulator without memory has nothing to say. */
void *must(void *p);

#endif
