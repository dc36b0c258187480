/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 validation, eight plain characters at a time.
 */
#include "event/utf8.h"

#include <stdint.h>
#include <string.h>

#define EACH 0x0101010101010101u
#define HIGH 0x8080808080808080u

unsigned utf8_char(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned c = p[0];
	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	unsigned more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	if (n <= more)
		return 0;
	/* The second byte alone decides about overlong forms, surrogates and the upper end. */
	unsigned low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	unsigned high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < low || p[1] > high)
		return 0;
	for (unsigned i = 2; i <= more; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return more + 1;
}

/* No byte below 0x20, none above 0x7e. */
static bool word_plain(uint64_t w)
{
	uint64_t low = (w | HIGH) - 0x20 * EACH; /* the high bit of a byte stays set when it is >= 0x20 */
	uint64_t del = (w & ~HIGH) + EACH;       /* the high bit of a byte is set when it is 0x7f */
	return ((~low | del | w) & HIGH) == 0;
}

static bool control(const char *s, unsigned len, enum utf8_strict strict)
{
	unsigned c = (unsigned char)s[0];
	if (len == 1)
		return (c < 0x20 && !(strict == UTF8_LINES && (c == '\t' || c == '\n'))) || c == 0x7f;
	return c == 0xc2 && (unsigned char)s[1] < 0xa0;
}

/* A text of 4 to 7 bytes as one word, some of its bytes twice: most symbols are that short. */
static uint64_t word_short(const char *s, size_t n)
{
	uint32_t a, b;
	memcpy(&a, s, 4);
	memcpy(&b, s + n - 4, 4);
	return (uint64_t)b << 32 | a;
}

size_t utf8_span(const char *s, size_t n, enum utf8_strict strict)
{
	size_t i = 0;
	if (n - 4 < 4 && word_plain(word_short(s, n)))
		return n;
	while (i < n) {
		uint64_t w;
		if (n - i >= 8 && (memcpy(&w, s + i, 8), word_plain(w))) {
			i += 8;
			continue;
		}
		unsigned len = utf8_char(s + i, n - i);
		if (!len || (strict != UTF8_ANY && control(s + i, len, strict)))
			break;
		i += len;
	}
	return i;
}
