/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host counts, and what its plugins do, as Prometheus reads it.
 */
#ifndef RUN_FIGURES_H
#define RUN_FIGURES_H

#include "base/buf.h"

struct run;

/* 0, or -1 when memory is out. [control] */
int figures_text(const struct run *, struct buf *out);

#endif
