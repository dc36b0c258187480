/* @NAME@: quotes whose spread is far wider than usual for the symbol.
 *
 * This works as it stands. Edit what is marked EDIT: the options, the state of a key, and the judgement.
 * The manual is tapewatch/plugin.h; tapewatch/window.h has rolling statistics for the state.
 */
#include <tapewatch/plugin.h>

/* EDIT: what a user can set. The host parses and checks it, and writes it here. */
struct settings {
	double times;
	int64_t quotes;
};

static const struct tw_option options[] = {
	TW_FLOAT(struct settings, times, "4", "1", "1e6", "alert when the spread is this many times its mean"),
	TW_INT(struct settings, quotes, "20", "2", "1000000", "quotes in the mean; before as many there is no alert"),
	TW_END,
};

/* EDIT: what is remembered of each key (here: each symbol). Plain data, zero when the key is first seen; the host keeps
 * it, also over a crash. Raise .state_version below when its meaning changes. */
struct state {
	double mean;
	int64_t seen;
};

/* EDIT: one event. Results must follow from the event, the state and the settings alone. */
static int32_t on_event(struct tw_ctx *c, const struct settings *o, const struct tw_event *ev, struct state *s)
{
	double spread = ev->quote.ask - ev->quote.bid;
	int32_t rc = TW_OK;

	if (!(spread >= 0)) /* absent or crossed */
		return TW_OK;
	if (s->seen >= o->quotes && spread > o->times * s->mean) {
		struct tw_finding found = tw_finding(spread / s->mean, spread, s->mean, o->times * s->mean);
		found.type = "@NAME@";
		rc = tw_report(c, ev, &found, "spread %g is %.1f times its mean %g", spread, spread / s->mean, s->mean);
	}
	if (s->seen < o->quotes)
		s->seen++;
	s->mean += (spread - s->mean) / (double)s->seen;
	return rc;
}

TW_DETECTOR(
	on_event, .name = "@NAME@", .version = "0.1.0",
	.summary = "quotes whose spread is far wider than usual", /* EDIT */
	.doc = "Each spread (ask - bid) is compared with the mean of those before it, exponentially weighted once\n"
	       "`quotes` of them are known. Score: the spread by that mean.", /* EDIT: what it does, and its formula */
	.kinds = TW_QUOTE,                                                    /* EDIT: the kinds of events it wants */
	.key = "symbol",                                                      /* EDIT: or "account", "account,symbol" */
	.options = options, .self_size = sizeof(struct settings), .state_size = sizeof(struct state),
	.state_version = 1)
