/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading case files and running what they say.
 */
#include "kit/cases.h"
#include "base/err.h"
#include "base/os.h"
#include "config/config.h"
#include "kit/case.h"
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE   (1u << 20)
#define MAX_FILES  1000u
#define MAX_REPEAT 100000u

static int32_t TW_PRINTF(3, 4) wrong(struct kit_case *c, const struct node *at, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)buf_addf(&c->why, "%s:%d: %s\n", c->file, at->at.line, text);
	return TW_E_CONFIG;
}

/* ---- options: a tree back to YAML ---- */

static void add_quoted(struct buf *out, const char *s)
{
	(void)buf_add(out, "\"", 1);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			(void)buf_add(out, "\\", 1);
		if (*s == '\n')
			(void)buf_add(out, "\\n", 2);
		else
			(void)buf_add(out, s, 1);
	}
	(void)buf_add(out, "\"", 1);
}

static void add_node(struct buf *out, const struct node *n)
{
	if (n->kind == NODE_TEXT) {
		add_quoted(out, n->raw ? n->raw : n->text);
		return;
	}
	(void)buf_add(out, n->kind == NODE_MAP ? "{" : "[", 1);
	for (uint32_t i = 0; i < n->n; i++) {
		if (i)
			(void)buf_add(out, ", ", 2);
		if (n->kind == NODE_MAP) {
			add_quoted(out, n->items[i].name);
			(void)buf_add(out, ": ", 2);
		}
		add_node(out, &n->items[i]);
	}
	(void)buf_add(out, n->kind == NODE_MAP ? "}" : "]", 1);
}

static void add_members(struct buf *out, const struct node *map, const struct node *over)
{
	for (uint32_t i = 0; map && i < map->n; i++) {
		if (node_get(over, map->items[i].name))
			continue;
		if (out->len > 1)
			(void)buf_add(out, ", ", 2);
		add_quoted(out, map->items[i].name);
		(void)buf_add(out, ": ", 2);
		add_node(out, &map->items[i]);
	}
}

/* The file's options, and over them the case's own. */
static int32_t read_options(struct kit_case *c, const struct node *file, const struct node *own, struct buf *out)
{
	if (file && file->kind != NODE_MAP)
		return wrong(c, file, "options: expected a map such as {threshold: 4}");
	if (own && own->kind != NODE_MAP)
		return wrong(c, own, "options: expected a map such as {threshold: 4}");
	(void)buf_add(out, "{", 1);
	add_members(out, file, own);
	add_members(out, own, NULL);
	return buf_add(out, "}", 2) == 0 ? TW_OK : TW_E_FATAL; /* with its NUL */
}

/* ---- events ---- */

static int32_t add_event(struct kit_case *c, const struct node *at, const char *line)
{
	struct buf one = { 0 };
	struct tw_err e = { 0 };
	int32_t rc = kit_line_event(&one, line, c->start, &c->now, &e);

	if (rc == TW_OK)
		rc = kit_events_add(&c->events, one.data, one.len);
	else
		rc = wrong(c, at, "%s%s", rc == TW_E_DATA ? "the host refuses this event: " : "", e.msg);
	buf_free(&one);
	return rc;
}

static int32_t add_repeated(struct kit_case *c, const struct node *n)
{
	const struct node *times = node_get(n, "repeat"), *every = node_get(n, "every"), *event = node_get(n, "event");
	unsigned long count = times && times->kind == NODE_TEXT ? strtoul(times->text, NULL, 10) : 0;
	int64_t step = 0;
	int32_t rc = TW_OK;

	if (!event || count < 1 || count > MAX_REPEAT)
		return wrong(c, n,
			     "expected {repeat: 1 to %u, every: 1s, event: LINE} or {repeat: N, every: 1s, "
			     "event: [LINE, ...]}",
			     MAX_REPEAT);
	if (every && (every->kind != NODE_TEXT || kit_duration(every->text, &step) != 0))
		return wrong(c, every, "every: expected a duration such as 1s");
	for (unsigned long i = 0; rc == TW_OK && i < count; i++) {
		if (i)
			c->now += step;
		if (event->kind == NODE_TEXT)
			rc = add_event(c, event, event->text);
		for (uint32_t k = 0; rc == TW_OK && event->kind == NODE_LIST && k < event->n; k++)
			rc = event->items[k].kind == NODE_TEXT ? add_event(c, &event->items[k], event->items[k].text)
							       : wrong(c, event, "event: expected a line");
	}
	return rc;
}

static int32_t read_events(struct kit_case *c, const struct node *list)
{
	int32_t rc = TW_OK;

	if (!list || list->kind != NODE_LIST)
		return wrong(c, list ? list : c->node,
			     "events: expected a list of lines such as '0s quote EURUSD bid=1 ask=2'");
	for (uint32_t i = 0; rc == TW_OK && i < list->n; i++) {
		const struct node *n = &list->items[i];
		if (n->kind == NODE_TEXT)
			rc = add_event(c, n, n->text);
		else if (n->kind == NODE_MAP)
			rc = add_repeated(c, n);
		else
			rc = wrong(c, n, "expected an event");
	}
	return rc;
}

/* ---- what is expected ---- */

static int32_t read_wants(struct kit_case *c, const struct node *n, uint32_t kind, struct kit_wants *ret)
{
	struct tw_err e = { 0 };

	ret->kind = kind;
	if (!n)
		return TW_OK;
	ret->given = true;
	if (n->kind == NODE_TEXT) {
		char *end;
		if (!strcmp(n->text, "none") || !strcmp(n->text, "[]"))
			return TW_OK;
		ret->count = (int64_t)strtoul(n->text, &end, 10);
		ret->counted = true;
		return *n->text && !*end ? TW_OK : wrong(c, n, "expected none, a number, or a list of lines");
	}
	if (n->kind != NODE_LIST)
		return wrong(c, n, "expected none, a number, or a list of lines");
	ret->list = calloc(n->n ? n->n : 1, sizeof *ret->list);
	if (!ret->list)
		return TW_E_FATAL;
	for (uint32_t i = 0; i < n->n; i++) {
		const struct node *line = &n->items[i];
		if (line->kind != NODE_TEXT || kit_line_want(&ret->list[i], line->text, c->start, false, &e) != TW_OK)
			return wrong(c, line, "%s", line->kind != NODE_TEXT ? "expected a line" : e.msg);
		ret->list[i].kind = kind;
		ret->n++;
	}
	return TW_OK;
}

static const char *const known[] = { "name", "options", "start", "events", "alerts", "scores", "others", NULL };

static int32_t check_names(struct kit_case *c, const struct node *n, const char *const *names)
{
	uint32_t count = 0;

	while (names[count])
		count++;
	for (uint32_t i = 0; i < n->n; i++) {
		const char *near;
		bool ok = false;
		for (uint32_t k = 0; k < count; k++)
			ok |= !strcmp(names[k], n->items[i].name);
		if (ok)
			continue;
		near = nearest(n->items[i].name, names, count);
		return wrong(c, &n->items[i], "'%s' is not understood%s%s%s", n->items[i].name,
			     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	return TW_OK;
}

static int32_t read_case(struct kit_case *c, const struct node *file_options, struct buf *options)
{
	const struct node *start = node_get(c->node, "start"), *others = node_get(c->node, "others");
	int32_t rc = check_names(c, c->node, known);

	c->start = KIT_START;
	if (rc == TW_OK && start && (start->kind != NODE_TEXT || parse_time(start->text, 0, &c->start) < 0))
		rc = wrong(c, start, "start: expected a time such as 2026-01-05T09:30:00Z");
	c->now = c->start;
	if (rc == TW_OK && others && strcmp(others->text ? others->text : "", "allowed") != 0)
		rc = wrong(c, others, "others: expected allowed");
	c->others = others != NULL;
	if (rc == TW_OK)
		rc = read_options(c, file_options, node_get(c->node, "options"), options);
	if (rc == TW_OK)
		rc = read_events(c, node_get(c->node, "events"));
	if (rc == TW_OK && !node_get(c->node, "alerts"))
		rc = wrong(c, c->node, "alerts is missing: none, a number, or a list of lines");
	if (rc == TW_OK)
		rc = read_wants(c, node_get(c->node, "alerts"), TW_ALERT, &c->alerts);
	if (rc == TW_OK)
		rc = read_wants(c, node_get(c->node, "scores"), TW_SCORE, &c->scores);
	return rc;
}

static void case_free(struct kit_case *c)
{
	kit_events_free(&c->events);
	buf_free(&c->why);
	free(c->alerts.list);
	free(c->scores.list);
}

static void run_one(struct kit_cases *all, const char *file, const char *plugin, const struct node *file_options,
		    const struct node *n)
{
	struct kit_case c = { .file = file, .node = n };
	const struct node *name = node_get(n, "name");
	struct buf options = { 0 };
	int32_t rc;

	if (n->kind != NODE_MAP)
		rc = wrong(&c, n, "expected a case: a map of name, events and alerts");
	else
		rc = read_case(&c, file_options, &options);
	if (rc == TW_OK)
		rc = kit_case_judge(&c, plugin, (const char *)options.data);
	all->cases++;
	all->failed += rc != TW_OK;
	if (buf_add(&c.why, "", 1) == 0)
		all->each(all->arg,
			  &(struct kit_case_result){ .file = file,
						     .name = name && name->text ? name->text : "a case without a name",
						     .line = n->at.line,
						     .ok = rc == TW_OK,
						     .events = c.events.n,
						     .alerts = c.said,
						     .why = (const char *)c.why.data });
	buf_free(&options);
	case_free(&c);
}

/* A path in a case file starts at the case file. */
static int32_t plugin_of(const struct kit_cases *all, const char *file, const struct node *root, char *out, size_t size,
			 struct tw_err *e)
{
	const struct node *n = node_get(root, "plugin");
	const char *slash = strrchr(file, '/');
	int len;

	if (!all->plugin && (!n || n->kind != NODE_TEXT || !*n->text))
		return err_set(e, TW_E_CONFIG, "%s: plugin is missing: expected plugin: NAME, or a path to NAME.so",
			       file);
	if (all->plugin)
		len = snprintf(out, size, "%s", all->plugin);
	else if (strchr(n->text, '/') && n->text[0] != '/' && slash)
		len = snprintf(out, size, "%.*s/%s", (int)(slash - file), file, n->text);
	else
		len = snprintf(out, size, "%s", n->text);
	return len < 0 || (size_t)len >= size ? err_set(e, TW_E_CONFIG, "%s: the plugin's path is too long", file)
					      : TW_OK;
}

static int32_t run_text(struct kit_cases *all, const char *file, const char *yaml, size_t len, struct tw_err *e)
{
	static const char *const top[] = { "plugin", "options", "cases", NULL };
	struct kit_case names = { .file = file };
	struct report report = { 0 };
	struct config tree;
	char plugin[PATH_MAX];
	const struct node *cases = NULL;
	int32_t rc = config_tree(&tree, file, yaml, len, &report);

	if (rc == TW_OK && report.errors)
		rc = err_set(e, TW_E_CONFIG, "%s:%d: %s", file, report.list[0].at.line, report.list[0].text);
	else if (rc == TW_OK)
		cases = node_get(&tree.root, "cases");
	if (rc == TW_OK && (!cases || cases->kind != NODE_LIST || !cases->n))
		rc = err_set(e, TW_E_CONFIG, "%s: expected plugin: NAME and a list of cases:", file);
	else if (rc == TW_OK && check_names(&names, &tree.root, top) != TW_OK)
		rc = err_set(e, TW_E_CONFIG, "%.*s", (int)names.why.len - 1, (const char *)names.why.data);
	else if (rc == TW_OK)
		rc = plugin_of(all, file, &tree.root, plugin, sizeof plugin, e);
	for (uint32_t i = 0; rc == TW_OK && cases && i < cases->n; i++)
		run_one(all, file, plugin, node_get(&tree.root, "options"), &cases->items[i]);
	buf_free(&names.why);
	config_free(&tree);
	report_free(&report);
	return rc;
}

static int32_t run_file(struct kit_cases *all, const char *file, struct tw_err *e)
{
	struct buf text = { 0 };
	FILE *f = fopen(file, "re");
	size_t n = 0;
	int32_t rc;

	if (!f)
		return err_set(e, TW_E_CONFIG, "cannot read %s: %m", file);
	while (text.len <= MAX_FILE && buf_reserve(&text, 65536) && (n = fread(text.data + text.len, 1, 65536, f)) > 0)
		text.len += n;
	rc = ferror(f) || text.len > MAX_FILE
		     ? err_set(e, TW_E_CONFIG, "cannot read %s, or it has more than %u bytes", file, MAX_FILE)
		     : run_text(all, file, (const char *)text.data, text.len, e);
	(void)fclose(f);
	buf_free(&text);
	return rc;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_yaml(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 5 && !strcmp(d->d_name + len - 5, ".yaml");
}

int32_t kit_cases_run(struct kit_cases *all, const char *path, struct tw_err *e)
{
	struct dirent **list = NULL;
	char child[PATH_MAX];
	struct stat st;
	int32_t rc = TW_OK;
	int n;

	if (os->stat(path, &st) != 0)
		return err_set(e, TW_E_CONFIG, "there is no file or folder %s", path);
	if (!S_ISDIR(st.st_mode))
		return run_file(all, path, e);
	n = scandir(path, &list, is_yaml, by_name);
	if (n < 0)
		return err_set(e, TW_E_CONFIG, "cannot read the folder %s: %m", path);
	if (n == 0 && snprintf(child, sizeof child, "%s/cases", path) < (int)sizeof child &&
	    os->stat(child, &st) == 0 && S_ISDIR(st.st_mode))
		rc = kit_cases_run(all, child, e);
	else if (n == 0)
		rc = err_set(e, TW_E_CONFIG, "%s holds no *.yaml, and no folder cases", path);
	for (int i = 0; i < n; i++) {
		if (rc == TW_OK && i < (int)MAX_FILES &&
		    snprintf(child, sizeof child, "%s/%s", path, list[i]->d_name) < (int)sizeof child)
			rc = run_file(all, child, e);
		free(list[i]);
	}
	free(list);
	return rc;
}
