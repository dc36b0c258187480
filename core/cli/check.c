/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch check and tapewatch graph: plan a pipeline and show it, without any side effect.
 */
#include "cli/pipeline.h"
#include "run/picture.h"

struct check_args {
	struct cli_texts config;
	bool dot, json;
};

static const struct cli_option check_options[] = {
	{ "config", 'c', CLI_TEXTS, "PATH", offsetof(struct check_args, config),
	  "file or folder of YAML; default ./conf.d" },
	CLI_END,
};

static const struct cli_option graph_options[] = {
	{ "config", 'c', CLI_TEXTS, "PATH", offsetof(struct check_args, config),
	  "file or folder of YAML; default ./conf.d" },
	{ "dot", 0, CLI_FLAG, NULL, offsetof(struct check_args, dot), "for graphviz" },
	{ "json", 0, CLI_FLAG, NULL, offsetof(struct check_args, json), "for programs" },
	CLI_END,
};

static int show(const struct verb *v, int argc, char **argv, bool closing_line)
{
	struct check_args a = { 0 };
	struct cli_plan plan;
	struct buf out = { 0 };
	int code = cli_parse(v, &argc, argv, &a, 0);
	int32_t rc;

	if (code != CLI_GO)
		return code;
	code = cli_plan(&plan, &a.config, v->name);
	if (code == CLI_GO) {
		rc = a.dot    ? picture_dot(&plan.graph, &out)
		     : a.json ? picture_json(&plan.graph, &out)
			      : picture_text(&plan.graph, &out);
		if (rc == TW_OK && closing_line)
			rc = buf_addf(&out, "check: no mistakes in %u file%s; nothing was started\n",
				      plan.config.n_files, plan.config.n_files == 1 ? "" : "s") == 0
				     ? TW_OK
				     : TW_E_FATAL;
		code = rc == TW_OK ? CLI_OK : cli_fail(CLI_USAGE, v->name, "memory is out");
		if (code == CLI_OK && (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0))
			code = CLI_GAVE_UP;
	}
	buf_free(&out);
	cli_plan_free(&plan);
	return code;
}

static int check(int argc, char **argv)
{
	return show(&verb_check, argc, argv, true);
}

static int graph(int argc, char **argv)
{
	return show(&verb_graph, argc, argv, false);
}

const struct verb verb_check = {
	"check",
	"find every mistake in a configuration; start nothing",
	"[-c PATH]...",
	check,
	check_options,
	"Reads and plans exactly as run does and prints the resolved plan: sources, detectors by stage with "
	"their keys, sinks, and an upper bound on memory. Exit code 2 when there are mistakes."
};
const struct verb verb_graph = { "graph",
				 "show how sources, detectors and sinks are connected",
				 "[-c PATH]... [--dot | --json]",
				 graph,
				 graph_options,
				 NULL };
