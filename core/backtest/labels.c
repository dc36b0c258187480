/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of labels, and which subject a label has.
 */
#include "backtest/labels.h"
#include "base/err.h"
#include "base/os.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "realTweets/x.csv" is the end of ".../anomaly_nab/realTweets/x.csv"; "x.csv" and "x" are its last part. */
static bool names_file(struct tw_str key, const char *path)
{
	const char *base = base_name(path);
	size_t len = strlen(path), last = strlen(base);

	if (key.len <= len && !memcmp(path + len - key.len, key.s, key.len) &&
	    (key.len == len || path[len - key.len - 1] == '/'))
		return true;
	while (key.len && memchr(key.s, '/', key.len))
		key.s++, key.len--;
	if (key.len == last && !memcmp(base, key.s, last))
		return true;
	return key.len && key.len < last && base[key.len] == '.' && !memcmp(base, key.s, key.len) &&
	       !memchr(key.s, '.', key.len);
}

/* TW_AGAIN: none of the data files. */
static int32_t subject_of_file(struct label_reader *r, struct tw_str key, uint32_t *symbol)
{
	for (uint32_t i = 0; i < r->files->n; i++) {
		const char *base = base_name(r->files->paths[i]);
		if (!names_file(key, r->files->paths[i]))
			continue;
		if (r->files->n > 1) {
			*symbol = intern_id(r->names, base, strcspn(base, "."));
			r->labels->by_file = true;
		}
		return TW_OK;
	}
	r->labels->left_out++;
	return TW_AGAIN;
}

static uint32_t name_id(struct intern *names, struct tw_str s)
{
	return s.s && s.len ? intern_id(names, s.s, s.len) : 0;
}

/* Room for one more and the label in it. */
static int32_t append(struct labels *l, const struct label *one, struct tw_err *e)
{
	if (l->n == l->cap) {
		uint32_t cap = l->cap ? 2 * l->cap : 64;
		struct label *list = l->n < LABELS_MAX ? realloc(l->list, cap * sizeof *list) : NULL;
		if (!list)
			return err_set(e, TW_E_DATA, l->n < LABELS_MAX ? "memory is out" : "more than %u labels",
				       LABELS_MAX);
		l->list = list;
		l->cap = cap;
	}
	l->list[l->n++] = *one;
	return TW_OK;
}

static void where_text(char out[64], uint32_t line)
{
	if (line)
		snprintf(out, 64, ":%u", line);
	else
		out[0] = '\0';
}

int32_t labels_add(struct label_reader *r, const struct label_row *row, uint32_t line, struct tw_err *e)
{
	struct label one = { .symbol = name_id(r->names, row->symbol),
			     .account = name_id(r->names, row->account),
			     .category = name_id(r->names, row->category) };
	struct tw_str to = row->to.len ? row->to : row->from;
	char where[64];

	where_text(where, line);
	if (row->file.len && !one.symbol && !one.account && subject_of_file(r, row->file, &one.symbol) != TW_OK)
		return TW_AGAIN;
	if (!label_time(row->from, false, &one.from))
		return err_set(e, TW_E_DATA,
			       "%s%s: '%.*s' is no time; expected one such as 2026-01-02T10:30:00Z, or a number since "
			       "1970",
			       r->path, where, (int)(row->from.len < 64 ? row->from.len : 64),
			       row->from.s ? row->from.s : "");
	if (!label_time(to, true, &one.to))
		return err_set(e, TW_E_DATA,
			       "%s%s: '%.*s' is no time; expected one such as 2026-01-02T10:30:00Z, or a number since "
			       "1970",
			       r->path, where, (int)(to.len < 64 ? to.len : 64), to.s ? to.s : "");
	if (one.to < one.from)
		return err_set(e, TW_E_DATA, "%s%s: the label ends before it begins", r->path, where);
	if (append(r->labels, &one, e) < 0)
		return err_prefix(e, "%s", r->path);
	return TW_OK;
}

static int by_time(const void *x, const void *y)
{
	const struct label *a = x, *b = y;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	if (a->symbol != b->symbol)
		return a->symbol < b->symbol ? -1 : 1;
	if (a->account != b->account)
		return a->account < b->account ? -1 : 1;
	return a->category < b->category ? -1 : a->category > b->category;
}

static void finish(struct labels *l)
{
	if (l->n)
		qsort(l->list, l->n, sizeof *l->list, by_time);
	for (uint32_t i = 0; i < l->n; i++)
		if (l->list[i].to - l->list[i].from > l->longest)
			l->longest = l->list[i].to - l->list[i].from;
}

static int32_t read_file(const char *path, struct buf *b, struct tw_err *e)
{
	int fd = os->open(path, O_RDONLY, 0);
	ssize_t n = -1;

	if (fd < 0)
		return err_sys(e, errno, "%s: cannot be read", path);
	while (b->len <= LABELS_FILE_MAX) {
		unsigned char *room = buf_reserve(b, 65536);
		if (!room) {
			errno = ENOMEM;
			break;
		}
		n = os->read(fd, room, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		b->len += (size_t)n;
	}
	if (n < 0)
		err_sys(e, errno, "%s: cannot be read", path);
	(void)os->close(fd);
	if (n < 0)
		return TW_E_IO;
	return b->len > LABELS_FILE_MAX ? err_set(e, TW_E_DATA, "%s: a labels file of more than 64 MiB", path) : TW_OK;
}

int32_t labels_read(struct labels *l, const char *path, const struct data_files *files, struct intern *names,
		    struct tw_err *e)
{
	struct label_reader r = { .labels = l, .files = files, .names = names, .path = path };
	struct buf b = { 0 };
	int32_t rc = read_file(path, &b, e);
	char *text;
	size_t at = 0;

	*l = (struct labels){ 0 };
	if (rc == TW_OK && !buf_reserve(&b, 1))
		rc = err_set(e, TW_E_IO, "memory is out");
	if (rc == TW_OK) {
		text = (char *)b.data;
		text[b.len] = '\0';
		if (b.len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
			at = 3;
		rc = text[at + strspn(text + at, " \t\r\n")] == '{' || text[at + strspn(text + at, " \t\r\n")] == '['
			     ? labels_json(&r, text + at, b.len - at, e)
			     : labels_csv(&r, text + at, b.len - at, e);
	}
	buf_free(&b);
	if (rc < 0)
		labels_free(l);
	else
		finish(l);
	return rc < 0 ? rc : TW_OK;
}

int32_t labels_tape(struct labels *l, struct store *s, struct intern *names, struct tw_err *e)
{
	struct log_reader *reader = NULL;
	struct arena scratch = { 0 };
	struct block b;
	int32_t rc = log_reader_open(&reader, s, LOG_TAPE, 1, e);

	*l = (struct labels){ 0 };
	while (rc == TW_OK && (rc = log_reader_next(reader, &b, e)) == TW_OK) {
		const unsigned char *event;
		struct tw_event ev;
		size_t at = 0, len;
		uint16_t source;
		while (rc == TW_OK && tape_record(&b, &at, &source, &event, &len)) {
			if (event_kind(event) != TW_LABEL || event_decode(&ev, event, len, names, &scratch) != len)
				continue;
			const struct tw_label *t = &ev.label;
			struct label one = { .from = t->from, .to = t->to, .symbol = t->symbol, .account = t->account };
			if (t->from <= 0 || t->to < t->from ||
			    (t->verdict.len && (t->verdict.len != 5 || memcmp(t->verdict.s, "abuse", 5))))
				continue;
			one.category = name_id(names, t->category);
			rc = append(l, &one, e);
		}
	}
	log_reader_close(reader);
	arena_free(&scratch);
	if (rc < 0 && rc != TW_AGAIN) {
		labels_free(l);
		return rc;
	}
	finish(l);
	return TW_OK;
}

void labels_free(struct labels *l)
{
	free(l->list);
	*l = (struct labels){ 0 };
}
