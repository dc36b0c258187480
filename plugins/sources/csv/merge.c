/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of all files in order of time: a heap of files by the time of their next row, and by their place in the list
 * where times are equal. What is no event (a header, a bad row) comes as soon as it is reached, so the order depends on
 * the files alone and a number of rows is a position in it.
 */
#include "csv.h"

static int64_t key(const struct file *f)
{
	return f->item.status == ITEM_EVENT ? f->item.ts : INT64_MIN;
}

static bool before(const struct csv *s, uint32_t a, uint32_t b)
{
	int64_t x = key(&s->files[a]), y = key(&s->files[b]);

	return x < y || (x == y && a < b);
}

static void sift(struct csv *s, uint32_t i)
{
	for (;;) {
		uint32_t least = i, left = 2 * i + 1, tmp;

		for (uint32_t c = left; c < left + 2 && c < s->n_heap; c++)
			if (before(s, s->heap[c], s->heap[least]))
				least = c;
		if (least == i)
			return;
		tmp = s->heap[i];
		s->heap[i] = s->heap[least];
		s->heap[least] = tmp;
		i = least;
	}
}

void merge_start(struct csv *s)
{
	s->n_heap = 0;
	for (uint32_t i = 0; i < s->n_files; i++) {
		file_next(&s->files[i]);
		if (s->files[i].item.status != ITEM_END)
			s->heap[s->n_heap++] = i;
	}
	for (uint32_t i = s->n_heap; i-- > 0;)
		sift(s, i);
}

struct file *merge_top(struct csv *s)
{
	if (s->given) {
		struct file *f = s->given;

		s->given = NULL;
		if (f->at_end)
			f->item.status = ITEM_END;
		else
			file_next(f);
		if (f->item.status == ITEM_END)
			s->heap[0] = s->heap[--s->n_heap];
		sift(s, 0);
	}
	return s->n_heap ? &s->files[s->heap[0]] : NULL;
}

void merge_take(struct csv *s, struct file *f)
{
	s->given = f;
	if (f->item.status == ITEM_FAILED)
		return; /* no row: when the file is whole again, there will be another one in its place */
	s->rows++;
	f->rows++;
	if (s->single) {
		s->done_offset = f->r.offset + f->r.pos;
		s->done_line = f->line;
		s->done_ts = f->last_ts;
		s->done_open = f->r.open_ended;
		s->done_inside = f->r.discarding;
	} else if (f->head_len < HEAD_BYTES) {
		f->head_hash = csv_hash(f->head_hash, f->item.raw, f->item.raw_len);
		f->head_len += (uint32_t)f->item.raw_len + 1;
	}
}
