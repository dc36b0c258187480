/* SPDX-License-Identifier: Apache-2.0
 *
 * bell.h over a condition variable. Every access to rung and sleepers is sequentially consistent: the ringer adds
 * before it asks who sleeps, the sleeper announces itself before it asks whether it has rung, so one of them sees the
 * other.
 */
#include "base/bell.h"
#include <time.h>

void bell_init(struct bell *b)
{
	pthread_condattr_t attr;

	atomic_store(&b->rung, 0);
	atomic_store(&b->sleepers, 0);
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->cond, &attr);
	pthread_condattr_destroy(&attr);
}

void bell_free(struct bell *b)
{
	pthread_cond_destroy(&b->cond);
	pthread_mutex_destroy(&b->lock);
}

void bell_ring(struct bell *b)
{
	atomic_fetch_add(&b->rung, 1);
	if (atomic_load(&b->sleepers) == 0)
		return;
	pthread_mutex_lock(&b->lock);
	pthread_cond_broadcast(&b->cond);
	pthread_mutex_unlock(&b->lock);
}

void bell_wait(struct bell *b, uint32_t seen, int32_t timeout_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until); /* the kernel's own clock: it is the kernel that waits */
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (timeout_ms % 1000) * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&b->lock);
	atomic_fetch_add(&b->sleepers, 1);
	while (atomic_load(&b->rung) == seen)
		if (pthread_cond_timedwait(&b->cond, &b->lock, &until) != 0)
			break;
	atomic_fetch_sub(&b->sleepers, 1);
	pthread_mutex_unlock(&b->lock);
}
