/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a configuration: parsed, bound to a table with every type, filtered, and the report printed. Nothing may
 * crash, leak, hang or write to stderr. References to files are cut, so that a run reads nothing but its input.
 */
#include "config/where.h"
#include <stdlib.h>
#include <string.h>

struct self {
	int64_t whole, flag, choice, wait, size;
	double ratio;
	const char *text, *secret;
	struct tw_list list, map;
};

static const struct tw_option options[] = {
	TW_INT(struct self, whole, "30", "2", "100000", "h"),
	TW_FLOAT(struct self, ratio, "2.5", "0", NULL, "h"),
	TW_BOOL(struct self, flag, "false", "h"),
	TW_ENUM(struct self, choice, "mean", "mean|median|none", "h"),
	TW_DURATION(struct self, wait, "10s", "1s", "1d", "h"),
	TW_SIZE(struct self, size, "64KiB", NULL, "1GiB", "h"),
	TW_STRING(struct self, text, TW_REQUIRED, "h"),
	TW_SECRET(struct self, secret, "h"),
	TW_LIST(struct self, list, "[a, b]", "h"),
	TW_MAP(struct self, map, "{a: b}", "h"),
	TW_END,
};

/* libfyaml 0.7.12 loses a buffer when a long quoted text is at fault; our own leaks are still found. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml";
}

/* A place must lie in the file, or an excerpt would show something else. */
static void check_place(const struct place *at)
{
	if (at->line < 0 || (at->line > 0 && (at->column < 1 || at->width < 1)))
		abort();
}

static void walk(const struct node *node, unsigned depth)
{
	check_place(&node->at);
	check_place(&node->name_at);
	if (depth > 40 || (node->kind == NODE_TEXT && (!node->text || !node->raw || node->n)))
		abort();
	for (uint32_t i = 0; i < node->n; i++)
		walk(&node->items[i], depth + 1);
}

static void bind_all(const struct config *c, struct arena *a, struct report *r)
{
	static const char *const skip[] = { "plugin", "inputs", "where", NULL };
	for (uint32_t s = 0; s < c->root.n; s++) {
		const struct node *section = &c->root.items[s];
		for (uint32_t i = 0; i < section->n; i++) {
			struct self self = { 0 };
			const struct binding binding = { options, sizeof *options, &self };
			struct where where;
			struct stretch stretch;
			const struct node *map = &section->items[i];
			uint32_t errors = r->errors;
			if (options_bind(map, &binding, 1, skip, "detector 'x'", a, r) == 0 && r->errors > errors)
				abort();
			if (where_parse(&where, node_get(map, "where"), "detector 'x'", a, r) == TW_OK)
				where_name(&where.symbol, "EURUSD");
			for (uint32_t k = 0; map->kind == NODE_MAP && k < map->n; k++) {
				if (map->items[k].kind == NODE_TEXT)
					parse_stretch(map->items[k].text, &stretch);
			}
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config c;
	struct report r = { 0 };
	struct arena a = { 0 };
	char *printed = NULL, *yaml = malloc(size + 1);
	size_t n = 0;
	if (!yaml)
		return 0;
	memcpy(yaml, data, size);
	yaml[size] = '\0';
	for (char *p = yaml; (p = memmem(p, size - (size_t)(p - yaml), "file:", 5));)
		*p = 'F';
	if (config_parse(&c, "f.yaml", yaml, size, &r) != TW_OK || strlen(c.digest) != 64)
		abort();
	walk(&c.root, 0);
	bind_all(&c, &a, &r);
	config_free(&c); /* the report must stand on its own */
	FILE *f = open_memstream(&printed, &n);
	if (f) {
		report_print(&r, f);
		fclose(f);
	}
	free(printed);
	report_free(&r);
	arena_free(&a);
	free(yaml);
	return 0;
}
