/* SPDX-License-Identifier: Apache-2.0
 *
 * core/plugin/plugin.h for plugins that are linked in: no files, no trial in a child. The manifests are checked by the
 * host's own rule.
 */
#include "plugin/internal.h"
#include "sim.h"
#include <string.h>

#define PLUGINS(X) X(sim_source) X(sim_sink) X(trace) X(zscore) X(rate) X(moving_average) X(martingale) X(wash_trade)

/* Each is tw_plugin() of a plugin, renamed when it was compiled. */
#define DECLARE(name) const struct tw_manifest *tw_plugin_##name(void);
PLUGINS(DECLARE)

static const struct linked {
	const char *name;
	const struct tw_manifest *(*manifest)(void);
} linked[] = {
#define LIST(name) { #name, tw_plugin_##name },
	PLUGINS(LIST)
};
#define N_LINKED (sizeof linked / sizeof *linked)

struct plugins {
	struct arena arena;
	struct plugin_set sets[N_LINKED];
	bool checked[N_LINKED];
};

struct plugins *plugins_new(const char *const *folders)
{
	static struct plugins all; /* checked once; they do not change */

	(void)folders;
	return &all;
}

void plugins_free(struct plugins *p)
{
	arena_free(&p->arena);
	*p = (struct plugins){ 0 };
}

const struct plugin *plugins_get(struct plugins *p, enum plugin_kind kind, const char *name, struct tw_err *e)
{
	for (size_t i = 0; i < N_LINKED; i++) {
		if (strcmp(linked[i].name, name) != 0)
			continue;
		if (!p->checked[i] && plugin_manifest_check(linked[i].manifest(), "(linked in)", name, &p->arena,
							    &p->sets[i], e) != TW_OK)
			return NULL;
		p->checked[i] = true;
		return p->sets[i].of[kind];
	}
	e->code = TW_E_CONFIG;
	return NULL;
}
