/* SPDX-License-Identifier: Apache-2.0
 *
 * Decimal numbers. Nearly all are a mantissa below 2^53 over a power of ten up to 22; both are exact doubles, so one
 * division rounds once and gives what strtod gives. The rest goes to strtod in the C locale.
 */
#include "csv.h"

#include <stdlib.h>
#include <strings.h>

const double number_powers[23] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
				   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

#define TEXT_MAX 127u

static bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* Bytes of the separator of thousands at p; 0: none. */
static size_t group_at(const struct number_style *s, const char *p, size_t n)
{
	if (n && (*p == ' ' || *p == '\'' || *p == (s->decimal == '.' ? ',' : '.')))
		return 1;
	if (n >= 2 && memcmp(p, "\xc2\xa0", 2) == 0) /* no-break space */
		return 2;
	if (n >= 3 && (memcmp(p, "\xe2\x80\xaf", 3) == 0 || memcmp(p, "\xe2\x80\x89", 3) == 0)) /* narrow ones */
		return 3;
	return 0;
}

/* Copy without separators; each must stand before exactly three digits and behind one to three. */
static bool ungroup(const struct number_style *s, const char **p, size_t *n, char *out)
{
	const char *q = *p;
	size_t left = *n, len = 0, run = 0, separator;
	bool fraction = false, grouped = false;

	while (left) {
		if (!fraction && run && (separator = group_at(s, q, left)) > 0) {
			if (grouped ? run != 3 : run > 3)
				return false;
			grouped = true;
			run = 0;
			q += separator;
			left -= separator;
			continue;
		}
		if (is_digit(*q)) {
			run++;
		} else {
			if (grouped && !fraction && run != 3)
				return false;
			fraction = true; /* the decimal mark, an exponent or something wrong: no separators from here */
			if (len == 0 && (*q == '-' || *q == '+'))
				fraction = false;
		}
		if (len >= TEXT_MAX)
			return false;
		out[len++] = *q++;
		left--;
	}
	if (grouped && !fraction && run != 3)
		return false;
	*p = out;
	*n = len;
	return true;
}

static bool is_nothing(const char *p, size_t n)
{
	static const char *const words[] = { "nan", "null", "none", "n/a", "na", "-", "--" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i]) == n && strncasecmp(words[i], p, n) == 0)
			return true;
	return n == 0;
}

static bool by_strtod(const struct number_style *s, const char *p, size_t n, double *ret)
{
	char text[TEXT_MAX + 1], *end;
	double v;

	if (n > TEXT_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		text[i] = p[i] == s->decimal ? '.' : p[i];
	text[n] = 0;
	v = strtod_l(text, &end, s->c);
	if (end != text + n)
		return false;
	*ret = v;
	return true;
}

static bool read_plain(const struct number_style *s, const char *p, size_t n, double *ret)
{
	const char *start = p, *end = p + n;
	uint64_t mantissa = 0;
	int digits = 0, significant = 0, exponent = 0;
	bool negative = false, inexact = false;
	double v;

	if (p < end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	else if (n >= 3 && memcmp(p, "\xe2\x88\x92", 3) == 0) /* the minus sign of web pages */
		return read_plain(s, p + 3, n - 3, ret) && (*ret = -*ret, true);
	for (; p < end && is_digit(*p); p++, digits++) {
		if (significant < 18)
			mantissa = mantissa * 10 + (uint64_t)(*p - '0');
		else
			inexact = true;
		significant += mantissa > 0;
	}
	if (p < end && *p == s->decimal) {
		for (p++; p < end && is_digit(*p); p++, digits++) {
			if (significant < 18) {
				mantissa = mantissa * 10 + (uint64_t)(*p - '0');
				exponent--;
			} else {
				inexact = true;
			}
			significant += mantissa > 0;
		}
	}
	if (!digits) {
		if ((size_t)(end - p) == 3 && strncasecmp(p, "inf", 3) == 0) {
			*ret = negative ? -(double)INFINITY : (double)INFINITY;
			return true;
		}
		return false;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		int written = 0, sign = 1, count = 0;

		p++;
		if (p < end && (*p == '-' || *p == '+'))
			sign = *p++ == '-' ? -1 : 1;
		for (; p < end && is_digit(*p); p++, count++)
			if (written < 100000)
				written = written * 10 + (*p - '0');
		if (!count)
			return false;
		exponent += sign * written;
	}
	if (p != end)
		return false;
	if (inexact || mantissa >= (UINT64_C(1) << 53) || exponent < -22 || exponent > 22)
		return by_strtod(s, start, n, ret);
	v = (double)mantissa;
	v = exponent < 0 ? v / number_powers[-exponent] : v * number_powers[exponent];
	*ret = negative ? -v : v;
	return true;
}

bool number_read(const struct number_style *s, const char *p, size_t n, double *ret)
{
	char plain[TEXT_MAX];

	if (is_nothing(p, n)) {
		*ret = TW_NONE;
		return true;
	}
	if (read_plain(s, p, n, ret))
		return true;
	return s->group && ungroup(s, &p, &n, plain) && read_plain(s, p, n, ret);
}

bool number_read_scaled(const struct number_style *s, const char *p, size_t n, double *ret)
{
	double v, scale = 1;

	if (n && (*p == '<' || *p == '>')) {
		p++;
		n--;
	}
	if (n > 1) {
		switch (p[n - 1]) {
		case '%':
			n--;
			break;
		case 'K':
		case 'k':
			scale = 1e3;
			n--;
			break;
		case 'M':
			scale = 1e6;
			n--;
			break;
		case 'B':
			scale = 1e9;
			n--;
			break;
		case 'T':
			scale = 1e12;
			n--;
			break;
		default:
			break;
		}
	}
	if (!number_read(s, p, n, &v))
		return false;
	*ret = v * scale;
	return true;
}
