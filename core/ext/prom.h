/* SPDX-License-Identifier: Apache-2.0
 *
 * Prometheus' text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
 * All append to a buffer and return 0, or -1 when memory is out, so that calls can be or-ed together.
 */
#ifndef EXT_PROM_H
#define EXT_PROM_H

#include "base/buf.h"
#include <stdbool.h>

/* The two lines in front of a family. type: "counter", "gauge", "histogram". */
int prom_family(struct buf *, const char *name, const char *type, const char *help);
/* key="value" with escapes, a comma before it when it is not the first. */
int prom_label(struct buf *, bool first, const char *key, const char *value);
/* NaN, +Inf, -Inf, or the shortest text that reads back as the same number. */
int prom_number(struct buf *, double);
/* name{label="text"} value; label NULL: without. */
int prom_count(struct buf *, const char *name, const char *label, const char *text, uint64_t value);
int prom_value(struct buf *, const char *name, const char *label, const char *text, double value);

#endif
