/* SPDX-License-Identifier: Apache-2.0
 *
 * See wrap.h.
 */
#include "kit/wrap.h"
#include <stdlib.h>
#include <string.h>

#define BEFORE 16u        /* bytes before the options, for the way back */
#define STACK  (8u << 10) /* bytes of the stack that get the pattern */
#define GONE   0xdb       /* what a state leaves behind where it lay */

static struct kit_wrap *wrap_of(const struct tw_ctx *c)
{
	struct kit_wrap *w;

	memcpy(&w, (const char *)c->self - BEFORE, sizeof w);
	return w;
}

/* What locals of the next call find who does not set them. */
static __attribute__((noinline)) void stain_stack(int pattern)
{
	unsigned char room[STACK];

	memset(room, pattern, sizeof room);
	__asm__ volatile("" : : "r"(room) : "memory"); /* it is not for nothing */
}

static bool changed(const unsigned char *at, uint32_t n, int pattern, uint32_t *first)
{
	for (uint32_t i = 0; i < n; i++)
		if (at[i] != (unsigned char)pattern) {
			*first = i;
			return true;
		}
	return false;
}

static void check_guard(struct kit_wrap *w, const unsigned char *end)
{
	uint32_t first;

	if (changed(end, KIT_GUARD, w->pattern, &first) && !w->trespass[0])
		snprintf(w->trespass, sizeof w->trespass,
			 "it wrote behind the end of its state of %u bytes, at byte %u; is .state_size the sizeof of "
			 "the struct it uses?",
			 w->state_size, w->state_size + first);
}

static void guard(const struct kit_wrap *w, void *state)
{
	if (state)
		memset((unsigned char *)state + w->state_size, w->pattern, KIT_GUARD);
}

/* The host's tables and checkpoints hold the guarded bytes too: there they are zero, so that states are the same. */
static void unguard(struct kit_wrap *w, void *state)
{
	if (!state)
		return;
	check_guard(w, (unsigned char *)state + w->state_size);
	memset((unsigned char *)state + w->state_size, 0, KIT_GUARD);
}

/* A copy of the state at another address than the last time. */
static void *move_out(struct kit_wrap *w, const void *state)
{
	unsigned char *to = w->elsewhere[w->turn++ & 1];

	memcpy(to, state, w->state_size);
	memset(to + w->state_size, w->pattern, KIT_GUARD);
	return to;
}

static void move_back(struct kit_wrap *w, void *state, unsigned char *from)
{
	check_guard(w, from + w->state_size);
	memcpy(state, from, w->state_size);
	memset(from, GONE, w->state_size + KIT_GUARD);
}

static int32_t wrapped_process(struct tw_ctx *c, const struct tw_batch *b)
{
	struct kit_wrap *w = wrap_of(c);
	int32_t rc;

	if (w->pattern)
		stain_stack(w->pattern);
	if (w->tight)
		return w->real->process(c, b);
	if (w->moved && b->n == 1 && b->state[0]) {
		void *state = move_out(w, b->state[0]);
		struct tw_batch one = { sizeof one, 1, b->ev, &state };
		rc = w->real->process(c, &one);
		move_back(w, b->state[0], state);
		return rc;
	}
	for (uint32_t i = 0; i < b->n; i++)
		guard(w, b->state[i]);
	rc = w->real->process(c, b);
	for (uint32_t i = 0; i < b->n; i++) { /* one key may come several times */
		if (b->state[i])
			check_guard(w, (unsigned char *)b->state[i] + w->state_size);
	}
	for (uint32_t i = 0; i < b->n; i++)
		if (b->state[i])
			memset((unsigned char *)b->state[i] + w->state_size, 0, KIT_GUARD);
	return rc;
}

static int32_t wrapped_timer(struct tw_ctx *c, void *state, int64_t due)
{
	struct kit_wrap *w = wrap_of(c);
	int32_t rc;

	if (w->pattern)
		stain_stack(w->pattern);
	if (w->tight)
		return w->real->timer(c, state, due);
	if (w->moved && state) {
		void *moved = move_out(w, state);
		rc = w->real->timer(c, moved, due);
		move_back(w, state, moved);
		return rc;
	}
	guard(w, state);
	rc = w->real->timer(c, state, due);
	unguard(w, state);
	return rc;
}

int32_t kit_wrap_on(struct kit_wrap *w, struct kit_plan *p, const struct kit_how *how)
{
	uint32_t self = p->plugin->self_size;

	*w = (struct kit_wrap){ .plugin = *p->plugin,
				.real = &p->plugin->detector,
				.moved = how->moved,
				.tight = how->tight,
				.pattern = how->pattern };
	w->state_size = p->plugin->detector.state_size_of ? p->plugin->detector.state_size_of(p->pristine)
							  : p->plugin->detector.state_size;
	w->plugin.detector.process = wrapped_process;
	if (w->real->timer)
		w->plugin.detector.timer = wrapped_timer;
	w->block = malloc(BEFORE + self + KIT_GUARD);
	for (uint32_t i = 0; i < 2; i++) {
		w->elsewhere[i] = aligned_alloc(16, ((w->state_size + KIT_GUARD + 15u) & ~15u) + 16u * i);
		if (!w->elsewhere[i] || !w->block) {
			kit_wrap_off(w, p);
			return TW_E_FATAL;
		}
	}
	memcpy(w->block, &w, sizeof w);
	kit_wrap_fresh(w, p);
	p->node->self = w->block + BEFORE;
	p->node->plugin = &w->plugin;
	if (w->state_size && !how->tight)
		p->node->state_size = w->state_size + KIT_GUARD;
	return TW_OK;
}

void kit_wrap_fresh(struct kit_wrap *w, struct kit_plan *p)
{
	memcpy(w->block + BEFORE, p->pristine, p->plugin->self_size);
	memset(w->block + BEFORE + p->plugin->self_size, w->pattern, KIT_GUARD);
}

void kit_wrap_check(struct kit_wrap *w)
{
	uint32_t first;

	if (w->block && !w->trespass[0] &&
	    changed(w->block + BEFORE + w->plugin.self_size, KIT_GUARD, w->pattern, &first))
		snprintf(w->trespass, sizeof w->trespass,
			 "it wrote behind the end of its options struct of %u bytes, at byte %u; is .self_size the "
			 "sizeof of the struct it uses?",
			 w->plugin.self_size, w->plugin.self_size + first);
}

void kit_wrap_off(struct kit_wrap *w, struct kit_plan *p)
{
	p->node->plugin = p->plugin;
	p->node->self = p->self;
	p->node->state_size = w->state_size;
	free(w->block);
	free(w->elsewhere[0]);
	free(w->elsewhere[1]);
	w->block = w->elsewhere[0] = w->elsewhere[1] = NULL;
}
