/* SPDX-License-Identifier: Apache-2.0
 *
 * A binary heap with lazy deletion; it is rebuilt when stale entries outnumber the slots.
 */
#include "bus/timers.h"
#include <stdlib.h>

static bool before(const struct timer *a, const struct timer *b)
{
	return a->due != b->due ? a->due < b->due : a->key < b->key;
}

static void sift_down(struct timers *t, uint32_t at)
{
	struct timer moved = t->heap[at];

	for (;;) {
		uint32_t child = at * 2 + 1;
		if (child >= t->n)
			break;
		if (child + 1 < t->n && before(&t->heap[child + 1], &t->heap[child]))
			child++;
		if (!before(&t->heap[child], &moved))
			break;
		t->heap[at] = t->heap[child];
		at = child;
	}
	t->heap[at] = moved;
}

static void sift_up(struct timers *t, uint32_t at)
{
	struct timer moved = t->heap[at];

	while (at > 0 && before(&moved, &t->heap[(at - 1) / 2])) {
		t->heap[at] = t->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	t->heap[at] = moved;
}

static bool stale(const struct timer *timer, const struct table *table)
{
	const struct slot *s = table_find(table, timer->key);
	return !s || s->due != timer->due;
}

static void rebuild(struct timers *t, const struct table *table)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->n; i++)
		if (!stale(&t->heap[i], table))
			t->heap[kept++] = t->heap[i];
	t->n = kept;
	for (uint32_t i = t->n / 2; i-- > 0;)
		sift_down(t, i);
}

bool timers_arm(struct timers *t, struct table *table, struct slot *s, int64_t due)
{
	if (s->due == due)
		return true;
	s->due = due;
	if (due == 0)
		return true;
	if (t->n > 64 + 2 * table->live)
		rebuild(t, table); /* the new one is not in it yet */
	if (t->n == t->cap) {
		uint32_t cap = t->cap ? t->cap * 2 : 64;
		struct timer *heap = realloc(t->heap, cap * sizeof *heap);
		if (!heap)
			return false;
		t->heap = heap;
		t->cap = cap;
	}
	t->heap[t->n] = (struct timer){ due, s->key };
	sift_up(t, t->n++);
	return true;
}

struct slot *timers_next(struct timers *t, struct table *table, int64_t now, int64_t *ret_due)
{
	while (t->n && t->heap[0].due <= now) {
		struct timer top = t->heap[0];
		struct slot *s = table_find(table, top.key);
		t->heap[0] = t->heap[--t->n];
		if (t->n)
			sift_down(t, 0);
		if (!s || s->due != top.due)
			continue;
		s->due = 0;
		*ret_due = top.due;
		return s;
	}
	return NULL;
}

void timers_free(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){ 0 };
}
