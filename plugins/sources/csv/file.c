/* SPDX-License-Identifier: Apache-2.0
 *
 * One file of the source: opened, its layout found, and then one row after the other.
 */
#include "csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Rows without a symbol or account carry a part of the file's name. In an option, {stem} is the name without folder and
 * endings, and {1}, {2} ... are its parts between underscores. */
static char *name_from(const char *option, const char *path)
{
	const char *base = strrchr(path, '/'), *part;
	char out[256];
	size_t stem, len = 0;

	base = base ? base + 1 : path;
	stem = strcspn(base, ".");
	if (!option[0])
		return strndup(base, strcspn(base, "_."));
	for (const char *p = option; *p && len + 1 < sizeof out;) {
		size_t n = 0;

		if (strncmp(p, "{stem}", 6) == 0) {
			part = base;
			n = stem;
			p += 6;
		} else if (*p == '{' && p[1] >= '1' && p[1] <= '9' && p[2] == '}') {
			part = base;
			for (int k = p[1] - '1'; k > 0 && part < base + stem; k--) {
				part += strcspn(part, "_.");
				part += *part == '_';
			}
			n = part < base + stem ? strcspn(part, "_.") : 0;
			p += 3;
		} else {
			part = p++;
			n = 1;
		}
		if (n > sizeof out - 1 - len)
			n = sizeof out - 1 - len;
		memcpy(out + len, part, n);
		len += n;
	}
	return strndup(out, len);
}

/* "path:17" in f->where, written anew. */
void file_where(struct file *f)
{
	int n = snprintf(f->where + f->where_prefix, f->where_cap - f->where_prefix, "%" PRIu64, f->line);

	f->where_len = f->where_prefix + (n > 0 ? (size_t)n : 0);
}

/* The same for the next line: nearly always one digit changes. */
static inline void next_where(struct file *f)
{
	char *p = f->where + f->where_len;

	f->line++;
	while (*--p == '9')
		*p = '0';
	if (*p == ':')
		file_where(f);
	else
		++*p;
}

int32_t file_open_reader(struct file *f, struct tw_err *e)
{
	struct csv *s = f->csv;
	size_t buffer = s->n_files <= 8 ? 256u << 10 : s->n_files <= 64 ? 64u << 10 : 16u << 10;
	struct tw_err why;
	struct stat st = { 0 };
	int32_t rc;
	int fd;

	if (s->memory) {
		rc = reader_open_memory(&f->r, s->memory, s->memory_len, &why);
		f->size = s->memory_len;
	} else {
		fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to wait for the writer of a pipe */
		if (fd < 0)
			return csv_fail(e, errno == EMFILE ? TW_E_CONFIG : TW_E_IO, "%s: cannot be opened: %s%s",
					f->path, strerror(errno),
					errno == EMFILE ? "; allow more open files (ulimit -n), or read fewer at a time"
							: "");
		if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
			close(fd);
			return csv_fail(
				e, TW_E_CONFIG, "%s: is not a file%s", f->path,
				S_ISDIR(st.st_mode) ? " but a folder; name the files in it, such as FOLDER/*.csv" : "");
		}
		f->size = (uint64_t)st.st_size;
		rc = reader_open(&f->r, fd, buffer, &why);
	}
	if (rc != TW_OK)
		return csv_fail(e, rc, "%s: %s", f->path, why.msg);
	return TW_OK;
}

/* The first line that is not empty decides on the layout. Its number is remembered, should it be the header. */
static int32_t find_layout(struct file *f, struct tw_err *e)
{
	enum line_status status;
	const char *p;
	size_t n;
	int32_t rc;

	rc = file_open_reader(f, e);
	if (rc != TW_OK)
		return rc;
	for (f->header_line = 1;; f->header_line++) {
		status = reader_line(&f->r, &p, &n);
		if (status == LINE_IO) {
			rc = csv_fail(e, TW_E_IO, "%s: cannot be read: %s", f->path, strerror(f->r.error));
			break;
		}
		if (status != LINE_OK && status != LINE_LONG)
			break; /* empty or damaged: file_next() will say so */
		if (status == LINE_OK && strspn(p, " \t\r") < n) {
			rc = layout_make(f, p, n, e);
			break;
		}
	}
	reader_close(&f->r);
	return rc;
}

int32_t file_open(struct file *f, struct tw_err *e)
{
	struct csv *s = f->csv;
	int32_t rc;

	f->r.fd = -1;
	f->last_ts = INT64_MIN;
	f->where_prefix = strlen(f->path) + 1;
	f->where_cap = f->where_prefix + 48;
	f->where = malloc(f->where_cap);
	f->symbol = name_from(s->symbol, f->path);
	f->account = name_from(s->account, f->path);
	if (!f->where || !f->symbol || !f->account)
		return csv_fail(e, TW_E_IO, "%s: memory is out", f->path);
	memcpy(f->where, f->path, f->where_prefix - 1);
	f->where[f->where_prefix - 1] = ':';
	file_where(f);
	rc = find_layout(f, e);
	if (rc == TW_OK)
		rc = file_open_reader(f, e);
	if (rc == TW_OK && f->layout_known && f->lay.by_time)
		rc = file_sort(f, e);
	return rc;
}

void file_close(struct file *f)
{
	reader_close(&f->r);
	free(f->path);
	free(f->symbol);
	free(f->account);
	free(f->scratch);
	free(f->where);
	free(f->text);
	free(f->sorted);
	*f = (struct file){ .r.fd = -1 };
}

static void backward(struct file *f)
{
	struct csv *s = f->csv;
	char now[64], before[64];

	if (s->strict) {
		row_bad(f, "out_of_order", 0, "the time goes back behind the row before it (strict)");
		return;
	}
	if (f->backward++ == 0 && s->host && s->backward_said++ < 16) {
		time_text(now, f->item.ts);
		time_text(before, f->last_ts);
		s->host->log(
			s->host, TW_LOG_WARN,
			"time goes backwards at %s: %s after %s; rows are kept in the order of the file, further ones "
			"are only counted",
			f->where, now, before);
	}
}

/* How often it happened, once the file is read. */
static void say_backward(const struct file *f)
{
	const struct csv *s = f->csv;

	if (f->backward > 1 && s->host)
		s->host->log(s->host, TW_LOG_WARN, "%s: %" PRIu64 " rows went back in time", f->path, f->backward);
}

static void end_of(struct file *f, enum line_status status, const char *p, size_t n)
{
	struct item *it = &f->item;

	it->raw = p;
	it->raw_len = n;
	f->at_end = true;
	switch (status) {
	case LINE_TRUNCATED:
		row_bad(f, "truncated", 0,
			"the %s file ends in the middle; all complete rows before line %" PRIu64
			" were read; fetch it again",
			f->r.packing == GZIP ? "gzip" : "zstd", f->line);
		it->status = ITEM_FAILED;
		break;
	case LINE_DAMAGED:
		row_bad(f, "damaged", 0,
			"the %s data is damaged; all rows before line %" PRIu64 " were read; fetch the file again",
			f->r.packing == GZIP ? "gzip" : "zstd", f->line);
		it->status = ITEM_FAILED;
		break;
	case LINE_IO:
		it->status = ITEM_IO;
		break;
	default:
		it->status = ITEM_END;
		break;
	}
	say_backward(f);
}

void file_next(struct file *f)
{
	struct item *it = &f->item;
	enum line_status status;
	const char *p;
	size_t n;

	if (f->lay.fast && f->line + 1 != f->header_line) {
		if (f->r.end - f->r.pos < 256)
			reader_fill(&f->r);
		n = truefx_parse(f, f->r.buf + f->r.pos, f->r.end - f->r.pos);
		if (n) {
			f->r.pos += n;
			next_where(f);
			goto event;
		}
	}
	if (f->sorted) {
		if (!file_next_sorted(f))
			return;
	} else {
		status = reader_line(&f->r, &p, &n);
		next_where(f);
		if (status == LINE_LONG) {
			it->raw = p;
			it->raw_len = n;
			row_bad(f, "long_line", 0, "longer than %u bytes", LINE_MAX_BYTES);
			return;
		}
		if (status != LINE_OK) {
			end_of(f, status, p, n);
			return;
		}
		if (f->line == f->header_line && f->lay.header) {
			it->raw = p;
			it->raw_len = n;
			it->status = ITEM_SKIP;
			return;
		}
		if (!f->layout_known) { /* there were only empty lines when the file was opened */
			struct tw_err e = { 0 };

			if (strspn(p, " \t\r") < n && layout_make(f, p, n, &e) != TW_OK) {
				it->raw = p;
				it->raw_len = n;
				f->at_end = true;
				row_bad(f, "bad_format", 0, "%.190s", e.msg);
				it->status = ITEM_FAILED;
				return;
			}
			it->status = ITEM_SKIP;
			if (!f->layout_known || f->lay.header)
				return;
		}
		row_parse(f, p, n);
	}
	if (it->status != ITEM_EVENT)
		return;
event:
	if (it->ts < f->last_ts) {
		backward(f);
		if (it->status != ITEM_EVENT)
			return;
	}
	f->last_ts = it->ts;
}
