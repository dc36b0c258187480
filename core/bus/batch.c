/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of a batch.
 */
#include "bus/batch.h"
#include <stdlib.h>
#include <string.h>

bool batch_grow(void **p, uint32_t *cap, uint32_t need, size_t size)
{
	uint32_t cap_new = *cap ? *cap : 64;
	void *q;

	if (need <= *cap)
		return true;
	while (cap_new < need) {
		if (cap_new > UINT32_MAX / 2)
			return false;
		cap_new *= 2;
	}
	q = realloc(*p, (size_t)cap_new * size);
	if (!q)
		return false;
	*p = q;
	*cap = cap_new;
	return true;
}

int32_t items_room(struct items *t, uint32_t n)
{
	struct {
		void **list;
		size_t size;
	} lists[] = { { (void **)&t->ev, sizeof *t->ev },
		      { (void **)&t->symbol, sizeof *t->symbol },
		      { (void **)&t->account, sizeof *t->account },
		      { (void **)&t->origin, sizeof *t->origin },
		      { (void **)&t->clock, sizeof *t->clock } };
	uint32_t cap = t->cap;

	if (n <= t->cap)
		return TW_OK;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		cap = t->cap;
		if (!batch_grow(lists[i].list, &cap, n, lists[i].size))
			return TW_E_FATAL;
	}
	t->cap = cap;
	return TW_OK;
}

void items_add(struct items *t, const struct tw_event *ev, uint32_t origin)
{
	uint32_t symbol = 0, account = 0;

	switch (ev->kind) {
	case TW_QUOTE:
		symbol = ev->quote.symbol;
		break;
	case TW_TRADE:
		symbol = ev->trade.symbol;
		account = ev->trade.account;
		break;
	case TW_BAR:
		symbol = ev->bar.symbol;
		break;
	case TW_ORDER:
		symbol = ev->order.symbol;
		account = ev->order.account;
		break;
	case TW_DEAL:
		symbol = ev->deal.symbol;
		account = ev->deal.account;
		break;
	case TW_ACCOUNT:
		account = ev->account.account;
		break;
	case TW_NEWS:
		symbol = ev->news.symbol;
		break;
	case TW_SCORE:
		symbol = ev->score.symbol;
		account = ev->score.account;
		break;
	case TW_ALERT: /* woven in by weave(): the ids ride in the texts */
		symbol = ev->alert.symbol.reserved;
		account = ev->alert.account.reserved;
		break;
	case TW_LABEL:
		symbol = ev->label.symbol;
		account = ev->label.account;
		break;
	case TW_CORRECTION:
		symbol = ev->correction.symbol;
		break;
	default:
		break;
	}
	t->ev[t->n] = ev;
	t->symbol[t->n] = symbol;
	t->account[t->n] = account;
	t->origin[t->n] = origin;
	t->n++;
}

bool batch_decode(struct batch *b, const unsigned char *bytes, size_t len, uint32_t source, struct intern *intern)
{
	struct tw_event *ev = (struct tw_event *)(void *)(b->room + b->room_used);

	if (b->raw) {
		memcpy(b->raw + b->raw_used, bytes, len);
		bytes = b->raw + b->raw_used;
	}
	if (event_decode(ev, bytes, len, intern, &b->scratch) != len)
		return false;
	ev->source = source;
	b->room_used += kind_of(ev->kind)->size;
	if (b->raw)
		b->raw_used += len;
	items_add(&b->base, ev, b->base.n);
	return true;
}

static int32_t items_init(struct items *t, uint32_t n, uint32_t n_keyspaces)
{
	t->lots = calloc(n_keyspaces ? n_keyspaces : 1, sizeof *t->lots);
	if (!t->lots)
		return TW_E_FATAL;
	t->n_keyspaces = n_keyspaces;
	return items_room(t, n);
}

static void items_free(struct items *t)
{
	for (uint32_t k = 0; k < t->n_keyspaces; k++) {
		struct lot *l = &t->lots[k];
		free(l->key);
		free(l->list);
		free(l->start);
		free(l->group);
		free(l->gone.list);
		free(l->gone_start);
	}
	free(t->lots);
	free(t->ev);
	free(t->symbol);
	free(t->account);
	free(t->origin);
	free(t->clock);
	*t = (struct items){ 0 };
}

int32_t batch_init(struct batch *b, uint32_t max, uint32_t n_keyspaces, uint32_t shards, bool copies)
{
	*b = (struct batch){ .n_voices = shards };
	b->room = malloc(((size_t)max + 1) * EVENT_ROOM);
	b->count = malloc(((size_t)max + 1) * sizeof *b->count);
	b->voices = aligned_alloc(_Alignof(struct voice), shards * sizeof *b->voices);
	if (b->voices)
		memset(b->voices, 0, shards * sizeof *b->voices);
	if (copies)
		b->raw = malloc(BATCH_BYTES + EVENT_MAX_BYTES);
	if (!b->room || !b->count || !b->voices || (copies && !b->raw) || items_init(&b->base, max, n_keyspaces) < 0 ||
	    items_init(&b->merged, 1, n_keyspaces) < 0)
		return TW_E_FATAL;
	return TW_OK;
}

void batch_free(struct batch *b)
{
	for (uint32_t i = 0; b->voices && i < b->n_voices; i++) {
		free(b->voices[i].outs);
		free(b->voices[i].failures);
		arena_free(&b->voices[i].arena);
	}
	free(b->voices);
	items_free(&b->base);
	items_free(&b->merged);
	arena_free(&b->scratch);
	free(b->room);
	free(b->raw);
	free(b->said);
	free(b->fresh);
	free(b->count);
	free(b->failures);
	*b = (struct batch){ 0 };
}

void batch_reset(struct batch *b)
{
	for (uint32_t i = 0; i < b->n_voices; i++) {
		struct voice *v = &b->voices[i];
		if (v->n || v->arena.used)
			arena_reset(&v->arena);
		v->n = v->taken = v->n_failures = 0;
	}
	if (b->scratch.used)
		arena_reset(&b->scratch);
	b->base.n = b->merged.n = 0;
	b->room_used = b->raw_used = 0;
	b->level = 0;
	b->n_said = b->n_failures = b->next_said = b->next_failure = 0;
}
