/* SPDX-License-Identifier: Apache-2.0
 *
 * spread: the spread of a quote is many times what it usually is for its symbol.
 */
#include <tapewatch/plugin.h>

struct spread { /* options, filled in by the host */
	double limit, alpha;
	int64_t min_quotes;
};

struct state { /* one per symbol, all zero when the symbol is first seen, kept by the host */
	double usual;
	int64_t quotes;
};

static const struct tw_option options[] = {
	TW_FLOAT(struct spread, limit, "3", "1", "1e6", "alert when the spread is so many times the usual one"),
	TW_FLOAT(struct spread, alpha, "0.05", "1e-6", "1", "weight of the newest quote in the usual spread"),
	TW_INT(struct spread, min_quotes, "20", "1", "1000000", "quotes of a symbol before it is judged"),
	TW_END,
};

static int32_t on_quote(struct tw_ctx *c, const struct spread *o, const struct tw_event *ev, struct state *s)
{
	double now = ev->quote.ask - ev->quote.bid, usual = s->usual;
	int known = s->quotes >= o->min_quotes;
	struct tw_finding f;

	if (!(now >= 0)) /* crossed, or a side is absent */
		return TW_OK;
	/* The quote that is judged is no part of what it is judged by. */
	s->usual = s->quotes++ ? usual + o->alpha * (now - usual) : now;
	if (!known || now <= o->limit * usual)
		return TW_OK;
	f = tw_finding(now / usual, now, usual, o->limit * usual);
	f.type = "wide_spread";
	return tw_report(c, ev, &f, "spread %.6g is %.3g times the usual %.6g", now, now / usual, usual);
}

TW_DETECTOR(on_quote, .name = "spread", .version = "1.0.0", .summary = "a spread many times the usual one",
	    .kinds = TW_QUOTE, .key = "symbol", .options = options, .self_size = sizeof(struct spread),
	    .state_size = sizeof(struct state), .state_version = 1)
