/* SPDX-License-Identifier: Apache-2.0
 *
 * Reload: another configuration in a run that goes on. The new one is read, planned and its plugins tried and loaded
 * beside the running one; a mistake ends the matter there. Then one step after the other, none of which waits on the
 * control thread:
 *
 *   CLEARING  sources that are changed or removed stop, sinks end (or stand still, where they stay as they are); events
 *             are judged and recorded meanwhile
 *   PAUSING   the pipeline judges what stopped sources brought and stops between two batches
 *   CLOSING   the recorder makes all of it durable, with a checkpoint
 *   the swap  a machine is built of the new plan: states come back by the names of detectors, sources go on from their
 *             recorded positions, sinks from their cursors. If that fails, the old machine goes on where it stopped.
 *
 * Everything runs on the control thread.
 */
#ifndef RUN_RELOAD_H
#define RUN_RELOAD_H

#include "run/outcome.h"
#include "run/plan.h"
#include <stdbool.h>

struct run;

enum reload_phase { RELOAD_NONE, RELOAD_CLEARING, RELOAD_PAUSING, RELOAD_CLOSING };

struct reload {
	enum reload_phase phase;
	struct plan *plan;      /* the new one, while under way */
	struct buf words;       /* the difference */
	bool ready;             /* DIR/reload is there */
	bool again;             /* asked for once more meanwhile */
	bool stop;              /* the run is to stop once this is over */
	uint64_t generation;    /* answers given so far */
	int64_t began;          /* monotonic */
};

/* Say in DIR/reload which process this is and what configuration it has. */
void reload_ready(struct run *);
/* Somebody asks for it. */
void reload_ask(struct run *);
/* A thread has ended: take the next step if it is time. false: nothing is under way. */
bool reload_advance(struct run *);
/* The run ends, one way or the other. */
void reload_end(struct run *);

#endif
