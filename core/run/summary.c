/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run says when it is over.
 */
#include "run/progress.h"
#include "run/run.h"
#include <string.h>

static void print_detector(const struct run_detector *d, int width, FILE *f)
{
	char events[32], alerts[32];

	fprintf(f, "  %-*s  %14s events  %10s alerts", width, d->name, count_text(events, d->events), count_text(alerts, d->alerts));
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

	fprintf(f, "%s: %s events in %.2f s (%s events/s), %s alerts, %s dead letters", s->interrupted ? "stopped" : "done",
	        count_text(events, s->events), s->seconds, rate_text(rate, s->seconds > 0 ? (double)s->events / s->seconds : 0),
	        count_text(alerts, s->alerts), count_text(dead, s->dead));
	if (s->skipped)
		fprintf(f, ", %" PRIu64 " rows left out", s->skipped);
	fprintf(f, "; peak memory %.1f MB\n", (double)s->peak_memory / 1e6);
	for (uint32_t i = 0; i < s->n_detectors; i++)
		if ((int)strlen(s->detectors[i].name) > width)
			width = (int)strlen(s->detectors[i].name);
	for (uint32_t i = 0; i < s->n_detectors; i++)
		print_detector(&s->detectors[i], width, f);
}
