/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing the lines of `tape export`.
 */
#include "event/tape_line.h"
#include "base/format.h"

#include <inttypes.h>
#include <string.h>

#define FEW_DETAILS 64u /* so many are compared with each other; more are written as a list, which needs no look */

static int add_double(struct buf *out, double v)
{
	char text[40];
	int n;

	if (isnan(v))
		return buf_addf(out, "null");
	if (isinf(v))
		return buf_addf(out, "{\"inf\":%d}", v > 0 ? 1 : -1);
	n = format_double(text, v);
	return buf_add(out, text, (size_t)n) | (strpbrk(text, ".e") ? 0 : buf_add(out, ".0", 2));
}

/* As a plain number beyond the years that RFC 3339 can write. */
static int add_time(struct buf *out, int64_t ts)
{
	char text[40];
	int n = format_time(text, ts);

	return buf_addf(out, text[n - 1] == 'Z' ? "\"%s\"" : "%s", text);
}

static int add_text(struct buf *out, const char *s, size_t len)
{
	return json_text(out, s, len) < 0 ? -1 : 0;
}

static int add_features(struct buf *out, const struct tw_score *s)
{
	int bad = 0;

	for (uint32_t i = 0; i < s->n_features; i++) {
		bad |= buf_add(out, i ? "," : "[", 1);
		bad |= add_double(out, s->features[i]);
	}
	return bad | buf_add(out, "]", 1);
}

static bool has_twins(const struct tw_alert *a)
{
	if (a->n_details > FEW_DETAILS)
		return true;
	for (uint32_t i = 0; i < a->n_details; i++)
		for (uint32_t k = 0; k < i; k++)
			if (a->details[i].name.len == a->details[k].name.len &&
			    memcmp(a->details[i].name.s, a->details[k].name.s, a->details[i].name.len) == 0)
				return true;
	return false;
}

static int add_details(struct buf *out, const struct tw_alert *a)
{
	bool list = has_twins(a);
	int bad = buf_add(out, list ? "[" : "{", 1);

	for (uint32_t i = 0; i < a->n_details; i++) {
		const struct tw_detail *d = &a->details[i];

		bad |= buf_addf(out, "%s%s", i ? "," : "", list ? "{" : "");
		bad |= add_text(out, d->name.s, d->name.len) | buf_add(out, ":", 1);
		bad |= d->text.s ? add_text(out, d->text.s, d->text.len) : add_double(out, d->number);
		if (list)
			bad |= buf_add(out, "}", 1);
	}
	return bad | buf_add(out, list ? "]" : "}", 1);
}

static int add_integer(struct buf *out, const struct field *f, uint64_t u)
{
	if (f->flags & FIELD_IS_TIME)
		return add_time(out, (int64_t)u);
	if (f->type == FIELD_I64)
		return buf_addf(out, "%" PRId64, (int64_t)u);
	return buf_addf(out, u > INT64_MAX ? "\"%" PRIu64 "\"" : "%" PRIu64, u);
}

int tape_value_put(struct buf *out, const struct tw_event *ev, const struct field *f, const struct intern *in,
		   bool *present)
{
	const char *at = (const char *)ev + f->offset;
	struct tw_str text = { 0 };
	uint64_t u;
	uint32_t id;
	double d;

	*present = true;
	switch ((enum field_type)f->type) {
	case FIELD_F64:
		memcpy(&d, at, sizeof d);
		*present = !isnan(d);
		return *present ? add_double(out, d) : 0;
	case FIELD_I64:
	case FIELD_U64:
		memcpy(&u, at, sizeof u);
		*present =
			!((f->flags & FIELD_ZERO_NONE && u == 0) || (f->flags & FIELD_MINUS_NONE && u == UINT64_MAX));
		return *present ? add_integer(out, f, u) : 0;
	case FIELD_NAME:
		memcpy(&id, at, sizeof id);
		text = (struct tw_str){ intern_name(in, id), intern_len(in, id), 0 };
		break;
	case FIELD_ENUM:
		memcpy(&id, at, sizeof id);
		if (id && id < f->n_names)
			text = (struct tw_str){ f->names[id], (uint32_t)strlen(f->names[id]), 0 };
		break;
	case FIELD_TEXT:
		memcpy(&text, at, sizeof text);
		break;
	case FIELD_F64S:
		*present = ev->score.n_features > 0;
		return *present ? add_features(out, &ev->score) : 0;
	case FIELD_DETAILS:
		*present = ev->alert.n_details > 0;
		return *present ? add_details(out, &ev->alert) : 0;
	}
	*present = text.s && text.len;
	return *present ? add_text(out, text.s, text.len) : 0;
}

int tape_line_put(struct buf *out, const struct tw_event *ev, const struct intern *in, const char *source)
{
	const struct kind *k = kind_of(ev->kind);
	int bad = buf_addf(out, "{\"kind\":\"%s\",\"ts\":", k->name);

	bad |= add_time(out, ev->ts);
	bad |= buf_addf(out, ev->seq > INT64_MAX ? ",\"seq\":\"%" PRIu64 "\"" : ",\"seq\":%" PRIu64, ev->seq);
	bad |= buf_addf(out, ",\"tape_source\":");
	bad |= add_text(out, source, strlen(source));
	for (uint32_t i = 0; i < k->n_fields; i++) {
		size_t before = out->len;
		bool present;

		bad |= buf_addf(out, ",\"%s\":", k->fields[i].name);
		bad |= tape_value_put(out, ev, &k->fields[i], in, &present);
		if (!present)
			out->len = before;
	}
	return bad | buf_add(out, "}", 1);
}
