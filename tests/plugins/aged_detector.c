/* SPDX-License-Identifier: Apache-2.0
 *
 * A detector for tests/e2e/test_reload.py and test_takeover.py that can be had in several ages: its state has the
 * version that AGED_STATE_VERSION says (1 unless set), without a migration, and it can be told not to open.
 */
#include <stdlib.h>
#include <tapewatch/plugin.h>

struct self {
	int64_t every, refuse;
};
struct state {
	uint64_t events;
};

static const struct tw_option options[] = {
	TW_INT(struct self, every, "10", "1", "1000000", "events of a key between two alerts"),
	TW_BOOL(struct self, refuse, "false", "do not open"),
	TW_END,
};

static int32_t on_open(void *self, const struct tw_host *host, struct tw_err *e)
{
	(void)host;
	if (!((const struct self *)self)->refuse)
		return TW_OK;
	*e = (struct tw_err){ TW_E_CONFIG, "it was told to refuse" };
	return TW_E_CONFIG;
}

static int32_t process(struct tw_ctx *c, const struct tw_batch *b)
{
	const struct self *self = c->self;

	for (c->i = 0; c->i < b->n; c->i++) {
		struct state *s = b->state[c->i];
		if (++s->events % (uint64_t)self->every == 0)
			(void)tw_alert(c, b->ev[c->i], 1, "%" PRIu64 " events", s->events);
	}
	return TW_OK;
}

TW_EXPORT const struct tw_manifest *tw_plugin(void);
const struct tw_manifest *tw_plugin(void)
{
	static struct tw_detector detector = { TW_HEAD_(struct tw_detector),
					       .process = process,
					       .open = on_open,
					       .name = "aged_detector",
					       .version = "1.0.0",
					       .summary = "counts, in a state of several versions",
					       .kinds = TW_SCORE,
					       .key = "symbol",
					       .options = options,
					       .self_size = sizeof(struct self),
					       .state_size = sizeof(struct state),
					       .state_version = 1 };
	static const struct tw_detector *const list[] = { &detector, NULL };
	static const struct tw_manifest manifest = { TW_MAGIC, TW_ABI, sizeof manifest, TW_EVENT_SCHEMA,
						     .detectors = list };
	const char *version = getenv("AGED_STATE_VERSION");

	if (version)
		detector.state_version = (uint32_t)strtoul(version, NULL, 10);
	return &manifest;
}
