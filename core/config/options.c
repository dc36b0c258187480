/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding: a map of the configuration to the structs behind one or more option tables. Every fault is reported; the
 * text of a secret never is, neither in the sentence nor in the line that is shown below it.
 */
#include "config/internal.h"

#include <string.h>

struct bind {
	const struct binding *bindings;
	uint32_t n;
	const char *const *skip;
	const char *what;
	struct arena *a;
	struct report *r;
	uint32_t mistakes;
	const char **names; /* everything that may be written here */
	uint32_t n_names;
};

/* The first table that has the name owns it. */
static bool find_option(const struct bind *b, const char *name, struct tw_option *ret, void **ret_self)
{
	for (uint32_t t = 0; t < b->n; t++) {
		struct tw_option o;
		for (uint32_t i = 0; option_row(b->bindings[t].options, b->bindings[t].option_size, i, &o); i++) {
			if (strcmp(o.name, name) == 0) {
				*ret = o;
				*ret_self = b->bindings[t].self;
				return true;
			}
		}
	}
	return false;
}

static bool is_skipped(const struct bind *b, const char *name)
{
	for (const char *const *s = b->skip; s && *s; s++) {
		if (strcmp(*s, name) == 0)
			return true;
	}
	return false;
}

static void complain(struct bind *b, const struct place *at, const char *name, const char *wrong)
{
	report_error(b->r, at, "%s: option '%s': %s", b->what, name, wrong);
	b->mistakes++;
}

static void add_name(struct bind *b, const char *name)
{
	for (uint32_t i = 0; i < b->n_names; i++) {
		if (strcmp(b->names[i], name) == 0)
			return;
	}
	b->names[b->n_names++] = name;
}

static bool collect_names(struct bind *b)
{
	uint32_t n = 0;
	struct tw_option o;
	for (uint32_t t = 0; t < b->n; t++) {
		for (uint32_t i = 0; option_row(b->bindings[t].options, b->bindings[t].option_size, i, &o); i++)
			n++;
	}
	for (const char *const *s = b->skip; s && *s; s++)
		n++;
	b->names = arena_alloc(b->a, (n + 1) * sizeof *b->names);
	if (!b->names)
		return false;
	for (const char *const *s = b->skip; s && *s; s++)
		add_name(b, *s);
	for (uint32_t t = 0; t < b->n; t++) {
		for (uint32_t i = 0; option_row(b->bindings[t].options, b->bindings[t].option_size, i, &o); i++)
			add_name(b, o.name);
	}
	return true;
}

static void bind_defaults(struct bind *b)
{
	struct tw_option o;
	for (uint32_t t = 0; t < b->n; t++) {
		for (uint32_t i = 0; option_row(b->bindings[t].options, b->bindings[t].option_size, i, &o); i++) {
			const double nan = (double)NAN;
			unsigned char *self = b->bindings[t].self;
			if (o.def == TW_REQUIRED)
				continue;
			/* An optional number may be absent; nobody can write that, but a table can. */
			if (o.type == TW_T_FLOAT && strcmp(o.def, "nan") == 0) {
				memcpy(self + o.offset, &nan, sizeof nan);
				continue;
			}
			const char *wrong = option_parse(&o, o.def, self, b->a);
			if (wrong) {
				report_error(b->r, NULL, "%s: the default of option '%s' is at fault: %s", b->what,
					     o.name, wrong);
				b->mistakes++;
			}
		}
	}
}

/* Overwrite a secret that is written in clear in the lines that messages show. The lines belong to the configuration
 * that the node is part of, and are used for nothing else. */
static void hide(const struct node *v)
{
	char *s = (char *)(uintptr_t)v->at.text;
	for (int32_t column = 0; s && *s; s++) {
		column += ((unsigned char)*s & 0xc0) != 0x80;
		if (column >= v->at.column && column < v->at.column + v->at.width)
			*s = '*';
	}
}

static void hide_secrets(const struct bind *b, const struct node *map)
{
	for (uint32_t i = 0; i < map->n; i++) {
		struct tw_option o;
		void *self;
		if (find_option(b, map->items[i].name, &o, &self) && o.type == TW_T_SECRET)
			hide(&map->items[i]);
	}
}

static void bind_list(struct bind *b, const struct tw_option *o, const struct node *v, void *self)
{
	bool pairs = o->type == TW_T_MAP;
	const char **items = arena_alloc(b->a, ((uint64_t)v->n * 2 + 1) * sizeof *items);
	uint64_t used = 0;
	bool faulty = !items;
	for (uint32_t i = 0; items && i < v->n; i++) {
		const struct node *item = &v->items[i];
		if (item->faulty) {
			b->mistakes++;
			faulty = true;
			continue;
		}
		if (item->kind != NODE_TEXT) {
			report_error(b->r, &item->at, "%s: option '%s': entry %u is %s; expected a text", b->what,
				     o->name, i + 1, text_kind(item));
			b->mistakes++;
			faulty = true;
			continue;
		}
		if (pairs && v->kind == NODE_MAP)
			items[used++] = arena_text(b->a, item->name, strlen(item->name));
		items[used++] = arena_text(b->a, item->text, strlen(item->text));
		if (pairs && v->kind == NODE_LIST)
			items[used++] = arena_printf(b->a, "%u", i + 1);
	}
	for (uint64_t i = 0; i < used; i++)
		faulty = faulty || !items[i];
	struct tw_list list = { used ? items : NULL, used };
	if (!faulty)
		memcpy((unsigned char *)self + o->offset, &list, sizeof list);
}

static void bind_one(struct bind *b, const struct tw_option *o, const struct node *v, void *self)
{
	bool list = o->type == TW_T_LIST || o->type == TW_T_MAP;
	if (v->faulty) { /* said already; the option has no value all the same */
		b->mistakes++;
		return;
	}
	if (list && (v->kind == NODE_LIST || (v->kind == NODE_MAP && o->type == TW_T_MAP))) {
		bind_list(b, o, v, self);
	} else if (v->kind != NODE_TEXT || (o->type == TW_T_MAP && *v->text)) {
		report_error(b->r, &v->at, "%s: option '%s': found %s; expected %s", b->what, o->name, text_kind(v),
			     option_expects(o, b->a));
		b->mistakes++;
	} else if (o->type == TW_T_LIST && *v->text) {
		struct node one = *v;
		struct node all = { .kind = NODE_LIST, .items = &one, .n = 1 };
		bind_list(b, o, &all, self);
	} else {
		const char *wrong = option_parse(o, v->text, self, b->a);
		if (wrong)
			complain(b, &v->at, o->name, wrong);
	}
	if (o->type != TW_T_SECRET || v->kind != NODE_TEXT)
		return;
	if (*v->text && !v->secret)
		report_warning(b->r, &v->at,
			       "%s: option '%s': a secret stands here in clear; use ${env:NAME} or ${file:PATH}",
			       b->what, o->name);
	if (v->loose)
		report_warning(b->r, &v->at, "%s: option '%s': file '%s' can be read by other users; chmod 600 it",
			       b->what, o->name, v->loose);
}

static void bind_written(struct bind *b, const struct node *map)
{
	for (uint32_t i = 0; i < map->n; i++) {
		const struct node *v = &map->items[i];
		struct tw_option o;
		void *self;
		if (is_skipped(b, v->name))
			continue;
		if (find_option(b, v->name, &o, &self)) {
			bind_one(b, &o, v, self);
			continue;
		}
		const char *near = nearest(v->name, b->names, b->n_names), *name = text_quote(b->a, v->name);
		if (near)
			report_error(b->r, &v->name_at, "%s: unknown option %s; did you mean '%s'?", b->what, name,
				     near);
		else
			report_error(b->r, &v->name_at, "%s: unknown option %s; %s%s", b->what, name,
				     b->n_names ? "options here: " : "there are no options here",
				     text_words(b->a, b->names, b->n_names, "and"));
		b->mistakes++;
	}
}

static void require(struct bind *b, const struct node *map)
{
	const struct place *at = !map ? NULL : map->name_at.file ? &map->name_at : &map->at;
	for (uint32_t t = 0; t < b->n; t++) {
		struct tw_option o, owner;
		void *self;
		for (uint32_t i = 0; option_row(b->bindings[t].options, b->bindings[t].option_size, i, &o); i++) {
			if (o.def != TW_REQUIRED || is_skipped(b, o.name) || (map && node_get(map, o.name)))
				continue;
			if (!find_option(b, o.name, &owner, &self) || self != b->bindings[t].self)
				continue; /* shadowed by an earlier table */
			report_error(b->r, at, "%s: option '%s' is missing; expected %s", b->what, o.name,
				     option_expects(&o, b->a));
			b->mistakes++;
		}
	}
}

uint32_t options_bind(const struct node *map, const struct binding *bindings, uint32_t n, const char *const *skip,
		      const char *what, struct arena *a, struct report *r)
{
	struct bind b = { .bindings = bindings, .n = n, .skip = skip, .what = what, .a = a, .r = r };
	if (!collect_names(&b)) {
		report_error(r, NULL, "%s: out of memory", what);
		return 1;
	}
	bind_defaults(&b);
	if (map && map->faulty)
		return b.mistakes;
	if (map && map->kind != NODE_MAP && !(map->kind == NODE_TEXT && !*map->text)) {
		report_error(r, &map->at, "%s: found %s; expected a map of options", what, text_kind(map));
		return b.mistakes + 1;
	}
	if (map && map->kind == NODE_MAP) {
		hide_secrets(&b, map);
		bind_written(&b, map);
	}
	require(&b, map);
	return b.mistakes;
}
