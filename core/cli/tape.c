/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch tape: info, cat and verify of a store, of one segment, or of a folder of segments.
 */
#include "cli/tape.h"
#include "base/os.h"
#include "config/config.h"

#include <string.h>

static const struct cli_option options[] = {
	{ "dir", 'd', CLI_TEXT, "DIR", offsetof(struct tape_args, dir),
	  "the data folder (default " CLI_DEFAULT_DIR ")" },
	{ "json", 'j', CLI_FLAG, NULL, offsetof(struct tape_args, json), "info, cat: JSON" },
	{ "limit", 'n', CLI_NUMBER, "N", offsetof(struct tape_args, limit), "cat: end after N records" },
	{ "kind", 'k', CLI_TEXTS, "KIND", offsetof(struct tape_args, kinds),
	  "cat: events of this kind, such as quote or deal; may be given several times" },
	{ "symbol", 's', CLI_TEXT, "GLOB", offsetof(struct tape_args, symbol), "cat: of these symbols; * and ? match" },
	{ "account", 'a', CLI_TEXT, "GLOB", offsetof(struct tape_args, account), "cat: of these accounts" },
	{ "from", 0, CLI_TEXT, "TIME", offsetof(struct tape_args, from),
	  "cat: from this event time on: 2026-01-31, 2026-01-31T10:30:00Z, or 1h back from now" },
	{ "to", 0, CLI_TEXT, "TIME", offsetof(struct tape_args, to), "cat: before this event time" },
	{ "dead", 0, CLI_FLAG, NULL, offsetof(struct tape_args, dead),
	  "cat: the dead letters instead; --from and --to are the time of the refusal" },
	CLI_END,
};

static int run(int argc, char **argv);
const struct verb verb_tape = {
	.name = "tape",
	.summary = "look into a recording: info, cat, verify",
	.usage = "info [--json] [PATH]\n"
		 "cat [--json] [--limit N] [--kind KIND]... [--symbol GLOB] [--account GLOB]\n"
		 " [--from TIME] [--to TIME] [--dead] [PATH]\n"
		 "verify [PATH]",
	.run = run,
	.options = options,
	.more = "PATH is a data folder, one segment (NNNNNN.tape), or a folder of segments; without it, DIR. verify\n"
		"reads everything and compares checksums, numbers and order; a damaged tape ends with exit code 4.",
};

static int verify(const char *path)
{
	struct tw_err e = { 0 };
	struct buf report = { 0 };
	int code = CLI_OK;

	int32_t rc = store_verify(path, &report, &e);
	if (report.len && report.data[report.len - 1] != '\n' && buf_addf(&report, "\n"))
		code = cli_fail(CLI_GAVE_UP, "tape", "out of memory");
	else
		cli_write(&report, "tape", &code);
	if (rc < 0)
		code = cli_fail(cli_store_code(rc), "tape", "%s", e.msg);
	buf_free(&report);
	return code;
}

/* Which of three words; the nearest one in the sentence when it is none. */
static int find_action(const char *name, int *ret)
{
	static const char *const words[] = { "info", "cat", "verify" };

	for (int i = 0; i < 3; i++)
		if (strcmp(name, words[i]) == 0) {
			*ret = i;
			return CLI_GO;
		}
	const char *near = nearest(name, words, 3);
	return near ? cli_misuse(&verb_tape, "'%s' is none of info, cat, verify; did you mean '%s'?", name, near)
		    : cli_misuse(&verb_tape, "'%s' is none of info, cat, verify", name);
}

static int run(int argc, char **argv)
{
	struct tape_args a = { .dir = CLI_DEFAULT_DIR };
	struct store *s = NULL;
	struct tw_err e = { 0 };
	struct stat st;
	int action = 0;

	int code = cli_parse(&verb_tape, &argc, argv, &a, 2);
	if (code == CLI_GO && argc < 2)
		code = cli_misuse(&verb_tape, "say what: info, cat or verify");
	if (code == CLI_GO)
		code = find_action(argv[1], &action);
	if (code != CLI_GO)
		return code;
	if (argc > 2)
		a.dir = argv[2];
	if (os->stat(a.dir, &st) < 0)
		return cli_fail(CLI_USAGE, "tape", "there is no %s; name a data folder or a segment", a.dir);
	if (action == 2)
		return verify(a.dir);

	int32_t rc = store_open(&s, a.dir, STORE_READ, NULL, &e);
	if (rc < 0)
		return cli_fail(cli_store_code(rc), "tape", "%s", e.msg);
	code = action == 0 ? tape_info(&a, s) : tape_cat(&a, s);
	store_close(s);
	return code;
}
