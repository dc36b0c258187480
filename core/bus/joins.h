/* SPDX-License-Identifier: Apache-2.0
 *
 * Joins: detectors that are new on a store which has a past. From which event on a detector is judged, and from which on
 * what it says counts, is written in the checkpoint, and no alert of it is recorded before that checkpoint is. So a
 * restart, a rebuild and a replay of the store treat it at every event as the run did:
 *
 *   before `from`            it does not exist
 *   from `from` to `since`   it is judged and what it says is dropped: the warm-up. Live this stretch of the tape is read
 *                            again for it, before it takes part
 *   from `since` on          it takes part
 *
 * Detectors that join with the same start are a group. Within a group scores are heard always; between groups only of
 * events by which both take part, for old detectors are not judged again for the sake of new ones. A group has keyspaces
 * of its own: what it remembers of keys does not depend on those who came before, nor theirs on it.
 *
 * Those that are there from the first event on are group 0, with from and since 1.
 */
#ifndef BUS_JOINS_H
#define BUS_JOINS_H

#include "bus/batch.h"
#include <tapewatch/plugin.h>

struct pipeline;

struct join {
	uint64_t from, since;
	uint32_t group;
	bool fresh; /* with this start */
};

/* Who is known, and who joins now; p->joins by number of the detector. Reads the store only. */
int32_t joins_read(struct pipeline *, struct tw_err *);
/* Restored as of the checkpoint: begin the warm-up, if there is one. */
int32_t joins_begin(struct pipeline *, struct tw_err *);
/* The tape has been read as far as it goes. */
void joins_warmed(struct pipeline *);
/* Who is judged in this batch, and whom he hears. Batches end where that changes: at p->next_cut. */
void joins_apply(struct pipeline *, const struct batch *);
/* The next event, behind p->seq, with which a batch must begin. */
uint64_t joins_cut(const struct pipeline *);
/* Is the keyspace of use for an event? */
bool joins_keyed(const struct pipeline *, uint32_t keyspace, uint64_t seq);

#endif
