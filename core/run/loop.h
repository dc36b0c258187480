/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread around a step function.
 */
#ifndef RUN_LOOP_H
#define RUN_LOOP_H

#include "base/bell.h"
#include <stdbool.h>

struct loop {
	enum step (*step)(void *of);
	int32_t (*pause_ms)(void *of); /* how long to sleep when idle; the bell ends it early */
	void *of;
	struct bell *bell;
	void (*ended)(void *arg); /* called on the thread when it ends; may be NULL */
	void *arg;
	pthread_t thread;
	bool started;
	_Atomic bool stop; /* end after the current step */
	_Atomic int result; /* enum step, once ended */
	_Atomic bool over;
	_Atomic uint64_t turns; /* steps made */
	_Atomic bool asleep;    /* nothing to do */
	uint64_t seen;          /* turns at the last look; of the control thread */
};

int loop_start(struct loop *, const char *name); /* 0, or an errno value */
void loop_join(struct loop *);
/* Has it made a step since this was last asked, or nothing to do? [control] */
bool loop_alive(struct loop *);

#endif
