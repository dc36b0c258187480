/* SPDX-License-Identifier: Apache-2.0
 *
 * The pump's loop and its two rings.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "bus/pump_impl.h"
#include <stdlib.h>
#include <string.h>

#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS   30000
#define IDLE_MS        50

struct pump *pump_new(const struct graph_node *node, const struct tw_pos *resume, uint64_t after, struct bell *wake)
{
	struct pump *p = aligned_alloc(64, (sizeof *p + 63u) & ~(size_t)63u);

	if (!p)
		return NULL;
	memset(p, 0, sizeof *p);
	p->node = node;
	p->source = &node->plugin->source;
	p->call = (struct call){ .kind = "source", .plugin = node->plugin->name, .instance = node->name };
	p->wake = wake;
	p->finite = p->source->finite && p->source->finite(node->self) == 1;
	p->resumed = resume != NULL;
	if (resume)
		p->pos = *resume;
	p->drop = after;
	bell_init(&p->bell);
	ring_init(&p->full, CHUNKS);
	ring_init(&p->free, CHUNKS);
	pump_writer_init(p);
	p->ext = ext_new(NULL, PLUGIN_SOURCE, node->plugin->name, node->name);
	if (!p->ext) {
		pump_free(p);
		return NULL;
	}
	for (uint32_t i = 0; i < CHUNKS; i++) {
		p->chunks[i].dead = calloc(CHUNK_DEAD, sizeof *p->chunks[i].dead);
		if (!p->chunks[i].dead || !buf_reserve(&p->chunks[i].records, 64 * 1024)) {
			pump_free(p);
			return NULL;
		}
		ring_push(&p->free, &p->chunks[i]);
	}
	return p;
}

/* From open() returning to close() beginning; not earlier and not later may another thread call into the source. */
static void let_wake(struct pump *p, bool may)
{
	pthread_mutex_lock(&p->wake_lock);
	p->may_wake = may;
	pthread_mutex_unlock(&p->wake_lock);
}

static void close_source(struct pump *p)
{
	let_wake(p, false);
	call_enter(&p->call);
	if (p->open && p->source->close)
		p->source->close(p->node->self);
	call_leave();
	p->open = false;
}

void pump_free(struct pump *p)
{
	if (!p)
		return;
	close_source(p);
	for (uint32_t i = 0; i < CHUNKS; i++) {
		buf_free(&p->chunks[i].records);
		arena_free(&p->chunks[i].texts);
		free(p->chunks[i].dead);
		free(p->chunks[i].values);
	}
	ext_free(p->ext);
	buf_free(&p->foreign);
	bell_free(&p->bell);
	buf_free(&p->foreign);
	free(p);
}

void pump_serve(struct pump *p, struct services *s)
{
	ext_serve(p->ext, s);
}

struct kv *pump_values(struct pump *p)
{
	return ext_kv(p->ext);
}

static void chunk_clear(struct chunk *c)
{
	c->records.len = 0;
	c->n = c->n_dead = c->mark_events = c->mark_dead = c->n_values = 0;
	c->marked = c->last = c->cut = false;
	c->skipped = 0;
	arena_reset(&c->texts);
}

static void publish(struct pump *p, struct chunk *c, bool last)
{
	c->last = last;
	c->skipped = p->skipped_now;
	p->skipped_now = 0;
	p->current = NULL;
	atomic_fetch_add_explicit(&p->events, c->n, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->dead, c->n_dead, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->skipped, c->skipped, memory_order_relaxed);
	ring_push(&p->full, c); /* there are as many places as chunks */
	bell_ring(p->wake);
	CRASH_POINT("pump.published");
}

static void note_progress(struct pump *p)
{
	uint64_t done = 0, total = 0;

	if (!p->source->progress || !p->open)
		return;
	p->source->progress(p->node->self, &done, &total);
	atomic_store_explicit(&p->done_units, done, memory_order_relaxed);
	atomic_store_explicit(&p->total_units, total, memory_order_relaxed);
}

/* The source is over, for good or ill: say so to the sequencer in order, behind what came before. */
static enum step finish(struct pump *p, bool failed)
{
	struct chunk *c = p->current ? p->current : ring_peek(&p->free);

	if (!c)
		return STEP_IDLE; /* comes again once a chunk is back */
	if (!p->current) {
		ring_pop(&p->free);
		chunk_clear(c);
	}
	atomic_store(&p->failed, failed);
	c->cut = !failed && !p->ending;
	publish(p, c, true);
	p->over = true;
	close_source(p);
	return failed ? STEP_FAILED : STEP_DONE;
}

static enum step give_up(struct pump *p, const char *doing, const struct tw_err *e)
{
	log_error(p->node->name, "%s: %s; the source gives up", doing, e->msg[0] ? e->msg : "no reason given");
	p->giving_up = true;
	return finish(p, true);
}

/* The outside world failed: close, pause, and open again from the last mark. */
static enum step fall_back(struct pump *p, const char *doing, const struct tw_err *e)
{
	close_source(p);
	if (++p->attempts > p->node->source.retries)
		return give_up(p, doing, e);
	p->pause_ms = p->pause_ms ? p->pause_ms * 2 : PAUSE_FIRST_MS;
	if (p->pause_ms > PAUSE_MAX_MS)
		p->pause_ms = PAUSE_MAX_MS;
	p->not_before = os->mono() + (int64_t)p->pause_ms * 1000000;
	/* What was pushed after the last mark will come again, then what is still to be repeated anyway. */
	p->drop += p->since_mark;
	p->since_mark = 0;
	kv_rewind(ext_kv(p->ext));
	log_warn(p->node->name, "%s: %s; opening again in %d ms (attempt %d of %" PRId64 ")", doing,
		 e->msg[0] ? e->msg : "no reason given", p->pause_ms, p->attempts, p->node->source.retries);
	return STEP_IDLE;
}

static enum step open_source(struct pump *p)
{
	struct tw_err e = { 0 };
	int32_t rc;

	if (p->not_before && os->mono() < p->not_before)
		return STEP_IDLE;
	rc = p->source->open ? CALL(&p->call, p->source->open(p->node->self, &p->host, p->resumed ? &p->pos : NULL, &e))
			     : TW_OK;
	if (rc == TW_E_IO)
		return fall_back(p, "cannot open", &e);
	if (rc < 0)
		return give_up(p, "cannot open", &e);
	p->open = true;
	let_wake(p, true);
	return STEP_MORE;
}

/* Too many refused rows? */
static bool too_bad(const struct pump *p)
{
	const struct source_options *o = &p->node->source;
	uint64_t rows = p->good + p->bad;

	if (o->bad_share > 0)
		return rows >= 100 && (double)p->bad > o->bad_share * (double)rows;
	return p->bad > o->bad_count;
}

static enum step stop_rubbish(struct pump *p)
{
	struct tw_err e;

	err_set(&e, TW_E_DATA,
		"%" PRIu64 " of %" PRIu64
		" rows were refused, more than max_bad: %s allows; `tapewatch tape cat --dead` shows them",
		p->bad, p->good + p->bad, p->node->source.max_bad);
	return give_up(p, "reading", &e);
}

enum step pump_step(struct pump *p, int32_t timeout_ms)
{
	struct tw_err e = { 0 };
	struct chunk *c;
	int32_t rc;

	if (p->over)
		return atomic_load(&p->failed) ? STEP_FAILED : STEP_DONE;
	if (atomic_load(&p->stop) || p->giving_up)
		return finish(p, p->giving_up);
	if (p->ending)
		return finish(p, false);
	if (!p->open) {
		enum step opened = open_source(p);
		if (opened != STEP_MORE)
			return opened;
		if (atomic_load(&p->stop)) /* told so before the source could be woken */
			return finish(p, false);
	}
	if (p->source->ack && atomic_exchange(&p->ack_new, false)) {
		pthread_mutex_lock(&p->ack_lock);
		struct tw_pos pos = p->ack_pos;
		pthread_mutex_unlock(&p->ack_lock);
		(void)CALL(&p->call, p->source->ack(p->node->self, &pos, &e));
	}
	c = p->current;
	if (!c) {
		c = ring_pop(&p->free);
		p->starved = !c;
		if (!c)
			return STEP_IDLE;
		chunk_clear(c);
		p->current = c;
	}
	p->writer.credit = CHUNK_EVENTS;
	kv_polling(ext_kv(p->ext));
	rc = CALL(&p->call, p->source->poll(p->node->self, &p->writer, timeout_ms, &e));
	note_progress(p);
	if (p->memory_out) {
		err_set(&e, TW_E_FATAL, "memory is out");
		return give_up(p, "reading", &e);
	}
	if (too_bad(p))
		return stop_rubbish(p);
	if (c->n || c->n_dead || c->marked) {
		p->attempts = 0;
		p->pause_ms = 0;
		if (rc == TW_OK || rc == TW_AGAIN)
			publish(p, c, false);
	}
	switch (rc) {
	case TW_OK:
		return STEP_MORE;
	case TW_AGAIN:
		return STEP_IDLE;
	case TW_DONE:
		p->ending = true;
		return finish(p, false);
	case TW_E_IO:
		if (c->n || c->n_dead)
			publish(p, c, false);
		return fall_back(p, "reading", &e);
	default:
		return give_up(p, "reading", &e);
	}
}

void pump_stop(struct pump *p)
{
	atomic_store(&p->stop, true);
	ext_stop(p->ext);
	pthread_mutex_lock(&p->wake_lock);
	if (p->may_wake && p->source->wakeup)
		p->source->wakeup(p->node->self);
	pthread_mutex_unlock(&p->wake_lock);
	bell_ring(&p->bell);
}

bool pump_stopping(const struct pump *p)
{
	return atomic_load(&p->stop);
}

struct bell *pump_bell(struct pump *p)
{
	return &p->bell;
}

int32_t pump_pause_ms(const struct pump *p)
{
	if (p->open || !p->not_before)
		return p->starved ? IDLE_MS : 1; /* an idle poll has waited already */
	int64_t left = (p->not_before - os->mono()) / 1000000 + 1;
	return left < 1 ? 1 : left > PAUSE_MAX_MS ? PAUSE_MAX_MS : (int32_t)left;
}

bool pump_finite(const struct pump *p)
{
	return p->finite;
}

bool pump_failed(const struct pump *p)
{
	return atomic_load(&p->failed);
}

const char *pump_name(const struct pump *p)
{
	return p->node->name;
}

struct chunk *pump_peek(struct pump *p)
{
	return ring_peek(&p->full);
}

void pump_give_back(struct pump *p)
{
	struct chunk *c = ring_pop(&p->full);

	if (c->last) {
		p->ended = true;
		p->cut = c->cut;
	}
	ring_push(&p->free, c);
	bell_ring(&p->bell);
}

bool pump_ended(struct pump *p)
{
	return p->ended;
}

bool pump_starved(const struct pump *p)
{
	return p->ended && p->memory_out;
}

bool pump_cut(const struct pump *p)
{
	return p->cut;
}

void pump_ack(struct pump *p, const struct tw_pos *pos)
{
	if (!p->source->ack)
		return;
	pthread_mutex_lock(&p->ack_lock);
	p->ack_pos = *pos;
	pthread_mutex_unlock(&p->ack_lock);
	atomic_store(&p->ack_new, true);
	bell_ring(&p->bell);
}

void pump_stats(const struct pump *p, struct pump_stats *ret)
{
	ret->events = atomic_load_explicit(&p->events, memory_order_relaxed);
	ret->dead = atomic_load_explicit(&p->dead, memory_order_relaxed);
	ret->skipped = atomic_load_explicit(&p->skipped, memory_order_relaxed);
	ret->waiting = ring_count(&p->full);
	ret->done = atomic_load_explicit(&p->done_units, memory_order_relaxed);
	ret->total = atomic_load_explicit(&p->total_units, memory_order_relaxed);
}
