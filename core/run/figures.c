/* SPDX-License-Identifier: Apache-2.0
 *
 * One family after the other: of the run, of its sources, detectors and sinks, and of the process. What machines before
 * the present one counted is in the summary, and goes on here.
 */
#include "run/figures.h"
#include "base/log.h"
#include "base/os.h"
#include "ext/prom.h"
#include "run/run_impl.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int one(struct buf *out, const char *name, const char *type, const char *help, double value)
{
	int bad = prom_family(out, name, type, help);

	return bad | prom_value(out, name, NULL, NULL, value);
}

static int one_count(struct buf *out, const char *name, const char *help, uint64_t value)
{
	int bad = prom_family(out, name, "counter", help);

	return bad | prom_count(out, name, NULL, NULL, value);
}

static int of_run(const struct run *r, struct buf *out)
{
	const struct machine *m = r->machine;
	const struct run_summary *before = r->summary;
	struct pipeline_stats ps;
	struct recorder_stats rs;
	int bad = 0;

	pipeline_stats(m->pipeline, &ps);
	recorder_stats(m->recorder, &rs);
	bad |= prom_family(out, "tapewatch_build_info", "gauge", "1, with the version as a label.");
	bad |= prom_value(out, "tapewatch_build_info", "version", TAPEWATCH_VERSION, 1);
	bad |= one_count(out, "tapewatch_events_total", "Events judged.", before->events + ps.events);
	bad |= one_count(out, "tapewatch_alerts_total", "Alerts raised.", before->alerts + ps.alerts);
	bad |= one_count(out, "tapewatch_dead_letters_total", "Rows and events that were refused.",
			 before->dead + ps.dead);
	bad |= one_count(out, "tapewatch_commits_total", "Commits that became durable.", rs.commits);
	bad |= one(out, "tapewatch_commits_waiting", "gauge", "Commits that wait for the disk.", rs.waiting);
	bad |= one(out, "tapewatch_durable_seq", "gauge", "Number of the last event on the disk.",
		   (double)recorder_durable_seq(m->recorder));
	bad |= one(out, "tapewatch_catching_up", "gauge", "1 while events of the tape are judged again.",
		   ps.catching_up);
	if (ps.event_time) {
		bad |= one(out, "tapewatch_event_time_seconds", "gauge", "Time of the latest event, since 1970 UTC.",
			   (double)ps.event_time / 1e9);
		bad |= one(out, "tapewatch_lag_seconds", "gauge",
			   "Wall clock less time of the latest event; large when old data is judged.",
			   (double)(os->wall() - ps.event_time) / 1e9);
	}
	bad |= one_count(out, "tapewatch_log_lines_dropped_total", "Lines that the limit of the log swallowed.",
			 log_dropped());
	bad |= one_count(out, "tapewatch_reloads_total", "Answers to a reload so far.", r->reload.generation);
	return bad | one(out, "tapewatch_uptime_seconds", "gauge", "Since the start of the run.",
			 (double)(os->mono() - r->started) / 1e9);
}

/* ---- sources ---- */

static const struct {
	const char *name, *type, *help;
	size_t offset;
} source_families[] = {
	{ "tapewatch_source_events_total", "counter", "Events a source brought.", offsetof(struct pump_stats, events) },
	{ "tapewatch_source_dead_letters_total", "counter", "Rows of a source that were refused.",
	  offsetof(struct pump_stats, dead) },
	{ "tapewatch_source_skipped_total", "counter", "Rows a source left out on purpose.",
	  offsetof(struct pump_stats, skipped) },
	{ "tapewatch_source_queue_chunks", "gauge", "Polls of a source that wait for the pipeline, of 4.",
	  offsetof(struct pump_stats, waiting) },
	{ "tapewatch_source_done", "gauge", "How far a finite source is, in a unit of its own.",
	  offsetof(struct pump_stats, done) },
	{ "tapewatch_source_size", "gauge", "How far it will go.", offsetof(struct pump_stats, total) },
};

static uint64_t member(const void *of, size_t offset)
{
	uint64_t v;

	memcpy(&v, (const char *)of + offset, sizeof v);
	return v;
}

static int of_sources(const struct machine *m, struct buf *out)
{
	int bad = 0;

	for (size_t k = 0; m->n_sources && k < sizeof source_families / sizeof *source_families; k++) {
		bad |= prom_family(out, source_families[k].name, source_families[k].type, source_families[k].help);
		for (uint32_t i = 0; i < m->n_sources; i++) {
			struct pump_stats s;
			pump_stats(m->pumps[i], &s);
			bad |= prom_count(out, source_families[k].name, "source", pump_name(m->pumps[i]),
					  member(&s, source_families[k].offset));
		}
	}
	if (m->n_sources)
		bad |= prom_family(out, "tapewatch_source_failed", "gauge", "1 when a source has given up.");
	for (uint32_t i = 0; i < m->n_sources; i++)
		bad |= prom_count(out, "tapewatch_source_failed", "source", pump_name(m->pumps[i]),
				  pump_failed(m->pumps[i]));
	return bad;
}

/* ---- detectors ---- */

static const struct {
	const char *name, *help;
	size_t now, before; /* in struct detector_stats, in struct run_detector */
} detector_families[] = {
#define FAMILY(member, help)                                                                                           \
	{                                                                                                              \
		"tapewatch_detector_" #member "_total", help, offsetof(struct detector_stats, member),                 \
			offsetof(struct run_detector, member)                                                          \
	}
	FAMILY(events, "Events a detector judged."),
	FAMILY(alerts, "Alerts of a detector."),
	FAMILY(scores, "Scores of a detector."),
	FAMILY(quiet, "Alerts that fell into a cooldown."),
	FAMILY(warming, "Alerts that fell into a warm-up."),
	FAMILY(unkeyed, "Events without the detector's key."),
	FAMILY(errors, "Events a detector failed on."),
#undef FAMILY
};

static const struct run_detector *before_of(const struct run *r, const char *name)
{
	static const struct run_detector none;

	for (uint32_t i = 0; i < r->summary->n_detectors; i++)
		if (strcmp(r->summary->detectors[i].name, name) == 0)
			return &r->summary->detectors[i];
	return &none;
}

static int counters_of(const struct run *r, const struct graph_node *n, const struct detector_stats *s, struct buf *out)
{
	const char *const *names = n->plugin->detector.counters;
	const struct run_detector *before = before_of(r, n->name);
	int bad = 0;

	for (uint32_t k = 0; names && names[k] && k < 32; k++) {
		uint64_t earlier = before->counter_names == names ? before->counters[k] : 0;
		bad |= buf_addf(out, "tapewatch_detector_counted_total{");
		bad |= prom_label(out, true, "detector", n->name);
		bad |= prom_label(out, false, "what", names[k]);
		bad |= buf_addf(out, "} %" PRIu64 "\n", earlier + s->counters[k]);
	}
	return bad;
}

static int of_detectors(const struct run *r, struct buf *out)
{
	const struct graph *g = r->machine->plan->graph;
	struct detector_stats *s = calloc(g->n_detectors + 1, sizeof *s);
	int bad = 0;

	if (!s)
		return -1;
	for (uint32_t i = 0; i < g->n_detectors; i++)
		pipeline_detector_now(r->machine->pipeline, i, &s[i]);
	for (size_t k = 0; g->n_detectors && k < sizeof detector_families / sizeof *detector_families; k++) {
		bad |= prom_family(out, detector_families[k].name, "counter", detector_families[k].help);
		for (uint32_t i = 0; i < g->n_detectors; i++) {
			const char *name = graph_detector(g, i)->name;
			bad |= prom_count(out, detector_families[k].name, "detector", name,
					  member(&s[i], detector_families[k].now) +
						  member(before_of(r, name), detector_families[k].before));
		}
	}
	if (g->n_detectors)
		bad |= prom_family(out, "tapewatch_detector_off", "gauge", "1 when a detector was switched off.");
	for (uint32_t i = 0; i < g->n_detectors; i++)
		bad |= prom_count(out, "tapewatch_detector_off", "detector", graph_detector(g, i)->name,
				  s[i].quarantined);
	if (g->n_detectors)
		bad |= prom_family(out, "tapewatch_detector_counted_total", "counter",
				   "What a detector itself counts.");
	for (uint32_t i = 0; i < g->n_detectors; i++)
		bad |= counters_of(r, graph_detector(g, i), &s[i], out);
	free(s);
	return bad;
}

/* ---- sinks ---- */

static int of_sinks(const struct machine *m, struct buf *out)
{
	static const struct {
		const char *name, *type, *help;
	} families[] = {
		{ "tapewatch_sink_delivered_total", "counter", "Records a sink has accepted." },
		{ "tapewatch_sink_refused_total", "counter", "Records a sink has refused for good." },
		{ "tapewatch_sink_attempts_total", "counter", "Attempts of a sink that failed." },
		{ "tapewatch_sink_behind", "gauge", "Durable records that are not behind the cursor of a sink yet." },
	};
	const struct graph *g = m->plan->graph;
	uint64_t last = recorder_durable_alert(m->recorder);
	int bad = 0;

	for (size_t k = 0; m->n_sinks && k < sizeof families / sizeof *families; k++) {
		bad |= prom_family(out, families[k].name, families[k].type, families[k].help);
		for (uint32_t i = 0; i < m->n_sinks; i++) {
			struct delivery_stats s;
			delivery_stats(m->sinks[i]->delivery, &s);
			const uint64_t values[] = { s.delivered, s.refused, s.attempts,
						    last > s.cursor ? last - s.cursor : 0 };
			bad |= prom_count(out, families[k].name, "sink", graph_sink(g, i)->name, values[k]);
		}
	}
	return bad;
}

/* ---- the process ---- */

static int of_process(struct buf *out)
{
	char text[128], *end;
	ssize_t n = -1;
	unsigned long long pages;
	int fd = os->open("/proc/self/statm", O_RDONLY | O_CLOEXEC, 0);

	if (fd >= 0) {
		n = os->read(fd, text, sizeof text - 1);
		(void)os->close(fd);
	}
	if (n <= 0)
		return 0;
	text[n] = '\0';
	(void)strtoull(text, &end, 10);
	pages = strtoull(end, NULL, 10);
	return one(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
		   (double)pages * (double)sysconf(_SC_PAGESIZE));
}

int figures_text(const struct run *r, struct buf *out)
{
	int bad = of_run(r, out);

	bad |= of_sources(r->machine, out);
	bad |= of_detectors(r, out);
	bad |= of_sinks(r->machine, out);
	bad |= of_process(out);
	return bad | services_metrics(r->services, out);
}
