/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch run: run the configured pipeline.
 */
#include "cli/pipeline.h"

struct run_args {
	struct cli_texts config;
	const char *dir;
	bool no_tape, rebuild;
	uint64_t batch;
	struct cli_log_args log;
};

static const struct cli_option options[] = {
	{ "config", 'c', CLI_TEXTS, "PATH", offsetof(struct run_args, config), "file or folder of YAML; default ./conf.d" },
	{ "dir", 'd', CLI_TEXT, "DIR", offsetof(struct run_args, dir), "folder of the store; default ./tapewatch-data" },
	{ "no-tape", 0, CLI_FLAG, NULL, offsetof(struct run_args, no_tape), "do not record events: faster, but no resume, no replay" },
	{ "rebuild", 0, CLI_FLAG, NULL, offsetof(struct run_args, rebuild), "compute all states anew from the tape" },
	{ "batch", 0, CLI_NUMBER, "N", offsetof(struct run_args, batch), "events judged at a time, 1 to 256; results do not depend on it" },
	CLI_LOG_OPTIONS(struct run_args, log),
	CLI_END,
};

static int run(int argc, char **argv)
{
	struct run_args a = { .dir = CLI_DEFAULT_DIR, .log = CLI_LOG_DEFAULTS };
	struct cli_plan plan;
	struct run_summary summary;
	int code = cli_parse(&verb_run, &argc, argv, &a, 0);

	if (code != CLI_GO)
		return code;
	if (a.batch > 256)
		return cli_misuse(&verb_run, "--batch takes a number from 1 to 256");
	cli_log_setup(&a.log);
	code = cli_plan(&plan, &a.config, "run");
	if (code == CLI_GO) {
		struct run_options o = { .graph = &plan.graph,
			                 .dir = a.dir,
			                 .no_tape = a.no_tape,
			                 .rebuild = a.rebuild,
			                 .progress = cli_wants_progress(&a.log),
			                 .batch = (uint32_t)a.batch };
		code = cli_run("run", &o, &a.log, &summary);
		run_summary_free(&summary);
	}
	cli_plan_free(&plan);
	return code;
}

const struct verb verb_run = { "run", "run a pipeline until its sources end or it is told to stop",
	                       "[-c PATH]... [-d DIR] [--no-tape] [--rebuild]", run, options,
	                       "Sources that end (files) end the run once everything is delivered; live ones run until SIGINT or "
	                       "SIGTERM. Run again on the same folder and it goes on where it stopped." };
