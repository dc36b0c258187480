/* SPDX-License-Identifier: Apache-2.0
 *
 * Account histories: the exports of mql5.com signals and MetaTrader statements. Their headers repeat names (Time,
 * Price, Volume), so columns go by position; the type of each row decides what it is: a closed deal, a pending order
 * that was cancelled, or money that came in or went out. Exports are newest first, so rows are put in order of time.
 */
#include "csv.h"

#include <ctype.h>
#include <stdio.h>

static const struct shape {
	uint32_t n;
	bool ticket;
	enum field fields[16];
	const char *header; /* letters and digits of the names */
} shapes[] = {
	{ 11,
	  false,
	  { F_OPEN_TS, F_TYPE, F_SIZE, F_SYMBOL, F_OPEN_PRICE, F_NONE, F_TS, F_CLOSE_PRICE, F_COMMISSION, F_SWAP,
	    F_PROFIT },
	  "time type volume symbol price volume time price commission swap profit " },
	{ 13,
	  false,
	  { F_OPEN_TS, F_TYPE, F_SIZE, F_SYMBOL, F_OPEN_PRICE, F_STOP_LOSS, F_TAKE_PROFIT, F_TS, F_CLOSE_PRICE,
	    F_COMMISSION, F_SWAP, F_PROFIT, F_COMMENT },
	  "time type volume symbol price sl tp time price commission swap profit comment " },
	{ 14,
	  true,
	  { F_TICKET, F_OPEN_TS, F_TYPE, F_SIZE, F_SYMBOL, F_OPEN_PRICE, F_STOP_LOSS, F_TAKE_PROFIT, F_TS,
	    F_CLOSE_PRICE, F_COMMISSION, F_TAXES, F_SWAP, F_PROFIT },
	  "ticket opentime type size item price sl tp closetime price commission taxes swap profit " },
};

/* The header's words without marks, each with a space behind it. */
static bool words(const struct cell *c, uint32_t n, char *out, size_t size)
{
	size_t len = 0;

	for (uint32_t i = 0; i < n; i++) {
		for (size_t k = 0; k < c[i].n; k++) {
			if (!isalnum((unsigned char)c[i].p[k]))
				continue;
			if (len + 2 >= size)
				return false;
			out[len++] = (char)tolower((unsigned char)c[i].p[k]);
		}
		if (len + 2 > size)
			return false;
		out[len++] = ' ';
	}
	out[len] = 0;
	return true;
}

/* Empty columns at the end do not count. */
static uint32_t filled(const struct cell *c, uint32_t n)
{
	while (n && c[n - 1].n == 0)
		n--;
	return n;
}

static void use(struct layout *l, const struct shape *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->fields[i] != F_NONE)
			l->column[s->fields[i]] = (int16_t)i;
	l->format = FORMAT_MQL5;
	l->kind = TW_DEAL;
	l->statement = l->by_time = l->broker_time = true;
	l->tickets = !s->ticket;
}

static bool starts(const struct cell *c, const char *word)
{
	struct cell head = { c->p, strlen(word) };

	return c->n >= head.n && cell_is(&head, word);
}

static bool is_type(const struct cell *c)
{
	return starts(c, "buy") || starts(c, "sell") || cell_is(c, "balance") || cell_is(c, "credit");
}

bool layout_statement(struct layout *l, const struct cell *c, uint32_t n)
{
	char text[256];
	uint32_t used = filled(c, n);

	if (!words(c, used, text, sizeof text))
		return false;
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		if (strcmp(text, shapes[i].header) == 0) {
			use(l, &shapes[i]);
			l->header = true;
			return true;
		}
	}
	/* Without a header: the type stands second, or third behind a ticket. */
	if ((n == 11 || n == 13) && is_type(&c[1]))
		use(l, &shapes[n == 13]);
	else if (n >= 14 && is_type(&c[2]))
		use(l, &shapes[2]);
	else
		return false;
	l->header = false;
	return true;
}

/* Exports carry no ticket. Partial closes and entries of the same second differ in some column, so the name that is
 * made here covers the whole row; rows that are the same throughout get a number. */
static struct tw_str make_ticket(struct file *f)
{
	uint64_t h = csv_hash(1, f->item.raw, f->item.raw_len);
	int len;

	if (f->repeat)
		len = snprintf(f->ticket, sizeof f->ticket, "%016" PRIx64 "-%" PRIu32, h, f->repeat + 1);
	else
		len = snprintf(f->ticket, sizeof f->ticket, "%016" PRIx64, h);
	return tw_text(f->ticket, (uint64_t)len);
}

static struct tw_str text_of(const struct file *f, const struct cell *cells, uint32_t n, enum field x,
			     const char *other)
{
	const struct cell *c = row_cell(f, cells, n, x);

	if (c && c->n)
		return tw_text(c->p, c->n);
	return other ? tw_textz(other) : tw_none;
}

/* Empty and zero both mean that there is none. */
static double level(double v)
{
	return v == 0 ? TW_NONE : v;
}

static double or_zero(double v)
{
	return isnan(v) ? 0 : v;
}

static void parse_money(struct file *f, const struct cell *cells, uint32_t n, const char *event)
{
	struct item *it = &f->item;
	double amount;

	if (!row_time(f, cells, F_OPEN_TS, &it->ts) || !row_number(f, cells, n, F_PROFIT, &amount))
		return;
	if (isnan(amount)) {
		row_bad(f, "bad_number", (uint32_t)f->lay.column[F_PROFIT] + 1,
			"the profit column is empty; it holds the amount");
		return;
	}
	it->kind = TW_ACCOUNT;
	it->n[0].f = amount;
	it->n[1].f = it->n[2].f = it->n[3].f = it->n[4].f = TW_NONE;
	it->s[0] = text_of(f, cells, n, F_ACCOUNT, f->account);
	it->s[1] = tw_textz(event);
	it->s[2] = it->s[3] = tw_none;
	it->s[4] = text_of(f, cells, n, F_COMMENT, NULL);
	if (!it->s[4].s) /* MT statements write the reason where the symbol is, or in the volume column */
		it->s[4] = text_of(f, cells, n, F_SYMBOL, NULL);
	if (!it->s[4].s)
		it->s[4] = text_of(f, cells, n, F_SIZE, NULL);
	it->status = ITEM_EVENT;
}

static void parse_order(struct file *f, const struct cell *cells, uint32_t n, uint32_t side)
{
	struct item *it = &f->item;
	double price, size;

	if (!row_time(f, cells, F_TS, &it->ts) || !row_number(f, cells, n, F_OPEN_PRICE, &price) ||
	    !row_number(f, cells, n, F_SIZE, &size))
		return;
	it->kind = TW_ORDER;
	it->n[0].f = price;
	it->n[1].f = size;
	it->n[2].f = size; /* nothing of it was filled */
	it->s[0] = text_of(f, cells, n, F_SYMBOL, f->symbol);
	it->s[1] = text_of(f, cells, n, F_ACCOUNT, f->account);
	it->s[2] = tw_textz("cancel");
	it->s[3] = tw_side_text(side);
	it->s[4] = f->lay.tickets ? make_ticket(f) : text_of(f, cells, n, F_TICKET, NULL);
	it->status = ITEM_EVENT;
}

static void parse_deal(struct file *f, const struct cell *cells, uint32_t n, uint32_t side)
{
	static const enum field fields[] = { F_SIZE,       F_OPEN_PRICE, F_CLOSE_PRICE, F_STOP_LOSS, F_TAKE_PROFIT,
					     F_COMMISSION, F_TAXES,      F_SWAP,        F_PROFIT };
	struct item *it = &f->item;
	double v[9];

	if (!row_time(f, cells, F_TS, &it->ts) || !row_time(f, cells, F_OPEN_TS, &it->n[0].i))
		return;
	for (int i = 0; i < 9; i++)
		if (!row_number(f, cells, n, fields[i], &v[i]))
			return;
	it->kind = TW_DEAL;
	it->n[1].f = v[0];
	it->n[2].f = v[1];
	it->n[3].f = v[2];
	it->n[4].f = level(v[3]);
	it->n[5].f = level(v[4]);
	it->n[6].f = or_zero(v[5]) + or_zero(v[6]);
	it->n[7].f = or_zero(v[7]);
	it->n[8].f = v[8];
	it->s[0] = text_of(f, cells, n, F_ACCOUNT, f->account);
	it->s[1] = text_of(f, cells, n, F_SYMBOL, f->symbol);
	it->s[2] = tw_side_text(side);
	it->s[3] = f->lay.tickets ? make_ticket(f) : text_of(f, cells, n, F_TICKET, NULL);
	it->s[4] = text_of(f, cells, n, F_COMMENT, NULL);
	it->status = ITEM_EVENT;
}

void statement_parse(struct file *f, const struct cell *cells, uint32_t n)
{
	const struct cell *type = row_cell(f, cells, n, F_TYPE), *symbol = row_cell(f, cells, n, F_SYMBOL);
	const struct cell *price = row_cell(f, cells, n, F_OPEN_PRICE);
	uint32_t rest = 0, side;

	for (uint32_t i = 0; i < n; i++)
		rest += cells[i].n > 0;
	/* Rows that keep the table apart, rows with nothing but a time, and the footer of MT4 that repeats the total.
	 */
	if (rest <= 1 || (symbol && cell_is(symbol, "profit") && (!price || price->n == 0))) {
		f->item.status = ITEM_SKIP;
		return;
	}
	if (!type || n < f->lay.need) {
		row_bad(f, "bad_row", 0, "%" PRIu32 " columns where at least %" PRIu32 " were expected", n,
			f->lay.need);
		return;
	}
	if (cell_is(type, "balance") || cell_is(type, "deposit") || cell_is(type, "withdrawal") ||
	    cell_is(type, "correction")) {
		parse_money(f, cells, n, "balance");
		return;
	}
	if (cell_is(type, "credit")) {
		parse_money(f, cells, n, "credit");
		return;
	}
	side = starts(type, "buy") ? TW_BUY : starts(type, "sell") ? TW_SELL : TW_SIDE_NONE;
	if (side == TW_SIDE_NONE) {
		row_bad(f, "bad_type", (uint32_t)f->lay.column[F_TYPE] + 1,
			"type '%.*s' is none of buy, sell, buy stop, sell limit ..., balance, credit",
			(int)(type->n > 40 ? 40 : type->n), type->p);
		return;
	}
	if (type->n > (side == TW_BUY ? 3 : 4))
		parse_order(f, cells, n, side);
	else
		parse_deal(f, cells, n, side);
}
