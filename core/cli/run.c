/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch run: run the configured pipeline.
 */
#include "cli/pipeline.h"
#include "run/takeover.h"

struct run_args {
	struct cli_texts config;
	const char *dir;
	bool no_tape, rebuild, takeover;
	uint64_t batch, workers;
	struct cli_log_args log;
};

static const struct cli_option options[] = {
	{ "config", 'c', CLI_TEXTS, "PATH", offsetof(struct run_args, config),
	  "file or folder of YAML; default ./conf.d" },
	{ "dir", 'd', CLI_TEXT, "DIR", offsetof(struct run_args, dir),
	  "folder of the store; default ./tapewatch-data" },
	{ "no-tape", 0, CLI_FLAG, NULL, offsetof(struct run_args, no_tape),
	  "do not record events: faster, but no resume, no replay" },
	{ "rebuild", 0, CLI_FLAG, NULL, offsetof(struct run_args, rebuild), "compute all states anew from the tape" },
	{ "takeover", 0, CLI_FLAG, NULL, offsetof(struct run_args, takeover),
	  "take the place of the process that has the store" },
	{ "batch", 0, CLI_NUMBER, "N", offsetof(struct run_args, batch),
	  "events judged at a time, 1 to 4096; results do not depend on it" },
	{ "workers", 0, CLI_NUMBER, "N", offsetof(struct run_args, workers),
	  "threads that judge, 1 to 64; results do not depend on it" },
	CLI_LOG_OPTIONS(struct run_args, log),
	CLI_END,
};

/* With a plan of its own: detectors are opened with it, and a second time they would not be as new. */
static int rehearse(const struct run_args *a)
{
	struct cli_plan plan;
	struct tw_err e = { 0 };
	int code = cli_plan(&plan, &a->config, "run");

	if (code == CLI_GO) {
		struct run_options o = {
			.graph = &plan.graph, .dir = a->dir, .no_tape = a->no_tape, .rebuild = a->rebuild
		};
		int32_t rc = takeover_rehearse(&o, &e);
		if (rc < 0)
			code = cli_fail(cli_store_code(rc), "run", "%s; nothing was taken over", e.msg);
	}
	cli_plan_free(&plan);
	return code;
}

static int run(int argc, char **argv)
{
	static const char *const usual[] = { CLI_DEFAULT_CONFIG };
	struct run_args a = { .dir = CLI_DEFAULT_DIR, .log = CLI_LOG_DEFAULTS };
	struct cli_plan plan;
	struct run_summary summary;
	int code = cli_parse(&verb_run, &argc, argv, &a, 0);

	if (code != CLI_GO)
		return code;
	if (a.batch > 4096)
		return cli_misuse(&verb_run, "--batch takes a number from 1 to 4096");
	if (a.workers > 64)
		return cli_misuse(&verb_run, "--workers takes a number from 1 to 64");
	cli_log_setup(&a.log);
	run_hold_reloads();
	code = a.takeover ? rehearse(&a) : CLI_GO;
	if (code != CLI_GO)
		return code;
	code = cli_plan(&plan, &a.config, "run");
	if (code == CLI_GO) {
		struct run_options o = { .graph = &plan.graph,
					 .dir = a.dir,
					 .config = a.config.n ? a.config.items : usual,
					 .n_config = a.config.n ? a.config.n : 1,
					 .takeover = a.takeover,
					 .no_tape = a.no_tape,
					 .rebuild = a.rebuild,
					 .progress = cli_wants_progress(&a.log),
					 .batch = (uint32_t)a.batch,
					 .workers = (uint32_t)a.workers };
		code = cli_run("run", &o, &a.log, &summary);
		run_summary_free(&summary);
	}
	cli_plan_free(&plan);
	return code;
}

const struct verb verb_run = {
	"run",
	"run a pipeline until its sources end or it is told to stop",
	"[-c PATH]... [-d DIR] [--workers N] [--no-tape] [--rebuild] [--takeover]",
	run,
	options,
	"Sources that end (files) end the run once everything is delivered; live ones run until SIGINT or "
	"SIGTERM. Run again on the same folder and it goes on where it stopped. SIGHUP reads the configuration "
	"again, see `tapewatch reload`."
};
