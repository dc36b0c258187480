/* SPDX-License-Identifier: Apache-2.0
 *
 * The process that writes a store, seen from another one: who it is, a signal to it and to nobody else, its end.
 */
#ifndef STATE_HOLDER_H
#define STATE_HOLDER_H

#include <stdint.h>
#include <tapewatch/plugin.h>

struct holder {
	int pid;
	int fd; /* pidfd: means this process, even when its number is used again */
};

/* Who has DIR/LOCK. TW_OK and a holder to close; TW_AGAIN: nobody; negative: cannot be told. */
int32_t holder_find(const char *dir, struct holder *ret, struct tw_err *);
int32_t holder_signal(const struct holder *, int number, struct tw_err *);
/* Wait for its end. TW_OK, or TW_AGAIN when it still lives after that time. */
int32_t holder_wait(const struct holder *, int32_t timeout_ms);
void holder_close(struct holder *);

#endif
