/* SPDX-License-Identifier: Apache-2.0
 *
 * The control loop: signals, the ends of threads, and the progress bar, in libev on the main thread.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "run/endpoint.h"
#include "run/figures.h"
#include "run/notify.h"
#include "run/run_impl.h"
#include <signal.h>
#include <unistd.h>

void run_stop(struct run *r)
{
	if (r->stopping)
		return;
	if (r->reload.phase != RELOAD_NONE) { /* half a swap cannot drain */
		r->reload.stop = true;
		return;
	}
	r->stopping = true;
	notify_stopping(r);
	for (uint32_t i = 0; i < r->machine->n_sources; i++)
		pump_stop(r->machine->pumps[i]);
	bell_ring(&r->bell);
}

static void end_loop(struct loop *l, struct bell *b)
{
	atomic_store(&l->stop, true);
	bell_ring(b);
}

void run_abandon(struct run *r)
{
	struct machine *m = r->machine;

	r->failed = r->stopping = true;
	for (uint32_t i = 0; i < m->n_sources; i++)
		pump_stop(m->pumps[i]);
	end_loop(&m->pipeline_loop, &r->bell);
	machine_dismiss(m);
	end_loop(&m->recorder_loop, recorder_bell(m->recorder));
	for (uint32_t i = 0; i < m->n_sources; i++)
		end_loop(&m->sources[i]->loop, pump_bell(m->pumps[i]));
	for (uint32_t i = 0; i < m->n_sinks; i++)
		end_loop(&m->sinks[i]->loop, delivery_bell(m->sinks[i]->delivery));
	ev_async_send(r->ev, &r->wake); /* perhaps nothing runs any more that would say so */
}

static bool ended_as(const struct loop *l, enum step result)
{
	return atomic_load(&l->over) && atomic_load(&l->result) == (int)result;
}

static void on_wake(struct ev_loop *ev, ev_async *w, int events)
{
	struct run *r = w->data;
	struct machine *m;

	(void)events;
	if (!r->failed &&
	    (ended_as(&r->machine->pipeline_loop, STEP_FAILED) || ended_as(&r->machine->recorder_loop, STEP_FAILED)))
		run_abandon(r);
	if (reload_advance(r))
		return;
	m = r->machine;
	if (atomic_load(&m->pipeline_loop.over)) {
		for (uint32_t i = 0; i < m->n_sinks; i++)
			delivery_hurry(m->sinks[i]->delivery);
		if (!m->recorder_told && machine_sinks_over(m)) {
			m->recorder_told = true;
			recorder_sinks_done(m->recorder);
		}
	}
	if (machine_over(m))
		ev_break(ev, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *ev, ev_signal *w, int events)
{
	struct run *r = w->data;

	(void)ev, (void)events;
	if (++r->signals > 1)
		_exit(128 + w->signum);
	log_info("host", "stopping: sources stop, what they brought is judged and delivered; once more ends at once");
	run_stop(r);
}

static void on_hangup(struct ev_loop *ev, ev_signal *w, int events)
{
	(void)ev, (void)events;
	reload_ask(w->data);
}

static void on_tick(struct ev_loop *ev, ev_timer *w, int events)
{
	struct run *r = w->data;

	(void)ev, (void)events;
	progress_draw(r->machine->progress);
}

static void on_beat(struct ev_loop *ev, ev_timer *w, int events)
{
	(void)ev, (void)events;
	notify_beat(w->data);
}

/* libev does not take its handlers away with its loop: a signal that comes from now on would write into freed memory.
 */
static void stop_hearing(struct run *r)
{
	run_hold_signals();
	ev_signal_stop(r->ev, &r->sighup);
	ev_signal_stop(r->ev, &r->sigint);
	ev_signal_stop(r->ev, &r->sigterm);
}

/* They were held back while there was nothing to reload. */
static void take_hangups(struct run *r)
{
	sigset_t set;

	ev_signal_start(r->ev, &r->sighup);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static int metrics_page(void *arg, struct buf *out)
{
	return figures_text(arg, out);
}

static bool is_healthy(void *arg)
{
	const struct run *r = arg;

	return !r->stopping && !r->failed;
}

static int32_t open_endpoint(struct run *r, struct tw_err *e)
{
	const char *where = r->o->graph->host.metrics;
	struct address at;

	if (!where || !*where)
		return TW_OK;
	if (parse_address(where, &at) != 0) /* the plan has checked it */
		return err_set(e, TW_E_CONFIG, "option 'metrics': '%s' is no address", where);
	r->endpoint = endpoint_new(r->ev, &at, &(struct endpoint_pages){ metrics_page, is_healthy, r }, e);
	return r->endpoint ? TW_OK : TW_E_CONFIG;
}

int32_t run_control(struct run *r, struct tw_err *e)
{
	double interval = notify_interval();
	int32_t rc;

	r->ev = ev_loop_new(EVFLAG_AUTO);
	if (!r->ev)
		return err_set(e, TW_E_FATAL, "libev offers no event loop");
	ev_async_init(&r->wake, on_wake);
	ev_signal_init(&r->sigint, on_signal, SIGINT);
	ev_signal_init(&r->sigterm, on_signal, SIGTERM);
	ev_signal_init(&r->sighup, on_hangup, SIGHUP);
	ev_timer_init(&r->tick, on_tick, 0.1, 0.1);
	r->wake.data = r->sigint.data = r->sigterm.data = r->sighup.data = r->tick.data = r->beat.data = r;
	ev_timer_init(&r->beat, on_beat, 0, interval);
	ev_async_start(r->ev, &r->wake);
	ev_signal_start(r->ev, &r->sigint);
	ev_signal_start(r->ev, &r->sigterm);
	if (r->o->n_config)
		take_hangups(r);
	if (r->machine->progress)
		ev_timer_start(r->ev, &r->tick);
	if (interval > 0)
		ev_timer_start(r->ev, &r->beat);
	rc = open_endpoint(r, e);
	if (rc == TW_OK)
		rc = machine_start(r->machine, e);
	CRASH_POINT("run.started");
	if (rc < 0) {
		run_abandon(r);
	} else {
		reload_ready(r);
		notify_ready(r);
		ev_run(r->ev, 0);
	}
	machine_join(r->machine);
	reload_end(r);
	progress_end(r->machine->progress);
	endpoint_free(r->endpoint);
	stop_hearing(r);
	ev_loop_destroy(r->ev);
	if (rc == TW_OK && r->failed) {
		const struct machine *m = r->machine;
		rc = recorder_result(m->recorder) != TW_OK ? recorder_result(m->recorder)
							   : pipeline_result(m->pipeline);
		if (rc == TW_OK)
			rc = TW_E_FATAL;
		err_set(e, rc, "the run ended early; the reason is in the log above");
	}
	return rc;
}
