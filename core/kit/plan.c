/* SPDX-License-Identifier: Apache-2.0
 *
 * From a plugin and its options to a graph: the YAML of a pipeline is written around the options, so that they are read
 * by the code that reads them in earnest.
 */
#include "base/err.h"
#include "base/os.h"
#include "kit/builtin.h"
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN 4 /* columns that options are moved to the right */

const char *kit_library_folder(char *out, size_t size)
{
	/* Installed beside libtapewatch-test.so or below it; or built beside it. */
	static const char *const places[] = { "plugins", "tapewatch/plugins", "../plugins" };
	Dl_info info;
	const char *slash;
	struct stat st;

	if (!dladdr(&kit_feed_manifest, &info) || !info.dli_fname || !(slash = strrchr(info.dli_fname, '/')))
		return NULL;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		int n = snprintf(out, size, "%.*s/%s", (int)(slash - info.dli_fname), info.dli_fname, places[i]);
		if (n > 0 && (size_t)n < size && os->stat(out, &st) == 0 && S_ISDIR(st.st_mode))
			return out;
	}
	return NULL;
}

/* The folders to look in, and the plugin's name. */
static int32_t find_plugin(struct kit_plan *p, const char *plugin, struct tw_err *e)
{
	char here[PATH_MAX], beside[PATH_MAX];
	const char *slash = strrchr(plugin, '/'), *name = slash ? slash + 1 : plugin, *dot = strstr(name, ".so");
	size_t len = dot && !dot[3] ? (size_t)(dot - name) : strlen(name);
	const char *folders[3] = { NULL, NULL, NULL };
	uint32_t n = 0;

	if (!len || len >= sizeof p->name)
		return err_set(e, TW_E_CONFIG,
			       "'%.200s' is no plugin: expected a path such as build/spread.so, or a name", plugin);
	memcpy(p->name, name, len);
	if (slash || dot) {
		if (snprintf(here, sizeof here, "%.*s", slash ? (int)(slash - plugin) : 1, slash ? plugin : ".") >=
		    (int)sizeof here)
			return err_set(e, TW_E_CONFIG, "the path of plugin '%s' is too long", p->name);
		folders[n++] = slash == plugin ? "/" : here;
	}
	if (!n && kit_library_folder(beside, sizeof beside))
		folders[n++] = beside;
	if (slash || dot)
		p->plugins = plugins_new(folders);
	else
		p->plugins = plugins_new_with(folders[0]);
	if (!p->plugins)
		return err_set(e, TW_E_FATAL, "memory is out");
	return TW_OK;
}

static const char *section(enum plugin_kind kind)
{
	return kind == PLUGIN_SOURCE ? "sources" : kind == PLUGIN_DETECTOR ? "detectors" : "sinks";
}

/* The options as they stand, MARGIN columns further to the right and two lines further down. */
static int add_options(struct buf *y, const struct kit_plan *p, const char *inputs, const char *options)
{
	const char *s = options ? options : "", *first = s + strspn(s, " \t\r\n");
	int bad = 0;

	if (*first == '{') {
		const char *end = first + strlen(first);
		while (end > first && end[-1] != '}')
			end--;
		if (end <= first + 1)
			end = first + strlen(first) + 1;
		bad |= buf_addf(y, "%s: {\"%s\": {plugin: \"%s\"%s%s%.*s}}\n", section(p->kind), p->name, p->name,
				inputs, strspn(first + 1, " \t\r\n}") == strlen(first + 1) ? "" : ", ",
				(int)(end - first - 2), first + 1);
		return bad;
	}
	bad |= buf_addf(y, "%s:\n  \"%s\":\n", section(p->kind), p->name);
	while (*s) {
		size_t len = strcspn(s, "\n");
		bad |= buf_addf(y, "    %.*s\n", (int)len, s);
		s += len + (s[len] == '\n');
	}
	return bad | buf_addf(y, "    plugin: \"%s\"\n", p->name) | (*inputs ? buf_addf(y, "    %s\n", inputs + 2) : 0);
}

static int write_yaml(struct buf *y, const struct kit_plan *p, const char *options)
{
	static const char *const inputs[PLUGIN_KINDS] = { "", ", inputs: [events]", ", inputs: [quiet]" };
	int bad = add_options(y, p, inputs[p->kind], options);

	if (p->kind != PLUGIN_SOURCE)
		bad |= buf_addf(y, "sources: {events: {plugin: " KIT_FEED ", max_bad: 100%%}}\n");
	if (p->kind == PLUGIN_SINK)
		bad |= buf_addf(y, "detectors: {quiet: {plugin: " KIT_SILENT ", inputs: [events]}}\n");
	if (p->kind == PLUGIN_DETECTOR)
		bad |= buf_addf(y, "sinks: {said: {plugin: " KIT_CATCH ", inputs: [\"%s\"], kinds: [alert, score]}}\n",
				p->name);
	return bad | buf_addf(y, "host: {sync: off, checkpoint: 24h, max_names: 200000}\n");
}

static void explain(const struct kit_plan *p, bool flow, struct buf *why)
{
	for (uint32_t i = 0; i < p->report.n; i++) {
		const struct mistake *m = &p->report.list[i];
		if (m->warning)
			continue;
		if (m->at.line > 2 && !flow)
			(void)buf_addf(why, "options:%d:%d: ", m->at.line - 2,
				       m->at.column > MARGIN ? m->at.column - MARGIN : 1);
		(void)buf_addf(why, "%s\n", m->text);
	}
}

int32_t kit_plan_make(struct kit_plan *p, enum plugin_kind kind, const char *plugin, const char *options,
		      struct buf *why)
{
	struct buf yaml = { 0 };
	struct tw_err e = { 0 };
	int32_t rc;

	*p = (struct kit_plan){ .kind = kind };
	rc = find_plugin(p, plugin, &e);
	if (rc == TW_OK)
		rc = plugins_add(p->plugins, KIT_FEED, &kit_feed_manifest, &e);
	if (rc == TW_OK)
		rc = plugins_add(p->plugins, KIT_SILENT, &kit_silent_manifest, &e);
	if (rc == TW_OK)
		rc = plugins_add(p->plugins, KIT_CATCH, &kit_catch_manifest, &e);
	if (rc == TW_OK && write_yaml(&yaml, p, options) != 0)
		rc = err_set(&e, TW_E_FATAL, "memory is out");
	if (rc != TW_OK) {
		(void)buf_addf(why, "%s\n", e.msg);
		buf_free(&yaml);
		return rc;
	}
	rc = config_parse(&p->config, "options", (const char *)yaml.data, yaml.len, &p->report);
	if (rc == TW_OK)
		rc = graph_plan(&p->graph, &p->config, p->plugins, &p->report);
	if (rc == TW_OK && p->report.errors)
		rc = TW_E_CONFIG;
	explain(p, options && options[strspn(options, " \t\r\n")] == '{', why);
	buf_free(&yaml);
	if (rc != TW_OK)
		return rc;
	p->node = kind == PLUGIN_SOURCE     ? graph_source(&p->graph, 0)
		  : kind == PLUGIN_DETECTOR ? graph_detector(&p->graph, 0)
					    : graph_sink(&p->graph, 0);
	p->plugin = p->node->plugin;
	p->self = p->node->self;
	p->pristine = malloc(p->plugin->self_size + 1);
	if (!p->pristine)
		return TW_E_FATAL;
	memcpy(p->pristine, p->node->self, p->plugin->self_size);
	return TW_OK;
}

void kit_plan_free(struct kit_plan *p)
{
	graph_free(&p->graph);
	config_free(&p->config);
	report_free(&p->report);
	plugins_free(p->plugins);
	free(p->pristine);
	*p = (struct kit_plan){ 0 };
}
