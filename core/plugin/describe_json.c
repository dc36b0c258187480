/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin's description as JSON for programs.
 */
#include "base/format.h"
#include "event/event.h"
#include "plugin/describe.h"
#include "plugin/internal.h"
#include <math.h>
#include <string.h>

static int32_t text(struct buf *out, const char *s)
{
	return json_text(out, s, strlen(s));
}

static int32_t member(struct buf *out, const char *name, const char *value)
{
	int32_t rc = buf_addf(out, ",\"%s\":", name);

	return rc | text(out, value);
}

/* A default, a least or a greatest value in JSON. It is parsed as the configuration would be, so that "2.50" and "1e9"
 * become numbers of JSON; what has no such form stays a string. */
static int32_t value(struct buf *out, const char *name, const struct tw_option *o, const char *s)
{
	struct tw_option bare = *o;
	struct arena scratch = { 0 };
	char number[32];
	int32_t rc;
	union {
		int64_t i;
		double f;
	} v = { 0 };

	bare.offset = 0;
	bare.min = bare.max = NULL;
	switch (o->type) {
	case TW_T_INT:
		if (option_parse(&bare, s, &v, &scratch))
			break;
		rc = buf_addf(out, ",\"%s\":%" PRId64, name, v.i);
		goto out;
	case TW_T_FLOAT:
		if (option_parse(&bare, s, &v, &scratch) || !isfinite(v.f))
			break;
		format_double(number, v.f);
		rc = buf_addf(out, ",\"%s\":%s", name, number);
		goto out;
	case TW_T_BOOL:
		if (option_parse(&bare, s, &v, &scratch))
			break;
		rc = buf_addf(out, ",\"%s\":%s", name, v.i ? "true" : "false");
		goto out;
	default:
		break;
	}
	rc = member(out, name, s);
out:
	arena_free(&scratch);
	return rc;
}

/* A range: numbers in JSON schema's own words, durations and sizes in ours, because they are written as text. */
static int32_t range(struct buf *out, const struct tw_option *o)
{
	const bool number = o->type == TW_T_INT || o->type == TW_T_FLOAT;
	int32_t rc = 0;

	if (o->min)
		rc |= value(out, number ? "minimum" : "x-minimum", o, o->min);
	if (o->max)
		rc |= value(out, number ? "maximum" : "x-maximum", o, o->max);
	return rc;
}

static int32_t enum_names(struct buf *out, const char *names)
{
	int32_t rc = buf_addf(out, "\"type\":\"string\",\"enum\":[");

	for (const char *s = names;;) {
		size_t len = strcspn(s, "|");

		rc |= json_text(out, s, len);
		if (!s[len])
			break;
		rc |= buf_add(out, ",", 1);
		s += len + 1;
	}
	return rc | buf_add(out, "]", 1);
}

/* The default of a list is one text, or "[a, b]", as in the configuration; JSON schema gets it as a comment only. */
static int32_t option(struct buf *out, const struct tw_option *o)
{
	static const char *const types[] = {
		[TW_T_INT] = "\"type\":\"integer\"",
		[TW_T_FLOAT] = "\"type\":\"number\"",
		[TW_T_BOOL] = "\"type\":\"boolean\"",
		[TW_T_STRING] = "\"type\":\"string\"",
		[TW_T_DURATION] = "\"type\":\"string\",\"x-type\":\"duration\"",
		[TW_T_SIZE] = "\"type\":\"string\",\"x-type\":\"size\"",
		[TW_T_LIST] = "\"type\":[\"array\",\"string\"],\"items\":{\"type\":\"string\"}",
		[TW_T_MAP] = "\"type\":[\"object\",\"array\"],\"x-type\":\"map\"",
		[TW_T_SECRET] = "\"type\":\"string\",\"writeOnly\":true,\"x-type\":\"secret\"",
	};
	int32_t rc = text(out, o->name);

	rc |= buf_addf(out, ":{");
	rc |= o->type == TW_T_ENUM ? enum_names(out, o->min) : buf_addf(out, "%s", types[o->type]);
	if (o->type != TW_T_ENUM)
		rc |= range(out, o);
	if (o->def != TW_REQUIRED && o->type != TW_T_SECRET && (*o->def || o->type == TW_T_STRING))
		rc |= value(out, o->type == TW_T_LIST || o->type == TW_T_MAP ? "x-default" : "default", o, o->def);
	rc |= member(out, "description", o->help);
	return rc | buf_add(out, "}", 1);
}

static int32_t options(struct buf *out, const struct plugin *p)
{
	int32_t rc = buf_addf(out, ",\"options\":{\"type\":\"object\",\"properties\":{");
	bool any = false;

	for (uint32_t i = 0; p->options && plugin_option(p, i).type != TW_T_END; i++) {
		const struct tw_option o = plugin_option(p, i);

		if (i > 0)
			rc |= buf_add(out, ",", 1);
		rc |= option(out, &o);
	}
	rc |= buf_addf(out, "},\"required\":[");
	for (uint32_t i = 0; p->options && plugin_option(p, i).type != TW_T_END; i++) {
		const struct tw_option o = plugin_option(p, i);

		if (o.def != TW_REQUIRED)
			continue;
		if (any)
			rc |= buf_add(out, ",", 1);
		rc |= text(out, o.name);
		any = true;
	}
	return rc | buf_addf(out, "],\"additionalProperties\":false}");
}

static int32_t kinds(struct buf *out, const char *name, uint32_t bits)
{
	int32_t rc = buf_addf(out, ",\"%s\":[", name);
	bool any = false;

	for (uint32_t i = 0; i < EVENT_KINDS; i++) {
		if (!(bits & event_kinds[i].bit))
			continue;
		if (any)
			rc |= buf_add(out, ",", 1);
		rc |= text(out, event_kinds[i].name);
		any = true;
	}
	return rc | buf_add(out, "]", 1);
}

static int32_t detector(struct buf *out, const struct plugin *p)
{
	const struct tw_detector *d = &p->detector;
	int32_t rc = d->key ? member(out, "key", d->key) : buf_addf(out, ",\"key\":null");

	rc |= buf_addf(out, ",\"free_key\":%s", p->flags & TW_FREE_KEY ? "true" : "false");
	rc |= kinds(out, "kinds", d->kinds);
	rc |= kinds(out, "emits", d->emits);
	if (d->state_size_of) /* depends on the options */
		rc |= buf_addf(out, ",\"state_size\":null");
	else
		rc |= buf_addf(out, ",\"state_size\":%u", d->state_size);
	rc |= buf_addf(out, ",\"state_version\":%u,\"counters\":[", d->state_version);
	for (uint32_t i = 0; d->counters && d->counters[i]; i++) {
		if (i > 0)
			rc |= buf_add(out, ",", 1);
		rc |= text(out, d->counters[i]);
	}
	return rc | buf_add(out, "]", 1);
}

int32_t plugin_describe_json(const struct plugin *p, struct buf *out)
{
	const size_t before = out->len;
	int32_t rc = buf_addf(out, "{\"kind\":\"%s\"", plugin_kind_names[p->kind]);

	rc |= member(out, "name", p->name);
	rc |= member(out, "version", p->version);
	rc |= member(out, "summary", p->summary);
	rc |= member(out, "doc", p->doc);
	rc |= member(out, "file", p->file);
	if (p->kind == PLUGIN_DETECTOR)
		rc |= detector(out, p);
	rc |= options(out, p);
	rc |= buf_add(out, "}", 1);
	if (rc) {
		out->len = before;
		return TW_E_FATAL;
	}
	return TW_OK;
}
