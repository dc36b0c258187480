/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the lines of `tape export`, or of whoever writes such lines: JSON to msgpack, which goes through the same
 * gate as the events of a broker.
 */
#include "base/err.h"
#include "base/suggest.h"
#include "event/tape_line.h"

#include <jansson.h>
#include <msgpack.h>
#include <string.h>

#define REFUSE(...) return err_set(e, TW_E_DATA, __VA_ARGS__)

static void pack_text(msgpack_packer *to, const char *s, size_t len)
{
	msgpack_pack_str(to, len);
	msgpack_pack_str_body(to, s, len);
}

/* RFC 3339, or ns since 1970. */
static int32_t read_time(const char *name, const json_t *v, int64_t *ret, struct tw_err *e)
{
	const char *s = json_string_value(v);

	if (json_is_integer(v)) {
		*ret = json_integer_value(v);
		return TW_OK;
	}
	if (!s || moment_parse(s, ret) < 0)
		REFUSE("%s is no time: expected a text such as 2026-01-31T10:30:00Z, or ns since 1970", name);
	return TW_OK;
}

static int32_t read_digits(const char *name, const json_t *v, uint64_t *ret, struct tw_err *e)
{
	const char *s = json_string_value(v);
	uint64_t n = 0;

	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		*ret = (uint64_t)json_integer_value(v);
		return TW_OK;
	}
	for (; s && *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
			REFUSE("%s is too large for 64 bits", name);
	if (!s || *s || s == json_string_value(v))
		REFUSE("%s is no whole number from 0 up", name);
	*ret = n;
	return TW_OK;
}

/* A value as it stands; what it must be is event_canonical()'s business. */
static int32_t pack_plain(msgpack_packer *to, const char *name, const json_t *v, struct tw_err *e)
{
	const json_t *inf;

	switch (json_typeof(v)) {
	case JSON_STRING:
		pack_text(to, json_string_value(v), json_string_length(v));
		return TW_OK;
	case JSON_INTEGER:
		msgpack_pack_int64(to, json_integer_value(v));
		return TW_OK;
	case JSON_REAL:
		msgpack_pack_double(to, json_real_value(v));
		return TW_OK;
	case JSON_NULL:
		msgpack_pack_nil(to);
		return TW_OK;
	case JSON_OBJECT:
		inf = json_object_get(v, "inf");
		if (json_object_size(v) == 1 && json_is_integer(inf) &&
		    (json_integer_value(inf) == 1 || json_integer_value(inf) == -1)) {
			msgpack_pack_double(to, json_integer_value(inf) > 0 ? HUGE_VAL : -HUGE_VAL);
			return TW_OK;
		}
		REFUSE("%s holds an object: expected a number, a text, or {\"inf\":1}", name);
	case JSON_ARRAY:
		REFUSE("%s holds a list: expected a number or a text", name);
	default:
		REFUSE("%s is true or false: expected a number or a text", name);
	}
}

static int32_t pack_features(msgpack_packer *to, const char *name, const json_t *v, struct tw_err *e)
{
	int32_t rc = TW_OK;

	if (!json_is_array(v))
		REFUSE("%s is no list of numbers", name);
	msgpack_pack_array(to, json_array_size(v));
	for (size_t i = 0; i < json_array_size(v) && rc == TW_OK; i++)
		rc = pack_plain(to, name, json_array_get(v, i), e);
	return rc;
}

static int32_t pack_members(msgpack_packer *to, const json_t *object, struct tw_err *e)
{
	json_t *o = (json_t *)(uintptr_t)object, *member; /* walking does not change it */
	const char *name;
	int32_t rc = TW_OK;

	json_object_foreach(o, name, member)
	{
		pack_text(to, name, strlen(name));
		rc = pack_plain(to, "details", member, e);
		if (rc != TW_OK)
			return rc;
	}
	return rc;
}

static int32_t pack_details(msgpack_packer *to, const char *name, const json_t *v, struct tw_err *e)
{
	int32_t rc = TW_OK;

	if (json_is_object(v)) {
		msgpack_pack_map(to, json_object_size(v));
		return pack_members(to, v, e);
	}
	if (!json_is_array(v))
		REFUSE("%s is no object of numbers and texts", name);
	msgpack_pack_map(to, json_array_size(v));
	for (size_t i = 0; i < json_array_size(v) && rc == TW_OK; i++) {
		if (json_object_size(json_array_get(v, i)) != 1) /* 0 for what is no object */
			REFUSE("%s: a list of details has objects of one name each", name);
		rc = pack_members(to, json_array_get(v, i), e);
	}
	return rc;
}

static int32_t pack_field(msgpack_packer *to, const struct field *f, const json_t *v, struct tw_err *e)
{
	uint64_t u;
	int64_t ts;
	int32_t rc;

	if (json_is_null(v))
		return pack_plain(to, f->name, v, e);
	if (f->type == FIELD_F64S)
		return pack_features(to, f->name, v, e);
	if (f->type == FIELD_DETAILS)
		return pack_details(to, f->name, v, e);
	if (f->type == FIELD_U64) {
		rc = read_digits(f->name, v, &u, e);
		if (rc == TW_OK)
			msgpack_pack_uint64(to, u);
		return rc;
	}
	if (f->flags & FIELD_IS_TIME) {
		rc = read_time(f->name, v, &ts, e);
		if (rc == TW_OK)
			msgpack_pack_int64(to, ts);
		return rc;
	}
	return pack_plain(to, f->name, v, e);
}

static int32_t unknown_name(const struct kind *k, const char *name, struct tw_err *e)
{
	const char *words[32];
	uint32_t n = 0;
	const char *near;

	words[n++] = "ts";
	words[n++] = "seq";
	words[n++] = "tape_source";
	for (uint32_t i = 0; i < k->n_fields && n < 32; i++)
		words[n++] = k->fields[i].name;
	near = nearest(name, words, n);
	if (near)
		REFUSE("a %s has no '%.60s'; did you mean '%s'?", k->name, name, near);
	REFUSE("a %s has no '%.60s'", k->name, name);
}

static int32_t read_source(struct tape_line *ret, const json_t *v, struct tw_err *e)
{
	if (!json_is_string(v) || !json_string_length(v) || json_string_length(v) > EVENT_MAX_NAME)
		REFUSE("tape_source is no text of 1 to %u bytes", EVENT_MAX_NAME);
	memcpy(ret->source, json_string_value(v), json_string_length(v) + 1);
	return TW_OK;
}

/* Everything but seq and tape_source, which are the tape's. */
static int32_t pack_event(msgpack_packer *to, struct tape_line *ret, json_t *object, const struct kind *k,
			  struct tw_err *e)
{
	size_t own = (json_object_get(object, "seq") ? 1u : 0u) + (json_object_get(object, "tape_source") ? 1u : 0u);
	const char *name;
	json_t *v;
	int64_t ts;
	int32_t rc = TW_OK;

	msgpack_pack_map(to, json_object_size(object) - own);
	json_object_foreach(object, name, v)
	{
		const struct field *f = field_named(k, name, strlen(name));

		if (strcmp(name, "seq") == 0) {
			ret->numbered = true;
			rc = read_digits(name, v, &ret->seq, e);
		} else if (strcmp(name, "tape_source") == 0) {
			rc = read_source(ret, v, e);
		} else {
			pack_text(to, name, strlen(name));
			if (strcmp(name, "kind") == 0) {
				pack_text(to, k->name, strlen(k->name));
			} else if (strcmp(name, "ts") == 0) {
				rc = read_time(name, v, &ts, e);
				if (rc == TW_OK)
					msgpack_pack_int64(to, ts);
			} else {
				rc = f ? pack_field(to, f, v, e) : unknown_name(k, name, e);
			}
		}
		if (rc != TW_OK)
			return rc;
	}
	return rc;
}

static int32_t find_kind(const json_t *object, const struct kind **ret, struct tw_err *e)
{
	const char *name = json_string_value(json_object_get(object, "kind"));

	if (!json_is_object(object))
		REFUSE("the line is no JSON object");
	*ret = name ? kind_named(name, strlen(name)) : NULL;
	if (!*ret)
		REFUSE("kind is %s%.40s%s: expected one of tapewatch's, such as quote", name ? "'" : "absent",
		       name ? name : "", name ? "'" : "");
	return TW_OK;
}

int32_t tape_line_read(struct buf *out, struct tape_line *ret, const char *line, size_t len, struct tw_err *e)
{
	const struct kind *k = NULL;
	struct tape_line read = { 0 };
	msgpack_sbuffer bytes;
	msgpack_packer packer;
	json_error_t wrong;
	json_t *object;
	int32_t rc;

	if (len > TAPE_LINE_MAX)
		REFUSE("the line has %zu bytes: expected at most %u", len, TAPE_LINE_MAX);
	object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &wrong);
	if (!object)
		REFUSE("at byte %d: %s", wrong.position, wrong.text);
	msgpack_sbuffer_init(&bytes);
	msgpack_packer_init(&packer, &bytes, msgpack_sbuffer_write);
	rc = find_kind(object, &k, e);
	if (rc == TW_OK)
		rc = pack_event(&packer, &read, object, k, e);
	if (rc == TW_OK && event_canonical(out, bytes.data, bytes.size, e))
		rc = TW_E_DATA;
	if (rc == TW_OK)
		*ret = read;
	msgpack_sbuffer_destroy(&bytes);
	json_decref(object);
	return rc;
}
