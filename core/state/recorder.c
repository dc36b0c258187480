/* SPDX-License-Identifier: Apache-2.0
 *
 * Group commit: everything that waits goes into one tape transaction, then one alert transaction, then checkpoints.
 */
#include "state/recorder.h"
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include <stdlib.h>
#include <string.h>

#define MAX_SINKS    256u
#define MAX_REFUSED  1024u
#define CURSOR_EVERY 200000000LL /* ns: cursors alone are committed this often */
#define FULL_EVERY   500000000LL /* ns: attempts while the disk is full */
#define RETAIN_EVERY                                                                                                   \
	1000000000LL               /* ns: one segment is given up this often, for removing a large file takes its time \
				    */
#define HOLD_AFTER   2000000000LL  /* ns: a sink may be behind that long */
#define RETAIN_PAUSE 60000000000LL /* ns: after an attempt that failed */

struct sink_cursor {
	const char *name;
	struct bell *wake;
	_Atomic uint64_t record;
	_Atomic bool gone;
	uint64_t taken, stored; /* taken: goes with the group */
};

struct recorder {
	struct ring full, free;
	struct store *store;
	struct bell bell, *wake;
	struct commit commits[COMMITS];
	struct commit *group[COMMITS]; /* taken from the ring, not yet durable */
	uint32_t n_group;
	bool tape_done, alerts_done; /* of the group */
	bool last, blocked;
	int64_t retry_at, cursors_at;
	struct sink_cursor sinks[MAX_SINKS];
	uint32_t n_sinks;
	_Atomic bool sinks_done, last_durable;
	pthread_mutex_t refused_lock;
	struct dead_letter refused[MAX_REFUSED];
	_Atomic uint32_t n_refused;
	uint32_t n_refused_taken;
	struct arena refused_texts;
	_Atomic uint64_t durable_seq, durable_alert, n_commits;
	_Atomic int32_t result;
	void (*durable)(void *arg, uint32_t index, const struct position *);
	void *durable_arg;
	struct retention retention;
	bool ends;
	_Atomic bool held;
	int64_t retain_at;
};

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	buf_free(&s->note);
	buf_free(&s->bytes);
	free(s->values);
	free(s);
}

bool snapshot_add(struct snapshot *s, uint32_t space, uint32_t key, const void *data, uint32_t len)
{
	if (s->n == s->cap) {
		uint64_t cap = s->cap ? s->cap * 2 : 1024;
		struct state_value *values = realloc(s->values, cap * sizeof *values);
		if (!values)
			return false;
		s->values = values;
		s->cap = cap;
	}
	/* Offset + 1, so that 0 still says "delete" */
	s->values[s->n++] =
		(struct state_value){ space, key, data ? (void *)(uintptr_t)(s->bytes.len + 1) : NULL, len };
	return !data || buf_add(&s->bytes, data, len) == 0;
}

struct recorder *recorder_new(struct store *store, uint32_t n_sources, struct bell *wake)
{
	struct recorder *r = aligned_alloc(64, (sizeof *r + 63u) & ~(size_t)63u);

	if (!r)
		return NULL;
	memset(r, 0, sizeof *r);
	r->store = store;
	r->wake = wake;
	bell_init(&r->bell);
	pthread_mutex_init(&r->refused_lock, NULL);
	ring_init(&r->full, COMMITS);
	ring_init(&r->free, COMMITS);
	for (uint32_t i = 0; i < COMMITS; i++) {
		struct commit *c = &r->commits[i];
		c->n_positions = n_sources;
		c->positions = calloc(n_sources ? n_sources : 1, sizeof *c->positions);
		c->dead = calloc(COMMIT_DEAD, sizeof *c->dead);
		if (!c->positions || !c->dead) {
			recorder_free(r);
			return NULL;
		}
		ring_push(&r->free, c);
	}
	if (store) {
		atomic_store(&r->durable_seq, store_last_seq(store));
		atomic_store(&r->durable_alert, store_last_alert(store));
	}
	return r;
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; i < COMMITS; i++) {
		struct commit *c = &r->commits[i];
		buf_free(&c->events);
		buf_free(&c->alerts);
		arena_free(&c->texts);
		snapshot_free(c->snapshot);
		free(c->positions);
		free(c->dead);
		free(c->values);
	}
	arena_free(&r->refused_texts);
	bell_free(&r->bell);
	free(r);
}

void recorder_on_durable(struct recorder *r, void (*durable)(void *arg, uint32_t index, const struct position *),
			 void *arg)
{
	r->durable = durable;
	r->durable_arg = arg;
}

struct commit *recorder_take(struct recorder *r)
{
	struct commit *c = ring_pop(&r->free);

	if (!c)
		return NULL;
	c->n_events = c->n_alerts = c->n_dead = c->n_values = 0;
	c->value_bytes = 0;
	c->events.len = c->alerts.len = 0;
	c->complete = 0;
	c->last = false;
	arena_reset(&c->texts);
	for (uint32_t i = 0; i < c->n_positions; i++)
		c->positions[i].source = NULL;
	return c;
}

void recorder_hand(struct recorder *r, struct commit *c)
{
	ring_push(&r->full, c);
	bell_ring(&r->bell);
}

bool recorder_idle(const struct recorder *r)
{
	return ring_count(&r->full) == 0 && ring_count(&r->free) >= COMMITS / 2;
}

bool recorder_at_rest(const struct recorder *r, bool taken)
{
	return ring_count(&r->free) == COMMITS - (taken ? 1 : 0);
}

/* ---- the group ---- */

static int32_t commit_tape(struct recorder *r, struct tw_err *e)
{
	struct block blocks[COMMITS];
	struct tape_commit t = { .blocks = blocks };
	struct position *positions;
	struct dead_letter *dead;
	struct source_value *values;
	uint32_t n_positions = 0, n_dead = 0, n_values = 0, refused;
	int32_t rc;

	for (uint32_t i = 0; i < r->n_group; i++) {
		const struct commit *c = r->group[i];
		if (c->n_events)
			blocks[t.n_blocks++] =
				(struct block){ c->first_seq, c->n_events, c->events.data, c->events.len };
		n_dead += c->n_dead;
		n_positions += c->n_positions;
		n_values += c->n_values;
	}
	pthread_mutex_lock(&r->refused_lock);
	refused = r->n_refused;
	pthread_mutex_unlock(&r->refused_lock);
	positions = calloc(n_positions + 1, sizeof *positions);
	dead = calloc((size_t)n_dead + refused + 1, sizeof *dead);
	values = calloc((size_t)n_values + 1, sizeof *values);
	if (!positions || !dead || !values) {
		free(positions);
		free(dead);
		free(values);
		return err_set(e, TW_E_FATAL, "memory is out");
	}
	for (uint32_t i = 0; i < r->n_group; i++) { /* later commits overwrite the positions of earlier ones */
		const struct commit *c = r->group[i];
		for (uint32_t k = 0; k < c->n_positions; k++)
			if (c->positions[k].source)
				positions[t.n_positions++] = c->positions[k];
		if (c->n_dead)
			memcpy(dead + t.n_dead, c->dead, c->n_dead * sizeof *dead);
		t.n_dead += c->n_dead;
		if (c->n_values)
			memcpy(values + t.n_values, c->values, c->n_values * sizeof *values);
		t.n_values += c->n_values;
	}
	if (refused)
		memcpy(dead + t.n_dead, r->refused, refused * sizeof *dead);
	t.n_dead += refused;
	t.positions = positions;
	t.dead = dead;
	t.values = values;
	rc = t.n_blocks || t.n_positions || t.n_dead ? store_commit_tape(r->store, &t, e) : TW_OK;
	if (rc == TW_OK)
		r->n_refused_taken = refused;
	free(positions);
	free(dead);
	free(values);
	return rc;
}

static int32_t commit_alerts(struct recorder *r, struct tw_err *e)
{
	struct block blocks[COMMITS];
	struct cursor cursors[MAX_SINKS];
	struct alert_commit a = { .blocks = blocks, .cursors = cursors };
	int32_t rc;

	a.complete = store_complete(r->store);
	for (uint32_t i = 0; i < r->n_group; i++) {
		const struct commit *c = r->group[i];
		if (c->n_alerts)
			blocks[a.n_blocks++] =
				(struct block){ c->first_alert, c->n_alerts, c->alerts.data, c->alerts.len };
		if (c->complete > a.complete)
			a.complete = c->complete;
	}
	for (uint32_t i = 0; i < r->n_sinks; i++)
		if (r->sinks[i].taken != r->sinks[i].stored)
			cursors[a.n_cursors++] = (struct cursor){ r->sinks[i].name, r->sinks[i].taken };
	if (!a.n_blocks && !a.n_cursors && a.complete == store_complete(r->store))
		return TW_OK;
	rc = store_commit_alerts(r->store, &a, e);
	if (rc == TW_OK) {
		for (uint32_t i = 0; i < r->n_sinks; i++)
			r->sinks[i].stored = r->sinks[i].taken;
		r->cursors_at = os->mono();
	}
	return rc;
}

static int32_t commit_snapshots(struct recorder *r, struct tw_err *e)
{
	for (uint32_t i = 0; i < r->n_group; i++) {
		struct snapshot *s = r->group[i]->snapshot;
		int32_t rc;
		if (!s)
			continue;
		/* offsets to pointers, once: a retry finds them turned already */
		for (uint64_t k = 0; s->cap && k < s->n; k++)
			if (s->values[k].data)
				s->values[k].data = s->bytes.data + ((uintptr_t)s->values[k].data - 1);
		s->cap = 0;
		struct checkpoint c = { .seq = s->seq,
					.note = s->note.data ? (const char *)s->note.data : "",
					.whole = s->whole,
					.values = s->values,
					.n = s->n };
		int64_t began = os->mono();
		rc = store_commit_checkpoint(r->store, &c, e);
		if (rc != TW_OK)
			return rc;
		log_debug("store",
			  "checkpoint as of event %" PRIu64 ": %" PRIu64
			  " values, judging stood still for %.3f ms, committed in %.3f ms",
			  s->seq, s->n, (double)s->stall / 1e6, (double)(os->mono() - began) / 1e6);
		snapshot_free(s);
		r->group[i]->snapshot = NULL;
		CRASH_POINT("recorder.after_checkpoint");
	}
	return TW_OK;
}

static int32_t commit_group(struct recorder *r, struct tw_err *e)
{
	int32_t rc = TW_OK;

	if (!r->store)
		return TW_OK;
	CRASH_POINT("recorder.before_tape");
	if (!r->tape_done) {
		/* Before the refused records are counted: a cursor that passes one must not be durable before its dead
		 * letter. */
		for (uint32_t i = 0; i < r->n_sinks; i++)
			r->sinks[i].taken = atomic_load(&r->sinks[i].record);
		rc = commit_tape(r, e);
	}
	if (rc != TW_OK)
		return rc;
	r->tape_done = true;
	CRASH_POINT("recorder.after_tape");
	if (!r->alerts_done)
		rc = commit_alerts(r, e);
	if (rc != TW_OK)
		return rc;
	r->alerts_done = true;
	CRASH_POINT("recorder.after_alerts");
	return commit_snapshots(r, e);
}

static void forget_refused(struct recorder *r)
{
	if (!r->n_refused_taken)
		return;
	pthread_mutex_lock(&r->refused_lock);
	memmove(r->refused, r->refused + r->n_refused_taken, (r->n_refused - r->n_refused_taken) * sizeof *r->refused);
	r->n_refused -= r->n_refused_taken;
	r->n_refused_taken = 0;
	if (!r->n_refused)
		arena_reset(&r->refused_texts);
	pthread_mutex_unlock(&r->refused_lock);
}

static void release(struct recorder *r)
{
	uint64_t seq = atomic_load(&r->durable_seq), alert = atomic_load(&r->durable_alert);

	forget_refused(r);
	for (uint32_t i = 0; i < r->n_group; i++) {
		struct commit *c = r->group[i];
		if (c->n_events)
			seq = c->first_seq + c->n_events - 1;
		if (c->n_alerts)
			alert = c->first_alert + c->n_alerts - 1;
		r->last |= c->last;
		atomic_fetch_add_explicit(&r->n_commits, 1, memory_order_relaxed);
		for (uint32_t k = 0; r->durable && k < c->n_positions; k++)
			if (c->positions[k].source && c->positions[k].marked)
				r->durable(r->durable_arg, k, &c->positions[k]);
		snapshot_free(c->snapshot); /* still there only without a store */
		c->snapshot = NULL;
		ring_push(&r->free, c);
	}
	r->n_group = 0;
	r->tape_done = r->alerts_done = false;
	atomic_store(&r->durable_seq, seq);
	if (r->last)
		atomic_store(&r->last_durable, true);
	if (atomic_exchange(&r->durable_alert, alert) != alert || r->last)
		for (uint32_t i = 0; i < r->n_sinks; i++)
			bell_ring(r->sinks[i].wake);
	bell_ring(r->wake);
	CRASH_POINT("recorder.after_release");
}

static bool cursors_moved(const struct recorder *r)
{
	for (uint32_t i = 0; i < r->n_sinks; i++)
		if (atomic_load(&r->sinks[i].record) != r->sinks[i].stored)
			return true;
	return r->n_refused > 0;
}

static enum step blocked(struct recorder *r, const struct tw_err *e)
{
	if (!r->blocked)
		log_error("store", "%s; sources wait, nothing is lost, it goes on by itself once there is room",
			  e->msg);
	r->blocked = true;
	r->retry_at = os->mono() + FULL_EVERY;
	return STEP_IDLE;
}

static enum step fail(struct recorder *r, int32_t rc, const struct tw_err *e)
{
	log_error("store", "%s", e->msg);
	atomic_store(&r->result, rc);
	bell_ring(r->wake);
	return STEP_FAILED;
}

bool recorder_held(const struct recorder *r)
{
	return atomic_load_explicit(&r->held, memory_order_relaxed);
}

void recorder_sink_gone(struct recorder *r, uint32_t sink)
{
	atomic_store(&r->sinks[sink].gone, true);
	bell_ring(&r->bell);
}

/* Hold the sources back, or let them go on. */
static void hold(struct recorder *r, bool going)
{
	const char *holder = going ? NULL : store_holder(r->store); /* the oldest has just gone: nobody held it */
	bool held = holder != NULL;

	for (uint32_t i = 0; held && r->ends && i < r->n_sinks; i++)
		if (atomic_load(&r->sinks[i].gone) && strcmp(r->sinks[i].name, holder) == 0)
			held = false;
	if (atomic_exchange(&r->held, held) != held)
		bell_ring(r->wake);
}

void recorder_retention(struct recorder *r, const struct retention *limits, bool ends)
{
	r->retention = *limits;
	r->ends = ends;
}

/* Between commits, and at the end, when nobody waits, until nothing is due. TW_AGAIN: something was given up. Only what
 * may not be tried again is an error. */
static int32_t retain(struct recorder *r, bool done, struct tw_err *e)
{
	struct retention limits = r->retention;
	struct cursor cursors[MAX_SINKS];
	int32_t rc;

	if (!r->store || (!limits.tape_age && !limits.tape_bytes && !limits.alert_age))
		return TW_OK;
	if (!done && os->mono() < r->retain_at)
		return TW_OK;
	/* As committed: where a sink would go on after a crash. */
	for (uint32_t i = 0; i < r->n_sinks; i++)
		cursors[i] = (struct cursor){ r->sinks[i].name, r->sinks[i].stored };
	limits.patience = done ? 0 : HOLD_AFTER;
	limits.cursors = cursors;
	limits.n_cursors = r->n_sinks;
	rc = store_retain(r->store, &limits, e);
	r->retain_at = os->mono() + RETAIN_EVERY;
	if (rc == TW_OK || rc == TW_AGAIN)
		hold(r, rc == TW_AGAIN);
	if (rc == STORE_E_FATAL || rc == TW_AGAIN)
		return rc;
	if (rc < 0) {
		log_error("store", "retention: %s", e->msg);
		r->retain_at = os->mono() + RETAIN_PAUSE;
	}
	return TW_OK;
}

enum step recorder_step(struct recorder *r)
{
	struct tw_err e = { 0 };
	struct commit *c;
	bool done = r->last && atomic_load(&r->sinks_done);
	int32_t rc;

	if (r->blocked && os->mono() < r->retry_at)
		return STEP_IDLE;
	rc = retain(r, done, &e);
	if (rc < 0)
		return fail(r, rc, &e);
	if (!r->blocked)
		while (r->n_group < COMMITS && (c = ring_pop(&r->full)) != NULL)
			r->group[r->n_group++] = c;
	if (!r->n_group) {
		if (!r->store || !cursors_moved(r))
			return !done ? STEP_IDLE : rc == TW_AGAIN ? STEP_MORE : STEP_DONE;
		if (!done && os->mono() - r->cursors_at < CURSOR_EVERY)
			return STEP_IDLE;
	}
	rc = commit_group(r, &e);
	if (rc == STORE_FULL)
		return blocked(r, &e);
	if (rc != TW_OK)
		return fail(r, rc, &e);
	if (r->blocked)
		log_warn("store", "there is room again; going on");
	r->blocked = false;
	release(r);
	return STEP_MORE;
}

struct bell *recorder_bell(struct recorder *r)
{
	return &r->bell;
}

int32_t recorder_result(const struct recorder *r)
{
	return atomic_load(&r->result);
}

bool recorder_last_durable(const struct recorder *r)
{
	return atomic_load(&r->last_durable);
}

uint64_t recorder_durable_seq(const struct recorder *r)
{
	return atomic_load(&r->durable_seq);
}

uint64_t recorder_durable_alert(const struct recorder *r)
{
	return atomic_load(&r->durable_alert);
}

uint32_t recorder_sink(struct recorder *r, const char *name, struct bell *wake, uint64_t start)
{
	struct sink_cursor *s = &r->sinks[r->n_sinks];

	s->name = name;
	s->wake = wake;
	s->taken = s->stored = start;
	atomic_store(&s->record, start);
	return r->n_sinks++;
}

void recorder_cursor(struct recorder *r, uint32_t sink, uint64_t record)
{
	atomic_store(&r->sinks[sink].record, record);
	bell_ring(&r->bell);
}

int32_t recorder_refused(struct recorder *r, const struct dead_letter *d)
{
	int32_t rc = TW_AGAIN; /* no room, or no memory: the sink offers it again */

	pthread_mutex_lock(&r->refused_lock);
	if (r->n_refused < MAX_REFUSED) {
		struct dead_letter *n = &r->refused[r->n_refused++];
		struct tw_str *texts[] = { &n->source, &n->reason, &n->where, &n->detail, &n->raw };
		bool copied = true;
		*n = *d;
		for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
			if (!texts[i]->s)
				continue;
			texts[i]->s = arena_text(&r->refused_texts, texts[i]->s, texts[i]->len);
			copied = copied && texts[i]->s;
		}
		if (copied)
			rc = TW_OK;
		else
			r->n_refused--;
	}
	pthread_mutex_unlock(&r->refused_lock);
	bell_ring(&r->bell);
	return rc;
}

bool recorder_refused_waits(const struct recorder *r)
{
	return atomic_load(&r->n_refused) > 0;
}

void recorder_sinks_done(struct recorder *r)
{
	atomic_store(&r->sinks_done, true);
	bell_ring(&r->bell);
}

void recorder_stats(const struct recorder *r, struct recorder_stats *ret)
{
	ret->commits = atomic_load_explicit(&r->n_commits, memory_order_relaxed);
	ret->waiting = ring_count(&r->full);
}
