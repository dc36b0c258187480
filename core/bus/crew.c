/* SPDX-License-Identifier: Apache-2.0
 *
 * Rounds. A shard is taken by moving its `claimed` from the last round to this one, which only one thread can do, and
 * only while the round lasts: a thread that is late finds all shards claimed. Whoever has one reads what the round is
 * about, and no round ends before it is done.
 */
#include "bus/crew.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* Between two rounds lie some microseconds. Pausing longer than that takes the core from whoever one is waiting for. */
#define PAUSES 300u
#define YIELDS 3u

/* Its own from the first to the last, then those of the others from the last to the first: so it is always the same few
 * that change hands. */
static void set_order(struct worker *w, uint32_t number, uint32_t n_workers, uint32_t n_shards)
{
	uint32_t n = 0;

	for (uint32_t s = number * n_shards / n_workers; s < (number + 1) * n_shards / n_workers; s++)
		w->order[n++] = (uint16_t)s;
	for (uint32_t i = 1; i < n_workers; i++) {
		uint32_t other = (number + i) % n_workers;
		for (uint32_t s = (other + 1) * n_shards / n_workers; s > other * n_shards / n_workers; s--)
			w->order[n++] = (uint16_t)(s - 1);
	}
}

int32_t crew_init(struct crew *c, struct instance *instances, uint32_t n_instances, uint32_t n_workers,
		  uint32_t n_shards, struct bell *done)
{
	*c = (struct crew){ .instances = instances, .n_instances = n_instances, .n_shards = n_shards, .done = done };
	bell_init(&c->bell);
	c->workers = calloc(n_workers, sizeof *c->workers);
	c->shards = aligned_alloc(_Alignof(struct shard), n_shards * sizeof *c->shards);
	if (c->shards)
		memset(c->shards, 0, n_shards * sizeof *c->shards);
	if (!c->workers || !c->shards)
		return TW_E_FATAL;
	for (uint32_t i = 0; i < n_workers; i++) {
		struct worker *w = &c->workers[i];
		*w = (struct worker){ .crew = c,
				      .order = calloc(n_shards, sizeof *w->order),
				      .desk = malloc(sizeof *w->desk) };
		c->n_workers++;
		if (!w->desk || !w->order)
			return TW_E_FATAL;
		set_order(w, i, n_workers, n_shards);
	}
	for (uint32_t i = 0; i < n_shards; i++)
		if (shard_init(&c->shards[i], i, instances, n_instances) < 0)
			return TW_E_FATAL;
	return TW_OK;
}

void crew_free(struct crew *c)
{
	for (uint32_t i = 0; c->shards && i < c->n_shards; i++)
		shard_free(&c->shards[i], c->n_instances);
	for (uint32_t i = 0; i < c->n_workers; i++) {
		free(c->workers[i].desk);
		free(c->workers[i].order);
	}
	free(c->shards);
	free(c->workers);
	if (c->n_workers)
		bell_free(&c->bell);
	*c = (struct crew){ 0 };
}

void crew_start(struct crew *c, const struct items *items, struct voice *voices, uint32_t level, bool wake)
{
	c->items = items;
	c->voices = voices;
	c->level = level;
	atomic_store_explicit(&c->left, c->n_shards, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->round, 1, memory_order_release);
	if (wake && c->n_workers > 1)
		bell_ring(&c->bell);
}

static bool claim(struct shard *s, uint32_t round)
{
	uint32_t before = round - 1;

	return atomic_load_explicit(&s->claimed, memory_order_relaxed) == before &&
	       atomic_compare_exchange_strong_explicit(&s->claimed, &before, round, memory_order_acquire,
						       memory_order_relaxed);
}

/* What is left of this round for one thread. `others`: the pipeline may be waiting for this one. */
static bool judge_shards(struct worker *w, uint32_t round, bool others)
{
	struct crew *c = w->crew;
	bool any = false;

	for (uint32_t i = 0; i < c->n_shards; i++) {
		uint32_t number = w->order[i];
		struct shard *s = &c->shards[number];
		if (!claim(s, round))
			continue;
		any = true;
		shard_judge(s, w->desk, c->instances, c->n_instances, c->level, c->items, &c->voices[number]);
		if (atomic_fetch_sub_explicit(&c->left, 1, memory_order_acq_rel) == 1 && others)
			bell_ring(c->done);
	}
	return any;
}

/* The nth moment of waiting: pause at first, then give the core away. false: it has been long enough to sleep. */
static bool wait_moment(uint32_t n)
{
	if (n >= PAUSES) {
		sched_yield();
		return n < PAUSES + YIELDS;
	}
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("isb");
#endif
	return true;
}

bool crew_help(struct crew *c)
{
	(void)judge_shards(&c->workers[0], atomic_load_explicit(&c->round, memory_order_relaxed), false);
	for (uint32_t n = 0; atomic_load_explicit(&c->left, memory_order_acquire) != 0; n++)
		if (!wait_moment(n))
			return false;
	return true;
}

enum step worker_step(struct worker *w)
{
	uint32_t round = atomic_load_explicit(&w->crew->round, memory_order_acquire);

	if (judge_shards(w, round, true))
		return STEP_MORE;
	for (uint32_t n = 0; atomic_load_explicit(&w->crew->round, memory_order_relaxed) == round; n++)
		if (!wait_moment(n))
			return STEP_IDLE;
	return STEP_MORE;
}
