/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch plugins: the list, or the description of one from its own table.
 */
#include "cli/cli.h"
#include "config/config.h"
#include "graph/graph.h"
#include "plugin/describe.h"
#include "plugin/plugin.h"

#include <stdlib.h>
#include <string.h>

struct args {
	bool json, markdown;
};

static const struct cli_option options[] = {
	{ "json", 'j', CLI_FLAG, NULL, offsetof(struct args, json), "as JSON: a list of objects, or one object" },
	{ "markdown", 0, CLI_FLAG, NULL, offsetof(struct args, markdown),
	  "the reference in Markdown: the options of the host, of every instance, and of each plugin" },
	CLI_END,
};

static int run(int argc, char **argv);
const struct verb verb_plugins = {
	.name = "plugins",
	.summary = "list the plugins, or describe one",
	.usage = "[--json | --markdown] [NAME]",
	.run = run,
	.options = options,
	.more = "Plugins are searched in $TAPEWATCH_PLUGINS (folders between colons; an empty one stands for the "
		"usual\n"
		"ones) or, where that is not set, beside the program in ../plugins and ../lib/tapewatch/plugins, and "
		"in\n"
		"~/.local/lib/tapewatch/plugins.",
};

struct search {
	const char *name; /* NULL: all of them */
	bool said;        /* why the file of that name is no plugin */
};

static void each_bad(void *arg, const char *file, const char *sentence)
{
	struct search *s = arg;
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
	size_t len = s->name ? strlen(s->name) : 0;

	if (s->name && (strncmp(base, s->name, len) != 0 || strcmp(base + len, ".so") != 0))
		return;
	s->said = true;
	cli_fail(0, "plugins", "%s", sentence);
}

static int list_text(const struct plugin *const *list, uint32_t n, struct buf *out)
{
	int bad = buf_addf(out, "%-9s %-16s %-9s %s\n", "KIND", "NAME", "VERSION", "SUMMARY");

	for (uint32_t i = 0; i < n && !bad; i++)
		bad = buf_addf(out, "%-9s %-16s %-9s %s\n", plugin_kind_names[list[i]->kind], list[i]->name,
			       list[i]->version, list[i]->summary);
	return bad;
}

static int list_json(const struct plugin *const *list, uint32_t n, struct buf *out)
{
	int bad = buf_addf(out, "[");

	for (uint32_t i = 0; i < n && !bad; i++)
		bad = buf_addf(out, i ? ",\n" : "") || plugin_describe_json(list[i], out) < 0;
	return bad || buf_addf(out, "]\n");
}

static int chapter(struct buf *out, const char *title, const char *text, const struct tw_option *table)
{
	int bad = buf_addf(out, "\n## %s\n\n%s\n", title, text);

	if (!bad && table)
		bad = buf_add(out, "\n", 1) || options_describe_markdown(table, out) < 0;
	return bad;
}

static int list_markdown(const struct plugin *const *list, uint32_t n, struct buf *out)
{
	static const struct {
		const char *title, *text;
		const struct tw_option *options;
	} of_kind[PLUGIN_KINDS] = {
		[PLUGIN_SOURCE] = { "Sources", "Every source under `sources:` also takes:", graph_source_options },
		[PLUGIN_DETECTOR] = { "Detectors", "Every detector under `detectors:` also takes `where:` and:",
				      graph_detector_options },
		[PLUGIN_SINK] = { "Sinks", "Every sink under `sinks:` also takes `where:` and:", graph_sink_options },
	};
	int bad = buf_addf(out, "# Reference\n\nMade by `tapewatch plugins --markdown` from the tables that also parse "
				"and check the configuration.\n");

	bad = bad || chapter(out, "The host", "Under `host:`.", graph_host_options);
	for (uint32_t k = 0; k < PLUGIN_KINDS && !bad; k++) {
		bad = chapter(out, of_kind[k].title, of_kind[k].text, of_kind[k].options);
		for (uint32_t i = 0; i < n && !bad; i++)
			if ((uint32_t)list[i]->kind == k)
				bad = buf_add(out, "\n", 1) || plugin_describe_markdown(list[i], out) < 0;
	}
	return bad;
}

/* A name may stand for a source and a sink at once: both are told. */
static int describe(const struct plugin *const *list, uint32_t n, const char *name, const struct args *a,
		    struct buf *out)
{
	int bad = 0;

	for (uint32_t i = 0; i < n && !bad; i++) {
		if (strcmp(list[i]->name, name) != 0)
			continue;
		if (a->markdown)
			bad = plugin_describe_markdown(list[i], out) < 0;
		else if (a->json)
			bad = plugin_describe_json(list[i], out) < 0 || buf_addf(out, "\n");
		else
			bad = (out->len && buf_addf(out, "\n")) || plugin_describe(list[i], out) < 0;
	}
	return bad;
}

static int not_found(const struct plugin *const *list, uint32_t n, const struct search *s)
{
	if (s->said)
		return CLI_USAGE;
	const char **words = calloc(n ? n : 1, sizeof *words);
	for (uint32_t i = 0; words && i < n; i++)
		words[i] = list[i]->name;
	const char *near = words ? nearest(s->name, words, n) : NULL;
	if (near)
		cli_fail(CLI_USAGE, "plugins", "there is no plugin '%s'; did you mean '%s'?", s->name, near);
	else
		cli_fail(CLI_USAGE, "plugins", "there is no plugin '%s'; try 'tapewatch plugins'", s->name);
	free(words);
	return CLI_USAGE;
}

static int run(int argc, char **argv)
{
	struct args a = { 0 };
	struct search search = { 0 };
	struct buf out = { 0 };
	const struct plugin **list = NULL;
	int bad;

	int code = cli_parse(&verb_plugins, &argc, argv, &a, 1);
	if (code != CLI_GO)
		return code;
	if (a.json && a.markdown)
		return cli_misuse(&verb_plugins, "--json or --markdown, not both");
	search.name = argc > 1 ? argv[1] : NULL;
	struct plugins *registry = plugins_new(NULL);
	if (!registry)
		return cli_fail(CLI_GAVE_UP, "plugins", "out of memory");

	uint32_t n = plugins_scan(registry, &list, each_bad, &search);
	if (search.name)
		bad = describe(list, n, search.name, &a, &out);
	else
		bad = a.markdown ? list_markdown(list, n, &out)
		      : a.json   ? list_json(list, n, &out)
				 : list_text(list, n, &out);
	code = CLI_OK;
	if (bad)
		code = cli_fail(CLI_GAVE_UP, "plugins", "out of memory");
	else if (search.name && !out.len)
		code = not_found(list, n, &search);
	else
		cli_write(&out, "plugins", &code);
	buf_free(&out);
	plugins_free(registry);
	return code;
}
