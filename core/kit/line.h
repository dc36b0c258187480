/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files about one-liners: words of a line.
 */
#ifndef KIT_LINE_H
#define KIT_LINE_H

#include "kit/kit.h"

#define KIT_WORD 4096u

/* The next word, quotes taken off. 1, 0 at the end, -1: too long, or a quote is not closed. */
int kit_word(const char **at, char *out, size_t size);
bool kit_is_time(const char *word);
const char *kit_name_field(const struct kind *);

#endif
