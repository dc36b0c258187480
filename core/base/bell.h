/* SPDX-License-Identifier: Apache-2.0
 *
 * How a thread sleeps until another has something for it. The sleeper reads the bell, looks for work, and only then
 * waits for the bell to have rung since. Ringing costs one atomic add while nobody sleeps.
 */
#ifndef BASE_BELL_H
#define BASE_BELL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct bell {
	_Atomic uint32_t rung;
	_Atomic uint32_t sleepers;
	pthread_mutex_t lock;
	pthread_cond_t cond;
};

/* What a step function says about the loop it is a step of. */
enum step {
	STEP_IDLE,  /* nothing to do until the bell rings or time passes */
	STEP_MORE,  /* did something; call again                          */
	STEP_DONE,  /* never anything to do again                         */
	STEP_FAILED /* gave up; the reason has been logged                 */
};

void bell_init(struct bell *);
void bell_free(struct bell *);
void bell_ring(struct bell *); /* [any] */
static inline uint32_t bell_read(struct bell *b)
{
	return atomic_load(&b->rung);
}
/* Sleep until the bell has rung since `seen` was read, or for timeout_ms. */
void bell_wait(struct bell *, uint32_t seen, int32_t timeout_ms);

#endif
