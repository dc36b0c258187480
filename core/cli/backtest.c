/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch backtest: how good is a pipeline on data that is there already?
 */
#include "cli/backtest.h"
#include "base/err.h"
#include "base/scratch.h"
#include <stdlib.h>
#include <string.h>

static const struct cli_option options[] = {
	{ "config", 'c', CLI_TEXTS, "PATH", offsetof(struct backtest_args, config),
	  "file or folder of YAML; default ./conf.d" },
	{ "data", 0, CLI_TEXTS, "[NAME=]FILE", offsetof(struct backtest_args, data),
	  "file for the source (of that name), or a tape; more may follow" },
	{ "labels", 0, CLI_TEXT, "FILE", offsetof(struct backtest_args, labels),
	  "what was there to be found: CSV or JSON of stretches and moments" },
	{ "tolerance", 0, CLI_DURATION, "TIME", offsetof(struct backtest_args, tolerance),
	  "labels reach this much further to both sides; default 0s" },
	{ "episode", 0, CLI_DURATION, "TIME", offsetof(struct backtest_args, episode),
	  "alerts within this time of the first count once; default 5m" },
	{ "target", 0, CLI_TEXTS, "DETECTOR=CATEGORY,...", offsetof(struct backtest_args, targets),
	  "the labels that its recall is about; default all" },
	{ "sweep", 0, CLI_TEXTS, "OPTION=LO..HI:STEP", offsetof(struct backtest_args, sweeps),
	  "try these values, on all cores; several give all combinations" },
	{ "causality", 0, CLI_FLAG, NULL, offsetof(struct backtest_args, causality),
	  "judge prefixes of the data: is there look-ahead?" },
	{ "prefixes", 0, CLI_NUMBER, "N", offsetof(struct backtest_args, prefixes), "for --causality; default 10" },
	{ "seed", 0, CLI_NUMBER, "N", offsetof(struct backtest_args, seed), "chooses the prefixes; default 1" },
	{ "compare", 0, CLI_TEXT, "PATH", offsetof(struct backtest_args, compare),
	  "another configuration: which alerts appear, disappear, change?" },
	{ "report", 0, CLI_TEXT, "FILE", offsetof(struct backtest_args, report),
	  "write one HTML page with prices and alerts" },
	{ "jobs", 'j', CLI_NUMBER, "N", offsetof(struct backtest_args, jobs), "runs at a time; default: one a core" },
	{ "dir", 'd', CLI_TEXT, "DIR", offsetof(struct backtest_args, dir), "keep the store of the run here" },
	{ "json", 0, CLI_FLAG, NULL, offsetof(struct backtest_args, json), "everything as one JSON object" },
	{ "csv", 0, CLI_FLAG, NULL, offsetof(struct backtest_args, csv), "the table as CSV" },
	CLI_LOG_OPTIONS(struct backtest_args, log),
	CLI_END,
};

int backtest_fail(int32_t rc, const struct tw_err *e)
{
	return cli_fail(rc == TW_E_CONFIG || rc == TW_E_DATA ? CLI_USAGE : cli_store_code(rc), "backtest", "%s",
			e->msg);
}

int backtest_plan(struct backtest *b, const struct variant *v, struct variant_plan *ret)
{
	struct variant_plan plan = { 0 };
	struct report report = { 0 };
	int32_t rc = variant_plan(&plan, v, b->plugins, &report);

	if (report.n)
		report_print(&report, stderr);
	report_free(&report);
	if (rc == TW_OK && ret)
		*ret = plan;
	else
		variant_plan_free(&plan);
	if (rc == TW_E_FATAL)
		return cli_fail(CLI_USAGE, "backtest", "memory is out");
	return rc == TW_OK ? CLI_GO : CLI_USAGE;
}

int backtest_fleet(struct backtest *b, struct fleet *f)
{
	struct tw_err e = { 0 };
	int32_t rc;

	f->plugins = b->plugins;
	f->remove = scratch_remove;
	f->parallel = (uint32_t)b->a->jobs;
	f->dir = b->scratch;
	rc = fleet_run(f, &e);
	if (rc == FLEET_INTERRUPTED)
		return cli_fail(CLI_GAVE_UP, "backtest", "interrupted");
	return rc == TW_OK                         ? CLI_GO
	       : rc == TW_E_IO || rc == TW_E_FATAL ? cli_fail(CLI_GAVE_UP, "backtest", "%s", e.msg)
						   : backtest_fail(rc, &e);
}

/* ---- before anything runs ---- */

/* "price=price_spike,volume_burst" */
static int read_target(struct backtest *b, const char *text, const struct graph *g)
{
	const char *equals = strchr(text, '=');
	struct target *t = &b->targets[b->n_targets];
	bool known = false;

	if (!equals || equals == text || !equals[1])
		return cli_fail(CLI_USAGE, "backtest", "--target: '%s': expected DETECTOR=CATEGORY,CATEGORY", text);
	t->detector = arena_text(&b->arena, text, (size_t)(equals - text));
	t->categories = arena_alloc(&b->arena, strlen(equals) * sizeof *t->categories);
	if (!t->detector || !t->categories)
		return cli_fail(CLI_USAGE, "backtest", "memory is out");
	for (uint32_t i = 0; i < g->n_detectors; i++)
		known |= !strcmp(graph_detector(g, i)->name, t->detector);
	if (!known)
		return cli_fail(CLI_USAGE, "backtest", "--target: there is no detector '%s'", t->detector);
	for (const char *p = equals + 1; *p; p += *p == ',') {
		size_t n = strcspn(p, ",");
		if (n)
			t->categories[t->n++] = intern_id(b->names, p, n);
		p += n;
	}
	b->n_targets++;
	return CLI_GO;
}

static int check_sources(const struct backtest *b, const struct graph *g)
{
	for (uint32_t i = 0; i < g->n_sources && !b->data.recording; i++) {
		const struct graph_node *n = graph_source(g, i);
		const struct tw_source *s = &n->plugin->source;
		if (!s->finite || s->finite(n->self) != 1)
			return cli_fail(CLI_USAGE, "backtest",
					"source '%s' (%s) is live and never ends: give it a file with --data %s=FILE, "
					"or a tape with --data FOLDER",
					n->name, n->plugin->name, n->name);
	}
	return CLI_GO;
}

static int check_plan(struct backtest *b)
{
	struct variant_plan plan = { 0 };
	struct tw_err e = { 0 };
	int32_t rc;
	int code = backtest_plan(b, &b->base_variant, &plan);

	if (code != CLI_GO)
		return code;
	code = check_sources(b, &plan.graph);
	if (code == CLI_GO && !plan.graph.n_detectors)
		code = cli_fail(CLI_USAGE, "backtest", "the pipeline has no detectors");
	b->targets = arena_alloc(&b->arena, (b->a->targets.n + 1) * sizeof *b->targets);
	for (uint32_t i = 0; i < b->a->targets.n && code == CLI_GO; i++)
		code = b->targets ? read_target(b, b->a->targets.items[i], &plan.graph) : CLI_USAGE;
	rc = code == CLI_GO ? sweep_bind(&b->sweep, &plan.graph, &e) : TW_OK;
	if (rc < 0)
		code = backtest_fail(rc, &e);
	variant_plan_free(&plan);
	return code == CLI_GO && b->sweep.n ? backtest_sweep_check(b) : code;
}

static int prepare(struct backtest *b)
{
	static const char *const usual[] = { CLI_DEFAULT_CONFIG };
	const struct cli_texts *paths = &b->a->config;
	struct report report = { 0 };
	struct tw_err e = { 0 };
	int32_t rc;

	b->base_variant =
		(struct variant){ .paths = paths->n ? paths->items : usual, .n_paths = paths->n ? paths->n : 1 };
	b->plugins = plugins_new(NULL);
	b->names = intern_new(4000000);
	if (!b->plugins || !b->names ||
	    config_load(&b->config, b->base_variant.paths, b->base_variant.n_paths, &report) < 0)
		return cli_fail(CLI_USAGE, "backtest", "memory is out");
	if (report.errors)
		report_print(&report, stderr);
	report_free(&report);
	if (report.errors)
		return CLI_USAGE;
	for (uint32_t i = 0; i < b->a->sweeps.n; i++) {
		rc = sweep_add(&b->sweep, b->a->sweeps.items[i], &e);
		if (rc < 0)
			return backtest_fail(rc, &e);
	}
	rc = data_resolve(&b->data, &b->config, b->data_args, b->n_data_args, &e);
	if (rc == TW_OK && b->a->labels) {
		rc = labels_read(&b->labels, b->a->labels, &b->data.files, b->names, &e);
		b->label_origin = b->a->labels;
		if (rc < 0)
			(void)err_prefix(&e, "--labels");
	}
	if (rc < 0)
		return backtest_fail(rc == TW_E_IO || rc == TW_E_FATAL ? TW_E_CONFIG : rc, &e);
	if (b->labels.by_file)
		data_name_by_file(&b->data, &b->config);
	b->base_variant.edits = b->data.edits;
	b->base_variant.n_edits = b->data.n_edits;
	b->base_variant.recording = b->data.recording;
	b->base_variant.progress = cli_wants_progress(&b->a->log);
	b->m = (struct matching){ .labels = b->a->labels ? &b->labels : NULL,
				  .tolerance = b->a->tolerance,
				  .episode = b->a->episode };
	return check_plan(b);
}

/* ---- the run that everything is about ---- */

/* Labels that came with the events, where no file has any. */
static int32_t look_at_tape(struct backtest *b, struct tw_err *e)
{
	struct store *s = NULL;
	int32_t rc = store_open(&s, b->tape, STORE_READ, NULL, e);

	if (rc != TW_OK)
		return rc;
	b->last_seq = store_last_seq(s);
	if (!b->a->labels)
		rc = labels_tape(&b->labels, s, b->names, e);
	store_close(s);
	if (rc == TW_OK && !b->a->labels && b->labels.n) {
		b->label_origin = "the data";
		b->m.labels = &b->labels;
	}
	if (rc == TW_OK && b->labels.n)
		rc = labels_within(&b->labels, b->tape, b->m.tolerance, b->names, e);
	return rc;
}

/* A category that no label has is a slip, and would read as a recall of everything. */
static int check_targets(const struct backtest *b)
{
	for (uint32_t i = 0; i < b->n_targets; i++) {
		const struct target *t = &b->targets[i];
		for (uint32_t k = 0; k < t->n; k++) {
			uint32_t at = 0;
			while (at < b->labels.n && b->labels.list[at].category != t->categories[k])
				at++;
			if (at == b->labels.n)
				return cli_fail(CLI_USAGE, "backtest", "--target %s: no label has the category '%s'",
						t->detector, intern_name(b->names, t->categories[k]));
		}
	}
	return CLI_GO;
}

static int run_base(struct backtest *b)
{
	struct tw_err e = { 0 };
	int32_t rc;
	int code;

	b->kept = b->a->dir != NULL;
	(void)snprintf(b->store, sizeof b->store, "%.4000s%s", b->kept ? b->a->dir : b->scratch,
		       b->kept ? "" : "/base");
	b->tape = b->data.recording ? b->data.recording : b->store;
	b->base_job = (struct job){ .variant = b->base_variant, .dir = b->store };
	b->base_fleet = (struct fleet){ .jobs = &b->base_job, .n = 1 };
	code = backtest_fleet(b, &b->base_fleet);
	b->outcome = b->base_job.outcome;
	if (code != CLI_GO)
		return code;
	rc = look_at_tape(b, &e);
	if (rc == TW_OK && check_targets(b) != CLI_GO)
		return CLI_USAGE;
	if (rc == TW_OK)
		rc = result_read(&b->result, b->store, &b->m, b->names, &e);
	if (rc == TW_OK)
		rc = rows_make(&b->rows, &b->result, b->outcome, &b->m, b->targets, b->n_targets, b->names, &e);
	if (rc < 0)
		return backtest_fail(rc, &e);
	return CLI_GO;
}

static int work(struct backtest *b)
{
	int code = run_base(b);

	if (code == CLI_GO && b->sweep.n)
		code = backtest_sweep(b);
	if (code == CLI_GO && b->a->causality)
		code = backtest_causality(b);
	if (code == CLI_GO && b->a->compare)
		code = backtest_compare(b);
	if (code == CLI_GO)
		code = b->a->json ? backtest_print_json(b) : backtest_print(b);
	if (code == CLI_GO)
		backtest_complain(b);
	if (code == CLI_GO && b->a->report)
		code = backtest_report(b);
	if (code == CLI_GO)
		code = b->faults ? BACKTEST_FAULT : CLI_OK;
	return code;
}

static void clean(struct backtest *b)
{
	for (uint32_t i = 0; b->sweep_runs && i < b->sweep.runs; i++)
		rows_free(&b->sweep_runs[i].rows);
	free(b->sweep_runs);
	fleet_free(&b->base_fleet);
	rows_free(&b->rows);
	rows_free(&b->other_rows);
	result_free(&b->result);
	result_free(&b->fault_result);
	result_free(&b->other);
	changes_free(&b->changes);
	sweep_free(&b->sweep);
	labels_free(&b->labels);
	data_free(&b->data);
	config_free(&b->config);
	plugins_free(b->plugins);
	intern_free(b->names);
	arena_free(&b->arena);
}

static int misuse(const struct backtest_args *a)
{
	if (a->json && a->csv)
		return cli_misuse(&verb_backtest, "--json or --csv, not both");
	if (a->prefixes < 1 || a->prefixes > CAUSALITY_PREFIXES_MAX)
		return cli_misuse(&verb_backtest, "--prefixes takes a number from 1 to %u", CAUSALITY_PREFIXES_MAX);
	if (a->jobs > 1024)
		return cli_misuse(&verb_backtest, "--jobs takes a number from 1 to 1024");
	if (a->tolerance < 0 || a->episode < 0)
		return cli_misuse(&verb_backtest, "--tolerance and --episode take times that are not negative");
	if (a->dir && store_exists(a->dir))
		return cli_fail(CLI_USAGE, "backtest", "'%s' holds a store already; a backtest wants a new folder",
				a->dir);
	return CLI_GO;
}

static int run(int argc, char **argv)
{
	struct backtest_args a = {
		.episode = 300 * INT64_C(1000000000), .prefixes = 10, .seed = 1, .log = { .level = TW_LOG_WARN }
	};
	struct backtest b = { .a = &a };
	int code = cli_parse(&verb_backtest, &argc, argv, &a, DATA_FILES_MAX);
	const char **data;

	if (code != CLI_GO)
		return code;
	code = misuse(&a);
	if (code != CLI_GO)
		return code;
	cli_log_setup(&a.log);
	data = arena_alloc(&b.arena, ((size_t)a.data.n + (size_t)argc) * sizeof *data);
	if (!data)
		return cli_fail(CLI_USAGE, "backtest", "memory is out");
	for (uint32_t i = 0; i < a.data.n; i++)
		data[b.n_data_args++] = a.data.items[i];
	for (int i = 1; i < argc; i++)
		data[b.n_data_args++] = argv[i];
	b.data_args = data;
	code = prepare(&b);
	if (code == CLI_GO && !scratch_make(b.scratch, sizeof b.scratch, "backtest"))
		code = cli_fail(CLI_GAVE_UP, "backtest", "cannot make the folder %s; set TMPDIR", b.scratch);
	else if (code == CLI_GO) {
		code = work(&b);
		scratch_remove(b.scratch);
	}
	clean(&b);
	return code;
}

const struct verb verb_backtest = {
	"backtest",
	"measure detectors on data that is there, against labels",
	"-c PATH [--data [NAME=]FILE...] [--labels FILE]\n"
	"-c PATH [--data ...] [--labels FILE] --sweep OPTION=LO..HI:STEP...\n"
	"-c PATH [--data ...] --causality [--prefixes N] [--seed N]\n"
	"-c PATH [--data ...] --compare OTHER.yaml\n"
	"-c PATH [--data ...] [--labels FILE] --report out.html",
	run,
	options,
	"Runs the pipeline without its sinks, with the files of --data in the place of its sources, and prints for "
	"each "
	"detector alerts, precision, recall, F1, PR-AUC, delay and ns per event. Precision counts episodes, and alerts "
	"beside them; recall counts labels with an alert inside. Without --data the pipeline's own files are read, "
	"without --labels the label events among the data are the truth. Ends with code 1 when --causality finds "
	"look-ahead."
};
