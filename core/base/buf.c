/* SPDX-License-Identifier: Apache-2.0
 *
 * The growing run of bytes and the bump allocator.
 */
#include "base/buf.h"
#include "base/format.h"
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST  256u
#define PAGE_FIRST 4096u
#define PAGE_MAX   (1u << 20)

unsigned char *buf_reserve(struct buf *b, size_t n)
{
	if (n > b->cap - b->len) {
		size_t cap = b->cap ? b->cap : BUF_FIRST;
		unsigned char *data;

		if (n > PTRDIFF_MAX - b->len)
			return NULL;
		while (cap < b->len + n)
			cap = cap > PTRDIFF_MAX / 2 ? b->len + n : cap * 2;
		data = realloc(b->data, cap);
		if (!data)
			return NULL;
		b->data = data;
		b->cap = cap;
	} else if (!b->data) {
		/* n is 0 and there is nothing yet: the caller still wants to tell this from being out of memory. */
		return buf_reserve(b, 1);
	}
	return b->data + b->len;
}

int buf_add(struct buf *b, const void *data, size_t n)
{
	unsigned char *p = buf_reserve(b, n);

	if (!p)
		return -1;
	if (n > 0)
		memcpy(p, data, n);
	b->len += n;
	return 0;
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	/* Most texts fit at once; the others are formatted again when their length is known. */
	if (!buf_reserve(b, 64))
		return -1;
	va_start(ap, fmt);
	n = format_text((char *)b->data + b->len, b->cap - b->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -1;
	if ((size_t)n >= b->cap - b->len) {
		if (!buf_reserve(b, (size_t)n + 1))
			return -1;
		va_start(ap, fmt);
		n = format_text((char *)b->data + b->len, b->cap - b->len, fmt, ap);
		va_end(ap);
		if (n < 0)
			return -1;
	}
	b->len += (size_t)n;
	return 0;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

struct arena_page {
	struct arena_page *next;
	size_t cap, used; /* bytes of data */
	size_t reserved;  /* keeps data at a multiple of 16 */
	unsigned char data[];
};

static struct arena_page *page_new(size_t cap)
{
	struct arena_page *p;

	if (cap > PTRDIFF_MAX - sizeof *p)
		return NULL;
	p = malloc(sizeof *p + cap);
	if (!p)
		return NULL;
	p->next = NULL;
	p->cap = cap;
	p->used = 0;
	return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_page *page = a->pages;
	unsigned char *p;

	if (n > PTRDIFF_MAX - 16) {
		a->failed = true;
		return NULL;
	}
	n = (n + 15) & ~(size_t)15;
	if (n == 0)
		n = 16; /* distinct addresses, also for empty things */
	if (!page || n > page->cap - page->used) {
		size_t cap = page ? page->cap * 2 : PAGE_FIRST;

		if (cap > PAGE_MAX)
			cap = PAGE_MAX;
		if (cap < n)
			cap = n;
		page = page_new(cap);
		if (!page) {
			a->failed = true;
			return NULL;
		}
		page->next = a->pages;
		a->pages = page;
	}
	p = page->data + page->used;
	page->used += n;
	a->used += n;
	return memset(p, 0, n);
}

char *arena_text(struct arena *a, const char *s, size_t len)
{
	char *p = len < PTRDIFF_MAX - 16 ? arena_alloc(a, len + 1) : NULL;

	if (p && len > 0)
		memcpy(p, s, len);
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char first[256], *p;
	int n;

	va_start(ap, fmt);
	n = format_text(first, sizeof first, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	if ((size_t)n < sizeof first)
		return arena_text(a, first, (size_t)n);
	p = arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	n = format_text(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : p;
}

void arena_reset(struct arena *a)
{
	struct arena_page *keep = a->pages;

	if (!keep)
		return;
	while (keep->next) {
		struct arena_page *next = keep->next;

		keep->next = next->next;
		free(next);
	}
	/* One huge round must not hold its memory for ever. */
	if (keep->cap > PAGE_MAX) {
		free(keep);
		keep = NULL;
	} else {
		keep->used = 0;
	}
	a->pages = keep;
	a->used = 0;
}

void arena_free(struct arena *a)
{
	for (struct arena_page *p = a->pages, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	*a = (struct arena){ 0 };
}
