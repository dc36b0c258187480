/* SPDX-License-Identifier: Apache-2.0
 *
 * The host, put together and taken apart as core/run/run.c does it, with actors in the place of threads.
 */
#include "base/err.h"
#include "sim.h"
#include <string.h>

static int32_t plan_graph(struct host *h, struct tw_err *e)
{
	const struct buf *yaml = &sim->plan.yaml;

	if (config_parse(&h->config, "sim.yaml", (const char *)yaml->data, yaml->len, &h->report) != TW_OK ||
	    h->report.errors || graph_plan(&h->graph, &h->config, plugins_new(NULL), &h->report) != TW_OK) {
		report_print(&h->report, stdout);
		return err_set(e, TW_E_CONFIG, "the plan's configuration is not one:\n%s", (const char *)yaml->data);
	}
	return TW_OK;
}

static void add_actor(struct host *h, enum role role, uint32_t number, void *of, struct bell *bell)
{
	struct actor *a = &h->actors[h->n_actors++];

	*a = (struct actor){ .role = role, .number = number, .of = of, .bell = bell };
}

static int32_t make_pumps(struct host *h, struct tw_err *e)
{
	for (uint32_t i = 0; h->mode == MODE_RUN && i < h->graph.n_sources; i++) {
		const struct graph_node *n = graph_source(&h->graph, i);
		struct position at;
		struct pump *p;
		int32_t rc = pipeline_resume(h->pipeline, n, &at, e);
		if (rc < 0)
			return rc;
		p = pump_new(n, at.marked ? &at.pos : NULL, at.after, &h->bell);
		if (!p)
			return err_set(e, TW_E_FATAL, "memory is out");
		h->pumps[h->n_pumps++] = p;
		rc = pipeline_add(h->pipeline, p, n, e);
		if (rc < 0)
			return rc;
		add_actor(h, PUMP, i, p, pump_bell(p));
	}
	return TW_OK;
}

static int32_t make_deliveries(struct host *h, struct tw_err *e)
{
	for (uint32_t i = 0; h->mode == MODE_RUN && i < h->graph.n_sinks; i++) {
		const struct graph_node *n = graph_sink(&h->graph, i);
		uint64_t start = 0;
		int32_t rc = store_cursor(h->store, n->name, &start, e);
		if (rc < 0)
			return rc;
		h->deliveries[i] = delivery_new(&h->graph, n, h->store, h->recorder, start, false, true, e);
		if (!h->deliveries[i])
			return TW_E_FATAL;
		h->n_deliveries++;
		add_actor(h, DELIVERY, i, h->deliveries[i], delivery_bell(h->deliveries[i]));
	}
	return TW_OK;
}

/* A position is on the disk: the source may let go of what lies before it. */
static void on_durable(void *arg, uint32_t index, const struct position *at)
{
	struct host *h = arg;

	if (index < h->n_pumps)
		pump_ack(h->pumps[index], &at->pos);
}

int32_t host_build(struct host *h, const struct start *s, struct tw_err *e)
{
	struct store_options so = { .no_tape = s->mode == MODE_REPLAY };
	struct pipeline_options po = { .graph = &h->graph,
				       .bell = &h->bell,
				       .batch = s->batch,
				       .workers = s->workers,
				       .record = s->mode != MODE_REPLAY,
				       .rebuild = s->rebuild,
				       .live = s->mode == MODE_RUN && sim->plan.any_live };
	int32_t rc;

	*h = (struct host){ .mode = s->mode };
	bell_init(&h->bell);
	rc = plan_graph(h, e);
	if (rc == TW_OK)
		rc = store_open(&h->store, s->dir, STORE_WRITE, &so, e);
	if (rc == TW_OK && s->mode == MODE_REPLAY)
		rc = store_open(&h->recording, "main", STORE_READ, NULL, e);
	if (rc != TW_OK)
		return rc;
	h->recorder = recorder_new(h->store, h->graph.n, &h->bell);
	if (!h->recorder)
		return err_set(e, TW_E_FATAL, "memory is out");
	po.store = h->store;
	po.recording = h->recording;
	po.recorder = h->recorder;
	h->pipeline = pipeline_new(&po, e);
	if (!h->pipeline)
		return e->code < 0 ? e->code : TW_E_FATAL;
	add_actor(h, PIPELINE, 0, h->pipeline, &h->bell);
	add_actor(h, RECORDER, 0, h->recorder, recorder_bell(h->recorder));
	for (uint32_t i = 1; i < s->workers; i++) /* the pipeline's own thread is the first */
		add_actor(h, WORKER, i, pipeline_worker(h->pipeline, i), pipeline_worker_bell(h->pipeline));
	rc = make_pumps(h, e);
	recorder_on_durable(h->recorder, on_durable, h);
	if (rc == TW_OK)
		rc = make_deliveries(h, e);
	return rc;
}

void host_free(struct host *h)
{
	for (uint32_t i = 0; i < h->n_deliveries; i++)
		delivery_free(h->deliveries[i]);
	pipeline_free(h->pipeline);
	for (uint32_t i = 0; i < h->n_pumps; i++)
		pump_free(h->pumps[i]);
	recorder_free(h->recorder);
	store_close(h->recording);
	store_close(h->store);
	graph_free(&h->graph);
	report_free(&h->report);
	config_free(&h->config);
	bell_free(&h->bell);
}

/* ---- what the control loop of a run does ---- */

static bool over(const struct host *h, enum role role)
{
	for (uint32_t i = 0; i < h->n_actors; i++)
		if (h->actors[i].role == role && !h->actors[i].over)
			return false;
	return true;
}

static bool failed(const struct host *h, enum role role)
{
	for (uint32_t i = 0; i < h->n_actors; i++)
		if (h->actors[i].role == role && h->actors[i].over && h->actors[i].result == STEP_FAILED)
			return true;
	return false;
}

void host_stop(struct host *h)
{
	if (h->stopping)
		return;
	h->stopping = true;
	for (uint32_t i = 0; i < h->n_pumps; i++)
		pump_stop(h->pumps[i]);
	bell_ring(&h->bell);
}

void host_control(struct host *h)
{
	if (!h->failed && (failed(h, PIPELINE) || failed(h, RECORDER))) {
		h->failed = true;
		for (uint32_t i = 0; i < h->n_actors; i++)
			h->actors[i].over = true;
	}
	if (h->failed || !over(h, PIPELINE))
		return;
	for (uint32_t i = 0; i < h->n_actors; i++)
		if (h->actors[i].role == WORKER)
			h->actors[i].over = true;
	for (uint32_t i = 0; i < h->n_deliveries; i++)
		delivery_hurry(h->deliveries[i]);
	if (!h->sinks_told && over(h, DELIVERY)) {
		h->sinks_told = true;
		recorder_sinks_done(h->recorder);
	}
}

bool host_over(const struct host *h)
{
	return over(h, PUMP) && over(h, PIPELINE) && over(h, RECORDER) && over(h, DELIVERY);
}
