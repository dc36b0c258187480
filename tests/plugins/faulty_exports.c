/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of the test kit: exports more than tw_plugin(), and says nothing about its option.
 */
#include <tapewatch/plugin.h>

struct self {
	int64_t size;
};

static const struct tw_option options[] = {
	TW_INT(struct self, size, "1", "1", "9", "size"),
	TW_END,
};

TW_EXPORT int helper_of_faulty_exports(int v);
int helper_of_faulty_exports(int v)
{
	return v + 1;
}

static int32_t on_quote(struct tw_ctx *c, struct self *self, const struct tw_event *ev, void *state)
{
	(void)c, (void)self, (void)ev, (void)state;
	return TW_OK;
}

TW_DETECTOR(on_quote, .name = "faulty_exports", .version = "1.0.0", .summary = "exports too much", .kinds = TW_QUOTE,
	    .options = options, .self_size = sizeof(struct self))
