/* SPDX-License-Identifier: Apache-2.0
 *
 * One record as one line of JSON. What is absent (NaN, no text) is left out; so is infinity, which JSON cannot say.
 */
#include "jsonl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void text_reset(struct text *t)
{
	t->len = 0;
	t->failed = false;
}

void text_free(struct text *t)
{
	free(t->data);
	*t = (struct text){ 0 };
}

static void add(struct text *t, const char *s, size_t n)
{
	if (t->failed)
		return;
	if (n > t->cap - t->len) {
		size_t cap = (t->cap ? t->cap : 4096);
		while (cap - t->len < n)
			cap *= 2;
		char *data = realloc(t->data, cap);
		if (!data) {
			t->failed = true;
			return;
		}
		t->data = data;
		t->cap = cap;
	}
	memcpy(t->data + t->len, s, n);
	t->len += n;
}

static void adds(struct text *t, const char *s)
{
	add(t, s, strlen(s));
}

/* Bytes of the valid UTF-8 sequence at s, or 0: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
static size_t utf8_len(const unsigned char *s, size_t n)
{
	size_t len = s[0] < 0x80                    ? 1
		     : s[0] >= 0xc2 && s[0] <= 0xdf ? 2
		     : (s[0] & 0xf0) == 0xe0        ? 3
		     : s[0] <= 0xf4                 ? 4
						    : 0;
	if (s[0] >= 0x80 && s[0] < 0xc2)
		return 0;
	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static void add_string(struct text *t, const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t plain = 0; /* where the run of bytes that need no escape begins */
	add(t, "\"", 1);
	for (size_t i = 0; i < n;) {
		size_t len = utf8_len(s + i, n - i);
		if (len && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' && s[i] != 0x7f) {
			i += len;
			continue;
		}
		add(t, text + plain, i - plain);
		char esc[8];
		if (!len)
			adds(t, "\xef\xbf\xbd");
		else if (s[i] == '\n')
			adds(t, "\\n");
		else if (s[i] == '\t')
			adds(t, "\\t");
		else if (s[i] == '"' || s[i] == '\\')
			add(t, (char[]){ '\\', (char)s[i] }, 2);
		else
			add(t, esc, (size_t)snprintf(esc, sizeof esc, "\\u%04x", s[i]));
		plain = ++i;
	}
	add(t, text + plain, n - plain);
	add(t, "\"", 1);
}

static void add_key(struct text *t, const char *name)
{
	add(t, ",\"", 2);
	adds(t, name);
	add(t, "\":", 2);
}

/* The shortest of 15, 16 and 17 digits that reads back as the same number. */
static void add_double(struct text *t, double v)
{
	char out[32];
	int n = 0;
	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(out, sizeof out, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			break;
	}
	add(t, out, (size_t)n);
}

static void field_double(struct text *t, const char *name, double v)
{
	if (!isfinite(v))
		return;
	add_key(t, name);
	add_double(t, v);
}

static void field_unsigned(struct text *t, const char *name, uint64_t v)
{
	char out[24];
	if (!v)
		return;
	add_key(t, name);
	add(t, out, (size_t)snprintf(out, sizeof out, "%" PRIu64, v));
}

static void field_text(struct text *t, const char *name, struct tw_str s)
{
	if (!s.s || !s.len)
		return;
	add_key(t, name);
	add_string(t, s.s, s.len);
}

static void field_name(struct text *t, const char *name, uint32_t id, const struct tw_host *host)
{
	const char *s = host->name(host, id);
	if (id && s && *s)
		field_text(t, name, (struct tw_str){ s, (uint32_t)strlen(s), 0 });
}

/* RFC 3339 with all nine digits of the nanoseconds, so that the texts sort as the times do. */
static void add_time(struct text *t, int64_t ts)
{
	char out[64], day[32];
	struct tm tm;
	int64_t ns = ts % 1000000000;
	time_t s = (time_t)(ts / 1000000000);
	if (ns < 0) {
		ns += 1000000000;
		s--;
	}
	gmtime_r(&s, &tm);
	strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
	add(t, out, (size_t)snprintf(out, sizeof out, "\"%s.%09" PRId64 "Z\"", day, ns));
}

static void add_alert(struct text *t, const struct tw_alert *a)
{
	static const char *const severities[] = { NULL, "info", "low", "medium", "high", "critical" };

	field_text(t, "id", a->id);
	field_text(t, "detector", a->detector);
	field_text(t, "version", a->version);
	field_text(t, "config", a->config);
	field_text(t, "symbol", a->symbol);
	field_text(t, "account", a->account);
	field_text(t, "type", a->type);
	if (a->severity > TW_SEVERITY_NONE && a->severity <= TW_CRITICAL) {
		const char *name = severities[a->severity];
		field_text(t, "severity", (struct tw_str){ name, (uint32_t)strlen(name), 0 });
	}
	field_double(t, "score", a->score);
	field_double(t, "p_value", a->p_value);
	field_double(t, "value", a->value);
	field_double(t, "expected", a->expected);
	field_double(t, "threshold", a->threshold);
	field_text(t, "reason", a->reason);
	field_unsigned(t, "evidence_from", a->evidence_from);
	field_unsigned(t, "evidence_to", a->evidence_to);
	if (!a->n_details)
		return;
	add_key(t, "details");
	bool first = true;
	for (uint32_t i = 0; i < a->n_details; i++) {
		const struct tw_detail *d = &a->details[i];
		if (!d->text.s && !isfinite(d->number))
			continue;
		add(t, first ? "{" : ",", 1);
		first = false;
		add_string(t, d->name.s ? d->name.s : "", d->name.s ? d->name.len : 0);
		add(t, ":", 1);
		if (d->text.s)
			add_string(t, d->text.s, d->text.len);
		else
			add_double(t, d->number);
	}
	adds(t, first ? "{}" : "}");
}

static void add_score(struct text *t, const struct tw_score *s, const struct tw_host *host)
{
	field_text(t, "detector", s->detector);
	field_name(t, "symbol", s->symbol, host);
	field_name(t, "account", s->account, host);
	field_double(t, "score", s->score);
	field_double(t, "p_value", s->p_value);
	if (!s->n_features)
		return;
	add_key(t, "features");
	for (uint32_t i = 0; i < s->n_features; i++) {
		add(t, i ? "," : "[", 1);
		if (isfinite(s->features[i]))
			add_double(t, s->features[i]);
		else
			adds(t, "null"); /* the place in the list counts */
	}
	add(t, "]", 1);
}

void text_record(struct text *t, const struct tw_event *ev, const struct tw_host *host)
{
	adds(t, ev->kind == TW_ALERT ? "{\"kind\":\"alert\",\"ts\":" : "{\"kind\":\"score\",\"ts\":");
	add_time(t, ev->ts);
	field_unsigned(t, "seq", ev->seq);
	if (ev->kind == TW_ALERT)
		add_alert(t, &ev->alert);
	else
		add_score(t, &ev->score, host);
	add(t, "}\n", 2);
}
