/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as text, for format.c. Nothing here is terminated: each function returns the length.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_MAX	 400 /* what the longest takes: %.17f of the largest double */
#define NUMBER_PRECISION 17

size_t number_signed(char *out, int64_t v, bool plus);
size_t number_unsigned(char *out, uint64_t v);
size_t number_hex(char *out, uint64_t v);

/* conversion: 'f', 'e' or 'g'; precision up to NUMBER_PRECISION. A NaN is "nan" whatever its sign, because that sign
 * differs between processors. */
size_t number_double(char *out, char conversion, int precision, double v, bool plus);

#endif
