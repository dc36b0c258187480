/* SPDX-License-Identifier: Apache-2.0
 *
 * A planned configuration with everything it stands on, so that a run can hold an old one and a new one side by side.
 * What a source or sink was opened with (options, names, the plugin's table) lies in its plan: whoever goes on using
 * it across a reload holds the plan, too. [control]
 */
#ifndef RUN_PLAN_H
#define RUN_PLAN_H

#include "graph/graph.h"

struct plan {
	const struct graph *graph;
	uint32_t holders;
	/* its own; empty when the graph is somebody else's */
	struct config config;
	struct plugins *plugins;
	struct graph own;
};

/* Around a graph that outlives it. NULL: memory is out. Like plan_read(), the caller is the first holder. */
struct plan *plan_around(const struct graph *);
/* Read and plan while a pipeline runs: plugins that this process has not loaded yet are tried in a program of their
 * own. Mistakes go to r; NULL when there were any, or when memory is out. */
struct plan *plan_read(const char *const *paths, uint32_t n, struct report *r);
struct plan *plan_hold(struct plan *);
void plan_drop(struct plan *); /* accepts NULL; the last holder frees it */

/* Were they made from the same words, the values behind references included, and of the same plugin code? */
bool plan_same_node(const struct graph_node *, const struct graph_node *);
/* The node of that kind and name, or NULL. */
const struct graph_node *plan_find(const struct graph *, enum plugin_kind, const char *name);

struct plan_difference {
	uint32_t kept, changed, added, removed;
};
/* One line for each instance that is not kept, and a last line that counts; appended to out. TW_OK or TW_E_FATAL. */
int32_t plan_compare(const struct graph *before, const struct graph *after, struct plan_difference *ret, struct buf *out);

#endif
