/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoding a decoded view: what detectors said (alerts with details, scores with features), and any event of a test.
 */
#include "event/utf8.h"
#include "event/wire.h"

struct gather {
	const struct tw_event *ev;
	const struct intern *names;
	struct arena repaired;
	bool bad_word, no_memory;
};

/* Detectors and outside models write sentences with %s, and cut them at a buffer's end: what is not UTF-8 becomes
 * U+FFFD here, because the bytes must be readable by every msgpack library. */
static struct tw_str readable(struct gather *g, struct tw_str t)
{
	if (!t.s || utf8_span(t.s, t.len, UTF8_ANY) == t.len)
		return t;
	char *o = arena_alloc(&g->repaired, 3 * (size_t)t.len);
	if (!o) {
		g->no_memory = true;
		return (struct tw_str){ NULL, 0, 0 };
	}
	struct tw_str ret = { o, 0, 0 };
	for (size_t i = 0; i < t.len;) {
		unsigned n = utf8_char(t.s + i, t.len - i);
		memcpy(o, n ? t.s + i : "\xef\xbf\xbd", n ? n : 3);
		o += n ? n : 3;
		i += n ? n : 1;
	}
	ret.len = (uint32_t)(o - ret.s);
	return ret;
}

static struct tw_str gather_NAME(struct gather *g, uint32_t id, const struct field *f)
{
	(void)f;
	if (!id || !g->names)
		return (struct tw_str){ NULL, 0, 0 };
	return (struct tw_str){ intern_name(g->names, id), intern_len(g->names, id), 0 };
}

static struct tw_str gather_TEXT(struct gather *g, struct tw_str text, const struct field *f)
{
	(void)f;
	return readable(g, text);
}

static struct tw_str gather_ENUM(struct gather *g, uint32_t number, const struct field *f)
{
	if (number >= f->n_names)
		g->bad_word = true;
	if (!number || number >= f->n_names)
		return (struct tw_str){ NULL, 0, 0 };
	return (struct tw_str){ f->names[number], (uint32_t)strlen(f->names[number]), 0 };
}

#define UNION_F64(v)                                                                                                   \
	{                                                                                                              \
		.f = (v)                                                                                               \
	}
#define UNION_I64(v)                                                                                                   \
	{                                                                                                              \
		.i = (v)                                                                                               \
	}
#define UNION_U64(v)                                                                                                   \
	{                                                                                                              \
		.u = (v)                                                                                               \
	}
#define GATHER_NUMBER(K, T, N, F) numbers[NUMBER_##K##_##N] = (union tw_num)UNION_##T(ev->K.N);
#define GATHER_TEXT(K, T, N, E)                                                                                        \
	texts[TEXT_##K##_##N] = gather_##T(g, ev->K.N, &fields[NUMBER_##K##_END + TEXT_##K##_##N]);
#define GATHER(K, BIT, MAP, FIRST)                                                                                     \
	case KIND_##K:                                                                                                 \
		NUMBERS_##K(GATHER_NUMBER) TEXTS_##K(GATHER_TEXT) break;

static void gather(struct gather *g, const struct kind *k, union tw_num *numbers, struct tw_str *texts)
{
	const struct tw_event *ev = g->ev;
	const struct field *fields = k->fields;
	switch (k - event_kinds) {
		EVENT_SCHEMA(GATHER)
	default:
		break;
	}
}

/* ---- the variable field ---- */
static size_t put_any_text(unsigned char *o, const char *s, uint32_t len)
{
	size_t head;
	if (len < 32) {
		o[0] = (unsigned char)(0xa0 | len);
		head = 1;
	} else if (len < 256) {
		o[0] = WIRE_STR8;
		o[1] = (unsigned char)len;
		head = 2;
	} else {
		o[0] = WIRE_STR16;
		put_be16(o + 1, len);
		head = 3;
	}
	if (len)
		memcpy(o + head, s, len);
	return head + len;
}

size_t wire_details_bound(const struct tw_detail *d, uint32_t n)
{
	size_t sum = 0;
	for (uint32_t i = 0; i < n; i++)
		sum += 3 + (size_t)d[i].name.len + (d[i].text.s ? 3 + (size_t)d[i].text.len : 9);
	return sum;
}

size_t wire_put_details(unsigned char *event, size_t len, const struct tw_detail *d, uint32_t n)
{
	put_be16(event + len - 2, n);
	unsigned char *o = event + len;
	for (uint32_t i = 0; i < n; i++) {
		o += put_any_text(o, d[i].name.s, d[i].name.len);
		if (d[i].text.s) {
			o += put_any_text(o, d[i].text.s, d[i].text.len);
		} else {
			*o = WIRE_F64;
			put_be64(o + 1, f64_bits(d[i].number));
			o += 9;
		}
	}
	return (size_t)(o - event);
}

size_t wire_put_features(unsigned char *event, size_t len, const double *f, uint32_t n)
{
	put_be16(event + len - 2, n);
	unsigned char *o = event + len;
	for (uint32_t i = 0; i < n; i++, o += 9) {
		*o = WIRE_F64;
		put_be64(o + 1, f64_bits(f[i]));
	}
	return (size_t)(o - event);
}

/* Names and texts that every reader can read; NULL when memory is out. */
static const struct tw_detail *readable_details(struct gather *g, const struct tw_detail *d, uint32_t n)
{
	struct tw_detail *copy = arena_alloc(&g->repaired, (n + (size_t)1) * sizeof *copy);
	if (!copy) {
		g->no_memory = true;
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++) {
		copy[i] = d[i];
		if (!d[i].name.s)
			copy[i].name = (struct tw_str){ "", 0, 0 };
		copy[i].name = readable(g, copy[i].name);
		copy[i].text = readable(g, copy[i].text);
	}
	return copy;
}

int32_t event_encode(struct buf *out, const struct tw_event *ev, const struct intern *in)
{
	const struct kind *k = kind_of(ev->kind);
	if (!k)
		return TW_E_DATA;

	struct gather g = { .ev = ev, .names = in };
	union tw_num numbers[EVENT_MAX_NUMBERS];
	struct tw_str texts[EVENT_MAX_TEXTS];
	const struct tw_detail *details = NULL;
	uint32_t n_tail = k->bit == TW_SCORE ? ev->score.n_features : k->bit == TW_ALERT ? ev->alert.n_details : 0;
	int32_t rc = TW_E_DATA;
	size_t room;

	if (n_tail > EVENT_MAX_BYTES)
		return TW_E_DATA;
	gather(&g, k, numbers, texts);
	if (k->bit == TW_ALERT && n_tail)
		details = readable_details(&g, ev->alert.details, n_tail);
	if (g.no_memory) {
		rc = TW_E_FATAL;
		goto out;
	}
	if (g.bad_word)
		goto out;
	room = event_bound(k, texts) + (details ? wire_details_bound(details, n_tail) : 9 * (size_t)n_tail);
	if (room > 2 * (size_t)EVENT_MAX_BYTES) /* the bound is a little more than the length, never twice it */
		goto out;
	unsigned char *p = buf_reserve(out, room);
	if (!p) {
		rc = TW_E_FATAL;
		goto out;
	}
	size_t len = event_put(p, k, ev->ts, numbers, texts);
	if (details)
		len = wire_put_details(p, len, details, n_tail);
	else if (n_tail)
		len = wire_put_features(p, len, ev->score.features, n_tail);
	if (len > EVENT_MAX_BYTES)
		goto out;
	event_stamp(p, ev->seq);
	out->len += len;
	rc = TW_OK;
out:
	arena_free(&g.repaired);
	return rc;
}
