/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the event codec: whatever bytes come, nothing is read beyond them; what event_canonical() accepts must
 * decode, must be canonical for ever after, and must mean to msgpack-c what the input meant.
 */
#include "event/event.h"
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#define MUST(x)                                                                                                        \
	do {                                                                                                           \
		if (!(x))                                                                                              \
			abort();                                                                                       \
	} while (0)

static struct intern *names;

static void unpack(const void *p, size_t n, msgpack_zone *zone, msgpack_object *ret)
{
	size_t off = 0;
	MUST(msgpack_unpack(p, n, &off, zone, ret) == MSGPACK_UNPACK_SUCCESS && off == n);
	MUST(ret->type == MSGPACK_OBJECT_MAP);
}

static const msgpack_object *value(const msgpack_object *map, const msgpack_object *key)
{
	for (uint32_t i = 0; i < map->via.map.size; i++)
		if (msgpack_object_equal(map->via.map.ptr[i].key, *key))
			return &map->via.map.ptr[i].val;
	return NULL;
}

static bool number(const msgpack_object *o, long double *ret)
{
	if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
		*ret = (long double)o->via.u64;
	else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		*ret = (long double)o->via.i64;
	else if (o->type == MSGPACK_OBJECT_FLOAT32 || o->type == MSGPACK_OBJECT_FLOAT64)
		*ret = (long double)o->via.f64;
	else
		return false;
	return true;
}

/* Absent has several faces in the input: nil, NaN, an empty text. */
static void same(const msgpack_object *in, const msgpack_object *out)
{
	long double a, b;
	if (in->type == MSGPACK_OBJECT_NIL)
		return;
	if (number(in, &a)) {
		MUST(number(out, &b));
		MUST(a == b || (a != a && b != b));
	} else if (in->type == MSGPACK_OBJECT_STR && in->via.str.size == 0 && out->type == MSGPACK_OBJECT_NIL) {
		return;
	} else if (in->type == MSGPACK_OBJECT_STR) {
		MUST(msgpack_object_equal(*in, *out));
	} else if (in->type == MSGPACK_OBJECT_ARRAY) {
		MUST(out->type == MSGPACK_OBJECT_ARRAY && in->via.array.size == out->via.array.size);
		for (uint32_t i = 0; i < in->via.array.size; i++)
			same(&in->via.array.ptr[i], &out->via.array.ptr[i]);
	} else {
		MUST(in->type == MSGPACK_OBJECT_MAP && out->type == MSGPACK_OBJECT_MAP);
		MUST(in->via.map.size == out->via.map.size);
		for (uint32_t i = 0; i < in->via.map.size; i++)
			same(&in->via.map.ptr[i].val, &out->via.map.ptr[i].val);
	}
}

static void compare(const uint8_t *data, size_t size, const struct buf *canonical)
{
	msgpack_zone zone;
	msgpack_object in, out;
	MUST(msgpack_zone_init(&zone, 4096));
	unpack(data, size, &zone, &in);
	unpack(canonical->data, canonical->len, &zone, &out);
	for (uint32_t i = 0; i < out.via.map.size; i++) {
		const msgpack_object_kv *kv = &out.via.map.ptr[i];
		const msgpack_object *was = value(&in, &kv->key);
		bool seq = kv->key.via.str.size == 3 && !memcmp(kv->key.via.str.ptr, "seq", 3);
		if (was && !seq)
			same(was, &kv->val);
	}
	msgpack_zone_destroy(&zone);
}

static void decoded(const uint8_t *data, size_t size)
{
	struct arena scratch = { 0 };
	struct buf json = { 0 }, again = { 0 };
	struct tw_event ev, back;
	size_t len = event_decode(&ev, data, size, names, &scratch);
	MUST(len <= size && len <= EVENT_MAX_BYTES);
	MUST(event_decode(&back, data, size, NULL, NULL) == len);
	if (len) {
		MUST(event_decode(&back, data, len, NULL, NULL) == len);
		MUST(event_kind(data) == ev.kind && event_ts(data) == ev.ts && event_seq(data) == ev.seq);
		MUST(ev.raw == data && ev.raw_len == len);
		MUST(event_json(&json, &ev, names) == TW_OK);
		/* broken UTF-8 grows when it is repaired, so an event may become too large, but nothing worse */
		int32_t rc = event_encode(&again, &ev, names);
		MUST(rc == TW_OK || rc == TW_E_DATA);
		if (rc == TW_OK)
			MUST(event_decode(&back, again.data, again.len, names, NULL) == again.len);
	}
	buf_free(&json);
	buf_free(&again);
	arena_free(&scratch);
}

static void foreign(const uint8_t *data, size_t size)
{
	struct buf out = { 0 }, twice = { 0 };
	struct arena scratch = { 0 };
	struct tw_event ev;
	struct tw_err e;
	const char *word = event_canonical(&out, data, size, &e);
	if (word) {
		MUST(out.len == 0 && e.code == TW_E_DATA && e.msg[0]);
	} else {
		MUST(event_decode(&ev, out.data, out.len, NULL, &scratch) == out.len);
		MUST(ev.seq == 0);
		MUST(event_canonical(&twice, out.data, out.len, &e) == NULL);
		MUST(twice.len == out.len && !memcmp(twice.data, out.data, out.len));
		compare(data, size, &out);
	}
	buf_free(&out);
	buf_free(&twice);
	arena_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (names && intern_full(names)) {
		intern_free(names);
		names = NULL;
	}
	if (!names)
		names = intern_new(10000);
	MUST(names);
	decoded(data, size);
	foreign(data, size);
	return 0;
}
