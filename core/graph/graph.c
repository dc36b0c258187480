/* SPDX-License-Identifier: Apache-2.0
 *
 * Planning: make nodes of the three sections, bind their options, then connect and order them (inputs.c).
 */
#include "graph/graph_impl.h"
#include <string.h>

static const char *const section_names[PLUGIN_KINDS] = { "sources", "detectors", "sinks" };
/* Names in an instance's map that no option table binds. */
static const char *const bound_elsewhere[] = { "plugin", "where", NULL };
static const char *const bound_elsewhere_source[] = { "plugin", NULL };

const char *graph_key_name(enum key_field key)
{
	static const char *const names[] = { "none", "symbol", "account", "account,symbol" };
	return names[key];
}

static bool key_parse(const char *text, enum key_field *ret)
{
	static const struct {
		const char *text;
		enum key_field key;
	} keys[] = { { "", KEY_NONE },           { "none", KEY_NONE },           { "symbol", KEY_SYMBOL },
		     { "account", KEY_ACCOUNT }, { "account,symbol", KEY_BOTH }, { "symbol,account", KEY_BOTH } };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (!strcmp(text, keys[i].text)) {
			*ret = keys[i].key;
			return true;
		}
	return false;
}

/* "100" or "5%" */
static bool bad_limit_parse(struct source_options *o)
{
	const char *s = o->max_bad;
	uint64_t n = 0;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (n > UINT64_MAX / 100)
			return false;
		n = n * 10 + (uint64_t)(*s - '0');
	}
	if (*s == '\0') {
		o->bad_count = n;
		o->bad_share = 0;
		return true;
	}
	if (strcmp(s, "%") != 0 || n < 1 || n > 100)
		return false;
	o->bad_count = UINT64_MAX;
	o->bad_share = (double)n / 100.0;
	return true;
}

static const struct place *place_of(const struct graph_node *n, const char *option)
{
	const struct node *v = node_get(n->config, option);
	return v ? &v->at : &n->config->name_at;
}

static void bind_source(struct graph_node *n, const char *what, struct report *r)
{
	if (n->source.max_bad && !bad_limit_parse(&n->source))
		report_error(
			r, place_of(n, "max_bad"),
			"%s: option 'max_bad': expected a number of rows such as 100, or a share from 1%% to 100%%",
			what);
}

static void bind_detector(struct graph_node *n, const char *what, struct report *r)
{
	struct detector_options *o = &n->detector;
	const struct tw_detector *d = &n->plugin->detector;

	if (o->cooldown && parse_stretch(o->cooldown, &o->quiet) != 0)
		report_error(
			r, place_of(n, "cooldown"),
			"%s: option 'cooldown': '%s' is neither a duration such as 5m nor a count such as '100 events'",
			what, o->cooldown);
	if (o->warmup && parse_stretch(o->warmup, &o->warm) != 0)
		report_error(
			r, place_of(n, "warmup"),
			"%s: option 'warmup': '%s' is neither a duration such as 2h nor a count such as '100 events'",
			what, o->warmup);
	if (d->key && !key_parse(d->key, &n->key))
		report_error(r, &n->config->name_at,
			     "%s: plugin '%s' declares the key '%s', which this host does not know", what,
			     n->plugin->name, d->key);
	if (o->key && *o->key) {
		if (!(n->plugin->flags & TW_FREE_KEY))
			report_error(r, place_of(n, "key"), "%s: option 'key': the key of '%s' is fixed: %s", what,
				     n->plugin->name, graph_key_name(n->key));
		else if (!key_parse(o->key, &n->key))
			report_error(r, place_of(n, "key"),
				     "%s: option 'key': expected symbol, account, 'account,symbol' or none, got '%s'",
				     what, o->key);
	}
}

static void bind_where(struct graph *g, struct graph_node *n, const char *what, struct report *r)
{
	const struct node *where = node_get(n->config, "where");

	n->has_where = where != NULL;
	if (where)
		(void)where_parse(&n->where, where, what, &g->arena, r);
}

static void bind_sink(struct graph_node *n, const char *what, struct report *r)
{
	for (uint64_t i = 0; i < n->sink.kinds.n; i++) {
		const char *kind = n->sink.kinds.items[i];
		if (!strcmp(kind, "alert"))
			n->sink.wants |= TW_ALERT;
		else if (!strcmp(kind, "score"))
			n->sink.wants |= TW_SCORE;
		else
			report_error(r, place_of(n, "kinds"), "%s: option 'kinds': expected alert or score, got '%s'",
				     what, kind);
	}
}

/* The plugin's own options and the host's, in one pass, so that an unknown word is compared with both tables. */
static void bind_node(struct graph *g, struct graph_node *n, const char *what, struct report *r)
{
	const struct plugin *p = n->plugin;
	static const struct tw_option *const host_tables[PLUGIN_KINDS] = { graph_source_options, graph_detector_options,
									   graph_sink_options };
	void *host_self[PLUGIN_KINDS] = { &n->source, &n->detector, &n->sink };
	struct binding b[2] = { { p->options, p->option_size, n->self },
				{ host_tables[n->kind], sizeof(struct tw_option), host_self[n->kind] } };
	struct tw_err e = { 0 };
	uint32_t wrong;

	wrong = options_bind(n->config, p->options ? b : b + 1, p->options ? 2 : 1,
			     n->kind == PLUGIN_SOURCE ? bound_elsewhere_source : bound_elsewhere, what, &g->arena, r);
	/* The plugin may rely on its options being bound; the host's own checks cope with absent ones. */
	if (!wrong && p->check && p->check(n->self, &e) < 0)
		report_error(r, &n->config->name_at, "%s: %s", what, e.msg);
	if (n->kind == PLUGIN_SOURCE)
		bind_source(n, what, r);
	else if (n->kind == PLUGIN_DETECTOR)
		bind_detector(n, what, r);
	else
		bind_sink(n, what, r);
	if (n->kind != PLUGIN_SOURCE)
		bind_where(g, n, what, r);
	if (n->kind == PLUGIN_DETECTOR && r->errors == 0) {
		const struct tw_detector *d = &p->detector;
		n->state_size = d->state_size_of ? d->state_size_of(n->self) : d->state_size;
		if (n->state_size > GRAPH_MAX_STATE)
			report_error(r, &n->config->name_at,
				     "%s: needs %u bytes of state per key; at most %u are allowed", what, n->state_size,
				     GRAPH_MAX_STATE);
	}
}

static int32_t make_node(struct graph *g, enum plugin_kind kind, const struct node *config, struct plugins *plugins,
			 struct report *r)
{
	struct graph_node *n = &g->nodes[g->n];
	const struct node *name = node_get(config, "plugin");
	const char *what = arena_printf(&r->arena, "%s '%s'", plugin_kind_names[kind], config->name);
	struct tw_err e = { 0 };

	if (!what)
		return TW_E_FATAL;
	*n = (struct graph_node){ .kind = kind, .name = config->name, .config = config, .index = g->n };
	if (config->kind != NODE_MAP) {
		report_error(r, &config->at, "%s: expected a map of options, such as 'plugin: NAME'", what);
		return TW_OK;
	}
	if (!name || name->kind != NODE_TEXT || !*name->text) {
		report_error(r, name ? &name->at : &config->name_at,
			     "%s: option 'plugin' is missing; it names the %s's plugin", what, plugin_kind_names[kind]);
		return TW_OK;
	}
	n->plugin = plugins_get(plugins, kind, name->text, &e);
	if (!n->plugin) {
		report_error(r, &name->at, "%s: %s", what, e.msg);
		return TW_OK;
	}
	n->self = arena_alloc(&g->arena, n->plugin->self_size ? n->plugin->self_size : 1);
	if (!n->self)
		return TW_E_FATAL;
	bind_node(g, n, what, r);
	if (!config_node_digest(config, n->digest))
		return TW_E_FATAL;
	g->n++;
	return TW_OK;
}

static void bind_host(struct graph *g, const struct config *c, struct report *r)
{
	const struct node *host = node_get(&c->root, "host");
	struct node empty = { .kind = NODE_MAP };
	struct binding b = { graph_host_options, sizeof(struct tw_option), &g->host };
	struct address at;

	(void)options_bind(host ? host : &empty, &b, 1, NULL, "host", &g->arena, r);
	if (host && g->host.metrics && *g->host.metrics && parse_address(g->host.metrics, &at) != 0)
		report_error(
			r, &node_get(host, "metrics")->at,
			"host: option 'metrics': expected an address such as 127.0.0.1:9464 or [::1]:9464, got '%s'",
			g->host.metrics);
}

int32_t graph_plan(struct graph *g, const struct config *c, struct plugins *plugins, struct report *r)
{
	uint32_t counts[PLUGIN_KINDS] = { 0 };

	*g = (struct graph){ .digest = c->digest };
	bind_host(g, c, r);
	g->nodes = arena_alloc(&g->arena, GRAPH_MAX_NODES * sizeof *g->nodes);
	if (!g->nodes)
		return TW_E_FATAL;
	for (enum plugin_kind kind = PLUGIN_SOURCE; kind < PLUGIN_KINDS; kind++) {
		const struct node *section = node_get(&c->root, section_names[kind]);
		uint32_t before = g->n;
		for (uint32_t i = 0; section && i < section->n; i++) {
			if (g->n == GRAPH_MAX_NODES) {
				report_error(r, &section->items[i].name_at, "more than %u instances", GRAPH_MAX_NODES);
				break;
			}
			if (make_node(g, kind, &section->items[i], plugins, r) < 0)
				return TW_E_FATAL;
		}
		counts[kind] = g->n - before;
	}
	g->n_sources = counts[PLUGIN_SOURCE];
	g->n_detectors = counts[PLUGIN_DETECTOR];
	g->n_sinks = counts[PLUGIN_SINK];
	if (!node_get(&c->root, "sources") && !c->incomplete)
		report_error(r, NULL, "no sources: a pipeline needs a section 'sources' with at least one");
	if (connect_nodes(g, c, r) < 0)
		return TW_E_FATAL;
	return r->errors ? TW_E_CONFIG : TW_OK;
}

void graph_free(struct graph *g)
{
	arena_free(&g->arena);
	*g = (struct graph){ 0 };
}
