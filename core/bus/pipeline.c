/* SPDX-License-Identifier: Apache-2.0
 *
 * The step: fill a batch, judge it, hand over a commit when it is worth it.
 */
#include "base/err.h"
#include "bus/pipeline_impl.h"
#include "base/log.h"
#include "base/os.h"
#include <stdlib.h>
#include <string.h>

/* Detectors that agree on key fields, max_keys, ttl and level share a keyspace. */
static int32_t make_keyspaces(struct pipeline *p)
{
	const struct graph *g = p->graph;

	p->keyspaces = calloc(g->n_detectors + 1, sizeof *p->keyspaces);
	p->keyspace_kinds = calloc(g->n_detectors + 1, sizeof *p->keyspace_kinds);
	if (!p->keyspaces || !p->keyspace_kinds)
		return TW_E_FATAL;
	for (uint32_t i = 0; i < g->n_detectors; i++) {
		const struct graph_node *d = graph_detector(g, i);
		uint32_t k = 0;
		for (; k < p->n_keyspaces; k++) {
			const struct keyspace *s = &p->keyspaces[k];
			if (s->fields == (uint32_t)d->key && s->level == d->level && s->ttl == d->detector.ttl &&
			    s->max_keys == (uint32_t)d->detector.max_keys)
				break;
		}
		if (k == p->n_keyspaces)
			keyspace_init(&p->keyspaces[p->n_keyspaces++], (uint32_t)d->key, (uint32_t)d->detector.max_keys,
			              d->detector.ttl, d->level);
		p->keyspace_kinds[k] |= d->plugin->detector.kinds;
	}
	return TW_OK;
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
	p->seq = p->batch_seq = p->checkpoint_seq = as_of;
	if (store_last_seq(s) <= as_of)
		return TW_OK;
	log_info("host", "judging events %" PRIu64 " to %" PRIu64 " of the tape behind the last checkpoint", as_of + 1,
	         store_last_seq(s));
	atomic_store(&p->catching_up, true);
	return sequencer_open_tape(p, s, as_of + 1, store_last_seq(s), e);
}

struct pipeline *pipeline_new(const struct pipeline_options *o, struct tw_err *e)
{
	struct pipeline *p = calloc(1, sizeof *p);

	if (!p) {
		err_set(e, TW_E_FATAL, "memory is out");
		return NULL;
	}
	p->o = *o;
	p->graph = o->graph;
	p->intern = intern_new((uint32_t)o->graph->host.max_names);
	p->inputs = calloc(o->graph->n_sources + 1, sizeof *p->inputs);
	p->room = malloc((size_t)BATCH_EVENTS * EVENT_ROOM + EVENT_ROOM);
	p->n_node_of = MAX_SOURCES_ON_TAPE + 1;
	p->node_of = malloc(p->n_node_of * sizeof *p->node_of);
	if (!p->intern || !p->inputs || !p->room || !p->node_of || make_keyspaces(p) < 0 ||
	    items_room(&p->base, BATCH_EVENTS, p->n_keyspaces) < 0) {
		err_set(e, TW_E_FATAL, "memory is out");
		goto fail;
	}
	memset(p->node_of, 0xff, p->n_node_of * sizeof *p->node_of);
	if (worker_init(&p->worker, p->graph, p->intern, p->keyspaces, p->n_keyspaces, e) < 0)
		goto fail;
	if (restore(p, e) < 0)
		goto fail;
	if (o->recording) {
		if (sequencer_open_tape(p, o->recording, 1, UINT64_MAX, e) < 0)
			goto fail;
	}
	p->next_checkpoint = os->mono() + p->graph->host.checkpoint;
	return p;
fail:
	pipeline_free(p);
	return NULL;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	worker_free(&p->worker);
	for (uint32_t k = 0; k < p->n_keyspaces; k++)
		keyspace_free(&p->keyspaces[k]);
	free(p->keyspaces);
	free(p->keyspace_kinds);
	items_free(&p->base);
	items_free(&p->merged);
	arena_free(&p->scratch);
	free(p->room);
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

bool pipeline_dead(struct pipeline *p, const struct dead_letter *d)
{
	struct commit *c = p->commit;
	struct dead_letter *n;
	struct tw_str *texts[5];

	if (c->n_dead == COMMIT_DEAD)
		return false;
	n = &c->dead[c->n_dead++];
	*n = *d;
	texts[0] = &n->source;
	texts[1] = &n->reason;
	texts[2] = &n->where;
	texts[3] = &n->detail;
	texts[4] = &n->raw;
	for (size_t i = 0; i < 5; i++) {
		char *copy = texts[i]->s ? arena_text(&c->texts, texts[i]->s, texts[i]->len) : NULL;
		*texts[i] = (struct tw_str){ .s = copy, .len = copy ? texts[i]->len : 0 };
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
	if (p->o.record && (last || os->mono() >= p->next_checkpoint)) {
		c->snapshot = checkpoint_take(p);
		if (!c->snapshot)
			log_warn("host", "no memory for a checkpoint; the next one will be longer");
		p->next_checkpoint = os->mono() + p->graph->host.checkpoint;
	}
	if (!p->o.record) { /* the numbers are used up, the bytes are not kept */
		c->first_seq = p->handed_seq + 1;
		c->n_events = (uint32_t)(p->batch_seq - p->handed_seq);
		c->events.len = 0;
		p->handed_seq = p->batch_seq;
	}
	p->commit = NULL;
	recorder_hand(p->o.recorder, c);
}

static void maybe_hand_over(struct pipeline *p)
{
	const struct commit *c = p->commit;

	if (!worth_handing(p))
		return;
	if (c->events.len >= COMMIT_BYTES || c->alerts.len >= COMMIT_BYTES || c->n_dead >= COMMIT_DEAD / 2 ||
	    recorder_idle(p->o.recorder))
		hand_over(p, false);
}

static enum step fail(struct pipeline *p, int32_t rc)
{
	p->result = rc;
	return STEP_FAILED;
}

static enum step judge_batch(struct pipeline *p)
{
	struct tw_err e = { 0 };
	int32_t rc = judge(p, &e);

	if (rc < 0) {
		log_error("host", "%s", e.msg);
		return fail(p, rc);
	}
	return STEP_MORE;
}

static enum step step_tape(struct pipeline *p)
{
	int32_t n = sequencer_replay(p);

	if (n < 0)
		return fail(p, n);
	if (n > 0) {
		enum step s = judge_batch(p);
		if (s == STEP_MORE)
			maybe_hand_over(p);
		return s;
	}
	log_reader_close(p->reader);
	p->reader = NULL;
	atomic_store(&p->catching_up, false);
	if (!p->o.recording) /* numbers that were used up without a tape count too */
		p->seq = p->batch_seq = store_last_seq(p->o.store);
	p->commit->first_seq = p->seq + 1;
	return STEP_MORE;
}

enum step pipeline_step(struct pipeline *p)
{
	uint32_t n;

	if (p->finished)
		return STEP_DONE;
	if (recorder_result(p->o.recorder) != TW_OK)
		return fail(p, recorder_result(p->o.recorder));
	if (!pipeline_commit(p))
		return STEP_IDLE;
	if (p->reader)
		return step_tape(p);
	n = sequencer_fill(p);
	if (p->o.live && !sequencer_ended(p))
		n += sequencer_clock(p) ? 1 : 0;
	if (n) {
		enum step s = judge_batch(p);
		if (s != STEP_MORE)
			return s;
		(void)sequencer_release(p);
		maybe_hand_over(p);
		return STEP_MORE;
	}
	if (sequencer_release(p))
		return STEP_MORE;
	if (sequencer_ended(p)) {
		hand_over(p, true);
		p->finished = true;
		return STEP_DONE;
	}
	if (p->commit->n_dead == COMMIT_DEAD) { /* more may wait for room */
		hand_over(p, false);
		return STEP_MORE;
	}
	if (worth_handing(p) && recorder_idle(p->o.recorder))
		hand_over(p, false);
	return STEP_IDLE;
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

const struct instance *pipeline_instance(const struct pipeline *p, uint32_t detector)
{
	return &p->worker.instances[detector];
}

const struct intern *pipeline_names(const struct pipeline *p)
{
	return p->intern;
}
