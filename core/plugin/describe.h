/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plugin says about itself, from its own table: for `tapewatch plugins NAME` and the reference.
 */
#ifndef PLUGIN_DESCRIBE_H
#define PLUGIN_DESCRIBE_H

#include "base/buf.h"
#include "plugin/plugin.h"

/* Readable text of at most 100 columns, appended to out: summary, doc, key, kinds, options and counters. TW_OK, or
 * TW_E_FATAL when memory is out. */
int32_t plugin_describe(const struct plugin *, struct buf *out);

/* One JSON object on one line, without a newline at its end. "options" is a JSON schema of what may stand in the
 * configuration; types that JSON has no word for carry "x-type" (duration, size, secret, map). */
int32_t plugin_describe_json(const struct plugin *, struct buf *out);

/* A section of the reference, in Markdown: the heading, doc, what a detector listens to, a table of options. */
int32_t plugin_describe_markdown(const struct plugin *, struct buf *out);

/* The table of options alone, as which every table reads; rows of today's size, ended by TW_END. */
int32_t options_describe_markdown(const struct tw_option *, struct buf *out);

#endif
