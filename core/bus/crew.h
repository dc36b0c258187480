/* SPDX-License-Identifier: Apache-2.0
 *
 * The crew: the pipeline's thread and up to 63 more, which judge the shards of one level of one batch at a time. A round
 * begins with crew_start(); then everybody takes shards that nobody has taken yet - first its own, whose states are in
 * its cache, then those that others would come to last - until none is left.
 *
 * The threads are the caller's: crew_help() and worker_step() only do a piece of work. Without any thread crew_help()
 * judges all shards one after the other, in the order of their numbers.
 */
#ifndef BUS_CREW_H
#define BUS_CREW_H

#include "base/bell.h"
#include "bus/shard.h"

#define MAX_WORKERS 64u
#define MAX_SHARDS 256u
#define SHARDS_PER_WORKER 16u /* while there are few workers: the last shard of a round keeps the others waiting */

struct crew;

/* One more thread's place in the crew. */
struct worker {
	struct crew *crew;
	uint16_t *order; /* the shards as it looks for one that is free */
	struct desk *desk;
};

struct crew {
	struct shard *shards;
	uint32_t n_shards;
	struct instance *instances;
	uint32_t n_instances;
	struct worker *workers; /* [0] is the pipeline's own thread */
	uint32_t n_workers;
	struct bell *done; /* rung when a round has ended and somebody else than the pipeline ended it */

	/* The round. Written between rounds; read by those who have taken a shard of it. */
	const struct items *items;
	struct voice *voices;
	uint32_t level;
	_Alignas(64) _Atomic uint32_t round;
	_Alignas(64) _Atomic uint32_t left; /* shards not yet judged */
	_Alignas(64) struct bell bell;      /* workers sleep here */
};

int32_t crew_init(struct crew *, struct instance *, uint32_t n_instances, uint32_t n_workers, uint32_t n_shards,
                  struct bell *done);
void crew_free(struct crew *);

/* A round: the detectors of a level over these items. wake: it is worth waking those who sleep. */
void crew_start(struct crew *, const struct items *, struct voice *, uint32_t level, bool wake);
/* Judge what nobody else has taken, then wait for the others a little. true: the round has ended. */
bool crew_help(struct crew *);

/* Judge what nobody else has taken. Waits a little before it says STEP_IDLE. [worker] */
enum step worker_step(struct worker *);

#endif
