/* SPDX-License-Identifier: Apache-2.0
 *
 * The hot path: canonical bytes from numbers and texts, and back. For each kind the schema gives a struct of byte
 * arrays as the event lies on the wire up to its last number, a template of it, and a mask of where values stand. The
 * encoder copies the template and fills the values in; the decoder compares all that is not a value, sixteen bytes at
 * a time, and loads the values from where they must be.
 */
#include "event/intern.h"
#include "event/wire.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* ---- layout ---- */
#define MAP_BYTES_FIX   1
#define MAP_BYTES_M16   3
#define MAP_INIT_FIX(n) 0x80 | (n)
#define MAP_INIT_M16(n) WIRE_MAP16, 0, (n)
#define MAP_MIN_FIX     0
#define MAP_MIN_M16     16
#define MAP_MAX_FIX     15
#define MAP_MAX_M16     255

#define N_ENTRIES(K) (3 + N_NUMBERS(K) + N_TEXTS(K) + N_TAIL(K))
#define NAME_LEN(N)  (sizeof #N - 1)

#define WIRE_MEMBER(N)          unsigned char N##_head[1], N##_name[NAME_LEN(N)], N##_type[1], N[8];
#define WIRE_NUMBER(K, T, N, F) WIRE_MEMBER(N)
#define WIRE_STRUCT(K, BIT, MAP, FIRST)                                                                                \
	struct wire_##K {                                                                                              \
		unsigned char map[MAP_BYTES_##MAP], kind_head[1], kind_name[4], is_head[1], is[NAME_LEN(K)];           \
		WIRE_MEMBER(ts)                                                                                        \
		WIRE_MEMBER(seq) NUMBERS_##K(WIRE_NUMBER) unsigned char first_head[1], first_name[NAME_LEN(FIRST)];    \
	};                                                                                                             \
	_Static_assert(TEXT_##K##_##FIRST == 0, "first text of " #K);                                                  \
	_Static_assert(N_ENTRIES(K) >= MAP_MIN_##MAP && N_ENTRIES(K) <= MAP_MAX_##MAP, "map header of " #K);
EVENT_SCHEMA(WIRE_STRUCT)

#define HEAD(N)                     0xa0 | NAME_LEN(N)
#define WIRE_ENTRY(N, T)            .N##_head = { HEAD(N) }, .N##_name = #N, .N##_type = { T },
#define TEMPLATE_NUMBER(K, T, N, F) WIRE_ENTRY(N, WIRE_##T)
#define TEMPLATE(K, BIT, MAP, FIRST)                                                                                   \
	static const struct wire_##K template_##K __attribute__((aligned(16))) = {                                     \
		.map = { MAP_INIT_##MAP(N_ENTRIES(K)) },                                                               \
		.kind_head = { 0xa4 },                                                                                 \
		.kind_name = "kind",                                                                                   \
		.is_head = { HEAD(K) },                                                                                \
		.is = #K,                                                                                              \
		WIRE_ENTRY(ts, WIRE_I64) WIRE_ENTRY(seq, WIRE_U64) NUMBERS_##K(TEMPLATE_NUMBER).first_head = { HEAD(   \
			FIRST) },                                                                                      \
		.first_name = #FIRST,                                                                                  \
	};
EVENT_SCHEMA(TEMPLATE)

#define ONES                                                                                                           \
	{                                                                                                              \
		255, 255, 255, 255, 255, 255, 255, 255                                                                 \
	}
#define MASK_NUMBER(K, T, N, F) .N = ONES,
#define MASK(K, BIT, MAP, FIRST)                                                                                       \
	static const struct wire_##K values_##K                                                                        \
		__attribute__((aligned(16))) = { .ts = ONES, .seq = ONES, NUMBERS_##K(MASK_NUMBER) };
EVENT_SCHEMA(MASK)

#define WIRE_AT(K, N) offsetof(struct wire_##K, N)

/* ---- encode ---- */
#define BITS_F64(n) f64_bits((n).f)
#define BITS_I64(n) (n).u
#define BITS_U64(n) (n).u

static inline unsigned char *put_name(unsigned char *o, const char *name, size_t len)
{
	*o = (unsigned char)(0xa0 | len);
	memcpy(o + 1, name, len);
	return o + 1 + len;
}

static unsigned char *put_long(unsigned char *o, const char *s, uint32_t len)
{
	if (len < 256) {
		*o++ = WIRE_STR8;
		*o++ = (unsigned char)len;
	} else if (len < 65536) {
		*o = WIRE_STR16;
		put_be16(o + 1, len);
		o += 3;
	} else { /* not canonical, but nothing is lost; event_check() refuses it first */
		*o = WIRE_STR32;
		put_be16(o + 1, len >> 16);
		put_be16(o + 3, len & 0xffff);
		o += 5;
	}
	memcpy(o, s, len);
	return o + len;
}

static inline unsigned char *put_text(unsigned char *o, const struct tw_str *t)
{
	const char *s = t->s;
	uint32_t len = s ? t->len : 0;
	if (len - 1 >= 31) {
		if (len)
			return put_long(o, s, len);
		*o = WIRE_NIL;
		return o + 1;
	}
	*o++ = (unsigned char)(0xa0 | len);
	if (len >= 16) { /* overlapping halves instead of a call for a few bytes */
		memcpy(o, s, 16);
		memcpy(o + len - 16, s + len - 16, 16);
	} else if (len >= 8) {
		memcpy(o, s, 8);
		memcpy(o + len - 8, s + len - 8, 8);
	} else if (len >= 4) {
		memcpy(o, s, 4);
		memcpy(o + len - 4, s + len - 4, 4);
	} else {
		o[0] = (unsigned char)s[0];
		o[len / 2] = (unsigned char)s[len / 2];
		o[len - 1] = (unsigned char)s[len - 1];
	}
	return o + len;
}

#define PUT_NUMBER(K, T, N, F)                                                                                         \
	put_be64(o + WIRE_AT(K, N), BITS_##T(*n));                                                                     \
	n++;
#define PUT_TEXT(K, T, N, E) o = put_text(TEXT_##K##_##N != 0 ? put_name(o, #N, NAME_LEN(N)) : o, s++);
#define PUT_TAIL_F64S        WIRE_ARRAY16
#define PUT_TAIL_DETAILS     WIRE_MAP16
#define PUT_TAIL(K, T, N)                                                                                              \
	o = put_name(o, #N, NAME_LEN(N));                                                                              \
	*o = PUT_TAIL_##T;                                                                                             \
	put_be16(o + 1, 0);                                                                                            \
	o += 3;
#define PUT(K, BIT, MAP, FIRST)                                                                                        \
	static size_t put_##K(unsigned char *out, int64_t ts, const union tw_num *n, const struct tw_str *s)           \
	{                                                                                                              \
		unsigned char *o = out;                                                                                \
		memcpy(o, &template_##K, sizeof template_##K);                                                         \
		put_be64(o + WIRE_AT(K, ts), (uint64_t)ts);                                                            \
		NUMBERS_##K(PUT_NUMBER);                                                                               \
		(void)n;                                                                                               \
		o += sizeof(struct wire_##K);                                                                          \
		TEXTS_##K(PUT_TEXT);                                                                                   \
		TAIL_##K(PUT_TAIL);                                                                                    \
		return (size_t)(o - out);                                                                              \
	}
EVENT_SCHEMA(PUT)

#define PUT_CASE(K, BIT, MAP, FIRST)                                                                                   \
	case KIND_##K:                                                                                                 \
		return put_##K(out, ts, numbers, texts);

size_t event_put(unsigned char *out, const struct kind *k, int64_t ts, const union tw_num *numbers,
		 const struct tw_str *texts)
{
	if (likely(k->bit == TW_QUOTE))
		return put_quote(out, ts, numbers, texts);
	switch (k - event_kinds) {
		EVENT_SCHEMA(PUT_CASE)
	default:
		return 0;
	}
}

#define BOUND_TEXT(K, T, N, E)    +NAME_LEN(N) + 6
#define BOUND_TAIL(K, T, N)       +NAME_LEN(N) + 4
#define BOUND(K, BIT, MAP, FIRST) sizeof(struct wire_##K) TEXTS_##K(BOUND_TEXT) TAIL_##K(BOUND_TAIL),

size_t event_bound(const struct kind *k, const struct tw_str *texts)
{
	static const uint16_t fixed[EVENT_KINDS] = { EVENT_SCHEMA(BOUND) };
	size_t n = fixed[k - event_kinds], n_texts = kind_texts(k);
	for (size_t i = 0; i < n_texts; i++)
		n += texts[i].s ? texts[i].len : 0;
	return n;
}

/* ---- decode ---- */
typedef uint64_t pair __attribute__((vector_size(16), may_alias));

static inline pair load_pair(const void *p)
{
	pair v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline pair differs_at(const unsigned char *p, const unsigned char *want, const unsigned char *values, size_t i)
{
	return (load_pair(p + i) & ~load_pair(values + i)) ^ load_pair(want + i);
}

/* Is any byte that is not a value another than the template's? The last step overlaps the one before it. */
static inline __attribute__((always_inline)) bool differs(const unsigned char *p, const void *want, const void *values,
							  size_t n)
{
	pair all = differs_at(p, want, values, n - 16);
#ifdef __clang__
#pragma unroll
#else
#pragma GCC unroll 32
#endif
	for (size_t i = 0; i + 16 < n; i += 16)
		all |= differs_at(p, want, values, i);
	return (all[0] | all[1]) != 0;
}

/* Where a text begins and how long it is; at is NULL when its head is not the shortest one. */
struct span {
	const unsigned char *at;
	size_t len;
};

static __attribute__((noinline)) struct span take_long(const unsigned char *q, const unsigned char *end, unsigned head)
{
	size_t left = (size_t)(end - q);
	if (head == WIRE_STR8 && left >= 1 && q[0] >= 32)
		return (struct span){ q + 1, q[0] };
	if (head == WIRE_STR16 && left >= 2 && q[0] != 0)
		return (struct span){ q + 2, get_be16(q) };
	return (struct span){ NULL, 0 };
}

/* The text at q in its shortest encoding, nil when absent. NULL: something else stands there. */
static inline __attribute__((always_inline)) const unsigned char *take_value(const unsigned char *q,
									     const unsigned char *end,
									     struct tw_str *ret)
{
	if (unlikely(q == end))
		return NULL;
	unsigned head = *q++;
	size_t len = head - 0xa0u;
	if (unlikely(len - 1 >= 31)) {
		if (head == WIRE_NIL) {
			*ret = (struct tw_str){ NULL, 0, 0 };
			return q;
		}
		struct span s = take_long(q, end, head);
		if (!s.at)
			return NULL;
		q = s.at;
		len = s.len;
	}
	if (unlikely((size_t)(end - q) < len))
		return NULL;
	*ret = (struct tw_str){ (const char *)q, (uint32_t)len, 0 };
	return q + len;
}

static inline __attribute__((always_inline)) const unsigned char *take_name(const unsigned char *q,
									    const unsigned char *end, const char *name,
									    size_t len)
{
	if (unlikely((size_t)(end - q) < len + 1) || q[0] != (0xa0 | len) || memcmp(q + 1, name, len))
		return NULL;
	return q + 1 + len;
}

#define TAKE_NAME(N, E)                                                                                                \
	if (unlikely(text_##N.len > EVENT_MAX_NAME))                                                                   \
		return 0;
#define TAKE_TEXT(N, E)
#define TAKE_ENUM(N, E)                                                                                                \
	uint32_t enum_##N = 0;                                                                                         \
	if (text_##N.len &&                                                                                            \
	    (text_##N.len > 8 || !(enum_##N = word_##E(word_before(text_##N.s + text_##N.len, text_##N.len)))))        \
		return 0;
#define TAKE(K, T, N, E)                                                                                               \
	struct tw_str text_##N;                                                                                        \
	if (TEXT_##K##_##N != 0 && unlikely(!(q = take_name(q, end, #N, NAME_LEN(N)))))                                \
		return 0;                                                                                              \
	q = take_value(q, end, &text_##N);                                                                             \
	if (unlikely(!q))                                                                                              \
		return 0;                                                                                              \
	TAKE_##T(N, E)

/* Features and details: checked first; taken over once all is well. */
static const unsigned char *check_F64S(const unsigned char *q, const unsigned char *end)
{
	if (end - q < 3 || q[0] != WIRE_ARRAY16)
		return NULL;
	size_t n = get_be16(q + 1);
	q += 3;
	if ((size_t)(end - q) < n * 9)
		return NULL;
	for (size_t i = 0; i < n; i++, q += 9)
		if (*q != WIRE_F64)
			return NULL;
	return q;
}

/* One text of a detail: unlike a field it may be empty. */
static const unsigned char *take_detail_text(const unsigned char *q, const unsigned char *end, struct tw_str *ret)
{
	if (q >= end)
		return NULL;
	unsigned head = *q++;
	size_t len = head - 0xa0u;
	if (len >= 32) {
		struct span s = take_long(q, end, head);
		if (!s.at)
			return NULL;
		q = s.at;
		len = s.len;
	}
	if ((size_t)(end - q) < len)
		return NULL;
	*ret = (struct tw_str){ (const char *)q, (uint32_t)len, 0 };
	return q + len;
}

static const unsigned char *take_detail(const unsigned char *q, const unsigned char *end, struct tw_detail *ret)
{
	ret->text = (struct tw_str){ NULL, 0, 0 };
	ret->number = (double)NAN;
	q = take_detail_text(q, end, &ret->name);
	if (!q || q >= end)
		return NULL;
	if (*q != WIRE_F64)
		return take_detail_text(q, end, &ret->text);
	if (end - q < 9)
		return NULL;
	ret->number = get_f64(q + 1);
	return q + 9;
}

static const unsigned char *check_DETAILS(const unsigned char *q, const unsigned char *end)
{
	if (end - q < 3 || q[0] != WIRE_MAP16)
		return NULL;
	size_t n = get_be16(q + 1);
	q += 3;
	for (size_t i = 0; i < n && q; i++) {
		struct tw_detail d;
		q = take_detail(q, end, &d);
	}
	return q;
}

static bool keep_F64S(struct tw_event *ev, const unsigned char *q, const unsigned char *end, struct arena *scratch)
{
	(void)end;
	size_t n = get_be16(q + 1);
	if (!n || !scratch)
		return true;
	double *f = arena_alloc(scratch, n * sizeof *f);
	if (!f)
		return false;
	for (size_t i = 0; i < n; i++)
		f[i] = get_f64(q + 4 + 9 * i);
	ev->score.features = f;
	ev->score.n_features = (uint32_t)n;
	return true;
}

static bool keep_DETAILS(struct tw_event *ev, const unsigned char *q, const unsigned char *end, struct arena *scratch)
{
	size_t n = get_be16(q + 1);
	if (!n || !scratch)
		return true;
	struct tw_detail *d = arena_alloc(scratch, n * sizeof *d);
	if (!d)
		return false;
	q += 3;
	for (size_t i = 0; i < n && q; i++)
		q = take_detail(q, end, &d[i]);
	ev->alert.details = d;
	ev->alert.n_details = (uint32_t)n;
	return true;
}

#define CHECK_TAIL(K, T, N)                                                                                            \
	tail = take_name(q, end, #N, NAME_LEN(N));                                                                     \
	if (!tail || !(q = check_##T(tail, end)))                                                                      \
		return 0;
#define KEEP_TAIL(K, T, N)                                                                                             \
	if (!keep_##T(ev, tail, q, scratch))                                                                           \
		return 0;

#define LOAD_F64(p)            get_f64(p)
#define LOAD_I64(p)            (int64_t) get_be64(p)
#define LOAD_U64(p)            get_be64(p)
#define SET_NUMBER(K, T, N, F) ev->K.N = LOAD_##T(p + WIRE_AT(K, N));
#define SET_NAME(K, N)         ev->K.N = in && text_##N.len ? intern_wire(in, text_##N.s, text_##N.len) : 0;
#define SET_TEXT(K, N)         ev->K.N = text_##N;
#define SET_ENUM(K, N)         ev->K.N = enum_##N;
#define SET(K, T, N, E)        SET_##T(K, N)

/* Nothing is written and no name interned before the last byte is checked. */
#define DECODE(K, BIT, MAP, FIRST)                                                                                     \
	static __attribute__((noinline)) size_t decode_##K(struct tw_event *ev, const unsigned char *p, size_t n,      \
							   struct intern *in, struct arena *scratch)                   \
	{                                                                                                              \
		const unsigned char *q = p + sizeof(struct wire_##K), *end = p + n, *tail = NULL;                      \
		if (unlikely(n < sizeof(struct wire_##K)) ||                                                           \
		    unlikely(differs(p, &template_##K, &values_##K, sizeof template_##K)))                             \
			return 0;                                                                                      \
		TEXTS_##K(TAKE);                                                                                       \
		TAIL_##K(CHECK_TAIL);                                                                                  \
		ev->K = (struct tw_##K){ 0 };                                                                          \
		NUMBERS_##K(SET_NUMBER);                                                                               \
		TAIL_##K(KEEP_TAIL);                                                                                   \
		TEXTS_##K(SET);                                                                                        \
		ev->struct_size = sizeof *ev;                                                                          \
		ev->kind = BIT;                                                                                        \
		ev->ts = (int64_t)get_be64(p + WIRE_AT(K, ts));                                                        \
		ev->seq = get_be64(p + WIRE_AT(K, seq));                                                               \
		ev->raw = p;                                                                                           \
		ev->raw_len = (uint32_t)(q - p);                                                                       \
		ev->source = 0;                                                                                        \
		(void)in;                                                                                              \
		(void)scratch;                                                                                         \
		(void)tail;                                                                                            \
		return (size_t)(q - p);                                                                                \
	}
EVENT_SCHEMA(DECODE)

#define DECODE_CASE(K, BIT, MAP, FIRST)                                                                                \
	case KIND_##K:                                                                                                 \
		return decode_##K(ev, p, n, in, scratch);

size_t event_decode(struct tw_event *ev, const unsigned char *p, size_t n, struct intern *in, struct arena *scratch)
{
	if (unlikely(n < 16))
		return 0;
	if (unlikely(n > EVENT_MAX_BYTES))
		n = EVENT_MAX_BYTES;
	if (likely(get_be16(p + 6) == (0xa5 << 8 | 'q')))
		return decode_quote(ev, p, n, in, scratch);
	switch (wire_kind(p)) {
		EVENT_SCHEMA(DECODE_CASE)
	default:
		return 0;
	}
}

#define SPLIT_NUMBER(K, T, N, F) numbers[NUMBER_##K##_##N].u = get_be64(p + WIRE_AT(K, N));
#define SPLIT_TEXT(K, T, N, E)   texts[TEXT_##K##_##N] = text_##N;
#define UNUSED_NAME(N)
#define UNUSED_TEXT(N)
#define UNUSED_ENUM(N)     (void)enum_##N;
#define UNUSED(K, T, N, E) UNUSED_##T(N)
#define SPLIT(K, BIT, MAP, FIRST)                                                                                      \
	static size_t split_##K(const unsigned char *p, size_t n, union tw_num *numbers, struct tw_str *texts,         \
				const unsigned char **ret_tail)                                                        \
	{                                                                                                              \
		const unsigned char *q = p + sizeof(struct wire_##K), *end = p + n, *tail = NULL;                      \
		if (n < sizeof(struct wire_##K) || differs(p, &template_##K, &values_##K, sizeof template_##K))        \
			return 0;                                                                                      \
		TEXTS_##K(TAKE);                                                                                       \
		TAIL_##K(CHECK_TAIL);                                                                                  \
		NUMBERS_##K(SPLIT_NUMBER);                                                                             \
		TEXTS_##K(SPLIT_TEXT);                                                                                 \
		TEXTS_##K(UNUSED);                                                                                     \
		(void)numbers;                                                                                         \
		*ret_tail = tail;                                                                                      \
		return (size_t)(q - p);                                                                                \
	}
EVENT_SCHEMA(SPLIT)

#define SPLIT_CASE(K, BIT, MAP, FIRST)                                                                                 \
	case KIND_##K:                                                                                                 \
		len = split_##K(p, n, numbers, texts, tail);                                                           \
		break;

size_t event_split(const unsigned char *p, size_t n, const struct kind **kind, union tw_num *numbers,
		   struct tw_str *texts, const unsigned char **tail)
{
	size_t len = 0;
	if (n < 16)
		return 0;
	uint32_t index = wire_kind(p);
	switch (index) {
		EVENT_SCHEMA(SPLIT_CASE)
	default:
		return 0;
	}
	if (!len || len > EVENT_MAX_BYTES)
		return 0;
	*kind = &event_kinds[index];
	return len;
}

/* ---- peeks ---- */
static inline size_t ts_at(const unsigned char *p)
{
	size_t kind = p[0] == WIRE_MAP16 ? 8 : 6;
	return kind + 1 + (p[kind] & 31) + WIRE_AT(quote, ts) - WIRE_AT(quote, ts_head);
}

uint32_t event_kind(const unsigned char *p)
{
	uint32_t index = wire_kind(p);
	return index < KIND_END ? 1u << index : 0;
}

int64_t event_ts(const unsigned char *p)
{
	return (int64_t)get_be64(p + ts_at(p));
}

#define TS_TO_SEQ (WIRE_AT(quote, seq) - WIRE_AT(quote, ts))

uint64_t event_seq(const unsigned char *p)
{
	return get_be64(p + ts_at(p) + TS_TO_SEQ);
}

void event_stamp(unsigned char *p, uint64_t seq)
{
	put_be64(p + ts_at(p) + TS_TO_SEQ, seq);
}
