/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of `tapewatch backtest` share.
 */
#ifndef CLI_BACKTEST_H
#define CLI_BACKTEST_H

#include "backtest/causality.h"
#include "backtest/compare.h"
#include "backtest/fleet.h"
#include "backtest/rows.h"
#include "backtest/sweep.h"
#include "cli/cli_table.h"
#include "cli/pipeline.h"
#include <jansson.h>

#define BACKTEST_FAULT 1 /* exit code: --causality found look-ahead */

struct backtest_args {
	struct cli_texts config, data, targets, sweeps;
	const char *labels, *compare, *report, *dir;
	int64_t tolerance, episode;
	uint64_t prefixes, seed, jobs;
	bool causality, json, csv;
	struct cli_log_args log;
};

struct sweep_run {
	struct rows rows;
	uint64_t alerts;
};

struct backtest {
	const struct backtest_args *a;
	const char *const *data_args;
	uint32_t n_data_args;
	struct arena arena;
	struct intern *names;
	struct plugins *plugins;
	struct config config; /* as the files say */
	struct variant base_variant;
	struct data data;
	struct labels labels;
	const char *label_origin; /* NULL: there are none */
	struct matching m;
	struct target *targets;
	uint32_t n_targets;
	struct sweep sweep;
	struct sweep_run *sweep_runs;

	char scratch[4096], store[4096]; /* store: of the base run */
	bool kept;                       /* the store stays */
	const char *tape;                /* what replays read */
	struct fleet base_fleet;
	struct job base_job;
	struct outcome *outcome; /* of the base run */
	struct result result;
	struct rows rows;
	uint64_t last_seq;

	/* --causality */
	uint32_t prefixes, faults;
	struct causality_fault fault; /* the first */
	struct result fault_result;
	/* --compare */
	bool compared;
	struct changes changes;
	struct result other;
	struct rows other_rows;
};

/* backtest.c: a sentence, and the exit code for it. */
int backtest_fail(int32_t rc, const struct tw_err *);
/* Plan a variant and print its mistakes. CLI_GO or an exit code; plan may be NULL. */
int backtest_plan(struct backtest *, const struct variant *, struct variant_plan *);
/* Start a fleet; CLI_GO, or an exit code after a sentence. */
int backtest_fleet(struct backtest *, struct fleet *);

/* Each returns CLI_GO or an exit code. */
int backtest_sweep_check(struct backtest *); /* before anything runs */
int backtest_sweep(struct backtest *);
int backtest_causality(struct backtest *);
int backtest_compare(struct backtest *);

/* backtest_print.c: what was found, for people or as CSV. CLI_GO or an exit code. */
int backtest_print(struct backtest *);
/* The dead letters of the base run, on stderr. */
void backtest_complain(const struct backtest *);

/* backtest_json.c: all of it; NULL: memory is out. */
json_t *backtest_json(const struct backtest *);
json_t *backtest_found_json(const struct backtest *, const struct result *, const struct found *);
int backtest_print_json(struct backtest *);

/* backtest_report.c */
int backtest_report(struct backtest *);

#endif
