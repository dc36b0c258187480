/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: one table of verbs, one table of options per verb. The same rows parse the arguments, write --help
 * and find the nearest right word for a wrong one. cli -> everything else; nothing includes this but core/main.c and
 * the files of core/cli.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <tapewatch/plugin.h>

enum cli_exit {
	CLI_GO = -1, /* cli_parse(): nothing to end for */
	CLI_OK = 0,
	CLI_USAGE = 2,  /* usage or configuration */
	CLI_GAVE_UP = 3, /* a source or a sink gave up, or the output could not be written */
	CLI_STORE = 4   /* the store is damaged or locked */
};

#define CLI_DEFAULT_DIR "./tapewatch-data"
#define CLI_MAX_TEXTS 64u

/* What an option writes at its offset in the verb's struct of arguments. */
enum cli_type {
	CLI_FLAG,     /* bool; --name sets it */
	CLI_TEXT,     /* const char * */
	CLI_TEXTS,    /* struct cli_texts; may be given several times */
	CLI_NUMBER,   /* uint64_t, decimal */
	CLI_DURATION, /* int64_t ns: 250ms, 10s, 2h */
	CLI_CHOICE    /* uint32_t: index of the word in value, "text|json" */
};

struct cli_texts {
	const char *items[CLI_MAX_TEXTS];
	uint32_t n;
};

struct cli_option {
	const char *name; /* without the dashes; NULL ends the table */
	char letter;      /* 0: none */
	enum cli_type type;
	const char *value; /* how help names the value; for CLI_CHOICE the words */
	size_t offset;
	const char *help;
};

#define CLI_END { NULL, 0, CLI_FLAG, NULL, 0, NULL }

struct verb {
	const char *name, *summary;
	const char *usage; /* what follows the name: "[-d DIR] [--json]"; several lines: several forms, or one that
			    * goes on where the line begins with a blank */
	int (*run)(int argc, char **argv); /* argv[0] is the verb; returns an exit code */
	const struct cli_option *options;  /* may be NULL */
	const char *more;                  /* a paragraph for --help; may be NULL */
};

/* Find the verb and run it. verbs is NULL-terminated. Handles -h, --help, help [VERB], -V and --version. */
int cli_main(const struct verb *const *verbs, int argc, char **argv);

/* Parse argv[1..] into `into` (defaults are what it already holds). What is no option is moved to argv[1..*argc), in
 * order; more than max_operands of them is misuse. `--` ends the options. CLI_GO, or an exit code when --help was
 * asked for or a sentence about the mistake has been printed. */
int cli_parse(const struct verb *, int *argc, char **argv, void *into, uint32_t max_operands);

void cli_help(const struct verb *, FILE *);                      /* of one verb, from its table */
void cli_help_all(const struct verb *const *verbs, FILE *);      /* the list of verbs */

/* "tapewatch VERB: sentence" on stderr; returns code, so that `return cli_fail(...)` reads well. */
int cli_fail(int code, const char *verb, const char *fmt, ...) TW_PRINTF(3, 4);
/* The same for misuse, with "try 'tapewatch VERB --help'" behind it; returns CLI_USAGE. */
int cli_misuse(const struct verb *, const char *fmt, ...) TW_PRINTF(2, 3);
/* store_open() for verbs that only look: a file so damaged that reading it crashes is a sentence and exit code 4. Not
 * where plugins run, whose crashes are theirs. */
struct store;
int32_t cli_store_read(struct store **, const char *dir, struct tw_err *);
/* The exit code for a result of the store (TW_E_*, STORE_E_*). */
int cli_store_code(int32_t rc);

/* Is the stream a terminal that may be coloured (NO_COLOR unset, TERM not dumb)? */
bool cli_colour(FILE *);
int cli_width(FILE *); /* columns of a terminal; 0 when it is none */

/* A text of unknown origin: control characters, bidirectional overrides and invalid UTF-8 as \xNN. Appends at most
 * max columns (0: no limit; one code point is one column); 0, or -1 when memory is out. */
int cli_text(struct buf *out, const char *s, size_t len, uint32_t max);
/* ns as "2026-01-02 03:04:05.678"; appends. */
int cli_stamp(struct buf *out, int64_t ts);

/* Everything in b goes to stdout, and b is emptied. A closed pipe is the end of the work, not a mistake: false, and
 * *exit_code is CLI_OK then, otherwise CLI_GAVE_UP after a sentence. */
bool cli_write(struct buf *b, const char *verb, int *exit_code);

/* The number of a severity's name, or 0. */
uint32_t cli_severity(const char *name);

extern const struct verb verb_run, verb_reload, verb_check, verb_graph, verb_plugins, verb_alerts, verb_tape, verb_state,
        verb_replay, verb_backtest, verb_demo, verb_new, verb_test, verb_test_plugin;

#endif
