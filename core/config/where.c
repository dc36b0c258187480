/* SPDX-License-Identifier: Apache-2.0
 *
 * The `where:` filter, from nodes to bits and globs.
 */
#include "config/where.h"
#include "config/internal.h"
#include "event/event.h"

#include <string.h>

struct parse {
	struct where where;
	const char *what;
	struct arena *a;
	struct report *r;
	bool failed;
};

static void fail(struct parse *p, const struct place *at, const char *wrong)
{
	report_error(p->r, at, "%s: where: %s", p->what, wrong ? wrong : "out of memory");
	p->failed = true;
}

/* A single text stands for a list of one. Calls each for every text that is whole. */
static void each_text(struct parse *p, const struct node *node,
		      void (*each)(struct parse *, const struct node *, void *), void *arg)
{
	const struct node *items = node->kind == NODE_LIST ? node->items : node;
	uint32_t n = node->kind == NODE_LIST ? node->n : 1;
	if (node->faulty) {
		p->failed = true;
		return;
	}
	if (node->kind == NODE_MAP || n == 0 || (node->kind == NODE_TEXT && !*node->text)) {
		fail(p, n ? &node->at : &node->name_at,
		     arena_printf(p->a, "'%s': found %s; expected a text or a list of texts", node->name,
				  n ? text_kind(node) : "an empty list"));
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (items[i].faulty)
			p->failed = true;
		else if (items[i].kind != NODE_TEXT || !*items[i].text)
			fail(p, &items[i].at,
			     arena_printf(p->a, "'%s': entry %u is %s; expected a text", node->name, i + 1,
					  text_kind(&items[i])));
		else
			each(p, &items[i], arg);
	}
}

static void add_kind(struct parse *p, const struct node *node, void *arg)
{
	const struct kind *kind = kind_named(node->text, strlen(node->text));
	const char *names[EVENT_KINDS];
	(void)arg;
	if (kind) {
		p->where.kinds |= kind->bit;
		return;
	}
	for (uint32_t i = 0; i < EVENT_KINDS; i++)
		names[i] = event_kinds[i].name;
	const char *near = nearest(node->text, names, EVENT_KINDS), *quoted = text_quote(p->a, node->text);
	if (near)
		fail(p, &node->at, arena_printf(p->a, "unknown kind %s; did you mean '%s'?", quoted, near));
	else
		fail(p, &node->at,
		     arena_printf(p->a, "unknown kind %s; the kinds are %s", quoted,
				  text_words(p->a, names, EVENT_KINDS, "and")));
}

/* The globs of one list, while it is read. */
struct names {
	struct where_glob *globs;
	struct where_names *to;
};

static void add_glob(struct parse *p, const struct node *node, void *arg)
{
	struct names *names = arg;
	bool not = node->text[0] == '!';
	const char *glob = arena_text(p->a, node->text + not, strlen(node->text + not ));
	if (!glob || !*glob) {
		fail(p, &node->at, glob ? "'!' without a name behind it" : NULL);
		return;
	}
	names->globs[names->to->n++] = (struct where_glob){ glob, not };
	names->to->positive = names->to->positive || !not ;
}

static void parse_names(struct parse *p, const struct node *node, struct where_names *to)
{
	struct names names = { .to = to };
	names.globs = arena_alloc(p->a, ((size_t)node->n + 1) * sizeof *names.globs);
	if (!names.globs) {
		fail(p, &node->at, NULL);
		return;
	}
	to->globs = names.globs;
	each_text(p, node, add_glob, &names);
}

int32_t where_parse(struct where *ret, const struct node *map, const char *what, struct arena *a, struct report *r)
{
	static const char *const keys[] = { "kind", "symbol", "account" };
	struct parse p = { .what = what, .a = a, .r = r };
	if (map && map->faulty)
		return TW_E_CONFIG;
	if (map && map->kind != NODE_MAP) {
		fail(&p, &map->at,
		     arena_printf(a, "found %s; expected a map such as {kind: quote, symbol: EUR*}", text_kind(map)));
		return TW_E_CONFIG;
	}
	for (uint32_t i = 0; map && i < map->n; i++) {
		const struct node *v = &map->items[i];
		if (strcmp(v->name, "kind") == 0) {
			each_text(&p, v, add_kind, NULL);
		} else if (strcmp(v->name, "symbol") == 0) {
			parse_names(&p, v, &p.where.symbol);
		} else if (strcmp(v->name, "account") == 0) {
			parse_names(&p, v, &p.where.account);
		} else {
			const char *near = nearest(v->name, keys, 3), *quoted = text_quote(a, v->name);
			fail(&p, &v->name_at,
			     near ? arena_printf(a, "unknown name %s; did you mean '%s'?", quoted, near)
				  : arena_printf(a, "unknown name %s; expected kind, symbol or account", quoted));
		}
	}
	if (p.failed)
		return TW_E_CONFIG;
	if (!p.where.kinds)
		p.where.kinds = TW_ANY;
	*ret = p.where;
	return TW_OK;
}

bool where_name(const struct where_names *names, const char *text)
{
	bool wanted = !names->positive;
	for (uint32_t i = 0; i < names->n; i++) {
		bool hit = glob_match(names->globs[i].glob, text);
		if (hit && names->globs[i].not )
			return false;
		wanted = wanted || hit;
	}
	return wanted;
}
