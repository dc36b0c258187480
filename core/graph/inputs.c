/* SPDX-License-Identifier: Apache-2.0
 *
 * Edges: from the names and globs of `inputs:` to numbers of nodes, levels, and the order in which detectors run.
 *
 * In a detector's inputs a glob stands for sources only and other detectors are named one by one, so that `inputs:
 * ["*"]` never makes a circle. In a sink's inputs a glob stands for detectors.
 */
#include "graph/graph_impl.h"
#include <stdlib.h>
#include <string.h>

static const char *what_of(const struct graph_node *n, struct report *r)
{
	const char *what = arena_printf(&r->arena, "%s '%s'", plugin_kind_names[n->kind], n->name);
	return what ? what : n->name;
}

/* Where the i-th input stands in the file. */
static const struct place *input_place(const struct graph_node *n, uint64_t i)
{
	const struct node *v = node_get(n->config, "inputs");
	if (!v)
		return &n->config->name_at;
	return v->kind == NODE_LIST && i < v->n ? &v->items[i].at : &v->at;
}

static void input_missing(const struct graph *g, const struct config *c, const struct graph_node *n, uint64_t i,
			  const char *name, struct report *r)
{
	const struct place *at = input_place(n, i);
	const char *words[GRAPH_MAX_NODES];
	uint32_t n_words = 0;
	const struct node *sections[] = { node_get(&c->root, "sources"), node_get(&c->root, "detectors") };
	const char *near, *known = "";

	if (c->incomplete) /* it may be in the part that could not be read */
		return;
	/* Names that are configured but did not load are known too: their own mistake has been reported. */
	for (size_t s = 0; s < 2; s++)
		for (uint32_t k = 0; sections[s] && k < sections[s]->n && n_words < GRAPH_MAX_NODES; k++) {
			const char *word = sections[s]->items[k].name;
			if (!strcmp(word, name))
				return;
			words[n_words++] = word;
		}
	near = nearest(name, words, n_words);
	if (near) {
		report_error(r, at, "%s: input '%s' does not exist; did you mean '%s'?", what_of(n, r), name, near);
		return;
	}
	for (uint32_t k = 0; k < g->n_sources + g->n_detectors && k < 12; k++) {
		const struct graph_node *m = &g->nodes[k];
		const char *more =
			arena_printf(&r->arena, "%s%s%s (%s:%d)", known, *known ? ", " : "", m->name,
				     m->config->name_at.file ? m->config->name_at.file : "?", m->config->name_at.line);
		known = more ? more : known;
	}
	report_error(r, at, "%s: input '%s' does not exist; there are: %s", what_of(n, r), name,
		     *known ? known : "none");
}

static bool glob_covers(const struct graph_node *n, const struct graph_node *m)
{
	return n->kind == PLUGIN_SINK ? m->kind == PLUGIN_DETECTOR : m->kind == PLUGIN_SOURCE;
}

static int32_t resolve(struct graph *g, const struct config *c, struct graph_node *n, struct report *r)
{
	const struct tw_list *inputs = n->kind == PLUGIN_SINK ? &n->sink.inputs : &n->detector.inputs;
	bool taken[GRAPH_MAX_NODES] = { false };
	uint32_t last = g->n_sources + g->n_detectors;

	n->inputs = arena_alloc(&g->arena, (last ? last : 1) * sizeof *n->inputs);
	if (!n->inputs)
		return TW_E_FATAL;
	for (uint64_t i = 0; i < inputs->n; i++) {
		const char *name = inputs->items[i];
		bool glob = glob_is(name), found = false;
		for (uint32_t k = 0; k < last; k++) {
			const struct graph_node *m = &g->nodes[k];
			if (glob ? !glob_covers(n, m) || !glob_match(name, m->name) : strcmp(name, m->name) != 0)
				continue;
			found = true;
			if (n->kind == PLUGIN_SINK && m->kind == PLUGIN_SOURCE) {
				report_error(r, input_place(n, i),
					     "%s: input '%s' is a source; sinks deliver what detectors say",
					     what_of(n, r), name);
				continue;
			}
			taken[k] = true;
		}
		if (!found && glob && !c->incomplete)
			report_error(r, input_place(n, i), "%s: input '%s' matches no %s", what_of(n, r), name,
				     n->kind == PLUGIN_SINK ? "detector" : "source");
		else if (!found && !glob)
			input_missing(g, c, n, i, name, r);
	}
	for (uint32_t k = 0; k < last; k++)
		if (taken[k])
			n->inputs[n->n_inputs++] = k;
	return TW_OK;
}

/* Levels by relaxation; on a circle they would rise for ever, so one beyond the limit is a mistake. */
static void set_levels(struct graph *g, struct report *r)
{
	bool moved = true;

	while (moved) { /* ends: a level only rises, and not beyond the limit */
		moved = false;
		for (uint32_t i = 0; i < g->n_detectors; i++) {
			struct graph_node *n = graph_detector(g, i);
			for (uint32_t k = 0; k < n->n_inputs; k++) {
				const struct graph_node *m = &g->nodes[n->inputs[k]];
				if (m->kind != PLUGIN_DETECTOR || n->level > m->level)
					continue;
				n->level = m->level + 1;
				moved = true;
				if (n->level >= GRAPH_MAX_LEVELS || n == m) {
					report_error(
						r, input_place(n, 0),
						"%s: its inputs lead back to itself, or through more than %u levels",
						what_of(n, r), GRAPH_MAX_LEVELS);
					return;
				}
			}
			if (n->level + 1 > g->levels)
				g->levels = n->level + 1;
		}
	}
}

static int by_level(const void *a, const void *b)
{
	const struct graph_node *x = a, *y = b;
	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* Sorting moves nodes: translate the numbers in inputs. */
static void renumber(struct graph *g)
{
	uint32_t moved_to[GRAPH_MAX_NODES];

	qsort(g->nodes + g->n_sources, g->n_detectors, sizeof *g->nodes, by_level);
	for (uint32_t i = 0; i < g->n; i++)
		moved_to[g->nodes[i].index] = i;
	for (uint32_t i = 0; i < g->n; i++) {
		struct graph_node *n = &g->nodes[i];
		n->index = i;
		for (uint32_t k = 0; k < n->n_inputs; k++)
			n->inputs[k] = moved_to[n->inputs[k]];
		if (n->n_inputs > 1)
			qsort(n->inputs, n->n_inputs, sizeof *n->inputs, by_number);
	}
}

/* A detector that hears only detectors must want what they send. */
static void warn_deaf(struct graph *g, struct report *r)
{
	for (uint32_t i = 0; i < g->n_detectors; i++) {
		const struct graph_node *n = graph_detector(g, i);
		for (uint32_t k = 0; k < n->n_inputs; k++) {
			const struct graph_node *m = &g->nodes[n->inputs[k]];
			if (m->kind == PLUGIN_DETECTOR && !(n->plugin->detector.kinds & (TW_ALERT | TW_SCORE)))
				report_warning(
					r, input_place(n, k),
					"%s takes neither alerts nor scores, so it hears nothing from detector '%s'",
					what_of(n, r), m->name);
		}
	}
}

int32_t connect_nodes(struct graph *g, const struct config *c, struct report *r)
{
	for (uint32_t i = g->n_sources; i < g->n; i++)
		if (resolve(g, c, &g->nodes[i], r) < 0)
			return TW_E_FATAL;
	if (r->errors)
		return TW_OK;
	set_levels(g, r);
	if (r->errors)
		return TW_OK;
	renumber(g);
	warn_deaf(g, r);
	for (uint32_t i = 0; i < g->n_sinks; i++) {
		const struct graph_node *s = graph_sink(g, i);
		for (uint32_t k = 0; (s->sink.wants & TW_SCORE) && k < s->n_inputs; k++)
			g->nodes[s->inputs[k]].logged_scores = true;
	}
	return TW_OK;
}
