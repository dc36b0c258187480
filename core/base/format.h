/* SPDX-License-Identifier: Apache-2.0
 *
 * A fast vsnprintf for the conversions that alert sentences use: %s %.*s %c %d %i %u %x with l, ll, z and the PRI
 * macros, %f %g %e with precision, widths and the flags '-', '0' and '+', %%. Anything else falls back to vsnprintf for
 * the whole call. Numbers are right to the digits asked for, up to ties in the last one, and the same on every machine.
 * Why: a reason sentence with five numbers takes glibc twice as long, as much as judging several events.
 */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* As vsnprintf: writes at most size bytes with the final NUL, returns the length it would have had. */
int format_text(char *out, size_t size, const char *fmt, va_list ap);

/* ns since 1970 as "2026-01-02T03:04:05.678901234Z" with only as many fraction digits (0, 3, 6, 9) as needed.
 * out needs 40 bytes. Returns the length. Years -0001..9999; other values are written as a plain number. */
int format_time(char *out, int64_t ts);

/* The shortest decimal that reads back as the same double; "nan", "inf", "-inf" otherwise. out needs 32 bytes. */
int format_double(char *out, double v);

#endif
