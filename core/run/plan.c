/* SPDX-License-Identifier: Apache-2.0
 *
 * Plans side by side, and what is different between them.
 */
#include "run/plan.h"
#include <stdlib.h>
#include <string.h>

struct plan *plan_around(const struct graph *g)
{
	struct plan *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->graph = g;
	p->holders = 1;
	return p;
}

struct plan *plan_hold(struct plan *p)
{
	p->holders++;
	return p;
}

void plan_drop(struct plan *p)
{
	if (!p || --p->holders)
		return;
	graph_free(&p->own);
	config_free(&p->config);
	plugins_free(p->plugins);
	free(p);
}

struct plan *plan_read(const char *const *paths, uint32_t n, struct report *r)
{
	struct plan *p = plan_around(NULL);

	if (!p || config_load(&p->config, paths, n, r) < 0)
		goto memory;
	p->plugins = plugins_new(NULL);
	if (!p->plugins)
		goto memory;
	plugins_while_running(p->plugins);
	if (graph_plan(&p->own, &p->config, p->plugins, r) == TW_E_FATAL)
		goto memory;
	if (r->errors) {
		plan_drop(p);
		return NULL;
	}
	p->graph = &p->own;
	return p;
memory:
	report_error(r, NULL, "memory is out");
	plan_drop(p);
	return NULL;
}

/* ---- comparing ---- */

static bool same_text(const char *a, const char *b)
{
	return !a || !b ? a == b : strcmp(a, b) == 0;
}

static const struct node *child(const struct node *map, const char *name)
{
	for (uint32_t i = 0; i < map->n; i++)
		if (same_text(map->items[i].name, name))
			return &map->items[i];
	return NULL;
}

/* The digest counts a reference as it is written; here a secret that was changed behind it must show. */
static bool same_words(const struct node *a, const struct node *b)
{
	if (a->kind != b->kind || a->n != b->n)
		return false;
	if (a->kind == NODE_TEXT)
		return same_text(a->text, b->text);
	for (uint32_t i = 0; i < a->n; i++) {
		const struct node *other = a->kind == NODE_MAP ? child(b, a->items[i].name) : &b->items[i];
		if (!other || !same_words(&a->items[i], other))
			return false;
	}
	return true;
}

static bool same_code(const struct plugin *a, const struct plugin *b)
{
	return strcmp(a->file, b->file) == 0 && strcmp(a->version, b->version) == 0 && strcmp(a->name, b->name) == 0;
}

bool plan_same_node(const struct graph_node *a, const struct graph_node *b)
{
	return a->kind == b->kind && strcmp(a->name, b->name) == 0 && same_code(a->plugin, b->plugin) &&
	       same_words(a->config, b->config);
}

const struct graph_node *plan_find(const struct graph *g, enum plugin_kind kind, const char *name)
{
	for (uint32_t i = 0; i < g->n; i++)
		if (g->nodes[i].kind == kind && strcmp(g->nodes[i].name, name) == 0)
			return &g->nodes[i];
	return NULL;
}

/* ---- the difference in words ---- */

static int add_name(struct buf *out, bool *first, const char *name)
{
	int rc = buf_addf(out, "%s%s", *first ? ": " : ", ", name);
	*first = false;
	return rc;
}

/* Which options; their values may be secrets. */
static int describe_change(const struct graph_node *a, const struct graph_node *b, struct buf *out)
{
	bool first = true;
	int rc = 0;

	for (uint32_t i = 0; i < b->config->n && rc == 0; i++) {
		const struct node *now = &b->config->items[i], *was = child(a->config, now->name);
		if (!was || !same_words(was, now))
			rc = add_name(out, &first, now->name);
	}
	for (uint32_t i = 0; i < a->config->n && rc == 0; i++)
		if (!child(b->config, a->config->items[i].name))
			rc = add_name(out, &first, a->config->items[i].name);
	if (rc == 0 && !same_code(a->plugin, b->plugin))
		rc = buf_addf(out, "%splugin %s %s, before %s %s", first ? ": " : "; ", b->plugin->name,
			      b->plugin->version, a->plugin->name, a->plugin->version);
	return rc;
}

static int line(struct buf *out, const char *what, const struct graph_node *n)
{
	return buf_addf(out, "%-8s %s '%s'", what, plugin_kind_names[n->kind], n->name);
}

static const struct {
	const char *name;
	size_t offset;
	bool later; /* the store is open: from the next start on */
} host_members[] = {
	{ "sync", offsetof(struct host_options, sync), true },
	{ "sync_interval", offsetof(struct host_options, sync_interval), true },
	{ "segment_size", offsetof(struct host_options, segment_size), true },
	{ "batch", offsetof(struct host_options, batch), false },
	{ "workers", offsetof(struct host_options, workers), false },
	{ "checkpoint", offsetof(struct host_options, checkpoint), false },
	{ "max_names", offsetof(struct host_options, max_names), false },
	{ "retain", offsetof(struct host_options, retain), false },
	{ "retain_size", offsetof(struct host_options, retain_size), false },
	{ "when_full", offsetof(struct host_options, when_full), false },
	{ "retain_alerts", offsetof(struct host_options, retain_alerts), false },
};

static int compare_hosts(const struct host_options *a, const struct host_options *b, struct buf *out)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof host_members / sizeof *host_members && rc == 0; i++) {
		size_t at = host_members[i].offset;
		if (memcmp((const char *)a + at, (const char *)b + at, sizeof(int64_t)) != 0)
			rc = buf_addf(out, "changed  host: %s%s\n", host_members[i].name,
				      host_members[i].later ? " (from the next start on)" : "");
	}
	return rc;
}

int32_t plan_compare(const struct graph *before, const struct graph *after, struct plan_difference *ret,
		     struct buf *out)
{
	struct plan_difference d = { 0 };
	int rc = compare_hosts(&before->host, &after->host, out);

	for (uint32_t i = 0; i < after->n && rc == 0; i++) {
		const struct graph_node *now = &after->nodes[i], *was = plan_find(before, now->kind, now->name);
		if (!was) {
			d.added++;
			rc = line(out, "added", now) || buf_addf(out, " (%s)\n", now->plugin->name);
		} else if (plan_same_node(was, now)) {
			d.kept++;
		} else {
			d.changed++;
			rc = line(out, "changed", now) || describe_change(was, now, out) || buf_add(out, "\n", 1);
		}
	}
	for (uint32_t i = 0; i < before->n && rc == 0; i++) {
		const struct graph_node *was = &before->nodes[i];
		if (plan_find(after, was->kind, was->name))
			continue;
		d.removed++;
		rc = line(out, "removed", was) || buf_addf(out, " (%s)\n", was->plugin->name);
	}
	if (rc == 0)
		rc = buf_addf(out, "%u kept, %u changed, %u added, %u removed\n", d.kept, d.changed, d.added,
			      d.removed);
	if (rc != 0)
		return TW_E_FATAL;
	*ret = d;
	return TW_OK;
}
