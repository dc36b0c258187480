/* SPDX-License-Identifier: Apache-2.0
 *
 * Slots in pages that never move, and an array from key to slot.
 */
#include "state/table.h"
#include <stdlib.h>
#include <string.h>

#define PAGE_SLOTS 64u
#define PAGE_BYTES (1u << 20) /* of large slots a page holds fewer: there is a page at least per shard and instance */

void table_init(struct table *t, uint32_t state_size)
{
	uint32_t stride = (uint32_t)sizeof(struct slot) + ((state_size + 15u) & ~15u);
	uint32_t fit = PAGE_BYTES / stride;

	*t = (struct table){ .state_size = state_size,
			     .stride = stride,
			     .page_slots = fit < PAGE_SLOTS ? fit : PAGE_SLOTS };
	t->used = t->page_slots;
}

void table_free(struct table *t)
{
	for (uint32_t i = 0; i < t->n_pages; i++)
		free(t->pages[i]);
	free(t->pages);
	free(t->by_key);
	free(t->dirty);
	*t = (struct table){ 0 };
}

static bool reach(struct table *t, uint32_t key)
{
	uint32_t cap = t->cap ? t->cap : 64;
	struct slot **by_key;

	if (key < t->cap)
		return true;
	while (cap <= key) {
		if (cap > UINT32_MAX / 2)
			return false;
		cap *= 2;
	}
	by_key = realloc(t->by_key, cap * sizeof *by_key);
	if (!by_key)
		return false;
	memset(by_key + t->cap, 0, (cap - t->cap) * sizeof *by_key);
	t->by_key = by_key;
	t->cap = cap;
	return true;
}

static struct slot *take(struct table *t)
{
	struct slot *s = t->free_list;

	if (s) {
		t->free_list = (struct slot *)(uintptr_t)s->reserved;
		return s;
	}
	if (t->used == t->page_slots) {
		unsigned char **pages = realloc(t->pages, (t->n_pages + 1) * sizeof *pages);
		if (!pages)
			return NULL;
		t->pages = pages;
		/* 64-byte alignment: headers on a cache line of their own */
		pages[t->n_pages] = aligned_alloc(64, ((size_t)t->page_slots * t->stride + 63u) & ~(size_t)63u);
		if (!pages[t->n_pages])
			return NULL;
		t->n_pages++;
		t->used = 0;
	}
	return (struct slot *)(void *)(t->pages[t->n_pages - 1] + (size_t)t->stride * t->used++);
}

struct slot *table_add(struct table *t, uint32_t key, int64_t ts)
{
	struct slot *s;

	if (!reach(t, key))
		return NULL;
	s = take(t);
	if (!s)
		return NULL;
	memset(s, 0, t->stride);
	s->key = key;
	s->first_ts = ts;
	t->by_key[key] = s;
	t->live++;
	return s;
}

static bool note_dirty(struct table *t, uint32_t key)
{
	if (t->n_dirty == t->cap_dirty) {
		uint32_t cap = t->cap_dirty ? t->cap_dirty * 2 : 256;
		uint32_t *dirty = realloc(t->dirty, cap * sizeof *dirty);
		if (!dirty)
			return false;
		t->dirty = dirty;
		t->cap_dirty = cap;
	}
	t->dirty[t->n_dirty++] = key;
	return true;
}

bool table_mark(struct table *t, struct slot *s)
{
	if (s->dirty)
		return true;
	s->dirty = 1;
	return note_dirty(t, s->key);
}

void table_drop(struct table *t, uint32_t key)
{
	struct slot *s = table_find(t, key);

	if (!s)
		return;
	t->by_key[key] = NULL;
	s->reserved = (uint64_t)(uintptr_t)t->free_list;
	t->free_list = s;
	t->live--;
}

void table_clear(struct table *t)
{
	uint32_t state_size = t->state_size;

	table_free(t);
	table_init(t, state_size);
}
