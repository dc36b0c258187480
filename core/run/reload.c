/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of a reload, and what is said about it.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "run/notify.h"
#include "run/run_impl.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAVE_NS 2000000000LL /* for what stopped sources brought, and for what sinks that go have before them */

/* ---- saying what came of it ---- */

static void publish(struct run *r, enum outcome_word word, const char *text)
{
	struct outcome o = { .pid = getpid(), .generation = r->reload.generation, .word = word, .text = text };
	char cwd[PATH_MAX];
	struct tw_err e;

	o.cwd = getcwd(cwd, sizeof cwd);
	for (uint32_t i = 0; i < r->o->n_config && i < OUTCOME_PATHS; i++)
		o.paths[o.n_paths++] = r->o->config[i];
	if (outcome_write(r->o->dir, &o, &e) < 0)
		log_warn("reload", "%s; `tapewatch reload` will not hear of it", e.msg);
}

void reload_ready(struct run *r)
{
	if (!r->o->n_config)
		return;
	r->reload.ready = true;
	publish(r, OUTCOME_NONE, "");
}

/* Line by line to the log, as a whole to the file. */
static void answer(struct run *r, enum outcome_word word, const char *text)
{
	int32_t level = word == OUTCOME_DONE ? TW_LOG_INFO : TW_LOG_ERROR;

	for (const char *s = text; *s;) {
		size_t len = strcspn(s, "\n");
		log_line(level, "reload", "%.*s", (int)len, s);
		s += len + (s[len] == '\n');
	}
	r->reload.generation++;
	publish(r, word, text);
	notify_ready(r);
}

static void answer_mistakes(struct run *r, const struct report *report)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f) {
		report_print(report, f);
		(void)fputs("the old configuration runs on\n", f);
		if (fclose(f) != 0) {
			free(text);
			text = NULL;
		}
	}
	answer(r, OUTCOME_REFUSED, text ? text : "the new configuration has mistakes; the old one runs on\n");
	free(text);
}

/* ---- before the swap ---- */

static const char *why_not(const struct run *r)
{
	if (r->o->no_tape)
		return "this run keeps no tape and no checkpoints, so a reload would forget every state: restart it";
	if (r->stopping || r->failed)
		return "the run is stopping";
	for (uint32_t i = 0; i < r->machine->n_sources; i++)
		if (!atomic_load(&r->machine->sources[i]->loop.over))
			return NULL;
	return "its sources have come to their end, and so does the run";
}

/* Code that is loaded stays loaded: a file that was put in its place meanwhile is not what runs. */
static void warn_of_new_code(const struct graph *g)
{
	for (uint32_t i = 0; i < g->n; i++) {
		const struct plugin *p = g->nodes[i].plugin;
		struct stat st;
		bool first = true;
		for (uint32_t k = 0; k < i; k++)
			first = first && strcmp(g->nodes[k].plugin->file, p->file) != 0;
		if (first && p->inode && os->stat(p->file, &st) == 0 && (uint64_t)st.st_ino != p->inode)
			log_warn("reload",
				 "%s was replaced since it was loaded; a reload keeps the old code, "
				 "`tapewatch run --takeover` brings in the new",
				 p->file);
	}
}

static void begin(struct run *r)
{
	struct machine *m = r->machine;
	struct reload *l = &r->reload;
	struct report report = { 0 };
	struct plan_difference d;
	const char *no = why_not(r);
	int64_t now = os->mono();

	notify_reloading(r);
	if (no) {
		char text[256];
		snprintf(text, sizeof text, "no reload: %s\n", no);
		answer(r, OUTCOME_REFUSED, text);
		return;
	}
	l->plan = plan_read(r->o->config, r->o->n_config, &report);
	if (!l->plan) {
		answer_mistakes(r, &report);
		report_free(&report);
		return;
	}
	report_free(&report);
	l->words.len = 0;
	if (plan_compare(m->plan->graph, l->plan->graph, &d, &l->words) < 0 || buf_add(&l->words, "", 1) != 0) {
		plan_drop(l->plan);
		l->plan = NULL;
		answer(r, OUTCOME_FAILED, "memory is out; the old configuration runs on\n");
		return;
	}
	warn_of_new_code(m->plan->graph);
	CRASH_POINT("reload.read");
	l->began = now;
	l->phase = RELOAD_CLEARING;
	for (uint32_t i = 0; i < m->n_sources; i++) {
		const struct graph_node *was = graph_source(m->plan->graph, i);
		const struct graph_node *will = plan_find(l->plan->graph, PLUGIN_SOURCE, was->name);
		if (!will || !plan_same_node(was, will) || pump_failed(m->pumps[i]))
			pump_stop(m->pumps[i]);
	}
	for (uint32_t i = 0; i < m->n_sinks; i++) {
		const struct graph_node *was = graph_sink(m->plan->graph, i);
		const struct graph_node *will = plan_find(l->plan->graph, PLUGIN_SINK, was->name);
		struct run_sink *s = m->sinks[i];
		if (!will || !plan_same_node(was, will)) {
			delivery_leave(s->delivery, now + LEAVE_NS);
		} else {
			atomic_store(&s->loop.stop, true);
			bell_ring(delivery_bell(s->delivery));
		}
	}
	(void)reload_advance(r);
}

void reload_ask(struct run *r)
{
	if (r->reload.phase != RELOAD_NONE)
		r->reload.again = true;
	else
		begin(r);
}

/* ---- the swap ---- */

static void over(struct run *r)
{
	struct reload *l = &r->reload;
	bool again = l->again;

	plan_drop(l->plan);
	l->plan = NULL;
	l->phase = RELOAD_NONE;
	l->again = false;
	if (l->stop)
		run_stop(r);
	else if (again)
		begin(r);
}

static void go_back(struct run *r, const struct tw_err *why)
{
	struct tw_err e = { 0 };
	char text[sizeof e.msg + 64];

	snprintf(text, sizeof text, "%s; the old configuration runs on\n", why->msg);
	if (machine_revive(r->machine, &e) < 0 || machine_start(r->machine, &e) < 0) {
		log_error("reload", "%s, and the old configuration cannot go on either: %s", why->msg, e.msg);
		run_abandon(r);
		return;
	}
	answer(r, OUTCOME_FAILED, text);
}

static void swap(struct run *r)
{
	struct machine *old = r->machine, *m;
	struct tw_err e = { 0 };

	m = machine_new(r, r->reload.plan, old, &e);
	if (!m) {
		go_back(r, &e);
		return;
	}
	CRASH_POINT("reload.built");
	run_summary_add(r->summary, old, m);
	r->machine = m;
	machine_free(old, m);
	CRASH_POINT("reload.swapped");
	if (machine_start(m, &e) < 0) {
		log_error("reload", "%s", e.msg);
		run_abandon(r);
		return;
	}
	answer(r, OUTCOME_DONE, (const char *)r->reload.words.data);
	CRASH_POINT("reload.done");
	log_debug("reload", "took %.1f ms", (double)(os->mono() - r->reload.began) / 1e6);
}

static bool sources_stopped(const struct machine *m)
{
	for (uint32_t i = 0; i < m->n_sources; i++)
		if (pump_stopping(m->pumps[i]) && !atomic_load(&m->sources[i]->loop.over))
			return false;
	return true;
}

bool reload_advance(struct run *r)
{
	struct reload *l = &r->reload;
	struct machine *m = r->machine;

	if (l->phase == RELOAD_NONE)
		return false;
	if (r->failed) { /* the machine is being taken down: nothing to swap */
		plan_drop(l->plan);
		l->plan = NULL;
		l->phase = RELOAD_NONE;
		return false;
	}
	if (l->phase == RELOAD_CLEARING && sources_stopped(m) && machine_sinks_over(m)) {
		CRASH_POINT("reload.cleared");
		l->phase = RELOAD_PAUSING;
		pipeline_pause(m->pipeline, os->mono() + LEAVE_NS);
	}
	/* It may have come to its end by itself meanwhile; the new machine finds that out, too. */
	if (l->phase == RELOAD_PAUSING && atomic_load(&m->pipeline_loop.over)) {
		l->phase = RELOAD_CLOSING;
		recorder_sinks_done(m->recorder);
	}
	if (l->phase == RELOAD_CLOSING && atomic_load(&m->recorder_loop.over)) {
		loop_join(&m->pipeline_loop);
		machine_dismiss(m);
		for (uint32_t i = 0; i < m->n_workers; i++)
			loop_join(&m->worker_loops[i]);
		loop_join(&m->recorder_loop);
		for (uint32_t i = 0; i < m->n_sinks; i++)
			loop_join(&m->sinks[i]->loop);
		for (uint32_t i = 0; i < m->n_sources; i++)
			if (pump_stopping(m->pumps[i]))
				loop_join(&m->sources[i]->loop);
		CRASH_POINT("reload.closed");
		swap(r);
		over(r);
	}
	return true;
}

void reload_end(struct run *r)
{
	plan_drop(r->reload.plan);
	r->reload.plan = NULL;
	buf_free(&r->reload.words);
	if (r->reload.ready)
		outcome_remove(r->o->dir);
}
