/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of mistakes: collected in any order, printed once, sorted, each with its line and what is wrong underlined.
 */
#include "config/internal.h"
#include "event/utf8.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXCERPT_COLUMNS 160 /* of a long line, around the fault */

/* Texts of places are copied, because a report outlives the configuration it is about. Mistakes often share a line. */
static void copy_place(struct report *r, const struct place *from, struct place *to)
{
	*to = *from;
	to->file = to->text = NULL;
	for (uint32_t i = r->n; i > 0 && !to->text; i--) {
		const struct place *at = &r->list[i - 1].at;
		if (!at->file || strcmp(at->file, from->file) != 0)
			continue;
		to->file = at->file;
		if (at->line == from->line && at->text && from->text && strcmp(at->text, from->text) == 0)
			to->text = at->text;
	}
	if (!to->file)
		to->file = arena_text(&r->arena, from->file, strlen(from->file));
	if (!to->text && from->text)
		to->text = arena_text(&r->arena, from->text, strlen(from->text));
}

static void TW_PRINTF(4, 0) add(struct report *r, const struct place *at, bool warning, const char *fmt, va_list ap)
{
	if (!warning)
		r->errors++;
	if (r->n == CONFIG_MAX_MISTAKES) {
		r->dropped++;
		return;
	}
	if (r->n == r->cap) {
		uint32_t cap = r->cap ? r->cap * 2 : 16;
		struct mistake *list = realloc(r->list, cap * sizeof *list);
		if (!list)
			return;
		r->list = list;
		r->cap = cap;
	}
	char text[4096];
	int len = vsnprintf(text, sizeof text, fmt, ap);
	size_t n = len < 0 ? 0 : strlen(text);
	struct mistake m = { .warning = warning, .text = arena_text(&r->arena, text, n) };
	if (!m.text)
		m.text = "(out of memory)";
	if (at && at->file)
		copy_place(r, at, &m.at);
	r->list[r->n++] = m;
}

void report_error(struct report *r, const struct place *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(r, at, false, fmt, ap);
	va_end(ap);
}

void report_warning(struct report *r, const struct place *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(r, at, true, fmt, ap);
	va_end(ap);
}

/* What is about no file comes first; otherwise by place, and by the order of finding where that is the same. */
static int compare(const void *a, const void *b)
{
	const struct mistake *x = *(const struct mistake *const *)a;
	const struct mistake *y = *(const struct mistake *const *)b;
	int order = strcmp(x->at.file ? x->at.file : "", y->at.file ? y->at.file : "");
	if (!order)
		order = (x->at.line > y->at.line) - (x->at.line < y->at.line);
	if (!order)
		order = (x->at.column > y->at.column) - (x->at.column < y->at.column);
	return order ? order : (x > y) - (x < y);
}

static bool same(const struct mistake *a, const struct mistake *b)
{
	return strcmp(a->text, b->text) == 0 && a->warning == b->warning && a->at.line == b->at.line &&
	       a->at.column == b->at.column && strcmp(a->at.file ? a->at.file : "", b->at.file ? b->at.file : "") == 0;
}

/* Configuration is text from outside: nothing in it may steer the terminal. */
static void print_text(FILE *f, const char *s)
{
	for (size_t left = strlen(s); left;) {
		size_t n = utf8_span(s, left, UTF8_PLAIN);
		fwrite(s, 1, n, f);
		s += n;
		left -= n;
		if (!left)
			break;
		if (*s == '\n')
			fputs("\\n", f);
		else
			fprintf(f, "\\x%02x", (unsigned char)*s);
		s++;
		left--;
	}
}

static const char *next_column(const char *s)
{
	s++;
	while (((unsigned char)*s & 0xc0) == 0x80)
		s++;
	return s;
}

static void print_excerpt(FILE *f, const struct place *at, const char *mark, const char *plain)
{
	const char *s = at->text;
	int32_t first = at->column > EXCERPT_COLUMNS / 2 ? at->column - EXCERPT_COLUMNS / 4 : 1;
	for (int32_t i = 1; i < first && *s; i++)
		s = next_column(s);
	fprintf(f, "%5d | %s", at->line, first > 1 ? "..." : "");
	int32_t column = first, from = at->column, to = at->column + (at->width > 0 ? at->width : 1);
	struct buf under = { 0 };
	for (; *s && column < first + EXCERPT_COLUMNS; column++) {
		const char *end = next_column(s);
		size_t n = (size_t)(end - s);
		if (*s == '\t' || utf8_span(s, n, UTF8_PLAIN) == n)
			fwrite(s, 1, n, f);
		else
			fputc('?', f);
		if (column < from)
			buf_add(&under, *s == '\t' ? "\t" : " ", 1);
		else if (column < to)
			buf_add(&under, column > from ? "~" : "^", 1);
		s = end;
	}
	if (column <= from) /* behind the end of the line, such as a missing bracket */
		buf_add(&under, "^", 1);
	fprintf(f, "%s\n      | %s%s%.*s%s\n", *s ? "..." : "", first > 1 ? "   " : "", mark, (int)under.len,
		under.data ? (const char *)under.data : "", plain);
	buf_free(&under);
}

static void print_one(FILE *f, const struct mistake *m, bool colour)
{
	const char *bold = colour ? "\033[1m" : "", *plain = colour ? "\033[0m" : "";
	const char *kind = !colour ? "" : m->warning ? "\033[1;33m" : "\033[1;31m";
	if (m->at.file) {
		fputs(bold, f);
		print_text(f, m->at.file);
		if (m->at.line > 0)
			fprintf(f, ":%d:%d", m->at.line, m->at.column);
		fprintf(f, ":%s ", plain);
	}
	fprintf(f, "%s%s:%s ", kind, m->warning ? "warning" : "error", plain);
	print_text(f, m->text);
	fputc('\n', f);
	if (m->at.file && m->at.line > 0 && m->at.text)
		print_excerpt(f, &m->at, kind, plain);
}

void report_print(const struct report *r, FILE *f)
{
	if (!r->n && !r->errors)
		return;
	const struct mistake **order = calloc(r->n + 1, sizeof *order);
	if (!order) {
		fputs("error: out of memory while printing mistakes\n", f);
		return;
	}
	for (uint32_t i = 0; i < r->n; i++)
		order[i] = &r->list[i];
	qsort(order, r->n, sizeof *order, compare);

	bool colour = isatty(fileno(f)) == 1;
	uint32_t files = 0, errors = r->errors, warnings = 0;
	const char *file = NULL;
	for (uint32_t i = 0; i < r->n; i++) {
		const struct mistake *m = order[i];
		if (i && same(m, order[i - 1])) {
			errors -= !m->warning;
			continue;
		}
		warnings += m->warning;
		if (m->at.file && (!file || strcmp(m->at.file, file) != 0)) {
			file = m->at.file;
			files++;
		}
		print_one(f, m, colour);
	}
	free(order);
	if (r->dropped)
		fprintf(f, "and %u more that are not shown\n", r->dropped);
	fputs("check: ", f);
	if (errors)
		fprintf(f, "%u error%s", errors, errors == 1 ? "" : "s");
	if (warnings)
		fprintf(f, "%s%u warning%s", errors ? " and " : "", warnings, warnings == 1 ? "" : "s");
	if (files)
		fprintf(f, " in %u file%s", files, files == 1 ? "" : "s");
	fputc('\n', f);
}

void report_free(struct report *r)
{
	arena_free(&r->arena);
	free(r->list);
	memset(r, 0, sizeof *r);
}
