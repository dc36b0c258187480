/* SPDX-License-Identifier: Apache-2.0
 *
 * The runs beside the first one: sweeps, prefixes, another configuration. They replay the tape of the first.
 */
#include "base/err.h"
#include "base/os.h"
#include "cli/backtest.h"
#include <stdlib.h>
#include <string.h>

/* The variant of the first run, with more edits and its tape in the place of the sources. NULL: memory is out. */
static bool variant_with(struct backtest *b, const struct config_edit *more, uint32_t n, struct variant *ret)
{
	struct config_edit *edits = arena_alloc(&b->arena, (b->data.n_edits + n + 1) * sizeof *edits);

	if (!edits)
		return false;
	memcpy(edits, b->data.edits, b->data.n_edits * sizeof *edits);
	if (n)
		memcpy(edits + b->data.n_edits, more, n * sizeof *edits);
	*ret = b->base_variant;
	ret->edits = edits;
	ret->n_edits = b->data.n_edits + n;
	ret->recording = b->tape;
	ret->progress = false;
	return true;
}

static int memory(void)
{
	return cli_fail(CLI_USAGE, "backtest", "memory is out");
}

/* ---- sweeps ---- */

static bool sweep_variant(struct backtest *b, uint32_t run, struct variant *ret)
{
	uint32_t n = 0;
	const struct config_edit *edits = sweep_edits(&b->sweep, run, &n);

	return edits && variant_with(b, edits, n, ret);
}

int backtest_sweep_check(struct backtest *b)
{
	int code = CLI_GO;

	for (uint32_t i = 0; i < b->sweep.runs && code == CLI_GO; i++) {
		struct variant v;
		code = sweep_variant(b, i, &v) ? backtest_plan(b, &v, NULL) : memory();
		if (code != CLI_GO)
			(void)cli_fail(code, "backtest", "--sweep: with %s the configuration does not hold",
				       sweep_text(&b->sweep, i));
	}
	return code;
}

struct sweep_arg {
	struct backtest *b;
	struct fleet *fleet;
};

static int32_t sweep_done(void *arg, uint32_t i, const char *dir, struct tw_err *e)
{
	const struct sweep_arg *a = arg;
	struct backtest *b = a->b;
	struct result r;
	int32_t rc = result_read(&r, dir, &b->m, b->names, e);

	if (rc < 0)
		return rc;
	b->sweep_runs[i].alerts = r.n_alerts;
	rc = rows_make(&b->sweep_runs[i].rows, &r, a->fleet->jobs[i].outcome, &b->m, b->targets, b->n_targets, b->names,
		       e);
	result_free(&r);
	outcome_free(a->fleet->jobs[i].outcome);
	a->fleet->jobs[i].outcome = NULL;
	return rc;
}

int backtest_sweep(struct backtest *b)
{
	struct job *jobs = calloc(b->sweep.runs, sizeof *jobs);
	struct fleet f = {
		.jobs = jobs, .n = b->sweep.runs, .progress = cli_wants_progress(&b->a->log), .done = sweep_done
	};
	struct sweep_arg arg = { b, &f };
	bool ok = jobs != NULL;
	int code;

	b->sweep_runs = calloc(b->sweep.runs, sizeof *b->sweep_runs);
	ok = ok && b->sweep_runs;
	for (uint32_t i = 0; i < b->sweep.runs && ok; i++) {
		ok = sweep_variant(b, i, &jobs[i].variant);
		jobs[i].what = sweep_text(&b->sweep, i);
	}
	f.arg = &arg;
	code = ok ? backtest_fleet(b, &f) : memory();
	if (jobs)
		fleet_free(&f);
	free(jobs);
	return code;
}

/* ---- prefixes ---- */

struct prefix_arg {
	struct backtest *b;
	const uint64_t *untils;
};

static int32_t prefix_done(void *arg, uint32_t i, const char *dir, struct tw_err *e)
{
	const struct prefix_arg *a = arg;
	struct backtest *b = a->b;
	struct causality_fault fault;
	struct result r;
	int32_t rc = result_read(&r, dir, &b->m, b->names, e);

	if (rc < 0)
		return rc;
	if (causality_check(&b->result, &r, a->untils[i], &fault)) {
		result_free(&r);
		return TW_OK;
	}
	if (b->faults++ && fault.until >= b->fault.until) { /* the shortest prefix tells most */
		result_free(&r);
		return TW_OK;
	}
	result_free(&b->fault_result);
	b->fault_result = r;
	b->fault = fault;
	b->fault.of_prefix = &b->fault_result;
	return TW_OK;
}

static int prefix_variant(struct backtest *b, uint32_t i, uint64_t until, struct variant *ret)
{
	const struct config_edit *edits;
	struct tw_err e = { 0 };
	char dir[4200];
	uint32_t n;
	int32_t rc;

	(void)snprintf(dir, sizeof dir, "%.4000s/cut-%u", b->scratch, i);
	if (os->mkdir(dir, 0700) != 0)
		return cli_fail(CLI_GAVE_UP, "backtest", "cannot make the folder %s", dir);
	rc = causality_cut_files(&b->arena, &b->config, &b->data.files, dir, until, b->last_seq, &edits, &n, &e);
	if (rc < 0)
		return backtest_fail(rc, &e);
	if (!variant_with(b, edits, n, ret))
		return memory();
	ret->until = until;
	ret->batch = 1;
	return CLI_GO;
}

int backtest_causality(struct backtest *b)
{
	uint64_t *untils = arena_alloc(&b->arena, b->a->prefixes * sizeof *untils);
	struct job *jobs = arena_alloc(&b->arena, b->a->prefixes * sizeof *jobs);
	struct prefix_arg arg = { b, untils };
	struct fleet f = { .jobs = jobs, .progress = cli_wants_progress(&b->a->log), .done = prefix_done, .arg = &arg };
	int code = CLI_GO;

	if (!untils || !jobs)
		return memory();
	f.n = causality_prefixes(untils, (uint32_t)b->a->prefixes, b->last_seq, b->a->seed, &b->result);
	b->prefixes = f.n;
	for (uint32_t i = 0; i < f.n && code == CLI_GO; i++) {
		jobs[i].what = arena_printf(&b->arena, "the first %" PRIu64 " events", untils[i]);
		code = prefix_variant(b, i, untils[i], &jobs[i].variant);
	}
	if (code == CLI_GO)
		code = backtest_fleet(b, &f);
	fleet_free(&f);
	return code;
}

/* ---- another configuration ---- */

static int32_t compare_done(void *arg, uint32_t i, const char *dir, struct tw_err *e)
{
	(void)i;
	struct backtest *b = arg;

	return result_read(&b->other, dir, &b->m, b->names, e);
}

/* It reads the data by its own sources: they may read it in another way, which is a part of what is compared. */
int backtest_compare(struct backtest *b)
{
	struct config config = { 0 };
	struct report report = { 0 };
	struct data data = { 0 };
	struct tw_err e = { 0 };
	struct job job = { .what = b->a->compare, .variant = { .paths = &b->a->compare, .n_paths = 1 } };
	struct fleet f = { .jobs = &job, .n = 1, .done = compare_done, .arg = b };
	int32_t rc = config_load(&config, job.variant.paths, 1, &report);
	int code = CLI_GO;

	if (rc == TW_OK && report.errors) {
		report_print(&report, stderr);
		code = CLI_USAGE;
	} else if (rc == TW_OK) {
		rc = data_resolve(&data, &config, b->data_args, b->n_data_args, &e);
		if (rc == TW_OK && b->labels.by_file)
			data_name_by_file(&data, &config);
		job.variant.edits = data.edits;
		job.variant.n_edits = data.n_edits;
		job.variant.recording = data.recording;
		job.variant.progress = cli_wants_progress(&b->a->log);
	}
	if (rc < 0)
		code = backtest_fail(rc, &e);
	if (code == CLI_GO)
		code = backtest_plan(b, &job.variant, NULL);
	if (code == CLI_GO)
		code = backtest_fleet(b, &f);
	if (code == CLI_GO) {
		rc = rows_make(&b->other_rows, &b->other, job.outcome, &b->m, b->targets, b->n_targets, b->names, &e);
		if (rc == TW_OK)
			rc = compare_results(&b->changes, &b->result, &b->other, b->names, &e);
		code = rc < 0 ? backtest_fail(rc, &e) : CLI_GO;
		b->compared = true;
	}
	fleet_free(&f);
	data_free(&data);
	config_free(&config);
	report_free(&report);
	return code;
}
