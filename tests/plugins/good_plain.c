/* SPDX-License-Identifier: Apache-2.0
 *
 * A detector as the macros make it, with every type of option.
 */
#include <tapewatch/plugin.h>

struct self {
	int64_t window;
	double threshold;
	int64_t robust;
	const char *field;
	int64_t span, bytes, side;
	struct tw_list names, columns;
	const char *password;
};
struct state {
	int64_t count;
};

static const struct tw_option options[] = {
	TW_INT(struct self, window, "30", "2", "100000", "how many values the window holds"),
	TW_FLOAT(struct self, threshold, "2.5", "0", NULL, "how far is far"),
	TW_BOOL(struct self, robust, "false", "median and MAD instead of mean and deviation"),
	TW_STRING(struct self, field, TW_REQUIRED, "which number of the event"),
	TW_DURATION(struct self, span, "10s", "1ms", "24h",
		    "how far back to look, and since this help text is long on purpose, it goes on for more than one "
		    "line of the "
		    "table so that it has to be broken"),
	TW_SIZE(struct self, bytes, "64KiB", NULL, "1GiB", "how much to keep"),
	TW_ENUM(struct self, side, "both", "both|up|down", "which side counts"),
	TW_LIST(struct self, names, "", "names to leave out"),
	TW_MAP(struct self, columns, "", "which column is what"),
	TW_SECRET(struct self, password, "a \"secret\""),
	TW_END,
};
static const char *const counters[] = { "judged", "no_spread", NULL };

static int32_t on_event(struct tw_ctx *c, const struct self *self, const struct tw_event *ev, struct state *s)
{
	(void)c;
	(void)self;
	(void)ev;
	s->count++;
	return TW_OK;
}

TW_DETECTOR(on_event, .name = "good_plain", .version = "1.2.3", .summary = "counts, and says nothing about it",
	    .doc = "A first paragraph that is\nwritten in two lines.\n\n    formula = a / b\n\nA second one.",
	    .kinds = TW_QUOTE | TW_TRADE, .emits = TW_SCORE, .key = "symbol", .flags = TW_FREE_KEY, .options = options,
	    .self_size = sizeof(struct self), .state_size = sizeof(struct state), .state_version = 3,
	    .counters = counters)
