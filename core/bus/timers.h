/* SPDX-License-Identifier: Apache-2.0
 *
 * The armed timers of one detector instance: a heap by due time. A slot has at most one timer; an entry whose time is
 * no longer the slot's is stale and is dropped when it comes up.
 */
#ifndef BUS_TIMERS_H
#define BUS_TIMERS_H

#include "state/table.h"

struct timer {
	int64_t due;
	uint32_t key;
};

struct timers {
	struct timer *heap;
	uint32_t n, cap;
};

bool timers_arm(struct timers *, struct table *, struct slot *, int64_t due); /* false: memory is out */
/* The next timer due at or before now, taken off the heap; its slot's due is cleared. NULL: none. */
struct slot *timers_next(struct timers *, struct table *, int64_t now, int64_t *ret_due);
void timers_free(struct timers *);

static inline bool timers_may_be_due(const struct timers *t, int64_t now)
{
	return t->n && t->heap[0].due <= now;
}

#endif
