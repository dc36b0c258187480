/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast vsnprintf: reading the format and putting pieces together. number.c writes the numbers.
 */
#include "base/format.h"
#include "base/number.h"
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WIDTH_MAX 4096 /* wider fields are left to the C library */

struct text {
	char *at;
	size_t room, len; /* room: without the final NUL */
};

struct spec {
	bool left, zero, plus, given; /* given: there is a precision */
	int width, precision;
	char length; /* 0, 'l', 'L' (ll, z, j, t: 64 bits), 'h', 'H' (hh) */
	char conversion;
};

static void put(struct text *t, const char *s, size_t n)
{
	if (t->len < t->room) {
		size_t fits = t->room - t->len;

		memcpy(t->at + t->len, s, n < fits ? n : fits);
	}
	t->len += n;
}

static void put_many(struct text *t, char c, size_t n)
{
	if (t->len < t->room) {
		size_t fits = t->room - t->len;

		memset(t->at + t->len, c, n < fits ? n : fits);
	}
	t->len += n;
}

/* s in a field of the width asked for. digits: zeros may stand between sign and digits. */
static void put_field(struct text *t, const struct spec *f, const char *s, size_t n, bool digits)
{
	size_t fill = f->width > 0 && (size_t)f->width > n ? (size_t)f->width - n : 0;

	if (fill == 0) {
		put(t, s, n);
	} else if (f->left) {
		put(t, s, n);
		put_many(t, ' ', fill);
	} else if (f->zero && digits) {
		size_t sign = s[0] == '-' || s[0] == '+';

		put(t, s, sign);
		put_many(t, '0', fill);
		put(t, s + sign, n - sign);
	} else {
		put_many(t, ' ', fill);
		put(t, s, n);
	}
}

/* A run of digits; -1 when it is beyond all reason. */
static int read_number(const char **p)
{
	int n = 0;

	while (**p >= '0' && **p <= '9') {
		if (n < WIDTH_MAX * 10)
			n = n * 10 + (**p - '0');
		(*p)++;
	}
	return n > WIDTH_MAX ? -1 : n;
}

/* Read one conversion; *p stands behind '%'. False: not one of ours. */
static bool read_spec(const char **p, va_list *ap, struct spec *f)
{
	*f = (struct spec){ 0 };
	for (;; (*p)++) {
		if (**p == '-')
			f->left = true;
		else if (**p == '0')
			f->zero = true;
		else if (**p == '+')
			f->plus = true;
		else
			break;
	}
	if (**p == '*') {
		f->width = va_arg(*ap, int);
		(*p)++;
		if (f->width < -WIDTH_MAX || f->width > WIDTH_MAX)
			return false;
		if (f->width < 0) {
			f->left = true;
			f->width = -f->width;
		}
	} else {
		f->width = read_number(p);
		if (f->width < 0)
			return false;
	}
	if (**p == '.') {
		(*p)++;
		f->given = true;
		if (**p == '*') {
			f->precision = va_arg(*ap, int);
			(*p)++;
			if (f->precision < 0) {
				f->given = false;
				f->precision = 0;
			}
		} else {
			f->precision = read_number(p);
			if (f->precision < 0)
				return false;
		}
	}
	if (**p == 'l' || **p == 'h') {
		bool is_long = **p == 'l';

		f->length = is_long ? 'l' : 'h';
		(*p)++;
		if (**p == (is_long ? 'l' : 'h')) {
			f->length = is_long ? 'L' : 'H';
			(*p)++;
		}
	} else if (**p == 'z' || **p == 'j' || **p == 't') {
		f->length = 'L';
		(*p)++;
	}
	f->conversion = **p;
	if (f->conversion)
		(*p)++;
	return true;
}

_Static_assert(sizeof(long) == 8 && sizeof(size_t) == 8, "l, ll, z, j and t are read as 64 bits");

static int64_t signed_arg(const struct spec *f, va_list *ap)
{
	switch (f->length) {
	case 'l':
		return va_arg(*ap, long);
	case 'L':
		return va_arg(*ap, long long);
	case 'h':
		return (short)va_arg(*ap, int);
	case 'H':
		return (signed char)va_arg(*ap, int);
	default:
		return va_arg(*ap, int);
	}
}

static uint64_t unsigned_arg(const struct spec *f, va_list *ap)
{
	switch (f->length) {
	case 'l':
		return va_arg(*ap, unsigned long);
	case 'L':
		return va_arg(*ap, unsigned long long);
	case 'h':
		return (unsigned short)va_arg(*ap, unsigned);
	case 'H':
		return (unsigned char)va_arg(*ap, unsigned);
	default:
		return va_arg(*ap, unsigned);
	}
}

static void put_text(struct text *t, const struct spec *f, const char *s)
{
	size_t n;

	if (!s)
		s = f->given && f->precision < 6 ? "" : "(null)"; /* as glibc does */
	n = f->given ? strnlen(s, (size_t)f->precision) : strlen(s);
	put_field(t, f, s, n, false);
}

/* One conversion. False: not one of ours. */
static bool convert(struct text *t, const struct spec *f, va_list *ap)
{
	char digits[NUMBER_MAX];
	size_t n;
	double v;
	char c;

	switch (f->conversion) {
	case 's':
		if (f->length)
			return false;
		put_text(t, f, va_arg(*ap, const char *));
		return true;
	case 'c':
		if (f->length)
			return false;
		c = (char)va_arg(*ap, int);
		put_field(t, f, &c, 1, false);
		return true;
	case 'd':
	case 'i':
		if (f->given)
			return false;
		n = number_signed(digits, signed_arg(f, ap), f->plus);
		put_field(t, f, digits, n, true);
		return true;
	case 'u':
		if (f->given)
			return false;
		n = number_unsigned(digits, unsigned_arg(f, ap));
		put_field(t, f, digits, n, true);
		return true;
	case 'x':
		if (f->given)
			return false;
		n = number_hex(digits, unsigned_arg(f, ap));
		put_field(t, f, digits, n, true);
		return true;
	case 'f':
	case 'e':
	case 'g':
		if (f->precision > NUMBER_PRECISION || (f->length && f->length != 'l'))
			return false;
		v = va_arg(*ap, double);
		n = number_double(digits, f->conversion, f->given ? f->precision : 6, v, f->plus);
		put_field(t, f, digits, n, v - v == 0); /* zeros do not stand in front of nan and inf */
		return true;
	default:
		return false;
	}
}

/* The format comes from our caller, whose own arguments the compiler has checked. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

int format_text(char *out, size_t size, const char *fmt, va_list ap)
{
	struct text t = { out, size > 0 ? size - 1 : 0, 0 };
	const char *p = fmt;
	va_list mine;

	va_copy(mine, ap);
	for (;;) {
		const char *percent = strchrnul(p, '%');
		struct spec f;

		if (percent > p)
			put(&t, p, (size_t)(percent - p));
		if (!*percent)
			break;
		p = percent + 1;
		if (*p == '%') {
			put(&t, p++, 1);
			continue;
		}
		if (!read_spec(&p, &mine, &f) || !convert(&t, &f, &mine)) {
			va_end(mine);
			return vsnprintf(out, size, fmt, ap);
		}
	}
	va_end(mine);
	if (size > 0)
		out[t.len < t.room ? t.len : t.room] = '\0';
	return t.len > INT_MAX ? -1 : (int)t.len;
}
