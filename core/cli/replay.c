/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch replay: run a recorded tape through a configuration again.
 */
#include "base/scratch.h"
#include "cli/pipeline.h"
#include "state/digest.h"

struct replay_args {
	struct cli_texts config;
	const char *dir;
	uint64_t batch, workers;
	bool whole;
	struct cli_log_args log;
};

static const struct cli_option options[] = {
	{ "config", 'c', CLI_TEXTS, "PATH", offsetof(struct replay_args, config),
	  "file or folder of YAML; default ./conf.d" },
	{ "dir", 'd', CLI_TEXT, "DIR", offsetof(struct replay_args, dir), "keep the alerts in this new folder" },
	{ "batch", 0, CLI_NUMBER, "N", offsetof(struct replay_args, batch), "events judged at a time, 1 to 4096" },
	{ "whole", 0, CLI_FLAG, NULL, offsetof(struct replay_args, whole),
	  "judge all events with all detectors, also with those that joined later" },
	{ "workers", 0, CLI_NUMBER, "N", offsetof(struct replay_args, workers), "threads that judge, 1 to 64" },
	CLI_LOG_OPTIONS(struct replay_args, log),
	CLI_END,
};

static int print_digest(const char *dir)
{
	struct store *s;
	struct tw_err e = { 0 };
	char hex[65];
	uint64_t n = 0;
	int32_t rc = store_open(&s, dir, STORE_READ, NULL, &e);

	if (rc == TW_OK) {
		rc = alerts_digest(s, hex, &n, &e);
		store_close(s);
	}
	if (rc < 0)
		return cli_fail(cli_store_code(rc), "replay", "%s", e.msg);
	printf("%s\n", hex);
	return fflush(stdout) == 0 ? CLI_OK : CLI_GAVE_UP;
}

static int run(int argc, char **argv)
{
	struct replay_args a = { .log = CLI_LOG_DEFAULTS };
	struct cli_plan plan;
	struct run_summary summary = { 0 };
	char scratch[4096];
	bool temporary;
	int code = cli_parse(&verb_replay, &argc, argv, &a, 1);

	if (code != CLI_GO)
		return code;
	if (argc < 2)
		return cli_misuse(&verb_replay, "which tape? Name the folder of a store, or a segment");
	if (a.batch > 4096)
		return cli_misuse(&verb_replay, "--batch takes a number from 1 to 4096");
	if (a.workers > 64)
		return cli_misuse(&verb_replay, "--workers takes a number from 1 to 64");
	if (a.dir && store_exists(a.dir))
		return cli_fail(CLI_USAGE, "replay",
				"'%s' holds a store already; alerts of a replay go to a new folder", a.dir);
	cli_log_setup(&a.log);
	code = cli_plan(&plan, &a.config, "replay");
	temporary = !a.dir;
	if (code == CLI_GO && temporary) {
		a.dir = scratch_make(scratch, sizeof scratch, "replay");
		if (!a.dir)
			code = cli_fail(CLI_GAVE_UP, "replay", "cannot make the folder %s for the alerts; use -d",
					scratch);
	}
	if (code == CLI_GO) {
		struct run_options o = { .graph = &plan.graph,
					 .dir = a.dir,
					 .recording = argv[1],
					 .whole = a.whole,
					 .scratch = temporary,
					 .progress = cli_wants_progress(&a.log),
					 .batch = (uint32_t)a.batch,
					 .workers = (uint32_t)a.workers };
		code = cli_run("replay", &o, &a.log, &summary);
		run_summary_free(&summary);
		if (code == CLI_OK)
			code = print_digest(a.dir);
	}
	if (temporary && a.dir)
		scratch_remove(a.dir);
	cli_plan_free(&plan);
	return code;
}

const struct verb verb_replay = {
	"replay",
	"judge a recorded tape again and print the digest of its alerts",
	"TAPE [-c PATH]... [-d DIR] [--workers N]",
	run,
	options,
	"TAPE is the folder of a store, a folder of segments, or one segment. Sources of the configuration "
	"are not opened: events go to the inputs of the name they were recorded under. The digest equals "
	"that of `tapewatch alerts --digest` on the live run: detectors that joined it later take part from "
	"the same event on, after the same warm-up."
};
