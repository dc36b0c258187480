/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 as the edge demands it: no overlong forms, no surrogates, nothing beyond U+10FFFF.
 */
#ifndef EVENT_UTF8_H
#define EVENT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

enum utf8_strict { UTF8_ANY, UTF8_LINES, UTF8_PLAIN };

/* Bytes of the valid character at s, which has n bytes, n > 0; 0 if there is none. */
unsigned utf8_char(const char *s, size_t n);

/* How many bytes from the start are valid: equal to n when all are. UTF8_PLAIN stops at control characters (C0, DEL,
 * C1) too, UTF8_LINES at all of them but tab and newline. */
size_t utf8_span(const char *s, size_t n, enum utf8_strict strict);

#endif
