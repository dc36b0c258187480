/* SPDX-License-Identifier: Apache-2.0
 *
 * What run, check, graph, replay and demo share: configuration to plan, plan to run, result to exit code.
 */
#ifndef CLI_PIPELINE_H
#define CLI_PIPELINE_H

#include "cli/cli.h"
#include "graph/graph.h"
#include "run/run.h"

#define CLI_DEFAULT_CONFIG "./conf.d"

struct cli_plan {
	struct report report;
	struct config config;
	struct plugins *plugins;
	struct graph graph;
};

/* Read and plan; prints all mistakes. CLI_GO, or CLI_USAGE. paths->n == 0: the default folder. */
int cli_plan(struct cli_plan *, const struct cli_texts *paths, const char *verb);
/* The same from memory. */
int cli_plan_text(struct cli_plan *, const char *name, const char *yaml, size_t len, const char *verb);
void cli_plan_free(struct cli_plan *);

struct cli_log_args {
	uint32_t log, level; /* text|json; debug|info|warn|error */
	bool quiet;
	uint32_t progress; /* auto|never */
};
#define CLI_LOG_DEFAULTS { .level = TW_LOG_INFO }
#define CLI_LOG_OPTIONS(S, m)                                                                                          \
	{ "log", 0, CLI_CHOICE, "text|json", offsetof(S, m.log), "form of the log lines on stderr" },                  \
	{ "log-level", 0, CLI_CHOICE, "debug|info|warn|error", offsetof(S, m.level), "the least important line shown" }, \
	{ "quiet", 'q', CLI_FLAG, NULL, offsetof(S, m.quiet), "no closing summary, warnings and errors only" },        \
	{ "progress", 0, CLI_CHOICE, "auto|never", offsetof(S, m.progress), "a bar on a terminal, for runs that have an end" }
void cli_log_setup(const struct cli_log_args *);
bool cli_wants_progress(const struct cli_log_args *);

/* Run a plan and tell how it went. */
int cli_run(const char *verb, const struct run_options *, const struct cli_log_args *, struct run_summary *ret);

#endif
