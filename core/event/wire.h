/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the codec: bytes and numbers, short words, and what its files share.
 */
#ifndef EVENT_WIRE_H
#define EVENT_WIRE_H

#include "event/event.h"
#include "event/schema.h"
#include <endian.h>
#include <string.h>

enum {
	WIRE_NIL = 0xc0,
	WIRE_F64 = 0xcb,
	WIRE_U64 = 0xcf,
	WIRE_I64 = 0xd3,
	WIRE_STR8 = 0xd9,
	WIRE_STR16 = 0xda,
	WIRE_STR32 = 0xdb,
	WIRE_ARRAY16 = 0xdc,
	WIRE_MAP16 = 0xde,
	WIRE_MAP32 = 0xdf
};

#define WIRE_NAN 0x7ff8000000000000u /* absent, in the one way it is written */

static inline void put_be16(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

static inline uint32_t get_be16(const unsigned char *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline void put_be64(unsigned char *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, 8);
}

static inline uint64_t get_be64(const unsigned char *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return be64toh(v);
}

static inline double get_f64(const unsigned char *p)
{
	uint64_t v = get_be64(p);
	double d;
	memcpy(&d, &v, 8);
	return d;
}

/* The bits of a number; every NaN is the same one, so that equal events are equal bytes. */
static inline uint64_t f64_bits(double d)
{
	uint64_t v;
	memcpy(&v, &d, 8);
	return d == d ? v : WIRE_NAN;
}

static inline uint64_t get_le64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return le64toh(v);
}

/* A text of up to 8 bytes as a number, zeros behind it. The second form needs 8 readable bytes before the text's end,
 * as every text inside an event has them. */
static inline uint64_t word_load(const char *s, size_t len)
{
	uint64_t w = 0;
	if (len >= 8)
		return get_le64(s);
	for (size_t i = 0; i < len; i++)
		w |= (uint64_t)(unsigned char)s[i] << (8 * i);
	return w;
}

static inline uint64_t word_before(const char *end, size_t len)
{
	return get_le64(end - 8) >> (64 - 8 * len); /* len 1..8 */
}

#define WORD_BYTE(s, i) ((uint64_t)(unsigned char)(s)[sizeof(s) > (i) ? (i) : sizeof(s) - 1] << (8 * (i)))
#define WORD(s)                                                                                                    \
	(WORD_BYTE(s, 0) | WORD_BYTE(s, 1) | WORD_BYTE(s, 2) | WORD_BYTE(s, 3) | WORD_BYTE(s, 4) |                 \
	 WORD_BYTE(s, 5) | WORD_BYTE(s, 6) | WORD_BYTE(s, 7))

/* The number of a word of an enumeration, 0 when it is none of them. Without branches: which side comes next is
 * nothing a branch predictor can learn. */
#define WORD_CASE(number, text) | (w == WORD(text) ? (uint32_t)(number) : 0)
#define WORD_FUNCTION(E)                                                                                           \
	static inline uint32_t word_##E(uint64_t w)                                                                \
	{ \
		return 0u ENUM_##E(WORD_CASE); \
	}
ENUM_LISTS(WORD_FUNCTION)

/* The index of a kind in event_kinds from the first bytes of an event, KIND_END if it has none. n >= 16. */
static inline uint32_t wire_kind(const unsigned char *p)
{
	switch (get_be16(p + 6)) { /* the header and first letter of the kind's name; 'n' 'd' behind a longer header */
	case 0xa5 << 8 | 'q':
		return KIND_quote;
	case 0xa5 << 8 | 't':
		return KIND_trade;
	case 0xa3 << 8 | 'b':
		return KIND_bar;
	case 0xa5 << 8 | 'o':
		return KIND_order;
	case 0xa7 << 8 | 'a':
		return KIND_account;
	case 0xa4 << 8 | 'n':
		return KIND_news;
	case 0xa5 << 8 | 's':
		return KIND_score;
	case 0xa5 << 8 | 'l':
		return KIND_label;
	case 0xa5 << 8 | 'c':
		return KIND_clock;
	case 0xaa << 8 | 'c':
		return KIND_correction;
	case 'n' << 8 | 'd':
		return p[8] == (0xa0 | 4) ? KIND_deal : KIND_alert;
	default:
		return KIND_END;
	}
}

/* Take an event apart without interning: its numbers and texts in wire order. tail: where the variable field's count
 * stands, NULL if the kind has none. Returns the length, or 0 when the bytes are not canonical. */
size_t event_split(const unsigned char *p, size_t n, const struct kind **kind, union tw_num *numbers,
                   struct tw_str *texts, const unsigned char **tail);

/* Numbers and texts of a kind. */
uint32_t kind_numbers(const struct kind *);
uint32_t kind_texts(const struct kind *);

/* Put details or features behind what event_put() wrote, in place of the empty field it left. len is the length so
 * far; returns the new one. The bound says how many bytes that may take. */
size_t wire_details_bound(const struct tw_detail *, uint32_t n);
size_t wire_put_details(unsigned char *event, size_t len, const struct tw_detail *, uint32_t n);
size_t wire_put_features(unsigned char *event, size_t len, const double *, uint32_t n);

#endif
