/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch test-plugin: the conformance run of one shared object.
 */
#include "cli/cli.h"
#include "event/event.h"
#include "kit/conform.h"
#include <string.h>
#include <unistd.h>

struct test_plugin_args {
	const char *options, *input;
	int64_t timeout;
	bool json, quiet;
};

static const struct cli_option options[] = {
	{ "options", 'o', CLI_TEXT, "YAML", offsetof(struct test_plugin_args, options),
	  "the plugin's options, such as 'path: ticks.csv'" },
	{ "input", 'i', CLI_TEXT, "FILE", offsetof(struct test_plugin_args, input),
	  "events for a detector, as lines of `tapewatch tape cat --json`" },
	{ "timeout", 0, CLI_DURATION, "TIME", offsetof(struct test_plugin_args, timeout),
	  "what one check may take; default 120s" },
	{ "json", 0, CLI_FLAG, NULL, offsetof(struct test_plugin_args, json), "one JSON object for each check" },
	{ "quiet", 'q', CLI_FLAG, NULL, offsetof(struct test_plugin_args, quiet), "only what failed" },
	CLI_END,
};

static const char *const words[] = { "ok", "FAIL", "skipped" };

struct printing {
	struct buf out;
	const struct test_plugin_args *args;
};

static void add_json(struct buf *out, const char *kind, const char *check, enum conform_result r, const char *text)
{
	(void)buf_addf(out, "{\"kind\":\"%s\",\"check\":", kind);
	(void)json_text(out, check, strlen(check));
	(void)buf_addf(out, ",\"result\":\"%s\"", r == CONFORM_FAIL ? "fail" : words[r]);
	if (*text) {
		(void)buf_addf(out, ",\"text\":");
		(void)json_text(out, text, strlen(text));
	}
	(void)buf_addf(out, "}\n");
}

/* Lines behind the first are moved to the right of the table. */
static void add_text(struct buf *out, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		(void)buf_addf(out, "           ");
		(void)cli_text(out, text, n, 0);
		(void)buf_add(out, "\n", 1);
		text += n + (text[n] == '\n');
	}
}

static void print(void *arg, const char *kind, const char *check, enum conform_result r, const char *text)
{
	struct printing *p = arg;
	int code;

	if (p->args->json) {
		add_json(&p->out, kind, check, r, text);
	} else if (r == CONFORM_FAIL || !p->args->quiet) {
		(void)buf_addf(&p->out, "%-8s %-9s %s\n", words[r], kind, check);
		add_text(&p->out, text);
	}
	(void)cli_write(&p->out, "test-plugin", &code);
}

static int run(int argc, char **argv)
{
	struct test_plugin_args a = { .timeout = INT64_C(120) * 1000000000 };
	struct printing to = { .args = &a };
	struct conform c = { .each = print, .arg = &to };
	int code = cli_parse(&verb_test_plugin, &argc, argv, &a, 1);
	struct tw_err e = { 0 };
	char path[4096];

	if (code != CLI_GO)
		return code;
	if (argc < 2)
		return cli_misuse(&verb_test_plugin, "which plugin? Name its file, such as build/spread.so");
	snprintf(path, sizeof path, "%s%s", strchr(argv[1], '/') ? "" : "./", argv[1]);
	c.file = path;
	c.options = a.options;
	c.input = a.input;
	c.timeout = a.timeout;
	if (conform_run(&c, &e) != TW_OK) {
		code = cli_fail(CLI_USAGE, "test-plugin", "%s", e.msg);
	} else {
		code = c.n[CONFORM_FAIL] ? 1 : CLI_OK;
		if (!a.json)
			printf("%s: %u ok, %u failed, %u skipped\n", argv[1], c.n[CONFORM_OK], c.n[CONFORM_FAIL],
			       c.n[CONFORM_SKIP]);
	}
	buf_free(&to.out);
	return code;
}

const struct verb verb_test_plugin = {
	"test-plugin",
	"the conformance run: is this plugin fit to be loaded?",
	"FILE.so [-o YAML] [-i FILE] [--json]",
	run,
	options,
	"Every check runs in a process of its own with a time limit: a plugin that crashes or hangs is a finding. "
	"Sources and sinks need their options; a file that the options of a source name is copied before it is cut "
	"and replaced behind the source. Sinks really deliver: name a test target. Exit code 1 when a check failed."
};
