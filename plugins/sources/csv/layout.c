/* SPDX-License-Identifier: Apache-2.0
 *
 * What a file is, from its first line and the options. When that cannot be told, the sentence shows the line and says
 * what to set.
 */
#include "csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static char guess_delimiter(const char *p, size_t n)
{
	size_t count[4] = { 0 };
	static const char marks[4] = { '\t', ';', ',', '|' };

	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < 4; k++)
			count[k] += p[i] == marks[k];
	if (count[0] && count[0] >= count[2])
		return '\t';
	if (count[1] && count[1] >= count[2]) /* the commas may be decimal ones */
		return ';';
	return count[2] ? ',' : count[3] ? '|' : ',';
}

static char delimiter_of(const char *option)
{
	if (strcmp(option, "tab") == 0 || strcmp(option, "\\t") == 0)
		return '\t';
	if (strcmp(option, "space") == 0)
		return ' ';
	return option[0];
}

/* "3" -> 2; -1: not a column number. */
static int column_number(const char *text)
{
	unsigned long v;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -1;
	v = strtoul(text, &end, 10);
	return *end || v < 1 || v > COLUMNS_MAX ? -1 : (int)v - 1;
}

const char *columns_fault(const struct csv *s, char *out, size_t size)
{
	bool ts = false;

	for (uint64_t i = 0; i + 1 < s->columns.n; i += 2) {
		const char *name = s->columns.items[i];
		enum field f;

		if (strcmp(name, "-") == 0)
			continue;
		f = field_find(name, strlen(name));
		if (f == F_NONE) {
			size_t len;

			len = (size_t)snprintf(out, size, "columns: '%s' is not a field; the fields are", name);
			for (int k = F_NONE + 1; k < FIELDS && len < size; k++)
				if (field_names[k])
					len += (size_t)snprintf(out + len, size - len, " %s", field_names[k]);
			return out;
		}
		ts |= f == F_TS;
	}
	if (s->columns.n && !ts) {
		snprintf(out, size, "columns: no column is mapped to ts, the time of the event");
		return out;
	}
	return NULL;
}

int32_t layout_columns(struct file *f, const struct cell *cells, uint32_t n, struct tw_err *e)
{
	const struct csv *s = f->csv;
	struct layout *l = &f->lay;
	bool named = false, digit = false;

	l->format = FORMAT_COLUMNS;
	for (uint64_t i = 0; i + 1 < s->columns.n; i += 2) {
		const char *name = s->columns.items[i], *from = s->columns.items[i + 1];
		enum field x = field_find(name, strlen(name));
		int column = column_number(from);

		if (x == F_NONE)
			continue;
		if (column < 0) {
			named = true;
			for (uint32_t k = 0; k < n && column < 0; k++)
				if (cell_is(&cells[k], from))
					column = (int)k;
			if (column < 0)
				return csv_fail(e, TW_E_CONFIG,
						"%s: columns: there is no column '%s' for %s in the first line; "
						"write it as the header does, or give its number from 1",
						f->path, from, name);
		}
		l->column[x] = (int16_t)column;
	}
	for (uint32_t i = 0; i < n; i++)
		for (size_t k = 0; k < cells[i].n; k++)
			digit |= cells[i].p[k] >= '0' && cells[i].p[k] <= '9';
	l->header = named || !digit;
	if (layout_has(l, F_TYPE) && layout_has(l, F_OPEN_TS) && layout_has(l, F_PROFIT) && !s->kind) {
		l->statement = l->by_time = l->broker_time = true;
		l->tickets = !layout_has(l, F_TICKET);
	}
	l->kind = l->statement ? TW_DEAL : layout_kind(l);
	return TW_OK;
}

static bool by_format(struct file *f, const struct cell *cells, uint32_t n)
{
	static const enum field truefx[] = { F_SYMBOL, F_TS, F_BID, F_ASK }, histdata[] = { F_TS, F_BID, F_ASK };
	struct layout *l = &f->lay;
	bool known;

	switch (f->csv->format) {
	case FORMAT_TRUEFX:
		for (int16_t i = 0; i < 4; i++)
			l->column[truefx[i]] = i;
		l->kind = TW_QUOTE;
		l->format = FORMAT_TRUEFX;
		l->zone = "UTC";
		known = n >= 4;
		break;
	case FORMAT_HISTDATA:
		known = layout_bare(l, cells, n, &f->number) && l->format == FORMAT_HISTDATA;
		if (known)
			return true;
		for (int i = 0; i < FIELDS; i++) /* it looked like something else */
			l->column[i] = -1;
		for (int16_t i = 0; i < 3; i++)
			l->column[histdata[i]] = i;
		l->kind = TW_QUOTE;
		l->format = FORMAT_HISTDATA;
		l->zone = "EST";
		known = n >= 3;
		break;
	case FORMAT_OHLCV:
		return (layout_header(l, cells, n) || layout_bare(l, cells, n, &f->number)) && l->kind == TW_BAR;
	case FORMAT_MQL5:
		return layout_statement(l, cells, n);
	default:
		return layout_statement(l, cells, n) || layout_bare(l, cells, n, &f->number) ||
		       layout_header(l, cells, n);
	}
	/* A first line without any digit names the columns. */
	l->header = true;
	for (uint32_t i = 0; i < n; i++)
		for (size_t k = 0; k < cells[i].n; k++)
			if (cells[i].p[k] >= '0' && cells[i].p[k] <= '9')
				l->header = false;
	return known;
}

static const char *const format_texts[] = {
	"any known format",
	"truefx (EUR/USD,20140501 05:00:01.787,1.38727,1.38729)",
	"histdata (20200101 170000065,1.121200,1.121720,0)",
	"ohlcv (a header with a time, open, high, low, close)",
	"mql5 (Time;Type;Volume;Symbol;Price;... with 11 or 13 columns, or a MetaTrader statement)",
	"columns",
};

static int32_t unknown(const struct file *f, const char *line, size_t n, struct tw_err *e)
{
	char shown[100];
	size_t len = 0;

	for (size_t i = 0; i < n && len < sizeof shown - 1; i++)
		shown[len++] = (unsigned char)line[i] < ' ' || line[i] == 0x7f ? '?' : line[i];
	shown[len] = 0;
	if (n && (*line == '<' || memmem(line, n, "<html", 5)))
		return csv_fail(e, TW_E_CONFIG,
				"%s: this is a web page, not a table (a login page that was saved as a file?): '%s'",
				f->path, shown);
	if (memchr(line, 0, n) || (n >= 2 && (memcmp(line, "\xff\xfe", 2) == 0 || memcmp(line, "\xfe\xff", 2) == 0)))
		return csv_fail(e, TW_E_CONFIG,
				"%s: the first line holds NUL bytes or is UTF-16; text in UTF-8 is expected (iconv -f "
				"UTF-16 -t UTF-8)",
				f->path);
	return csv_fail(e, TW_E_CONFIG,
			"%s: the first line is not %s: '%s'; set `format:`, or `columns:` to say what the columns are",
			f->path, format_texts[f->csv->format], shown);
}

int32_t layout_finish(struct file *f, struct tw_err *e)
{
	static const uint32_t kinds[] = { 0,          TW_QUOTE, TW_TRADE, TW_BAR,   TW_ORDER,     TW_DEAL,
					  TW_ACCOUNT, TW_NEWS,  TW_SCORE, TW_LABEL, TW_CORRECTION };
	static const enum field needed[][6] = {
		{ F_TS, F_TS2, F_NONE }, { F_BID, F_ASK, F_NONE }, { F_OPEN, F_HIGH, F_LOW, F_CLOSE, F_NONE },
		{ F_PRICE, F_NONE },     { F_VALUE, F_NONE },      { F_TYPE, F_OPEN_TS, F_PROFIT, F_NONE },
	};
	struct csv *s = f->csv;
	struct layout *l = &f->lay;
	uint32_t which;

	if (s->kind) {
		l->kind = kinds[s->kind];
		l->statement = l->statement && l->kind == TW_DEAL;
	}
	if (!l->kind)
		return csv_fail(
			e, TW_E_CONFIG,
			"%s: the columns do not say what kind of event a row is; set `kind:` (quote, trade, bar ...)",
			f->path);
	if (!layout_has(l, F_TS))
		return csv_fail(e, TW_E_CONFIG, "%s: no column holds the time; map one to ts in `columns:`", f->path);
	if (l->zone_needed && !s->timezone[0])
		return csv_fail(
			e, TW_E_CONFIG,
			"%s: times such as month/day/year are local ones; set `timezone:` (America/New_York, EST, UTC "
			"...)",
			f->path);
	which = l->statement          ? 5
		: l->kind == TW_QUOTE ? 1
		: l->kind == TW_BAR   ? 2
		: l->kind == TW_TRADE ? 3
		: l->kind == TW_SCORE ? 4
				      : 0;
	for (int pass = 0; pass < 2; pass++) {
		const enum field *x = needed[pass ? which : 0];

		for (; *x != F_NONE; x++) {
			if (layout_has(l, *x) && (uint32_t)l->column[*x] >= l->need)
				l->need = (uint32_t)l->column[*x] + 1;
			if (pass && which && !layout_has(l, *x))
				return csv_fail(e, TW_E_CONFIG, "%s: no column holds %s; map one in `columns:`",
						f->path, field_names[*x]);
		}
	}
	if (s->header)
		l->header = s->header == 1;
	if (s->order)
		l->by_time = s->order == 2;
	f->time.zone = s->timezone[0] ? &s->zone : NULL;
	f->zone_ns = 0;
	if (!s->timezone[0] && l->zone && strcmp(l->zone, "UTC") != 0) {
		int32_t fixed;

		if (!zone_fixed(l->zone, &fixed))
			return csv_fail(e, TW_E_CONFIG, "%s: zone '%s' is not known", f->path, l->zone);
		s->zone_format = (struct zone){ .fixed = fixed };
		f->time.zone = &s->zone_format;
	}
	l->fast = l->format == FORMAT_TRUEFX && l->kind == TW_QUOTE && l->delimiter == ',' && s->decimal[0] == '.' &&
		  f->time.format == TIME_AUTO && !s->strict && (!f->time.zone || f->time.zone->n == 0);
	if (f->time.zone)
		f->zone_ns = (int64_t)f->time.zone->fixed * 1000000000;
	return TW_OK;
}

int32_t layout_make(struct file *f, const char *line, size_t n, struct tw_err *e)
{
	static const struct {
		const char *name;
		enum time_format format;
	} times[] = { { "auto", TIME_AUTO },       { "iso", TIME_ISO },         { "unix", TIME_UNIX },
		      { "unix_ms", TIME_UNIX_MS }, { "unix_us", TIME_UNIX_US }, { "unix_ns", TIME_UNIX_NS } };
	struct cell cells[COLUMNS_MAX];
	struct csv *s = f->csv;
	struct layout *l = &f->lay;
	uint32_t count;
	int32_t rc;

	*l = (struct layout){ 0 };
	for (int i = 0; i < FIELDS; i++)
		l->column[i] = -1;
	f->number = (struct number_style){ s->decimal[0], true, s->c_locale };
	f->time = (struct time_style){ TIME_PATTERN, s->time_format, NULL };
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		if (strcmp(s->time_format, times[i].name) == 0)
			f->time.format = times[i].format;
	l->delimiter = strcmp(s->delimiter, "auto") == 0 ? guess_delimiter(line, n) : delimiter_of(s->delimiter);
	count = row_split(f, l->delimiter, line, n, cells);
	if (count == 0 || memchr(line, 0, n))
		return unknown(f, line, n, e);
	l->n_columns = count;
	if (s->columns.n) {
		rc = layout_columns(f, cells, count, e);
		if (rc != TW_OK)
			return rc;
	} else if (!by_format(f, cells, count)) {
		return unknown(f, line, n, e);
	}
	rc = layout_finish(f, e);
	f->layout_known = rc == TW_OK;
	return rc;
}
