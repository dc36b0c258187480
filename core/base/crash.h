/* SPDX-License-Identifier: Apache-2.0
 *
 * Named moments at which the process can be told to die as if it had been killed, so that a test reaches every gap
 * between two steps of the protocol instead of hoping for it.
 *
 *   TW_CRASH=NAME:N        end by _exit(137) when the point NAME is passed for the Nth time
 *   TW_CRASH_COUNT=FILE    at the end of the process write "NAME COUNT" to FILE, one line for each point
 *
 * A point that nobody watches costs one relaxed load. The names stand in one table; `tapewatch --crash-points` prints it.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <tapewatch/plugin.h>

#define CRASH_POINT(name)                                                                                       \
	do {                                                                                                    \
		if (__builtin_expect(atomic_load_explicit(&crash_watched, memory_order_relaxed), false))        \
			crash_point(name);                                                                      \
	} while (0)

extern _Atomic bool crash_watched;
/* [any] A name that is not in the table ends the process too, with a sentence. */
void crash_point(const char *name);

/* Read the environment. Once, before any thread starts. TW_E_CONFIG when TW_CRASH names no point. */
int32_t crash_setup(struct tw_err *);
/* Every point and what has just happened there, one a line. */
void crash_points_print(FILE *);

#endif
