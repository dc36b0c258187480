/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests: msgpack behind a length of four bytes. An event that comes from the tape is msgpack already and is copied.
 */
#include "exec.h"

#include <stdlib.h>
#include <string.h>

/* ---- msgpack ---- */

bool bytes_room(struct bytes *b, size_t more)
{
	if (b->cap - b->n >= more)
		return true;
	size_t cap = b->cap ? b->cap : 4096;
	while (cap - b->n < more)
		cap *= 2;
	unsigned char *p = realloc(b->p, cap);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

static void put(struct bytes *b, const void *p, size_t n)
{
	if (!n || !bytes_room(b, n))
		return;
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

/* A first byte and a number of `width` bytes, the highest first. */
static void put_head(struct bytes *b, unsigned first, uint64_t v, unsigned width)
{
	unsigned char p[9] = { (unsigned char)first };

	for (unsigned i = 0; i < width; i++)
		p[1 + i] = (unsigned char)(v >> (8 * (width - 1 - i)));
	put(b, p, 1 + width);
}

void put_map(struct bytes *b, uint32_t n)
{
	if (n < 16)
		put_head(b, 0x80 | n, 0, 0);
	else
		put_head(b, 0xdf, n, 4);
}

void put_array(struct bytes *b, uint32_t n)
{
	if (n < 16)
		put_head(b, 0x90 | n, 0, 0);
	else
		put_head(b, 0xdd, n, 4);
}

void put_text(struct bytes *b, const char *s, size_t len)
{
	if (len < 32)
		put_head(b, 0xa0 | (unsigned)len, 0, 0);
	else
		put_head(b, 0xdb, len, 4);
	put(b, s, len);
}

void put_word(struct bytes *b, const char *s)
{
	put_text(b, s, strlen(s));
}

void put_bin(struct bytes *b, const void *p, size_t len)
{
	put_head(b, 0xc6, len, 4);
	put(b, p, len);
}

void put_u64(struct bytes *b, uint64_t v)
{
	if (v < 128)
		put_head(b, (unsigned)v, 0, 0);
	else
		put_head(b, 0xcf, v, 8);
}

void put_i64(struct bytes *b, int64_t v)
{
	put_head(b, 0xd3, (uint64_t)v, 8);
}

void put_f64(struct bytes *b, double d)
{
	uint64_t v;

	memcpy(&v, &d, sizeof v);
	put_head(b, 0xcb, d == d ? v : 0x7ff8000000000000u, 8);
}

void put_nil(struct bytes *b)
{
	put_head(b, 0xc0, 0, 0);
}

/* ---- frames ---- */

static void begin(struct bytes *b)
{
	b->n = 0;
	b->failed = false;
	put_head(b, 0, 0, 3);
}

static void end(struct bytes *b)
{
	if (b->failed)
		return;
	for (unsigned i = 0; i < 4; i++)
		b->p[i] = (unsigned char)((b->n - 4) >> (8 * (3 - i)));
}

void request_hello(struct bytes *b, const struct exec *x, const char *instance)
{
	begin(b);
	put_map(b, 6);
	put_word(b, "do");
	put_word(b, "hello");
	put_word(b, "protocol");
	put_u64(b, PROTOCOL);
	put_word(b, "instance");
	put_word(b, instance);
	put_word(b, "state_size");
	put_u64(b, (uint64_t)x->state_size);
	put_word(b, "kinds");
	put_array(b, (uint32_t)x->kinds.n);
	for (uint64_t i = 0; i < x->kinds.n; i++)
		put_word(b, x->kinds.items[i]);
	put_word(b, "options");
	put_map(b, (uint32_t)(x->options.n / 2));
	for (uint64_t i = 0; i + 1 < x->options.n; i += 2) {
		put_word(b, x->options.items[i]);
		put_word(b, x->options.items[i + 1]);
	}
	end(b);
}

/* The number of a state in the request. Keys that come again tend to have come shortly before. */
static uint32_t state_index(struct request *r, struct state *s)
{
	for (uint32_t i = r->n_states; i > 0; i--)
		if (r->states[i - 1] == s)
			return i - 1;
	r->states[r->n_states] = s;
	return r->n_states++;
}

/* Which events go along. */
static void choose(struct request *r, const struct exec *x, const struct tw_batch *b, uint32_t *at, uint32_t most)
{
	size_t bytes = 0;
	uint32_t i;

	r->n = r->n_states = 0;
	for (i = *at; i < b->n && r->n < most; i++) {
		uint32_t before = r->n_states;
		if (!(b->ev[i]->kind & x->wanted))
			continue;
		r->state_of[r->n] = state_index(r, b->state[i]);
		bytes += (b->ev[i]->raw ? b->ev[i]->raw_len : 1024) + 32;
		if (r->n_states > before)
			bytes += (size_t)x->state_size;
		if (r->n && bytes > REQUEST_BYTES) {
			r->n_states = before;
			break;
		}
		r->at[r->n++] = i;
	}
	*at = i;
}

/* What was restored is not believed further than it reaches. */
static uint32_t state_len(const struct state *s, const struct exec *x)
{
	return s->len <= x->state_size ? s->len : 0;
}

bool request_batch(struct request *r, const struct exec *x, const struct tw_host *host, const struct tw_batch *batch,
		   uint32_t *at, uint32_t most)
{
	struct bytes *b = &r->frame;

	choose(r, x, batch, at, most < EVENTS_MAX ? most : EVENTS_MAX);
	begin(b);
	put_map(b, 4);
	put_word(b, "do");
	put_word(b, "batch");
	put_word(b, "n");
	put_u64(b, ++r->number);
	put_word(b, "states");
	put_array(b, r->n_states);
	for (uint32_t i = 0; i < r->n_states; i++)
		put_bin(b, r->states[i]->blob, state_len(r->states[i], x));
	put_word(b, "events");
	put_array(b, r->n);
	for (uint32_t i = 0; i < r->n; i++) {
		const struct tw_event *ev = batch->ev[r->at[i]];
		put_array(b, 2);
		put_u64(b, r->state_of[i]);
		if (ev->raw)
			put(b, ev->raw, ev->raw_len);
		else
			put_event(b, host, ev);
	}
	end(b);
	return !b->failed;
}
