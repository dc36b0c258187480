/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing run of bytes, and a bump allocator. Both start zeroed ({0}) and are freed whole.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tapewatch/plugin.h>

struct buf {
	unsigned char *data;
	size_t len, cap;
};

/* Room for n more bytes behind len; NULL when memory is out. Grows by doubling. */
unsigned char *buf_reserve(struct buf *b, size_t n);
int buf_add(struct buf *b, const void *data, size_t n); /* 0, or -1 when memory is out */
int buf_addf(struct buf *b, const char *fmt, ...) TW_PRINTF(2, 3);
void buf_free(struct buf *b);

struct arena {
	struct arena_page *pages;
	size_t used;  /* bytes handed out, for limits and metrics */
	bool failed;  /* since the last reset: memory was out, so that one look tells for many calls */
};

/* 16-byte aligned, zero-filled; NULL when memory is out. */
void *arena_alloc(struct arena *a, size_t n);
/* A terminated copy. */
char *arena_text(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) TW_PRINTF(2, 3);
/* Forget everything handed out but keep one page for the next round. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
