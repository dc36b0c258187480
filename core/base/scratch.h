/* SPDX-License-Identifier: Apache-2.0
 *
 * A store that goes with the run, for verbs that were given no -d.
 */
#ifndef BASE_SCRATCH_H
#define BASE_SCRATCH_H

#include <stddef.h>

/* A new folder under $TMPDIR or /tmp; NULL and errno. out holds its name. */
const char *scratch_make(char *out, size_t size, const char *verb);
/* The same in memory where there is such a file system: for what need not outlive anything. */
const char *scratch_memory(char *out, size_t size, const char *verb);
void scratch_remove(const char *path); /* and all in it */

#endif
