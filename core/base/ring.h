/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded ring of pointers between exactly one producer and one consumer thread. Lock-free; each side keeps a copy
 * of the other's index so that the shared line is read only when the ring looks full or empty.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RING_MAX 64u

struct ring {
	_Alignas(64) _Atomic uint32_t head; /* written by the producer; both count up and wrap at 2^32 */
	uint32_t tail_seen;
	_Alignas(64) _Atomic uint32_t tail; /* written by the consumer */
	uint32_t head_seen;
	_Alignas(64) uint32_t mask;
	void *slot[RING_MAX];
};

/* size: a power of two, at most RING_MAX. */
static inline void ring_init(struct ring *r, uint32_t size)
{
	atomic_store_explicit(&r->head, 0, memory_order_relaxed);
	atomic_store_explicit(&r->tail, 0, memory_order_relaxed);
	r->tail_seen = r->head_seen = 0;
	r->mask = size - 1;
}

static inline bool ring_push(struct ring *r, void *p)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	if (head - r->tail_seen > r->mask) {
		r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
		if (head - r->tail_seen > r->mask)
			return false;
	}
	r->slot[head & r->mask] = p;
	atomic_store_explicit(&r->head, head + 1, memory_order_release);
	return true;
}

/* The oldest pointer without taking it; NULL when empty. */
static inline void *ring_peek(struct ring *r)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	if (tail == r->head_seen) {
		r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
		if (tail == r->head_seen)
			return NULL;
	}
	return r->slot[tail & r->mask];
}

static inline void *ring_pop(struct ring *r)
{
	void *p = ring_peek(r);
	if (p) {
		uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
		atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
	}
	return p;
}

/* How many are in it, for metrics and for the decision to hand over early; a guess while the other side works. */
static inline uint32_t ring_count(const struct ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_relaxed) - atomic_load_explicit(&r->tail, memory_order_relaxed);
}

#endif
