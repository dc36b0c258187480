/* SPDX-License-Identifier: Apache-2.0
 *
 * A source and a sink for tests/e2e/test_poison.py that kill the process: the source at its third poll, the sink at its
 * first record.
 */
#include <stdlib.h>
#include <tapewatch/plugin.h>

struct self {
	int64_t polls;
};

static int32_t poll_three(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	struct self *s = self;

	(void)w, (void)timeout_ms, (void)e;
	if (++s->polls == 3)
		abort();
	return TW_OK;
}

static int32_t write_none(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			  struct tw_err *e)
{
	(void)self, (void)records, (void)n, (void)done, (void)e;
	abort();
}

TW_EXPORT const struct tw_manifest *tw_plugin(void);
const struct tw_manifest *tw_plugin(void)
{
	static const struct tw_source source = { TW_HEAD_(struct tw_source),
						 .name = "poison_ends",
						 .version = "1.0.0",
						 .summary = "kills the process at its third poll",
						 .self_size = sizeof(struct self),
						 .poll = poll_three };
	static const struct tw_sink sink = { TW_HEAD_(struct tw_sink),
					     .name = "poison_ends",
					     .version = "1.0.0",
					     .summary = "kills the process at its first record",
					     .self_size = sizeof(struct self),
					     .write = write_none };
	static const struct tw_source *const sources[] = { &source, NULL };
	static const struct tw_sink *const sinks[] = { &sink, NULL };
	static const struct tw_manifest manifest = { TW_MAGIC,           TW_ABI,
						     sizeof manifest,    TW_EVENT_SCHEMA,
						     .sources = sources, .sinks = sinks };
	return &manifest;
}
