/* SPDX-License-Identifier: Apache-2.0
 *
 * A line by its columns: split, read the fields that the layout maps, and leave one item that is an event, something to
 * skip, or a bad row with its reason and column.
 */
#include "csv.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define NUMBERS 9
#define TEXTS   7

/* The fields of a kind in the order of tapewatch/push.h. */
static const struct kind_shape {
	uint32_t kind;
	unsigned char numbers[NUMBERS + 1], texts[TEXTS + 1];
} kind_shapes[] = {
	{ TW_QUOTE, { F_BID, F_ASK, F_BID_SIZE, F_ASK_SIZE }, { F_SYMBOL } },
	{ TW_TRADE, { F_PRICE, F_SIZE }, { F_SYMBOL, F_SIDE, F_ACCOUNT, F_COUNTERPARTY, F_TRADE_ID } },
	{ TW_BAR, { F_INTERVAL, F_OPEN, F_HIGH, F_LOW, F_CLOSE, F_VOLUME, F_COUNT }, { F_SYMBOL } },
	{ TW_ORDER, { F_PRICE, F_SIZE, F_REMAINING }, { F_SYMBOL, F_ACCOUNT, F_ACTION, F_SIDE, F_ORDER_ID } },
	{ TW_DEAL,
	  { F_OPEN_TS, F_SIZE, F_OPEN_PRICE, F_CLOSE_PRICE, F_STOP_LOSS, F_TAKE_PROFIT, F_COMMISSION, F_SWAP,
	    F_PROFIT },
	  { F_ACCOUNT, F_SYMBOL, F_SIDE, F_TICKET, F_COMMENT } },
	{ TW_ACCOUNT,
	  { F_AMOUNT, F_BALANCE, F_EQUITY, F_MARGIN, F_LEVERAGE },
	  { F_ACCOUNT, F_EVENT, F_CURRENCY, F_GROUP, F_COMMENT } },
	{ TW_NEWS,
	  { F_ACTUAL, F_FORECAST, F_PREVIOUS },
	  { F_SYMBOL, F_CATEGORY, F_IMPACT, F_SOURCE, F_ID, F_CURRENCY, F_TITLE } },
	{ TW_SCORE, { F_VALUE, F_P_VALUE }, { F_SYMBOL, F_ACCOUNT, F_DETECTOR } },
	{ TW_LABEL, { F_FROM, F_TO }, { F_SYMBOL, F_ACCOUNT, F_ALERT_ID, F_VERDICT, F_CATEGORY, F_AUTHOR, F_COMMENT } },
	{ TW_CORRECTION, { F_REF_SEQ, F_PRICE, F_SIZE }, { F_SYMBOL, F_ACTION, F_TRADE_ID } },
};

bool cell_is(const struct cell *c, const char *word)
{
	size_t n = strlen(word);

	return c->n == n && strncasecmp(c->p, word, n) == 0;
}

void row_bad(struct file *f, const char *reason, uint32_t column, const char *fmt, ...)
{
	va_list ap;

	f->item.status = ITEM_BAD;
	f->item.reason = reason;
	f->item.column = column;
	va_start(ap, fmt);
	vsnprintf(f->item.detail, sizeof f->item.detail, fmt, ap);
	va_end(ap);
}

static bool is_blank(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != ' ' && p[i] != '\t')
			return false;
	return true;
}

static void trim(struct cell *c)
{
	while (c->n && (*c->p == ' ' || *c->p == '\t')) {
		c->p++;
		c->n--;
	}
	while (c->n && (c->p[c->n - 1] == ' ' || c->p[c->n - 1] == '\t'))
		c->n--;
}

/* A cell that begins with a quote at p, up to its closing one; doubled quotes inside become one in scratch. Where it
 * ends, or NULL: it is not closed. */
static const char *unquote(const char *p, const char *end, struct cell *ret, char **scratch)
{
	char *out = *scratch;
	const char *start = ++p;

	for (;;) {
		const char *q = memchr(p, '"', (size_t)(end - p));

		if (!q)
			return NULL;
		if (q + 1 < end && q[1] == '"') {
			memcpy(out, p, (size_t)(q + 1 - p));
			out += q + 1 - p;
			p = q + 2;
			continue;
		}
		if (out == *scratch) {
			*ret = (struct cell){ start, (size_t)(q - start) };
		} else {
			memcpy(out, p, (size_t)(q - p));
			out += q - p;
			*ret = (struct cell){ *scratch, (size_t)(out - *scratch) };
			*scratch = out;
		}
		return q + 1;
	}
}

/* The cells of a line, at most COLUMNS_MAX; 0: a quote is not closed, or memory is out. */
uint32_t row_split(struct file *f, char delimiter, const char *p, size_t n, struct cell *cells)
{
	const char *end = p + n;
	char *scratch;
	uint32_t count = 0;

	if (f->scratch_cap < n + 1) {
		size_t cap = n + 1 < 512 ? 512 : 2 * n;

		scratch = realloc(f->scratch, cap);
		if (!scratch)
			return 0;
		f->scratch = scratch;
		f->scratch_cap = cap;
	}
	scratch = f->scratch;
	for (;;) {
		const char *q = p;
		struct cell c;

		while (q < end && *q == ' ' && delimiter != ' ')
			q++;
		if (q < end && *q == '"') {
			p = unquote(q, end, &c, &scratch);
			if (!p)
				return 0;
			while (p < end && *p != delimiter)
				p++;
		} else {
			for (q = p; q < end && *q != delimiter;)
				q++;
			c = (struct cell){ p, (size_t)(q - p) };
			p = q;
			trim(&c);
		}
		if (count < COLUMNS_MAX)
			cells[count++] = c;
		if (p == end)
			return count;
		p++;
	}
}

const struct cell *row_cell(const struct file *f, const struct cell *cells, uint32_t n, enum field x)
{
	int column = f->lay.column[x];

	return column >= 0 && (uint32_t)column < n ? &cells[column] : NULL;
}

static void say_zone(struct file *f)
{
	struct csv *s = f->csv;

	s->zone_said = true;
	if (s->host)
		s->host->log(s->host, TW_LOG_INFO,
			     f->lay.broker_time
				     ? "%s: times are the broker's server time without a zone and are read as UTC; "
				       "set `timezone:` (metatrader, +02:00, ...) if they are not"
				     : "%s: times carry no zone and are read as UTC; set `timezone:` if they are not",
			     f->path);
}

/* Columns up to need are there; the caller saw to that. */
bool row_time(struct file *f, const struct cell *cells, enum field x, int64_t *ret)
{
	const struct cell *c = &cells[f->lay.column[x]];
	struct cell joined;
	char text[64];
	unsigned seen;

	if (x == F_TS && f->lay.column[F_TS2] >= 0) {
		const struct cell *c2 = &cells[f->lay.column[F_TS2]];

		if (c->n + c2->n + 1 > sizeof text) {
			row_bad(f, "bad_time", (uint32_t)f->lay.column[x] + 1, "date and time are too long to be one");
			return false;
		}
		memcpy(text, c->p, c->n);
		text[c->n] = ' ';
		memcpy(text + c->n + 1, c2->p, c2->n);
		joined = (struct cell){ text, c->n + 1 + c2->n };
		c = &joined;
	}
	if (!time_read(&f->time, c->p, c->n, ret, &seen)) {
		row_bad(f, "bad_time", (uint32_t)f->lay.column[x] + 1, "'%.*s' is not a time (time_format: %s)",
			(int)(c->n > 60 ? 60 : c->n), c->p, f->csv->time_format);
		return false;
	}
	if ((seen & TIME_MONTH_FIRST) && !f->csv->timezone[0]) {
		row_bad(f, "bad_time", (uint32_t)f->lay.column[x] + 1,
			"'%.*s' is a local time; set `timezone:` so that it is not a guess",
			(int)(c->n > 60 ? 60 : c->n), c->p);
		return false;
	}
	if (!f->csv->zone_said && !(seen & (TIME_ZONED | TIME_DATE_ONLY)) && !f->lay.zone && !f->csv->timezone[0])
		say_zone(f);
	return true;
}

/* Prices that their kind cannot do without: said here, because only here the column is known. */
static bool is_price(enum field x)
{
	return x == F_BID || x == F_ASK || x == F_PRICE || x == F_OPEN || x == F_HIGH || x == F_LOW || x == F_CLOSE;
}

bool row_number(struct file *f, const struct cell *cells, uint32_t n, enum field x, double *ret)
{
	const struct cell *c = row_cell(f, cells, n, x);

	if (!c) {
		*ret = TW_NONE;
		return true;
	}
	if (number_read(&f->number, c->p, c->n, ret)) {
		if (isfinite(*ret) || !is_price(x))
			return true;
		row_bad(f, "bad_price", (uint32_t)f->lay.column[x] + 1, "%s is '%.*s': expected a finite number",
			field_names[x], (int)(c->n > 60 ? 60 : c->n), c->p);
		return false;
	}
	row_bad(f, "bad_number", (uint32_t)f->lay.column[x] + 1, "%s '%.*s' is not a number", field_names[x],
		(int)(c->n > 60 ? 60 : c->n), c->p);
	return false;
}

static bool read_integer(struct file *f, const struct cell *c, enum field x, int64_t absent, int64_t *ret)
{
	double v;

	if (!c || c->n == 0) {
		*ret = absent;
		return true;
	}
	if (!number_read(&f->number, c->p, c->n, &v) || !(v >= -9e15 && v <= 9e15)) {
		row_bad(f, "bad_number", (uint32_t)f->lay.column[x] + 1, "%s '%.*s' is not a whole number",
			field_names[x], (int)(c->n > 60 ? 60 : c->n), c->p);
		return false;
	}
	*ret = (int64_t)v;
	return true;
}

static bool number_of(struct file *f, const struct cell *cells, uint32_t n, enum field x, union tw_num *ret)
{
	const struct cell *c = row_cell(f, cells, n, x);

	switch (x) {
	case F_INTERVAL:
		ret->i = f->csv->interval;
		return true;
	case F_COUNT:
		return read_integer(f, c, x, -1, &ret->i);
	case F_REF_SEQ:
		return read_integer(f, c, x, 0, &ret->i);
	case F_OPEN_TS:
	case F_FROM:
	case F_TO:
		ret->i = 0;
		return !c || c->n == 0 || row_time(f, cells, x, &ret->i);
	case F_ACTUAL:
	case F_FORECAST:
	case F_PREVIOUS:
		/* Calendars hold things that are no numbers, such as the votes of a board: absent, not an error. */
		if (!c || !number_read_scaled(&f->number, c->p, c->n, &ret->f))
			ret->f = TW_NONE;
		return true;
	case F_COMMISSION: {
		double taxes;

		if (!row_number(f, cells, n, x, &ret->f) || !row_number(f, cells, n, F_TAXES, &taxes))
			return false;
		if (!isnan(taxes))
			ret->f = isnan(ret->f) ? taxes : ret->f + taxes;
		return true;
	}
	default:
		return row_number(f, cells, n, x, &ret->f);
	}
}

struct word {
	const char *written, *meant;
};

static const struct word sides[] = { { "buy", "buy" },   { "b", "buy" },   { "bid", "buy" },  { "long", "buy" },
				     { "sell", "sell" }, { "s", "sell" },  { "ask", "sell" }, { "short", "sell" },
				     { "a", "sell" },    { "none", NULL }, { "", NULL },      { NULL, NULL } };
static const struct word actions[] = { { "new", "new" },
				       { "modify", "modify" },
				       { "replace", "modify" },
				       { "cancel", "cancel" },
				       { "cancelled", "cancel" },
				       { "canceled", "cancel" },
				       { "fill", "fill" },
				       { "filled", "fill" },
				       { "reject", "reject" },
				       { "rejected", "reject" },
				       { "bust", "bust" },
				       { "amend", "amend" },
				       { "", NULL },
				       { NULL, NULL } };
static const struct word money[] = { { "balance", "balance" },
				     { "deposit", "balance" },
				     { "withdrawal", "balance" },
				     { "credit", "credit" },
				     { "snapshot", "snapshot" },
				     { "", "snapshot" },
				     { NULL, NULL } };
static const struct word categories[] = {
	{ "calendar", "calendar" }, { "filing", "filing" }, { "headline", "headline" }, { "", NULL }, { NULL, NULL }
};

static bool one_of(struct file *f, const struct cell *c, enum field x, const struct word *words, const char *reason,
		   struct tw_str *ret)
{
	for (; words->written; words++) {
		if (cell_is(c, words->written)) {
			*ret = tw_textz(words->meant);
			return true;
		}
	}
	row_bad(f, reason, (uint32_t)f->lay.column[x] + 1, "%s '%.*s' is not one that is known", field_names[x],
		(int)(c->n > 40 ? 40 : c->n), c->p);
	return false;
}

static struct tw_str impact(const struct cell *c)
{
	static const char *const levels[] = { "high", "medium", "low" };

	for (size_t i = 0; i < 3; i++) {
		size_t k = strlen(levels[i]);

		for (size_t j = 0; j + k <= c->n; j++)
			if (strncasecmp(c->p + j, levels[i], k) == 0)
				return tw_textz(levels[i]);
	}
	return tw_none;
}

static bool field_text(struct file *f, const struct cell *cells, uint32_t n, enum field x, uint32_t kind,
		       struct tw_str *ret)
{
	static const struct cell empty = { "", 0 };
	const struct cell *c = row_cell(f, cells, n, x), *text = c ? c : &empty;

	*ret = text->n ? tw_text(text->p, text->n) : tw_none;
	switch (x) {
	case F_SYMBOL:
		/* News are about a currency more often than about the name of a file. */
		if (!text->n && (kind != TW_NEWS || f->csv->symbol[0]))
			*ret = tw_textz(f->symbol);
		return true;
	case F_ACCOUNT:
		if (!text->n && (kind == TW_ACCOUNT || kind == TW_DEAL || f->csv->account[0]))
			*ret = tw_textz(f->account);
		return true;
	case F_SIDE:
		return !c || one_of(f, c, x, sides, "bad_side", ret);
	case F_ACTION:
		return !c || one_of(f, c, x, actions, "bad_action", ret);
	case F_EVENT:
		return one_of(f, text, x, money, "bad_event", ret);
	case F_IMPACT:
		*ret = impact(text);
		return true;
	case F_CATEGORY:
		if (kind == TW_NEWS)
			return c ? one_of(f, c, x, categories, "bad_category", ret)
				 : (*ret = tw_textz(f->lay.column[F_IMPACT] >= 0 ? "calendar" : "headline"), true);
		return true;
	default:
		return true;
	}
}

void row_parse(struct file *f, const char *p, size_t n)
{
	struct cell cells[COLUMNS_MAX];
	struct item *it = &f->item;
	const struct kind_shape *s = kind_shapes;
	const struct layout *l = &f->lay;
	uint32_t count;

	it->raw = p;
	it->raw_len = n;
	if (is_blank(p, n)) {
		it->status = ITEM_SKIP;
		return;
	}
	if (memchr(p, 0, n)) {
		row_bad(f, "nul_byte", 0, "a NUL byte; is this a text file in UTF-8?");
		return;
	}
	count = row_split(f, l->delimiter, p, n, cells);
	if (count == 0) {
		row_bad(f, "bad_row", 0, "a quote is opened and not closed on the same line");
		return;
	}
	if (f->csv->strict && count > l->n_columns) {
		row_bad(f, "bad_row", l->n_columns + 1, "%" PRIu32 " columns where %" PRIu32 " were expected (strict)",
			count, l->n_columns);
		return;
	}
	if (l->statement) {
		statement_parse(f, cells, count);
		return;
	}
	if (count < l->need) {
		row_bad(f, "bad_row", 0, "%" PRIu32 " columns where at least %" PRIu32 " were expected", count,
			l->need);
		return;
	}
	if (!row_time(f, cells, F_TS, &it->ts)) {
		const struct cell *c = row_cell(f, cells, count, F_TS);

		if (l->header && header_field(c->p, c->n) == F_TS) /* a header again, where files were joined */
			it->status = ITEM_SKIP;
		return;
	}
	while (s->kind != l->kind)
		s++;
	for (int i = 0; i < NUMBERS && s->numbers[i]; i++)
		if (!number_of(f, cells, count, (enum field)s->numbers[i], &it->n[i]))
			return;
	for (int i = 0; i < TEXTS && s->texts[i]; i++)
		if (!field_text(f, cells, count, (enum field)s->texts[i], l->kind, &it->s[i]))
			return;
	it->kind = l->kind;
	it->status = ITEM_EVENT;
}
