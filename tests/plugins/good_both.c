/* SPDX-License-Identifier: Apache-2.0
 *
 * A source and a sink of one name in one file.
 */
#include "tiny.h"

static int32_t poll_nothing(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	(void)self;
	(void)w;
	(void)timeout_ms;
	(void)e;
	return TW_DONE;
}

static int32_t write_nothing(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			     struct tw_err *e)
{
	(void)self;
	(void)records;
	(void)e;
	*done = n;
	return TW_OK;
}

static const struct tw_source source = { TW_HEAD_(struct tw_source), .name = "good_both", .version = "1.0.0",
					 .summary = "reads nothing", .poll = poll_nothing };
static const struct tw_sink sink = { TW_HEAD_(struct tw_sink), .name = "good_both", .version = "1.0.0",
				     .summary = "writes nothing", .write = write_nothing };
static const struct tw_source *const sources[] = { &source, NULL };
static const struct tw_sink *const sinks[] = { &sink, NULL };
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, NULL, sources, sinks)
