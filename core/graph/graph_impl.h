/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of this room.
 */
#ifndef GRAPH_GRAPH_IMPL_H
#define GRAPH_GRAPH_IMPL_H

#include "graph/graph.h"

#define GRAPH_MAX_STATE 65536u

/* Resolve inputs, find cycles, set levels, sort detectors by level and number all nodes. */
int32_t connect_nodes(struct graph *, const struct config *, struct report *);

#endif
