/* SPDX-License-Identifier: Apache-2.0
 *
 * A new process in the place of an old one on the same store: new plugin code, a new configuration, a new tapewatch.
 * Everything that can be checked is checked while the old one runs; only then is it asked to stop, as by SIGTERM. What
 * it has read is on the tape by then, so nothing is lost and nothing doubled between the two.
 */
#ifndef RUN_TAKEOVER_H
#define RUN_TAKEOVER_H

#include "run/run.h"

/* Do what the start will do, up to the last step before the first event, reading only: open the store, open the
 * detectors, restore the checkpoint into them. The graph is used up: a detector is not opened twice. [control] */
int32_t takeover_rehearse(const struct run_options *, struct tw_err *);
/* Ask the process that has the store to stop, and wait for its end. TW_OK, too, when nobody has it. STORE_E_LOCKED:
 * it was asked and did not end in time. [control] */
int32_t takeover_ask(const char *dir, struct tw_err *);

#endif
