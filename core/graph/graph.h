/* SPDX-License-Identifier: Apache-2.0
 *
 * From a configuration to instances that know their inputs: what `check` checks and `run` runs. Planning reads no
 * files but plugins, opens nothing and starts nothing. [control]
 *
 * Nodes are numbered: sources first, then detectors, then sinks. Detectors are ordered by level (1 + the highest level
 * among the detectors they listen to, else 0), then by their order in the configuration; alerts of one event come in
 * that order.
 */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "config/config.h"
#include "config/where.h"
#include "plugin/plugin.h"

#define GRAPH_MAX_NODES 1024u
#define GRAPH_MAX_LEVELS 16u

enum key_field { KEY_NONE = 0, KEY_SYMBOL = 1, KEY_ACCOUNT = 2, KEY_BOTH = 3 };

/* The host's own options of each section, beside the plugin's. */
struct source_options {
	const char *max_bad;
	int64_t retries;
	uint64_t bad_count; /* parsed: a number of rows, or */
	double bad_share;   /* a share of them, 0 when bad_count is meant */
};
struct detector_options {
	struct tw_list inputs;
	int64_t severity; /* 0 auto, else TW_INFO ... */
	const char *cooldown, *warmup, *key;
	int64_t max_keys, ttl, max_errors;
	struct stretch quiet, warm; /* parsed */
};
struct sink_options {
	struct tw_list inputs, kinds;
	uint32_t wants; /* parsed: TW_ALERT, TW_SCORE */
};
struct host_options {
	const char *metrics; /* "": nowhere */
	int64_t sync, sync_interval, segment_size, batch, workers, checkpoint, max_names;
	int64_t when_full; /* 0 pause, 1 drop */
	int64_t retain, retain_size, retain_alerts; /* see struct retention of state/store.h */
};

struct graph_node {
	enum plugin_kind kind;
	const char *name;
	const struct plugin *plugin;
	const struct node *config;
	void *self; /* the plugin's options, bound; plugin->self_size bytes */
	uint32_t index, level;
	uint32_t *inputs; /* numbers of nodes, ascending */
	uint32_t n_inputs;
	struct where where;
	bool has_where;
	enum key_field key;
	uint32_t state_size;
	bool logged_scores; /* a sink wants this detector's scores */
	char digest[65];    /* of its part of the configuration; goes with its alerts */
	union {
		struct source_options source;
		struct detector_options detector;
		struct sink_options sink;
	};
};

struct graph {
	struct arena arena;
	struct graph_node *nodes;
	uint32_t n, n_sources, n_detectors, n_sinks, levels;
	struct host_options host;
	const char *digest; /* of the configuration */
};

/* Fill g from c. Mistakes go to r; TW_OK when there were none, else TW_E_CONFIG. */
int32_t graph_plan(struct graph *g, const struct config *c, struct plugins *p, struct report *r);
void graph_free(struct graph *);

static inline struct graph_node *graph_source(const struct graph *g, uint32_t i)
{
	return &g->nodes[i];
}
static inline struct graph_node *graph_detector(const struct graph *g, uint32_t i)
{
	return &g->nodes[g->n_sources + i];
}
static inline struct graph_node *graph_sink(const struct graph *g, uint32_t i)
{
	return &g->nodes[g->n_sources + g->n_detectors + i];
}
const char *graph_key_name(enum key_field);

/* The option tables of the host, for `tapewatch plugins` and the reference. */
extern const struct tw_option graph_source_options[], graph_detector_options[], graph_sink_options[],
        graph_host_options[];

#endif
