/* SPDX-License-Identifier: Apache-2.0
 *
 * One-liners: times, words, and an event from its line.
 */
#include "kit/line.h"
#include "base/err.h"
#include "base/number.h"
#include "config/config.h"
#include "event/wire.h"
#include "kit/kit.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int kit_duration(const char *text, int64_t *ret)
{
	int64_t sum = 0;

	if (!*text)
		return -1;
	while (*text) {
		char part[40];
		size_t n = strspn(text, "0123456789."), len = n;
		int64_t one;
		while (isalpha((unsigned char)text[len]))
			len++;
		if (!n || len == n || len >= sizeof part)
			return -1;
		memcpy(part, text, len);
		part[len] = '\0';
		if (parse_duration(part, &one) != 0 || __builtin_add_overflow(sum, one, &sum))
			return -1;
		text += len;
	}
	*ret = sum;
	return 0;
}

int kit_when(const char *text, int64_t start, int64_t now, int64_t *ret)
{
	int64_t d;

	if (strlen(text) >= 10 && text[4] == '-' && text[7] == '-')
		return parse_time(text, 0, ret);
	if (kit_duration(text + (*text == '+' || *text == '-'), &d) != 0)
		return -1;
	*ret = *text == '+' ? now + d : *text == '-' ? now - d : start + d;
	return 0;
}

/* ---- words ---- */

int kit_word(const char **at, char *out, size_t size)
{
	const char *s = *at + strspn(*at, " \t");
	size_t n = 0;
	bool quoted = false;

	if (!*s)
		return 0;
	for (; *s && (quoted || (*s != ' ' && *s != '\t')); s++) {
		if (*s == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		if (n + 1 >= size)
			return -1;
		out[n++] = *s;
	}
	out[n] = '\0';
	*at = s;
	return quoted ? -1 : 1;
}

bool kit_is_time(const char *w)
{
	int64_t t;

	return kit_when(w, 0, 0, &t) == 0;
}

/* ---- an event ---- */

struct making {
	const struct kind *kind;
	int64_t start, ts;
	union tw_num n[EVENT_MAX_NUMBERS];
	struct tw_str s[EVENT_MAX_TEXTS];
	char texts[EVENT_MAX_TEXTS][KIT_WORD];
	struct tw_err *e;
};

static void make_absent(struct making *m)
{
	uint32_t numbers = kind_numbers(m->kind);

	for (uint32_t i = 0; i < numbers; i++) {
		const struct field *f = &m->kind->fields[i];
		if (f->type == FIELD_F64)
			m->n[i].f = (double)NAN;
		else
			m->n[i].i = f->flags & FIELD_MINUS_NONE ? -1 : 0;
	}
}

static int32_t no_field(const struct kind *k, const char *name, struct tw_err *e)
{
	const char *words[32], *near;
	uint32_t n = 0;

	for (uint32_t i = 0; i < k->n_fields && n < 32; i++)
		words[n++] = k->fields[i].name;
	near = nearest(name, words, n);
	return near ? err_set(e, TW_E_CONFIG, "a %s has no '%.40s'; did you mean '%s'?", k->name, name, near)
		    : err_set(e, TW_E_CONFIG, "a %s has no '%.40s'; `tapewatch tape cat --json` shows what it has",
			      k->name, name);
}

static int32_t set_number(struct making *m, uint32_t i, const char *text)
{
	const struct field *f = &m->kind->fields[i];
	char *end;

	if (f->type == FIELD_F64) {
		m->n[i].f = strtod(text, &end);
	} else if (f->flags & FIELD_IS_TIME) {
		return kit_when(text, m->start, m->ts, &m->n[i].i) == 0
			       ? TW_OK
			       : err_set(m->e, TW_E_CONFIG,
					 "%s=%.40s is no time: expected 10s, -30s before the event, or "
					 "2026-01-05T09:30:00Z",
					 f->name, text);
	} else if (f->type == FIELD_I64 && !strcmp(f->name, "interval")) {
		return kit_duration(text, &m->n[i].i) == 0
			       ? TW_OK
			       : err_set(m->e, TW_E_CONFIG, "interval=%.40s is no duration such as 1m", text);
	} else {
		m->n[i].i = (int64_t)strtoll(text, &end, 10);
	}
	if (!*text || *end)
		return err_set(m->e, TW_E_CONFIG, "%s=%.40s is no number", f->name, text);
	return TW_OK;
}

static int32_t set_field(struct making *m, const char *name, const char *text)
{
	const struct field *f = field_named(m->kind, name, strlen(name));
	uint32_t i, numbers = kind_numbers(m->kind);

	if (!f)
		return no_field(m->kind, name, m->e);
	i = (uint32_t)(f - m->kind->fields);
	if (i < numbers)
		return set_number(m, i, text);
	i -= numbers;
	if (i >= kind_texts(m->kind))
		return err_set(m->e, TW_E_CONFIG, "%s cannot be written in a line; feed a file of JSON lines", name);
	memcpy(m->texts[i], text, strlen(text) + 1);
	m->s[i] = (struct tw_str){ .s = m->texts[i], .len = (uint32_t)strlen(text) };
	return TW_OK;
}

/* The field that a word without '=' stands for. */
const char *kit_name_field(const struct kind *k)
{
	return k->bit == TW_ACCOUNT ? "account" : k->bit == TW_CLOCK ? "source" : "symbol";
}

static int32_t set_word(struct making *m, char *word, bool *named)
{
	char *is = strchr(word, '=');

	if (is && is != word) {
		*is = '\0';
		return set_field(m, word, is + 1);
	}
	if (*named)
		return err_set(m->e, TW_E_CONFIG, "'%.60s' is not understood: expected FIELD=VALUE", word);
	*named = true;
	return set_field(m, kit_name_field(m->kind), word);
}

int32_t kit_line_event(struct buf *out, const char *line, int64_t start, int64_t *now, struct tw_err *e)
{
	struct making *m = calloc(1, sizeof *m);
	char word[KIT_WORD] = "";
	bool named = false;
	const char *at = line;
	unsigned char *room;
	int32_t rc = TW_OK;
	int more;

	if (!m)
		return err_set(e, TW_E_FATAL, "memory is out");
	*m = (struct making){ .start = start, .ts = *now, .e = e };
	more = kit_word(&at, word, sizeof word);
	if (more == 1 && kit_when(word, start, *now, &m->ts) == 0)
		more = kit_word(&at, word, sizeof word);
	m->kind = more == 1 ? kind_named(word, strlen(word)) : NULL;
	if (!m->kind) {
		rc = err_set(e, TW_E_CONFIG,
			     "'%.60s': expected [TIME] KIND [NAME] [FIELD=VALUE]..., KIND such as quote", line);
		goto out;
	}
	make_absent(m);
	while (rc == TW_OK && (more = kit_word(&at, word, sizeof word)) == 1)
		rc = set_word(m, word, &named);
	if (rc == TW_OK && more < 0)
		rc = err_set(e, TW_E_CONFIG, "'%.60s...': a word is too long, or a quote is not closed", line);
	if (rc == TW_OK && event_check(m->kind, m->ts, m->n, m->s, e))
		rc = TW_E_DATA;
	if (rc != TW_OK)
		goto out;
	room = buf_reserve(out, event_bound(m->kind, m->s));
	if (!room) {
		rc = err_set(e, TW_E_FATAL, "memory is out");
		goto out;
	}
	out->len += event_put(room, m->kind, m->ts, m->n, m->s);
	*now = m->ts;
out:
	free(m);
	return rc;
}
