/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch demo: a simulated day with labelled abuses through the demo pipeline, and how well it was watched.
 */
#include "base/err.h"
#include "base/scratch.h"
#include "cli/pipeline.h"
#include "event/event.h"
#include "run/evaluate.h"
#include <stdlib.h>

/* conf.d/10-demo.yaml, as it was when this was built */
extern const char demo_yaml[], demo_yaml_end[];
__asm__(".pushsection .rodata\n"
	".global demo_yaml, demo_yaml_end\n"
	"demo_yaml:\n"
	".incbin \"" DEMO_YAML "\"\n"
	"demo_yaml_end:\n"
	".byte 0\n"
	".popsection\n");

struct demo_args {
	const char *dir, *seed, *accounts, *duration;
	bool live;
	struct cli_log_args log;
};

static const struct cli_option options[] = {
	{ "seed", 0, CLI_TEXT, "N", offsetof(struct demo_args, seed), "another world" },
	{ "accounts", 0, CLI_TEXT, "N", offsetof(struct demo_args, accounts), "accounts that trade; default 40" },
	{ "duration", 0, CLI_TEXT, "TIME", offsetof(struct demo_args, duration), "simulated time; default 1d" },
	{ "live", 0, CLI_FLAG, NULL, offsetof(struct demo_args, live), "go on in real time until stopped" },
	{ "dir", 'd', CLI_TEXT, "DIR", offsetof(struct demo_args, dir), "keep the store here" },
	CLI_LOG_OPTIONS(struct demo_args, log),
	CLI_END,
};

static struct tw_str name_text(const struct intern *names, uint32_t id)
{
	return (struct tw_str){ .s = id ? intern_name(names, id) : NULL, .len = intern_len(names, id) };
}

static int32_t add_labels(struct evaluation *ev, struct store *s, struct intern *names, struct arena *scratch,
			  struct tw_err *e)
{
	struct log_reader *reader = NULL;
	struct block b;
	int32_t rc = log_reader_open(&reader, s, LOG_TAPE, 1, e);

	while (rc == TW_OK && (rc = log_reader_next(reader, &b, e)) == TW_OK) {
		const unsigned char *event;
		struct tw_event decoded;
		size_t at = 0, len;
		uint16_t source;
		while (tape_record(&b, &at, &source, &event, &len)) {
			if (event_kind(event) != TW_LABEL)
				continue;
			if (event_decode(&decoded, event, len, names, scratch) == len)
				evaluation_label(ev, &decoded, name_text(names, decoded.label.symbol),
						 name_text(names, decoded.label.account));
		}
	}
	log_reader_close(reader);
	return rc == TW_AGAIN ? TW_OK : rc;
}

static int32_t add_alerts(struct evaluation *ev, struct store *s, struct arena *scratch, struct tw_err *e)
{
	struct log_reader *reader = NULL;
	struct block b;
	int32_t rc = log_reader_open(&reader, s, LOG_ALERTS, 1, e);

	while (rc == TW_OK && (rc = log_reader_next(reader, &b, e)) == TW_OK) {
		const unsigned char *event;
		struct tw_event decoded;
		size_t at = 0, len;
		while (alert_record(&b, &at, &event, &len)) {
			arena_reset(scratch);
			if (event_decode(&decoded, event, len, NULL, scratch) == len && decoded.kind == TW_ALERT)
				evaluation_alert(ev, &decoded);
		}
	}
	log_reader_close(reader);
	return rc == TW_AGAIN ? TW_OK : rc;
}

static int evaluate(const char *dir)
{
	struct evaluation *ev = evaluation_new();
	struct intern *names = intern_new(100000);
	struct arena scratch = { 0 };
	struct store *s = NULL;
	struct tw_err e = { 0 };
	int32_t rc = ev && names ? store_open(&s, dir, STORE_READ, NULL, &e) : err_set(&e, TW_E_FATAL, "memory is out");

	if (rc == TW_OK)
		rc = add_labels(ev, s, names, &scratch, &e);
	if (rc == TW_OK)
		rc = add_alerts(ev, s, &scratch, &e);
	if (rc == TW_OK)
		evaluation_print(ev, stdout, cli_colour(stdout));
	store_close(s);
	arena_free(&scratch);
	intern_free(names);
	evaluation_free(ev);
	return rc == TW_OK ? CLI_OK : cli_fail(cli_store_code(rc), "demo", "%s", e.msg);
}

static void set_world(const char *name, const char *value)
{
	if (value)
		(void)setenv(name, value, 1);
}

static int run(int argc, char **argv)
{
	struct demo_args a = { .log = CLI_LOG_DEFAULTS };
	struct cli_plan plan;
	struct run_summary summary = { 0 };
	char scratch[4096];
	bool temporary;
	int code = cli_parse(&verb_demo, &argc, argv, &a, 0);

	if (code != CLI_GO)
		return code;
	cli_log_setup(&a.log);
	temporary = !a.dir;
	if (a.dir && store_exists(a.dir))
		return cli_fail(CLI_USAGE, "demo", "'%s' holds a store already; the demo wants a new folder", a.dir);
	set_world("TAPEWATCH_DEMO_SEED", a.seed);
	set_world("TAPEWATCH_DEMO_ACCOUNTS", a.accounts);
	set_world("TAPEWATCH_DEMO_DURATION", a.duration);
	set_world("TAPEWATCH_DEMO_LIVE", a.live ? "true" : NULL);
	code = cli_plan_text(&plan, "demo.yaml", demo_yaml, (size_t)(demo_yaml_end - demo_yaml), "demo");
	if (code == CLI_GO && temporary) {
		a.dir = scratch_make(scratch, sizeof scratch, "demo");
		if (!a.dir)
			code = cli_fail(CLI_GAVE_UP, "demo", "cannot make the folder %s; use -d", scratch);
	}
	if (code == CLI_GO) {
		struct run_options o = {
			.graph = &plan.graph, .dir = a.dir, .scratch = temporary, .progress = cli_wants_progress(&a.log)
		};
		code = cli_run("demo", &o, &a.log, &summary);
		run_summary_free(&summary);
		if (code == CLI_OK)
			code = evaluate(a.dir);
	}
	if (temporary && a.dir)
		scratch_remove(a.dir);
	cli_plan_free(&plan);
	return code;
}

const struct verb verb_demo = {
	"demo",
	"watch a simulated day with labelled abuses",
	"[--seed N] [--accounts N] [--live] [-d DIR]",
	run,
	options,
	"A seeded market of a dozen symbols and forty accounts, with price spikes, volume bursts, silent "
	"feeds, wash trades and martingale runs hidden in it. Ends with how many of them each detector found "
	"and how many of its alerts were right. Needs no data."
};
