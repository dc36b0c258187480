/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns as wide as their widest cell.
 */
#include "cli/cli_table.h"
#include "cli/cli.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void cli_table_column(struct cli_table *t, const char *head, bool left)
{
	if (t->columns == CLI_TABLE_COLUMNS)
		return;
	t->heads[t->columns] = head;
	t->left[t->columns++] = left;
}

void cli_table_row(struct cli_table *t, bool strong)
{
	if (t->rows == t->cap) {
		uint32_t cap = t->cap ? 2 * t->cap : 32;
		void *more = realloc(t->cells, (size_t)cap * CLI_TABLE_COLUMNS * sizeof *t->cells);
		if (more)
			t->cells = more;
		else
			t->memory_out = true;
		more = realloc(t->strong, cap * sizeof *t->strong);
		if (more)
			t->strong = more;
		else
			t->memory_out = true;
		if (t->memory_out)
			return;
		t->cap = cap;
	}
	for (uint32_t i = 0; i < CLI_TABLE_COLUMNS; i++)
		t->cells[(size_t)t->rows * CLI_TABLE_COLUMNS + i] = "";
	t->strong[t->rows++] = strong;
	t->at = 0;
}

static void add(struct cli_table *t, const char *text, size_t len)
{
	struct buf clean = { 0 };
	const char *copy;

	if (t->memory_out || t->at == t->columns)
		return;
	if (cli_text(&clean, text, len, 0) < 0) {
		t->memory_out = true;
		return;
	}
	copy = arena_text(&t->arena, clean.data ? (const char *)clean.data : "", clean.len);
	buf_free(&clean);
	if (copy)
		t->cells[(size_t)(t->rows - 1) * CLI_TABLE_COLUMNS + t->at++] = copy;
	else
		t->memory_out = true;
}

void cli_table_cell(struct cli_table *t, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	add(t, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void cli_table_number(struct cli_table *t, double v, int digits)
{
	if (isnan(v))
		cli_table_cell(t, "-");
	else
		cli_table_cell(t, "%.*f", digits, v);
}

static const char *cell_at(const struct cli_table *t, uint32_t row, uint32_t column)
{
	return row ? t->cells[(size_t)(row - 1) * CLI_TABLE_COLUMNS + column] : t->heads[column];
}

/* Code points; good enough for names. */
static int columns_of(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

int cli_table_text(const struct cli_table *t, struct buf *out, bool colour)
{
	int widths[CLI_TABLE_COLUMNS] = { 0 }, rc = t->memory_out ? -1 : 0;

	for (uint32_t r = 0; r <= t->rows; r++)
		for (uint32_t c = 0; c < t->columns; c++)
			if (columns_of(cell_at(t, r, c)) > widths[c])
				widths[c] = columns_of(cell_at(t, r, c));
	for (uint32_t r = 0; r <= t->rows && rc == 0; r++) {
		bool strong = colour && (!r || t->strong[r - 1]);
		if (strong)
			rc |= buf_addf(out, "\033[1m");
		for (uint32_t c = 0; c < t->columns; c++) {
			const char *text = cell_at(t, r, c);
			int pad = widths[c] - columns_of(text);
			bool last = c + 1 == t->columns;
			rc |= buf_addf(out, "%s%*s%s%*s", c ? "  " : "", t->left[c] ? 0 : pad, "", text,
				       t->left[c] && !last ? pad : 0, "");
		}
		rc |= buf_addf(out, "%s\n", strong ? "\033[0m" : "");
	}
	return rc;
}

int cli_table_csv(const struct cli_table *t, struct buf *out)
{
	int rc = t->memory_out ? -1 : 0;

	for (uint32_t r = 0; r <= t->rows && rc == 0; r++) {
		for (uint32_t c = 0; c < t->columns; c++) {
			const char *text = cell_at(t, r, c);
			bool quoted = strpbrk(text, ",\"\n") != NULL;
			rc |= buf_addf(out, "%s%s", c ? "," : "", quoted ? "\"" : "");
			for (const char *p = text; *p; p++)
				rc |= buf_addf(out, *p == '"' ? "\"\"" : "%c", *p);
			rc |= buf_addf(out, "%s", quoted ? "\"" : "");
		}
		rc |= buf_addf(out, "\n");
	}
	return rc;
}

void cli_table_free(struct cli_table *t)
{
	arena_free(&t->arena);
	free(t->cells);
	free(t->strong);
	*t = (struct cli_table){ 0 };
}
