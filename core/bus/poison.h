/* SPDX-License-Identifier: Apache-2.0
 *
 * Poison: an event that kills the process when a certain detector is shown it. After the second death by the same
 * detector and event (or timer) the event is set aside for that detector, and everything goes on.
 *
 *   - What a death was about is in the file that the handler of the signal writes (run/death.h). An event that was not
 *     yet on the tape may come back under another number, so it is known by its time and contents.
 *   - What was set aside is in the dead-letter log, in the transaction of the event or after it: reason "poison",
 *     source the detector, seq the event's, `where` what is needed to know it again. A restart, --rebuild and a replay
 *     of the tape anywhere read that first and leave out the same.
 *
 * Two deaths give one event to set aside; twins of it need two deaths of their own. A detector that has ever died is
 * shown its events one by one, so that the record names the right one.
 */
#ifndef BUS_POISON_H
#define BUS_POISON_H

#include "base/callctx.h"
#include "bus/shard.h"
#include "state/store.h"

#define POISON_MAX 1024u /* entries of one detector */

/* Codes of struct failure, beside the negative ones of plugins. */
#define FAILURE_POISON 1

/* A record of a death inside a detector. */
struct death {
	char instance[256];
	uint64_t seq;
	bool timer;
	int64_t ts;
	uint64_t id;
};

/* One event or timer that is set aside, or may be once. */
struct poison_entry {
	int64_t ts;
	uint64_t id;
	_Atomic uint64_t seq; /* 0: condemned, not met yet */
	bool timer;
};
struct poison { /* of one instance */
	struct poison_entry *list; /* by ts */
	uint32_t n, cap;
};

/* Read the dead-letter log and what of the deaths is not settled by it; give the instances concerned their list.
 * [control] */
int32_t poison_load(struct instance *, uint32_t n, struct store *log, const struct death *, uint32_t n_deaths,
                    struct tw_err *);
void poison_free(struct instance *);

/* Leave out of what is gathered on the desk what is poison; what is met for the first time becomes a failure of the
 * batch. [worker] */
void poison_strain(struct share *);
/* The same for the timer that is about to be called. */
bool poison_timer(struct share *);

/* The dead letter of such a failure; text holds what it points into. */
struct poison_text {
	char where[64], detail[640];
};
struct dead_letter poison_letter(const struct instance *, const struct failure *, struct poison_text *);

/* For struct call of a share. */
void poison_about(const struct call *, struct call_about *ret);

#endif
