/* SPDX-License-Identifier: Apache-2.0
 *
 * The digest of a configuration: SHA-256 over a canonical form in which the order of names, comments, quoting and the
 * split into files do not show. Each value is its kind, its length and its bytes, so no two trees look alike.
 */
#include "base/sha256.h"
#include "config/internal.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct node *const *)a)->name, (*(const struct node *const *)b)->name);
}

static void add_head(struct sha256 *h, char kind, uint64_t n)
{
	unsigned char head[9] = { (unsigned char)kind };
	for (unsigned i = 0; i < 8; i++)
		head[1 + i] = (unsigned char)(n >> 8 * i);
	sha256_add(h, head, sizeof head);
}

static void add_text(struct sha256 *h, char kind, const char *s)
{
	size_t len = strlen(s);
	add_head(h, kind, len);
	sha256_add(h, s, len);
}

/* No deeper than CONFIG_MAX_DEPTH plus the two levels of the merge. */
static bool add_node(struct sha256 *h, const struct node *node)
{
	bool ok = true;
	if (node->kind == NODE_TEXT) {
		add_text(h, node->secret ? 'r' : 't', node->secret ? node->raw : node->text);
		return true;
	}
	add_head(h, node->kind == NODE_LIST ? 'l' : 'm', node->n);
	if (node->kind == NODE_LIST) {
		for (uint32_t i = 0; ok && i < node->n; i++)
			ok = add_node(h, &node->items[i]);
		return ok;
	}
	const struct node **order = calloc((size_t)node->n + 1, sizeof *order);
	if (!order)
		return false;
	for (uint32_t i = 0; i < node->n; i++)
		order[i] = &node->items[i];
	qsort(order, node->n, sizeof *order, by_name);
	for (uint32_t i = 0; ok && i < node->n; i++) {
		add_text(h, 'n', order[i]->name);
		ok = add_node(h, order[i]);
	}
	free(order);
	return ok;
}

bool config_node_digest(const struct node *node, char hex[65])
{
	struct sha256 *h = sha256_new();
	if (!h)
		return false;
	bool ok = add_node(h, node) && sha256_hex(h, hex) == 0;
	sha256_free(h);
	return ok;
}

bool config_digest(struct config *c)
{
	return config_node_digest(&c->root, c->digest);
}
