/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch: so many events, what the keyspaces make of them, and what the detectors say about them. There are two when
 * several workers judge: one is judged while the next is filled and what was said about the one before is encoded.
 */
#ifndef BUS_BATCH_H
#define BUS_BATCH_H

#include "event/event.h"
#include "state/keyspace.h"

#define BATCH_MAX 4096u         /* events of a batch, at most */
#define BATCH_ONE 256u          /* usually, with one worker: it stays in the cache */
#define BATCH_BYTES (1u << 20)  /* of the copies of events, beyond which a batch takes no more */
#define EVENT_ROOM 256u         /* bytes of a decoded event, at most */

/* An item in the list of its shard: what a worker needs of it lies together, for it comes from another core. */
struct own {
	const struct tw_event *ev;
	uint32_t item, key;
};

/* What one keyspace makes of the items. Groups are shards, or one for a keyspace without fields. */
struct lot {
	uint32_t *key;           /* [item] place of its key in the tables of its group; 0: it has none */
	struct own *list;        /* items of group g, ascending: list[start[g]] to list[start[g + 1] - 1] */
	uint32_t *start;
	uint16_t *group;         /* [item] */
	uint32_t cap;
	struct gone gone;        /* by group, then by item */
	uint32_t *gone_start;
	bool listed;             /* false: there is one group, and all items are its */
};

/* The events one level looks at, in order. */
struct items {
	uint32_t n, cap;
	const struct tw_event **ev;
	uint32_t *symbol, *account; /* interned, 0 = absent */
	uint32_t *origin;           /* the event of the batch that it is or came of */
	int64_t *clock;             /* the highest ts of the batch so far, for timers */
	struct lot *lots;           /* by keyspace */
	uint32_t n_keyspaces;
};

/* Something a detector said: an alert or a score. */
struct out {
	uint64_t seq;
	int64_t due;                /* of a timer; INT64_MAX when said about an event */
	struct tw_event *ev;
	uint32_t instance, ordinal; /* instance: number of the detector; ordinal: set by said_order() */
	uint32_t origin, at;        /* event of the batch; item of the level */
	uint32_t n;                 /* in order of saying, within a shard */
	uint32_t symbol, account;
	bool logged;                /* goes to the alert log */
};

/* An event a detector failed on. */
struct failure {
	const struct tw_event *ev;
	uint32_t instance, origin, at;
	int32_t code;
	/* of poison, see poison.h */
	bool timer;
	int64_t ts;
	uint64_t id;
};

/* What one shard has to say about one batch. */
struct voice {
	_Alignas(64) struct out *outs; /* voices are written by different threads */
	uint32_t n, cap, taken;        /* taken: of earlier levels */
	struct failure *failures;
	uint32_t n_failures, cap_failures;
	struct arena arena; /* events and their texts */
	bool memory_out;
};

struct batch {
	struct items base, merged;
	unsigned char *room; /* decoded events, packed */
	size_t room_used;
	unsigned char *raw;  /* copies of the events' bytes; NULL: they stay where they are until the batch is done */
	size_t raw_used;
	struct arena scratch; /* details and features of the events */

	uint32_t level; /* being judged */
	struct voice *voices;
	uint32_t n_voices;
	struct out *said, *fresh; /* of all levels so far, in order; of this level */
	uint32_t n_said, cap_said, cap_fresh;
	uint32_t *count; /* by event */
	struct failure *failures;
	uint32_t n_failures, cap_failures;
	uint32_t next_said, next_failure; /* not yet in a commit */
};

/* max: events; shards: how many voices; copies: whether it keeps the bytes. */
int32_t batch_init(struct batch *, uint32_t max, uint32_t n_keyspaces, uint32_t shards, bool copies);
void batch_free(struct batch *);
void batch_reset(struct batch *);

/* Decode one event into it. false: not canonical. There must be room: see batch_full(). */
bool batch_decode(struct batch *, const unsigned char *bytes, size_t len, uint32_t source, struct intern *);
static inline bool batch_full(const struct batch *b, uint32_t max)
{
	return b->base.n >= max || b->raw_used >= BATCH_BYTES;
}

int32_t items_room(struct items *, uint32_t n);
void items_add(struct items *, const struct tw_event *, uint32_t origin);

/* Make room for n things of this size; false: memory is out. */
bool batch_grow(void **p, uint32_t *cap, uint32_t need, size_t size);

#endif
