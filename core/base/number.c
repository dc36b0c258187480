/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as text: integers two digits at a time, doubles from the digits that decimal.c finds.
 */
#include "base/number.h"
#include "base/decimal.h"
#include "base/format.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
			    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
			    "8081828384858687888990919293949596979899";

/* v with exactly n digits, zeros in front. */
static void write_digits(char *out, uint64_t v, size_t n)
{
	while (n >= 2) {
		memcpy(out + n - 2, pairs + 2 * (v % 100), 2);
		v /= 100;
		n -= 2;
	}
	if (n)
		out[0] = (char)('0' + v % 10);
}

static size_t count_digits(uint64_t v)
{
	size_t n = 1;

	while (v >= 10000) {
		v /= 10000;
		n += 4;
	}
	return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

size_t number_unsigned(char *out, uint64_t v)
{
	size_t n = count_digits(v);

	write_digits(out, v, n);
	return n;
}

size_t number_signed(char *out, int64_t v, bool plus)
{
	size_t sign = v < 0 || plus;

	if (sign)
		out[0] = v < 0 ? '-' : '+';
	return sign + number_unsigned(out + sign, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

size_t number_hex(char *out, uint64_t v)
{
	size_t n = v ? (size_t)(67 - __builtin_clzll(v)) / 4 : 1;

	for (size_t i = n; i-- > 0; v >>= 4)
		out[i] = "0123456789abcdef"[v & 15];
	return n;
}

/* Digits d1 d2 ... dn as d1.d2...dn e+XX */
static size_t write_exponent(char *out, const char *digits, size_t n, int x)
{
	size_t len = 0, width;
	unsigned size = (unsigned)(x < 0 ? -x : x);

	out[len++] = digits[0];
	if (n > 1) {
		out[len++] = '.';
		memcpy(out + len, digits + 1, n - 1);
		len += n - 1;
	}
	out[len++] = 'e';
	out[len++] = x < 0 ? '-' : '+';
	width = size < 100 ? 2 : 3;
	write_digits(out + len, size, width);
	return len + width;
}

/* Digits d1 ... dn, d1 standing for 10^x, without an exponent. */
static size_t write_plain(char *out, const char *digits, size_t n, int x)
{
	size_t len = 0, whole;

	if (x < 0) {
		size_t zeros = (size_t)(-x - 1);

		memcpy(out, "0.", 2);
		memset(out + 2, '0', zeros);
		memcpy(out + 2 + zeros, digits, n);
		return 2 + zeros + n;
	}
	whole = (size_t)x + 1;
	if (n <= whole) {
		memcpy(out, digits, n);
		memset(out + n, '0', whole - n);
		return whole;
	}
	memcpy(out, digits, whole);
	len = whole;
	out[len++] = '.';
	memcpy(out + len, digits + whole, n - whole);
	return len + n - whole;
}

static size_t strip_zeros(const char *digits, size_t n)
{
	while (n > 1 && digits[n - 1] == '0')
		n--;
	return n;
}

/* The C library's answer, for what decimal.c leaves open. */
static size_t ask_libc(char *out, char conversion, int precision, double v)
{
	char text[NUMBER_MAX];
	int n;

	if (conversion == 'f')
		n = snprintf(text, sizeof text, "%.*f", precision, v);
	else if (conversion == 'e')
		n = snprintf(text, sizeof text, "%.*e", precision, v);
	else
		n = snprintf(text, sizeof text, "%.*g", precision, v);
	if (n < 0 || (size_t)n >= sizeof text)
		return 0;
	memcpy(out, text, (size_t)n);
	return (size_t)n;
}

static size_t write_fixed(char *out, int precision, double v)
{
	uint64_t scaled, whole, frac;
	size_t len;

	if (!decimal_fixed(v, precision, &scaled))
		return ask_libc(out, 'f', precision, v);
	whole = scaled / decimal_powers[precision];
	frac = scaled % decimal_powers[precision];
	len = number_unsigned(out, whole);
	if (precision > 0) {
		out[len++] = '.';
		write_digits(out + len, frac, (size_t)precision);
		len += (size_t)precision;
	}
	return len;
}

static size_t write_general(char *out, char conversion, int precision, double v)
{
	int n = conversion == 'e' ? precision + 1 : precision ? precision : 1;
	char digits[DECIMAL_DIGITS];
	uint64_t value = 0;
	size_t used;
	int x = 0;

	if (v != 0 && (n > DECIMAL_DIGITS || !decimal_digits(v, n, &value, &x)))
		return ask_libc(out, conversion, precision, v);
	if (n > DECIMAL_DIGITS) /* a zero with 17 zeros behind the point */
		return ask_libc(out, conversion, precision, v);
	write_digits(digits, value, (size_t)n);
	if (conversion == 'e')
		return write_exponent(out, digits, (size_t)n, x);
	used = strip_zeros(digits, (size_t)n);
	return x < -4 || x >= n ? write_exponent(out, digits, used, x) : write_plain(out, digits, used, x);
}

size_t number_double(char *out, char conversion, int precision, double v, bool plus)
{
	size_t sign = 0;

	if (isnan(v)) {
		memcpy(out, plus ? "+nan" : "nan", plus ? 4 : 3);
		return plus ? 4 : 3;
	}
	if (signbit(v) || plus)
		out[sign++] = signbit(v) ? '-' : '+';
	v = fabs(v);
	if (isinf(v)) {
		memcpy(out + sign, "inf", 3);
		return sign + 3;
	}
	return sign + (conversion == 'f' ? write_fixed(out + sign, precision, v)
					 : write_general(out + sign, conversion, precision, v));
}

/* ---- the shortest text that reads back ---- */

/* Does digits * 10^(x - n + 1) read back as v? */
static bool reads_back(uint64_t digits, int n, int x, double v)
{
	static const double exact[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
					1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	int k = x - n + 1;
	char text[48], mantissa[24];
	size_t len;

	/* Both factors are exact doubles, so one operation rounds once, as reading the text would. */
	if (digits <= UINT64_C(1) << 53 && k >= -22 && k <= 22)
		return (k < 0 ? (double)digits / exact[-k] : (double)digits * exact[k]) == v;
	write_digits(mantissa, digits, (size_t)n);
	len = write_exponent(text, mantissa, (size_t)n, x);
	text[len] = '\0';
	return strtod(text, NULL) == v;
}

/* n digits of v > 0, from the C library where decimal.c does not decide. */
static bool find_digits(double v, int n, uint64_t *digits, int *x)
{
	char text[40], *end;

	if (decimal_digits(v, n, digits, x))
		return true;
	if (snprintf(text, sizeof text, "%.*e", n - 1, v) < 0)
		return false;
	*digits = 0;
	for (end = text; *end && *end != 'e'; end++)
		if (*end >= '0' && *end <= '9')
			*digits = *digits * 10 + (uint64_t)(*end - '0');
	*x = *end ? (int)strtol(end + 1, NULL, 10) : 0;
	return true;
}

/* The fewest digits that read back as v > 0. Fifteen always survive reading, so whatever has at most fifteen comes out
 * of rounding to fifteen; subnormals have fewer bits and are tried from one digit up. */
static int shortest(double v, uint64_t *digits, int *x)
{
	const bool normal = v >= 0x1p-1022;
	int n, power_of_two;

	for (n = normal ? 15 : 1; n < DECIMAL_DIGITS; n++) {
		if (!find_digits(v, n, digits, x))
			continue;
		if (reads_back(*digits, n, *x, v))
			return n;
		/* Below a power of two doubles stand twice as dense, so that the nearest decimal can miss where the
		 * next one above, though farther, reads back. */
		if (frexp(v, &power_of_two) == 0.5 && *digits + 1 < decimal_powers[n] &&
		    reads_back(*digits + 1, n, *x, v)) {
			(*digits)++;
			return n;
		}
	}
	return find_digits(v, DECIMAL_DIGITS, digits, x) ? DECIMAL_DIGITS : 0;
}

int format_double(char *out, double v)
{
	char digits[DECIMAL_DIGITS];
	uint64_t value = 0;
	size_t len = 0, used;
	int n = 1, x = 0;

	if (isnan(v)) {
		memcpy(out, "nan", 4);
		return 3;
	}
	if (signbit(v))
		out[len++] = '-';
	v = fabs(v);
	if (isinf(v)) {
		memcpy(out + len, "inf", 4);
		return (int)len + 3;
	}
	if (v > 0)
		n = shortest(v, &value, &x);
	write_digits(digits, value, (size_t)n);
	used = strip_zeros(digits, (size_t)n);
	len += x < -5 || x > 16 ? write_exponent(out + len, digits, used, x) : write_plain(out + len, digits, used, x);
	out[len] = '\0';
	return (int)len;
}

int format_time(char *out, int64_t ts)
{
	static const int64_t day_ns = INT64_C(86400000000000);
	int64_t days = ts / day_ns, rest = ts % day_ns, z, era, doe, yoe, doy, mp, year, month, day;
	uint64_t seconds, frac;
	size_t len;

	if (rest < 0) {
		rest += day_ns;
		days--;
	}
	/* Days to a date in the proleptic Gregorian calendar, in years that begin on 1 March, so that the leap day is
	 * the last one; eras of 400 years repeat exactly. Every int64 lies in the years 1677..2262. */
	z = days + 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	day = doy - (153 * mp + 2) / 5 + 1;
	month = mp < 10 ? mp + 3 : mp - 9;
	year = yoe + era * 400 + (month <= 2);

	seconds = (uint64_t)(rest / 1000000000);
	frac = (uint64_t)(rest % 1000000000);
	memcpy(out, "0000-00-00T00:00:00", 19);
	write_digits(out, (uint64_t)year, 4);
	write_digits(out + 5, (uint64_t)month, 2);
	write_digits(out + 8, (uint64_t)day, 2);
	write_digits(out + 11, seconds / 3600, 2);
	write_digits(out + 14, seconds / 60 % 60, 2);
	write_digits(out + 17, seconds % 60, 2);
	len = 19;
	if (frac) {
		size_t n = frac % 1000000 == 0 ? 3 : frac % 1000 == 0 ? 6 : 9;

		out[len++] = '.';
		write_digits(out + len, n == 3 ? frac / 1000000 : n == 6 ? frac / 1000 : frac, n);
		len += n;
	}
	memcpy(out + len, "Z", 2);
	return (int)len + 1;
}
