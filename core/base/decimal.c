/* SPDX-License-Identifier: Apache-2.0
 *
 * Doubles to decimal digits: one 64 x 128 bit multiplication and a look at the bits behind the point.
 */
#include "base/decimal.h"
#include "base/decimal_table.h"
#include <string.h>

__extension__ typedef unsigned __int128 u128;

const uint64_t decimal_powers[18] = {
	UINT64_C(1),
	UINT64_C(10),
	UINT64_C(100),
	UINT64_C(1000),
	UINT64_C(10000),
	UINT64_C(100000),
	UINT64_C(1000000),
	UINT64_C(10000000),
	UINT64_C(100000000),
	UINT64_C(1000000000),
	UINT64_C(10000000000),
	UINT64_C(100000000000),
	UINT64_C(1000000000000),
	UINT64_C(10000000000000),
	UINT64_C(100000000000000),
	UINT64_C(1000000000000000),
	UINT64_C(10000000000000000),
	UINT64_C(100000000000000000),
};

/* floor(v / 2^bits), also below zero, where C leaves >> to the compiler. */
static int shift_down(int v, int bits)
{
	return v < 0 ? ~(~v >> bits) : v >> bits;
}

/* v = m * 2^e with the top bit of m set. False for zero and subnormals. */
static bool take_apart(double v, uint64_t *m, int *e)
{
	uint64_t bits;
	int biased;

	memcpy(&bits, &v, sizeof bits);
	biased = (int)(bits >> 52 & 0x7ff);
	if (biased == 0)
		return false;
	*m = (bits << 11) | UINT64_C(1) << 63;
	*e = biased - 1023 - 63;
	return true;
}

/* *ret = m * 2^e * 10^k rounded, if that is below 2^63; *cut is the same, rounded down. */
static bool scale(uint64_t m, int e, int k, uint64_t *ret, uint64_t *cut)
{
	const struct power *power;
	u128 low, high, top, frac, half;
	uint64_t tail, whole;
	int shift;
	bool exact;

	if (k < POWER_FIRST || k > POWER_LAST)
		return false;
	power = &powers[k - POWER_FIRST];
	exact = k >= 0 && k <= POWER_EXACT;
	low = (u128)m * power->lo;
	high = (u128)m * power->hi;
	top = high + (uint64_t)(low >> 64); /* the product without its last 64 bits, */
	tail = (uint64_t)low;               /* which only matter when the factor is exact */

	/* The product has 192 bits; the binary point stands `shift` bits from the end of its upper 128. */
	shift = -(e + shift_down(k * 217706, 16) - 127) - 64;
	if (shift < 65)
		return false;
	if (shift > 128) { /* below a half */
		*ret = *cut = 0;
		return true;
	}
	whole = shift == 128 ? 0 : (uint64_t)(top >> shift);
	frac = shift == 128 ? top : top & (((u128)1 << shift) - 1);
	half = (u128)1 << (shift - 1);
	*cut = whole;
	if (exact) {
		bool up = frac > half || (frac == half && (tail != 0 || (whole & 1)));

		*ret = whole + up;
		return true;
	}
	/* The factor was cut off, so the true product lies in (top, top + 2). */
	if (frac >= half)
		*ret = whole + 1;
	else if (half - frac >= 2)
		*ret = whole;
	else
		return false;
	return true;
}

bool decimal_fixed(double v, int precision, uint64_t *ret)
{
	uint64_t m, cut;
	int e;

	if (v == 0) {
		*ret = 0;
		return true;
	}
	if (!take_apart(v, &m, &e))
		return false;
	return scale(m, e, precision, ret, &cut);
}

bool decimal_digits(double v, int n, uint64_t *ret, int *ret_exp)
{
	const uint64_t end = n < DECIMAL_DIGITS ? decimal_powers[n] : decimal_powers[DECIMAL_DIGITS];
	uint64_t m, digits, cut;
	int e, x;

	if (n < 1 || n > DECIMAL_DIGITS || !take_apart(v, &m, &e))
		return false;
	/* floor(log10 v) is this or one more. */
	x = shift_down((e + 63) * 78913, 18);
	if (!scale(m, e, n - 1 - x, &digits, &cut))
		return false;
	if (cut >= end) {
		x++;
		if (!scale(m, e, n - 1 - x, &digits, &cut))
			return false;
	}
	if (digits >= end) { /* 9.99 became 10.0 */
		digits = decimal_powers[n - 1];
		x++;
	}
	*ret = digits;
	*ret_exp = x;
	return true;
}
