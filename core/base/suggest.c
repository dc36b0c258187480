/* SPDX-License-Identifier: Apache-2.0
 *
 * The nearest right word, and globs.
 */
#include "base/suggest.h"

#include <string.h>

#define WORD_MAX 64u

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Damerau-Levenshtein (optimal string alignment) without regard to case. */
static uint32_t distance(const char *a, uint32_t n, const char *b, uint32_t m)
{
	uint32_t rows[3][WORD_MAX + 1];
	uint32_t *before = rows[0], *above = rows[1], *row = rows[2];
	for (uint32_t j = 0; j <= m; j++)
		above[j] = j;
	for (uint32_t i = 1; i <= n; i++) {
		row[0] = i;
		for (uint32_t j = 1; j <= m; j++) {
			char x = lower(a[i - 1]), y = lower(b[j - 1]);
			uint32_t best = above[j - 1] + (x != y);
			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]) && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
		uint32_t *free_row = before;
		before = above;
		above = row;
		row = free_row;
	}
	return above[m];
}

const char *nearest(const char *word, const char *const *words, uint32_t n)
{
	const char *found = NULL;
	size_t len = strlen(word);
	uint32_t best = len / 3 > 1 ? (uint32_t)(len / 3) + 1 : 2;
	if (!len || len > WORD_MAX)
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		size_t other = strlen(words[i]);
		if (!other || other > WORD_MAX)
			continue;
		uint32_t d = distance(word, (uint32_t)len, words[i], (uint32_t)other);
		/* A word that shares nothing is no suggestion, however short it is. */
		if (d < best && d < other) {
			best = d;
			found = words[i];
		}
	}
	return found;
}

static const char *next_char(const char *s)
{
	s++;
	while (((unsigned char)*s & 0xc0) == 0x80)
		s++;
	return s;
}

/* Only the last star can matter for what follows it, so one place to come back to is enough: no recursion, and never
 * more than the product of the lengths. */
bool glob_match(const char *glob, const char *text)
{
	const char *star = NULL, *resume = NULL;
	while (*text) {
		if (*glob == '*') {
			star = ++glob;
			resume = text;
		} else if (*glob == '?') {
			glob++;
			text = next_char(text);
		} else if (*glob == *text) {
			glob++;
			text++;
		} else if (star) {
			glob = star;
			text = resume = next_char(resume);
		} else {
			return false;
		}
	}
	while (*glob == '*')
		glob++;
	return !*glob;
}

bool glob_is(const char *text)
{
	return strpbrk(text, "*?") != NULL;
}
