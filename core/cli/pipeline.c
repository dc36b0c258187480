/* SPDX-License-Identifier: Apache-2.0
 *
 * The common part of the verbs that plan or run a pipeline.
 */
#include "cli/pipeline.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int finish_plan(struct cli_plan *p, const char *verb)
{
	int32_t rc = TW_OK;

	p->plugins = plugins_new(NULL);
	if (!p->plugins)
		return cli_fail(CLI_USAGE, verb, "memory is out");
	rc = graph_plan(&p->graph, &p->config, p->plugins, &p->report);
	if (p->report.n)
		report_print(&p->report, stderr);
	if (rc == TW_E_FATAL)
		return cli_fail(CLI_USAGE, verb, "memory is out");
	return p->report.errors ? CLI_USAGE : CLI_GO;
}

int cli_plan(struct cli_plan *p, const struct cli_texts *paths, const char *verb)
{
	static const char *const usual[] = { CLI_DEFAULT_CONFIG };

	*p = (struct cli_plan){ 0 };
	if (config_load(&p->config, paths->n ? paths->items : usual, paths->n ? paths->n : 1, &p->report) < 0)
		return cli_fail(CLI_USAGE, verb, "memory is out");
	return finish_plan(p, verb);
}

int cli_plan_text(struct cli_plan *p, const char *name, const char *yaml, size_t len, const char *verb)
{
	*p = (struct cli_plan){ 0 };
	if (config_parse(&p->config, name, yaml, len, &p->report) < 0)
		return cli_fail(CLI_USAGE, verb, "memory is out");
	return finish_plan(p, verb);
}

void cli_plan_free(struct cli_plan *p)
{
	graph_free(&p->graph);
	config_free(&p->config);
	report_free(&p->report);
	plugins_free(p->plugins);
	p->plugins = NULL;
}

void cli_log_setup(const struct cli_log_args *a)
{
	int32_t level = (int32_t)a->level;

	if (a->quiet && level < TW_LOG_WARN)
		level = TW_LOG_WARN;
	log_setup(a->log ? LOG_JSON : LOG_TEXT, level);
}

bool cli_wants_progress(const struct cli_log_args *a)
{
	const char *term = getenv("TERM");

	return a->progress == 0 && !a->quiet && isatty(2) && term && strcmp(term, "dumb") != 0;
}

int cli_run(const char *verb, const struct run_options *o, const struct cli_log_args *a, struct run_summary *s)
{
	struct tw_err e = { 0 };
	int32_t rc = run_graph(o, s, &e);

	if (rc != TW_OK)
		return cli_fail(rc == TW_E_CONFIG ? CLI_USAGE : cli_store_code(rc), verb, "%s", e.msg);
	if (!a->quiet)
		run_summary_print(s, stderr);
	return s->source_failed || s->sink_failed ? CLI_GAVE_UP : CLI_OK;
}
