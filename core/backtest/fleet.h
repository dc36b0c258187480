/* SPDX-License-Identifier: Apache-2.0
 *
 * Many runs at once: each variant in a child process and a folder of its own, as many at a time as there are cores.
 * What comes of them does not depend on how many that are: results are looked at one by one, by their number.
 */
#ifndef BACKTEST_FLEET_H
#define BACKTEST_FLEET_H

#include "backtest/variant.h"

struct job {
	struct variant variant;
	const char *what;        /* for errors: "threshold=3" */
	const char *dir;         /* the new folder to run in; NULL: one of the fleet's */
	struct outcome *outcome; /* filled in by fleet_run(); the fleet's */
	int pid;
};

struct fleet {
	struct job *jobs;
	uint32_t n, parallel;   /* parallel 0: one for each core */
	struct plugins *plugins;
	const char *dir;        /* a folder for the folders of the runs: DIR/0, DIR/1, ... */
	bool progress;          /* a bar of how many are done */
	/* A run is over; its store is in dir, and goes when this returns. A negative result ends the fleet. May be NULL:
	 * then the stores stay. */
	int32_t (*done)(void *arg, uint32_t job, const char *dir, struct tw_err *);
	void *arg;
	void (*remove)(const char *dir); /* a folder and all in it */
};

/* TW_OK, or the first error; FLEET_INTERRUPTED (> 0) after SIGINT or SIGTERM, when all children have ended. [control],
 * no threads and no open stores */
enum { FLEET_INTERRUPTED = 1 };
int32_t fleet_run(struct fleet *, struct tw_err *);
void fleet_free(struct fleet *); /* the outcomes */
uint32_t fleet_cores(void);

#endif
