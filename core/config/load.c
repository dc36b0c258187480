/* SPDX-License-Identifier: Apache-2.0
 *
 * Files and folders to one tree: which files are read in what order, which sections there are, what a name may be, and
 * that no name is given twice.
 */
#include "base/os.h"
#include "config/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum section { SOURCES, DETECTORS, SINKS, HOST, SECTIONS };
static const char *const section_names[SECTIONS] = { "sources", "detectors", "sinks", "host" };
static const char *const section_one[SECTIONS] = { "source", "detector", "sink", "option" };

/* What all files said about one section. */
struct merged {
	bool seen;
	struct node node; /* of the first file that has it */
	struct node *items;
	uint32_t cap;
};

struct merge {
	struct loader l;
	struct merged sections[SECTIONS];
	const char *files[CONFIG_MAX_FILES];
	uint32_t n_files;
};

/* ---- one file into the tree ---- */
static bool is_instance_name(const char *s)
{
	size_t n = 0;
	for (; s[n]; n++) {
		bool letter = (s[n] >= 'A' && s[n] <= 'Z') || (s[n] >= 'a' && s[n] <= 'z') || s[n] == '_';
		bool more = (s[n] >= '0' && s[n] <= '9') || s[n] == '.' || s[n] == '-';
		if (!letter && !(n && more))
			return false;
	}
	return n > 0 && n <= 64;
}

static const struct node *find(const struct merge *m, enum section s, const char *name)
{
	for (uint32_t i = 0; i < m->sections[s].node.n; i++) {
		if (strcmp(m->sections[s].items[i].name, name) == 0)
			return &m->sections[s].items[i];
	}
	return NULL;
}

/* Sources, detectors and sinks share one space of names; host options have their own. */
static bool is_taken(struct merge *m, enum section s, const struct node *item, const char *quoted)
{
	enum section first = s == HOST ? HOST : SOURCES, last = s == HOST ? HOST : SINKS;
	for (enum section i = first; i <= last; i++) {
		const struct node *before = find(m, i, item->name);
		if (!before)
			continue;
		if (s == HOST)
			report_error(m->l.r, &item->name_at,
				     "host option %s is given twice; it was first given in %s:%d", quoted,
				     before->name_at.file, before->name_at.line);
		else
			report_error(m->l.r, &item->name_at, "the name %s is given twice; it is already a %s in %s:%d",
				     quoted, section_one[i], before->name_at.file, before->name_at.line);
		return true;
	}
	return false;
}

static void merge_item(struct merge *m, enum section s, const struct node *item)
{
	struct merged *to = &m->sections[s];
	const char *quoted = text_quote(&m->l.c->arena, item->name);
	if (is_taken(m, s, item, quoted))
		return;
	if (s != HOST && !is_instance_name(item->name)) {
		report_error(m->l.r, &item->name_at,
			     "%s is not a name for a %s; use up to 64 letters, digits, '_', '.' and '-', a letter or "
			     "'_' first",
			     quoted, section_one[s]);
		return;
	}
	if (s != HOST && item->kind != NODE_MAP) {
		if (!item->faulty)
			report_error(m->l.r, &item->at,
				     "%s %s: found %s; expected a map of options such as {plugin: NAME}",
				     section_one[s], quoted, text_kind(item));
		m->l.c->incomplete = true;
		return;
	}
	if (to->node.n == CONFIG_MAX_NAMES) {
		report_error(m->l.r, &item->name_at, "more than %u names in the section '%s'", CONFIG_MAX_NAMES,
			     section_names[s]);
		m->l.c->incomplete = true;
		return;
	}
	if (to->node.n == to->cap) {
		uint32_t cap = to->cap ? to->cap * 2 : 16;
		struct node *items = realloc(to->items, cap * sizeof *items);
		if (!items) {
			m->l.no_memory = true;
			return;
		}
		to->items = items;
		to->cap = cap;
	}
	to->items[to->node.n++] = *item;
}

static void merge_section(struct merge *m, const struct node *section)
{
	enum section s = SOURCES;
	while (s < SECTIONS && strcmp(section_names[s], section->name) != 0)
		s++;
	if (s == SECTIONS) {
		const char *near = nearest(section->name, section_names, SECTIONS);
		const char *quoted = text_quote(&m->l.c->arena, section->name);
		if (near)
			report_error(m->l.r, &section->name_at, "unknown section %s; did you mean '%s'?", quoted, near);
		else
			report_error(m->l.r, &section->name_at, "unknown section %s; the sections are %s", quoted,
				     text_words(&m->l.c->arena, section_names, SECTIONS, "and"));
		m->l.c->incomplete = true;
		return;
	}
	if (!m->sections[s].seen) {
		m->sections[s].seen = true;
		m->sections[s].node = *section;
		m->sections[s].node.kind = NODE_MAP;
		m->sections[s].node.items = NULL;
		m->sections[s].node.n = 0;
	}
	if (section->faulty)
		return;
	if (section->kind != NODE_MAP) {
		if (section->kind == NODE_TEXT && !*section->text)
			return;
		report_error(m->l.r, &section->at, "section '%s': found %s; expected a map such as {%s}", section->name,
			     text_kind(section), s == HOST ? "option: value" : "NAME: {plugin: NAME}");
		m->l.c->incomplete = true;
		return;
	}
	for (uint32_t i = 0; i < section->n && !m->l.no_memory; i++)
		merge_item(m, s, &section->items[i]);
}

static void merge_text(struct merge *m, const char *file, const char *yaml, size_t len)
{
	struct node root;
	if (m->n_files == CONFIG_MAX_FILES) {
		report_error(m->l.r, NULL, "more than %u configuration files", CONFIG_MAX_FILES);
		m->l.c->incomplete = true;
		return;
	}
	file = arena_text(&m->l.c->arena, file, strlen(file));
	if (!file || !yaml_read(&m->l, file, yaml, len, &root)) {
		m->l.no_memory = true;
		return;
	}
	m->files[m->n_files++] = file;
	if (root.faulty || (root.kind == NODE_TEXT && !*root.text))
		return;
	if (root.kind != NODE_MAP) {
		report_error(m->l.r, &root.at, "found %s; expected the sections %s", text_kind(&root),
			     text_words(&m->l.c->arena, section_names, SECTIONS, "or"));
		m->l.c->incomplete = true;
		return;
	}
	for (uint32_t i = 0; i < root.n && !m->l.no_memory; i++)
		merge_section(m, &root.items[i]);
}

/* ---- which files ---- */
static void fault(struct merge *m, const char *path, const char *wrong)
{
	struct place at = { .file = path };
	report_error(m->l.r, &at, "%s", wrong ? wrong : "does not fit in memory");
	m->l.c->incomplete = true;
}

static void merge_file(struct merge *m, const char *path)
{
	struct buf b = { 0 };
	const char *wrong = config_read_file(path, CONFIG_MAX_FILE, &b, NULL, &m->l.c->arena);
	if (wrong)
		fault(m, path, wrong);
	else
		merge_text(m, path, b.data ? (const char *)b.data : "", b.len);
	buf_free(&b);
}

static bool is_yaml(const char *name)
{
	const char *dot = strrchr(name, '.');
	return name[0] != '.' && dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Files of editors and of mounts (.x.yaml.swp, ..data) are left alone: they begin with a dot or end otherwise. */
static void merge_folder(struct merge *m, const char *path)
{
	struct arena *a = &m->l.c->arena;
	const char **names = arena_alloc(a, CONFIG_MAX_FILES * sizeof *names);
	uint32_t n = 0;
	size_t len = strlen(path);
	bool many = false;
	DIR *dir = opendir(path);
	if (!dir) {
		fault(m, path, arena_printf(a, "cannot be read: %s", strerror(errno)));
		return;
	}
	for (struct dirent *e; names && !many && (e = readdir(dir));) {
		if (!is_yaml(e->d_name))
			continue;
		many = n == CONFIG_MAX_FILES;
		if (many)
			break;
		names[n] = arena_printf(a, "%s%s%s", path, len && path[len - 1] == '/' ? "" : "/", e->d_name);
		if (!names[n++])
			names = NULL;
	}
	closedir(dir);
	if (!names) {
		m->l.no_memory = true;
		return;
	}
	if (many)
		fault(m, path, arena_printf(a, "holds more than %u files", CONFIG_MAX_FILES));
	else if (!n)
		fault(m, path, "holds no *.yaml or *.yml file");
	qsort(names, n, sizeof *names, by_text);
	for (uint32_t i = 0; i < n && !many && !m->l.no_memory; i++)
		merge_file(m, names[i]);
}

static void merge_path(struct merge *m, const char *path)
{
	struct stat st;
	if (os->stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		merge_folder(m, path);
	else
		merge_file(m, path);
}

/* ---- the whole ---- */
static bool finish(struct merge *m)
{
	struct config *c = m->l.c;
	c->root.kind = NODE_MAP;
	c->root.items = arena_alloc(&c->arena, SECTIONS * sizeof *c->root.items);
	c->files = arena_alloc(&c->arena, (m->n_files + 1) * sizeof *c->files);
	if (!c->root.items || !c->files || m->l.no_memory)
		return false;
	for (enum section s = SOURCES; s < SECTIONS; s++) {
		struct node *node = &m->sections[s].node;
		if (!m->sections[s].seen)
			continue;
		node->items = arena_alloc(&c->arena, (node->n + 1) * sizeof *node->items);
		if (!node->items)
			return false;
		if (node->n)
			memcpy(node->items, m->sections[s].items, node->n * sizeof *node->items);
		c->root.items[c->root.n++] = *node;
	}
	memcpy(c->files, m->files, m->n_files * sizeof *c->files);
	c->n_files = m->n_files;
	return config_digest(c);
}

static struct merge *begin(struct config *c, struct report *r)
{
	struct merge *m = calloc(1, sizeof *m);
	memset(c, 0, sizeof *c);
	if (m) {
		m->l.c = c;
		m->l.r = r;
	}
	return m;
}

static int32_t end(struct merge *m, struct config *c, struct report *r)
{
	bool ok = m && finish(m);
	if (!ok) {
		report_error(r, NULL, "out of memory while reading the configuration");
		config_free(c);
	}
	for (uint32_t s = 0; m && s < SECTIONS; s++)
		free(m->sections[s].items);
	free(m);
	return ok ? TW_OK : TW_E_FATAL;
}

int32_t config_load(struct config *c, const char *const *paths, uint32_t n, struct report *r)
{
	struct merge *m = begin(c, r);
	for (uint32_t i = 0; m && i < n && !m->l.no_memory; i++)
		merge_path(m, paths[i]);
	return end(m, c, r);
}

int32_t config_parse(struct config *c, const char *name, const char *yaml, size_t len, struct report *r)
{
	struct merge *m = begin(c, r);
	if (m)
		merge_text(m, name, yaml, len);
	return end(m, c, r);
}

int32_t config_tree(struct config *c, const char *name, const char *yaml, size_t len, struct report *r)
{
	struct loader l = { .c = c, .r = r };

	memset(c, 0, sizeof *c);
	name = arena_text(&c->arena, name, strlen(name));
	if (name && yaml_read(&l, name, yaml, len, &c->root) && !l.no_memory)
		return TW_OK;
	config_free(c);
	return TW_E_FATAL;
}

void config_free(struct config *c)
{
	arena_free(&c->arena);
	memset(c, 0, sizeof *c);
}

const struct node *node_get(const struct node *map, const char *name)
{
	for (uint32_t i = 0; map && map->kind == NODE_MAP && i < map->n; i++) {
		if (strcmp(map->items[i].name, name) == 0)
			return &map->items[i];
	}
	return NULL;
}
