/* SPDX-License-Identifier: Apache-2.0
 *
 * Where to go on. For a single plain file that is a byte offset, with a fingerprint of the bytes before it. For
 * anything else it is how many rows were read in merge order, with a fingerprint of how many came from each file and of
 * how each one begins; those rows are read again and left out. Files may have grown at the end; any other change is
 * refused.
 */
#include "csv.h"

#include <stdlib.h>

#define MARK UINT32_C(0x31767363) /* "csv1" */

enum { SINGLE = 1, OPEN_ENDED = 2, INSIDE = 4 };

struct record {
	uint32_t mark, flags, n_files, tail;
	uint64_t rows, offset, line, hash;
	int64_t ts;
};

static uint64_t mix(uint64_t h, uint64_t v)
{
	return csv_hash(h, &v, sizeof v);
}

/* Over the files that rows were read from; new ones may have joined the list. */
static uint64_t files_hash(const struct csv *s)
{
	uint64_t h = 0;

	for (uint32_t i = 0; i < s->n_files; i++) {
		const struct file *f = &s->files[i];
		const char *base = strrchr(f->path, '/');

		if (!f->rows)
			continue;
		base = base ? base + 1 : f->path;
		h = csv_hash(h, base, strlen(base));
		h = mix(h, f->rows);
		h = mix(h, f->head_hash);
	}
	return h;
}

void position_write(struct csv *s, struct tw_pos *ret)
{
	struct record r = { .mark = MARK, .n_files = s->n_files, .rows = s->rows };

	if (s->single) {
		const struct reader *in = &s->files[0].r;

		r.flags = SINGLE | (s->done_open ? OPEN_ENDED : 0u) | (s->done_inside ? INSIDE : 0u);
		r.offset = s->done_offset;
		r.line = s->done_line;
		r.ts = s->done_ts;
		if (r.offset >= in->offset && r.offset - in->offset <= in->end) {
			uint64_t have = r.offset - in->offset;

			r.tail = (uint32_t)(have < TAIL_BYTES ? have : TAIL_BYTES);
			r.hash = csv_hash(0, in->buf + have - r.tail, r.tail);
		}
	} else {
		r.hash = files_hash(s);
	}
	memset(ret, 0, sizeof *ret);
	ret->len = sizeof r;
	memcpy(ret->data, &r, sizeof r);
}

static int32_t changed(const struct csv *s, const char *how, struct tw_err *e)
{
	return csv_fail(
		e, TW_E_CONFIG,
		"%s%s changed behind the recorded position: %s; put it back, or start with an empty data folder",
		s->files[0].path, s->n_files > 1 ? " (or one of the files beside it)" : "", how);
}

static int32_t resume_single(struct csv *s, const struct record *r, struct tw_err *e)
{
	struct file *f = &s->files[0];
	struct reader *in = &f->r;

	if (r->tail > TAIL_BYTES || r->tail > r->offset)
		return csv_fail(e, TW_E_CONFIG, "%s: the recorded position is damaged", f->path);
	if (!reader_seek(in, r->offset - r->tail))
		return changed(s, "it is shorter now", e);
	while (in->end < r->tail && reader_fill(in))
		;
	if (in->end < r->tail || (f->size && f->size < r->offset))
		return changed(s, "it is shorter now", e);
	if (csv_hash(0, in->buf, r->tail) != r->hash)
		return changed(s, "the rows before the position are not the same", e);
	in->pos = r->tail;
	if (r->flags & OPEN_ENDED) { /* the last line may have been half written then */
		if (in->end - in->pos < 2)
			reader_fill(in);
		if (in->end > in->pos && in->buf[in->pos] == '\r')
			in->pos++;
		if (in->end > in->pos && in->buf[in->pos] != '\n')
			return changed(s, "its last line had no end and was read as it was, and has grown since", e);
		in->pos += in->end > in->pos;
	}
	in->discarding = (r->flags & INSIDE) != 0;
	f->line = r->line;
	f->last_ts = s->done_ts = r->ts;
	file_where(f);
	f->rows = s->rows = r->rows;
	merge_start(s);
	return TW_OK;
}

static int32_t resume_rows(struct csv *s, const struct record *r, struct tw_err *e)
{
	const struct tw_host *host = s->host;

	s->host = NULL; /* what is read again is not said again */
	merge_start(s);
	while (s->rows < r->rows) {
		struct file *f = merge_top(s);

		if (!f || f->item.status == ITEM_IO)
			break;
		if (f->item.status == ITEM_FAILED && !s->failed) {
			s->failed = true;
			csv_fail(&s->failure, TW_E_FATAL, "%s: %s", f->path, f->item.detail);
		}
		merge_take(s, f);
	}
	s->host = host;
	s->zone_said = false;
	s->backward_said = 0;
	if (s->rows < r->rows)
		return changed(s, "there are fewer rows now", e);
	if (files_hash(s) != r->hash)
		return changed(s, "the rows before the position are not the same", e);
	return TW_OK;
}

int32_t position_resume(struct csv *s, const struct tw_pos *pos, struct tw_err *e)
{
	struct record r;

	if (pos->len != sizeof r)
		return csv_fail(e, TW_E_CONFIG, "%s: the recorded position is not one of this plugin",
				s->files[0].path);
	memcpy(&r, pos->data, sizeof r);
	if (r.mark != MARK)
		return csv_fail(e, TW_E_CONFIG, "%s: the recorded position is not one of this version of the plugin",
				s->files[0].path);
	if (((r.flags & SINGLE) != 0) != s->single)
		return changed(s,
			       s->single ? "the position is one of several, packed or sorted files"
					 : "the position is one of a single plain file",
			       e);
	return s->single ? resume_single(s, &r, e) : resume_rows(s, &r, e);
}
