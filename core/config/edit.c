/* SPDX-License-Identifier: Apache-2.0
 *
 * Edits of the tree, in its own arena.
 */
#include "config/edit.h"
#include "config/internal.h"
#include <string.h>

static struct node *find(struct node *map, const char *name)
{
	for (uint32_t i = 0; map && map->kind == NODE_MAP && i < map->n; i++)
		if (strcmp(map->items[i].name, name) == 0)
			return &map->items[i];
	return NULL;
}

/* A place for an option of that name in the map; NULL: memory is out. */
static struct node *room_for(struct arena *a, struct node *map, const char *name)
{
	struct node *old = find(map, name), *items;

	if (old)
		return old;
	items = arena_alloc(a, (map->n + 1) * sizeof *items);
	if (!items)
		return NULL;
	if (map->n)
		memcpy(items, map->items, map->n * sizeof *items);
	map->items = items;
	return &items[map->n++];
}

static void take_away(struct node *map, const char *name)
{
	struct node *old = find(map, name);

	if (!old)
		return;
	memmove(old, old + 1, (size_t)(map->items + map->n - old - 1) * sizeof *old);
	map->n--;
}

static bool make_text(struct arena *a, struct node *n, const char *name, const char *text, const char *origin)
{
	*n = (struct node){ .kind = NODE_TEXT };
	n->name = name ? arena_text(a, name, strlen(name)) : NULL;
	n->text = n->raw = arena_text(a, text, strlen(text));
	n->at.file = n->name_at.file = arena_text(a, origin, strlen(origin));
	return (n->name || !name) && n->text && n->at.file;
}

static bool set_option(struct arena *a, struct node *instance, const struct config_edit *e)
{
	struct node *n = room_for(a, instance, e->option);

	if (!n || !make_text(a, n, e->option, e->list ? "" : e->values[0], e->origin))
		return false;
	if (!e->list)
		return true;
	n->kind = NODE_LIST;
	n->items = arena_alloc(a, e->n * sizeof *n->items);
	for (uint32_t i = 0; n->items && i < e->n; i++)
		if (!make_text(a, &n->items[i], NULL, e->values[i], e->origin))
			return false;
	n->n = e->n;
	return n->items != NULL;
}

static void strip(struct node *instance)
{
	static const char *const kept[] = { "max_bad", "retries" };

	for (uint32_t i = 0; i < instance->n;) {
		bool keep = false;
		for (size_t k = 0; k < sizeof kept / sizeof *kept; k++)
			keep |= strcmp(instance->items[i].name, kept[k]) == 0;
		if (keep)
			i++;
		else
			take_away(instance, instance->items[i].name);
	}
}

int32_t config_edit(struct config *c, const struct config_edit *e)
{
	struct node *instance = find(find(&c->root, e->section), e->instance);

	if (!instance || instance->kind != NODE_MAP)
		return TW_AGAIN;
	if (!e->option)
		strip(instance);
	else if (!e->n)
		take_away(instance, e->option);
	else if (!set_option(&c->arena, instance, e))
		return TW_E_FATAL;
	return config_digest(c) ? TW_OK : TW_E_FATAL;
}

int32_t config_drop(struct config *c, const char *section)
{
	take_away(&c->root, section);
	return config_digest(c) ? TW_OK : TW_E_FATAL;
}
