/* SPDX-License-Identifier: Apache-2.0
 *
 * Events from elsewhere: any msgpack map with our names becomes canonical bytes, or gets a word and a sentence.
 *
 *   bad_msgpack    not one complete map, or too large, too deep, with lengths that lie, or with extension types
 *   unknown_kind   kind is absent or none of ours
 *   missing_field  a required field is absent
 *   bad_field      a known name twice, or with a value of the wrong type
 *   and everything event_check() says
 *
 * msgpack-c sees the bytes only after a bounds pass, because it would allocate what a lying length asks for.
 */
#include "base/err.h"
#include "event/utf8.h"
#include "event/wire.h"
#include <msgpack.h>

#define MAX_DEPTH       8u
#define MAX_DETAIL_TEXT 32768u

#define REFUSE(e, word, ...) return err_set((e), TW_E_DATA, __VA_ARGS__), (word)

/* ---- the bounds pass ---- */

/* One item: bytes of its head and body, and how many items it holds. 0: reserved, an extension, or cut off. */
static size_t item_bytes(const unsigned char *p, size_t left, uint64_t *holds)
{
	static const uint8_t widths[32] = {
		/* 0xc0..0xdf: bytes behind the first one that are the value or its length */
		0, 0, 0, 0, 1, 2, 4, 0, 0, 0, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4
	};
	unsigned c = p[0];
	*holds = 0;
	if (c < 0x80 || c >= 0xe0)
		return 1;
	if (c < 0x90) {
		*holds = 2 * (uint64_t)(c & 15);
		return 1;
	}
	if (c < 0xa0) {
		*holds = c & 15;
		return 1;
	}
	if (c < 0xc0)
		return left >= 1 + (size_t)(c & 31) ? 1 + (size_t)(c & 31) : 0;
	if (c == 0xc1 || (c >= 0xc7 && c <= 0xc9) || (c >= 0xd4 && c <= 0xd8))
		return 0;
	size_t width = widths[c - 0xc0], head = 1 + width;
	if (left < head)
		return 0;
	bool body = (c >= 0xc4 && c <= 0xc6) || (c >= WIRE_STR8 && c <= WIRE_STR32);
	if (!body && c < WIRE_ARRAY16)
		return head;
	uint64_t n = 0;
	for (size_t i = 1; i < head; i++)
		n = n << 8 | p[i];
	if (body)
		return left - head >= n ? head + (size_t)n : 0;
	*holds = c >= WIRE_MAP16 ? 2 * n : n;
	return head;
}

/* Walks the whole map without recursion: left[d] items are to come at depth d. */
static const char *bounds(const unsigned char *p, size_t n, struct tw_err *e)
{
	uint64_t left[MAX_DEPTH + 1] = { 1 };
	unsigned depth = 0;
	size_t at = 0;

	if (n > EVENT_MAX_BYTES)
		REFUSE(e, "bad_msgpack", "%zu bytes: expected at most %u", n, EVENT_MAX_BYTES);
	if (!n)
		REFUSE(e, "bad_msgpack", "nothing: expected a map");
	if ((p[0] & 0xf0) != 0x80 && p[0] != WIRE_MAP16 && p[0] != WIRE_MAP32)
		REFUSE(e, "bad_msgpack", "begins with 0x%02x: expected a map", p[0]);
	for (;;) {
		while (!left[depth]) {
			if (depth-- == 0) {
				if (at != n)
					REFUSE(e, "bad_msgpack", "%zu bytes behind the map: expected one map only",
					       n - at);
				return NULL;
			}
		}
		if (at == n)
			REFUSE(e, "bad_msgpack", "the map ends too early, at byte %zu", at);
		uint64_t holds;
		size_t bytes = item_bytes(p + at, n - at, &holds);
		if (!bytes)
			REFUSE(e, "bad_msgpack", "byte %zu, 0x%02x: cut off, an extension, or no msgpack", at + 1,
			       p[at]);
		left[depth]--;
		at += bytes;
		if (holds > n - at)
			REFUSE(e, "bad_msgpack", "a list or map at byte %zu claims more items than there are bytes",
			       at);
		if (holds && depth == MAX_DEPTH)
			REFUSE(e, "bad_msgpack", "lists and maps nest deeper than %u at byte %zu", MAX_DEPTH, at);
		if (holds)
			left[++depth] = holds;
	}
}

/* ---- values ---- */
static const char *type_name(const msgpack_object *v)
{
	switch (v->type) {
	case MSGPACK_OBJECT_NIL:
		return "nil";
	case MSGPACK_OBJECT_BOOLEAN:
		return "a boolean";
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		return "an integer";
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		return "a float";
	case MSGPACK_OBJECT_STR:
		return "a text";
	case MSGPACK_OBJECT_ARRAY:
		return "a list";
	case MSGPACK_OBJECT_MAP:
		return "a map";
	case MSGPACK_OBJECT_BIN:
		return "binary data";
	default:
		return "something else";
	}
}

/* Exactly, or not at all: an integer that no double holds must not change silently, nor the other way round. */
static bool to_f64(const msgpack_object *v, double *ret)
{
	double d;
	switch (v->type) {
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		*ret = v->via.f64;
		return true;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		d = (double)v->via.u64;
		if (d >= 0x1p64 || (uint64_t)d != v->via.u64)
			return false;
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		d = (double)v->via.i64;
		if ((int64_t)d != v->via.i64)
			return false;
		break;
	default:
		return false;
	}
	*ret = d;
	return true;
}

static bool to_i64(const msgpack_object *v, int64_t *ret)
{
	switch (v->type) {
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		if (v->via.u64 > INT64_MAX)
			return false;
		*ret = (int64_t)v->via.u64;
		return true;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		*ret = v->via.i64;
		return true;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		if (!(v->via.f64 >= -0x1p63 && v->via.f64 < 0x1p63) || trunc(v->via.f64) != v->via.f64)
			return false;
		*ret = (int64_t)v->via.f64;
		return true;
	default:
		return false;
	}
}

static bool to_u64(const msgpack_object *v, uint64_t *ret)
{
	switch (v->type) {
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		*ret = v->via.u64;
		return true;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		if (!(v->via.f64 >= 0 && v->via.f64 < 0x1p64) || trunc(v->via.f64) != v->via.f64)
			return false;
		*ret = (uint64_t)v->via.f64;
		return true;
	default:
		return false;
	}
}

static bool is_text(const msgpack_object *v, const char *text)
{
	size_t len = strlen(text);
	return v->type == MSGPACK_OBJECT_STR && v->via.str.size == len && !memcmp(v->via.str.ptr, text, len);
}

static struct tw_str text_of(const msgpack_object *v)
{
	return (struct tw_str){ v->via.str.size ? v->via.str.ptr : "", v->via.str.size, 0 };
}

/* ---- an event ---- */
struct foreign {
	const struct kind *kind;
	int64_t ts;
	bool has_ts;
	uint32_t seen, given; /* bit i: field i of the kind; given: with a value that is not nil */
	union tw_num numbers[EVENT_MAX_NUMBERS];
	struct tw_str texts[EVENT_MAX_TEXTS];
	const msgpack_object *tail;
	struct arena arena;
	struct tw_detail *details;
	double *features;
	uint32_t n_tail;
};

static void all_absent(struct foreign *f)
{
	uint32_t n = kind_numbers(f->kind);
	for (uint32_t i = 0; i < n; i++) {
		const struct field *field = &f->kind->fields[i];
		if (field->type == FIELD_F64)
			f->numbers[i].f = (double)NAN;
		else
			f->numbers[i].i = field->flags & FIELD_MINUS_NONE ? -1 : 0;
	}
	memset(f->texts, 0, sizeof f->texts);
}

static const char *take_field(struct foreign *f, uint32_t i, const msgpack_object *v, struct tw_err *e)
{
	const struct field *field = &f->kind->fields[i];
	uint32_t n = kind_numbers(f->kind);
	const char *want = "a number without a fraction";
	bool ok;

	if (f->seen & 1u << i)
		REFUSE(e, "bad_field", "%s appears twice", field->name);
	f->seen |= 1u << i;
	if (v->type == MSGPACK_OBJECT_NIL)
		return NULL;
	f->given |= 1u << i;
	switch (field->type) {
	case FIELD_F64:
		ok = to_f64(v, &f->numbers[i].f);
		want = "a number that a float64 holds";
		break;
	case FIELD_I64:
		ok = to_i64(v, &f->numbers[i].i);
		break;
	case FIELD_U64:
		ok = to_u64(v, &f->numbers[i].u);
		break;
	case FIELD_F64S:
		ok = v->type == MSGPACK_OBJECT_ARRAY;
		want = "a list of numbers";
		f->tail = v;
		break;
	case FIELD_DETAILS:
		ok = v->type == MSGPACK_OBJECT_MAP;
		want = "a map of numbers and texts";
		f->tail = v;
		break;
	default:
		ok = v->type == MSGPACK_OBJECT_STR;
		want = "a text";
		if (ok)
			f->texts[i - n] = text_of(v);
	}
	if (!ok)
		REFUSE(e, "bad_field", "%s is %s: expected %s", field->name, type_name(v), want);
	return NULL;
}

static const char *take_entry(struct foreign *f, const msgpack_object_kv *kv, struct tw_err *e)
{
	if (kv->key.type != MSGPACK_OBJECT_STR)
		REFUSE(e, "bad_msgpack", "a name in the map is %s: expected a text", type_name(&kv->key));
	struct tw_str name = text_of(&kv->key);
	if (utf8_span(name.s, name.len, UTF8_ANY) != name.len)
		REFUSE(e, "bad_msgpack", "a name in the map is not UTF-8");
	if (is_text(&kv->key, "kind") || is_text(&kv->key, "seq"))
		return NULL; /* kind is known by now; seq is the sequencer's to give */
	if (is_text(&kv->key, "ts")) {
		if (f->has_ts)
			REFUSE(e, "bad_field", "ts appears twice");
		f->has_ts = true;
		if (!to_i64(&kv->val, &f->ts))
			REFUSE(e, "bad_field", "ts is %s: expected ns since 1970 as an integer", type_name(&kv->val));
		return NULL;
	}
	const struct field *field = field_named(f->kind, name.s, name.len);
	if (field)
		return take_field(f, (uint32_t)(field - f->kind->fields), &kv->val, e);
	if (kv->val.type == MSGPACK_OBJECT_STR &&
	    utf8_span(kv->val.via.str.ptr, kv->val.via.str.size, UTF8_ANY) != kv->val.via.str.size)
		REFUSE(e, "bad_text", "the value of the unknown name '%.*s' is not UTF-8",
		       (int)(name.len < 40 ? name.len : 40), name.s);
	return NULL;
}

const char event_no_memory[] = "no_memory";

static const char *take_features(struct foreign *f, struct tw_err *e)
{
	const msgpack_object_array *list = &f->tail->via.array;
	f->features = arena_alloc(&f->arena, (list->size + (size_t)1) * sizeof *f->features);
	if (!f->features)
		REFUSE(e, event_no_memory, "no memory for %" PRIu32 " features", list->size);
	for (uint32_t i = 0; i < list->size; i++) {
		if (list->ptr[i].type == MSGPACK_OBJECT_NIL)
			f->features[i] = (double)NAN;
		else if (!to_f64(&list->ptr[i], &f->features[i]))
			REFUSE(e, "bad_field", "features has %s at %" PRIu32 ": expected numbers",
			       type_name(&list->ptr[i]), i + 1);
	}
	f->n_tail = list->size;
	return NULL;
}

static bool detail_text(const msgpack_object *v, struct tw_str *ret)
{
	*ret = text_of(v);
	return ret->len <= MAX_DETAIL_TEXT && utf8_span(ret->s, ret->len, UTF8_LINES) == ret->len;
}

static const char *take_details(struct foreign *f, struct tw_err *e)
{
	const msgpack_object_map *map = &f->tail->via.map;
	f->details = arena_alloc(&f->arena, (map->size + (size_t)1) * sizeof *f->details);
	if (!f->details)
		REFUSE(e, event_no_memory, "no memory for %" PRIu32 " details", map->size);
	for (uint32_t i = 0; i < map->size; i++) {
		const msgpack_object *k = &map->ptr[i].key, *v = &map->ptr[i].val;
		struct tw_detail *d = &f->details[i];
		if (k->type != MSGPACK_OBJECT_STR)
			REFUSE(e, "bad_field", "a name in details is %s: expected a text", type_name(k));
		bool text = v->type == MSGPACK_OBJECT_STR;
		if (!detail_text(k, &d->name) || (text && !detail_text(v, &d->text)))
			REFUSE(e, "bad_text", "details: expected UTF-8 without control characters, at most %u bytes",
			       MAX_DETAIL_TEXT);
		d->number = (double)NAN;
		if (!text && v->type != MSGPACK_OBJECT_NIL && !to_f64(v, &d->number))
			REFUSE(e, "bad_field", "details: '%.*s' is %s: expected a number or a text",
			       (int)(d->name.len < 40 ? d->name.len : 40), d->name.s, type_name(v));
	}
	f->n_tail = map->size;
	return NULL;
}

static const char *take_kind(struct foreign *f, const msgpack_object_map *map, struct tw_err *e)
{
	for (uint32_t i = 0; i < map->size; i++) {
		const msgpack_object *v = &map->ptr[i].val;
		if (!is_text(&map->ptr[i].key, "kind"))
			continue;
		if (f->kind)
			REFUSE(e, "bad_field", "kind appears twice");
		if (v->type != MSGPACK_OBJECT_STR)
			REFUSE(e, "unknown_kind", "kind is %s: expected a text such as quote", type_name(v));
		f->kind = kind_named(v->via.str.ptr, v->via.str.size);
		if (!f->kind) {
			size_t shown = v->via.str.size < 40 ? v->via.str.size : 40;
			shown = utf8_span(v->via.str.ptr, shown, UTF8_PLAIN);
			REFUSE(e, "unknown_kind", "kind is '%.*s': expected one of tapewatch's, such as quote",
			       (int)shown, v->via.str.ptr);
		}
	}
	if (!f->kind)
		REFUSE(e, "unknown_kind", "kind is absent: expected a text such as quote");
	return NULL;
}

static const char *take_map(struct foreign *f, const msgpack_object_map *map, struct tw_err *e)
{
	const char *word = take_kind(f, map, e);
	if (word)
		return word;
	all_absent(f);
	for (uint32_t i = 0; i < map->size; i++) {
		word = take_entry(f, &map->ptr[i], e);
		if (word)
			return word;
	}
	if (!f->has_ts)
		REFUSE(e, "missing_field", "ts is absent: expected ns since 1970 as an integer");
	/* event_check() knows what else is required; only an integer without an absent form must be seen here */
	for (uint32_t i = 0; i < kind_numbers(f->kind); i++) {
		const struct field *field = &f->kind->fields[i];
		if (field->type != FIELD_F64 && !(field->flags & (FIELD_ZERO_NONE | FIELD_MINUS_NONE)) &&
		    !(f->given & 1u << i))
			REFUSE(e, "missing_field", "%s is absent: expected ns since 1970 as an integer", field->name);
	}
	if (f->tail)
		return f->tail->type == MSGPACK_OBJECT_ARRAY ? take_features(f, e) : take_details(f, e);
	return NULL;
}

static const char *write_out(struct buf *out, const struct foreign *f, struct tw_err *e)
{
	size_t room = event_bound(f->kind, f->texts);
	room += f->details ? wire_details_bound(f->details, f->n_tail) : 9 * (size_t)f->n_tail;
	if (room > EVENT_MAX_BYTES)
		REFUSE(e, "too_large", "the event takes about %zu bytes: expected at most %u", room, EVENT_MAX_BYTES);
	unsigned char *p = buf_reserve(out, room);
	if (!p)
		REFUSE(e, event_no_memory, "no memory for %zu bytes", room);
	size_t len = event_put(p, f->kind, f->ts, f->numbers, f->texts);
	if (f->details)
		len = wire_put_details(p, len, f->details, f->n_tail);
	else if (f->features)
		len = wire_put_features(p, len, f->features, f->n_tail);
	out->len += len;
	return NULL;
}

/* What is canonical already needs no msgpack-c, unless it has a variable field, which is rare and checked there. */
static bool known(struct foreign *f, const unsigned char *p, size_t n)
{
	const unsigned char *tail = NULL;
	size_t len = event_split(p, n, &f->kind, f->numbers, f->texts, &tail);
	if (!len || len != n || (tail && get_be16(tail + 1))) {
		f->kind = NULL;
		return false;
	}
	f->ts = event_ts(p);
	return true;
}

const char *event_canonical(struct buf *out, const void *msgpack, size_t n, struct tw_err *e)
{
	struct foreign f = { 0 };
	const char *word;
	msgpack_zone zone;
	msgpack_object top;
	size_t off = 0;

	if (known(&f, msgpack, n)) {
		word = event_check(f.kind, f.ts, f.numbers, f.texts, e);
		return word ? word : write_out(out, &f, e);
	}
	word = bounds(msgpack, n, e);
	if (word)
		return word;
	if (!msgpack_zone_init(&zone, MSGPACK_ZONE_CHUNK_SIZE))
		REFUSE(e, event_no_memory, "no memory to unpack %zu bytes", n);
	msgpack_unpack_return unpacked = msgpack_unpack(msgpack, n, &off, &zone, &top);
	if (unpacked == MSGPACK_UNPACK_NOMEM_ERROR) {
		err_set(e, TW_E_DATA, "no memory to unpack %zu bytes", n);
		word = event_no_memory;
		goto out;
	}
	if (unpacked != MSGPACK_UNPACK_SUCCESS || top.type != MSGPACK_OBJECT_MAP) {
		err_set(e, TW_E_DATA, "msgpack-c cannot unpack these %zu bytes", n);
		word = "bad_msgpack";
		goto out;
	}
	word = take_map(&f, &top.via.map, e);
	if (!word)
		word = event_check(f.kind, f.ts, f.numbers, f.texts, e);
	if (!word)
		word = write_out(out, &f, e);
out:
	arena_free(&f.arena);
	msgpack_zone_destroy(&zone);
	return word;
}
