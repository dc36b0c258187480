/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch tape: info, cat, export and verify of a store, of one segment, or of a folder of segments; and import.
 */
#include "cli/tape.h"
#include "base/os.h"
#include "config/config.h"

#include <string.h>

static const struct cli_option options[] = {
	{ "dir", 'd', CLI_TEXT, "DIR", offsetof(struct tape_args, dir),
	  "the data folder (default " CLI_DEFAULT_DIR ")" },
	{ "json", 'j', CLI_FLAG, NULL, offsetof(struct tape_args, json), "info, cat: JSON" },
	{ "limit", 'n', CLI_NUMBER, "N", offsetof(struct tape_args, limit), "cat, export: end after N records" },
	{ "kind", 'k', CLI_TEXTS, "KIND", offsetof(struct tape_args, kinds),
	  "cat, export: events of this kind, such as quote or deal; may be given several times" },
	{ "symbol", 's', CLI_TEXT, "GLOB", offsetof(struct tape_args, symbol),
	  "cat, export: of these symbols; * and ? match" },
	{ "account", 'a', CLI_TEXT, "GLOB", offsetof(struct tape_args, account), "cat, export: of these accounts" },
	{ "from", 0, CLI_TEXT, "TIME", offsetof(struct tape_args, from),
	  "cat, export: from this event time on: 2026-01-31, 2026-01-31T10:30:00Z, or 1h back from now" },
	{ "to", 0, CLI_TEXT, "TIME", offsetof(struct tape_args, to), "cat, export: before this event time" },
	{ "dead", 0, CLI_FLAG, NULL, offsetof(struct tape_args, dead),
	  "cat: the dead letters instead; --from and --to are the time of the refusal" },
	{ "format", 'f', CLI_CHOICE, "jsonl|csv", offsetof(struct tape_args, format),
	  "export: JSON lines, which import reads, or CSV, a file for each kind" },
	{ "out", 'o', CLI_TEXT, "FILE", offsetof(struct tape_args, out),
	  "export: a file, for CSV a folder; else standard output" },
	{ "source", 0, CLI_TEXT, "NAME", offsetof(struct tape_args, source),
	  "import: the source of lines that name none" },
	{ "renumber", 0, CLI_FLAG, NULL, offsetof(struct tape_args, renumber),
	  "import: new numbers from 1, for an export that leaves events out" },
	CLI_END,
};

static int run(int argc, char **argv);
const struct verb verb_tape = {
	.name = "tape",
	.summary = "look into a recording, take it out or in: info, cat, verify, export, import",
	.usage = "info [--json] [PATH]\n"
		 "cat [--json] [--limit N] [--kind KIND]... [--symbol GLOB] [--account GLOB]\n"
		 " [--from TIME] [--to TIME] [--dead] [PATH]\n"
		 "verify [PATH]\n"
		 "export [--format jsonl|csv] [-o FILE] [--limit N] [--kind KIND]...\n"
		 " [--symbol GLOB] [--account GLOB] [--from TIME] [--to TIME] [PATH]\n"
		 "import FILE -d NEWDIR [--source NAME] [--renumber]",
	.run = run,
	.options = options,
	.more = "PATH is a data folder, one segment (NNNNNN.tape), or a folder of segments; without it, DIR. verify\n"
		"reads everything and compares checksums, numbers and order; a damaged tape ends with exit code 4.\n"
		"import of an export gives the same events to the last bit, with their numbers and sources; dead\n"
		"letters, alerts and states stay behind. FILE - is standard input.",
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

enum action { INFO, CAT, VERIFY, EXPORT, IMPORT, ACTIONS };

/* Which of the words; the nearest one in the sentence when it is none. */
static int find_action(const char *name, enum action *ret)
{
	static const char *const words[] = { "info", "cat", "verify", "export", "import" };

	for (int i = 0; i < ACTIONS; i++)
		if (strcmp(name, words[i]) == 0) {
			*ret = (enum action)i;
			return CLI_GO;
		}
	const char *near = nearest(name, words, ACTIONS);
	return near ? cli_misuse(&verb_tape, "'%s' is none of info, cat, verify, export, import; did you mean '%s'?",
				 name, near)
		    : cli_misuse(&verb_tape, "'%s' is none of info, cat, verify, export, import", name);
}

static int import_args(struct tape_args *a, int argc, char **argv)
{
	if (argc < 3)
		return cli_misuse(&verb_tape, "import which file? - is standard input");
	if (!a->dir)
		return cli_misuse(&verb_tape, "import makes a new folder: name it with -d");
	return tape_import(a, argv[2]);
}

static int run(int argc, char **argv)
{
	struct tape_args a = { 0 };
	struct store *s = NULL;
	struct tw_err e = { 0 };
	struct stat st;
	enum action action = INFO;

	int code = cli_parse(&verb_tape, &argc, argv, &a, 2);
	if (code == CLI_GO && argc < 2)
		code = cli_misuse(&verb_tape, "say what: info, cat, verify, export or import");
	if (code == CLI_GO)
		code = find_action(argv[1], &action);
	if (code == CLI_GO && action != EXPORT && (a.out || a.format != TAPE_JSONL))
		code = cli_misuse(&verb_tape, "--out and --format are for export");
	if (code == CLI_GO && action != CAT && a.dead)
		code = cli_misuse(&verb_tape, "--dead is for cat");
	if (code == CLI_GO && action != IMPORT && (a.source || a.renumber))
		code = cli_misuse(&verb_tape, "--source and --renumber are for import");
	if (code != CLI_GO)
		return code;
	if (action == IMPORT)
		return import_args(&a, argc, argv);
	if (argc > 2)
		a.dir = argv[2];
	if (!a.dir)
		a.dir = CLI_DEFAULT_DIR;
	if (os->stat(a.dir, &st) < 0)
		return cli_fail(CLI_USAGE, "tape", "there is no %s; name a data folder or a segment", a.dir);
	if (action == VERIFY)
		return verify(a.dir);

	int32_t rc = cli_store_read(&s, a.dir, &e);
	if (rc < 0)
		return cli_fail(cli_store_code(rc), "tape", "%s", e.msg);
	code = action == INFO ? tape_info(&a, s) : action == CAT ? tape_cat(&a, s) : tape_export(&a, s);
	store_close(s);
	return code;
}
