/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan in three forms, and what it may cost in memory.
 */
#include "run/picture.h"
#include "bus/chunk.h"
#include "event/event.h"
#include "state/recorder.h"
#include "state/table.h"

/* A key costs its slot, its place in the keyspace and the index. */
#define KEY_COST (sizeof(struct slot) + 64u)

uint64_t picture_memory(const struct graph *g)
{
	uint64_t total = 8u << 20; /* the process itself */

	total += (uint64_t)g->n_sources * CHUNKS * (CHUNK_EVENTS * 256u);
	total += (uint64_t)COMMITS * 2 * COMMIT_BYTES;
	for (uint32_t i = 0; i < g->n_detectors; i++) {
		const struct graph_node *d = graph_detector(g, i);
		uint64_t keys = d->key == KEY_NONE ? 1 : (uint64_t)d->detector.max_keys;
		total += keys * (KEY_COST + d->state_size);
	}
	return total;
}

static void print_size(struct buf *out, uint64_t bytes)
{
	if (bytes >= 1u << 30)
		buf_addf(out, "%.1f GiB", (double)bytes / (1u << 30));
	else if (bytes >= 1u << 20)
		buf_addf(out, "%.1f MiB", (double)bytes / (1u << 20));
	else
		buf_addf(out, "%.1f KiB", (double)bytes / (1u << 10));
}

static void print_inputs(const struct graph *g, const struct graph_node *n, struct buf *out)
{
	for (uint32_t i = 0; i < n->n_inputs; i++)
		buf_addf(out, "%s%s", i ? ", " : "", g->nodes[n->inputs[i]].name);
}

int32_t picture_text(const struct graph *g, struct buf *out)
{
	int bad = 0;

	for (uint32_t i = 0; i < g->n_sources; i++) {
		const struct graph_node *s = graph_source(g, i);
		bool finite = s->plugin->source.finite && s->plugin->source.finite(s->self) == 1;
		buf_addf(out, "source    %-20s %-16s %s\n", s->name, s->plugin->name, finite ? "finite" : "live");
	}
	for (uint32_t level = 0; level < g->levels; level++) {
		buf_addf(out, "stage %u\n", level + 1);
		for (uint32_t i = 0; i < g->n_detectors; i++) {
			const struct graph_node *d = graph_detector(g, i);
			if (d->level != level)
				continue;
			buf_addf(out, "detector  %-20s %-16s by %-15s %6u bytes a key  <- ", d->name, d->plugin->name,
				 graph_key_name(d->key), d->state_size);
			print_inputs(g, d, out);
			bad |= buf_addf(out, "%s\n", d->has_where ? "  (where)" : "");
		}
	}
	for (uint32_t i = 0; i < g->n_sinks; i++) {
		const struct graph_node *s = graph_sink(g, i);
		buf_addf(out, "sink      %-20s %-16s <- ", s->name, s->plugin->name);
		print_inputs(g, s, out);
		bad |= buf_addf(out, "\n");
	}
	buf_addf(out, "memory    at most ");
	print_size(out, picture_memory(g));
	bad |= buf_addf(out, " when every max_keys is reached\n");
	return bad ? TW_E_FATAL : TW_OK;
}

int32_t picture_dot(const struct graph *g, struct buf *out)
{
	static const char *const shapes[] = { "cds", "box", "folder" };
	int bad = 0;

	buf_addf(out, "digraph tapewatch {\n\trankdir=LR;\n\tnode [fontname=\"sans-serif\"];\n");
	for (uint32_t i = 0; i < g->n; i++)
		buf_addf(out, "\t\"%s\" [shape=%s, label=\"%s\\n%s\"];\n", g->nodes[i].name, shapes[g->nodes[i].kind],
			 g->nodes[i].name, g->nodes[i].plugin->name);
	for (uint32_t i = 0; i < g->n; i++)
		for (uint32_t k = 0; k < g->nodes[i].n_inputs; k++)
			buf_addf(out, "\t\"%s\" -> \"%s\";\n", g->nodes[g->nodes[i].inputs[k]].name, g->nodes[i].name);
	bad |= buf_addf(out, "}\n");
	return bad ? TW_E_FATAL : TW_OK;
}

int32_t picture_json(const struct graph *g, struct buf *out)
{
	int bad = 0;

	buf_addf(out, "{\"digest\":\"%s\",\"memory\":%" PRIu64 ",\"nodes\":[", g->digest, picture_memory(g));
	for (uint32_t i = 0; i < g->n; i++) {
		const struct graph_node *n = &g->nodes[i];
		buf_addf(out, "%s{\"name\":\"%s\",\"kind\":\"%s\",\"plugin\":\"%s\",\"version\":\"%s\"", i ? "," : "",
			 n->name, plugin_kind_names[n->kind], n->plugin->name, n->plugin->version);
		if (n->kind == PLUGIN_DETECTOR)
			buf_addf(out, ",\"stage\":%u,\"key\":\"%s\",\"state_size\":%u", n->level + 1,
				 graph_key_name(n->key), n->state_size);
		buf_addf(out, ",\"inputs\":[");
		for (uint32_t k = 0; k < n->n_inputs; k++)
			buf_addf(out, "%s\"%s\"", k ? "," : "", g->nodes[n->inputs[k]].name);
		buf_addf(out, "]}");
	}
	bad |= buf_addf(out, "]}\n");
	return bad ? TW_E_FATAL : TW_OK;
}
