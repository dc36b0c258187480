/* SPDX-License-Identifier: Apache-2.0
 *
 * Assembly and the control loop.
 */
#include "base/crash.h"
#include "base/err.h"
#include "run/run.h"
#include "base/log.h"
#include "base/os.h"
#include "bus/pipeline.h"
#include "run/delivery.h"
#include "run/loop.h"
#include "run/progress.h"
#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
	const struct run_options *o;
	const struct graph *graph;
	struct store *store, *recording;
	struct recorder *recorder;
	struct pipeline *pipeline;
	struct pump **pumps;
	struct delivery **deliveries;
	uint32_t n_pumps, n_deliveries;
	struct bell bell; /* the pipeline's */
	struct loop pipeline_loop, recorder_loop, *pump_loops, *delivery_loops;
	struct ev_loop *ev;
	ev_async wake;
	ev_signal sigint, sigterm;
	ev_timer tick;
	struct progress *progress;
	bool stopping, sinks_told, failed;
	int signals;
	int64_t started;
};

/* ---- steps for the loops ---- */

static enum step step_pipeline(void *of)
{
	return pipeline_step(of);
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

/* ---- building ---- */

static bool holds_events(struct store *s)
{
	struct segment_info info[64];
	uint32_t n = store_segments(s, info, 64);

	for (uint32_t i = 0; i < n && i < 64; i++)
		if (info[i].events)
			return true;
	return n > 64;
}

static int32_t open_stores(struct run *r, struct tw_err *e)
{
	const struct host_options *h = &r->graph->host;
	struct store_options so = { .sync = (enum store_sync)h->sync,
		                    .sync_interval = h->sync_interval,
		                    .segment_size = (uint64_t)h->segment_size,
		                    .no_tape = r->o->no_tape || r->o->recording };
	struct segment_info first;
	int32_t rc;

	if (store_exists(r->o->dir)) {
		rc = store_check_quick(r->o->dir, e);
		if (rc < 0)
			return rc;
	}
	if (r->o->recording) {
		rc = store_open(&r->recording, r->o->recording, STORE_READ, NULL, e);
		if (rc < 0)
			return rc;
	}
	rc = store_open(&r->store, r->o->dir, STORE_WRITE, &so, e);
	if (rc < 0)
		return rc;
	if (r->o->rebuild && store_segments(r->store, &first, 1) && first.number > 1)
		return err_set(e, TW_E_CONFIG,
		               "the tape in '%s' begins at event %" PRIu64
		               ": what was before has been given up (retain, retain_size), so the states cannot be computed anew "
		               "from it; run without --rebuild, or make a detector start afresh with `tapewatch state drop NAME`",
		               r->o->dir, first.first);
	if (r->o->no_tape && holds_events(r->store))
		return err_set(e, TW_E_CONFIG,
		               "'%s' holds a tape: run without --no-tape to go on with it, or choose another folder with -d", r->o->dir);
	if (h->sync == SYNC_OFF)
		log_warn("store", "sync: off: a power failure may lose the whole store; a crash of this process loses nothing");
	else if (h->sync == SYNC_INTERVAL)
		log_warn("store", "sync: interval: a power failure may lose the last %" PRId64 " ms", h->sync_interval / 1000000);
	return TW_OK;
}

static int32_t make_pumps(struct run *r, struct tw_err *e)
{
	for (uint32_t i = 0; !r->recording && i < r->graph->n_sources; i++) {
		const struct graph_node *n = graph_source(r->graph, i);
		struct position at;
		struct pump *p;
		int32_t rc = pipeline_resume(r->pipeline, n, &at, e);
		if (rc < 0)
			return rc;
		p = pump_new(n, at.marked ? &at.pos : NULL, at.after, &r->bell);
		if (!p)
			return err_set(e, TW_E_FATAL, "memory is out");
		r->pumps[r->n_pumps++] = p;
		rc = pipeline_add(r->pipeline, p, n, e);
		if (rc < 0)
			return rc;
	}
	return TW_OK;
}

static int32_t make_deliveries(struct run *r, struct tw_err *e)
{
	for (uint32_t i = 0; i < r->graph->n_sinks; i++) {
		const struct graph_node *n = graph_sink(r->graph, i);
		uint64_t start = 0;
		int32_t rc = store_cursor(r->store, n->name, &start, e);
		if (rc < 0)
			return rc;
		/* A run that cannot be resumed delivers what it finds, not what earlier ones left */
		if (rc == TW_AGAIN && r->o->no_tape)
			start = store_last_alert(r->store);
		r->deliveries[r->n_deliveries] = delivery_new(r->graph, n, r->store, r->recorder, start, e);
		if (!r->deliveries[r->n_deliveries])
			return TW_E_FATAL;
		r->n_deliveries++;
	}
	return TW_OK;
}

/* A position is on the disk: the source may let go of what lies before it. [recorder] */
static void on_durable(void *arg, uint32_t index, const struct position *at)
{
	struct run *r = arg;

	if (index < r->n_pumps)
		pump_ack(r->pumps[index], &at->pos);
}

static bool any_live(const struct graph *g)
{
	for (uint32_t i = 0; i < g->n_sources; i++) {
		const struct tw_source *s = &graph_source(g, i)->plugin->source;
		if (!s->finite || s->finite(graph_source(g, i)->self) != 1)
			return true;
	}
	return false;
}

static int32_t build(struct run *r, struct tw_err *e)
{
	const struct graph *g = r->graph;
	struct pipeline_options po = { .graph = g,
		                       .bell = &r->bell,
		                       .batch = r->o->batch ? r->o->batch : (uint32_t)g->host.batch,
		                       .record = !r->o->no_tape && !r->o->recording,
		                       .rebuild = r->o->rebuild,
		                       .live = !r->o->recording && any_live(g) };
	int32_t rc = open_stores(r, e);

	if (rc < 0)
		return rc;
	CRASH_POINT("run.stores_open");
	r->pumps = calloc(g->n_sources + 1, sizeof *r->pumps);
	r->pump_loops = calloc(g->n_sources + 1, sizeof *r->pump_loops);
	r->deliveries = calloc(g->n_sinks + 1, sizeof *r->deliveries);
	r->delivery_loops = calloc(g->n_sinks + 1, sizeof *r->delivery_loops);
	r->recorder = recorder_new(r->store, g->n, &r->bell);
	if (!r->pumps || !r->pump_loops || !r->deliveries || !r->delivery_loops || !r->recorder)
		return err_set(e, TW_E_FATAL, "memory is out");
	if (!r->o->recording)
		recorder_retention(r->recorder, &(struct retention){ .tape_age = g->host.retain,
		                                                     .tape_bytes = (uint64_t)g->host.retain_size,
		                                                     .alert_age = g->host.retain_alerts });
	po.store = r->store;
	po.recording = r->recording;
	po.recorder = r->recorder;
	r->pipeline = pipeline_new(&po, e);
	if (!r->pipeline)
		return e->code < 0 ? e->code : TW_E_FATAL;
	CRASH_POINT("run.restored");
	rc = make_pumps(r, e);
	if (rc < 0)
		return rc;
	recorder_on_durable(r->recorder, on_durable, r);
	if (r->o->progress && !po.live)
		r->progress = progress_new(r->pipeline, r->pumps, r->n_pumps, r->recording);
	return make_deliveries(r, e);
}

static void destroy(struct run *r)
{
	for (uint32_t i = 0; i < r->n_deliveries; i++)
		delivery_free(r->deliveries[i]);
	pipeline_free(r->pipeline);
	for (uint32_t i = 0; i < r->n_pumps; i++)
		pump_free(r->pumps[i]);
	recorder_free(r->recorder);
	progress_free(r->progress);
	store_close(r->recording);
	store_close(r->store);
	free(r->pumps);
	free(r->pump_loops);
	free(r->deliveries);
	free(r->delivery_loops);
}

/* ---- running ---- */

static void stop_sources(struct run *r)
{
	if (r->stopping)
		return;
	r->stopping = true;
	for (uint32_t i = 0; i < r->n_pumps; i++)
		pump_stop(r->pumps[i]);
	bell_ring(&r->bell);
}

/* Something broke that nothing can go on without: end every loop after its current step. */
static void abandon(struct run *r)
{
	r->failed = true;
	stop_sources(r);
	atomic_store(&r->pipeline_loop.stop, true);
	bell_ring(&r->bell);
	atomic_store(&r->recorder_loop.stop, true);
	bell_ring(recorder_bell(r->recorder));
	for (uint32_t i = 0; i < r->n_pumps; i++) {
		atomic_store(&r->pump_loops[i].stop, true);
		bell_ring(pump_bell(r->pumps[i]));
	}
	for (uint32_t i = 0; i < r->n_deliveries; i++) {
		atomic_store(&r->delivery_loops[i].stop, true);
		bell_ring(delivery_bell(r->deliveries[i]));
	}
}

static bool all_over(const struct loop *loops, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (loops[i].started && !atomic_load(&loops[i].over))
			return false;
	return true;
}

static void on_wake(struct ev_loop *ev, ev_async *w, int events)
{
	struct run *r = w->data;

	(void)events;
	if (!r->failed && ((atomic_load(&r->pipeline_loop.over) && atomic_load(&r->pipeline_loop.result) == STEP_FAILED) ||
	                   (atomic_load(&r->recorder_loop.over) && atomic_load(&r->recorder_loop.result) == STEP_FAILED)))
		abandon(r);
	if (atomic_load(&r->pipeline_loop.over))
		for (uint32_t i = 0; i < r->n_deliveries; i++)
			delivery_hurry(r->deliveries[i]);
	if (atomic_load(&r->pipeline_loop.over) && !r->sinks_told && all_over(r->delivery_loops, r->n_deliveries)) {
		r->sinks_told = true;
		recorder_sinks_done(r->recorder);
	}
	if (atomic_load(&r->pipeline_loop.over) && atomic_load(&r->recorder_loop.over) &&
	    all_over(r->pump_loops, r->n_pumps) && all_over(r->delivery_loops, r->n_deliveries))
		ev_break(ev, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *ev, ev_signal *w, int events)
{
	struct run *r = w->data;

	(void)ev, (void)events;
	if (++r->signals > 1)
		_exit(128 + w->signum);
	log_info("host", "stopping: sources stop, what they brought is judged and delivered; once more ends at once");
	stop_sources(r);
}

static void on_tick(struct ev_loop *ev, ev_timer *w, int events)
{
	struct run *r = w->data;

	(void)ev, (void)events;
	progress_draw(r->progress);
}

static int32_t start_loop(struct loop *l, const struct loop *like, const char *name, struct tw_err *e)
{
	int rc;

	*l = *like;
	rc = loop_start(l, name);
	return rc ? err_sys(e, rc, "cannot start the thread of '%s'", name) : TW_OK;
}

static int32_t start_loops(struct run *r, struct tw_err *e)
{
	struct loop l = { .ended = loop_ended, .arg = r };

	l.step = step_recorder, l.pause_ms = pause_recorder, l.of = r->recorder, l.bell = recorder_bell(r->recorder);
	if (start_loop(&r->recorder_loop, &l, "recorder", e) < 0)
		return TW_E_FATAL;
	for (uint32_t i = 0; i < r->n_deliveries; i++) {
		l.step = step_delivery, l.pause_ms = pause_delivery, l.of = r->deliveries[i], l.bell = delivery_bell(r->deliveries[i]);
		if (start_loop(&r->delivery_loops[i], &l, graph_sink(r->graph, i)->name, e) < 0)
			return TW_E_FATAL;
	}
	for (uint32_t i = 0; i < r->n_pumps; i++) {
		l.step = step_pump, l.pause_ms = pause_pump, l.of = r->pumps[i], l.bell = pump_bell(r->pumps[i]);
		if (start_loop(&r->pump_loops[i], &l, graph_source(r->graph, i)->name, e) < 0)
			return TW_E_FATAL;
	}
	l.step = step_pipeline, l.pause_ms = pause_pipeline, l.of = r->pipeline, l.bell = &r->bell;
	return start_loop(&r->pipeline_loop, &l, "pipeline", e);
}

static int32_t control(struct run *r, struct tw_err *e)
{
	int32_t rc;

	r->ev = ev_loop_new(EVFLAG_AUTO);
	if (!r->ev)
		return err_set(e, TW_E_FATAL, "libev offers no event loop");
	ev_async_init(&r->wake, on_wake);
	ev_signal_init(&r->sigint, on_signal, SIGINT);
	ev_signal_init(&r->sigterm, on_signal, SIGTERM);
	ev_timer_init(&r->tick, on_tick, 0.1, 0.1);
	r->wake.data = r->sigint.data = r->sigterm.data = r->tick.data = r;
	ev_async_start(r->ev, &r->wake);
	ev_signal_start(r->ev, &r->sigint);
	ev_signal_start(r->ev, &r->sigterm);
	if (r->progress)
		ev_timer_start(r->ev, &r->tick);
	rc = start_loops(r, e);
	CRASH_POINT("run.started");
	if (rc < 0)
		abandon(r);
	else
		ev_run(r->ev, 0);
	loop_join(&r->pipeline_loop);
	for (uint32_t i = 0; i < r->n_pumps; i++)
		loop_join(&r->pump_loops[i]);
	for (uint32_t i = 0; i < r->n_deliveries; i++)
		loop_join(&r->delivery_loops[i]);
	loop_join(&r->recorder_loop);
	progress_end(r->progress);
	ev_loop_destroy(r->ev);
	if (rc == TW_OK && r->failed) {
		rc = recorder_result(r->recorder) != TW_OK ? recorder_result(r->recorder) : pipeline_result(r->pipeline);
		err_set(e, rc, "the run ended early; the reason is in the log above");
	}
	return rc;
}

/* Of this program: getrusage() would count that of the one that started it, too. */
static uint64_t peak_memory(void)
{
	char text[4096], *at;
	ssize_t n;
	int fd = os->open("/proc/self/status", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	n = os->read(fd, text, sizeof text - 1);
	(void)os->close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "VmHWM:");
	return at ? strtoull(at + 6, NULL, 10) * 1024 : 0;
}

static void summarise(struct run *r, struct run_summary *s)
{
	struct pipeline_stats ps;

	pipeline_stats(r->pipeline, &ps);
	s->events = ps.events;
	s->alerts = ps.alerts;
	s->dead = ps.dead;
	s->seconds = (double)(os->mono() - r->started) / 1e9;
	s->interrupted = r->signals > 0;
	s->peak_memory = peak_memory();
	for (uint32_t i = 0; i < r->n_pumps; i++) {
		struct pump_stats stats;
		pump_stats(r->pumps[i], &stats);
		s->skipped += stats.skipped;
		s->source_failed |= pump_failed(r->pumps[i]);
	}
	for (uint32_t i = 0; i < r->n_deliveries; i++)
		s->sink_failed |= atomic_load(&r->delivery_loops[i].result) == STEP_FAILED;
	s->detectors = calloc(r->graph->n_detectors + 1, sizeof *s->detectors);
	if (!s->detectors)
		return;
	s->n_detectors = r->graph->n_detectors;
	for (uint32_t i = 0; i < s->n_detectors; i++) {
		const struct instance *in = pipeline_instance(r->pipeline, i);
		struct run_detector *d = &s->detectors[i];
		*d = (struct run_detector){ .name = in->node->name,
			                    .events = in->events,
			                    .alerts = in->alerts,
			                    .quiet = in->quiet,
			                    .warming = in->warming,
			                    .scores = in->scores,
			                    .unkeyed = in->unkeyed,
			                    .errors = in->errors,
			                    .counter_names = in->detector->counters,
			                    .quarantined = in->quarantined };
		memcpy(d->counters, in->counters, sizeof d->counters);
	}
}

int32_t run_graph(const struct run_options *o, struct run_summary *ret, struct tw_err *e)
{
	struct run r = { .o = o, .graph = o->graph, .started = os->mono() };
	int32_t rc;

	*ret = (struct run_summary){ 0 };
	bell_init(&r.bell);
	rc = build(&r, e);
	if (rc == TW_OK) {
		CRASH_POINT("run.built");
		rc = control(&r, e);
		summarise(&r, ret);
		CRASH_POINT("run.drained");
	}
	destroy(&r);
	CRASH_POINT("run.closed");
	bell_free(&r.bell);
	return rc;
}

void run_summary_free(struct run_summary *s)
{
	free(s->detectors);
	*s = (struct run_summary){ 0 };
}
