/* SPDX-License-Identifier: Apache-2.0
 *
 * Choosing events of a tape by kind, time, symbol and account.
 */
#ifndef CLI_TAPE_FILTER_H
#define CLI_TAPE_FILTER_H

#include "cli/tape.h"
#include "event/event.h"

struct tape_filter {
	const struct tape_args *args;
	uint32_t kinds;
	int64_t from, to;
	uint64_t shown;
	struct intern *names; /* of the event that is shown; ids mean nothing beyond it */
	struct arena scratch;
};

/* CLI_GO, or an exit code after a sentence. Freed by tape_filter_free() whatever was returned. */
int tape_filter_init(struct tape_filter *, const struct tape_args *);
void tape_filter_free(struct tape_filter *);

/* Calls show(arg, event, source) for the events that pass, --limit of them at most, in the order of the tape. show
 * answers CLI_GO, or an exit code to end with. Returns CLI_OK at the end, or that exit code. */
int tape_walk(struct tape_filter *, struct store *, int (*show)(void *arg, const struct tw_event *, uint16_t source),
              void *arg);

#endif
