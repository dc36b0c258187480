/* SPDX-License-Identifier: Apache-2.0
 *
 * The hand parser for lines such as "EUR/USD,20140501 05:00:01.787,1.38727,1.38729": eight bytes at a time, the symbol
 * and the day remembered from the line before. It checks every byte and gives up on anything unusual, which row_parse()
 * then reads the slow way; so it need not know about errors.
 */
#include "csv.h"

#define NS INT64_C(1000000000)

static inline uint64_t load8(const char *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static inline uint64_t bytes(char a, char b, char c, char d, char e, char f, char g, char h)
{
	const char text[8] = { a, b, c, d, e, f, g, h };

	return load8(text);
}

/* x is text ^ pattern, where a digit's pattern is '0' and a mark's the mark itself. add is 6 for a digit and 15 for a
 * mark: then the high half of a byte stays 0 only for 0..9, and for 0. */
static inline bool is_shape(uint64_t x, uint64_t add)
{
	return (((x + add) | x) & UINT64_C(0xf0f0f0f0f0f0f0f0)) == 0;
}

static inline unsigned at(uint64_t x, unsigned i)
{
	return (unsigned)(x >> 8 * i) & 255;
}

/* Digits with at most one point; where they end, or NULL: unusual. */
static inline const char *price(const char *p, double *ret)
{
	uint64_t mantissa = 0;
	const char *start = p;
	unsigned d;
	ptrdiff_t scale = 0;

	while ((d = (unsigned)(unsigned char)*p - '0') < 10) {
		mantissa = mantissa * 10 + d;
		p++;
	}
	if (p == start)
		return NULL;
	if (*p == '.') {
		const char *fraction = ++p;

		while ((d = (unsigned)(unsigned char)*p - '0') < 10) {
			mantissa = mantissa * 10 + d;
			p++;
		}
		scale = p - fraction;
	}
	if (p - start > 15) /* the mantissa stays below 2^53 */
		return NULL;
	*ret = (double)mantissa / number_powers[scale];
	return p;
}

/* The length of the symbol at p with its comma; 0: unusual. */
static size_t symbol_length(struct file *f, const char *p)
{
	size_t n = 0;

	while (n < 8 && p[n] > ' ' && p[n] < 0x7f && p[n] != ',' && p[n] != '"')
		n++;
	if (n == 0 || n == 8 || p[n] != ',')
		return 0;
	f->symbol_len = (uint32_t)n + 1;
	f->symbol_key = load8(p);
	return n + 1;
}

static bool set_day(struct file *f, const char *p)
{
	unsigned v[8];
	int64_t year, s;

	for (unsigned i = 0; i < 8; i++) {
		v[i] = (unsigned)(unsigned char)p[i] - '0';
		if (v[i] > 9)
			return false;
	}
	year = v[0] * 1000 + v[1] * 100 + v[2] * 10 + v[3];
	if (year < 1678 || year > 2261 || !time_valid_date(year, v[4] * 10 + v[5], v[6] * 10 + v[7]))
		return false;
	s = time_days(year, v[4] * 10 + v[5], v[6] * 10 + v[7]) * 86400;
	f->day_key = load8(p);
	f->day_ns = s * NS - f->zone_ns;
	return true;
}

size_t truefx_parse(struct file *f, const char *p, size_t room)
{
	const uint64_t digits8 = UINT64_C(0x0606060606060606);
	struct item *it = &f->item;
	const char *q;
	uint64_t a, b;
	unsigned hour, minute, second;
	size_t n;
	double bid, ask;

	/* 96: 8 + 22 + 2 * 16 + 2, and a few to load beyond. The words are read as little-endian. */
	if (room < 96 || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		return 0;
	n = f->symbol_len;
	/* The remembered symbol and its comma, compared as the top bytes of one word. */
	if (!n || (load8(p) ^ f->symbol_key) << (64 - 8 * n)) {
		n = symbol_length(f, p);
		if (!n)
			return 0;
	}
	q = p + n;
	if (load8(q) != f->day_key && !set_day(f, q))
		return 0;
	a = load8(q + 8) ^ bytes(' ', '0', '0', ':', '0', '0', ':', '0');
	b = load8(q + 14) ^ bytes(':', '0', '0', '.', '0', '0', '0', ',');
	if (!is_shape(a, digits8 + bytes(9, 0, 0, 9, 0, 0, 9, 0)) ||
	    !is_shape(b, digits8 + bytes(9, 0, 0, 9, 0, 0, 0, 9)))
		return 0;
	hour = at(a, 1) * 10 + at(a, 2);
	minute = at(a, 4) * 10 + at(a, 5);
	second = at(b, 1) * 10 + at(b, 2);
	if (hour > 23 || minute > 59 || second > 59)
		return 0;
	q = price(q + 22, &bid);
	if (!q || *q != ',')
		return 0;
	q = price(q + 1, &ask);
	if (!q)
		return 0;
	it->raw_len = (size_t)(q - p);
	q += *q == '\r';
	if (*q != '\n')
		return 0;
	it->status = ITEM_EVENT;
	it->kind = TW_QUOTE;
	it->ts = f->day_ns + (int64_t)((hour * 60 + minute) * 60 + second) * NS +
		 (int64_t)(at(b, 4) * 100 + at(b, 5) * 10 + at(b, 6)) * 1000000;
	it->n[0].f = bid;
	it->n[1].f = ask;
	it->n[2].f = it->n[3].f = TW_NONE;
	it->s[0] = tw_text(p, n - 1);
	it->raw = p;
	return (size_t)(q - p) + 1;
}
