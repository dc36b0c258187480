/* SPDX-License-Identifier: Apache-2.0
 *
 * Assembly: recorder, pipeline, a pump for each source and a delivery for each sink, and a thread around each of them.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/os.h"
#include "ext/kv.h"
#include "run/run_impl.h"
#include <stdlib.h>
#include <string.h>

/* ---- steps for the loops ---- */

static enum step step_pipeline(void *of)
{
	return pipeline_step(of);
}
static enum step step_worker(void *of)
{
	return worker_step(of);
}
static enum step step_recorder(void *of)
{
	return recorder_step(of);
}
static enum step step_pump(void *of)
{
	return pump_step(of, 100);
}
static enum step step_delivery(void *of)
{
	return delivery_step(of);
}
static int32_t pause_pipeline(void *of)
{
	(void)of;
	return 200; /* a live run looks at the clock this often */
}
static int32_t pause_worker(void *of)
{
	(void)of;
	return 1000; /* it is rung for */
}
static int32_t pause_recorder(void *of)
{
	(void)of;
	return 100;
}
static int32_t pause_pump(void *of)
{
	return pump_pause_ms(of);
}
static int32_t pause_delivery(void *of)
{
	return delivery_pause_ms(of);
}

static void loop_ended(void *arg)
{
	struct run *r = arg;
	ev_async_send(r->ev, &r->wake);
}

/* ---- sources ---- */

static void source_free(struct run_source *s)
{
	if (!s)
		return;
	pump_free(s->pump);
	plan_drop(s->plan);
	free(s);
}

static struct run_source *source_new(struct machine *m, uint32_t i, struct tw_err *e)
{
	const struct graph_node *n = graph_source(m->plan->graph, i);
	struct run_source *s = calloc(1, sizeof *s);
	struct position at;

	if (!s) {
		err_set(e, TW_E_FATAL, "memory is out");
		return NULL;
	}
	s->plan = plan_hold(m->plan);
	if (pipeline_resume(m->pipeline, n, &at, e) < 0)
		goto fail;
	s->pump = pump_new(n, at.marked ? &at.pos : NULL, at.after, &m->run->bell);
	if (!s->pump) {
		err_set(e, TW_E_FATAL, "memory is out");
		goto fail;
	}
	pump_serve(s->pump, m->run->services);
	if (at.marked && store_values(m->run->store, n->name, kv_load, pump_values(s->pump), e) < 0)
		goto fail;
	return s;
fail:
	source_free(s);
	return NULL;
}

/* A source that the reload leaves alone goes on being polled. */
static struct run_source *source_before(const struct machine *from, const struct graph_node *n, uint32_t *ret)
{
	const struct graph_node *was = from ? plan_find(from->plan->graph, PLUGIN_SOURCE, n->name) : NULL;

	if (!was || !plan_same_node(was, n) || pump_stopping(from->sources[was->index]->pump))
		return NULL;
	*ret = was->index;
	return from->sources[was->index];
}

static int32_t make_sources(struct machine *m, const struct machine *from, struct tw_err *e)
{
	const struct graph *g = m->plan->graph;

	for (uint32_t i = 0; !m->run->recording && i < g->n_sources; i++) {
		const struct graph_node *n = graph_source(g, i);
		uint32_t before = 0;
		struct run_source *s = source_before(from, n, &before);
		int32_t rc = TW_OK;
		if (s) {
			pipeline_adopt(m->pipeline, from->pipeline, before, n);
		} else {
			s = source_new(m, i, e);
			if (!s)
				return TW_E_FATAL;
			rc = pipeline_add(m->pipeline, s->pump, n, e);
		}
		m->sources[i] = s;
		m->pumps[i] = s->pump;
		m->n_sources++;
		if (rc < 0)
			return rc;
	}
	return TW_OK;
}

/* A position is on the disk: the source may let go of what lies before it. [recorder] */
static void on_durable(void *arg, uint32_t index, const struct position *at)
{
	const struct machine *m = arg;

	if (index < m->n_sources)
		pump_ack(m->pumps[index], &at->pos);
}

/* ---- sinks ---- */

static bool any_live(const struct graph *g)
{
	for (uint32_t i = 0; i < g->n_sources; i++) {
		const struct tw_source *s = &graph_source(g, i)->plugin->source;
		if (!s->finite || s->finite(graph_source(g, i)->self) != 1)
			return true;
	}
	return false;
}

static void sink_free(struct run_sink *s)
{
	if (!s)
		return;
	delivery_free(s->delivery);
	plan_drop(s->plan);
	free(s);
}

static struct run_sink *sink_new(struct machine *m, uint32_t i, struct tw_err *e)
{
	const struct graph_node *n = graph_sink(m->plan->graph, i);
	struct run_sink *s = calloc(1, sizeof *s);
	uint64_t start = 0;
	int32_t rc;
	bool known;

	if (!s) {
		err_set(e, TW_E_FATAL, "memory is out");
		return NULL;
	}
	s->plan = plan_hold(m->plan);
	rc = store_cursor(m->run->store, n->name, &start, e);
	/* A run that cannot be resumed delivers what it finds, not what earlier ones left */
	known = rc == TW_OK;
	if (rc == TW_AGAIN && m->run->o->no_tape)
		start = store_last_alert(m->run->store);
	if (rc >= 0)
		s->delivery = delivery_new(m->plan->graph, n, m->run->store, m->recorder, start, known,
					   m->run->o->recording || !any_live(m->plan->graph), e);
	if (!s->delivery) {
		sink_free(s);
		return NULL;
	}
	delivery_serve(s->delivery, m->run->services);
	return s;
}

static struct run_sink *sink_before(const struct machine *from, const struct graph_node *n)
{
	const struct graph_node *was = from ? plan_find(from->plan->graph, PLUGIN_SINK, n->name) : NULL;
	struct run_sink *s;

	if (!was || !plan_same_node(was, n))
		return NULL;
	s = from->sinks[was->index - from->plan->graph->n_sources - from->plan->graph->n_detectors];
	return delivery_over(s->delivery) ? NULL : s;
}

static int32_t make_sinks(struct machine *m, const struct machine *from, struct tw_err *e)
{
	const struct graph *g = m->plan->graph;

	for (uint32_t i = 0; i < g->n_sinks; i++) {
		m->sinks[i] = sink_before(from, graph_sink(g, i));
		if (!m->sinks[i])
			m->sinks[i] = sink_new(m, i, e);
		if (!m->sinks[i])
			return TW_E_FATAL;
		m->n_sinks++;
	}
	/* Nothing can fail any more: those that go over belong to this machine from here on. */
	for (uint32_t i = 0; from && i < g->n_sinks; i++)
		if (sink_before(from, graph_sink(g, i)) == m->sinks[i])
			delivery_move(m->sinks[i]->delivery, g, graph_sink(g, i), m->recorder);
	return TW_OK;
}

/* ---- the whole ---- */

static struct recorder *make_recorder(struct machine *m)
{
	const struct host_options *h = &m->plan->graph->host;
	struct recorder *r = recorder_new(m->run->store, m->plan->graph->n, &m->run->bell);

	if (!r)
		return NULL;
	if (!m->run->recording)
		recorder_retention(r,
				   &(struct retention){ .tape_age = h->retain,
							.tape_bytes = (uint64_t)h->retain_size,
							.alert_age = h->retain_alerts,
							.drop = h->when_full == 1 },
				   !any_live(m->plan->graph));
	recorder_on_durable(r, on_durable, m);
	return r;
}

static int32_t assemble(struct machine *m, const struct machine *from, struct tw_err *e)
{
	const struct run_options *o = m->run->o;
	const struct graph *g = m->plan->graph;
	struct pipeline_options po = { .graph = g,
				       .store = m->run->store,
				       .recording = m->run->recording,
				       .bell = &m->run->bell,
				       .services = m->run->services,
				       .batch = o->batch ? o->batch : (uint32_t)g->host.batch,
				       .workers = o->workers ? o->workers : (uint32_t)g->host.workers,
				       .record = !o->no_tape && !o->recording,
				       .rebuild = o->rebuild && !from,
				       .whole = o->whole,
				       .figures = m->run->o->graph->host.metrics && *m->run->o->graph->host.metrics,
				       .live = !o->recording && any_live(g),
				       .until = o->until,
				       .measure = o->measure,
				       .deaths = m->run->deaths,
				       .n_deaths = m->run->n_deaths };
	int32_t rc;

	m->sources = calloc(g->n_sources + 1, sizeof *m->sources);
	m->pumps = calloc(g->n_sources + 1, sizeof *m->pumps);
	m->sinks = calloc(g->n_sinks + 1, sizeof *m->sinks);
	m->recorder = make_recorder(m);
	if (!m->sources || !m->pumps || !m->sinks || !m->recorder)
		return err_set(e, TW_E_FATAL, "memory is out");
	po.recorder = m->recorder;
	m->pipeline = pipeline_new(&po, e);
	if (!m->pipeline)
		return e->code < 0 ? e->code : TW_E_FATAL;
	m->n_workers = po.workers - 1;
	CRASH_POINT("run.restored");
	if (from)
		pipeline_follow(m->pipeline, from->pipeline);
	rc = make_sources(m, from, e);
	if (rc < 0)
		return rc;
	if (o->progress && !po.live)
		m->progress = progress_new(m->pipeline, m->pumps, m->n_sources, m->run->recording);
	return make_sinks(m, from, e);
}

struct machine *machine_new(struct run *r, struct plan *plan, struct machine *from, struct tw_err *e)
{
	struct machine *m = calloc(1, sizeof *m);

	if (!m) {
		err_set(e, TW_E_FATAL, "memory is out");
		return NULL;
	}
	m->run = r;
	m->plan = plan_hold(plan);
	if (assemble(m, from, e) < 0) {
		machine_free(m, from);
		return NULL;
	}
	return m;
}

bool machine_has_source(const struct machine *m, const struct run_source *s)
{
	for (uint32_t i = 0; m && i < m->n_sources; i++)
		if (m->sources[i] == s)
			return true;
	return false;
}

static bool has_sink(const struct machine *m, const struct run_sink *s)
{
	for (uint32_t i = 0; m && i < m->n_sinks; i++)
		if (m->sinks[i] == s)
			return true;
	return false;
}

void machine_free(struct machine *m, const struct machine *other)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->n_sinks; i++)
		if (!has_sink(other, m->sinks[i]))
			sink_free(m->sinks[i]);
	progress_free(m->progress);
	pipeline_free(m->pipeline);
	for (uint32_t i = 0; i < m->n_sources; i++)
		if (!machine_has_source(other, m->sources[i]))
			source_free(m->sources[i]);
	recorder_free(m->recorder);
	plan_drop(m->plan);
	free(m->sources);
	free(m->pumps);
	free(m->sinks);
	free(m);
}

int32_t machine_revive(struct machine *m, struct tw_err *e)
{
	const struct graph *g = m->plan->graph;
	struct recorder *recorder = make_recorder(m);

	if (!recorder)
		return err_set(e, TW_E_FATAL, "memory is out");
	recorder_free(m->recorder);
	m->recorder = recorder;
	m->recorder_told = false;
	pipeline_go_on(m->pipeline, recorder);
	for (uint32_t i = 0; i < m->n_sources; i++) {
		struct run_source *s;
		int32_t rc;
		if (!pump_stopping(m->pumps[i]))
			continue;
		s = source_new(m, i, e);
		if (!s)
			return TW_E_FATAL;
		source_free(m->sources[i]);
		m->sources[i] = s;
		m->pumps[i] = s->pump;
		rc = pipeline_replace(m->pipeline, i, s->pump, e);
		if (rc < 0)
			return rc;
	}
	for (uint32_t i = 0; i < m->n_sinks; i++) {
		struct run_sink *s;
		if (!delivery_over(m->sinks[i]->delivery)) {
			delivery_move(m->sinks[i]->delivery, g, graph_sink(g, i), recorder);
			continue;
		}
		s = sink_new(m, i, e);
		if (!s)
			return TW_E_FATAL;
		sink_free(m->sinks[i]);
		m->sinks[i] = s;
	}
	return TW_OK;
}

/* ---- threads ---- */

static int32_t start_loop(struct loop *l, const struct loop *like, const char *name, struct tw_err *e)
{
	int rc;

	if (l->started)
		return TW_OK;
	*l = *like;
	rc = loop_start(l, name);
	return rc ? err_sys(e, rc, "cannot start the thread of '%s'", name) : TW_OK;
}

int32_t machine_start(struct machine *m, struct tw_err *e)
{
	const struct graph *g = m->plan->graph;
	struct loop l = { .ended = loop_ended, .arg = m->run };

	l.step = step_recorder, l.pause_ms = pause_recorder, l.of = m->recorder, l.bell = recorder_bell(m->recorder);
	if (start_loop(&m->recorder_loop, &l, "recorder", e) < 0)
		return TW_E_FATAL;
	for (uint32_t i = 0; i < m->n_sinks; i++) {
		struct run_sink *s = m->sinks[i];
		l.step = step_delivery, l.pause_ms = pause_delivery, l.of = s->delivery,
		l.bell = delivery_bell(s->delivery);
		if (start_loop(&s->loop, &l, graph_sink(g, i)->name, e) < 0)
			return TW_E_FATAL;
	}
	for (uint32_t i = 0; i < m->n_sources; i++) {
		struct run_source *s = m->sources[i];
		l.step = step_pump, l.pause_ms = pause_pump, l.of = s->pump, l.bell = pump_bell(s->pump);
		if (start_loop(&s->loop, &l, graph_source(g, i)->name, e) < 0)
			return TW_E_FATAL;
	}
	for (uint32_t i = 0; i < m->n_workers; i++) {
		char name[16];
		(void)snprintf(name, sizeof name, "worker %u", i + 2); /* the pipeline's thread is the first */
		l.step = step_worker, l.pause_ms = pause_worker, l.of = pipeline_worker(m->pipeline, i + 1),
		l.bell = pipeline_worker_bell(m->pipeline);
		if (start_loop(&m->worker_loops[i], &l, name, e) < 0)
			return TW_E_FATAL;
	}
	l.step = step_pipeline, l.pause_ms = pause_pipeline, l.of = m->pipeline, l.bell = &m->run->bell;
	return start_loop(&m->pipeline_loop, &l, "pipeline", e);
}

void machine_dismiss(struct machine *m)
{
	for (uint32_t i = 0; i < m->n_workers; i++)
		atomic_store(&m->worker_loops[i].stop, true);
	if (m->n_workers)
		bell_ring(pipeline_worker_bell(m->pipeline));
}

void machine_join(struct machine *m)
{
	loop_join(&m->pipeline_loop);
	machine_dismiss(m);
	for (uint32_t i = 0; i < m->n_workers; i++)
		loop_join(&m->worker_loops[i]);
	for (uint32_t i = 0; i < m->n_sources; i++)
		loop_join(&m->sources[i]->loop);
	for (uint32_t i = 0; i < m->n_sinks; i++)
		loop_join(&m->sinks[i]->loop);
	loop_join(&m->recorder_loop);
}

static bool loop_over(const struct loop *l)
{
	return !l->started || atomic_load(&l->over);
}

bool machine_sinks_over(const struct machine *m)
{
	for (uint32_t i = 0; i < m->n_sinks; i++)
		if (!loop_over(&m->sinks[i]->loop))
			return false;
	return true;
}

bool machine_over(const struct machine *m)
{
	for (uint32_t i = 0; i < m->n_sources; i++)
		if (!loop_over(&m->sources[i]->loop))
			return false;
	return machine_sinks_over(m) && loop_over(&m->pipeline_loop) && loop_over(&m->recorder_loop);
}
