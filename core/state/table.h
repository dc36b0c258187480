/* SPDX-License-Identifier: Apache-2.0
 *
 * The states of one detector instance for the keys of one shard: a slot per key, found by the key's place (keyspace.h)
 * with one load. A slot is a header of the host's, then the detector's bytes, 16-byte aligned and zero-filled. Slots
 * never move while they live.
 */
#ifndef STATE_TABLE_H
#define STATE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slot {
	uint32_t key, dirty; /* key: its place; on the disk its id */
	int64_t first_ts;    /* when the key was first judged here */
	uint64_t seen;       /* events judged */
	int64_t quiet_ts;    /* no alerts before this event time */
	uint64_t quiet_seen; /* nor before so many events have been seen */
	int64_t due;         /* the armed timer; 0: none */
	uint32_t symbol, account; /* of the key, interned: a worker does not look into keyspaces. 0 on the disk */
	uint64_t reserved;
};
_Static_assert(sizeof(struct slot) == 64, "the detector's bytes behind it stay aligned, and stored values readable");

struct table {
	struct slot **by_key;
	uint32_t cap, live;
	uint32_t state_size, stride, page_slots;
	unsigned char **pages;
	uint32_t n_pages, used; /* used: slots handed out of the last page */
	struct slot *free_list; /* linked through reserved */
	uint32_t *dirty, n_dirty, cap_dirty; /* keys changed since the last checkpoint; some may be gone */
};

void table_init(struct table *, uint32_t state_size);
void table_free(struct table *);

static inline struct slot *table_find(const struct table *t, uint32_t key)
{
	return key < t->cap ? t->by_key[key] : NULL;
}
struct slot *table_add(struct table *, uint32_t key, int64_t ts); /* NULL: memory is out */
void table_drop(struct table *, uint32_t key);                    /* nothing if there is none */
void table_clear(struct table *);                                 /* drop all */
bool table_mark(struct table *, struct slot *);                   /* changed since the last checkpoint */

static inline void *slot_state(struct slot *s)
{
	return s + 1;
}

#endif
