/* SPDX-License-Identifier: Apache-2.0
 *
 * From arguments to edits of the configuration.
 */
#include "backtest/data.h"
#include "base/err.h"
#include "base/os.h"
#include <errno.h>
#include <glob.h>
#include <string.h>

#define ORIGIN "--data"

static int32_t memory(struct tw_err *e)
{
	return err_set(e, TW_E_FATAL, "memory is out");
}

static const char *words_of(struct arena *a, const struct node *sources)
{
	const char *text = "";

	for (uint32_t i = 0; i < sources->n && text; i++)
		text = arena_printf(a, "%s%s%s", text, i ? ", " : "", sources->items[i].name);
	return text ? text : "";
}

/* "name=path" when there is such a source; else the whole is a path. */
static const char *split(const struct node *sources, const char *arg, uint32_t *source)
{
	const char *equals = strchr(arg, '=');
	size_t n = equals ? (size_t)(equals - arg) : 0;

	for (uint32_t i = 0; n && i < sources->n; i++)
		if (strlen(sources->items[i].name) == n && !memcmp(arg, sources->items[i].name, n)) {
			*source = i;
			return equals + 1;
		}
	return arg;
}

static int32_t no_such_file(struct data *d, const struct node *sources, const char *path, int why, struct tw_err *e)
{
	const char *equals = strchr(path, '='), *words[256], *near, *name;
	uint32_t n = 0;

	if (!equals || memchr(path, '/', (size_t)(equals - path)))
		return err_sys(e, why, "--data: %s", path), TW_E_CONFIG;
	for (; n < sources->n && n < 256; n++)
		words[n] = sources->items[n].name;
	name = arena_text(&d->arena, path, (size_t)(equals - path));
	near = name ? nearest(name, words, n) : NULL;
	if (near)
		return err_set(e, TW_E_CONFIG, "--data: there is no source '%s'; did you mean '%s'?", name, near);
	return err_set(e, TW_E_CONFIG, "--data: there is no source '%s'; there are: %s", name ? name : "",
		       words_of(&d->arena, sources));
}

static int32_t add_file(struct data *d, const char *path, struct tw_err *e)
{
	if (d->files.n == DATA_FILES_MAX)
		return err_set(e, TW_E_CONFIG, "--data: more than %u files", DATA_FILES_MAX);
	d->list[d->files.n] = arena_text(&d->arena, path, strlen(path));
	return d->list[d->files.n++] ? TW_OK : memory(e);
}

/* The files that a csv source reads by its own path option. */
static int32_t own_files(struct data *d, const struct node *source, struct tw_err *e)
{
	const struct node *path = node_get(source, "path"), *plugin = node_get(source, "plugin");
	int32_t rc = TW_OK;

	if (!path || !plugin || plugin->kind != NODE_TEXT || strcmp(plugin->text, "csv") != 0)
		return TW_OK;
	for (uint32_t i = 0; rc == TW_OK && i < (path->kind == NODE_LIST ? path->n : 1); i++) {
		const struct node *one = path->kind == NODE_LIST ? &path->items[i] : path;
		glob_t g = { 0 };
		if (one->kind != NODE_TEXT || glob(one->text, 0, NULL, &g) != 0)
			continue;
		for (size_t k = 0; k < g.gl_pathc && rc == TW_OK; k++)
			rc = add_file(d, g.gl_pathv[k], e);
		globfree(&g);
	}
	return rc;
}

static void add_edit(struct data *d, const char *instance, const char *option, const char *const *values, uint32_t n,
		     bool list)
{
	d->edits[d->n_edits++] = (struct config_edit){ .section = "sources",
						       .instance = instance,
						       .option = option,
						       .values = values,
						       .n = n,
						       .list = list,
						       .origin = ORIGIN };
}

static int32_t replace(struct data *d, const struct node *source, const char *const *paths, uint32_t n,
		       struct tw_err *e)
{
	static const char *const csv = "csv";
	const struct node *plugin = node_get(source, "plugin");
	const char **copy = arena_alloc(&d->arena, n * sizeof *copy);
	int32_t rc = TW_OK;

	if (!copy)
		return memory(e);
	for (uint32_t i = 0; i < n && rc == TW_OK; i++) {
		rc = add_file(d, paths[i], e);
		copy[i] = d->list[d->files.n - 1];
	}
	if (!plugin || plugin->kind != NODE_TEXT || strcmp(plugin->text, "csv") != 0) {
		add_edit(d, source->name, NULL, NULL, 0, false);
		add_edit(d, source->name, "plugin", &csv, 1, false);
	}
	add_edit(d, source->name, "path", copy, n, true);
	add_edit(d, source->name, "speed", NULL, 0, false);
	return rc;
}

static bool is_recording(const char *path, const struct stat *st)
{
	size_t n = strlen(path);

	return S_ISDIR(st->st_mode) || (n > 5 && !strcmp(path + n - 5, ".tape"));
}

static int32_t by_source(struct data *d, const struct node *sources, const char *const *args, uint32_t n,
			 struct tw_err *e)
{
	const char **paths = arena_alloc(&d->arena, n * sizeof *paths);
	uint32_t *owner = arena_alloc(&d->arena, n * sizeof *owner);
	const char **mine = arena_alloc(&d->arena, n * sizeof *mine);
	int32_t rc = TW_OK;

	if (!paths || !owner || !mine)
		return memory(e);
	for (uint32_t i = 0; i < n; i++) {
		struct stat st;
		owner[i] = UINT32_MAX;
		paths[i] = split(sources, args[i], &owner[i]);
		if (os->stat(paths[i], &st) != 0)
			return no_such_file(d, sources, paths[i], errno, e);
		if (is_recording(paths[i], &st)) {
			if (n > 1)
				return err_set(e, TW_E_CONFIG,
					       "--data: '%s' is a recording; it goes alone, without other files",
					       paths[i]);
			d->recording = paths[i];
			return TW_OK;
		}
		if (owner[i] == UINT32_MAX && sources->n != 1)
			return err_set(e, TW_E_CONFIG,
				       "--data: the pipeline has %u sources (%s): say which one reads '%s' with "
				       "--data NAME=%s",
				       sources->n, words_of(&d->arena, sources), paths[i], paths[i]);
		owner[i] = owner[i] == UINT32_MAX ? 0 : owner[i];
	}
	for (uint32_t s = 0; s < sources->n && rc == TW_OK; s++) {
		uint32_t k = 0;
		for (uint32_t i = 0; i < n; i++)
			if (owner[i] == s)
				mine[k++] = paths[i];
		rc = k ? replace(d, &sources->items[s], mine, k, e) : own_files(d, &sources->items[s], e);
	}
	return rc;
}

int32_t data_resolve(struct data *d, const struct config *c, const char *const *args, uint32_t n, struct tw_err *e)
{
	const struct node *sources = node_get(&c->root, "sources");
	static const struct node none = { .kind = NODE_MAP };

	*d = (struct data){ 0 };
	sources = sources && sources->kind == NODE_MAP ? sources : &none;
	d->list = arena_alloc(&d->arena, (DATA_FILES_MAX + 1) * sizeof *d->list);
	d->edits = arena_alloc(&d->arena, (5 * (size_t)sources->n + 1) * sizeof *d->edits);
	if (!d->list || !d->edits)
		return memory(e);
	d->files.paths = d->list;
	if (n)
		return by_source(d, sources, args, n, e);
	for (uint32_t s = 0; s < sources->n; s++)
		if (own_files(d, &sources->items[s], e) < 0)
			return e->code;
	return TW_OK;
}

void data_name_by_file(struct data *d, const struct config *c)
{
	static const char *const stem = "{stem}";
	const struct node *sources = node_get(&c->root, "sources");

	for (uint32_t s = 0; sources && s < sources->n; s++) {
		const struct node *plugin = node_get(&sources->items[s], "plugin");
		bool csv = plugin && plugin->kind == NODE_TEXT && !strcmp(plugin->text, "csv");
		for (uint32_t i = 0; i < d->n_edits; i++)
			csv |= d->edits[i].option && !strcmp(d->edits[i].instance, sources->items[s].name);
		if (csv && !node_get(&sources->items[s], "symbol"))
			add_edit(d, sources->items[s].name, "symbol", &stem, 1, false);
	}
}

void data_free(struct data *d)
{
	arena_free(&d->arena);
	*d = (struct data){ 0 };
}
