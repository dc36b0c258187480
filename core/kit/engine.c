/* SPDX-License-Identifier: Apache-2.0
 *
 * The host around one detector, put together as core/run/machine.c does it, with one thread that takes the steps of
 * pump, pipeline and recorder in turn. What the detector said is read from the alert log, as a sink would read it.
 */
#include "base/err.h"
#include "base/os.h"
#include "base/scratch.h"
#include "bus/pipeline.h"
#include "kit/builtin.h"
#include "kit/wrap.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAPE_ID      32u /* letters that begin an alert's id and are another in every store */
#define MAX_COUNTERS 32u

struct kit_engine {
	struct kit_plan *plan;
	struct kit_how how;
	struct kit_wrap wrap;
	char dir[4096];
	struct store *store;
	struct recorder *recorder;
	struct pipeline *pipeline;
	struct pump *pump;
	struct bell bell;
	struct log_reader *reader;
	struct intern *names;
	struct arena arena;
	struct buf bytes;
	struct kit_said *said;
	uint32_t n_said, cap_said, fed;
	uint64_t errors, counters[MAX_COUNTERS];
	bool ended, quarantined;
};

/* ---- building and stopping ---- */

static int32_t start(struct kit_engine *k, struct tw_err *e)
{
	struct graph *g = &k->plan->graph;
	struct pipeline_options o = { .graph = g,
				      .store = k->store,
				      .bell = &k->bell,
				      .batch = k->how.batch,
				      .workers = k->how.workers,
				      .record = true };

	kit_wrap_fresh(&k->wrap, k->plan);
	k->recorder = recorder_new(k->store, g->n, &k->bell);
	if (!k->recorder)
		return err_set(e, TW_E_FATAL, "memory is out");
	o.recorder = k->recorder;
	k->pipeline = pipeline_new(&o, e);
	if (!k->pipeline)
		return e->code < 0 ? e->code : TW_E_FATAL;
	if (!k->pump)
		k->pump = pump_new(graph_source(g, 0), NULL, 0, &k->bell);
	if (!k->pump)
		return err_set(e, TW_E_FATAL, "memory is out");
	return pipeline_add(k->pipeline, k->pump, graph_source(g, 0), e);
}

static void add_stats(struct kit_engine *k)
{
	struct detector_stats s;

	pipeline_detector(k->pipeline, 0, &s);
	k->errors += s.errors;
	k->quarantined |= s.quarantined;
	for (uint32_t i = 0; i < MAX_COUNTERS; i++)
		k->counters[i] += s.counters[i];
}

static int32_t failed(const struct kit_engine *k, struct tw_err *e)
{
	int32_t rc = pipeline_result(k->pipeline);

	return err_set(e, rc < 0 ? rc : TW_E_FATAL, "the host could not go on with the events of the test");
}

/* Everybody's turn, until nobody has anything to do. */
static int32_t settle(struct kit_engine *k, bool *ended, struct tw_err *e)
{
	bool more = true;

	while (more) {
		enum step pump = ended ? STEP_IDLE : pump_step(k->pump, 0);
		enum step pipeline = pipeline_step(k->pipeline);
		enum step recorder = recorder_step(k->recorder);

		if (pipeline == STEP_FAILED || recorder == STEP_FAILED || pump == STEP_FAILED)
			return failed(k, e);
		if (ended && pipeline == STEP_DONE && recorder == STEP_DONE) {
			*ended = true;
			return TW_OK;
		}
		more = pump == STEP_MORE || pipeline == STEP_MORE || recorder == STEP_MORE ||
		       (ended && pipeline == STEP_DONE && recorder != STEP_IDLE);
	}
	return TW_OK;
}

/* A last checkpoint; then the pipeline is gone. */
static int32_t stop(struct kit_engine *k, struct tw_err *e)
{
	bool ended = false;
	int32_t rc;

	pipeline_pause(k->pipeline, INT64_MIN);
	recorder_sinks_done(k->recorder);
	for (uint32_t turn = 0; turn < 100 && !ended; turn++) {
		rc = settle(k, &ended, e);
		if (rc < 0)
			return rc;
	}
	if (!ended)
		return err_set(e, TW_E_FATAL, "the host did not come to rest");
	add_stats(k);
	pipeline_free(k->pipeline);
	recorder_free(k->recorder);
	k->pipeline = NULL;
	k->recorder = NULL;
	kit_wrap_check(&k->wrap);
	return TW_OK;
}

struct kit_engine *kit_engine_new(struct kit_plan *plan, const struct kit_how *how, struct tw_err *e)
{
	struct store_options so = { .sync = SYNC_OFF };
	struct kit_engine *k = calloc(1, sizeof *k);
	struct kit_feed *feed = graph_source(&plan->graph, 0)->self;

	if (!k) {
		err_set(e, TW_E_FATAL, "memory is out");
		return NULL;
	}
	k->plan = plan;
	k->how = *how;
	*feed = (struct kit_feed){ .room = how->batch };
	bell_init(&k->bell);
	k->names = intern_new(200000);
	if (!k->names || kit_wrap_on(&k->wrap, plan, how) < 0) {
		err_set(e, TW_E_FATAL, "memory is out");
		goto fail;
	}
	if (how->pattern)
		(void)mallopt(M_PERTURB, how->pattern);
	if (!scratch_memory(k->dir, sizeof k->dir, "test")) {
		err_set(e, TW_E_IO, "cannot make the folder %s for the test's store", k->dir);
		k->dir[0] = '\0';
		goto fail;
	}
	if (store_open(&k->store, k->dir, STORE_WRITE, &so, e) < 0 || start(k, e) < 0 ||
	    log_reader_open(&k->reader, k->store, LOG_ALERTS, 1, e) < 0)
		goto fail;
	return k;
fail:
	kit_engine_free(k);
	return NULL;
}

void kit_engine_end(struct kit_engine *k)
{
	if (k->ended)
		return;
	k->ended = true;
	if (k->pipeline)
		add_stats(k);
	log_reader_close(k->reader);
	pipeline_free(k->pipeline);
	pump_free(k->pump);
	recorder_free(k->recorder);
	k->pipeline = NULL;
	kit_wrap_check(&k->wrap);
	store_close(k->store);
	if (k->dir[0])
		scratch_remove(k->dir);
	kit_wrap_off(&k->wrap, k->plan);
	if (k->how.pattern)
		(void)mallopt(M_PERTURB, 0);
	bell_free(&k->bell);
}

void kit_engine_free(struct kit_engine *k)
{
	if (!k)
		return;
	kit_engine_end(k);
	intern_free(k->names);
	arena_free(&k->arena);
	buf_free(&k->bytes);
	free(k->said);
	free(k);
}

/* ---- what was said ---- */

static int32_t take_record(struct kit_engine *k, const unsigned char *event, size_t len, struct tw_err *e)
{
	struct tw_event *ev = arena_alloc(&k->arena, 256);
	unsigned char *copy = arena_alloc(&k->arena, len);
	struct kit_said *s;

	if (!ev || !copy)
		goto memory;
	memcpy(copy, event, len);
	if (event_decode(ev, copy, len, k->names, &k->arena) != len)
		return err_set(e, TW_E_FATAL, "a record of the alert log does not decode");
	if (ev->kind == TW_ALERT && ev->alert.id.len > TAPE_ID) {
		ev->alert.id.s += TAPE_ID + 1;
		ev->alert.id.len -= TAPE_ID + 1;
	}
	if (k->n_said == k->cap_said) {
		uint32_t cap = k->cap_said ? k->cap_said * 2 : 64;
		struct kit_said *said = realloc(k->said, cap * sizeof *said);
		if (!said)
			goto memory;
		k->said = said;
		k->cap_said = cap;
	}
	s = &k->said[k->n_said];
	*s = (struct kit_said){ .ev = ev, .from = k->bytes.len };
	if (event_encode(&k->bytes, ev, k->names) < 0)
		goto memory;
	s->len = k->bytes.len - s->from;
	k->n_said++;
	return TW_OK;
memory:
	return err_set(e, TW_E_FATAL, "memory is out");
}

static int32_t take_said(struct kit_engine *k, struct tw_err *e)
{
	struct block b;
	int32_t rc;

	while ((rc = log_reader_next(k->reader, &b, e)) == TW_OK) {
		const unsigned char *event;
		size_t at = 0, len;
		while (alert_record(&b, &at, &event, &len)) {
			if (b.first++ <= k->n_said)
				continue;
			rc = take_record(k, event, len, e);
			if (rc < 0)
				return rc;
		}
	}
	return rc < 0 ? rc : TW_OK;
}

static int32_t judge(struct kit_engine *k, struct tw_err *e)
{
	struct kit_feed *feed = graph_source(&k->plan->graph, 0)->self;

	for (uint32_t turn = 0; turn < KIT_MAX_EVENTS; turn++) {
		uint64_t before = feed->next;
		int32_t rc = settle(k, NULL, e);
		if (rc < 0)
			return rc;
		if (feed->next >= feed->upto && feed->next == before)
			return TW_OK;
	}
	return err_set(e, TW_E_FATAL, "the events of the test did not come through");
}

int32_t kit_engine_feed(struct kit_engine *k, const struct kit_events *events, struct tw_err *e)
{
	struct kit_feed *feed = graph_source(&k->plan->graph, 0)->self;
	int32_t rc = TW_OK;

	feed->events = events;
	while (rc == TW_OK && k->fed < events->n) {
		k->fed = k->how.restart ? k->fed + 1 : events->n;
		feed->upto = k->fed;
		rc = judge(k, e);
		if (rc == TW_OK && k->how.restart)
			rc = stop(k, e);
		if (rc == TW_OK && k->how.restart)
			rc = start(k, e);
	}
	return rc == TW_OK ? take_said(k, e) : rc;
}

uint32_t kit_engine_said(const struct kit_engine *k, const struct kit_said **ret)
{
	*ret = k->said;
	return k->n_said;
}

const unsigned char *kit_engine_bytes(const struct kit_engine *k, const struct kit_said *s)
{
	return k->bytes.data + s->from;
}

const struct intern *kit_engine_names(const struct kit_engine *k)
{
	return k->names;
}

static void now(const struct kit_engine *k, struct detector_stats *ret)
{
	*ret = (struct detector_stats){ 0 };
	if (k->pipeline)
		pipeline_detector(k->pipeline, 0, ret);
}

uint64_t kit_engine_errors(const struct kit_engine *k)
{
	struct detector_stats s;

	now(k, &s);
	return k->errors + s.errors;
}

bool kit_engine_quarantined(const struct kit_engine *k)
{
	struct detector_stats s;

	now(k, &s);
	return k->quarantined || s.quarantined;
}

bool kit_engine_counter(const struct kit_engine *k, const char *name, uint64_t *ret)
{
	const char *const *names = k->plan->plugin->detector.counters;
	struct detector_stats s;

	now(k, &s);
	for (uint32_t i = 0; names && names[i] && i < MAX_COUNTERS; i++)
		if (!strcmp(names[i], name)) {
			*ret = k->counters[i] + s.counters[i];
			return true;
		}
	return false;
}

const char *kit_engine_trespass(const struct kit_engine *k)
{
	kit_wrap_check((struct kit_wrap *)(uintptr_t)&k->wrap);
	return k->wrap.trespass[0] ? k->wrap.trespass : NULL;
}
