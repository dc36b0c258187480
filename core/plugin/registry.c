/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry: which files have been tried, what they hold, and why some were refused. A file is tried once; asking
 * again gets the same answer. Folders are listed with opendir(), which base/os has no door for; what is found in them
 * is looked at through os.
 */
#include "base/err.h"
#include "base/os.h"
#include "plugin/internal.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tried {
	const char *name, *file;
	struct plugin_set set;
	struct tw_err refused; /* code TW_OK: loaded */
};

struct plugins {
	struct arena arena;
	const char *const *folders;
	bool running; /* threads and LMDB are there: nobody may be forked */
	struct tried files[PLUGIN_MAX_FILES];
	uint32_t n;
};

struct plugins *plugins_new(const char *const *folders)
{
	struct plugins *ps = calloc(1, sizeof *ps);
	const char **copy;
	uint32_t n = 0;

	if (!ps)
		return NULL;
	if (!folders) {
		ps->folders = plugin_default_folders(&ps->arena);
	} else {
		while (n < PLUGIN_MAX_FOLDERS && folders[n])
			n++;
		copy = arena_alloc(&ps->arena, (n + 1) * sizeof *copy);
		for (uint32_t i = 0; copy && i < n; i++) {
			copy[i] = arena_text(&ps->arena, folders[i], strlen(folders[i]));
			if (!copy[i])
				copy = NULL;
		}
		ps->folders = copy;
	}
	if (!ps->folders) {
		plugins_free(ps);
		return NULL;
	}
	return ps;
}

struct plugins *plugins_new_with(const char *first)
{
	struct plugins *ps = plugins_new(NULL);
	const char **both;
	uint32_t n = 0;

	if (!ps || !first)
		return ps;
	both = arena_alloc(&ps->arena, (PLUGIN_MAX_FOLDERS + 2) * sizeof *both);
	if (both)
		both[n++] = arena_text(&ps->arena, first, strlen(first));
	if (!both || !both[0]) {
		plugins_free(ps);
		return NULL;
	}
	for (uint32_t i = 0; i < PLUGIN_MAX_FOLDERS && ps->folders[i]; i++)
		both[n++] = ps->folders[i];
	ps->folders = both;
	return ps;
}

int32_t plugins_add(struct plugins *ps, const char *name, const struct tw_manifest *m, struct tw_err *e)
{
	struct tried *t = &ps->files[ps->n];

	if (ps->n == PLUGIN_MAX_FILES)
		return err_set(e, TW_E_CONFIG, "more than %d plugins; '%s' is not loaded", PLUGIN_MAX_FILES, name);
	*t = (struct tried){ .name = name, .file = name };
	ps->n += 1;
	return plugin_manifest_check(m, name, name, &ps->arena, &t->set, e);
}

void plugins_while_running(struct plugins *ps)
{
	ps->running = true;
}

void plugins_free(struct plugins *ps)
{
	if (!ps)
		return;
	/* The shared objects stay mapped: see load.c. */
	arena_free(&ps->arena);
	free(ps);
}

/* ---- one file ---- */

static int32_t try_file(struct plugins *ps, struct tried *t, struct tw_err *e)
{
	char real[PATH_MAX];
	int32_t rc = plugin_file_check(t->file, real, e);

	if (!rc && !ps->running)
		rc = plugin_try(real, t->name, PLUGIN_LOAD_TIMEOUT, e);
	else if (!rc && !plugin_is_open(real))
		rc = plugin_try_apart(real, t->name, PLUGIN_LOAD_TIMEOUT, e);
	if (rc)
		return rc;
	t->file = arena_text(&ps->arena, real, strlen(real));
	if (!t->file)
		return err_set(e, TW_E_FATAL, "out of memory while loading plugin '%s'", t->name);
	rc = plugin_open(t->file, t->name, &ps->arena, &t->set, e);
	for (int kind = 0; !rc && kind < PLUGIN_KINDS; kind++)
		if (t->set.of[kind])
			t->set.of[kind]->inode = plugin_mapped(t->file);
	return rc;
}

/* The file of that name, loaded or refused. NULL: the registry is full or memory is out, see e. */
static struct tried *take_file(struct plugins *ps, const char *name, const char *file, struct tw_err *e)
{
	struct tried *t;

	if (ps->n == PLUGIN_MAX_FILES) {
		err_set(e, TW_E_CONFIG, "more than %d plugins; '%s' is not loaded", PLUGIN_MAX_FILES, name);
		return NULL;
	}
	t = &ps->files[ps->n];
	t->name = arena_text(&ps->arena, name, strlen(name));
	t->file = arena_text(&ps->arena, file, strlen(file));
	if (!t->name || !t->file) {
		err_set(e, TW_E_FATAL, "out of memory while loading plugin '%s'", name);
		return NULL;
	}
	t->refused.code = try_file(ps, t, &t->refused);
	ps->n++;
	return t;
}

static struct tried *find_tried(struct plugins *ps, const char *name)
{
	for (uint32_t i = 0; i < ps->n; i++)
		if (strcmp(ps->files[i].name, name) == 0)
			return &ps->files[i];
	return NULL;
}

/* The first folder that has NAME.so decides; a broken one there is an error, not a reason to look further. */
static struct tried *find_file(struct plugins *ps, const char *name, struct tw_err *e)
{
	struct tried *t = find_tried(ps, name);
	char path[PATH_MAX];
	struct stat st;

	if (t)
		return t;
	for (const char *const *folder = ps->folders; *folder; folder++) {
		size_t len = strlen(*folder), rest = strlen(name);

		if (len + rest + sizeof "/.so" > sizeof path)
			continue;
		memcpy(path, *folder, len);
		path[len] = '/';
		memcpy(path + len + 1, name, rest);
		memcpy(path + len + 1 + rest, ".so", sizeof ".so");
		if (os->stat(path, &st) == 0)
			return take_file(ps, name, path, e);
		if (errno != ENOENT && errno != ENOTDIR) {
			err_sys(e, errno, "cannot look for plugin '%s' in %s", name, *folder);
			return NULL;
		}
	}
	err_set(e, TW_OK, "%s", "");
	return NULL;
}

/* ---- folders ---- */

/* Who hears of files that are not loaded. */
struct complaints {
	void (*each_bad)(void *arg, const char *file, const char *sentence);
	void *arg;
};

static void complain(const struct complaints *c, const char *folder, const char *file, const char *sentence)
{
	char path[PATH_MAX];
	int n;

	if (!c)
		return;
	n = file ? snprintf(path, sizeof path, "%s/%s", folder, file) : snprintf(path, sizeof path, "%s", folder);
	if (n > 0)
		c->each_bad(c->arg, path, sentence);
}

struct listing {
	const char *names[PLUGIN_MAX_FILES]; /* of plugins, without ".so" */
	uint32_t n;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of a folder's plugins, sorted. A folder that is not there is empty. Whatever cannot be the name of a plugin
 * is complained about. */
static void list_folder(struct plugins *ps, const char *folder, struct listing *l, const struct complaints *c)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	l->n = 0;
	if (!dir) {
		if (errno != ENOENT)
			complain(c, folder, NULL, strerrordesc_np(errno));
		return;
	}
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (len <= 3 || entry->d_name[0] == '.' || strcmp(entry->d_name + len - 3, ".so") != 0)
			continue;
		if (!plugin_name_ok(entry->d_name, len - 3)) {
			complain(c, folder, entry->d_name,
				 "the file name is no plugin name; use letters, digits, _ and - before .so");
			continue;
		}
		if (l->n == PLUGIN_MAX_FILES) {
			complain(c, folder, NULL, "the folder has too many files; the rest is not looked at");
			break;
		}
		l->names[l->n] = arena_text(&ps->arena, entry->d_name, len - 3);
		if (l->names[l->n])
			l->n++;
	}
	(void)closedir(dir);
	qsort(l->names, l->n, sizeof *l->names, compare_names);
}

/* ---- finding one ---- */

/* Why there is none of that name, with the nearest one of the kind that was asked for. */
static void not_found(struct plugins *ps, enum plugin_kind kind, const char *name, struct tw_err *e)
{
	struct listing *all = calloc(1, sizeof *all), *one = calloc(1, sizeof *one);
	const char *near = NULL, *kind_name = plugin_kind_names[kind];
	struct buf where = { 0 };
	struct tw_err ignored;

	for (const char *const *folder = ps->folders; all && one && *folder; folder++) {
		(void)buf_addf(&where, "%s%s", where.len ? ", " : "", *folder);
		list_folder(ps, *folder, one, NULL);
		for (uint32_t i = 0; i < one->n && all->n < PLUGIN_MAX_FILES; i++)
			all->names[all->n++] = one->names[i];
	}
	while (all && all->n > 0 && (near = nearest(name, all->names, all->n))) {
		struct tried *t = find_file(ps, near, &ignored);
		uint32_t kept = 0;

		if (t && t->set.of[kind])
			break;
		/* Of another kind, or broken: look for the next best. */
		for (uint32_t i = 0; i < all->n; i++)
			if (strcmp(all->names[i], near) != 0)
				all->names[kept++] = all->names[i];
		if (kept == all->n)
			kept = 0;
		all->n = kept;
		near = NULL;
	}
	if (near)
		err_set(e, TW_E_CONFIG, "no %s '%s'; did you mean '%s'?", kind_name, name, near);
	else
		err_set(e, TW_E_CONFIG,
			"no %s '%s'; looked for %s.so in %.*s. See `tapewatch plugins` for what there is, or set "
			"TAPEWATCH_PLUGINS to the folders to search",
			kind_name, name, name, (int)(where.len < 256 ? where.len : 256),
			where.data ? (const char *)where.data : "no folder");
	buf_free(&where);
	free(all);
	free(one);
}

const struct plugin *plugins_get(struct plugins *ps, enum plugin_kind kind, const char *name, struct tw_err *e)
{
	struct tw_err why = { 0 };
	const struct tried *t;

	if (!plugin_name_ok(name, strnlen(name, PLUGIN_NAME_MAX + 1))) {
		err_set(e, TW_E_CONFIG, "'%.80s' is no plugin name; use 1 to %d letters, digits, _ and -", name,
			PLUGIN_NAME_MAX);
		return NULL;
	}
	t = find_file(ps, name, &why);
	if (!t) {
		if (why.code)
			err_set(e, why.code, "%s", why.msg);
		else
			not_found(ps, kind, name, e);
		return NULL;
	}
	if (t->refused.code) {
		err_set(e, t->refused.code, "%s", t->refused.msg);
		return NULL;
	}
	if (t->set.of[kind])
		return t->set.of[kind];
	for (int other = 0; other < PLUGIN_KINDS; other++)
		if (t->set.of[other])
			err_set(e, TW_E_CONFIG, "'%s' is a %s, not a %s; it belongs under %ss:", name,
				plugin_kind_names[other], plugin_kind_names[kind], plugin_kind_names[other]);
	return NULL;
}

/* ---- all of them ---- */

static int compare_plugins(const void *a, const void *b)
{
	const struct plugin *x = *(const struct plugin *const *)a, *y = *(const struct plugin *const *)b;

	return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->name, y->name);
}

uint32_t plugins_scan(struct plugins *ps, const struct plugin ***ret_list,
		      void (*each_bad)(void *arg, const char *file, const char *sentence), void *arg)
{
	const struct complaints to = { each_bad, arg }, *c = each_bad ? &to : NULL;
	struct listing *l = calloc(1, sizeof *l);
	const struct plugin **list = NULL;
	uint32_t n = 0;

	for (const char *const *folder = ps->folders; l && *folder; folder++) {
		list_folder(ps, *folder, l, c);
		for (uint32_t i = 0; i < l->n; i++) {
			struct tw_err e = { 0 };

			if (!find_file(ps, l->names[i], &e))
				complain(c, *folder, l->names[i], e.msg);
		}
	}
	free(l);
	for (uint32_t i = 0; i < ps->n; i++)
		if (ps->files[i].refused.code)
			complain(c, ps->files[i].file, NULL, ps->files[i].refused.msg);
	list = arena_alloc(&ps->arena, (size_t)ps->n * PLUGIN_KINDS * sizeof(const struct plugin *));
	for (uint32_t i = 0; list && i < ps->n; i++)
		for (int kind = 0; kind < PLUGIN_KINDS; kind++)
			if (ps->files[i].set.of[kind])
				list[n++] = ps->files[i].set.of[kind];
	if (n > 0)
		qsort(list, n, sizeof *list, compare_plugins);
	*ret_list = list;
	return n;
}
