/* SPDX-License-Identifier: Apache-2.0
 *
 * What was meant? And globs, in which people name several things at once.
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stdbool.h>
#include <stdint.h>

/* The nearest of n words within Damerau-Levenshtein distance max(1, len/3), or NULL. */
const char *nearest(const char *word, const char *const *words, uint32_t n);

/* fnmatch-like: * and ?, everything else is itself. For inputs and where. */
bool glob_match(const char *glob, const char *text);
bool glob_is(const char *text); /* has * or ? */

#endif
