/* SPDX-License-Identifier: Apache-2.0
 *
 * Doubles to decimal digits, correctly rounded (half to even on the exact value), for format.c.
 *
 * A double times a power of ten from a table of 128-bit factors gives the wanted digits in front of a binary point
 * and enough bits behind it to know how to round. Where those bits do not decide, or the number lies outside the
 * table, the functions say so and the caller asks the C library, which is exact everywhere.
 */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#define DECIMAL_DIGITS 17 /* more never matter for a double */

/* *ret = v * 10^precision, rounded. v finite and >= 0, precision 0..17. False: not decided. */
bool decimal_fixed(double v, int precision, uint64_t *ret);

/* v = *ret * 10^(*ret_exp - n + 1), rounded to n digits (1..17): *ret has exactly n digits. v finite and > 0. False:
 * not decided. */
bool decimal_digits(double v, int n, uint64_t *ret, int *ret_exp);

extern const uint64_t decimal_powers[18]; /* 10^0 .. 10^17 */

#endif
