/* SPDX-License-Identifier: Apache-2.0
 *
 * Events as JSON, one object each, for people and their tools: fields in wire order, what is absent is left out.
 */
#include "base/format.h"
#include "event/utf8.h"
#include "event/wire.h"

static unsigned char *escape(unsigned char *o, unsigned c)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
	*o++ = '\\';
	if (c == '"' || c == '\\') {
		*o++ = (unsigned char)c;
	} else if (c < sizeof letters && letters[c]) {
		*o++ = (unsigned char)letters[c];
	} else {
		memcpy(o, "u00", 3);
		o[3] = (unsigned char)hex[c >> 4 & 15];
		o[4] = (unsigned char)hex[c & 15];
		o += 5;
	}
	return o;
}

int32_t json_text(struct buf *out, const char *s, size_t len)
{
	if (len > (SIZE_MAX - 2) / 6)
		return TW_E_FATAL;
	unsigned char *start = buf_reserve(out, 6 * len + 2), *o = start;
	if (!o)
		return TW_E_FATAL;
	*o++ = '"';
	for (size_t i = 0; i < len;) {
		unsigned c = (unsigned char)s[i], n;
		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			*o++ = (unsigned char)c;
			i++;
		} else if (c < 0x80) {
			o = escape(o, c);
			i++;
		} else if ((n = utf8_char(s + i, len - i)) != 0) {
			memcpy(o, s + i, n);
			o += n;
			i += n;
		} else {
			memcpy(o, "\xef\xbf\xbd", 3);
			o += 3;
			i++;
		}
	}
	*o++ = '"';
	out->len += (size_t)(o - start);
	return TW_OK;
}

static int32_t add(struct buf *out, const char *s, size_t n)
{
	return buf_add(out, s, n) ? TW_E_FATAL : TW_OK;
}

static int32_t add_text(struct buf *out, struct tw_str t)
{
	return json_text(out, t.s, t.len);
}

static int32_t add_name(struct buf *out, const char *name)
{
	size_t len = strlen(name);
	unsigned char *o = buf_reserve(out, len + 4);
	if (!o)
		return TW_E_FATAL;
	memcpy(o, ",\"", 2);
	memcpy(o + 2, name, len);
	memcpy(o + 2 + len, "\":", 2);
	out->len += len + 4;
	return TW_OK;
}

static int32_t add_double(struct buf *out, double v)
{
	char text[32];
	return add(out, text, (size_t)format_double(text, v));
}

static int32_t add_unsigned(struct buf *out, uint64_t v)
{
	char text[20], *p = text + sizeof text;
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	return add(out, p, (size_t)(text + sizeof text - p));
}

static int32_t add_signed(struct buf *out, int64_t v)
{
	if (v < 0 && add(out, "-", 1))
		return TW_E_FATAL;
	return add_unsigned(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* Beyond the years that RFC 3339 can write, format_time() gives a plain number, which needs no quotes. */
static int32_t add_time(struct buf *out, int64_t ts)
{
	char text[42] = "\"";
	int n = format_time(text + 1, ts);
	if (text[n] != 'Z')
		return add(out, text + 1, (size_t)n);
	text[n + 1] = '"';
	return add(out, text, (size_t)n + 2);
}

static int32_t add_features(struct buf *out, const struct tw_score *s)
{
	if (add(out, "[", 1))
		return TW_E_FATAL;
	for (uint32_t i = 0; i < s->n_features; i++) {
		if (i && add(out, ",", 1))
			return TW_E_FATAL;
		/* a place in a list cannot be left out */
		if (isfinite(s->features[i]) ? add_double(out, s->features[i]) : add(out, "null", 4))
			return TW_E_FATAL;
	}
	return add(out, "]", 1);
}

static int32_t add_details(struct buf *out, const struct tw_alert *a)
{
	bool first = true;
	if (add(out, "{", 1))
		return TW_E_FATAL;
	for (uint32_t i = 0; i < a->n_details; i++) {
		const struct tw_detail *d = &a->details[i];
		if (!d->text.s && !isfinite(d->number))
			continue;
		if ((!first && add(out, ",", 1)) || add_text(out, d->name) || add(out, ":", 1) ||
		    (d->text.s ? add_text(out, d->text) : add_double(out, d->number)))
			return TW_E_FATAL;
		first = false;
	}
	return add(out, "}", 1);
}

static bool none(const struct field *f, uint64_t v)
{
	return (f->flags & FIELD_ZERO_NONE && v == 0) || (f->flags & FIELD_MINUS_NONE && v == UINT64_MAX);
}

/* One field with its name in front, or nothing when it is absent. */
static int32_t add_field(struct buf *out, const struct tw_event *ev, const struct field *f, const struct intern *in)
{
	const char *at = (const char *)ev + f->offset;
	struct tw_str text;
	uint64_t u;
	uint32_t id;
	double d;

	switch (f->type) {
	case FIELD_F64:
		memcpy(&d, at, sizeof d);
		return isfinite(d) ? add_name(out, f->name) || add_double(out, d) : TW_OK;
	case FIELD_I64:
		memcpy(&u, at, sizeof u);
		if (none(f, u))
			return TW_OK;
		return add_name(out, f->name) ||
		       (f->flags & FIELD_IS_TIME ? add_time(out, (int64_t)u) : add_signed(out, (int64_t)u));
	case FIELD_U64:
		memcpy(&u, at, sizeof u);
		return none(f, u) ? TW_OK : add_name(out, f->name) || add_unsigned(out, u);
	case FIELD_NAME:
		memcpy(&id, at, sizeof id);
		if (!id || !in)
			return TW_OK;
		return add_name(out, f->name) || json_text(out, intern_name(in, id), intern_len(in, id));
	case FIELD_ENUM:
		memcpy(&id, at, sizeof id);
		if (!id || id >= f->n_names)
			return TW_OK;
		return add_name(out, f->name) || json_text(out, f->names[id], strlen(f->names[id]));
	case FIELD_TEXT:
		memcpy(&text, at, sizeof text);
		return text.s && text.len ? add_name(out, f->name) || add_text(out, text) : TW_OK;
	case FIELD_F64S:
		return ev->score.n_features ? add_name(out, f->name) || add_features(out, &ev->score) : TW_OK;
	case FIELD_DETAILS:
		return ev->alert.n_details ? add_name(out, f->name) || add_details(out, &ev->alert) : TW_OK;
	default:
		return TW_OK;
	}
}

int32_t event_json(struct buf *out, const struct tw_event *ev, const struct intern *in)
{
	const struct kind *k = kind_of(ev->kind);
	if (!k)
		return TW_E_DATA;
	size_t before = out->len;
	int32_t bad = add(out, "{\"kind\":\"", 9) || add(out, k->name, strlen(k->name)) || add(out, "\",\"ts\":", 7) ||
		      add_time(out, ev->ts) || add(out, ",\"seq\":", 7) || add_unsigned(out, ev->seq);
	for (uint32_t i = 0; i < k->n_fields && !bad; i++)
		bad = add_field(out, ev, &k->fields[i], in);
	if (bad || add(out, "}", 1)) {
		out->len = before;
		return TW_E_FATAL;
	}
	return TW_OK;
}
