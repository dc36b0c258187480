/* SPDX-License-Identifier: Apache-2.0
 *
 * Planning and running one variant.
 */
#include "backtest/variant.h"
#include "base/err.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int32_t variant_plan(struct variant_plan *p, const struct variant *v, struct plugins *plugins, struct report *r)
{
	int32_t rc;

	*p = (struct variant_plan){ 0 };
	if (config_load(&p->config, v->paths, v->n_paths, r) < 0)
		return TW_E_FATAL;
	if (r->errors)
		return TW_E_CONFIG;
	if (config_drop(&p->config, "sinks") < 0)
		return TW_E_FATAL;
	for (uint32_t i = 0; i < v->n_edits; i++) {
		const struct config_edit *edit = &v->edits[i];
		struct place at = { .file = edit->origin };
		rc = config_edit(&p->config, edit);
		if (rc == TW_AGAIN)
			report_error(r, &at, "there is no '%s' among the %s", edit->instance, edit->section);
		if (rc != TW_OK)
			return rc == TW_AGAIN ? TW_E_CONFIG : rc;
	}
	rc = graph_plan(&p->graph, &p->config, plugins, r);
	if (rc != TW_OK)
		return rc;
	for (uint32_t i = 0; i < p->graph.n_detectors; i++)
		graph_detector(&p->graph, i)->logged_scores = true;
	return TW_OK;
}

void variant_plan_free(struct variant_plan *p)
{
	graph_free(&p->graph);
	config_free(&p->config);
}

struct outcome *outcome_new(void)
{
	void *p = mmap(NULL, sizeof(struct outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void outcome_free(struct outcome *o)
{
	if (o)
		(void)munmap(o, sizeof *o);
}

static void tell(const struct run_summary *s, struct outcome *o)
{
	o->events = s->events;
	o->alerts = s->alerts;
	o->dead = s->dead;
	o->skipped = s->skipped;
	o->seconds = s->seconds;
	o->source_failed = s->source_failed;
	o->interrupted = s->interrupted;
	for (uint32_t i = 0; i < s->n_detectors && i < GRAPH_MAX_NODES; i++) {
		const struct run_detector *d = &s->detectors[i];
		struct outcome_detector *t = &o->detectors[o->n_detectors++];
		*t = (struct outcome_detector){ .events = d->events,
						.alerts = d->alerts,
						.busy_ns = d->busy_ns,
						.quiet = d->quiet,
						.warming = d->warming,
						.errors = d->errors,
						.quarantined = d->quarantined };
		(void)snprintf(t->name, sizeof t->name, "%s", d->name);
	}
}

void variant_run(const struct variant *v, const char *dir, struct plugins *plugins, struct outcome *o)
{
	struct variant_plan plan;
	struct report report = { 0 };
	struct run_summary summary = { 0 };
	int32_t rc = variant_plan(&plan, v, plugins, &report);

	o->n_detectors = 0;
	if (rc == TW_OK) {
		struct run_options ro = { .graph = &plan.graph,
					  .dir = dir,
					  .recording = v->recording,
					  .until = v->until,
					  .progress = v->progress,
					  .batch = v->batch,
					  .workers = v->workers,
					  .measure = true,
					  .scratch = true };
		rc = run_graph(&ro, &summary, &o->err);
		tell(&summary, o);
		run_summary_free(&summary);
	} else {
		err_set(&o->err, rc, "%s", report.n ? report.list[0].text : "memory is out");
	}
	o->rc = rc;
	variant_plan_free(&plan);
	report_free(&report);
	o->done = true;
}
