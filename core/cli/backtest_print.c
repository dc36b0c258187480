/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of a backtest.
 */
#include "base/err.h"
#include "cli/backtest.h"
#include "run/progress.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_SHOWN 40u

/* 12.3 s, 4.2 min, 3.1 h, 2.5 d */
static void delay_cell(struct cli_table *t, double s, bool plain)
{
	double a = fabs(s);

	if (isnan(s))
		cli_table_cell(t, "-");
	else if (plain)
		cli_table_cell(t, "%.3f", s);
	else if (a < 0.0995)
		cli_table_cell(t, "%.3f s", s);
	else if (a < 120)
		cli_table_cell(t, "%.1f s", s);
	else if (a < 7200)
		cli_table_cell(t, "%.1f min", s / 60);
	else if (a < 172800)
		cli_table_cell(t, "%.1f h", s / 3600);
	else
		cli_table_cell(t, "%.1f d", s / 86400);
}

static void metric_columns(const struct backtest *b, struct cli_table *t)
{
	bool csv = b->a->csv;

	if (csv)
		cli_table_column(t, "events", false);
	cli_table_column(t, "alerts", false);
	cli_table_column(t, "episodes", false);
	if (b->m.labels) {
		cli_table_column(t, "precision", false);
		cli_table_column(t, csv ? "precision_alerts" : "of alerts", false);
		cli_table_column(t, "recall", false);
		if (!csv)
			cli_table_column(t, "found", false);
		cli_table_column(t, csv ? "f1" : "F1", false);
		cli_table_column(t, csv ? "pr_auc" : "PR-AUC", false);
		cli_table_column(t, csv ? "delay_s" : "delay", false);
	}
	cli_table_column(t, csv ? "ns_per_event" : "ns/event", false);
}

static void metric_cells(const struct backtest *b, struct cli_table *t, const struct row *r)
{
	const struct metrics *m = &r->m;
	bool csv = b->a->csv;
	int digits = csv ? 6 : 3;

	if (csv)
		cli_table_cell(t, "%" PRIu64, r->events);
	cli_table_cell(t, "%" PRIu64, m->alerts);
	cli_table_cell(t, "%" PRIu64, m->episodes);
	if (b->m.labels) {
		cli_table_number(t, m->precision, digits);
		cli_table_number(t, m->precision_alerts, digits);
		cli_table_number(t, m->recall, digits);
		if (!csv)
			cli_table_cell(t, "%" PRIu64 "/%" PRIu64, m->found, m->labels);
		cli_table_number(t, m->f1, digits);
		cli_table_number(t, m->auc, digits);
		delay_cell(t, m->delay, csv);
	}
	cli_table_number(t, r->ns, 1);
}

static int put_table(const struct backtest *b, struct cli_table *t, struct buf *out)
{
	int rc = b->a->csv ? cli_table_csv(t, out) : cli_table_text(t, out, cli_colour(stdout));

	cli_table_free(t);
	return rc;
}

/* ---- the detectors ---- */

static int put_detectors(const struct backtest *b, const struct rows *rows, struct buf *out)
{
	struct cli_table t = { 0 };

	cli_table_column(&t, "detector", true);
	metric_columns(b, &t);
	for (uint32_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->list[i];
		cli_table_row(&t, false);
		cli_table_cell(&t, "%s", *r->detector ? r->detector : b->a->csv ? "*" : "all together");
		metric_cells(b, &t, r);
	}
	return put_table(b, &t, out);
}

static int by_category(const void *x, const void *y, void *names)
{
	return strcmp(intern_name(names, *(const uint32_t *)x), intern_name(names, *(const uint32_t *)y));
}

/* Recall by category, when there are several: which detector finds what. */
static int put_categories(const struct backtest *b, struct buf *out)
{
	uint32_t list[CLI_TABLE_COLUMNS - 1], n = 0, more = 0;
	struct cli_table t = { 0 };

	for (uint32_t i = 0; i < b->labels.n; i++) {
		uint32_t k = 0;
		for (; k < n && list[k] != b->labels.list[i].category; k++)
			;
		if (k == n && n < CLI_TABLE_COLUMNS - 1)
			list[n++] = b->labels.list[i].category;
		else if (k == n)
			more++;
	}
	if (n < 2 || b->a->csv)
		return 0;
	qsort_r(list, n, sizeof *list, by_category, b->names);
	cli_table_column(&t, "found of each category", true);
	for (uint32_t k = 0; k < n; k++)
		cli_table_column(&t, list[k] ? intern_name(b->names, list[k]) : "(none)", false);
	for (uint32_t i = 0; i < b->rows.n; i++) {
		const struct row *r = &b->rows.list[i];
		uint32_t id = intern_find(b->names, r->detector, strlen(r->detector));
		cli_table_row(&t, false);
		cli_table_cell(&t, "%s", *r->detector ? r->detector : "all together");
		for (uint32_t k = 0; k < n; k++) {
			struct metrics m;
			struct tw_err e;
			if (score_metrics(&b->result, &b->m, id, &list[k], 1, &m, &e) < 0)
				return cli_table_free(&t), -1;
			cli_table_cell(&t, "%" PRIu64 "/%" PRIu64, m.found, m.labels);
		}
	}
	return buf_addf(out, "\n") | put_table(b, &t, out) |
	       (more ? buf_addf(out, "%u labels of further categories are not shown\n", more) : 0);
}

/* ---- sweeps ---- */

/* The first with the highest F1, of the runs for this detector; UINT32_MAX without labels. */
static uint32_t best_run(const struct backtest *b, const char *detector)
{
	uint32_t best = UINT32_MAX;
	double f1 = 0;

	for (uint32_t i = 0; i < b->sweep.runs && b->m.labels; i++) {
		const struct row *r = rows_find(&b->sweep_runs[i].rows, detector);
		if (r && r->m.f1 > f1) {
			f1 = r->m.f1;
			best = i;
		}
	}
	return best;
}

static int put_sweep(const struct backtest *b, struct buf *out)
{
	struct cli_table t = { 0 };
	uint32_t touched = 0;

	for (uint32_t i = 0; i < b->rows.n; i++)
		touched += *b->rows.list[i].detector && sweep_touches(&b->sweep, b->rows.list[i].detector);
	for (uint32_t k = 0; k < b->sweep.n; k++)
		cli_table_column(&t, b->sweep.axes[k].name, false);
	if (touched > 1 || b->a->csv)
		cli_table_column(&t, "detector", true);
	metric_columns(b, &t);
	if (b->m.labels || b->a->csv)
		cli_table_column(&t, b->a->csv ? "best" : "", true);
	for (uint32_t d = 0; d < b->rows.n; d++) {
		const char *name = b->rows.list[d].detector;
		uint32_t best = best_run(b, name);
		if (!*name || !sweep_touches(&b->sweep, name))
			continue;
		for (uint32_t i = 0; i < b->sweep.runs; i++) {
			const struct row *r = rows_find(&b->sweep_runs[i].rows, name);
			cli_table_row(&t, i == best);
			for (uint32_t k = 0; k < b->sweep.n; k++)
				cli_table_cell(&t, "%s", sweep_value(&b->sweep, i, k));
			if (touched > 1 || b->a->csv)
				cli_table_cell(&t, "%s", name);
			if (r)
				metric_cells(b, &t, r);
			cli_table_cell(&t, "%s", i == best ? (b->a->csv ? "1" : "* best F1") : b->a->csv ? "0" : "");
		}
	}
	return put_table(b, &t, out);
}

/* ---- another configuration ---- */

static int put_reason(struct buf *out, const struct result *r, const struct found *f)
{
	return cli_text(out, r->reasons.data ? (const char *)r->reasons.data + f->reason : "", f->reason_len, 0);
}

static int put_subject(const struct backtest *b, struct buf *out, const struct found *f)
{
	uint32_t ids[4] = { f->detector, f->type, f->symbol, f->account };
	int rc = cli_stamp(out, f->ts);

	for (size_t i = 0; i < 4; i++)
		if (ids[i]) {
			rc |= buf_addf(out, "  ");
			rc |= cli_text(out, intern_name(b->names, ids[i]), intern_len(b->names, ids[i]), 0);
		}
	return rc;
}

static int put_change(const struct backtest *b, struct buf *out, const struct change *c)
{
	static const char *const marks[] = { "+", "-", "~" };
	const struct found *f = c->after ? c->after : c->before;
	int rc;

	if (!c->before && !c->after)
		return 0;
	rc = buf_addf(out, "%s ", marks[c->kind]) | put_subject(b, out, f);

	if (c->before && c->after && c->before->score != c->after->score)
		rc |= buf_addf(out, "  score %.6g -> %.6g", c->before->score, c->after->score);
	rc |= buf_addf(out, "  ");
	if (c->before && c->after)
		rc |= put_reason(out, &b->result, c->before) | buf_addf(out, "  ->  ");
	return rc | put_reason(out, c->after ? &b->other : &b->result, f) | buf_addf(out, "\n");
}

static int put_compare(const struct backtest *b, struct buf *out)
{
	const struct changes *c = &b->changes;
	int rc = buf_addf(out, "\nwith %s:\n", b->a->compare) | put_detectors(b, &b->other_rows, out) |
		 buf_addf(out, "\n");

	for (uint32_t i = 0; i < c->n && i < CHANGES_SHOWN && rc == 0; i++)
		rc = put_change(b, out, &c->list[i]);
	if (c->n > CHANGES_SHOWN)
		rc |= buf_addf(out, "... and %u more; --json has all of them\n", c->n - CHANGES_SHOWN);
	return rc | buf_addf(out,
			     "%" PRIu64 " alerts appear, %" PRIu64 " disappear, %" PRIu64 " change, %" PRIu64
			     " are the same\n",
			     c->kinds[CHANGE_APPEARS], c->kinds[CHANGE_DISAPPEARS], c->kinds[CHANGE_CHANGES], c->same);
}

static void score_cell(struct cli_table *t, const struct found *f)
{
	if (f)
		cli_table_cell(t, "%.17g", f->score);
	else
		cli_table_cell(t, "%s", "");
}

static int put_changes_csv(const struct backtest *b, struct buf *out)
{
	static const char *const heads[] = { "change", "ts",      "detector",     "type",
					     "symbol", "account", "score_before", "score_after" };
	struct cli_table t = { 0 };

	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
		cli_table_column(&t, heads[i], true);
	for (uint32_t i = 0; i < b->changes.n; i++) {
		const struct change *c = &b->changes.list[i];
		const struct found *f = c->after ? c->after : c->before;
		struct buf stamp = { 0 };
		cli_table_row(&t, false);
		cli_table_cell(&t, "%s", change_names[c->kind]);
		t.memory_out |= cli_stamp(&stamp, f->ts) != 0;
		cli_table_cell(&t, "%.*s", (int)stamp.len, stamp.data ? (const char *)stamp.data : "");
		buf_free(&stamp);
		cli_table_cell(&t, "%s", intern_name(b->names, f->detector));
		cli_table_cell(&t, "%s", intern_name(b->names, f->type));
		cli_table_cell(&t, "%s", intern_name(b->names, f->symbol));
		cli_table_cell(&t, "%s", intern_name(b->names, f->account));
		score_cell(&t, c->before);
		score_cell(&t, c->after);
	}
	return put_table(b, &t, out);
}

/* ---- prefixes ---- */

static int put_fault(const struct backtest *b, struct buf *out, const char *who, const struct result *r,
		     const struct found *f)
{
	int rc = buf_addf(out, "  %-10s ", who);

	if (!f)
		return rc | buf_addf(out, "no such alert\n");
	return rc | buf_addf(out, "event %" PRIu64 "  ", f->seq) | put_subject(b, out, f) | buf_addf(out, "  ") |
	       put_reason(out, r, f) | buf_addf(out, "\n");
}

static int put_causality(const struct backtest *b, struct buf *out)
{
	int rc;

	if (!b->prefixes)
		return buf_addf(out, "\ncausality: there are too few events for a prefix\n");
	if (!b->faults)
		return buf_addf(out,
				"\ncausality: the alerts of %u prefixes are prefixes of the alerts (seed %" PRIu64
				", one event at a time)\n",
				b->prefixes, b->a->seed);
	rc = buf_addf(out,
		      "\ncausality: LOOK-AHEAD: %u of %u prefixes gave other alerts than the whole data. In the first "
		      "%" PRIu64 " events %" PRIu64 " differ, the first of them:\n",
		      b->faults, b->prefixes, b->fault.until, b->fault.wrong);
	return rc | put_fault(b, out, "all data:", &b->result, b->fault.whole) |
	       put_fault(b, out, "prefix:", b->fault.of_prefix, b->fault.prefix);
}

/* ---- all of it ---- */

static int put_head(const struct backtest *b, struct buf *out)
{
	char events[32], rate[16], stretch[32], tolerance[32];
	const struct outcome *o = b->outcome;
	int rc = buf_addf(out, "%s events in %.2f s (%s events/s)", count_text(events, o->events), o->seconds,
			  rate_text(rate, o->seconds > 0 ? (double)o->events / o->seconds : 0));

	print_duration(stretch, b->m.episode);
	print_duration(tolerance, b->m.tolerance);
	if (b->m.labels)
		rc |= buf_addf(out, "; %u labels of %s, tolerance %s, episodes of %s", b->labels.n, b->label_origin,
			       tolerance, stretch);
	if (b->labels.left_out)
		rc |= buf_addf(out, "; %" PRIu64 " labels are about other files", b->labels.left_out);
	if (b->labels.outside)
		rc |= buf_addf(out, "; %" PRIu64 " labels lie outside of the data", b->labels.outside);
	return rc | buf_addf(out, "\n\n");
}

int backtest_print(struct backtest *b)
{
	struct buf out = { 0 };
	int code = CLI_GO, rc = 0;

	if (b->a->csv) {
		rc = b->compared     ? put_changes_csv(b, &out)
		     : b->sweep.runs ? put_sweep(b, &out)
				     : put_detectors(b, &b->rows, &out);
	} else {
		if (!b->a->log.quiet)
			rc = put_head(b, &out);
		rc |= b->sweep.runs ? put_sweep(b, &out) : put_detectors(b, &b->rows, &out);
		if (b->m.labels && !b->sweep.runs)
			rc |= put_categories(b, &out);
		if (b->compared)
			rc |= put_compare(b, &out);
		if (b->a->causality)
			rc |= put_causality(b, &out);
	}
	if (rc != 0)
		code = cli_fail(CLI_USAGE, "backtest", "memory is out");
	else if (!cli_write(&out, "backtest", &code))
		b->faults = 0; /* nobody reads on */
	buf_free(&out);
	return code;
}

/* Rows that were refused: a result on half of the data is worth less than it looks. */
void backtest_complain(const struct backtest *b)
{
	struct store *s = NULL;
	struct log_reader *reader = NULL;
	struct tw_err e = { 0 };
	struct block block;
	struct dead_letter d;
	size_t at = 0;

	if (b->m.labels && !b->labels.n)
		fprintf(stderr,
			"tapewatch backtest: no label is about this data: %" PRIu64 " name other files, %" PRIu64
			" lie outside of its symbols, accounts and times\n",
			b->labels.left_out, b->labels.outside);
	if (b->result.dropped)
		fprintf(stderr,
			"tapewatch backtest: %" PRIu64 " alerts or scores beyond the limits are not in the figures\n",
			b->result.dropped);
	for (uint32_t i = 0; i < b->outcome->n_detectors; i++)
		if (b->outcome->detectors[i].errors)
			fprintf(stderr, "tapewatch backtest: detector '%s' failed on %" PRIu64 " events%s\n",
				b->outcome->detectors[i].name, b->outcome->detectors[i].errors,
				b->outcome->detectors[i].quarantined ? " and was switched off" : "");
	if (!b->outcome->dead || store_open(&s, b->store, STORE_READ, NULL, &e) != TW_OK)
		return;
	if (log_reader_open(&reader, s, LOG_DEAD, 1, &e) == TW_OK && log_reader_next(reader, &block, &e) == TW_OK &&
	    dead_record(&block, &at, &d)) {
		struct buf text = { 0 };
		if (cli_text(&text, d.where.s ? d.where.s : "", d.where.len, 0) == 0 && buf_addf(&text, ": ") == 0 &&
		    cli_text(&text, d.detail.s ? d.detail.s : "", d.detail.len, 0) == 0)
			fprintf(stderr,
				"tapewatch backtest: %" PRIu64 " rows or events were refused, the first: %.*s%s\n",
				b->outcome->dead, (int)text.len, (const char *)text.data,
				b->kept ? "" : " (-d DIR keeps them for `tapewatch tape cat --dead`)");
		buf_free(&text);
	}
	log_reader_close(reader);
	store_close(s);
}
