/* SPDX-License-Identifier: Apache-2.0
 *
 * Adding up what was done, and what a run says when it is over.
 */
#include "run/run_impl.h"
#include <stdlib.h>
#include <string.h>

/* The row of that name, made when there is none; NULL: memory is out. */
static struct run_detector *row_of(struct run_summary *s, const char *name)
{
	struct run_detector *grown;

	for (uint32_t i = 0; i < s->n_detectors; i++)
		if (!strcmp(s->detectors[i].name, name))
			return &s->detectors[i];
	grown = realloc(s->detectors, (s->n_detectors + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	s->detectors = grown;
	grown[s->n_detectors] = (struct run_detector){ .name = strdup(name) };
	return grown[s->n_detectors].name ? &grown[s->n_detectors++] : NULL;
}

static void add_detector(struct run_summary *s, const struct graph_node *node, const struct detector_stats *in)
{
	struct run_detector *d = row_of(s, node->name);
	const char *const *counters = node->plugin->detector.counters;

	if (!d)
		return;
	d->events += in->events;
	d->alerts += in->alerts;
	d->quiet += in->quiet;
	d->warming += in->warming;
	d->scores += in->scores;
	d->unkeyed += in->unkeyed;
	d->busy_ns += in->busy_ns;
	d->errors += in->errors;
	d->quarantined = in->quarantined;
	if (d->counter_names != counters) /* other code under the same name counts other things */
		memset(d->counters, 0, sizeof d->counters);
	d->counter_names = counters;
	for (size_t i = 0; i < sizeof d->counters / sizeof *d->counters; i++)
		d->counters[i] += in->counters[i];
}

void run_summary_add(struct run_summary *s, const struct machine *m, const struct machine *next)
{
	struct pipeline_stats ps;

	pipeline_stats(m->pipeline, &ps);
	s->events += ps.events;
	s->alerts += ps.alerts;
	s->dead += ps.dead;
	for (uint32_t i = 0; i < m->n_sources; i++) {
		struct pump_stats stats;
		if (machine_has_source(next, m->sources[i]))
			continue;
		pump_stats(m->pumps[i], &stats);
		s->skipped += stats.skipped;
		s->source_failed |= !next && pump_failed(m->pumps[i]);
	}
	for (uint32_t i = 0; !next && i < m->n_sinks; i++)
		s->sink_failed |= atomic_load(&m->sinks[i]->loop.result) == STEP_FAILED;
	for (uint32_t i = 0; i < m->plan->graph->n_detectors; i++) {
		struct detector_stats stats;
		pipeline_detector(m->pipeline, i, &stats);
		add_detector(s, graph_detector(m->plan->graph, i), &stats);
	}
}

void run_summary_free(struct run_summary *s)
{
	for (uint32_t i = 0; i < s->n_detectors; i++)
		free(s->detectors[i].name);
	free(s->detectors);
	*s = (struct run_summary){ 0 };
}

static void print_detector(const struct run_detector *d, int width, FILE *f)
{
	char events[32], alerts[32];

	fprintf(f, "  %-*s  %14s events  %10s alerts", width, d->name, count_text(events, d->events),
		count_text(alerts, d->alerts));
	if (d->quiet)
		fprintf(f, ", %" PRIu64 " in cooldown", d->quiet);
	if (d->warming)
		fprintf(f, ", %" PRIu64 " in warmup", d->warming);
	if (d->errors)
		fprintf(f, ", %" PRIu64 " errors%s", d->errors, d->quarantined ? " (switched off)" : "");
	if (d->unkeyed)
		fprintf(f, ", %" PRIu64 " without its key", d->unkeyed);
	for (uint32_t i = 0; d->counter_names && d->counter_names[i] && i < 32; i++)
		if (d->counters[i])
			fprintf(f, ", %" PRIu64 " %s", d->counters[i], d->counter_names[i]);
	fputc('\n', f);
}

void run_summary_print(const struct run_summary *s, FILE *f)
{
	char events[32], alerts[32], dead[32], rate[16];
	int width = 8;

	fprintf(f, "%s: %s events in %.2f s (%s events/s), %s alerts, %s dead letters",
		s->interrupted ? "stopped" : "done", count_text(events, s->events), s->seconds,
		rate_text(rate, s->seconds > 0 ? (double)s->events / s->seconds : 0), count_text(alerts, s->alerts),
		count_text(dead, s->dead));
	if (s->skipped)
		fprintf(f, ", %" PRIu64 " rows left out", s->skipped);
	fprintf(f, "; peak memory %.1f MB\n", (double)s->peak_memory / 1e6);
	for (uint32_t i = 0; i < s->n_detectors; i++)
		if ((int)strlen(s->detectors[i].name) > width)
			width = (int)strlen(s->detectors[i].name);
	for (uint32_t i = 0; i < s->n_detectors; i++)
		print_detector(&s->detectors[i], width, f);
}
