/* SPDX-License-Identifier: Apache-2.0
 *
 * Labels from a table: which column is what, and labelled series whose marked rows are stretches.
 */
#include "backtest/labels.h"
#include "base/err.h"
#include <string.h>
#include <strings.h>

#define COLUMNS 64u

enum column { FROM, TO, SYMBOL, ACCOUNT, LABEL_FILE, CATEGORY, MARK, COLUMN_KINDS };

/* The first word that a header has wins. */
static const char *const words[COLUMN_KINDS][12] = {
	{ "from", "start", "begin", "onset", "event", "timestamp", "time", "ts", "date", "datetime", NULL },
	{ "to", "end", "until", "stop", NULL },
	{ "symbol", NULL },
	{ "account", NULL },
	{ "file", NULL },
	{ "category", "kind", "type", "what", NULL },
	{ "label", "labelled", "is_anomaly", "anomaly", "gt", NULL },
};

struct table {
	struct label_reader *r;
	int column[COLUMN_KINDS]; /* -1: absent */
	char delimiter;
	/* the stretch that marked rows make */
	int32_t open; /* place of its label; -1: none */
};

static struct tw_str trimmed(struct tw_str s)
{
	while (s.len && (*s.s == ' ' || *s.s == '\t'))
		s.s++, s.len--;
	while (s.len && (s.s[s.len - 1] == ' ' || s.s[s.len - 1] == '\t' || s.s[s.len - 1] == '\r'))
		s.len--;
	return s;
}

/* Fields of a line, quotes taken off in place. */
static uint32_t split(char *p, char *end, char delimiter, struct tw_str *cells)
{
	uint32_t n = 0;

	while (n < COLUMNS) {
		char *out = p, *start = p;
		if (p < end && *p == '"') {
			for (p++; p < end; p++) {
				if (*p == '"' && (p + 1 == end || p[1] != '"'))
					break;
				p += *p == '"';
				*out++ = *p;
			}
			while (p < end && *p != delimiter)
				p++;
		} else {
			while (p < end && *p != delimiter)
				p++;
			out = p;
		}
		cells[n++] = trimmed((struct tw_str){ .s = start, .len = (uint32_t)(out - start) });
		if (p >= end)
			break;
		p++;
	}
	return n;
}

static bool word_is(struct tw_str s, const char *word)
{
	static const char *const tails[] = { "", "_utc", "_time", "_ts", "_at" };
	size_t len = strlen(word);

	if (s.len < len || strncasecmp(s.s, word, len) != 0)
		return false;
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
		if (s.len - len == strlen(tails[i]) && !strncasecmp(s.s + len, tails[i], s.len - len))
			return true;
	return false;
}

static void map_columns(struct table *t, const struct tw_str *cells, uint32_t n)
{
	for (int k = 0; k < COLUMN_KINDS; k++) {
		t->column[k] = -1;
		for (const char *const *w = words[k]; *w && t->column[k] < 0; w++)
			for (uint32_t i = 0; i < n && t->column[k] < 0; i++)
				if (word_is(cells[i], *w))
					t->column[k] = (int)i;
	}
}

static struct tw_str cell(const struct table *t, const struct tw_str *cells, uint32_t n, enum column k)
{
	return t->column[k] >= 0 && (uint32_t)t->column[k] < n ? cells[t->column[k]] : (struct tw_str){ 0 };
}

static bool is_nothing(struct tw_str s)
{
	static const char *const none[] = { "", "0", "0.0", "no", "false", "normal", "none" };

	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		if (s.len == strlen(none[i]) && !strncasecmp(s.s ? s.s : "", none[i], s.len))
			return true;
	return false;
}

/* A number is a mark; a word says what kind of thing it marks. */
static bool is_word(struct tw_str s)
{
	static const char *const plain[] = { "yes", "true", "anomaly", "abuse" };

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (s.len == strlen(plain[i]) && !strncasecmp(s.s, plain[i], s.len))
			return false;
	return s.len && !(*s.s >= '0' && *s.s <= '9') && *s.s != '-' && *s.s != '+';
}

static int32_t row(struct table *t, const struct tw_str *cells, uint32_t n, uint32_t line, struct tw_err *e)
{
	struct label_row r = { .from = cell(t, cells, n, FROM),
			       .to = cell(t, cells, n, TO),
			       .symbol = cell(t, cells, n, SYMBOL),
			       .account = cell(t, cells, n, ACCOUNT),
			       .category = cell(t, cells, n, CATEGORY),
			       .file = cell(t, cells, n, LABEL_FILE) };
	struct labels *l = t->r->labels;
	bool series = t->column[MARK] >= 0 && t->column[TO] < 0;
	struct tw_str mark = cell(t, cells, n, MARK);
	int32_t rc;

	if (t->column[MARK] >= 0 && is_nothing(mark)) {
		t->open = -1;
		return TW_OK;
	}
	if (!r.category.len && is_word(mark))
		r.category = mark;
	rc = labels_add(t->r, &r, line, e);
	if (rc != TW_OK)
		return rc < 0 ? rc : TW_OK;
	if (series && t->open >= 0) {
		struct label *before = &l->list[t->open], *now = &l->list[l->n - 1];
		if (before->symbol == now->symbol && before->account == now->account &&
		    before->category == now->category && now->to >= before->to) {
			before->to = now->to;
			l->n--;
			return TW_OK;
		}
	}
	t->open = series ? (int32_t)l->n - 1 : -1;
	return TW_OK;
}

int32_t labels_csv(struct label_reader *r, char *text, size_t len, struct tw_err *e)
{
	struct table t = { .r = r, .open = -1 };
	struct tw_str cells[COLUMNS];
	char *p = text, *end = text + len;
	uint32_t line = 0, n;
	size_t head = strcspn(text, "\n");
	int32_t rc = TW_OK;

	t.delimiter = memchr(text, '\t', head) ? '\t' : memchr(text, ';', head) ? ';' : ',';
	while (p < end && rc == TW_OK) {
		char *stop = memchr(p, '\n', (size_t)(end - p));
		stop = stop ? stop : end;
		n = split(p, stop, t.delimiter, cells);
		line++;
		if (line == 1) {
			map_columns(&t, cells, n);
			if (t.column[FROM] < 0)
				return err_set(e, TW_E_DATA,
					       "%s:1: the header names no time; expected columns such as from,to or "
					       "timestamp, and symbol, account, category where there are any",
					       r->path);
		} else if (n > 1 || cells[0].len) {
			rc = row(&t, cells, n, line, e);
		}
		p = stop + 1;
	}
	return rc;
}
