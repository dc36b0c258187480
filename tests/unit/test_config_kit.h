/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of core/config: a configuration from a text, and its report as it would be printed.
 */
#ifndef TEST_CONFIG_KIT_H
#define TEST_CONFIG_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"
#include <stdlib.h>
#include <string.h>

struct parsed {
	struct config config;
	struct report report;
	struct arena arena;
	char *printed; /* of the last printed() */
};

static inline void parse_text(struct parsed *p, const char *yaml)
{
	memset(p, 0, sizeof *p);
	assert_int_equal(config_parse(&p->config, "t.yaml", yaml, strlen(yaml), &p->report), TW_OK);
}

static inline const char *printed(struct parsed *p)
{
	size_t n = 0;
	free(p->printed);
	p->printed = NULL;
	FILE *f = open_memstream(&p->printed, &n);
	assert_non_null(f);
	report_print(&p->report, f);
	assert_int_equal(fclose(f), 0);
	return p->printed;
}

static inline void free_parsed(struct parsed *p)
{
	free(p->printed);
	report_free(&p->report);
	config_free(&p->config);
	arena_free(&p->arena);
}

/* root / section / instance / option ..., NULL-terminated */
static inline const struct node *at(const struct config *c, ...)
{
	const struct node *node = &c->root;
	va_list ap;
	va_start(ap, c);
	for (const char *name; node && (name = va_arg(ap, const char *));)
		node = node_get(node, name);
	va_end(ap);
	return node;
}

#endif
