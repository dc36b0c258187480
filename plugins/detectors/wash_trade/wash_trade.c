/* SPDX-License-Identifier: Apache-2.0
 * wash_trade: the same account keeps trading with itself. */
#include <tapewatch/plugin.h>

struct wash {
	int64_t window, fills;
}; /* options, filled in by the host   */
struct state {
	int64_t start, count;
}; /* one per key, zero when first seen */

static const struct tw_option options[] = {
	TW_DURATION(struct wash, window, "10s", "1ms", "24h", "look-back window"),
	TW_INT(struct wash, fills, "5", "2", "100000", "self-trades before an alert"),
	TW_END,
};

static int32_t on_trade(struct tw_ctx *c, const struct wash *w, const struct tw_event *ev, struct state *s)
{
	if (!ev->trade.account || ev->trade.account != ev->trade.counterparty)
		return TW_OK;
	if (ev->ts - s->start > w->window)
		*s = (struct state){ .start = ev->ts };
	if (++s->count < w->fills)
		return TW_OK;
	s->count = 0;
	return tw_alert(c, ev, 0.9, "%" PRId64 " self-trades of one account within %.0f s", w->fills,
			(double)w->window / 1e9);
}

TW_DETECTOR(on_trade, .name = "wash_trade", .version = "1.0.0",
	    .summary = "same account on both sides of repeated trades",
	    .doc = "Counts trades whose account is its own counterparty. So many of them within the window raise an\n"
		   "alert, and the count begins again; a window begins with its first trade.",
	    .kinds = TW_TRADE, .key = "account,symbol", .options = options, .self_size = sizeof(struct wash),
	    .state_size = sizeof(struct state), .state_version = 1)
