/* SPDX-License-Identifier: Apache-2.0
 *
 * What is expected, from its line, and whether an event is that.
 */
#include "base/err.h"
#include "base/format.h"
#include "kit/line.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool kit_want_text(struct kit_want *w, const char *name, enum kit_op op, const char *text)
{
	struct kit_condition *c = &w->list[w->n];

	if (w->n == sizeof w->list / sizeof *w->list || strlen(name) >= sizeof c->name ||
	    strlen(text) >= sizeof c->text)
		return false;
	*c = (struct kit_condition){ .op = op };
	memcpy(c->name, name, strlen(name) + 1);
	memcpy(c->text, text, strlen(text) + 1);
	w->n++;
	return true;
}

bool kit_want_range(struct kit_want *w, const char *name, double from, double to)
{
	if (!kit_want_text(w, name, KIT_RANGE, ""))
		return false;
	w->list[w->n - 1].from = from;
	w->list[w->n - 1].to = to;
	return true;
}

static bool known_name(const char *name, uint32_t kind)
{
	for (uint32_t i = 0; i < EVENT_KINDS; i++)
		if ((!kind || event_kinds[i].bit == kind) && field_named(&event_kinds[i], name, strlen(name)))
			return true;
	return false;
}

static int32_t add_word(struct kit_want *w, char *word, bool *named, struct tw_err *e)
{
	char *op = word + strcspn(word, "=<>~"), *value;
	enum kit_op how = *op == '=' ? KIT_IS : *op == '>' ? KIT_LEAST : *op == '<' ? KIT_MOST : KIT_HAS;
	uint32_t kind = w->kind ? w->kind : TW_ALERT;

	if (!*op || op == word) {
		if (*named)
			return err_set(e, TW_E_CONFIG, "'%.60s' is not understood: expected FIELD=VALUE", word);
		*named = true;
		return kit_want_text(w, kit_name_field(kind_of(kind)), KIT_IS, word)
			       ? TW_OK
			       : err_set(e, TW_E_CONFIG, "'%.60s...' is too long", word);
	}
	value = op + 1;
	if (how == KIT_LEAST || how == KIT_MOST) {
		if (*value != '=')
			return err_set(e, TW_E_CONFIG, "'%.60s': expected >= or <=", word);
		value++;
	}
	*op = '\0';
	if (!known_name(word, w->kind) && !(kind == TW_ALERT && known_name(word, TW_SCORE)))
		return err_set(e, TW_E_CONFIG, "'%.40s' is no field of %s", word,
			       kind == TW_ALERT ? "an alert" : kind_of(kind)->name);
	if (!kit_want_text(w, word, how, value))
		return err_set(e, TW_E_CONFIG, "'%.60s...' is too long, or there are too many fields", word);
	return TW_OK;
}

int32_t kit_line_want(struct kit_want *ret, const char *line, int64_t start, bool with_kind, struct tw_err *e)
{
	char word[KIT_WORD] = "";
	bool named = false;
	const char *at = line;
	int32_t rc = TW_OK;
	int more = kit_word(&at, word, sizeof word);

	*ret = (struct kit_want){ .times = 1 };
	if (more == 1 && !with_kind && word[0] == 'x' && word[1] >= '1' && word[1] <= '9') {
		ret->times = (uint32_t)strtoul(word + 1, NULL, 10);
		more = kit_word(&at, word, sizeof word);
	}
	if (more == 1 && kit_is_time(word)) {
		ret->timed = true;
		(void)kit_when(word, start, start, &ret->at);
		more = kit_word(&at, word, sizeof word);
	}
	if (with_kind) {
		const struct kind *k = more == 1 ? kind_named(word, strlen(word)) : NULL;
		if (!k)
			return err_set(e, TW_E_CONFIG, "'%.60s': expected [TIME] KIND [NAME] [FIELD=VALUE]...", line);
		ret->kind = k->bit;
		more = kit_word(&at, word, sizeof word);
	}
	for (; rc == TW_OK && more == 1; more = rc == TW_OK ? kit_word(&at, word, sizeof word) : 0)
		rc = add_word(ret, word, &named, e);
	if (rc == TW_OK && more < 0)
		rc = err_set(e, TW_E_CONFIG, "'%.60s...': a word is too long, or a quote is not closed", line);
	return rc;
}

/* ---- looking ---- */

/* false: absent. */
static bool value_of(const struct tw_event *ev, const struct field *f, const struct intern *in, struct tw_str *text,
		     double *number, bool *is_text)
{
	const char *at = (const char *)ev + f->offset;
	uint32_t id;
	uint64_t u;

	*is_text = true;
	switch ((enum field_type)f->type) {
	case FIELD_F64:
		*is_text = false;
		memcpy(number, at, sizeof *number);
		return !isnan(*number);
	case FIELD_I64:
	case FIELD_U64:
		*is_text = false;
		memcpy(&u, at, sizeof u);
		*number = f->type == FIELD_I64 ? (double)(int64_t)u : (double)u;
		return !((f->flags & FIELD_ZERO_NONE && !u) || (f->flags & FIELD_MINUS_NONE && u == UINT64_MAX));
	case FIELD_NAME:
		memcpy(&id, at, sizeof id);
		*text = (struct tw_str){ .s = intern_name(in, id), .len = intern_len(in, id) };
		return id != 0;
	case FIELD_ENUM:
		memcpy(&id, at, sizeof id);
		if (!id || id >= f->n_names)
			return false;
		*text = (struct tw_str){ .s = f->names[id], .len = (uint32_t)strlen(f->names[id]) };
		return true;
	case FIELD_TEXT:
		memcpy(text, at, sizeof *text);
		return text->s && text->len;
	default:
		return false;
	}
}

static bool holds(const struct kit_condition *c, const struct tw_event *ev, const struct intern *in)
{
	const struct kind *k = kind_of(ev->kind);
	const struct field *f = field_named(k, c->name, strlen(c->name));
	struct tw_str text = { 0 };
	double number = 0, want = c->op == KIT_RANGE ? 0 : strtod(c->text, NULL);
	bool is_text;
	int64_t ns;

	if (!f)
		return false;
	if (!value_of(ev, f, in, &text, &number, &is_text))
		return c->op == KIT_IS && !*c->text;
	if (is_text) {
		if (c->op == KIT_IS)
			return strlen(c->text) == text.len && !memcmp(c->text, text.s, text.len);
		return c->op == KIT_HAS && memmem(text.s, text.len, c->text, strlen(c->text)) != NULL;
	}
	if (f->flags & FIELD_IS_TIME && kit_when(c->text, 0, ev->ts, &ns) == 0)
		want = (double)ns;
	else if (!strcmp(f->name, "interval") && kit_duration(c->text, &ns) == 0)
		want = (double)ns;
	switch (c->op) {
	case KIT_IS:
		return fabs(number - want) <= 1e-9 * fabs(want);
	case KIT_LEAST:
		return number >= want;
	case KIT_MOST:
		return number <= want;
	case KIT_RANGE:
		return number >= c->from && number <= c->to;
	default:
		return false;
	}
}

bool kit_matches(const struct kit_want *w, const struct tw_event *ev, const struct intern *in)
{
	if ((w->kind && w->kind != ev->kind) || (w->timed && w->at != ev->ts))
		return false;
	for (uint32_t i = 0; i < w->n; i++)
		if (!holds(&w->list[i], ev, in))
			return false;
	return true;
}

/* ---- showing ---- */

static void add_offset(struct buf *out, int64_t ts, int64_t start)
{
	char text[40];

	if (ts >= start && ts - start < INT64_C(400) * 86400 * 1000000000) {
		print_duration(text, ts - start);
		(void)buf_addf(out, "%s", text);
		return;
	}
	(void)buf_add(out, text, (size_t)format_time(text, ts));
}

static void add_word_text(struct buf *out, struct tw_str s)
{
	bool quote = !s.len;

	for (uint32_t i = 0; i < s.len; i++)
		quote |= s.s[i] == ' ' || s.s[i] == '=' || s.s[i] == '"' || s.s[i] == '\t';
	if (quote)
		(void)buf_add(out, "\"", 1);
	for (uint32_t i = 0; i < s.len && i < 300; i++) {
		if (s.s[i] == '"' || s.s[i] == '\\')
			(void)buf_add(out, "\\", 1);
		if ((unsigned char)s.s[i] < 0x20)
			(void)buf_addf(out, "\\x%02x", (unsigned char)s.s[i]);
		else
			(void)buf_add(out, &s.s[i], 1);
	}
	if (quote)
		(void)buf_add(out, "\"", 1);
}

/* Of an alert what the detector said, not what the host adds to it. */
static bool shown(const struct tw_event *ev, const struct field *f)
{
	static const char *const host[] = { "id", "detector", "version", "config", "evidence_from", "evidence_to" };

	for (size_t i = 0; ev->kind == TW_ALERT && i < sizeof host / sizeof *host; i++)
		if (!strcmp(f->name, host[i]))
			return false;
	return ev->kind != TW_SCORE || strcmp(f->name, "detector") != 0;
}

void kit_event_line(struct buf *out, const struct tw_event *ev, const struct intern *in, int64_t start)
{
	const struct kind *k = kind_of(ev->kind);
	const struct field *name = field_named(k, kit_name_field(k), strlen(kit_name_field(k)));
	struct tw_str text = { 0 };
	double number;
	bool is_text;

	add_offset(out, ev->ts, start);
	(void)buf_addf(out, " %s", k->name);
	if (name && value_of(ev, name, in, &text, &number, &is_text)) {
		(void)buf_add(out, " ", 1);
		add_word_text(out, text);
	}
	for (uint32_t i = 0; i < k->n_fields; i++) {
		const struct field *f = &k->fields[i];
		char digits[40];
		if (f == name || !shown(ev, f) || !value_of(ev, f, in, &text, &number, &is_text))
			continue;
		(void)buf_addf(out, " %s=", f->name);
		if (is_text) {
			add_word_text(out, text);
		} else if (f->flags & FIELD_IS_TIME) {
			add_offset(out, (int64_t)number, start);
		} else if (!strcmp(f->name, "interval")) {
			print_duration(digits, (int64_t)number);
			(void)buf_addf(out, "%s", digits);
		} else {
			(void)buf_add(out, digits, (size_t)format_double(digits, number));
		}
	}
}

void kit_want_line(struct buf *out, const struct kit_want *w, int64_t start)
{
	static const char *const ops[] = { "=", ">=", "<=", "~" };
	char digits[40];

	if (w->times != 1)
		(void)buf_addf(out, "x%u ", w->times);
	if (w->timed) {
		add_offset(out, w->at, start);
		(void)buf_add(out, " ", 1);
	}
	if (w->kind)
		(void)buf_addf(out, "%s ", kind_of(w->kind)->name);
	for (uint32_t i = 0; i < w->n; i++) {
		const struct kit_condition *c = &w->list[i];
		(void)buf_addf(out, "%s%s", i ? " " : "", c->name);
		if (c->op == KIT_RANGE) {
			if (!isinf(c->from)) {
				(void)buf_addf(out, ">=");
				(void)buf_add(out, digits, (size_t)format_double(digits, c->from));
			}
			if (!isinf(c->to)) {
				(void)buf_addf(out, "%s<=", isinf(c->from) ? "" : " and ");
				(void)buf_add(out, digits, (size_t)format_double(digits, c->to));
			}
			continue;
		}
		(void)buf_addf(out, "%s", ops[c->op]);
		add_word_text(out, (struct tw_str){ .s = c->text, .len = (uint32_t)strlen(c->text) });
	}
	if (!w->timed && !w->kind && !w->n)
		(void)buf_addf(out, "anything");
}
