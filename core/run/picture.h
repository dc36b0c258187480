/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan in three forms, and what it may cost in memory: every room says how much it holds.
 */
#ifndef RUN_PICTURE_H
#define RUN_PICTURE_H

#include "base/buf.h"
#include "graph/graph.h"

/* The plan for people, for graphviz and for programs. */
int32_t picture_text(const struct graph *, struct buf *out);
int32_t picture_dot(const struct graph *, struct buf *out);
int32_t picture_json(const struct graph *, struct buf *out);
/* An upper bound on the memory the host gives this graph, in bytes. */
uint64_t picture_memory(const struct graph *);

#endif
