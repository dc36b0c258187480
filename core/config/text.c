/* SPDX-License-Identifier: Apache-2.0
 *
 * Words for messages: quoted values, lists of choices, what a node is.
 */
#include "config/internal.h"

#include <string.h>

#define QUOTE_MAX 60u
#define WORDS_MAX 24u

const char *text_quote(struct arena *a, const char *text)
{
	size_t len = strlen(text), n = len;
	if (n > QUOTE_MAX) {
		n = QUOTE_MAX;
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	const char *quoted = arena_printf(a, "'%.*s%s'", (int)n, text, n < len ? "..." : "");
	return quoted ? quoted : "''";
}

const char *text_words(struct arena *a, const char *const *words, uint32_t n, const char *last)
{
	uint32_t shown = n < WORDS_MAX ? n : WORDS_MAX;
	struct buf b = { 0 };
	int rc = 0;
	for (uint32_t i = 0; i < shown; i++) {
		if (i && i + 1 == n)
			rc |= buf_addf(&b, " %s ", last);
		else if (i)
			rc |= buf_addf(&b, ", ");
		rc |= buf_addf(&b, "%s", words[i]);
	}
	if (shown < n)
		rc |= buf_addf(&b, " and %u more", n - shown);
	const char *text = rc ? NULL : arena_text(a, b.data ? (const char *)b.data : "", b.len);
	buf_free(&b);
	return text ? text : "";
}

const char *text_kind(const struct node *node)
{
	switch (node->kind) {
	case NODE_LIST:
		return "a list";
	case NODE_MAP:
		return "a map";
	default:
		return *node->text ? "a text" : "nothing";
	}
}
