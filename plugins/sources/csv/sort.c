/* SPDX-License-Identifier: Apache-2.0
 *
 * Files whose rows do not stand in order of time, such as account histories, which are newest first: held in memory and
 * put in order, within SORT_MAX_BYTES.
 */
#include "csv.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const struct sorted_row *x = a, *y = b;

	if (x->ts != y->ts)
		return x->ts < y->ts ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static int compare_newest_first(const void *a, const void *b)
{
	const struct sorted_row *x = a, *y = b;

	if (x->ts != y->ts)
		return x->ts < y->ts ? -1 : 1;
	return x->line > y->line ? -1 : x->line < y->line;
}

static bool keep(struct file *f, const struct sorted_row *row, const char *p, size_t *text_cap, uint64_t *rows_cap)
{
	if (f->n_sorted == *rows_cap) {
		uint64_t cap = *rows_cap ? 2 * *rows_cap : 1024;
		struct sorted_row *rows = realloc(f->sorted, cap * sizeof *rows);

		if (!rows)
			return false;
		f->sorted = rows;
		*rows_cap = cap;
	}
	if (f->text_len + row->len + PAD_BYTES > *text_cap) {
		size_t cap = 2 * (f->text_len + row->len + PAD_BYTES);
		char *text = realloc(f->text, cap);

		if (!text)
			return false;
		f->text = text;
		*text_cap = cap;
	}
	memcpy(f->text + f->text_len, p, row->len);
	f->sorted[f->n_sorted++] = *row;
	f->text_len += row->len;
	return true;
}

int32_t file_sort(struct file *f, struct tw_err *e)
{
	uint64_t line = 0, rows_cap = 0, up = 0, down = 0;
	int64_t last = INT64_MIN;
	size_t text_cap = 0, n;
	const char *p;

	for (;;) {
		struct sorted_row row = { .ts = INT64_MIN, .offset = f->text_len };
		enum line_status status = reader_line(&f->r, &p, &n);

		row.line = ++line;
		row.len = (uint32_t)n;
		row.status = status;
		if (status == LINE_IO)
			return csv_fail(e, TW_E_IO, "%s: cannot be read: %s", f->path, strerror(f->r.error));
		if (status == LINE_OK && !(line == f->header_line && f->lay.header)) {
			row.hash = csv_hash(0, p, n);
			row_parse(f, p, n);
			if (f->item.status == ITEM_EVENT) {
				row.ts = f->item.ts;
				up += last != INT64_MIN && row.ts > last;
				down += row.ts < last;
				last = row.ts;
			}
		}
		/* What is no event comes first, at once; the end of the bytes comes last. */
		if (status != LINE_OK && status != LINE_LONG)
			row.ts = INT64_MAX;
		if (f->text_len + n > SORT_MAX_BYTES)
			return csv_fail(
				e, TW_E_CONFIG,
				"%s: more than %u MiB of text to put in order of time; sort it beforehand and set "
				"`order: file`",
				f->path, SORT_MAX_BYTES >> 20);
		if (!keep(f, &row, p, &text_cap, &rows_cap))
			return csv_fail(e, TW_E_IO, "%s: memory is out while its rows are put in order of time",
					f->path);
		if (status != LINE_OK && status != LINE_LONG)
			break;
	}
	/* Rows of the same time: where a file is newest first, the later one stands above. */
	qsort(f->sorted, f->n_sorted, sizeof *f->sorted, down > up ? compare_newest_first : compare);
	memset(f->text + f->text_len, 0, PAD_BYTES);
	f->sorted_at = 0;
	return TW_OK;
}

/* How many rows of the same time just before this one are the same in every byte. */
static uint32_t repeats(const struct file *f, uint64_t at)
{
	const struct sorted_row *row = &f->sorted[at];
	uint32_t n = 0;

	for (uint64_t i = at; i > 0 && at - i < 4096 && f->sorted[i - 1].ts == row->ts; i--) {
		const struct sorted_row *other = &f->sorted[i - 1];

		n += other->hash == row->hash && other->len == row->len &&
		     memcmp(f->text + other->offset, f->text + row->offset, row->len) == 0;
	}
	return n;
}

/* true: the row was parsed into f->item. */
bool file_next_sorted(struct file *f)
{
	const struct sorted_row *row;
	const char *p;

	if (f->sorted_at >= f->n_sorted) {
		f->item.status = ITEM_END;
		f->at_end = true;
		return false;
	}
	row = &f->sorted[f->sorted_at];
	p = f->text + row->offset;
	f->line = row->line;
	file_where(f);
	f->item.raw = p;
	f->item.raw_len = row->len;
	f->repeat = row->ts == INT64_MIN ? 0 : repeats(f, f->sorted_at);
	f->sorted_at++;
	if (row->status == LINE_LONG) {
		row_bad(f, "long_line", 0, "longer than %u bytes", LINE_MAX_BYTES);
	} else if (row->status == LINE_TRUNCATED || row->status == LINE_DAMAGED) {
		f->at_end = true;
		row_bad(f, row->status == LINE_TRUNCATED ? "truncated" : "damaged", 0,
			"the packed file ends early or is damaged; all complete rows before line %" PRIu64
			" were read; fetch it again",
			f->line);
		f->item.status = ITEM_FAILED;
	} else if (row->status != LINE_OK) {
		f->item.status = ITEM_END;
		f->at_end = true;
	} else if (row->line == f->header_line && f->lay.header) {
		f->item.status = ITEM_SKIP;
	} else {
		row_parse(f, p, row->len);
		return true;
	}
	return false;
}
