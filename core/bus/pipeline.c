/* SPDX-License-Identifier: Apache-2.0
 *
 * The step: fill a batch, have it judged, hand over a commit when it is worth it.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "bus/pipeline_impl.h"
#include "bus/poison.h"
#include <stdlib.h>
#include <string.h>

/* Events of a tape between two commits, at least: nobody waits for an alert of what is past. */
#define REPLAY_STRIDE 65536u

/* The last event that a recorded dead letter of a detector is about. Letters come in the order of events, and all of a
 * commit at once, so what lies before it is recorded too. */
static int32_t find_letters(struct pipeline *p, struct store *s, struct tw_err *e)
{
	struct log_reader *reader = NULL;
	struct block b;
	int32_t rc = log_reader_open(&reader, s, LOG_DEAD, 1, e);

	while (rc == TW_OK && (rc = log_reader_next(reader, &b, e)) == TW_OK) {
		struct dead_letter d;
		size_t at = 0;
		while (dead_record(&b, &at, &d))
			if (d.seq > p->letters_through && d.reason.len == 14 &&
			    !memcmp(d.reason.s, "detector_error", 14))
				p->letters_through = d.seq;
	}
	log_reader_close(reader);
	return rc == TW_AGAIN ? TW_OK : rc;
}

/* What the tape holds behind the checkpoint. */
static int32_t judge_behind(struct pipeline *p, struct tw_err *e)
{
	struct store *s = p->o.store;

	if (store_last_seq(s) <= p->as_of)
		return TW_OK;
	if (p->o.recorder)
		log_info("host", "judging events %" PRIu64 " to %" PRIu64 " of the tape behind the last checkpoint",
			 p->as_of + 1, store_last_seq(s));
	atomic_store(&p->catching_up, true);
	p->catch_up_began = os->mono();
	return sequencer_open_tape(p, s, p->as_of + 1, store_last_seq(s), e);
}

static int32_t restore(struct pipeline *p, struct tw_err *e)
{
	struct store *s = p->o.store;
	uint64_t as_of = 0;
	int32_t rc;

	if (!s)
		return TW_OK;
	p->alert = store_last_alert(s);
	p->logged_through = store_complete(s);
	if (!p->o.record) { /* nothing to go on from: a run of its own, behind the alerts of earlier ones */
		p->handed_seq = store_last_seq(s);
		if (!p->o.recording)
			p->seq = p->batch_seq = p->handed_seq;
		return TW_OK;
	}
	if (p->o.rebuild) {
		p->whole = true;
	} else {
		rc = checkpoint_restore(p, &as_of, e);
		if (rc < 0)
			return rc;
	}
	p->seq = p->batch_seq = p->handed_seq = p->checkpoint_seq = as_of;
	p->letters_through = p->logged_through;
	p->as_of = as_of;
	if (store_last_seq(s) > as_of) {
		rc = find_letters(p, s, e);
		if (rc < 0)
			return rc;
	}
	return p->joining && p->o.recorder ? joins_begin(p, e) : judge_behind(p, e); /* no recorder: a rehearsal */
}

static int32_t make_parts(struct pipeline *p, struct tw_err *e)
{
	uint32_t n_shards = p->o.workers > 1 ? p->o.workers * SHARDS_PER_WORKER : 1;
	int32_t rc;

	if (n_shards > MAX_SHARDS)
		n_shards = MAX_SHARDS;
	p->ahead = n_shards > 1;
	p->intern = intern_new((uint32_t)p->graph->host.max_names);
	p->inputs = calloc(p->graph->n_sources + 1, sizeof *p->inputs);
	p->n_node_of = MAX_SOURCES_ON_TAPE + 1;
	p->node_of = malloc(p->n_node_of * sizeof *p->node_of);
	if (!p->intern || !p->inputs || !p->node_of || keys_make(p, n_shards) < 0)
		goto memory;
	memset(p->node_of, 0xff, p->n_node_of * sizeof *p->node_of);
	for (uint32_t i = 0; i < (p->ahead ? 2u : 1u); i++)
		if (batch_init(&p->batches[i], p->o.batch, p->n_keyspaces, n_shards, p->ahead) < 0)
			goto memory;
	rc = instances_new(p->graph, p->o.services, p->intern, p->keyspace_of, n_shards, &p->instances, &p->n_instances,
			   e);
	if (rc < 0)
		return rc;
	if (p->o.figures && !figures_new(p))
		goto memory;
	if (crew_init(&p->crew, p->instances, p->n_instances, p->o.workers, n_shards, p->o.bell) < 0)
		goto memory;
	return TW_OK;
memory:
	return err_set(e, TW_E_FATAL, "memory is out");
}

struct pipeline *pipeline_new(const struct pipeline_options *o, struct tw_err *e)
{
	struct pipeline *p = aligned_alloc(_Alignof(struct pipeline), sizeof *p);

	if (!p) {
		err_set(e, TW_E_FATAL, "memory is out");
		return NULL;
	}
	memset(p, 0, sizeof *p);
	p->o = *o;
	p->graph = o->graph;
	if (!p->o.workers)
		p->o.workers = 1;
	if (!p->o.batch)
		p->o.batch = p->o.workers > 1 ? BATCH_MAX : BATCH_ONE;
	if (joins_read(p, e) < 0 || make_parts(p, e) < 0 ||
	    poison_load(p->instances, p->n_instances, o->recording ? o->recording : o->store, o->deaths, o->n_deaths,
			e) < 0 ||
	    restore(p, e) < 0 ||
	    (o->recording && sequencer_open_tape(p, o->recording, 1, o->until ? o->until : UINT64_MAX, e) < 0)) {
		pipeline_free(p);
		return NULL;
	}
	for (uint32_t i = 0; i < p->n_instances; i++)
		p->instances[i].measured = o->measure;
	p->next_checkpoint = os->mono() + p->graph->host.checkpoint;
	return p;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	figures_free(p);
	crew_free(&p->crew);
	instances_free(p->instances, p->n_instances);
	for (uint32_t k = 0; k < p->n_keyspaces; k++)
		keyspace_free(&p->keyspaces[k]);
	free(p->keyspaces);
	free(p->keyspace_kinds);
	free(p->keyspace_of);
	free(p->joins);
	for (uint32_t i = 0; i < 2; i++)
		batch_free(&p->batches[i]);
	free(p->node_of);
	free(p->inputs);
	log_reader_close(p->reader);
	intern_free(p->intern);
	free(p);
}

int32_t pipeline_resume(struct pipeline *p, const struct graph_node *source, struct position *ret, struct tw_err *e)
{
	*ret = (struct position){ .source = source->name };
	return p->o.store && p->o.record ? store_position(p->o.store, source->name, ret, e) : TW_AGAIN;
}

int32_t pipeline_add(struct pipeline *p, struct pump *pump, const struct graph_node *source, struct tw_err *e)
{
	struct input *in = &p->inputs[p->n_inputs];
	int32_t rc;

	*in = (struct input){ .pump = pump, .node = source, .finite = pump_finite(pump) };
	rc = pipeline_resume(p, source, &in->position, e);
	if (rc < 0)
		return rc;
	in->position.source = source->name;
	if (p->o.record) {
		rc = store_source(p->o.store, source->name, &in->tape_number, e);
		if (rc < 0)
			return rc;
	}
	p->n_inputs++;
	return TW_OK;
}

struct commit *pipeline_commit(struct pipeline *p)
{
	if (!p->commit) {
		p->commit = recorder_take(p->o.recorder);
		if (p->commit)
			p->commit->first_seq = p->seq + 1;
	}
	return p->commit;
}

static bool dead_room(struct commit *c)
{
	uint32_t cap = c->cap_dead ? c->cap_dead : COMMIT_DEAD;
	struct dead_letter *dead;

	if (c->n_dead < cap)
		return true;
	dead = realloc(c->dead, (size_t)cap * 2 * sizeof *dead);
	if (!dead)
		return false;
	c->dead = dead;
	c->cap_dead = cap * 2;
	return true;
}

bool pipeline_dead(struct pipeline *p, const struct dead_letter *d, bool must)
{
	struct commit *c = p->commit;
	struct dead_letter *n;
	struct tw_str *texts[5];

	if (must ? !dead_room(c) : c->n_dead >= COMMIT_DEAD)
		return false;
	n = &c->dead[c->n_dead++];
	*n = *d;
	texts[0] = &n->source;
	texts[1] = &n->reason;
	texts[2] = &n->where;
	texts[3] = &n->detail;
	texts[4] = &n->raw;
	for (size_t i = 0; i < 5; i++) {
		if (!texts[i]->s)
			continue;
		texts[i]->s = arena_text(&c->texts, texts[i]->s, texts[i]->len);
		if (!texts[i]->s) {
			c->n_dead--;
			p->memory_out = true;
			return false;
		}
	}
	atomic_fetch_add_explicit(&p->n_dead, 1, memory_order_relaxed);
	return true;
}

/* Whether the commit holds anything that must reach the store. */
static bool worth_handing(const struct pipeline *p)
{
	const struct commit *c = p->commit;

	if (!c)
		return false;
	if ((c->n_events && p->o.record) || c->n_alerts || c->n_dead)
		return true;
	if (!p->o.record) /* numbers that were used up can wait for company */
		return false;
	for (uint32_t i = 0; i < p->n_inputs; i++)
		if (p->inputs[i].moved)
			return true;
	return false;
}

/* A checkpoint is of one moment: what is under way is judged first. While catching up not before it is news. */
static bool checkpoint_due(const struct pipeline *p)
{
	return p->o.record && (!p->reader || p->batch_seq > p->logged_through) && os->mono() >= p->next_checkpoint;
}

static void hand_over(struct pipeline *p, bool last)
{
	struct commit *c = p->commit;

	for (uint32_t i = 0; i < p->n_inputs; i++) {
		struct input *in = &p->inputs[i];
		if (in->moved)
			c->positions[in->node->index] = in->position;
		in->moved = false;
	}
	c->complete = p->batch_seq;
	c->last = last;
	if (pipeline_still(p) && p->o.record && (last || p->joining || checkpoint_due(p))) {
		int64_t began = os->mono(), done;
		c->snapshot = checkpoint_take(p);
		done = os->mono();
		if (c->snapshot)
			c->snapshot->stall = done - began;
		else
			log_warn("host", "no memory for a checkpoint; the next one will be longer");
		p->next_checkpoint = done + p->graph->host.checkpoint;
	}
	if (!p->o.record) { /* the numbers are used up, the bytes are not kept */
		c->first_seq = p->handed_seq + 1;
		c->n_events = (uint32_t)(p->batch_seq - p->handed_seq);
		c->events.len = 0;
	}
	p->handed_seq = p->batch_seq;
	p->commit = NULL;
	CRASH_POINT("pipeline.before_hand");
	recorder_hand(p->o.recorder, c);
	CRASH_POINT("pipeline.after_hand");
}

static bool enough(const struct commit *c)
{
	return c->events.len >= COMMIT_BYTES || c->value_bytes >= COMMIT_BYTES || c->alerts.len >= COMMIT_BYTES ||
	       c->n_dead >= COMMIT_DEAD / 2;
}

static void maybe_hand_over(struct pipeline *p)
{
	if (!worth_handing(p))
		return;
	if (enough(p->commit) ||
	    (recorder_idle(p->o.recorder) && !(p->reader && p->batch_seq - p->handed_seq < REPLAY_STRIDE)))
		hand_over(p, false);
}

bool pipeline_room(struct pipeline *p)
{
	if (p->commit && enough(p->commit))
		hand_over(p, false);
	return pipeline_commit(p) != NULL;
}

static enum step fail(struct pipeline *p, int32_t rc, const struct tw_err *e)
{
	if (e)
		log_error("host", "%s", e->msg);
	p->result = rc;
	return STEP_FAILED;
}

static enum step out_of_memory(struct pipeline *p)
{
	struct tw_err e;
	int32_t rc = err_set(&e, TW_E_FATAL, "memory is out; fewer keys (max_keys, ttl) or smaller windows need less");

	return fail(p, rc, &e);
}

/* Events of the tape or of the sources, with the keys of the first level. Negative: it cannot go on; 0: nothing there.
 */
static int32_t fill(struct pipeline *p, struct batch *b)
{
	int32_t n;

	if (p->reader) {
		n = sequencer_replay(p, b);
	} else if (recorder_held(p->o.recorder) && !pipeline_stopping(p)) {
		n = 0; /* what they bring waits, and then they are not polled */
	} else {
		n = (int32_t)sequencer_fill(p, b);
		if (p->o.live && !sequencer_ended(p))
			n += sequencer_clock(p, b) ? 1 : 0;
	}
	if (p->memory_out || intern_starved(p->intern) || (n > 0 && !keys_find(p, 0, &b->base)))
		return TW_E_FATAL;
	return n;
}

static enum step cannot_fill(struct pipeline *p, int32_t rc)
{
	return rc == TW_E_FATAL ? out_of_memory(p) : fail(p, rc, NULL); /* a damaged tape has been logged */
}

static enum step end_of_tape(struct pipeline *p)
{
	log_reader_close(p->reader);
	p->reader = NULL;
	atomic_store(&p->catching_up, false);
	if (p->warming) {
		joins_warmed(p);
		p->commit->first_seq = p->seq + 1;
		return STEP_MORE;
	}
	CRASH_POINT("pipeline.caught_up");
	if (!p->o.recording && p->o.recorder)
		log_info("host", "caught up with the tape in %.3f s", (double)(os->mono() - p->catch_up_began) / 1e9);
	if (!p->o.recording) /* numbers that were used up without a tape count too */
		p->seq = p->batch_seq = store_last_seq(p->o.store);
	p->commit->first_seq = p->seq + 1;
	return STEP_MORE;
}

static enum step last_step(struct pipeline *p)
{
	figures_publish(p, true);
	hand_over(p, true);
	p->finished = true;
	return STEP_DONE;
}

/* Nothing is under way and nothing came. */
static enum step at_rest(struct pipeline *p)
{
	figures_publish(p, false);
	if (p->reader)
		return end_of_tape(p);
	if (sequencer_release(p))
		return STEP_MORE;
	if (sequencer_ended(p))
		return last_step(p);
	if (p->commit->n_dead >= COMMIT_DEAD) { /* more may wait for room */
		hand_over(p, false);
		return STEP_MORE;
	}
	if (worth_handing(p) && recorder_idle(p->o.recorder))
		hand_over(p, false);
	return STEP_IDLE;
}

/* STEP_IDLE: no commit is free; what is left comes with the next step. */
static enum step finish(struct pipeline *p)
{
	struct tw_err e = { 0 };
	int32_t rc = judge_finish(p, p->judged, &e);

	if (rc < 0)
		return fail(p, rc, &e);
	if (rc == TW_AGAIN)
		return STEP_IDLE;
	p->judged = NULL;
	if (!p->ahead)
		(void)sequencer_release(p);
	maybe_hand_over(p);
	return STEP_MORE;
}

static bool pausing(const struct pipeline *p)
{
	return __builtin_expect(atomic_load_explicit(&p->pause, memory_order_relaxed), 0) && !p->reader &&
	       !p->joining && pipeline_may_pause(p);
}

/* Whether what is under way must come to its end before there is more. */
static bool must_drain(const struct pipeline *p)
{
	return pausing(p) || checkpoint_due(p);
}

/* One worker: a batch from end to end, where its bytes are. */
static enum step step_alone(struct pipeline *p)
{
	struct batch *b = &p->batches[0];

	if (!p->judged) {
		int32_t n = fill(p, b);
		if (n < 0)
			return cannot_fill(p, n);
		if (n == 0)
			return at_rest(p);
		if (!judge_start(p, b) || judge_go_on(p, b) < 0)
			return out_of_memory(p);
		p->judged = b;
		figures_publish(p, false);
	}
	return finish(p);
}

/* Several: while they judge one batch, finish the one before and fill the next. */
static enum step step_ahead(struct pipeline *p)
{
	if (p->judged) {
		enum step s = finish(p);
		if (s != STEP_MORE)
			return s;
		if (!pipeline_commit(p))
			return STEP_IDLE;
	}
	if (!p->filled && !must_drain(p)) {
		struct batch *b = p->judging == &p->batches[0] ? &p->batches[1] : &p->batches[0];
		int32_t n = fill(p, b);
		if (n < 0)
			return cannot_fill(p, n);
		p->filled = n > 0 ? b : NULL;
		if (!p->filled && !p->judging)
			return at_rest(p);
	}
	if (p->judging) {
		int32_t rc = judge_go_on(p, p->judging);
		if (rc != TW_OK)
			return rc == TW_AGAIN ? STEP_IDLE : out_of_memory(p);
		p->judged = p->judging;
		p->judging = NULL;
		figures_publish(p, false);
	}
	if (p->filled) {
		p->judging = p->filled;
		p->filled = NULL;
		if (!judge_start(p, p->judging))
			return out_of_memory(p);
	}
	return STEP_MORE;
}

/* Who is new is written down before anything he says is. */
static enum step step_join(struct pipeline *p)
{
	struct tw_err e = { 0 };
	int32_t rc;

	if (!p->join_handed) {
		p->join_handed = true;
		hand_over(p, false);
		if (p->checkpoint_seq != p->batch_seq || p->whole)
			return out_of_memory(p);
		return STEP_MORE;
	}
	if (!recorder_at_rest(p->o.recorder, p->commit != NULL))
		return STEP_IDLE;
	p->joining = false;
	CRASH_POINT("joins.recorded");
	rc = judge_behind(p, &e);
	return rc < 0 ? fail(p, rc, &e) : STEP_MORE;
}

enum step pipeline_step(struct pipeline *p)
{
	if (p->finished)
		return STEP_DONE;
	if (recorder_result(p->o.recorder) != TW_OK)
		return fail(p, recorder_result(p->o.recorder), NULL);
	if (!pipeline_commit(p))
		return STEP_IDLE;
	if (p->joining && !p->warming)
		return step_join(p);
	if (pipeline_still(p) && pausing(p))
		return last_step(p);
	if (pipeline_still(p) && checkpoint_due(p)) {
		if (worth_handing(p) || p->batch_seq > p->checkpoint_seq)
			hand_over(p, false);
		else
			p->next_checkpoint = os->mono() + p->graph->host.checkpoint;
		return STEP_MORE;
	}
	return p->ahead ? step_ahead(p) : step_alone(p);
}

int32_t pipeline_result(const struct pipeline *p)
{
	return p->result;
}

void pipeline_stats(const struct pipeline *p, struct pipeline_stats *ret)
{
	*ret = (struct pipeline_stats){
		.events = atomic_load_explicit(&p->n_events, memory_order_relaxed),
		.alerts = atomic_load_explicit(&p->n_alerts, memory_order_relaxed),
		.scores = atomic_load_explicit(&p->n_scores, memory_order_relaxed),
		.dead = atomic_load_explicit(&p->n_dead, memory_order_relaxed),
		.event_time = atomic_load_explicit(&p->event_time, memory_order_relaxed),
		.catching_up = atomic_load_explicit(&p->catching_up, memory_order_relaxed),
	};
}

struct share *pipeline_share(struct pipeline *p, const struct instance *in, const struct key *key)
{
	uint32_t shard = in->home != UINT32_MAX ? in->home : key_shard(&p->keyspaces[in->keyspace], key);

	return &p->crew.shards[shard].shares[in->number];
}

struct worker *pipeline_worker(struct pipeline *p, uint32_t number)
{
	return &p->crew.workers[number];
}

struct bell *pipeline_worker_bell(struct pipeline *p)
{
	return &p->crew.bell;
}

void pipeline_detector(const struct pipeline *p, uint32_t detector, struct detector_stats *ret)
{
	const struct instance *in = &p->instances[detector];

	*ret = (struct detector_stats){ .alerts = in->alerts, .errors = in->errors, .quarantined = in->quarantined };
	for (uint32_t i = 0; i < p->crew.n_shards; i++) {
		const struct share *s = &p->crew.shards[i].shares[detector];
		ret->events += s->events;
		ret->scores += s->scores;
		ret->quiet += s->quiet;
		ret->warming += s->warming;
		ret->unkeyed += s->unkeyed;
		ret->busy_ns += s->busy_ns;
		ret->errors += s->timer_errors;
		for (size_t k = 0; k < sizeof s->counters / sizeof *s->counters; k++)
			ret->counters[k] += s->counters[k];
	}
}

const struct intern *pipeline_names(const struct pipeline *p)
{
	return p->intern;
}
