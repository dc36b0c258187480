/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch test: run case files.
 */
#include "base/log.h"
#include "cli/cli.h"
#include "event/event.h"
#include "kit/cases.h"
#include <string.h>

#define DEFAULT_PATH "./cases"

struct test_args {
	const char *plugin;
	bool json, quiet;
};

static const struct cli_option options[] = {
	{ "plugin", 'p', CLI_TEXT, "FILE", offsetof(struct test_args, plugin),
	  "the plugin to test, in place of what the files name" },
	{ "json", 0, CLI_FLAG, NULL, offsetof(struct test_args, json), "one JSON object for each case" },
	{ "quiet", 'q', CLI_FLAG, NULL, offsetof(struct test_args, quiet), "only what failed" },
	CLI_END,
};

struct printing {
	struct buf out;
	const struct test_args *args;
};

static void add_json(struct buf *out, const struct kit_case_result *r)
{
	(void)buf_addf(out, "{\"file\":");
	(void)json_text(out, r->file, strlen(r->file));
	(void)buf_addf(out, ",\"line\":%d,\"case\":", r->line);
	(void)json_text(out, r->name, strlen(r->name));
	(void)buf_addf(out, ",\"ok\":%s,\"events\":%u,\"alerts\":%u", r->ok ? "true" : "false", r->events, r->alerts);
	if (!r->ok) {
		(void)buf_addf(out, ",\"why\":");
		(void)json_text(out, r->why, strlen(r->why));
	}
	(void)buf_addf(out, "}\n");
}

static void print(void *arg, const struct kit_case_result *r)
{
	struct printing *p = arg;
	int code;

	if (p->args->json) {
		add_json(&p->out, r);
	} else if (!r->ok || !p->args->quiet) {
		(void)buf_addf(&p->out, "%s  %s:%d: ", r->ok ? "ok  " : "FAIL", r->file, r->line);
		(void)cli_text(&p->out, r->name, strlen(r->name), 200);
		(void)buf_addf(&p->out, "\n%s", r->why);
	}
	(void)cli_write(&p->out, "test", &code);
}

static int run(int argc, char **argv)
{
	static char usual[] = DEFAULT_PATH, *defaults[] = { NULL, usual };
	struct test_args a = { 0 };
	struct printing to = { .args = &a };
	struct kit_cases cases = { .each = print, .arg = &to };
	int code = cli_parse(&verb_test, &argc, argv, &a, 1000);
	struct tw_err e = { 0 };

	if (code != CLI_GO)
		return code;
	code = CLI_OK;
	log_setup(LOG_TEXT, TW_LOG_ERROR);
	cases.plugin = a.plugin;
	if (argc < 2) {
		argc = 2;
		argv = defaults;
	}
	for (int i = 1; i < argc; i++)
		if (kit_cases_run(&cases, argv[i], &e) != TW_OK)
			code = cli_fail(CLI_USAGE, "test", "%s", e.msg);
	if (!a.json && cases.cases)
		printf("%u case%s, %u failed\n", cases.cases, cases.cases == 1 ? "" : "s", cases.failed);
	buf_free(&to.out);
	return code != CLI_OK ? code : cases.failed ? 1 : CLI_OK;
}

const struct verb verb_test = {
	"test",
	"run case files: events in, alerts out",
	"[FILE | FOLDER]... [-p PLUGIN.so] [--json]",
	run,
	options,
	"A case file names a detector, its options, the events of each case and the alerts that they must raise. Each "
	"case is judged by the host's own engine, then repeated with save and restore between every two events, in "
	"other batches, with more workers and on poisoned memory. FOLDER: its *.yaml, or those of its folder cases. "
	"Without a name: ./cases. Exit code 1 when a case failed."
};
