/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeping what was committed.
 */
#include "disk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *must(void *p)
{
	if (!p) {
		fputs("simulate: memory is out\n", stderr);
		abort();
	}
	return p;
}

struct disk *disk_new(const char *tape_id, uint64_t segment_size)
{
	struct disk *d = must(calloc(1, sizeof *d));

	memcpy(d->tape_id, tape_id, sizeof d->tape_id - 1);
	d->segment_size = segment_size;
	return d;
}

static void log_free(struct disk_log *l)
{
	buf_free(&l->bytes);
	free(l->blocks);
}

void disk_drop_values(struct disk *d)
{
	for (uint32_t i = 0; i < d->n_values; i++)
		free(d->values[i].data);
	d->n_values = 0;
}

void disk_free(struct disk *d)
{
	if (!d)
		return;
	log_free(&d->tape);
	log_free(&d->dead);
	log_free(&d->alerts);
	disk_drop_values(d);
	free(d->values);
	free(d);
}

static void log_copy(struct disk_log *to, const struct disk_log *from)
{
	for (uint32_t i = 0; i < from->n; i++) {
		struct block b = disk_block(from, i);
		log_append(to, &b, from->blocks[i].segment, false);
	}
	to->last = from->last;
}

struct disk *disk_copy_tape(const struct disk *from)
{
	struct disk *d = disk_new(from->tape_id, from->segment_size);

	log_copy(&d->tape, &from->tape);
	d->segments = from->segments;
	memcpy(d->sources, from->sources, sizeof d->sources);
	d->n_sources = from->n_sources;
	memcpy(d->positions, from->positions, sizeof d->positions);
	d->n_positions = from->n_positions;
	return d;
}

void log_append(struct disk_log *l, const struct block *b, uint32_t segment, bool join)
{
	struct disk_block *last = l->n ? &l->blocks[l->n - 1] : NULL;

	if (join && last && last->segment == segment) {
		last->count += b->count;
		last->len += b->len;
	} else {
		if (l->n == l->cap) {
			l->cap = l->cap ? l->cap * 2 : 32;
			l->blocks = must(realloc(l->blocks, l->cap * sizeof *l->blocks));
		}
		l->blocks[l->n++] = (struct disk_block){ b->first, b->count, segment, l->bytes.len, b->len };
	}
	if (b->len && buf_add(&l->bytes, b->bytes, b->len) != 0)
		must(NULL);
	l->last = b->first + b->count - 1;
}

struct block disk_block(const struct disk_log *l, uint32_t i)
{
	const struct disk_block *b = &l->blocks[i];

	return (struct block){ b->first, b->count, l->bytes.data + b->at, b->len };
}

/* Where the key is, or belongs. */
static uint32_t place(const struct disk *d, uint64_t key)
{
	uint32_t from = 0, to = d->n_values;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;
		if (d->values[mid].key < key)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

void disk_set(struct disk *d, uint32_t space, uint32_t key, const void *data, uint32_t len)
{
	uint64_t k = (uint64_t)space << 32 | key;
	uint32_t at = place(d, k);
	bool there = at < d->n_values && d->values[at].key == k;

	if (there)
		free(d->values[at].data);
	if (!data) {
		if (there)
			memmove(d->values + at, d->values + at + 1, (--d->n_values - at) * sizeof *d->values);
		return;
	}
	if (!there) {
		if (d->n_values == d->cap_values) {
			d->cap_values = d->cap_values ? d->cap_values * 2 : 64;
			d->values = must(realloc(d->values, d->cap_values * sizeof *d->values));
		}
		memmove(d->values + at + 1, d->values + at, (d->n_values++ - at) * sizeof *d->values);
	}
	d->values[at] = (struct disk_value){ k, len, must(malloc(len ? len : 1)) };
	if (len)
		memcpy(d->values[at].data, data, len);
}

const struct disk_value *disk_get(const struct disk *d, uint32_t space, uint32_t key)
{
	uint64_t k = (uint64_t)space << 32 | key;
	uint32_t at = place(d, k);

	return at < d->n_values && d->values[at].key == k ? &d->values[at] : NULL;
}

const struct disk_position *disk_position(const struct disk *d, const char *source)
{
	for (uint32_t i = 0; i < d->n_positions; i++)
		if (!strcmp(d->positions[i].source, source))
			return &d->positions[i];
	return NULL;
}

const struct disk_cursor *disk_cursor(const struct disk *d, const char *sink)
{
	for (uint32_t i = 0; i < d->n_cursors; i++)
		if (!strcmp(d->cursors[i].sink, sink))
			return &d->cursors[i];
	return NULL;
}
